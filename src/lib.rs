//! lockkeeper: the operator's terminal for a mesh of coding agents.
//!
//! Facts flow one way (sources, mesh, app, screen), commands the other; all that decides is pure.

#![warn(clippy::unwrap_used)]

pub mod action;
pub mod answers;
pub mod app;
pub mod clock;
pub mod columns;
pub mod commands;
pub mod config;
pub mod data;
pub mod demo;
pub mod mesh;
pub mod model;
pub mod os;
pub mod panic_guard;
pub mod recording;
pub mod runtime;
pub mod serve;
pub mod settings;
pub mod systems;
#[cfg(test)]
mod testing;
pub mod ui;
