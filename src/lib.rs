//! lockkeeper: the operator's terminal for a mesh of coding agents.
//!
//! Facts flow one way (sources, mesh, app, screen), commands the other; all that decides is pure.

pub mod app;
pub mod cli;
pub mod config;
pub mod data;
pub mod demo;
pub mod oneshot;
pub mod run;
pub mod runtime;
pub mod text;
pub mod time;
pub mod ui;
