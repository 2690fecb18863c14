//! Consensus: groups that agree on a log, with leaders, locks in the order of their queues, and barriers. Live on etcd,
//! through its JSON gateway; and of any other system that publishes a document.
//!
//! etcd has no clock: an instant is when this console saw something. How long a lease lasts is a floor, as of the answer.

pub mod act;
pub mod cluster;
pub mod document;
pub mod etcd;
pub mod facts;
pub mod gateway;
pub mod invariants;
pub mod keys;
pub mod layout;
pub mod peers;
pub mod published;
pub mod rules;
pub mod space;
pub mod system;
pub mod watch;
pub mod wire;

use crate::model::observation::{Presence, Probe};

/// What people call it.
pub const NAME: &str = "Consensus";

/// What there is to be seen of a group; the same in each.
#[must_use]
pub fn probe() -> Probe {
    let parts = ["members", "lock keys", "barrier keys"];
    Probe { parts: parts.map(|part| (part, Presence::Present)).to_vec() }
}

/// What each empty table means.
pub const WHY_EMPTY: &[(&str, &str)] = &[
    ("members", "no member was listed yet"),
    ("lock keys", "no key below the prefixes of etcd.prefixes is a lock"),
    ("barrier keys", "no prefix of etcd.prefixes has a layout of barriers"),
];
