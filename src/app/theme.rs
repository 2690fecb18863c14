//! Themes: which colour stands for which meaning, as a file says it. How a terminal shows a colour is the screen's business.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;
use strum::{EnumCount as _, IntoEnumIterator as _};

use crate::columns::role::Role;

/// A theme without colours: weight, slant and inversion tell meanings apart.
pub const MONO: &str = "mono";

/// Those that come with the program.
const SHIPPED: [(&str, &str); 6] = [
    ("dark", include_str!("themes/dark.toml")),
    ("light", include_str!("themes/light.toml")),
    ("contrast", include_str!("themes/contrast.toml")),
    ("dusk", include_str!("themes/dusk.toml")),
    ("forest", include_str!("themes/forest.toml")),
    ("paper", include_str!("themes/paper.toml")),
];

/// A colour: red, green and blue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Rgb(pub u8, pub u8, pub u8);

impl TryFrom<String> for Rgb {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        let wrong = || format!("\"{}\" is no colour; write one such as \"#2fb58a\"", crate::model::text::scrub(&text));
        let digits =
            text.strip_prefix('#').filter(|digits| digits.len() == 6 && digits.is_ascii()).ok_or_else(wrong)?;
        let part = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).map_err(|_| wrong());
        Ok(Self(part(0)?, part(2)?, part(4)?))
    }
}

impl Rgb {
    /// Whether dark text is read on it.
    #[must_use]
    pub fn is_light(self) -> bool {
        u32::from(self.0) * 299 + u32::from(self.1) * 587 + u32::from(self.2) * 114 > 128_000
    }
}

/// Which of sixteen colours stand for its own, on terminals that have no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sixteen {
    Dark,
    Light,
    Bright,
}

/// A theme.
#[derive(Debug, Clone, PartialEq)]
pub struct Theme {
    pub name: String,
    /// What it is drawn on; nothing for the terminal's own.
    pub ground: Option<Rgb>,
    /// Nothing for a theme without colours.
    pub text: Option<Rgb>,
    pub selected: Option<Rgb>,
    pub sixteen: Sixteen,
    /// By meaning: every span of a frame asks.
    tones: [Option<Rgb>; Role::COUNT],
}

/// A theme as it stands in a file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    ground: Option<Rgb>,
    text: Rgb,
    selected: Rgb,
    sixteen: Option<Sixteen>,
    roles: BTreeMap<String, Rgb>,
}

/// Roles that a theme has no colour of its own for.
fn follows(role: Role) -> Option<Role> {
    match role {
        Role::Marked => Some(Role::Accent),
        _ => None,
    }
}

/// The name of a meaning in a theme's file.
fn named(role: Role) -> String {
    format!("{role:?}").to_lowercase()
}

/// The meanings that a theme's file gives a colour.
pub fn coloured() -> impl Iterator<Item = Role> {
    Role::iter().filter(|role| !matches!(role, Role::Normal | Role::Selected) && follows(*role).is_none())
}

impl Theme {
    /// Reads a theme. The error says what is wrong, and where.
    pub fn parse(name: &str, text: &str) -> Result<Self, String> {
        let file: File = toml::from_str(text).map_err(|error| {
            let line = error.span().and_then(|span| text.get(..span.start)).map(|t| t.matches('\n').count() + 1);
            let line = line.map(|line| format!("line {line}: ")).unwrap_or_default();
            format!("{line}{}", error.message())
        })?;
        let known: Vec<String> = coloured().map(named).collect();
        if let Some(odd) = file.roles.keys().find(|key| !known.contains(key)) {
            let odd = crate::model::text::scrub(odd);
            return Err(format!("[roles] has \"{odd}\", which is no meaning; write some of {}", known.join(", ")));
        }
        let mut tones = [None; Role::COUNT];
        for (role, name) in coloured().zip(&known) {
            let tone = file.roles.get(name).ok_or_else(|| format!("[roles] has no colour for {name}; add one"))?;
            tones[role as usize] = Some(*tone);
        }
        let light = file.ground.is_some_and(Rgb::is_light);
        Ok(Self {
            name: name.to_owned(),
            ground: file.ground,
            text: Some(file.text),
            selected: Some(file.selected),
            sixteen: file.sixteen.unwrap_or(if light { Sixteen::Light } else { Sixteen::Dark }),
            tones,
        })
    }

