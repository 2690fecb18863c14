//! Reading a database file that others own, without harm: a private copy, made by plain reads.
//!
//! Today's Vox takes a POSIX write lock on its whole file and fails to start where another engine
//! has it open, so the original is never opened as a database here and never locked. How a copy is
//! known not to be torn is told in [`copy`].

pub mod copy;
pub mod fingerprint;
pub mod gate;
pub mod log;
