//! Carries plans out, step by step: the journal first, then the executor, then the journal again and the op-log.

pub mod commands;
pub mod history;
pub mod journal;
pub mod lines;

use std::collections::{BTreeMap, HashMap};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::FutureExt;

use self::journal::{JournalFile, Stamp, host};
use crate::action::executor::{ActionRequest, Executor, Resolution, WriteAccess};
use crate::action::plan::{Plan, Step, ToAsk};
use crate::model::action::{Action, Answer};
use crate::model::journal::{ABANDONED, Entry, Event, Line, Open, Process, SCHEMA};
use crate::model::outcome::{Outcome, OutcomeKind, Progress};
use crate::model::source::Identity;
use crate::model::text::Text;
use crate::model::time::{MINUTE, Millis};

/// After so long nobody waits for a command any more.
const DAY: Millis = 24 * 60 * MINUTE;

/// Tells a running plan to stop before its next step.
pub type Stop = Arc<AtomicBool>;

/// Who acts, and with what. It is made only for a console that may write, and writes only when it is told to: what an
/// earlier attempt left is looked into after a plan ran at the same place, or when the operator asks for it.
pub struct Operator {
    executors: Vec<(Text, Box<dyn Executor>)>,
    /// Of each place: the one whose op-log takes entries of what was done there, of the same system.
    recorders: HashMap<Text, Text>,
    /// Where each place is.
    places: Vec<(Text, Text)>,
    journal: JournalFile,
    access: WriteAccess,
    /// The journal as it was when nothing of this mesh was open in it.
    clean: Option<Stamp>,
    /// An outcome could not be written.
    torn: bool,
    host: String,
    name: String,
    mesh: String,
    clock: fn() -> Millis,
}

/// What became of the attempts that were open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Recovered {
    /// Attempts that are resolved now.
    pub resolved: usize,
    /// Attempts that are still open: their places do not answer, or it is too early to tell.
    pub open: usize,
}

impl Operator {
    /// An operator of a mesh.
    #[must_use]
    pub fn new(
        executors: Vec<(Text, Box<dyn Executor>)>,
        identities: &[Identity],
        journal: JournalFile,
        access: WriteAccess,
        name: String,
        mesh: String,
        clock: fn() -> Millis,
    ) -> Self {
        let recorder = |i: &Identity| -> Option<Text> {
            let keeps = |other: &&Identity| other.can.records && other.system == i.system;
            if i.can.records {
                Some(i.name.clone())
            } else {
                identities.iter().find(keeps).map(|other| other.name.clone())
            }
        };
        let recorders = identities.iter().filter_map(|i| Some((i.name.clone(), recorder(i)?))).collect();
        let places = identities.iter().map(|i| (i.name.clone(), i.place.clone())).collect();
        Self {
            executors,
            recorders,
            places,
            journal,
            access,
            clean: None,
            torn: false,
            host: host(),
            name,
            mesh,
            clock,
        }
    }

    /// Runs a plan to its end, or until it is stopped. A step that failed does not keep those that do not need it.
    pub async fn run(
        &mut self,
        plan: &Plan,
        reason: &str,
        stop: &Stop,
        mut on_progress: impl FnMut(Progress),
    ) -> Vec<Outcome> {
        let plan_id = new_id((self.clock)());
        let was_clean = self.clean == Some(self.journal.stamp());
        let mut outcomes: Vec<Outcome> = Vec::with_capacity(plan.steps.len());
        for (index, step) in plan.steps.iter().enumerate() {
            let needed = step.after.and_then(|at| outcomes.get(at));
            let outcome = if stop.load(Ordering::Relaxed) {
                Outcome::skipped("the operator stopped before it")
            } else if needed.is_some_and(|outcome| !outcome.kind.is_so()) {
                Outcome::skipped("the step that it needs was not done")
            } else {
                on_progress(Progress::Started(index));
                self.step(step, &plan_id, reason).await
            };
            on_progress(Progress::Ended(index, outcome.clone()));
            outcomes.push(outcome);
        }
        on_progress(Progress::Finished);
        // Where nothing was open before, only this run can have left something, and its outcomes tell.
        let over = |o: &Outcome| match o.kind {
            OutcomeKind::Unknown => false,
            OutcomeKind::Done => o.audited || o.journal_only,
            _ => true,
        };
        if was_clean && !self.torn && outcomes.iter().all(over) {
            self.clean = Some(self.journal.stamp());
            return outcomes;
        }
        let here: Vec<&Text> = plan.steps.iter().map(|step| &step.source).collect();
        self.recover_at(|source| here.contains(&source), &plan_id).await;
        outcomes
    }

