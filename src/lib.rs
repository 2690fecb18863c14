//! lockkeeper: the operator's terminal for a mesh of coding agents.
//!
//! Facts flow one way (sources, mesh, app, screen), commands the other; all that decides is pure.

#![warn(clippy::unwrap_used)]

pub mod app;
pub mod cli;
pub mod clock;
pub mod config;
pub mod configured;
pub mod data;
pub mod demo;
pub mod oneshot;
pub mod operate;
pub mod quiet;
pub mod run;
pub mod runtime;
#[cfg(test)]
mod testing;
pub mod text;
pub mod time;
pub mod ui;
