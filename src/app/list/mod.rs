//! What the tables show: the rows of each part of a snapshot, one file a list. Columns are in `columns`.

pub mod agents;
mod column;
pub mod events;
pub mod findings;
pub mod groups;
pub mod journal;
pub mod locks;
pub mod messages;
pub mod nodes;
pub mod oplog;
mod rows;
pub mod tasks;
pub mod waits;

pub use self::column::{ColumnInfo, Head, List};
pub use self::rows::{BESIDE, Items, MESH, Rows};
