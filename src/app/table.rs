//! The state of one table: sort, filter, selection, marks, scroll. The selection is a key, not a row.

use std::cmp::Ordering;
use std::collections::HashSet;

use super::filter::{Filter, matcher};
use super::list::{BESIDE, Head, List};
use crate::app::workspace::{Key, Row, Workspace};
use crate::model::time::Millis;

/// One table.
#[derive(Debug, Clone, Default)]
pub struct Table {
    pub column: usize,
    pub descending: bool,
    pub filter: String,
    pub selected: Option<Key>,
    pub marks: HashSet<Key>,
    /// First row on screen.
    pub offset: usize,
    /// The end is followed as rows arrive.
    pub follow: bool,
    /// Rows of the workspace, filtered and sorted.
    pub rows: Vec<Row>,
    /// Where the selection is in `rows`.
    pub cursor: usize,
    /// Rows on screen, as last drawn.
    pub height: usize,
    /// The selected row.
    row: Option<Row>,
    /// The rows again, with what they are sorted by.
    ranked: Vec<Ranked>,
    base: Option<Base>,
}

/// What the rows of a table were made from.
#[derive(Debug, Clone)]
struct Base {
    ask: Ask,
    workspace: Workspace,
}

/// A row, and the beginnings of what it is sorted by: its column, and its name.
#[derive(Debug, Clone, Copy)]
struct Ranked {
    by: Head,
    name: Head,
    row: Row,
}

/// What was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Ask {
    filter: String,
    repo: Option<String>,
    column: usize,
    descending: bool,
}

/// Rows that are filtered again at each refresh.
const FEW: usize = 2_000;

impl Table {
    /// A table as it is at first.
    #[must_use]
    pub fn new(list: &dyn List) -> Self {
        let (column, descending) = list.first_sort();
        Self { column, descending, follow: list.follows(), height: 1, ..Self::default() }
    }

    /// Brings the rows up to date, and finds the selected thing again. It stays where it is on screen. What did not
    /// change since the last snapshot is not sorted again.
    pub fn refresh(&mut self, list: &dyn List, workspace: &Workspace, repo: Option<&str>, now: Millis) {
        let ask = Ask {
            filter: self.filter.clone(),
            repo: repo.map(str::to_owned),
            column: self.column,
            descending: self.descending,
        };
        let columns = list.columns(workspace);
        let names: Vec<[&str; 2]> = columns.iter().map(|c| [c.field, c.name]).collect();
        let filter = Filter::parse(&self.filter, &names);
        // Made only where there is something to match: it is large.
        let mut matcher = if filter.is_empty() { None } else { Some(matcher()) };
        let mut passes = |row: Row| {
            repo.is_none_or(|repo| list.in_repo(workspace, row, repo))
                && matcher.as_mut().is_none_or(|matcher| {
                    filter.passes(matcher, columns.len(), &|c| list.cell(workspace, row, c, now).text)
                })
        };
        // What a filter sees may move with time alone; where rows are many, it looks again at those that changed.
        let again = !self.filter.is_empty() && list.len(workspace) <= FEW;
        let base = self.base.take().filter(|base| base.ask == ask && !again);
        let changed = base.and_then(|base| list.changed(&base.workspace, workspace));
        let changed = changed.filter(|changed| changed.len() <= list.len(workspace) / 4);
        match &changed {
            Some(changed) => self.merge(list, workspace, changed, &mut passes),
            None => {
                let mut rows = list.rows(workspace);
                rows.retain(|&row| passes(row));
                let ranked = self.sorted(list, workspace, rows);
                self.take(ranked);
            }
        }
        self.base = Some(Base { ask, workspace: workspace.clone() });
        self.find_selection(list, workspace, changed.as_deref());
    }

    /// Forgets which things are marked and selected.
    pub fn forget_things(&mut self) {
        self.marks.clear();
        (self.selected, self.row) = (None, None);
        self.forget();
    }

    /// Forgets what the rows were made from; the next refresh sorts all of them.
    pub fn forget(&mut self) {
        self.base = None;
        self.ranked = Vec::new();
    }

    /// The order of two rows: by what decides most comparisons, then by everything.
    fn compare(&self, list: &dyn List, workspace: &Workspace, a: &Ranked, b: &Ranked) -> Ordering {
        let turned = |order: Ordering| if self.descending { order.reverse() } else { order };
        let by = turned(a.by.cmp(&b.by));
        // The heads of two texts that differ may be equal.
        let by =
            if by.is_ne() || a.by.is_whole() { by } else { turned(list.compare(workspace, a.row, b.row, self.column)) };
        // Equals are in the order of their names, so that they do not swap places.
        by.then_with(|| a.name.cmp(&b.name))
            .then_with(|| list.compare(workspace, a.row, b.row, 0))
            .then_with(|| list.tie(workspace, a.row, b.row))
    }

