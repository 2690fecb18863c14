//! A third system, brought from outside.

#[path = "../support/mod.rs"]
mod support;
mod third;
