//! The seam for writing: a hand carries out actions on one place. A console that may not write has no hands.

use std::future::Future;
use std::pin::Pin;

use super::outcome::Outcome;
use super::{Action, Kind};
use crate::time::Millis;

/// A boxed future, as a hand's work returns it.
pub type Working<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// One action, and who wants it.
#[derive(Debug, Clone)]
pub struct Order {
    /// Names the attempt in the journal and in the op-log.
    pub id: String,
    pub action: Action,
    pub operator: String,
    pub reason: String,
    /// The console's clock.
    pub at_ms: Millis,
}

/// What carries out actions on one place.
pub trait Hand: Send {
    /// Carries one out: checks its guard, writes, and reads back.
    fn execute<'a>(&'a mut self, order: &'a Order) -> Working<'a, Outcome>;

    /// Writes the op-log's entry of an action that was done elsewhere; does nothing if it is there.
    /// Answers whether the op-log has it now, or why not.
    fn record<'a>(&'a mut self, order: &'a Order) -> Working<'a, Result<(), String>>;

    /// Whether an attempt that was cut off took effect; nothing where nobody can tell.
    fn recall<'a>(&'a mut self, order: &'a Order) -> Working<'a, Option<bool>>;
}

/// Whether this console may write. Hands are made only with it, so read-only holds at the lowest layer.
#[derive(Debug, Clone, Copy)]
pub struct WriteAccess(());

impl WriteAccess {
    /// The right to write, unless the console is read-only.
    #[must_use]
    pub fn unless(read_only: bool) -> Option<Self> {
        (!read_only).then_some(Self(()))
    }
}

/// What a place lets an operator do.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Abilities {
    pub kinds: &'static [Kind],
    /// Whether it keeps an op-log that entries can be added to.
    pub records: bool,
}
