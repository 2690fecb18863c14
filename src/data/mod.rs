//! What is known about a mesh: the facts, the judgements drawn from them, and the systems they come from.

pub mod action;
pub mod alarm;
pub mod derive;
pub mod harn;
pub mod mesh;
pub mod model;
pub mod observation;
pub mod poller;
pub mod shelf;
pub mod source;
pub mod sqlite;
pub mod systems;
pub mod vox;
pub mod work;
