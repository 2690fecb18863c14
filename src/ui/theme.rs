//! How meanings look on a terminal. The colours of the themes that are shipped are those that people with colour-blindness
//! can tell apart (after Okabe and Ito), and each state has a glyph or a letter besides.

use ratatui::style::{Color, Modifier, Style};

use crate::app::theme::{Rgb, Sixteen, Theme};
use crate::columns::role::Role;

/// How many colours the terminal has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    None,
    Ansi16,
    Xterm256,
    True,
}

impl Depth {
    /// What the terminal's variables say.
    pub fn of_terminal(env: impl Fn(&str) -> Option<String>) -> Self {
        let term = env("TERM").unwrap_or_default();
        let color = env("COLORTERM").unwrap_or_default();
        if term == "dumb" {
            Self::None
        } else if color.contains("truecolor") || color.contains("24bit") || term.contains("direct") {
            Self::True
        } else if term.contains("256color") {
            Self::Xterm256
        } else {
            Self::Ansi16
        }
    }
}

/// How one theme shows each meaning.
#[derive(Debug, Clone, Copy)]
pub struct Palette<'a> {
    theme: &'a Theme,
    depth: Depth,
}

impl<'a> Palette<'a> {
    /// The palette of a theme on a terminal.
    #[must_use]
    pub fn new(theme: &'a Theme, depth: Depth) -> Self {
        Self { theme, depth }
    }

    /// The style of everything that has no other.
    #[must_use]
    pub fn base(&self) -> Style {
        let style = Style::new();
        let Some(text) = self.theme.text else { return style };
        let style = style.fg(self.color(text, ansi_text(self.theme.sixteen)));
        self.theme.ground.map_or(style, |ground| {
            style.bg(self.color(ground, if ground.is_light() { Color::White } else { Color::Black }))
        })
    }

    /// How a meaning looks.
    #[must_use]
    pub fn style(&self, role: Role) -> Style {
        if self.theme.is_mono() {
            return mono(role);
        }
        let tone = self.theme.tone(role);
        let style =
            tone.map_or_else(Style::new, |tone| Style::new().fg(self.color(tone, ansi(self.theme.sixteen, role))));
        match role {
            Role::Title | Role::Critical | Role::Dead | Role::Marked => style.add_modifier(Modifier::BOLD),
            Role::Old => style.add_modifier(Modifier::ITALIC),
            Role::Selected => self.selected(),
            _ => style,
        }
    }

    fn selected(&self) -> Style {
        match self.theme.selected.filter(|_| self.depth != Depth::Ansi16) {
            None => Style::new().add_modifier(Modifier::REVERSED),
            Some(tone) => Style::new().bg(self.color(tone, Color::Blue)).add_modifier(Modifier::BOLD),
        }
    }

    fn color(&self, Rgb(r, g, b): Rgb, ansi: Color) -> Color {
        match self.depth {
            Depth::True => Color::Rgb(r, g, b),
            Depth::Xterm256 => Color::Indexed(cube(r, g, b)),
            Depth::Ansi16 => ansi,
            Depth::None => Color::Reset,
        }
    }
}

fn ansi_text(sixteen: Sixteen) -> Color {
    match sixteen {
        Sixteen::Dark => Color::Reset,
        Sixteen::Light => Color::Black,
        Sixteen::Bright => Color::White,
    }
}

/// A meaning in one of sixteen colours.
fn ansi(sixteen: Sixteen, role: Role) -> Color {
    let [dark, light, bright] = match role {
        Role::Normal | Role::Selected => [Color::Reset, Color::Black, Color::White],
        Role::Dim => [Color::DarkGray, Color::DarkGray, Color::Gray],
        Role::Title => [Color::White, Color::Black, Color::White],
        Role::Accent | Role::Marked => [Color::LightBlue, Color::Blue, Color::LightCyan],
        Role::Healthy => [Color::Green, Color::Green, Color::LightGreen],
        Role::Warn => [Color::Yellow, Color::Yellow, Color::LightYellow],
        Role::Alert => [Color::LightYellow, Color::Yellow, Color::Yellow],
        Role::Critical => [Color::LightRed, Color::Red, Color::LightRed],
        Role::Dead => [Color::Red, Color::Red, Color::LightRed],
        Role::Unknown | Role::Old => [Color::Magenta, Color::Magenta, Color::LightMagenta],
    };
    match sixteen {
        Sixteen::Dark => dark,
        Sixteen::Light => light,
        Sixteen::Bright => bright,
    }
}

/// Weight, slant and inversion in place of colour.
fn mono(role: Role) -> Style {
    let style = Style::new();
    match role {
        Role::Normal | Role::Healthy | Role::Accent => style,
        Role::Dim => style.add_modifier(Modifier::DIM),
        Role::Title | Role::Warn | Role::Marked => style.add_modifier(Modifier::BOLD),
        Role::Alert => style.add_modifier(Modifier::BOLD | Modifier::UNDERLINED),
        Role::Critical | Role::Dead => style.add_modifier(Modifier::BOLD | Modifier::REVERSED),
        Role::Unknown | Role::Old => style.add_modifier(Modifier::ITALIC),
        Role::Selected => style.add_modifier(Modifier::REVERSED),
    }
}

