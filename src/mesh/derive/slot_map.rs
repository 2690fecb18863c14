//! Where rows of tables stand in a slab.

/// A row: its source, its table, its place there. Rows are many, so this is small.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct At {
    source: u16,
    table: u16,
    pub(super) place: u32,
}

impl At {
    /// A place in a table of a source. No mesh has 65 536 sources.
    pub(super) fn new(source: usize, table: usize, place: u32) -> Self {
        let small = |n| u16::try_from(n).unwrap_or(u16::MAX);
        Self { source: small(source), table: small(table), place }
    }

    pub(super) fn source(self) -> usize {
        usize::from(self.source)
    }

    pub(super) fn table(self) -> usize {
        usize::from(self.table)
    }
}

/// No place.
const NOWHERE: u32 = u32::MAX;

/// Places in a slab by row, and the other way round. A place that is free is given away again.
#[derive(Debug, Default)]
pub(super) struct SlotMap {
    /// By source, by table, by place in the table.
    of: Vec<Vec<Vec<u32>>>,
    rows: Vec<Option<At>>,
    free: Vec<u32>,
}

impl SlotMap {
    /// The place of a row.
    pub(super) fn of(&self, at: At) -> Option<u32> {
        self.of.get(at.source())?.get(at.table())?.get(at.place as usize).copied().filter(|home| *home != NOWHERE)
    }

    /// The row at a place.
    pub(super) fn row(&self, home: u32) -> Option<At> {
        self.rows.get(home as usize).copied().flatten()
    }

    /// Gives a row a place.
    pub(super) fn enter(&mut self, at: At) -> u32 {
        let home = self.free.pop().unwrap_or_else(|| {
            self.rows.push(None);
            u32::try_from(self.rows.len() - 1).unwrap_or(NOWHERE)
        });
        self.rows[home as usize] = Some(at);
        self.of.resize(self.of.len().max(at.source() + 1), Vec::new());
        let tables = &mut self.of[at.source()];
        tables.resize(tables.len().max(at.table() + 1), Vec::new());
        let places = &mut tables[at.table()];
        places.resize(places.len().max(at.place as usize + 1), NOWHERE);
        places[at.place as usize] = home;
        home
    }

    /// Takes a row's place away.
    pub(super) fn leave(&mut self, at: At) {
        let Some(home) = self.of(at) else { return };
        self.of[at.source()][at.table()][at.place as usize] = NOWHERE;
        self.rows[home as usize] = None;
        self.free.push(home);
    }
}
