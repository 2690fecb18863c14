//! What the wall is to show, and where it is.

use std::time::Duration;

use super::view_id::ViewId;
use super::views::VIEWS;
use crate::app::workspace::Key;
use crate::model::time::Millis;

/// What is on the wall.
#[derive(Debug, Clone)]
pub struct Wall {
    /// How long each view stays.
    pub stay: Duration,
    pub views: Vec<ViewId>,
    /// From when to when it is dimmed, in minutes of the local day.
    pub night: Option<(u16, u16)>,
}

/// Where the wall is.
#[derive(Debug, Clone, Default)]
pub struct WallPosition {
    /// When the view that is shown came.
    pub(super) since_ms: Millis,
    pub(super) place: usize,
    /// Held because of this finding.
    pub(super) held: Option<Key>,
    /// When Ctrl-C was pressed.
    pub(super) leaving_ms: Option<Millis>,
}

/// Views by the names that people write, in the order of their words.
pub fn views(names: &[String]) -> Result<Vec<ViewId>, String> {
    let named = |name: &String| {
        let found = VIEWS.iter().find(|view| view.title.eq_ignore_ascii_case(name.trim()));
        found.map(|view| view.id).ok_or_else(|| {
            let all: Vec<String> = VIEWS.iter().map(|view| view.title.to_lowercase()).collect();
            format!("there is no view \"{}\"; write some of {}", crate::model::text::scrub(name), all.join(", "))
        })
    };
    names.iter().map(named).collect()
}

/// A time of night such as `22:00-06:00`, in minutes of the day.
pub fn night(text: &str) -> Option<(u16, u16)> {
    let minute = |text: &str| {
        let (hour, minute) = text.trim().split_once(':')?;
        let (hour, minute): (u16, u16) = (hour.parse().ok()?, minute.parse().ok()?);
        (hour < 24 && minute < 60).then_some(hour * 60 + minute)
    };
    let (from, to) = text.split_once('-')?;
    Some((minute(from)?, minute(to)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nights_and_views_are_read() {
        assert_eq!(night("22:00-06:00"), Some((22 * 60, 6 * 60)));
        for odd in ["", "22-6", "24:00-06:00", "a:b-c:d", "22:00"] {
            assert_eq!(night(odd), None, "{odd}");
        }
        let names = |names: &[&str]| views(&names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
        assert_eq!(names(&["locks", "Op-log"]), Ok(vec![ViewId::Locks, ViewId::Oplog]));
        assert!(names(&["lokcs"]).unwrap_err().contains("overview, nodes, locks"));
    }
}
