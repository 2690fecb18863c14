//! Commands that poll once and print.

pub mod act;
pub mod answer;
pub mod ask;
pub mod check;
pub mod cli;
pub mod doctor;
pub mod end;
pub mod flags;
pub mod format;
pub mod json;
pub mod load;
pub mod observe;
pub mod recorded;
pub mod recording_args;
pub mod run;
pub mod table;
pub mod version;
