//! One table, followed from page to page.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::hash::{BuildHasher, Hasher};
use std::io;

use foldhash::fast::{FixedState, RandomState};

use super::cells::{Page, parse};
use super::{Generation, Pages};

/// How deep a tree may be, and how many pages a row may go on: more is a damaged file.
const DEEPEST: usize = 20;
const LONGEST: usize = 1 << 16;

/// A table whose rows were seen.
#[derive(Debug, Default)]
pub struct Followed {
    root: u32,
    leaves: HashMap<u32, Leaf, RandomState>,
    /// Leaves from left to right, each with the highest rowid that may stand on it.
    order: Vec<(u32, i64)>,
    /// Pages that say which leaves there are: while none of them is written, the order stays.
    inner: HashSet<u32, RandomState>,
}

#[derive(Debug)]
struct Leaf {
    hash: u64,
    /// Rowids, and a hash of each row.
    rows: Vec<(i64, u64)>,
    /// Some row goes on on other pages, which may change without this one.
    goes_on: bool,
}

/// What is another than at the last poll, by rowid.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Moved {
    /// Rows that are new, or not as they were.
    pub changed: BTreeSet<i64>,
    /// Rows that are not where they were, nor anywhere else that was looked at.
    pub gone: BTreeSet<i64>,
}

/// Which rows matter.
#[derive(Debug, Clone, Copy)]
pub enum Rows<'a> {
    All,
    /// These, in order: leaves without them are left alone.
    These(&'a [i64]),
}

impl Followed {
    /// Follows the table whose tree begins at `root`.
    #[must_use]
    pub fn new(root: u32) -> Self {
        Self { root, ..Self::default() }
    }

    /// Where the tree begins.
    #[must_use]
    pub fn root(&self) -> u32 {
        self.root
    }

    /// Looks at what changed. An error says that the pages make no sense (now): nothing is known then.
    pub fn update(&mut self, pages: &Pages, generation: Generation, rows: Rows<'_>) -> io::Result<Moved> {
        let written = pages.written();
        let suspect = |page: u32| generation == Generation::Another || written.contains(&page);
        let moved = generation == Generation::Another || self.inner.iter().any(|page| written.contains(page));
        if self.order.is_empty() || moved {
            (self.order, self.inner) = walk(pages, self.root)?;
        }
        let wanted = self.wanted(rows);
        let (mut before, mut now): (Hashes, Hashes) = Default::default();
        let kept: HashSet<u32, RandomState> = wanted.iter().copied().collect();
        self.leaves.retain(|number, leaf| {
            if !kept.contains(number) {
                before.extend(leaf.rows.iter().copied());
            }
            kept.contains(number)
        });
        let leaves = &mut self.leaves;
        let stands = |number: &u32| leaves.get(number).is_some_and(|leaf| !leaf.goes_on) && !suspect(*number);
        let wanted: Vec<u32> = wanted.into_iter().filter(|number| !stands(number)).collect();
        pages.read_each(&wanted, |number, page| {
            let hash = FixedState::default().hash_one(page);
            if leaves.get(&number).is_some_and(|leaf| !leaf.goes_on && leaf.hash == hash) {
                return Ok(());
            }
            let leaf = take_apart(pages, page, number, hash)?;
            let known = leaves.remove(&number).map(|leaf| leaf.rows).unwrap_or_default();
            compare(&known, &leaf.rows, &mut before, &mut now);
            leaves.insert(number, leaf);
            Ok(())
        })?;
        let matters = |rowid: &i64| match rows {
            Rows::All => true,
            Rows::These(rows) => rows.binary_search(rowid).is_ok(),
        };
        let changed = now.iter().filter(|(rowid, hash)| before.get(rowid) != Some(hash)).map(|(rowid, _)| *rowid);
        let gone = before.keys().filter(|rowid| !now.contains_key(rowid)).copied();
        Ok(Moved { changed: changed.filter(matters).collect(), gone: gone.filter(matters).collect() })
    }

