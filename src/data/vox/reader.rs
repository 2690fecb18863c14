//! What one poll of a database collects while its answers are read.

use super::backend::Rows;
use super::queries::Limits;
use super::tables::Reading;
use super::trackers::{self, Ask, TableTracker};
use crate::data::sqlite::int;
use crate::model::Oddity;
use crate::model::observation::{Change, ClockSample, Delta, Observation};
use crate::model::text::Text;
use crate::model::time::Millis;

/// What is collected while the answers are read.
pub struct Reader<'a> {
    pub seen: &'a mut Observation,
    pub oddities: Vec<Oddity>,
    pub unseen: Vec<Text>,
    pub limits: Limits,
    /// Rows that were read of tables that were not read whole.
    pub read: Vec<(&'static str, Text)>,
}

impl Reader<'_> {
    /// Takes the rows of a table that may be large: what changed, or all facts where it was read whole.
    pub fn rows<T>(
        &mut self,
        reading: &Reading<T>,
        tracker: &mut TableTracker,
        ask: &Ask,
        rows: &Rows,
        mut name: impl FnMut(&mut T) -> trackers::Name,
    ) -> Result<Delta<T, trackers::Name>, Vec<T>> {
        let Ask::Rows(asked) = ask else {
            let mut facts: Vec<Option<T>> = rows.iter().map(|row| reading.read_one(row, &mut self.oddities)).collect();
            let named = facts.iter_mut().map(|fact| fact.as_mut().map(&mut name));
            tracker.take_whole(rows, named);
            return Err(facts.into_iter().flatten().collect());
        };
        let named = |row: &Vec<libsql::Value>| {
            let mut fact = reading.read_one(row, &mut self.oddities)?;
            Some((trackers::rowid(row)?, name(&mut fact), fact))
        };
        let facts: Vec<(i64, trackers::Name, T)> = rows.iter().filter_map(named).collect();
        self.read.extend(facts.iter().map(|(_, name, _)| (reading.table, name.0.clone())));
        let delta = tracker.take_rows(asked, facts);
        self.read.extend(delta.gone.iter().map(|name| (reading.table, name.0.clone())));
        Ok(delta)
    }

    /// Takes all facts of a table; says where it has more than are read.
    pub fn push(&mut self, table: &str, rows: &Rows, change: Change) {
        if rows.len() >= self.limits.live_rows {
            let n = self.limits.live_rows;
            self.unseen.push(format!("{table} has {n} rows or more: only {n} are shown (limits.live_rows)").into());
        }
        self.seen.changes.push(change);
    }

    /// Takes the database's clock, as of between two instants.
    pub fn clock(&mut self, rows: &Rows, (sent_ms, received_ms): (Millis, Millis)) {
        if let Some(now) = rows.first().and_then(|row| row.first()).and_then(int) {
            self.seen.clock = Some(ClockSample::between(sent_ms, now, received_ms, 1));
        }
    }
}