    /// The theme without colours.
    #[must_use]
    pub fn mono() -> Self {
        let (ground, text, selected) = (None, None, None);
        Self { name: MONO.into(), ground, text, selected, sixteen: Sixteen::Dark, tones: [None; Role::COUNT] }
    }

    /// Whether it has no colours.
    #[must_use]
    pub fn is_mono(&self) -> bool {
        self.text.is_none()
    }

    /// The colour of a meaning; nothing where it looks like any text.
    #[must_use]
    pub fn tone(&self, role: Role) -> Option<Rgb> {
        self.tones[follows(role).unwrap_or(role) as usize]
    }
}

/// The themes that can be chosen.
#[derive(Debug, Clone)]
pub struct Themes(Arc<[Theme]>);

impl Default for Themes {
    fn default() -> Self {
        Self::with(Vec::new())
    }
}

impl Themes {
    /// Those that come with the program, and others; one of the same name stands in its place.
    #[must_use]
    pub fn with(own: Vec<Theme>) -> Self {
        let mut all: Vec<Theme> = SHIPPED.iter().filter_map(|(name, text)| Theme::parse(name, text).ok()).collect();
        all.push(Theme::mono());
        for theme in own {
            match all.iter_mut().find(|known| known.name == theme.name) {
                Some(known) => *known = theme,
                None => all.push(theme),
            }
        }
        Self(all.into())
    }

    /// Every theme.
    pub fn iter(&self) -> impl Iterator<Item = &Theme> {
        self.0.iter()
    }

    /// A theme by its name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&Theme> {
        self.iter().find(|theme| theme.name == name)
    }

    /// A theme by its name; the one without colours where there is none of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Theme {
        self.find(name).cloned().unwrap_or_else(Theme::mono)
    }

    /// The name of the one after another.
    #[must_use]
    pub fn after(&self, name: &str) -> &str {
        let at = self.iter().position(|theme| theme.name == name).map_or(0, |at| at + 1);
        &self.0[at % self.0.len()].name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_theme_that_is_shipped_is_read_and_gives_each_meaning_a_colour() {
        for (name, text) in SHIPPED {
            let theme = Theme::parse(name, text).unwrap_or_else(|why| panic!("{name}: {why}"));
            assert!(coloured().chain([Role::Marked]).all(|role| theme.tone(role).is_some()), "{name}");
        }
        assert_eq!(Themes::default().iter().count(), SHIPPED.len() + 1);
    }

    #[rstest::rstest]
    #[case("text = \"#fff\"", "is no colour; write one such as")]
    #[case("text = \"#12é345\"", "is no colour")]
    #[case("text = \"#ffffff\"\nselected = \"#ffffff\"\nfoo = 1\n[roles]\n", "line 3: unknown field `foo`")]
    #[case("text = \"#ffffff\"\nselected = \"#ffffff\"\n[roles]\npink = \"#ff00ff\"", "\"pink\", which is no meaning")]
    #[case("text = \"#ffffff\"\nselected = \"#ffffff\"\n[roles]\ndim = \"#ff00ff\"", "no colour for title")]
    fn a_wrong_theme_says_what_is_wrong(#[case] text: &str, #[case] part: &str) {
        let why = Theme::parse("mine", text).unwrap_err();
        assert!(why.contains(part), "{why}");
    }

    #[test]
    fn one_of_the_same_name_stands_in_the_place_of_another() {
        let mut mine = Themes::default().get("dark");
        mine.ground = Some(Rgb(1, 2, 3));
        let themes = Themes::with(vec![mine.clone()]);
        assert_eq!(themes.get("dark"), mine);
        assert_eq!((themes.after("paper"), themes.after(MONO)), (MONO, "dark"));
    }
}
