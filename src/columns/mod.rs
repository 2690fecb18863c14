//! What a row of each part has: a column's name, type, place on the screen and value, once. The screen, the tables of
//! `snapshot` and its JSON with its schema are made from the same columns.

mod agents;
mod cell;
mod column;
pub mod document;
mod events;
mod findings;
mod groups;
mod journal;
mod leases;
mod locks;
mod messages;
mod nodes;
mod oplog;
mod part;
mod queues;
pub mod role;
mod row;
pub mod schema;
mod sources;
mod tasks;
mod value;
mod waits;

pub use self::agents::AGENTS;
pub use self::cell::Cell;
pub use self::column::{Column, Columns, Screen};
pub use self::events::EVENTS;
pub use self::findings::FINDINGS;
pub use self::groups::GROUPS;
pub use self::journal::JOURNAL;
pub use self::leases::{LEADERS, LEASES};
pub use self::locks::LOCKS;
pub use self::messages::MESSAGES;
pub use self::nodes::NODES;
pub use self::oplog::OPLOG;
pub use self::part::{PARTS, Part};
pub use self::queues::QUEUES;
pub use self::sources::{SOURCES, SourceRow};
pub use self::tasks::TASKS;
pub use self::value::{Kind, Sort, Value};
pub use self::waits::WAITS;
