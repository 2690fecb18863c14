//! Where rows of tables stand in a slab.

/// A row: its source, its table, its place there.
pub(super) type At = (usize, usize, u32);

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
        self.of.get(at.0)?.get(at.1)?.get(at.2 as usize).copied().filter(|home| *home != NOWHERE)
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
        self.of.resize(self.of.len().max(at.0 + 1), Vec::new());
        let tables = &mut self.of[at.0];
        tables.resize(tables.len().max(at.1 + 1), Vec::new());
        let places = &mut tables[at.1];
        places.resize(places.len().max(at.2 as usize + 1), NOWHERE);
        places[at.2 as usize] = home;
        home
    }

    /// Takes a row's place away.
    pub(super) fn leave(&mut self, at: At) {
        let Some(home) = self.of(at) else { return };
        self.of[at.0][at.1][at.2 as usize] = NOWHERE;
        self.rows[home as usize] = None;
        self.free.push(home);
    }
}
