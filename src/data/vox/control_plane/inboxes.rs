//! Which inboxes to ask for. Each reading makes the server write its whole store, so one is asked for only if something says
//! that it may have changed. Pure.

use std::collections::BTreeSet;

use crate::model::QueueStats;
use crate::model::text::Text;
use crate::model::time::{Millis, SECOND};

/// Inboxes asked for in one poll; the others follow in turn.
pub const INBOXES_A_POLL: usize = 16;
/// While nothing says that anything changed, one inbox is asked for this often: a claim moves no figure.
const SWEEP_EVERY: Millis = 10 * SECOND;
/// The database and the figures are not read at one instant: they differ for good only after so many polls running.
const DIFFER: u8 = 3;

/// What was asked for, and what there is to ask for.
#[derive(Debug, Default)]
pub struct Schedule {
    figures: Option<QueueStats>,
    known: BTreeSet<Text>,
    due: BTreeSet<Text>,
    /// The last one that was asked for.
    last: Option<Text>,
    asked_ms: Millis,
    /// Polls running at which the database did not show all that waits, since it did.
    differ: Option<u8>,
}

/// What to do in a poll.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Turn {
    /// The database shows all that waits: no inbox is needed.
    Shown,
    /// These.
    Ask(Vec<Text>),
}

impl Schedule {
    /// Decides. `figures` are those of the queue, where the server offers them; `shown` is how many waiting messages of
    /// this kind the databases of the mesh show.
    pub fn turn(
        &mut self,
        agents: &BTreeSet<Text>,
        figures: Option<&QueueStats>,
        shown: Option<i64>,
        now_ms: Millis,
    ) -> Turn {
        let moved = figures.is_none() || figures != self.figures.as_ref();
        self.figures = figures.cloned();
        if let Some((figures, shown)) = figures.zip(shown) {
            let is_all = figures.pending_count == shown;
            self.differ = if is_all { Some(0) } else { self.differ.map(|polls| polls.saturating_add(1)) };
            if self.differ.is_some_and(|polls| polls < DIFFER) {
                self.known.clear();
                self.due.clear();
                return Turn::Shown;
            }
        }
        self.known.retain(|agent| agents.contains(agent));
        self.due.retain(|agent| agents.contains(agent));
        let new = agents.iter().filter(|agent| moved || !self.known.contains(*agent));
        self.due.extend(new.cloned());
        let from = if self.due.is_empty() && now_ms - self.asked_ms >= SWEEP_EVERY { agents } else { &self.due };
        let most = if self.due.is_empty() { 1 } else { INBOXES_A_POLL };
        // On from the last one, so that all have their turn.
        let after = from.iter().filter(|agent| self.last.as_ref().is_none_or(|last| *agent > last));
        let before = from.iter().filter(|agent| self.last.as_ref().is_some_and(|last| *agent <= last));
        let turn: Vec<Text> = after.chain(before).take(most).cloned().collect();
        if let Some(last) = turn.last() {
            (self.last, self.asked_ms) = (Some(last.clone()), now_ms);
        }
        Turn::Ask(turn)
    }

    /// An inbox was answered.
    pub fn heard(&mut self, agent: &Text) {
        self.due.remove(agent);
        self.known.insert(agent.clone());
    }

    /// Whether each was answered at least once.
    #[must_use]
    pub fn has_all(&self, agents: &BTreeSet<Text>) -> bool {
        agents.iter().all(|agent| self.known.contains(agent))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(all: &[&str]) -> BTreeSet<Text> {
        all.iter().map(|name| (*name).into()).collect()
    }

    fn figures(pending: i64) -> QueueStats {
        QueueStats { pending_count: pending, pending_by_kind: Vec::new(), pending_by_priority: Vec::new() }
    }

    fn ask(
        schedule: &mut Schedule,
        agents: &BTreeSet<Text>,
        pending: i64,
        shown: Option<i64>,
        now_ms: Millis,
    ) -> usize {
        match schedule.turn(agents, Some(&figures(pending)), shown, now_ms) {
            Turn::Shown => usize::MAX,
            Turn::Ask(turn) => {
                for agent in &turn {
                    schedule.heard(agent);
                }
                turn.len()
            }
        }
    }

    #[test]
    fn an_inbox_is_asked_for_when_something_moved_and_now_and_then() {
        let (mut schedule, agents) = (Schedule::default(), names(&["1", "2", "3"]));
        assert_eq!(ask(&mut schedule, &agents, 5, None, 1_000), 3, "at first all");
        assert!(schedule.has_all(&agents));
        for second in 2..11 {
            assert_eq!(ask(&mut schedule, &agents, 5, None, second * 1_000), 0);
        }
        assert_eq!(ask(&mut schedule, &agents, 5, None, 11_000), 1);
        assert_eq!(ask(&mut schedule, &agents, 5, None, 12_000), 0);
        assert_eq!(ask(&mut schedule, &agents, 6, None, 13_000), 3, "one more waits, somewhere");
        let more = names(&["1", "2", "3", "4"]);
        assert_eq!(ask(&mut schedule, &more, 6, None, 14_000), 1, "a new agent");
        // A server without figures is asked as ever.
        assert!(matches!(schedule.turn(&more, None, None, 15_000), Turn::Ask(turn) if turn.len() == 4));
    }

    #[test]
    fn many_have_their_turn() {
        let agents: BTreeSet<Text> = (0..40).map(|n| format!("{n:02}").into()).collect();
        let mut schedule = Schedule::default();
        let turns: Vec<usize> = (1..6).map(|second| ask(&mut schedule, &agents, 5, None, second * 1_000)).collect();
        assert_eq!(turns, [16, 16, 8, 0, 0]);
    }

    #[test]
    fn what_a_database_shows_is_not_asked_for() {
        let (mut schedule, agents) = (Schedule::default(), names(&["1", "2"]));
        for second in 1..30 {
            assert_eq!(ask(&mut schedule, &agents, 5, Some(5), second * 1_000), usize::MAX);
        }
        // A moment's difference is none.
        for shown in [4, 6, 5, 4, 3] {
            assert_eq!(ask(&mut schedule, &agents, 5, Some(shown), 31_000), usize::MAX);
        }
        assert_eq!(ask(&mut schedule, &agents, 5, Some(3), 32_000), 2, "it lacks some");
        assert_eq!(ask(&mut schedule, &agents, 5, Some(3), 33_000), 0);
        // It never showed all: nothing is taken for granted.
        assert_eq!(ask(&mut Schedule::default(), &agents, 5, Some(3), 1_000), 2);
    }
}