    /// The leaves that the rows stand on.
    fn wanted(&self, rows: Rows<'_>) -> Vec<u32> {
        let Rows::These(rows) = rows else { return self.order.iter().map(|(page, _)| *page).collect() };
        let mut wanted = Vec::new();
        let mut at = 0;
        for &rowid in rows {
            at += self.order[at..].partition_point(|(_, highest)| *highest < rowid);
            let Some((page, _)) = self.order.get(at) else { break };
            if wanted.last() != Some(page) {
                wanted.push(*page);
            }
        }
        wanted
    }
}

/// Hashes of rows, by rowid.
type Hashes = HashMap<i64, u64, RandomState>;

/// Notes the rows of a leaf that are not as they were. Both are in the order of the rowids.
fn compare(known: &[(i64, u64)], rows: &[(i64, u64)], before: &mut Hashes, now: &mut Hashes) {
    let (mut known, mut rows) = (known.iter().peekable(), rows.iter().peekable());
    loop {
        match (known.peek(), rows.peek()) {
            (None, None) => return,
            (Some(a), Some(b)) if a == b => {
                known.next();
                rows.next();
            }
            (Some(a), b) if b.is_none_or(|b| a.0 <= b.0) => before.extend(known.next().copied()),
            _ => now.extend(rows.next().copied()),
        }
    }
}

/// Leaves from left to right, and the pages above them. The root is always among these.
type Tree = (Vec<(u32, i64)>, HashSet<u32, RandomState>);

/// Every page of a tree.
fn walk(pages: &Pages, root: u32) -> io::Result<Tree> {
    let (mut leaves, mut page) = (Vec::new(), Vec::new());
    let mut open = vec![(root, i64::MAX, 0)];
    let mut seen: HashSet<u32, RandomState> = HashSet::default();
    while let Some((number, highest, depth)) = open.pop() {
        if depth > DEEPEST || !seen.insert(number) {
            return Err(odd());
        }
        // Leaves are many, and all at one depth: where one child of a page is a leaf, they all are.
        pages.read(number, &mut page)?;
        match parse(&page, number == 1, pages.usable()).map_err(|_| odd())? {
            Page::Leaf(_) => leaves.push((number, highest)),
            Page::Inner(below) => {
                let first = below.first().map_or(0, |(child, _)| *child);
                pages.read(first, &mut page)?;
                let leaf = page.get(if first == 1 { 100 } else { 0 }) == Some(&13);
                let ends = below.into_iter().map(|(child, end)| (child, end.unwrap_or(highest)));
                if leaf {
                    leaves.extend(ends);
                } else {
                    open.extend(ends.rev().map(|(child, end)| (child, end, depth + 1)));
                }
            }
        }
    }
    Ok((leaves, seen))
}

fn take_apart(pages: &Pages, page: &[u8], number: u32, hash: u64) -> io::Result<Leaf> {
    let Ok(Page::Leaf(cells)) = parse(page, number == 1, pages.usable()) else { return Err(odd()) };
    let mut beyond = Vec::new();
    let mut rows = Vec::with_capacity(cells.len());
    let goes_on = cells.iter().any(|cell| cell.rest.is_some());
    for cell in cells {
        let mut hasher = FixedState::default().build_hasher();
        hasher.write(&page[cell.bytes]);
        let mut rest = cell.rest;
        let mut steps = 0;
        while let Some((next, left)) = rest {
            steps += 1;
            if steps > LONGEST || next == 0 {
                return Err(odd());
            }
            pages.read(next, &mut beyond)?;
            let here = left.min(pages.usable() - 4);
            hasher.write(&beyond[4..4 + here]);
            let after = u32::from_be_bytes([beyond[0], beyond[1], beyond[2], beyond[3]]);
            rest = (left > here).then_some((after, left - here));
        }
        rows.push((cell.rowid, hasher.finish()));
    }
    Ok(Leaf { hash, rows, goes_on })
}

fn odd() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the pages of a table make no sense")
}