/// The nearest colour of xterm's 6x6x6 cube or grey ramp.
fn cube(r: u8, g: u8, b: u8) -> u8 {
    const STEPS: [u8; 6] = [0, 95, 135, 175, 215, 255];
    let nearest = |v: u8| (0u8..6).min_by_key(|&i| STEPS[usize::from(i)].abs_diff(v)).unwrap_or(0);
    let (ri, gi, bi) = (nearest(r), nearest(g), nearest(b));
    let distance = |x: u8, y: u8, z: u8| {
        let square = |a: u8, b: u8| u32::from(a.abs_diff(b)).pow(2);
        square(x, r) + square(y, g) + square(z, b)
    };
    let in_cube = distance(STEPS[usize::from(ri)], STEPS[usize::from(gi)], STEPS[usize::from(bi)]);
    let average = u8::try_from((u16::from(r) + u16::from(g) + u16::from(b)) / 3).unwrap_or(255);
    let grey_index = average.saturating_sub(3) / 10;
    let grey = 8 + grey_index.min(23) * 10;
    if distance(grey, grey, grey) < in_cube { 232 + grey_index.min(23) } else { 16 + 36 * ri + 6 * gi + bi }
}

#[cfg(test)]
mod tests {
    use strum::IntoEnumIterator;

    use super::*;
    use crate::app::theme::Themes;

    fn coloured_themes() -> Vec<Theme> {
        Themes::default().iter().filter(|theme| !theme.is_mono()).cloned().collect()
    }

    fn rgb(color: Color) -> (u8, u8, u8) {
        match color {
            Color::Rgb(r, g, b) => (r, g, b),
            other => panic!("{other} is no colour of a true-colour terminal"),
        }
    }

    /// How two colours stand out from each other, from 1 to 21: WCAG 2, contrast ratio.
    fn contrast_ratio(a: (u8, u8, u8), b: (u8, u8, u8)) -> f64 {
        let light = |(r, g, b): (u8, u8, u8)| {
            let linear = |v: u8| {
                let v = f64::from(v) / 255.0;
                if v <= 0.04045 { v / 12.92 } else { ((v + 0.055) / 1.055).powf(2.4) }
            };
            0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b) + 0.05
        };
        let (a, b) = (light(a), light(b));
        a.max(b) / a.min(b)
    }

    /// Grounds that a dark terminal commonly has; the other themes bring their own.
    const DARK_GROUNDS: [(u8, u8, u8); 3] = [(0, 0, 0), (0x1e, 0x1e, 0x1e), (0x0d, 0x11, 0x17)];

    #[test]
    fn every_meaning_can_be_read_on_its_ground() {
        for theme in coloured_themes() {
            let least = if theme.name == "contrast" { 7.0 } else { 4.5 };
            let palette = Palette::new(&theme, Depth::True);
            let theme = &theme.name;
            let grounds = palette.base().bg.map_or(DARK_GROUNDS.to_vec(), |ground| vec![rgb(ground)]);
            let selected = palette.style(Role::Selected).bg.map(rgb);
            for role in Role::iter().filter(|role| *role != Role::Selected) {
                let color = rgb(palette.style(role).fg.or(palette.base().fg).unwrap());
                for ground in &grounds {
                    let ratio = contrast_ratio(color, *ground);
                    assert!(ratio >= least, "{role:?} on {ground:?} of {theme}: {ratio:.2}");
                }
                let ratio = contrast_ratio(color, selected.unwrap());
                assert!(ratio >= 3.0, "{role:?} on the selected row of {theme}: {ratio:.2}");
            }
        }
    }

    /// What eyes with one kind of cone missing see (Viénot, Brettel and Mollon 1999), in linear light.
    fn without_cone(color: (u8, u8, u8), protan: bool) -> [f64; 3] {
        let linear = |v: u8| (f64::from(v) / 255.0).powf(2.2);
        let (r, g, b) = (linear(color.0), linear(color.1), linear(color.2));
        let seen = if protan { 0.112_38 * r + 0.887_62 * g } else { 0.292_75 * r + 0.707_25 * g };
        let blue = if protan { 0.004_01 * (r - g) + b } else { -0.022_34 * (r - g) + b };
        [seen, seen, blue.clamp(0.0, 1.0)]
    }

    #[test]
    fn well_and_wrong_differ_for_every_eye() {
        for theme in coloured_themes() {
            let palette = Palette::new(&theme, Depth::True);
            let theme = &theme.name;
            let well = rgb(palette.style(Role::Healthy).fg.unwrap());
            for role in [Role::Alert, Role::Critical, Role::Dead] {
                let wrong = rgb(palette.style(role).fg.unwrap());
                for protan in [true, false] {
                    let (a, b) = (without_cone(well, protan), without_cone(wrong, protan));
                    let apart: f64 = a.iter().zip(b).map(|(a, b)| (a - b).abs()).sum();
                    assert!(apart >= 0.08, "{role:?} of {theme}: {apart:.3}");
                }
            }
        }
    }
}
