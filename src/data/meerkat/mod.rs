//! Meerkat mobs: realms on disk, each with the processes that serve it, its mobs, and a graph of work items.
//!
//! Files are read-only, and none is made. Secrets are never selected, transcripts never opened. The RPC of a process is asked
//! for what files do not tell, and everything that is done is done through it.

pub mod act;
pub mod event;
pub mod lease;
pub mod mob;
pub mod mob_file;
mod mob_rows;
pub mod mobs;
pub mod processes;
pub mod realm;
pub mod realms;
pub mod rows;
pub mod rpc;
pub mod rules;
pub mod run;
pub mod shared;
pub mod system;
pub mod work;
pub mod workgraph;

use crate::model::observation::ClockSample;
use crate::model::time::{Millis, plausible};

/// What people call it.
pub const NAME: &str = "Meerkat";

/// What each empty table means to Meerkat.
pub const WHY_EMPTY: &[(&str, &str)] = &[
    ("processes", "no process serves the realm"),
    ("mobs", "the realm has no mob"),
    ("work items", "the agents have made no work item"),
];

/// Why nothing can be done through files.
pub const CANNOT: &str = "Meerkat's files are only read: connect a process that serves the realm (--meerkat-rpc)";

/// What becomes of members once the process that served them is dead.
const MEMBER_IF_DEAD: &str = "the next process that serves the realm resumes them as they are; a stopped mob stays stopped. \
                              Start rkat-rpc with this realm and state root";

/// The same of a flow's run.
const RUN_IF_DEAD: &str = "it becomes canceled (execution_custody_lost) once a process serves the realm again; start the flow \
                           again then";

/// The same of a work item.
const ITEM_IF_DEAD: &str = "it stays as it is: whoever holds its claim goes on once a process serves the realm again, or \
                            another agent claims it past its lease";

/// The clock of this machine: realms are served and watched on one machine.
fn its_clock() -> ClockSample {
    ClockSample { offset_ms: crate::clock::set_ahead(), uncertainty_ms: 1 }
}

/// An instant as Meerkat writes it: RFC 3339, with up to nine digits of a second.
#[must_use]
pub fn instant(text: &str) -> Option<Millis> {
    let at = chrono::DateTime::parse_from_rfc3339(text).ok()?.timestamp_millis();
    plausible(at).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::instant;

    #[test]
    fn instants_are_read_with_any_fraction() {
        assert_eq!(instant("2026-11-25T22:44:28.609757357Z"), Some(1_795_646_668_609));
        assert_eq!(instant("2026-11-25T22:44:28.609757+00:00"), Some(1_795_646_668_609));
        for odd in ["", "soon", "2026-11-25", "0001-01-01T00:00:00Z"] {
            assert_eq!(instant(odd), None, "{odd}");
        }
    }
}
