//! Whether it is still the same database: each log has the entry where it was read up to, as it was then.

use std::hash::BuildHasher as _;

use foldhash::fast::FixedState;
use libsql::Value;

use super::backend::Rows;
use super::queries::{History, Part, Query};
use super::tables::log;

/// What the entry looked like that each log was read up to.
#[derive(Debug, Default)]
pub struct Witnesses([Option<u64>; 5]);

impl Witnesses {
    /// Remembers the entry that a log was read up to.
    pub fn note(&mut self, history: History, row: &[Value]) {
        self.0[history as usize] = Some(looks(history, row));
    }

    /// Whether a log has another entry there now. Logs are only added to: it is another log, and so another database.
    /// An entry that is gone proves nothing.
    pub fn contradict(&self, plan: &[Query], answers: &[Rows]) -> bool {
        plan.iter().zip(answers).any(|(query, rows)| match (query.part, rows.first()) {
            (Part::Witness(history), Some(row)) => {
                self.0[history as usize].is_some_and(|before| before != looks(history, row))
            }
            _ => false,
        })
    }
}

/// All of an entry that does not change.
fn looks(history: History, row: &[Value]) -> u64 {
    let columns = match history {
        History::Oplog => log::OPLOG.columns,
        History::Convergence => log::CONVERGENCE.columns,
        _ => &[],
    };
    let changes = columns.iter().position(|(name, _)| *name == "undone");
    let lasting = row.iter().enumerate().filter(|(at, _)| Some(*at) != changes);
    FixedState::with_seed(0).hash_one(lasting.map(|(_, value)| format!("{value:?}")).collect::<Vec<_>>())
}
