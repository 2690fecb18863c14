//! What an earlier attempt left, and the places that it was made at: some do not answer, some answer nonsense.

use crate::support;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use lockkeeper::action::executor::{ActionRequest, Executor, Purpose, Resolution, Working, WriteAccess};
use lockkeeper::action::run::journal::JournalFile;
use lockkeeper::action::run::{Operator, Recovered, Stop};
use lockkeeper::model::action::{Action, LeaseGuard};
use lockkeeper::model::journal::{Entry, Open};
use lockkeeper::model::outcome::{Outcome, OutcomeKind};
use lockkeeper::model::source::Identity;
use lockkeeper::model::text::Text;
use lockkeeper::model::time::{MINUTE, Millis};
use support::one_step;

const NOW: Millis = 1_795_237_725_000;

fn now() -> Millis {
    NOW
}

fn an_hour_ago() -> Millis {
    NOW - 60 * MINUTE
}

/// What a place does when it is asked.
#[derive(Clone, Copy)]
enum Does {
    Panics,
    Nothing,
    Answers,
    /// Its end is not known.
    Loses,
}

struct Place {
    does: Does,
    asked: Arc<AtomicUsize>,
}

impl Executor for Place {
    fn execute<'a>(&'a mut self, _: &'a ActionRequest) -> Working<'a, Outcome> {
        Box::pin(async {
            match self.does {
                Does::Answers => Outcome::done("it is done"),
                _ => Outcome::unknown("the answer was lost"),
            }
        })
    }

    fn record<'a>(&'a mut self, _: &'a ActionRequest) -> Working<'a, Result<(), String>> {
        Box::pin(std::future::ready(Err("it keeps no op-log".into())))
    }

    fn was_applied<'a>(&'a mut self, _: &'a ActionRequest) -> Working<'a, Resolution> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        Box::pin(async {
            match self.does {
                Does::Panics => panic!("an answer that is no text"),
                Does::Answers => Resolution::Applied { audited: false, now: "it is so".into() },
                Does::Nothing | Does::Loses => Resolution::Unreachable("no answer".into()),
            }
        })
    }
}

/// A console with one place, and how often that was asked what became of an attempt.
fn console(journal: &Path, does: Does, clock: fn() -> Millis) -> (Operator, Arc<AtomicUsize>) {
    let identity = Identity {
        system: "Harn",
        name: "db".into(),
        kind: "lock directories",
        place: "/there".into(),
        how: "",
        provides: &[],
        rules: &[],
        why_empty: &[],
        can: lockkeeper::model::action::Abilities::default(),
        cannot: None,
    };
    let asked = Arc::new(AtomicUsize::new(0));
    let place: Box<dyn Executor> = Box::new(Place { does, asked: asked.clone() });
    let executors: Vec<(Text, Box<dyn Executor>)> = vec![("db".into(), place)];
    let access = WriteAccess::decide(Purpose::Act, false).unwrap();
    let journal = JournalFile::new(journal.to_owned());
    (Operator::new(executors, &[identity], journal, access, "ada".into(), "m".into(), clock), asked)
}

async fn act(console: &mut Operator) -> OutcomeKind {
    let lease = LeaseGuard { lease_id: "1".into(), scope_key: "task:7".into(), holder_node: "n".into() };
    let plan = one_step(Action::Revoke { lease });
    console.run(&plan, "", &Stop::default(), |_| {}).await[0].kind
}

fn entries(journal: &Path) -> Vec<Entry> {
    JournalFile::new(journal.to_owned()).entries().unwrap().0
}

/// A3: an answer that the library of a place dies of is an answer that did not come.
#[tokio::test]
async fn a3_an_answer_that_panics_while_an_attempt_is_looked_into_ends_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let journal = folder.path().join("journal.jsonl");
    let (mut first, _) = console(&journal, Does::Loses, an_hour_ago);
    assert_eq!(act(&mut first).await, OutcomeKind::Unknown);
    let (mut later, asked) = console(&journal, Does::Panics, now);
    assert_eq!(later.recover().await, Recovered { resolved: 0, open: 1 });
    // The next plan runs as any other.
    assert_eq!(act(&mut later).await, OutcomeKind::Unknown);
    assert_eq!(asked.load(Ordering::Relaxed), 2);
    let open = entries(&journal).iter().filter(|entry| entry.open(NOW + 2 * MINUTE) == Some(Open::Unknown)).count();
    assert_eq!(open, 2);
}

/// B4: a place that does not answer costs one time-out, however much is open there.
#[tokio::test]
async fn b4_a_place_that_does_not_answer_is_asked_once() {
    let folder = tempfile::tempdir().unwrap();
    let journal = folder.path().join("journal.jsonl");
    for _ in 0..4 {
        let (mut one, _) = console(&journal, Does::Loses, an_hour_ago);
        act(&mut one).await;
    }
    let (mut later, asked) = console(&journal, Does::Nothing, now);
    assert_eq!(later.recover().await, Recovered { resolved: 0, open: 4 });
    assert_eq!(asked.load(Ordering::Relaxed), 1);
}

/// D4: where a system keeps no op-log the journal is the audit: nothing waits for an entry, and what was interrupted
/// later is taken up all the same.
#[tokio::test]
async fn d4_without_an_op_log_the_journal_is_the_audit() {
    let folder = tempfile::tempdir().unwrap();
    let journal = folder.path().join("journal.jsonl");
    let (mut well, _) = console(&journal, Does::Answers, an_hour_ago);
    assert_eq!(act(&mut well).await, OutcomeKind::Done);
    let done = &entries(&journal)[0];
    assert!(done.journal_only && !done.lacks_audit() && done.open(NOW).is_none(), "{done:?}");
    let (mut interrupted, _) = console(&journal, Does::Loses, an_hour_ago);
    assert_eq!(act(&mut interrupted).await, OutcomeKind::Unknown);
    let (mut later, _) = console(&journal, Does::Answers, now);
    assert_eq!(later.recover().await, Recovered { resolved: 1, open: 0 });
    let all = entries(&journal);
    assert!(all.iter().all(|entry| entry.kind == Some(OutcomeKind::Done) && entry.open(NOW).is_none()), "{all:?}");
}