    /// Looks into every open attempt of this mesh: what became of it, and the op-log entry that it lacks.
    pub async fn recover(&mut self) -> Recovered {
        self.recover_at(|_| true, "").await
    }

    fn place_of(&self, source: &Text) -> String {
        let place = self.places.iter().find(|(name, _)| name == source);
        place.map(|(_, place)| place.raw().to_owned()).unwrap_or_default()
    }

    /// The place that an attempt was made at, as it is called now: names of sources are short, and may move.
    fn source_of(&self, entry: &Entry) -> Option<Text> {
        let there = self.places.iter().filter(|(_, place)| place.raw() == entry.place);
        let named = there.clone().find(|(name, _)| *name == *entry.source.as_str());
        named.or_else(|| there.clone().next()).map(|(name, _)| name.clone())
    }

    async fn step(&mut self, step: &Step, plan_id: &str, reason: &str) -> Outcome {
        let at_ms = (self.clock)();
        let request = ActionRequest {
            id: new_id(at_ms),
            action: step.action.clone(),
            operator: self.name.clone(),
            reason: reason.to_owned(),
            at_ms,
        };
        let intent = Event::Intent {
            mesh: self.mesh.clone(),
            source: step.source.raw().to_owned(),
            place: self.place_of(&step.source),
            process: Process { host: self.host.clone(), pid: std::process::id() },
            operator: request.operator.clone(),
            reason: request.reason.clone(),
            action: step.action.clone(),
        };
        if let Err(error) = self.write(&request.id, plan_id, intent).await {
            let path = self.journal.path().display();
            return Outcome::failed(format!("nothing was done, because the journal {path} cannot be written: {error}"));
        }
        let mut outcome = self.execute(&step.source, &request).await;
        outcome.journal_only = !self.recorders.contains_key(&step.source);
        if outcome.kind == OutcomeKind::Done && !outcome.audited {
            outcome.audited = self.record(&step.source, &request).await;
        }
        if let Err(error) = self.write(&request.id, plan_id, ended(&outcome)).await {
            self.torn = true;
            outcome.summary = format!("{}; the journal could not take the outcome: {error}", outcome.summary).into();
        }
        outcome
    }

    async fn execute(&mut self, source: &Text, request: &ActionRequest) -> Outcome {
        let Some(executor) = self.executor(source) else {
            return Outcome::read_only(format!("this console may not write to {source}"));
        };
        // A client library that panics on a malformed answer has sent its request.
        match AssertUnwindSafe(executor.execute(request)).catch_unwind().await {
            Ok(outcome) => outcome,
            Err(_panic) => Outcome::unknown("the answer could not be understood at all: it may have been done"),
        }
    }

    fn executor(&mut self, source: &Text) -> Option<&mut Box<dyn Executor>> {
        self.executors.iter_mut().find(|(name, _)| name == source).map(|(_, executor)| executor)
    }

