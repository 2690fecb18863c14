//! Every lock evaluated, and kept so: by place, by resource, by holder, by when it ends, by who waits.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use foldhash::fast::RandomState;

use super::context::EvalContext;
use super::graph::{self, Line, Numbers, WaitGraph};
use super::locks::{LockState, LockView, state};
use super::messages::RowChange;
use super::nodes::Nodes;
use super::queues::{Queues, Waiter};
use super::staleness::Staleness;
use crate::mesh::Touched;
use crate::mesh::derive::slot_map::{At, SlotMap};
use crate::mesh::derive::timer_queue::TimerQueue;
use crate::mesh::slab::SharedSlab;
use crate::model::Left;
use crate::model::text::Text;
use crate::model::time::Millis;

/// Every lock known, evaluated.
#[derive(Debug, Default)]
pub(super) struct Locks {
    pub(super) slab: SharedSlab<LockView>,
    slots: SlotMap,
    timers: TimerQueue,
    by_resource: HashMap<Arc<str>, Vec<At>, RandomState>,
    /// What each row is filed under.
    filed: HashMap<At, Filed, RandomState>,
    by_holder: HashMap<Text, HashSet<u32, RandomState>, RandomState>,
    /// Ends, of those that have not ended.
    pub(super) ends: BTreeSet<(Millis, u32)>,
    /// Queues, the longest first, then the oldest.
    pub(super) queues: BTreeSet<(Reverse<usize>, Option<Millis>, u32)>,
    /// Locks whose fence went back.
    pub(super) back: BTreeSet<u32>,
    /// Locks that are past their end, or whose holder is nobody that is known.
    pub(super) doubtful: BTreeSet<u32>,
    /// The queue of all locks that nobody waits for.
    nobody: Arc<[Waiter]>,
    /// Agents by number, and the line of each lock with a queue.
    numbers: Numbers,
    lines: BTreeMap<u32, Line>,
    /// Whether lines changed since the graph was made.
    lines_moved: bool,
    /// Resources that have several locks.
    pub(super) several: HashSet<Arc<str>, RandomState>,
}

#[derive(Debug)]
struct Filed {
    resource: Arc<str>,
    repository_id: Text,
}

/// What made locks worth another evaluation.
pub(super) struct Reasons<'a> {
    pub touched: &'a Touched,
    /// Nodes that are more or less alive than they were.
    pub holders: &'a [Text],
    /// Resources whose queues may have changed.
    pub resources: &'a [Arc<str>],
}

impl Locks {
    /// Evaluates what was touched and what is due. Answers which results changed.
    pub(super) fn step(
        &mut self,
        context: &EvalContext<'_>,
        nodes: &Nodes,
        queues: &Queues,
        why: &Reasons<'_>,
    ) -> Vec<RowChange<LockView>> {
        let mut dirty: Vec<(At, bool)> = Vec::new();
        let mut resources: Vec<Arc<str>> = why.resources.to_vec();
        for (source, tables) in why.touched.sources.iter().enumerate() {
            for (table, places) in tables.locks.iter().enumerate() {
                dirty.extend(places.iter().map(|place| (At::new(source, table, *place), false)));
            }
            for (table, places) in tables.locks_moved.iter().enumerate() {
                for &place in places {
                    let at = At::new(source, table, place);
                    dirty.push((at, true));
                    self.file(context, queues, at, &mut resources);
                }
            }
        }
        for holder in why.holders {
            let places = self.by_holder.get(holder).into_iter().flatten();
            dirty.extend(places.filter_map(|place| Some((self.slots.row(*place)?, true))));
        }
        for resource in resources {
            dirty.extend(self.by_resource.get(&resource).into_iter().flatten().map(|at| (*at, true)));
        }
        let due = self.timers.due(context.now_ms);
        dirty.extend(due.iter().filter_map(|place| Some((self.slots.row(*place)?, false))));
        // Of several reasons the strongest one counts.
        dirty.sort_unstable_by_key(|(at, around)| (*at, !around));
        dirty.dedup_by_key(|(at, _)| *at);
        dirty.into_iter().filter_map(|(at, around)| self.evaluate(context, nodes, queues, at, around)).collect()
    }