    fn sorted(&self, list: &dyn List, workspace: &Workspace, rows: Vec<Row>) -> Vec<Ranked> {
        let ranked =
            |row| Ranked { by: list.head(workspace, row, self.column), name: list.head(workspace, row, 0), row };
        let mut rows: Vec<Ranked> = rows.into_iter().map(ranked).collect();
        rows.sort_by(|a, b| self.compare(list, workspace, a, b));
        rows
    }

    /// Takes out what changed, and puts back what is still there where it belongs now. Places are searched for: of rows
    /// that did not change, few are looked at.
    fn merge(&mut self, list: &dyn List, workspace: &Workspace, changed: &[Row], passes: &mut impl FnMut(Row) -> bool) {
        if changed.is_empty() {
            return;
        }
        // A flag for each place in a slab; rows beside it are few, and always anew.
        let mut gone = vec![Vec::new(); workspace.len()];
        for row in changed.iter().filter(|row| row.place() < BESIDE) {
            let flags = &mut gone[row.mesh()];
            flags.resize(flags.len().max(row.place() + 1), false);
            flags[row.place()] = true;
        }
        let is_gone = |row: Row| row.place() >= BESIDE || gone[row.mesh()].get(row.place()).is_some_and(|gone| *gone);
        let mut ranked = std::mem::take(&mut self.ranked);
        ranked.retain(|known| !is_gone(known.row));
        let fresh = changed.iter().copied().filter(|&row| list.has(workspace, row) && passes(row)).collect();
        let fresh = self.sorted(list, workspace, fresh);
        let mut from = 0;
        let place = |row: &Ranked| {
            from += ranked[from..].partition_point(|known| self.compare(list, workspace, row, known).is_ge());
            from
        };
        let places: Vec<usize> = fresh.iter().map(place).collect();
        // From the end on, so that each row moves once, and no other list of all of them is made.
        let mut end = ranked.len();
        ranked.extend_from_slice(&fresh);
        for (before, (row, place)) in fresh.iter().zip(places).enumerate().rev() {
            ranked.copy_within(place..end, place + before + 1);
            ranked[place + before] = *row;
            end = place;
        }
        self.take(ranked);
    }

    fn take(&mut self, ranked: Vec<Ranked>) {
        self.rows.clear();
        self.rows.extend(ranked.iter().map(|ranked| ranked.row));
        self.ranked = ranked;
    }

    /// `changed` are the rows that may be the selected thing now, where it is not in its place any more.
    fn find_selection(&mut self, list: &dyn List, workspace: &Workspace, changed: Option<&[Row]>) {
        let was = self.cursor;
        if self.follow {
            self.cursor = self.rows.len().saturating_sub(1);
        } else if let Some(key) = &self.selected {
            let is_it = |row: &Row| list.has(workspace, *row) && list.key(workspace, *row) == *key;
            let row = self.row.filter(is_it).or_else(|| match changed {
                Some(changed) => changed.iter().copied().find(|row| is_it(row)),
                None => self.rows.iter().copied().find(|row| is_it(row)),
            });
            let place = row.and_then(|row| self.rows.iter().position(|known| *known == row));
            // A thing that is gone leaves the selection where it was.
            self.cursor = place.unwrap_or(was);
        }
        self.cursor = self.cursor.min(self.rows.len().saturating_sub(1));
        self.offset = (self.offset + self.cursor).saturating_sub(was);
        self.select_at_cursor(list, workspace);
    }

    fn select_at_cursor(&mut self, list: &dyn List, workspace: &Workspace) {
        self.row = self.rows.get(self.cursor).copied();
        self.selected = self.row.map(|row| list.key(workspace, row));
        self.scroll_into_view();
    }

    /// Keeps the cursor on screen, and no empty space below the last row.
    pub fn scroll_into_view(&mut self) {
        let height = self.height.max(1);
        self.offset = self.offset.min(self.rows.len().saturating_sub(height));
        self.offset = self.offset.clamp((self.cursor + 1).saturating_sub(height), self.cursor);
    }

    /// Moves the cursor.
    pub fn go(&mut self, to: usize, list: &dyn List, workspace: &Workspace) {
        let last = self.rows.len().saturating_sub(1);
        self.cursor = to.min(last);
        self.follow = list.follows() && self.cursor == last;
        self.select_at_cursor(list, workspace);
    }

