//! What is said of each task, kept as messages, logs, events and leases change.

mod of_rows;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::hash::BuildHasher;
use std::sync::Arc;

use foldhash::fast::RandomState;
use serde_json::Value;

use self::of_rows::{answer, carrier, leased, logged, note_of_event, stated};
use super::chain::LogView;
use super::context::EvalContext;
use super::leases::LeaseView;
use super::messages::{MessageView, RowChange};
use super::nodes::{NodeView, Nodes};
use super::tasks::{Note, TaskView, assemble};
use crate::mesh::slab::SharedSlab;
use crate::model::stated::StatedTask;
use crate::model::text::Text;
use crate::model::time::Millis;
use crate::model::{LineageEvent, LogTable, MessageTable};

/// A task: its repository and its number.
type Key = (Text, Text);

/// Where a note comes from. Their order is the order in which a task's notes are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Origin {
    /// A message that carries the task: its id, its source, its table.
    Message(i64, usize, MessageTable),
    /// A message about one that does.
    Answer(i64, usize, MessageTable),
    /// A log entry, newest first: its source, its table, its id.
    Log(std::cmp::Reverse<(Option<Millis>, i64)>, usize, LogTable),
    /// A lineage event: its source, its id.
    Lineage(usize, i64),
    /// What a source states itself, by the source.
    Stated(usize),
    /// A lease, by its place in the list.
    Lease(usize),
}

/// What a message says of tasks.
#[derive(Debug, Clone)]
enum Given {
    Carries { key: Key, idempotency_key: Option<String>, origin: Origin },
    Answers { idempotency_key: String, origin: Origin },
}

/// Every task known.
#[derive(Debug, Default)]
pub(super) struct Tasks {
    pub(super) slab: SharedSlab<TaskView>,
    slots: HashMap<Key, u32, RandomState>,
    next: u32,
    free: Vec<u32>,
    notes: HashMap<Key, BTreeMap<Origin, Note>, RandomState>,
    /// What each message said, by its place.
    given: HashMap<u32, Given, RandomState>,
    /// The tasks that an idempotency key was used for; the last message counts. And what answers to it.
    sent: HashMap<String, BTreeMap<Origin, Key>, RandomState>,
    answers: HashMap<String, BTreeMap<Origin, Note>, RandomState>,
    /// Idempotency keys of each task.
    named_in: HashMap<Key, BTreeSet<String>, RandomState>,
    /// Tasks by number alone, without those that only a lease names.
    by_number: HashMap<Text, BTreeSet<Key>, RandomState>,
    /// What logs and lineage said, and what leases do.
    from_logs: LineageKeys,
    /// Tells two rows of one id apart: a log that begins again counts from one.
    prints: RandomState,
    from_lineage: Vec<Lineage>,
    /// What each source stated, with a fingerprint of each task.
    stated: Vec<Stated>,
    from_leases: Vec<(Key, Note)>,
    /// Tasks whose result rests on an agent or a node.
    by_agent: HashMap<Text, HashSet<Key, RandomState>, RandomState>,
    by_node: HashMap<Text, HashSet<Key, RandomState>, RandomState>,
    dirty: BTreeSet<Key>,
}

/// Tasks that a source stated, and the fingerprint of each.
type Stated = (Arc<[StatedTask]>, HashMap<Key, u64, RandomState>);

/// A source's lineage, and the task that each event is about.
type Lineage = (Arc<VecDeque<LineageEvent>>, LineageKeys);

/// The task that each row is about, and the row's fingerprint.
type LineageKeys = HashMap<Origin, (Key, u64), RandomState>;

/// What tasks are assembled from, as it changed.
pub(super) struct Changes<'a> {
    pub messages: &'a [RowChange<MessageView>],
    pub nodes: &'a [RowChange<NodeView>],
    /// The logs, where they changed.
    pub log: Option<&'a [LogView]>,
    pub leases: &'a [LeaseView],
}

