//! Actions on Vox: guarded writes to a database, and calls to a control plane.

pub mod audit;
pub mod control_plane;
pub mod database;
pub mod error;
pub mod file;
pub mod holders;
pub mod sql;
pub mod target;

use crate::model::action::Abilities;
use crate::model::action::Kind;

/// What can be done to a database.
pub const DATABASE: Abilities = Abilities {
    kinds: &[Kind::Release, Kind::Restore, Kind::Reroute, Kind::Unclaim, Kind::Acknowledge, Kind::Send],
    records: true,
};

/// What can be done through a control plane.
pub const CONTROL_PLANE: Abilities = Abilities {
    kinds: &[Kind::Deliver, Kind::Retire, Kind::Acknowledge, Kind::Send, Kind::Revoke, Kind::Drain, Kind::Quarantine],
    records: false,
};
