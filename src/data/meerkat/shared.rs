//! What the sources of one realm know of each other: who serves it, and who its members are.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::model::text::Text;
use crate::model::time::{MINUTE, Millis};

/// What is at work and does not move for so long, as this console sees it, hangs; unless the settings say otherwise.
pub const STILL: Millis = 5 * MINUTE;

/// What is known of a realm.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RealmFacts {
    /// Processes with a lease, and whether each is fresh; nothing before leases were read.
    pub processes: Option<Vec<(Text, bool)>>,
    /// Some lease tells nothing: nobody can say that no process serves the realm.
    pub is_unsure: bool,
    /// Active members of every mob; nothing before all of their events were read.
    pub members: Option<Arc<[Text]>>,
    /// The seats of each mob whose file was read, for whoever acts on a member.
    pub seats: Option<Arc<BTreeMap<Text, MobSeats>>>,
}

/// The active members of a mob, as its events tell them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct MobSeats {
    /// The last event that was read.
    pub last: i64,
    /// Generation and fence token of each, by identity.
    pub seats: BTreeMap<Text, (i64, Option<i64>)>,
}

impl RealmFacts {
    /// The one process that serves the realm, or served it last; of several nobody can say which.
    #[must_use]
    pub fn server(&self) -> Option<&Text> {
        let all = self.processes.as_deref()?;
        let live: Vec<&Text> = all.iter().filter(|(_, live)| *live).map(|(name, _)| name).collect();
        match (live.as_slice(), all) {
            ([only], _) => Some(only),
            ([], [(only, _)]) if !self.is_unsure => Some(only),
            _ => None,
        }
    }

    /// Whether a process serves the realm; nothing where that is not known.
    #[must_use]
    pub fn is_served(&self) -> Option<bool> {
        let live = self.processes.as_ref()?.iter().any(|(_, live)| *live);
        (live || !self.is_unsure).then_some(live)
    }

    /// Whether nobody serves the realm.
    #[must_use]
    pub fn is_unserved(&self) -> bool {
        self.is_served() == Some(false)
    }
}

/// The same, shared by the sources of one realm.
#[derive(Debug, Clone, Default)]
pub struct Shared(Arc<Mutex<RealmFacts>>);

impl Shared {
    /// What is known now.
    #[must_use]
    pub fn facts(&self) -> RealmFacts {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Adds what a source found.
    pub fn update(&self, change: impl FnOnce(&mut RealmFacts)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// A member as everybody calls it: two mobs may have members of one name.
#[must_use]
pub fn member(mob: &str, identity: &str) -> Text {
    format!("{mob}/{identity}").into()
}

/// Whether an instant lies at least so far back.
#[must_use]
pub fn is_past(at: Option<Millis>, span: Millis, now_ms: Millis) -> bool {
    at.is_some_and(|at| now_ms.saturating_sub(at) >= span)
}