impl Tasks {
    /// Takes what changed. Answers which tasks are evaluated otherwise.
    pub(super) fn step(
        &mut self,
        context: &EvalContext<'_>,
        nodes: &Nodes,
        changes: &Changes<'_>,
    ) -> Vec<RowChange<TaskView>> {
        // A message may have moved to another place: what it said there is taken back before it is said anew.
        for (place, before, _) in changes.messages {
            if before.is_some() {
                self.take_back(*place);
            }
        }
        for (place, _, now) in changes.messages {
            if let Some(view) = now {
                self.take(context, *place, view);
            }
        }
        if let Some(log) = changes.log {
            self.take_log(context, log);
        }
        self.take_lineage(context);
        self.take_stated(context);
        self.take_leases(changes.leases);
        // A heartbeat alone changes no task.
        let matters = |(_, before, now): &&RowChange<NodeView>| match (before, now) {
            (Some(before), Some(now)) => (before.staleness, &before.agents) != (now.staleness, &now.agents),
            _ => true,
        };
        for node in changes.nodes.iter().filter(matters).flat_map(|(_, before, now)| [before, now]).flatten() {
            self.dirty.extend(self.by_node.get(&node.node_id).into_iter().flatten().cloned());
            for agent in &node.agents {
                self.dirty.extend(self.by_agent.get(agent).into_iter().flatten().cloned());
            }
        }
        std::mem::take(&mut self.dirty).into_iter().filter_map(|key| self.evaluate(nodes, key)).collect()
    }

    fn evaluate(&mut self, nodes: &Nodes, key: Key) -> Option<RowChange<TaskView>> {
        let home = self.slots.get(&key).copied();
        let before = home.and_then(|home| self.slab.get(home as usize).cloned());
        let evaluated = self.notes.get(&key).map(|notes| {
            let middle = Origin::Answer(i64::MIN, 0, MessageTable::A2a);
            let (carriers, others) = (notes.range(..middle), notes.range(middle..));
            let answers = self.named_in.get(&key).into_iter().flatten().filter(|idem| self.resolve(idem) == Some(&key));
            let answers = answers.filter_map(|idem| self.answers.get(idem)).flatten();
            let all = carriers.chain(answers).chain(others).map(|(_, note)| note);
            assemble(key.0.clone(), key.1.clone(), all, nodes)
        });
        let Some(evaluated) = evaluated else {
            let home = home?;
            self.slots.remove(&key);
            self.free.push(home);
            self.slab.put(home as usize, None);
            self.depend(&key, before.as_deref(), None);
            return Some((home, before, None));
        };
        if before.as_ref().is_some_and(|before| **before == evaluated) {
            return None;
        }
        let home = home.unwrap_or_else(|| {
            let home = self.free.pop().unwrap_or_else(|| {
                self.next += 1;
                self.next - 1
            });
            self.slots.insert(key.clone(), home);
            home
        });
        let evaluated = Arc::new(evaluated);
        self.slab.put(home as usize, Some(evaluated.clone()));
        self.depend(&key, before.as_deref(), Some(&evaluated));
        Some((home, before, Some(evaluated)))
    }

    fn depend(&mut self, key: &Key, before: Option<&TaskView>, now: Option<&TaskView>) {
        let of = |view: Option<&TaskView>| {
            view.map_or((None, None), |view| (view.owner_agent.clone(), view.owner_node.clone()))
        };
        let (was, is) = (of(before), of(now));
        for (index, was, is) in [(&mut self.by_agent, was.0, is.0), (&mut self.by_node, was.1, is.1)] {
            if was == is {
                continue;
            }
            if let Some(was) = was
                && let Some(keys) = index.get_mut(&was)
            {
                keys.remove(key);
                if keys.is_empty() {
                    index.remove(&was);
                }
            }
            if let Some(is) = is {
                index.entry(is).or_default().insert(key.clone());
            }
        }
    }

    /// The task that an idempotency key stands for.
    fn resolve(&self, idempotency_key: &str) -> Option<&Key> {
        self.sent.get(idempotency_key)?.values().next_back()
    }

    fn note(&mut self, key: Key, origin: Origin, note: Note) {
        if !matches!(origin, Origin::Lease(_)) {
            self.by_number.entry(key.1.clone()).or_default().insert(key.clone());
        }
        self.notes.entry(key.clone()).or_default().insert(origin, note);
        self.dirty.insert(key);
    }

    fn forget(&mut self, key: &Key, origin: Origin) {
        if let Some(notes) = self.notes.get_mut(key) {
            notes.remove(&origin);
            if notes.keys().all(|origin| matches!(origin, Origin::Lease(_)))
                && let Some(keys) = self.by_number.get_mut(&key.1)
            {
                keys.remove(key);
                if keys.is_empty() {
                    self.by_number.remove(&key.1);
                }
            }
            if notes.is_empty() {
                self.notes.remove(key);
            }
        }
        self.dirty.insert(key.clone());
    }

