//! What is known about a mesh: the facts, the results drawn from them, and the systems they come from.

pub mod consensus;
pub mod followed;
pub mod harn;
pub mod http;
pub mod meerkat;
pub mod plain_file;
pub mod poller;
pub mod source;
pub mod sqlite;
pub mod store;
pub mod system;
pub mod tls;
pub mod vox;
pub mod work;