    /// Files a row under its resource. Another lock of a name that somebody waits for may change all their queues.
    fn file(&mut self, context: &EvalContext<'_>, queues: &Queues, at: At, resources: &mut Vec<Arc<str>>) {
        let row = context.tables[at.source()].locks[at.table()].at(at.place);
        let key = row.map(|lock| &lock.lock_key);
        let now = row.map(|lock| (queues.canonical(lock.lock_key.raw()), &lock.repository_id));
        let before = self.filed.get(&at).map(|filed| (&*filed.resource, &filed.repository_id));
        if now == before {
            return;
        }
        if let Some(filed) = self.filed.remove(&at) {
            if let Some(places) = self.by_resource.get_mut(&filed.resource) {
                places.retain(|known| *known != at);
                match places.len() {
                    0 => drop(self.by_resource.remove(&filed.resource)),
                    1 => drop(self.several.remove(&filed.resource)),
                    _ => {}
                }
            }
            if queues.any(&filed.resource) || self.by_resource.contains_key(&filed.resource) {
                resources.push(filed.resource);
            }
        }
        let (Some((name, repository_id)), Some(key)) = (now, key) else { return };
        let known = self.by_resource.get_key_value(name);
        let name: Arc<str> = known.map_or_else(|| key.part(name), |(name, _)| name.clone());
        // Nearly every name stands for one lock.
        let places = self.by_resource.entry(name.clone()).or_insert_with(|| Vec::with_capacity(1));
        places.push(at);
        places.sort_unstable();
        let several = places.len() > 1;
        if several {
            self.several.insert(name.clone());
        }
        if several || queues.any(&name) {
            resources.push(name.clone());
        }
        self.filed.insert(at, Filed { resource: name, repository_id: repository_id.clone() });
    }

    /// Whether no other repository has a lock of this name.
    fn is_alone(&self, at: At) -> bool {
        let Some(filed) = self.filed.get(&at) else { return true };
        let others = self.by_resource.get(&filed.resource).into_iter().flatten();
        others.filter_map(|at| self.filed.get(at)).all(|other| other.repository_id == filed.repository_id)
    }

    /// `around` says that more than the row itself may be another: its holder's node, or who waits.
    fn evaluate(
        &mut self,
        context: &EvalContext<'_>,
        nodes: &Nodes,
        queues: &Queues,
        at: At,
        around: bool,
    ) -> Option<RowChange<LockView>> {
        let (source, view) = (&context.mesh.sources[at.source()], &context.sources[at.source()]);
        let home = self.slots.of(at);
        let before = home.and_then(|home| self.slab.get(home as usize).cloned());
        let Some(lock) = context.tables[at.source()].locks[at.table()].at(at.place) else {
            let home = home?;
            self.slots.leave(at);
            self.slab.put(home as usize, None);
            self.index(home, before.as_deref(), None);
            return Some((home, before, None));
        };
        let alike = before.as_ref().filter(|_| !around);
        let same_holder = |known: &&Arc<LockView>| {
            (&known.lock.holder_node, &known.lock.repository_id) == (&lock.holder_node, &lock.repository_id)
        };
        let holder = match alike.filter(same_holder) {
            Some(known) => known.holder_staleness,
            None => nodes.staleness(&lock.holder_node, Some(&lock.repository_id)),
        };
        let acquired_ms = lock.acquired_at_ms.map(|ms| source.to_console(ms));
        let expires_ms = lock.expires_at_ms.map(|ms| source.to_console(ms));
        let margin = context.thresholds.expiring_ms;
        let known = before.as_ref().filter(|before| Arc::ptr_eq(&before.lock, lock));
        let fences = match known {
            Some(known) => known.fences.clone(),
            None => context.tables[at.source()].fences.of(at.table(), at.place).cloned(),
        };
        let same_queue = |known: &&Arc<LockView>| {
            known.lock.holder_agent == lock.holder_agent
                && (known.acquired_ms, known.lock.shared) == (acquired_ms, lock.shared)
        };
        let waiters = match alike.filter(same_queue) {
            Some(known) => known.waiters.clone(),
            None if queues.is_empty() => self.nobody.clone(),
            None => {
                let waiters = queues.of(lock, acquired_ms, || self.is_alone(at));
                if waiters.is_empty() { self.nobody.clone() } else { waiters.into() }
            }
        };
        let evaluated = LockView {
            state: lock
                .condition
                .and_then(LockState::of)
                .unwrap_or_else(|| state(acquired_ms, expires_ms, view.at(context.now_ms), holder, margin)),
            waiters,
            in_several: match alike {
                Some(known) => known.in_several,
                None => !self.is_alone(at),
            },
            fences,
            lock: lock.clone(),
            source: source.identity.name.clone(),
            holder_staleness: holder,
            acquired_ms,
            left: lock.left.map(|left| Left { at_ms: source.to_console(left.at_ms), ..left }),
            expires_ms,
            as_of_ms: view.as_of_ms,
        };
        let home = home.unwrap_or_else(|| self.slots.enter(at));
        if view.as_of_ms.is_none() {
            let ttl = acquired_ms.zip(expires_ms).map_or(0, |(from, to)| (to - from).max(0));
            let ends = expires_ms.into_iter().flat_map(|at| [at - margin.max(ttl / 5), at]);
            let starving = evaluated.waiters.iter().filter_map(|w| w.since_ms);
            let starving = starving.map(|since| since + context.thresholds.starved_ms + 1);
            self.timers.note(home, context.now_ms, ends.chain(starving));
        }
        // Time may starve a waiter without changing what is evaluated here: the rules look again all the same.
        let starves = evaluated.starves_between(before.as_deref(), context);
        if !starves && before.as_ref().is_some_and(|before| before.same(&evaluated)) {
            return None;
        }
        let evaluated = Arc::new(evaluated);
        self.slab.put(home as usize, Some(evaluated.clone()));
        self.index(home, before.as_deref(), Some(&evaluated));
        Some((home, before, Some(evaluated)))
    }

