//! How meanings look. Colours are those that people with colour-blindness can tell apart (Okabe and Ito),
//! and each state has a glyph or a letter besides.

use ratatui::style::{Color, Modifier, Style};

use crate::app::Theme;
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

/// A colour, and the nearest of the sixteen.
#[derive(Clone, Copy)]
struct Tone(u8, u8, u8, Color);

/// How one theme shows each meaning.
#[derive(Debug, Clone, Copy)]
pub struct Palette {
    theme: Theme,
    depth: Depth,
}

impl Palette {
    /// The palette of a theme on a terminal.
    #[must_use]
    pub fn new(theme: Theme, depth: Depth) -> Self {
        Self { theme, depth }
    }

    /// The style of everything that has no other.
    #[must_use]
    pub fn base(&self) -> Style {
        match self.theme {
            Theme::Mono => Style::new(),
            Theme::Dark => Style::new().fg(self.color(Tone(0xd0, 0xd4, 0xd8, Color::Reset))),
            Theme::Light => Style::new().fg(self.color(Tone(0x20, 0x24, 0x28, Color::Black))).bg(self.color(Tone(
                0xfb,
                0xfb,
                0xf8,
                Color::White,
            ))),
            Theme::Contrast => Style::new().fg(self.color(Tone(0xff, 0xff, 0xff, Color::White))).bg(self.color(Tone(
                0,
                0,
                0,
                Color::Black,
            ))),
        }
    }

    /// How a meaning looks.
    #[must_use]
    pub fn style(&self, role: Role) -> Style {
        match self.theme {
            Theme::Mono => mono(role),
            Theme::Dark => self.tinted(role, dark(role)),
            Theme::Light => self.tinted(role, light(role)),
            Theme::Contrast => self.tinted(role, Some(contrast(role))),
        }
    }

    fn tinted(&self, role: Role, tone: Option<Tone>) -> Style {
        let style = tone.map_or_else(Style::new, |tone| Style::new().fg(self.color(tone)));
        match role {
            Role::Title => style.add_modifier(Modifier::BOLD),
            Role::Critical | Role::Dead => style.add_modifier(Modifier::BOLD),
            Role::Old => style.add_modifier(Modifier::ITALIC),
            Role::Selected => self.selected(),
            Role::Marked => style.add_modifier(Modifier::BOLD),
            _ => style,
        }
    }

    fn selected(&self) -> Style {
        let tone = match self.theme {
            Theme::Light => Tone(0xd8, 0xe4, 0xf2, Color::Cyan),
            Theme::Contrast => Tone(0x00, 0x50, 0xc0, Color::Blue),
            _ => Tone(0x2a, 0x36, 0x46, Color::Blue),
        };
        if self.depth == Depth::Ansi16 {
            return Style::new().add_modifier(Modifier::REVERSED);
        }
        Style::new().bg(self.color(tone)).add_modifier(Modifier::BOLD)
    }

    fn color(&self, Tone(r, g, b, ansi): Tone) -> Color {
        match self.depth {
            Depth::True => Color::Rgb(r, g, b),
            Depth::Xterm256 => Color::Indexed(cube(r, g, b)),
            Depth::Ansi16 => ansi,
            Depth::None => Color::Reset,
        }
    }
}

fn dark(role: Role) -> Option<Tone> {
    Some(match role {
        Role::Normal | Role::Selected => return None,
        Role::Dim => Tone(0x86, 0x8e, 0x96, Color::DarkGray),
        Role::Title => Tone(0xf0, 0xf2, 0xf4, Color::White),
        Role::Accent | Role::Marked => Tone(0x56, 0xb4, 0xe9, Color::LightBlue),
        Role::Healthy => Tone(0x2f, 0xb5, 0x8a, Color::Green),
        Role::Warn => Tone(0xe8, 0xd8, 0x4a, Color::Yellow),
        Role::Alert => Tone(0xe6, 0x9f, 0x00, Color::LightYellow),
        Role::Critical => Tone(0xf0, 0x72, 0x3c, Color::LightRed),
        Role::Dead => Tone(0xff, 0x6b, 0x5e, Color::Red),
        Role::Unknown => Tone(0xb0, 0x9a, 0xc8, Color::Magenta),
        Role::Old => Tone(0xcc, 0x9a, 0xb8, Color::Magenta),
    })
}

fn light(role: Role) -> Option<Tone> {
    Some(match role {
        Role::Normal | Role::Selected => return None,
        Role::Dim => Tone(0x62, 0x6a, 0x72, Color::DarkGray),
        Role::Title => Tone(0x00, 0x00, 0x00, Color::Black),
        Role::Accent | Role::Marked => Tone(0x00, 0x5a, 0x9c, Color::Blue),
        Role::Healthy => Tone(0x00, 0x6e, 0x50, Color::Green),
        Role::Warn => Tone(0x74, 0x60, 0x00, Color::Yellow),
        Role::Alert => Tone(0x8f, 0x55, 0x00, Color::Yellow),
        Role::Critical => Tone(0xb0, 0x40, 0x00, Color::Red),
        Role::Dead => Tone(0xb8, 0x10, 0x10, Color::Red),
        Role::Unknown => Tone(0x6a, 0x3d, 0x9a, Color::Magenta),
        Role::Old => Tone(0x8a, 0x36, 0x6e, Color::Magenta),
    })
}

fn contrast(role: Role) -> Tone {
    match role {
        Role::Normal | Role::Selected | Role::Title => Tone(0xff, 0xff, 0xff, Color::White),
        Role::Dim => Tone(0xc8, 0xc8, 0xc8, Color::Gray),
        Role::Accent | Role::Marked => Tone(0x7f, 0xd0, 0xff, Color::LightCyan),
        Role::Healthy => Tone(0x5c, 0xff, 0xb8, Color::LightGreen),
        Role::Warn => Tone(0xff, 0xf0, 0x40, Color::LightYellow),
        Role::Alert => Tone(0xff, 0xc0, 0x30, Color::Yellow),
        Role::Critical => Tone(0xff, 0x9a, 0x60, Color::LightRed),
        Role::Dead => Tone(0xff, 0x90, 0x88, Color::LightRed),
        Role::Unknown | Role::Old => Tone(0xe0, 0xb8, 0xff, Color::LightMagenta),
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
        for (theme, least) in [(Theme::Dark, 4.5), (Theme::Light, 4.5), (Theme::Contrast, 7.0)] {
            let palette = Palette::new(theme, Depth::True);
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
        for theme in [Theme::Dark, Theme::Light, Theme::Contrast] {
            let palette = Palette::new(theme, Depth::True);
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
