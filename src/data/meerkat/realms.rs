//! The realms whose files are watched, for whoever acts on one of them through a server.

use std::path::{Path, PathBuf};

use super::realm::Realm;
use super::shared::{RealmFacts, Shared};
use crate::data::system::real;
use crate::model::text::Text;

/// Realms, and what is known of each.
#[derive(Debug, Clone, Default)]
pub struct Realms(Vec<(Text, PathBuf, Shared)>);

impl Realms {
    /// Adds a realm.
    pub fn add(&mut self, realm: &Realm, shared: Shared) {
        self.0.push((Text::new(&realm.name), realm.root.clone(), shared));
    }

    /// What is known of the realm of a name; where several have it, of the one in that folder.
    #[must_use]
    pub fn of(&self, name: &Text, state_root: &str) -> Option<RealmFacts> {
        let named: Vec<_> = self.0.iter().filter(|(of, ..)| of == name).collect();
        match named.as_slice() {
            [(_, _, shared)] => Some(shared.facts()),
            several => {
                let folder = real(Path::new(state_root));
                several.iter().find(|(_, root, _)| *root == folder).map(|(_, _, shared)| shared.facts())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_two_realms_of_one_name_the_folder_decides() {
        let realm = |root: &str| Realm { name: "team".into(), root: root.into() };
        let (one, other) = (Shared::default(), Shared::default());
        other.update(|facts| facts.is_unsure = true);
        let mut realms = Realms::default();
        realms.add(&realm("/srv/a/team"), one);
        assert!(realms.of(&"team".into(), "/elsewhere").is_some(), "there is one of that name");
        realms.add(&realm("/srv/b/team"), other);
        assert!(realms.of(&"team".into(), "/srv/b/team").unwrap().is_unsure);
        assert!(realms.of(&"team".into(), "/elsewhere").is_none() && realms.of(&"x".into(), "").is_none());
    }
}
