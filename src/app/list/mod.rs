//! What the tables show: columns as data, one file a list. How they are drawn is the screen's business.

mod column;
pub mod events;
pub mod findings;
pub mod journal;
pub mod locks;
pub mod messages;
pub mod nodes;
pub mod oplog;
mod rows;
pub mod tasks;
pub mod waits;

pub use self::column::{Cell, Column, ColumnInfo, Head, List, Sort};
pub use self::rows::{BESIDE, Items, MESH, Rows};
