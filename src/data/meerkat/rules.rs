//! Meerkat's own rules.

use crate::model::stated::SystemRule;

/// Every rule of Meerkat alone.
pub const RULES: &[SystemRule] = &[
    SystemRule { name: "realm-twice", summary: "two live processes serve one realm" },
    SystemRule { name: "seat-twice", summary: "one member was spawned twice with one fence token" },
    SystemRule { name: "mob-failed", summary: "the actor of a mob has died" },
    SystemRule { name: "mob-escalated", summary: "a supervisor escalation retired members" },
    SystemRule { name: "topology-violated", summary: "a message was sent against the mob's topology" },
    SystemRule { name: "flow-failed", summary: "a flow failed" },
    SystemRule { name: "run-unserved", summary: "a run is open and no process serves the realm" },
    SystemRule { name: "run-still", summary: "a run is open and does not move" },
    SystemRule { name: "member-broken", summary: "a member is broken" },
    SystemRule { name: "member-still", summary: "a member's run is open and makes no progress" },
    SystemRule { name: "kickoff-failed", summary: "a member could not be started" },
    SystemRule { name: "kickoff-slow", summary: "a member has been starting for long" },
    SystemRule { name: "retirement-stuck", summary: "a member has been retiring for long" },
    SystemRule { name: "stop-stuck", summary: "a mob was told to stop and has not" },
    SystemRule { name: "claim-unowned", summary: "a work item is claimed by an agent that is no member" },
    SystemRule { name: "claim-endless", summary: "a claim without an end is older than a day" },
    SystemRule { name: "schema-unknown", summary: "events have a version that is not known" },
];
