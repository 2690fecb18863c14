//! The seam for writing: an executor carries out actions on one place. A process that may not write has none.

use std::future::Future;
use std::pin::Pin;

use crate::model::action::{Action, Answer, Question};
use crate::model::outcome::Outcome;
use crate::model::time::Millis;

/// A boxed future, as an executor returns it.
pub type Working<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// One action, and who wants it.
#[derive(Debug, Clone)]
pub struct ActionRequest {
    /// Names the attempt in the journal and in the op-log.
    pub id: String,
    pub action: Action,
    pub operator: String,
    pub reason: String,
    /// The console's clock.
    pub at_ms: Millis,
}

/// What carries out actions on one place.
pub trait Executor: Send {
    /// Carries one out: checks its guard, writes, and reads back.
    fn execute<'a>(&'a mut self, request: &'a ActionRequest) -> Working<'a, Outcome>;

    /// Writes the op-log's entry of an action that was done elsewhere; does nothing if it is there.
    /// Answers whether the op-log has it now, or why not.
    fn record<'a>(&'a mut self, request: &'a ActionRequest) -> Working<'a, Result<(), String>>;

    /// What a plan needs to know beforehand: asking changes nothing.
    fn ask<'a>(&'a mut self, _: &'a Question) -> Working<'a, Answer> {
        Box::pin(std::future::ready(Answer::Unknown("nothing tells it there".into())))
    }

    /// Whether an attempt whose end is not known took effect.
    fn was_applied<'a>(&'a mut self, request: &'a ActionRequest) -> Working<'a, Resolution>;
}

/// What became of an attempt whose end was not known. Each comes with how things stand now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resolution {
    /// There is proof that this attempt did it.
    Applied { audited: bool, now: String },
    /// Things are as they were before it.
    NotApplied(String),
    /// Things are otherwise than before it, and nothing proves that this attempt did that.
    Undecidable(String),
    /// The place did not answer.
    Unreachable(String),
}

/// What a process was started for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To watch: the wall, lines, a snapshot, a check, a dry run.
    Watch,
    /// To act, when the operator says so.
    Act,
}

/// The right to write to what is watched and to the journal. Whatever writes there is made with it, and it is decided
/// once, before anything starts.
#[derive(Debug, Clone, Copy)]
pub struct WriteAccess(());

impl WriteAccess {
    /// The right to write, if this process was started to act and is not read-only.
    #[must_use]
    pub fn decide(purpose: Purpose, read_only: bool) -> Option<Self> {
        (purpose == Purpose::Act && !read_only).then_some(Self(()))
    }
}