    fn take(&mut self, context: &EvalContext<'_>, place: u32, view: &MessageView) {
        let message = &view.message;
        match message.msg_type.raw() {
            "remote_task_envelope" | "plan_handoff" => self.take_carrier(context, place, view),
            "remote_task_ack" | "remote_task_result" | "remote_task_cancel" | "job_result" | "job_fail" => {
                let Ok(payload) = serde_json::from_str::<Value>(&message.payload.head) else { return };
                let Some(idempotency_key) = payload["idempotency_key"].as_str() else { return };
                let origin = Origin::Answer(message.id, index(context, &view.source), message.table);
                let given = Given::Answers { idempotency_key: idempotency_key.to_owned(), origin };
                let answers = self.answers.entry(idempotency_key.to_owned()).or_default();
                answers.insert(origin, answer(view, &payload));
                self.given.insert(place, given);
                self.dirty.extend(self.resolve(idempotency_key).cloned());
            }
            _ => {}
        }
    }

    fn take_carrier(&mut self, context: &EvalContext<'_>, place: u32, view: &MessageView) {
        let message = &view.message;
        let handoff = message.msg_type == "plan_handoff";
        let payload: Value =
            if handoff { Value::Null } else { serde_json::from_str(&message.payload.head).unwrap_or(Value::Null) };
        let task: Text = match payload["task_id"].as_i64() {
            Some(id) => id.to_string().into(),
            None if handoff => format!("handoff {}", message.id).into(),
            None => format!("envelope {}", message.id).into(),
        };
        let repository_id = payload["repository_id"].as_str().map_or_else(|| message.repository_id.clone(), Text::new);
        let key = (repository_id, task);
        let origin = Origin::Message(message.id, index(context, &view.source), message.table);
        let idempotency_key = payload["idempotency_key"].as_str().map(str::to_owned);
        if let Some(idempotency_key) = &idempotency_key {
            self.dirty.extend(self.resolve(idempotency_key).cloned());
            self.sent.entry(idempotency_key.clone()).or_default().insert(origin, key.clone());
            self.named_in.entry(key.clone()).or_default().insert(idempotency_key.clone());
        }
        self.given.insert(place, Given::Carries { key: key.clone(), idempotency_key, origin });
        self.note(key, origin, carrier(view));
    }

    fn take_back(&mut self, place: u32) {
        match self.given.remove(&place) {
            Some(Given::Carries { key, idempotency_key, origin }) => {
                if let Some(idempotency_key) = idempotency_key
                    && let Some(sent) = self.sent.get_mut(&idempotency_key)
                {
                    sent.remove(&origin);
                    let still = sent.values().any(|known| *known == key);
                    self.dirty.extend(sent.values().next_back().cloned());
                    if sent.is_empty() {
                        self.sent.remove(&idempotency_key);
                    }
                    if !still && let Some(keys) = self.named_in.get_mut(&key) {
                        keys.remove(&idempotency_key);
                        if keys.is_empty() {
                            self.named_in.remove(&key);
                        }
                    }
                }
                self.forget(&key, origin);
            }
            Some(Given::Answers { idempotency_key, origin }) => {
                if let Some(answers) = self.answers.get_mut(&idempotency_key) {
                    answers.remove(&origin);
                    if answers.is_empty() {
                        self.answers.remove(&idempotency_key);
                    }
                }
                self.dirty.extend(self.resolve(&idempotency_key).cloned());
            }
            None => {}
        }
    }

    fn take_log(&mut self, context: &EvalContext<'_>, log: &[LogView]) {
        let mut gone = std::mem::take(&mut self.from_logs);
        for view in log {
            if !matches!(view.entry.kind.raw(), "TaskSubmit" | "TaskComplete" | "TaskFail") {
                continue;
            }
            let at = std::cmp::Reverse((view.at_ms, view.entry.id));
            let origin = Origin::Log(at, index(context, &view.source), view.entry.table);
            let (print, before) = (self.prints.hash_one(&view.entry), gone.remove(&origin));
            if let Some(same) = before.as_ref().filter(|(_, before)| *before == print) {
                self.from_logs.insert(origin, same.clone());
                continue;
            }
            let note = logged(view);
            let twin = note.as_ref().and_then(|(key, _)| self.from_logs.insert(origin, (key.clone(), print)));
            self.instead(origin, [before, twin], note);
        }
        for (origin, (key, _)) in gone {
            self.forget(&key, origin);
        }
    }

