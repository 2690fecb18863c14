//! Which rows of the large tables a poll reads: all of a small table, of a large local one those that changed.

use std::collections::{HashMap, HashSet};

use foldhash::fast::RandomState;
use libsql::Value;

use super::pages::follow::{Followed, Rows};
use super::pages::{Generation, Pages};
use crate::model::observation::Delta;
use crate::model::text::Text;

/// Tables with fewer rows are read whole: that costs as little as finding out what changed.
const SMALL: usize = 256;
/// Where more than one row in so many changed, all are read.
const SHARE: usize = 3;

/// What names a row to whoever keeps it.
pub type Name = (Text, Text);

/// What to read of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// Everything. `named` says that each row's rowid is wanted as its last value.
    Whole { named: bool },
    /// The rows of these rowids, in order. None may be left.
    Rows(Vec<i64>),
}

/// The pages to look at.
pub struct PageView<'a> {
    pub pages: &'a Pages,
    pub generation: Generation,
}

/// One table and the names of its rows.
#[derive(Debug, Default)]
pub struct TableTracker {
    followed: Option<Followed>,
    /// The root of a tree that cannot be followed.
    unfit: Option<u32>,
    names: HashMap<i64, Name, RandomState>,
    len: usize,
}

impl TableTracker {
    /// Decides what to read. `root` is where the table's tree begins, where that is known.
    pub fn ask(&mut self, page_view: Option<&PageView<'_>>, root: Option<u32>) -> Ask {
        let (Some(page_view), Some(root)) = (page_view, root.filter(|root| self.unfit != Some(*root))) else {
            self.followed = None;
            return Ask::Whole { named: false };
        };
        if self.len < SMALL {
            self.followed = None;
            return Ask::Whole { named: false };
        }
        let begun = self.followed.as_ref().is_some_and(|followed| followed.root() == root);
        let mut followed = self.followed.take().filter(|_| begun).unwrap_or_else(|| Followed::new(root));
        let generation = if begun { page_view.generation } else { Generation::Another };
        match followed.update(page_view.pages, generation, Rows::All) {
            Ok(moved) => {
                self.followed = Some(followed);
                let rows: Vec<i64> = moved.changed.union(&moved.gone).copied().collect();
                if begun && rows.len() <= self.len / SHARE { Ask::Rows(rows) } else { Ask::Whole { named: true } }
            }
            Err(_) => {
                // A tree of another kind, or one that is being rebuilt: what SQL says is enough.
                self.unfit = (!begun).then_some(root);
                Ask::Whole { named: false }
            }
        }
    }

    /// Takes the rows that a whole reading brought.
    pub fn take_whole(&mut self, rows: &[Vec<Value>], names: impl Iterator<Item = Option<Name>>) {
        self.len = rows.len();
        self.names.clear();
        let followed = self.followed.is_some();
        for (row, name) in rows.iter().zip(names) {
            if let (true, Some(rowid), Some(name)) = (followed, rowid(row), name) {
                self.names.insert(rowid, name);
            }
        }
    }

    /// Takes the rows that came for those that were asked for: what is not among them is gone.
    pub fn take_rows<T>(&mut self, asked: &[i64], rows: Vec<(i64, Name, T)>) -> Delta<T, Name> {
        let mut here: HashSet<Name, RandomState> = HashSet::default();
        let mut gone = Vec::new();
        let mut answered: HashSet<i64, RandomState> = HashSet::default();
        let mut changed = Vec::with_capacity(rows.len());
        for (rowid, name, row) in rows {
            answered.insert(rowid);
            here.insert(name.clone());
            gone.extend(self.names.insert(rowid, name));
            changed.push(row);
        }
        gone.extend(
            asked.iter().filter(|rowid| !answered.contains(rowid)).filter_map(|rowid| self.names.remove(rowid)),
        );
        gone.retain(|name| !here.contains(name));
        self.len = self.names.len();
        Delta { changed, gone }
    }
}

/// The messages that wait in one table.
#[derive(Debug, Default)]
pub struct InboxTracker {
    followed: Option<Followed>,
    unfit: Option<u32>,
    /// Polls since all that wait were listed.
    since: u32,
}

/// All that wait are listed this often, in polls: a message that is taken up again after it was acknowledged is seen then.
const LIST_EVERY: u32 = 30;

impl InboxTracker {
    /// Decides which of the messages that wait to read again; the new ones are read anyway.
    pub fn ask(&mut self, page_view: Option<&PageView<'_>>, root: Option<u32>, waiting: &HashSet<i64>) -> Ask {
        let (Some(page_view), Some(root)) = (page_view, root.filter(|root| self.unfit != Some(*root))) else {
            self.followed = None;
            return Ask::Whole { named: false };
        };
        if waiting.len() < SMALL {
            self.followed = None;
            return Ask::Whole { named: false };
        }
        let mut ids: Vec<i64> = waiting.iter().copied().collect();
        ids.sort_unstable();
        let begun = self.followed.as_ref().is_some_and(|followed| followed.root() == root);
        let mut followed = self.followed.take().filter(|_| begun).unwrap_or_else(|| Followed::new(root));
        let generation = if begun { page_view.generation } else { Generation::Another };
        self.since += 1;
        match followed.update(page_view.pages, generation, Rows::These(&ids)) {
            Ok(moved) => {
                self.followed = Some(followed);
                let rows: Vec<i64> = moved.changed.union(&moved.gone).copied().collect();
                if begun && rows.len() <= waiting.len() / SHARE && self.since < LIST_EVERY {
                    return Ask::Rows(rows);
                }
                self.since = 0;
                Ask::Whole { named: false }
            }
            Err(_) => {
                self.unfit = (!begun).then_some(root);
                Ask::Whole { named: false }
            }
        }
    }
}

/// The rowid of a row that was read with it.
pub fn rowid(row: &[Value]) -> Option<i64> {
    match row.last() {
        Some(Value::Integer(rowid)) => Some(*rowid),
        _ => None,
    }
}
