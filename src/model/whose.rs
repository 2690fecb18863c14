//! Which mesh a line of the history is of. Where a mesh lies distinguishes it from others; its name is for people, and two may
//! have the same.

use super::event::Event;
use crate::model::source::Identity;

/// A mesh, as the history distinguishes it from others.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Whose {
    pub mesh: String,
    /// The databases and files that it lies in, else its control planes.
    pub place: String,
}

impl Whose {
    /// A mesh of these sources.
    pub fn of<'a>(mesh: &str, identities: impl Iterator<Item = &'a Identity> + Clone) -> Self {
        let places = |keeps: bool| {
            let of_kind = identities.clone().filter(|one| (one.kind != "control plane") == keeps);
            let mut places: Vec<&str> = of_kind.map(|one| one.place.raw()).collect();
            places.sort_unstable();
            places.dedup();
            places.join(" ")
        };
        let place = Some(places(true)).filter(|place| !place.is_empty()).unwrap_or_else(|| places(false));
        Self { mesh: mesh.to_owned(), place }
    }

    /// Whether an event is of this mesh. Lines of earlier versions say no place: of those the name decides.
    #[must_use]
    pub fn is(&self, event: &Event) -> bool {
        if event.place.is_empty() { event.mesh == self.mesh } else { event.place == self.place }
    }
}