    /// Puts what a row says in the place of what another row of its id said: of two, the later one counts.
    fn instead(&mut self, origin: Origin, before: [Option<(Key, u64)>; 2], note: Option<(Key, Note)>) {
        for (key, _) in before.into_iter().flatten() {
            self.forget(&key, origin);
        }
        if let Some((key, note)) = note {
            self.note(key, origin, note);
        }
    }

    fn take_lineage(&mut self, context: &EvalContext<'_>) {
        self.from_lineage.resize_with(context.mesh.sources.len(), Default::default);
        for (index, source) in context.mesh.sources.iter().enumerate() {
            let events = &source.facts.lineage;
            if Arc::ptr_eq(&self.from_lineage[index].0, events) {
                continue;
            }
            let mut gone = std::mem::take(&mut self.from_lineage[index].1);
            let mut kept = LineageKeys::default();
            for event in events.iter() {
                let origin = Origin::Lineage(index, event.id);
                let (print, before) = (self.prints.hash_one(event), gone.remove(&origin));
                if let Some(same) = before.as_ref().filter(|(_, before)| *before == print) {
                    kept.insert(origin, same.clone());
                    continue;
                }
                let note = note_of_event(event, |ms| source.to_console(ms));
                let twin = note.as_ref().and_then(|(key, _)| kept.insert(origin, (key.clone(), print)));
                self.instead(origin, [before, twin], note);
            }
            for (origin, (key, _)) in gone {
                self.forget(&key, origin);
            }
            self.from_lineage[index] = (events.clone(), kept);
        }
    }

    /// Tasks that sources state: what is the same as before is left alone.
    fn take_stated(&mut self, context: &EvalContext<'_>) {
        self.stated.resize_with(context.mesh.sources.len(), Default::default);
        for (index, source) in context.mesh.sources.iter().enumerate() {
            let tasks = &source.facts.tasks;
            if Arc::ptr_eq(&self.stated[index].0, tasks) {
                continue;
            }
            let mut gone = std::mem::take(&mut self.stated[index].1);
            let mut kept = HashMap::default();
            for task in tasks.iter() {
                let key = (task.repository_id.clone(), task.task.clone());
                let print = self.prints.hash_one(task);
                if gone.remove(&key) != Some(print) {
                    self.note(key.clone(), Origin::Stated(index), stated(task, |ms| source.to_console(ms)));
                }
                kept.insert(key, print);
            }
            for key in gone.keys() {
                self.forget(key, Origin::Stated(index));
            }
            self.stated[index] = (tasks.clone(), kept);
        }
    }

    /// A lease names a task but no repository: it joins the one task of that number, or stands for its own.
    fn take_leases(&mut self, leases: &[LeaseView]) {
        let mut alone: HashSet<Text> = HashSet::new();
        let mut now: Vec<(Key, Note)> = Vec::new();
        for view in leases {
            let lease = &view.lease;
            let by_scope = lease.scope_key.raw().strip_prefix("task:").map(Text::new);
            let Some(task) = by_scope.or_else(|| lease.task_id.clone()) else { continue };
            let own = (Text::default(), task.clone());
            let known = self.by_number.get(&task);
            let mut candidates: BTreeSet<&Key> = known.into_iter().flatten().collect();
            if alone.contains(&task) {
                candidates.insert(&own);
            }
            let key = match (candidates.len(), candidates.first()) {
                (1, Some(only)) => (*only).clone(),
                _ if view.in_force => own,
                _ => continue,
            };
            if key.0.is_empty() {
                alone.insert(task);
            }
            now.push((key, leased(view)));
        }
        if now == self.from_leases {
            return;
        }
        for (i, (key, _)) in std::mem::take(&mut self.from_leases).into_iter().enumerate() {
            self.forget(&key, Origin::Lease(i));
        }
        for (i, (key, note)) in now.iter().enumerate() {
            self.note(key.clone(), Origin::Lease(i), note.clone());
        }
        self.from_leases = now;
    }
}

/// A source's place among the sources.
fn index(context: &EvalContext<'_>, source: &Text) -> usize {
    context.mesh.sources.iter().position(|s| s.identity.name == *source).unwrap_or(0)
}
