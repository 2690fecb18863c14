//! Rules of consensus groups alone.

use crate::model::stated::SystemRule;

/// Every rule of consensus groups.
pub const RULES: &[SystemRule] = &[
    SystemRule { name: "no-quorum", summary: "no voter that answers names a leader" },
    SystemRule { name: "two-leaders", summary: "two members call themselves leader in one term" },
    SystemRule { name: "member-back", summary: "term or revision of a member went back" },
    SystemRule { name: "member-alarm", summary: "a member raised an alarm" },
    SystemRule { name: "member-silent", summary: "a member does not answer" },
    SystemRule { name: "member-torn", summary: "positions of a member's log contradict each other" },
    SystemRule { name: "log-torn", summary: "one index and term is two entries" },
    SystemRule { name: "fence-torn", summary: "a fence went back, or has two holders" },
    SystemRule { name: "lock-past-lease", summary: "a lock is held past its lease" },
    SystemRule { name: "barrier-late", summary: "a barrier waits past its time" },
    SystemRule { name: "barrier-stuck", summary: "a barrier is complete and still waits" },
    SystemRule { name: "barrier-odd", summary: "a barrier counts what cannot be" },
    SystemRule { name: "proposal-stuck", summary: "a proposal stays pending" },
    SystemRule { name: "limit-near", summary: "a limit is near or reached" },
    SystemRule { name: "document-stale", summary: "a published document is old" },
    SystemRule { name: "document-back", summary: "the writer of a document went back" },
    SystemRule { name: "member-behind", summary: "a member is behind the others" },
    SystemRule { name: "elections-often", summary: "leaders change often" },
    SystemRule { name: "lease-unrenewed", summary: "the lease of a holder runs out and is not renewed" },
    SystemRule { name: "key-endless", summary: "a key on a lock's prefix has no lease: it is held for ever" },
    SystemRule { name: "store-sparse", summary: "less than half of a member's store is in use" },
    SystemRule { name: "voters-even", summary: "an even number of voters" },
    SystemRule { name: "versions-differ", summary: "members are of different versions" },
];