    /// Adds the op-log's entry, at the place itself or at the first of its system that keeps an op-log.
    async fn record(&mut self, source: &Text, request: &ActionRequest) -> bool {
        let Some(place) = self.recorders.get(source).cloned() else { return false };
        let Some(executor) = self.executor(&place) else { return false };
        match AssertUnwindSafe(executor.record(request)).catch_unwind().await {
            Ok(Ok(())) => true,
            Ok(Err(why)) => {
                tracing::warn!(why, "the op-log has no entry yet");
                false
            }
            Err(_panic) => false,
        }
    }

    /// What places answer, by the keys of what they were asked about.
    pub async fn ask(&mut self, questions: &[ToAsk]) -> BTreeMap<String, Answer> {
        let mut answers = BTreeMap::new();
        for (source, key, question) in questions {
            let asked = match self.executor(source) {
                Some(executor) => AssertUnwindSafe(executor.ask(question)).catch_unwind().await,
                None => Ok(Answer::Unknown(format!("this console may not write to {source}"))),
            };
            let unreadable = |_| Answer::Unknown("the answer could not be understood at all".into());
            answers.insert(key.clone(), asked.unwrap_or_else(unreadable));
        }
        answers
    }

    async fn was_applied(&mut self, source: &Text, request: &ActionRequest) -> Resolution {
        let Some(executor) = self.executor(source) else { return Resolution::Unreachable("it is not watched".into()) };
        match AssertUnwindSafe(executor.was_applied(request)).catch_unwind().await {
            Ok(resolution) => resolution,
            Err(_panic) => Resolution::Unreachable("the answer could not be understood at all".into()),
        }
    }

    /// The same at some places, but for the attempts of one plan. A place that does not answer is asked once.
    async fn recover_at(&mut self, here: impl Fn(&Text) -> bool, but: &str) -> Recovered {
        let (journal, stamp) = (self.journal.clone(), self.journal.stamp());
        let read = tokio::task::spawn_blocking(move || journal.entries()).await;
        let Ok(Ok((entries, _))) = read else { return Recovered::default() };
        let now_ms = (self.clock)();
        let mut recovered = Recovered::default();
        let mut silent: Vec<Text> = Vec::new();
        let mut clean = true;
        for entry in entries {
            if let Action::Command { .. } = &entry.action {
                // No place can tell what a program did: it is closed by the mesh that it was run in.
                // It may run for long: while its process is there, nobody closes it.
                let over = entry.kind.is_some() || entry.abandoned || now_ms.saturating_sub(entry.at_ms) > DAY;
                let is_ours = over && entry.mesh == self.mesh && entry.open(now_ms).is_some();
                if is_ours {
                    let summary = "looked into later: whether it ended, and what it did, cannot be known".to_owned();
                    recovered.resolved += usize::from(matches!(self.close(&entry, summary).await, Resolved::Yes));
                }
                continue;
            }
            let Some(source) = self.source_of(&entry) else { continue };
            // An attempt that another console may be at is not over yet.
            clean &= entry.open(Millis::MAX).is_none();
            let Some(open) = entry.open(now_ms).filter(|_| but.is_empty() || entry.plan != but) else { continue };
            if !here(&source) {
                continue;
            }
            let recorder = self.recorders.get(&source).cloned();
            let asked = if open == Open::LacksAudit { recorder.as_ref() } else { Some(&source) };
            let resolved = match asked {
                Some(asked) if silent.contains(asked) => None,
                _ => Some(match open {
                    Open::LacksAudit => self.audit_late(&entry, &source).await,
                    Open::Unknown => self.resolve(&entry, &source, now_ms).await,
                }),
            };
            match resolved {
                Some(Resolved::Yes) => recovered.resolved += 1,
                Some(Resolved::Silent) => {
                    silent.extend(asked.cloned());
                    recovered.open += 1;
                }
                Some(Resolved::TooEarly) | None => recovered.open += 1,
            }
        }
        self.clean = clean.then_some(stamp);
        recovered
    }