    fn index(&mut self, home: u32, before: Option<&LockView>, now: Option<&LockView>) {
        let end = |view: &LockView| (view.state != LockState::Expired).then_some(view.expires_ms).flatten();
        move_in(&mut self.ends, before.and_then(end).map(|at| (at, home)), now.and_then(end).map(|at| (at, home)));
        let queue = |view: &LockView| {
            let oldest = view.first_wait_ms();
            (!view.waiters.is_empty()).then_some((Reverse(view.waiters.len()), oldest, home))
        };
        move_in(&mut self.queues, before.and_then(queue), now.and_then(queue));
        match now.filter(|view| !view.waiters.is_empty()) {
            Some(view) => {
                let same = |old: &LockView| {
                    let waiters = Arc::ptr_eq(&old.waiters, &view.waiters) || old.waiters == view.waiters;
                    let holder = (&old.lock.holder_agent, &old.lock.holder_node)
                        == (&view.lock.holder_agent, &view.lock.holder_node);
                    // What is found in the graph calls it by its name.
                    waiters && holder && old.in_several == view.in_several
                };
                let over = |view: &LockView| view.state == LockState::Expired;
                if before.is_none_or(|old| !same(old) || over(old) != over(view)) {
                    let line = self.numbers.line(view);
                    self.lines.insert(home, line);
                    self.lines_moved = true;
                }
            }
            None => self.lines_moved |= self.lines.remove(&home).is_some(),
        }
        let doubtful = |view: &LockView| {
            (view.state == LockState::Expired || view.holder_staleness == Staleness::Unknown).then_some(home)
        };
        move_in(&mut self.doubtful, before.and_then(doubtful), now.and_then(doubtful));
        if now.and_then(|view| view.fences.as_ref()).is_some_and(|fences| fences.back.is_some()) {
            self.back.insert(home);
        } else {
            self.back.remove(&home);
        }
        let [was, is] = [before, now].map(|view| view.map(|view| &view.lock.holder_node));
        if was != is {
            if let Some(was) = was
                && let Some(places) = self.by_holder.get_mut(was)
            {
                places.remove(&home);
                if places.is_empty() {
                    self.by_holder.remove(was);
                }
            }
            if let Some(is) = is {
                match self.by_holder.get_mut(is) {
                    Some(places) => drop(places.insert(home)),
                    None => drop(self.by_holder.insert(is.clone(), std::iter::once(home).collect())),
                }
            }
        }
    }

    /// Who waits for whom, if that is not as it was.
    pub(super) fn graph(&mut self) -> Option<WaitGraph> {
        if !std::mem::take(&mut self.lines_moved) {
            return None;
        }
        Some(graph::build(&self.slab, &self.lines, &mut self.numbers))
    }

    /// How many locks are held under the name of a node; of one repository where that is said.
    pub(super) fn held_by(&self, name: &Text, repository_id: Option<&Text>) -> usize {
        let Some(places) = self.by_holder.get(name) else { return 0 };
        let Some(repository_id) = repository_id else { return places.len() };
        let of = |place: &&u32| self.slab.get(**place as usize).map(|view| &view.lock.repository_id);
        places.iter().filter(|place| of(place) == Some(repository_id)).count()
    }

    /// Names that were given numbers, in all.
    pub(super) fn numbered(&self) -> usize {
        self.numbers.len()
    }

    /// Locks at these places.
    pub(super) fn at(&self, places: impl IntoIterator<Item = u32>) -> Vec<Arc<LockView>> {
        places.into_iter().filter_map(|place| self.slab.get(place as usize).cloned()).collect()
    }

    /// The locks of each resource that has several, by name.
    pub(super) fn of_one_name(&self) -> Vec<(Arc<str>, Vec<Arc<LockView>>)> {
        let mut names: Vec<&Arc<str>> = self.several.iter().collect();
        names.sort();
        let places = |name| self.by_resource.get(name).into_iter().flatten().filter_map(|at| self.slots.of(*at));
        names.into_iter().map(|name| (name.clone(), self.at(places(name)))).collect()
    }
}

fn move_in<K: Ord>(set: &mut BTreeSet<K>, before: Option<K>, now: Option<K>) {
    if before == now {
        return;
    }
    if let Some(before) = before {
        set.remove(&before);
    }
    set.extend(now);
}