    /// Selects a thing, if it is there.
    pub fn select(&mut self, key: &Key, list: &dyn List, workspace: &Workspace) -> bool {
        let Some(place) = self.rows.iter().position(|&row| list.key(workspace, row) == *key) else { return false };
        self.go(place, list, workspace);
        true
    }

    /// Scrolls by rows, and takes the cursor along only where it would leave the screen.
    pub fn scroll(&mut self, by: isize, list: &dyn List, workspace: &Workspace) {
        let most = self.rows.len().saturating_sub(self.height.max(1));
        self.offset = self.offset.saturating_add_signed(by).min(most);
        let cursor = self.cursor.clamp(self.offset, self.offset + self.height.max(1) - 1);
        self.go(cursor, list, workspace);
    }

    /// Marks the selected thing, or takes the mark away.
    pub fn toggle_mark(&mut self) {
        if let Some(key) = self.selected.clone()
            && !self.marks.remove(&key)
        {
            self.marks.insert(key);
        }
    }

    /// Sorts by a column; by the same again turns it round.
    pub fn sort_by(&mut self, column: usize, descending_first: bool) {
        if self.column == column {
            self.descending = !self.descending;
        } else {
            (self.column, self.descending) = (column, descending_first);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::app::list::locks::LOCKS;
    use crate::mesh::derive::{Evaluator, Thresholds};
    use crate::model::observation::{Change, Delta, Observation};
    use crate::model::report::Report;
    use crate::model::{Lease, LockTable};
    use crate::testing::{NOW, lock, starting_mesh};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn rows_that_are_kept_up_to_date_are_rows_sorted_afresh(
            steps in prop::collection::vec(
                (prop::collection::vec((0u16..120, 0u8..9, -20i64..90), 0..30), prop::collection::vec(0u16..120, 0..8), 0u8..3, 0usize..2),
                1..12,
            ),
            meshes in 1usize..3, column in 0usize..12, descending: bool,
            filter in prop::sample::select(vec!["", "1", "holder:n2", "mesh:b"]),
        ) {
            let mut watched = [(starting_mesh(), Evaluator::default()), (starting_mesh(), Evaluator::default())];
            let mut workspace = Workspace::of(["a", "b"].into_iter().take(meshes));
            let mut now = NOW;
            let asked = Table { column, descending, filter: filter.into(), height: 10, ..Table::new(&LOCKS) };
            let mut kept = asked.clone();
            for (changed, gone, leases, mesh) in steps {
                let mesh = mesh % meshes;
                let (watch, evaluator) = &mut watched[mesh];
                let key = |i: u16| format!("a-rather-long-name-of-a-file-{i}");
                let row = |(i, node, left): (u16, u8, i64)| lock(&key(i), &format!("n{node}"), &node.to_string(), left * 1_000);
                let gone = gone.into_iter().map(|i| (key(i).as_str().into(), "9f2c41d07ab8e635".into())).collect();
                let delta = Delta { changed: changed.into_iter().map(row).collect(), gone };
                let lease = |i: u8| Lease {
                    lease_id: i.to_string().into(), task_id: None, scope_key: format!("s{i}").into(),
                    holder_node_id: "n1".into(), granted_at_ms: None, expires_at_ms: Some(NOW + 500_000),
                    state: "granted".into(), authoritative: true,
                };
                let changes = vec![
                    Change::SomeLocks(LockTable::Distributed, delta),
                    Change::Leases((0..leases).map(lease).collect()),
                ];
                now += 1_000;
                let observation = Observation { changes, ..Observation::default() };
                watch.apply(Report::Observed { source: 0, at_ms: now, observation: Box::new(observation) });
                let touched = watch.take_touched();
                let snapshot = evaluator.evaluate(watch, &touched, now, &Thresholds::default(), 1_000);
                workspace.set(mesh, Arc::new(snapshot), None);
                kept.refresh(&LOCKS, &workspace, None, now);
                let mut afresh = asked.clone();
                afresh.refresh(&LOCKS, &workspace, None, now);
                let keys = |table: &Table| table.rows.iter().map(|row| LOCKS.key(&workspace, *row)).collect::<Vec<_>>();
                prop_assert_eq!(keys(&kept), keys(&afresh));
                let selected = kept.rows.get(kept.cursor).map(|row| LOCKS.key(&workspace, *row));
                prop_assert_eq!(&kept.selected, &selected, "the selection names the row it stands on");
            }
        }
    }
}