    /// It was done, and the op-log lacks its entry.
    async fn audit_late(&mut self, entry: &Entry, source: &Text) -> Resolved {
        if !self.recorders.contains_key(source) {
            let summary = "no op-log of this mesh takes it: this journal is its only record".to_owned();
            return self.close(entry, summary).await;
        }
        if !self.record(source, &request_of(entry)).await {
            return Resolved::Silent;
        }
        Resolved::of(self.write(&entry.id, &entry.plan, Event::Audited).await)
    }

    /// What became of it is not known: the place itself may tell.
    async fn resolve(&mut self, entry: &Entry, source: &Text, now_ms: Millis) -> Resolved {
        let request = request_of(entry);
        let mut outcome = match self.was_applied(source, &request).await {
            Resolution::Applied { audited, now } => {
                Outcome { audited, ..Outcome::done(format!("looked into later: it was done; {now}")) }
            }
            // A request that was held up may still arrive.
            Resolution::NotApplied(_) if now_ms.saturating_sub(entry.at_ms) <= ABANDONED => return Resolved::TooEarly,
            Resolution::NotApplied(now) => Outcome::failed(format!("looked into later: it was not done; {now}")),
            Resolution::Undecidable(_) if now_ms.saturating_sub(entry.at_ms) <= ABANDONED && entry.kind.is_some() => {
                return Resolved::TooEarly;
            }
            Resolution::Undecidable(now) => {
                let summary = format!("looked into later: {now}; whether this attempt did that cannot be known");
                return self.close(entry, summary).await;
            }
            Resolution::Unreachable(why) => {
                tracing::warn!(why, attempt = entry.id, "an attempt cannot be looked into");
                return Resolved::Silent;
            }
        };
        outcome.journal_only = !self.recorders.contains_key(source);
        if outcome.kind == OutcomeKind::Done && !outcome.audited {
            outcome.audited = self.record(source, &request).await;
        }
        Resolved::of(self.write(&entry.id, &entry.plan, ended(&outcome)).await)
    }

    async fn close(&mut self, entry: &Entry, summary: String) -> Resolved {
        Resolved::of(self.write(&entry.id, &entry.plan, Event::Closed { summary }).await)
    }

    async fn write(&mut self, id: &str, plan: &str, event: Event) -> Result<(), String> {
        let at_ms = (self.clock)();
        let line = Line { schema: SCHEMA.into(), id: id.to_owned(), plan: plan.to_owned(), at_ms, event };
        write(&self.journal, line, self.access).await
    }
}

/// Appends a line to the journal, and waits until it stands there.
async fn write(journal: &JournalFile, line: Line, access: WriteAccess) -> Result<(), String> {
    let journal = journal.clone();
    let written = tokio::task::spawn_blocking(move || journal.append(&line, access)).await;
    written.map_err(|e| e.to_string())?.map_err(|e| e.to_string())
}

/// How looking into an attempt ended.
enum Resolved {
    Yes,
    TooEarly,
    /// The place does not answer.
    Silent,
}

impl Resolved {
    fn of(written: Result<(), String>) -> Self {
        if written.is_ok() { Self::Yes } else { Self::TooEarly }
    }
}

fn ended(outcome: &Outcome) -> Event {
    Event::Outcome {
        kind: outcome.kind,
        summary: outcome.summary.raw().to_owned(),
        before: outcome.before.clone(),
        after: outcome.after.clone(),
        audited: outcome.audited,
        journal_only: outcome.journal_only,
        not_reread: outcome.kind == OutcomeKind::Done && !outcome.reread,
    }
}

fn request_of(entry: &Entry) -> ActionRequest {
    ActionRequest {
        id: entry.id.clone(),
        action: entry.action.clone(),
        operator: entry.operator.clone(),
        reason: entry.reason.clone(),
        at_ms: entry.at_ms,
    }
}

/// A name of its own, in the order of time.
fn new_id(at_ms: Millis) -> String {
    format!("{at_ms:012x}-{:08x}", fastrand::u32(..))
}
