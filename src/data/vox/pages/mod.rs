//! Which rows of a local table changed, found by looking at its pages rather than by reading it.
//!
//! A poll of a large table in which little changed should cost little. SQL has no way to ask what changed since; the
//! file has: a row that changed stands on a page that changed. So the tree of a table is walked (a few pages), pages
//! whose content is another are taken apart into cells, and cells are compared by hash with what stood there before.
//! Nothing is decoded here: the rows that changed are then read by SQL, by their rowids, like any others.
//!
//! What is seen here may be torn by a writer, so it is only ever a hint about *which* rows to read, and it is taken
//! before they are read: a row that changes in between has another hash the next time, and is read again. A row that
//! seems gone is asked for by SQL before it is believed. The format is the one of
//! <https://www.sqlite.org/fileformat2.html>.

pub mod cells;
pub mod follow;
mod index;
pub mod wal;

use std::collections::HashSet;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use foldhash::fast::RandomState;

use self::wal::Wal;
use crate::data::vox::file_copy::fingerprint::beside;
use crate::os::file::{read_exact_at, stat, stat_open};

/// Pages that are read at once at most.
const AT_ONCE: u32 = 64;

/// The pages of a database file and its write-ahead log, as they are now.
#[derive(Debug)]
pub struct Pages {
    /// Stays open as long as a connection to the file does: closing it would release the connection's locks.
    main: File,
    path: PathBuf,
    wal_path: PathBuf,
    index_path: PathBuf,
    wal: Wal,
    size: usize,
    /// Bytes at the end of a page that hold no cells.
    reserved: usize,
    /// What was written to a file without a log, where that is known.
    told: Option<HashSet<u32, RandomState>>,
}

/// What a look at the log says about pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Generation {
    /// The same log, perhaps longer.
    Same,
    /// Another log: any page may be another.
    Another,
}

impl Pages {
    /// Opens a database file for plain reads.
    pub fn open(path: &Path) -> io::Result<Self> {
        let main = File::open(path)?;
        let mut header = [0; 100];
        read_exact_at(&main, &mut header, 0)?;
        let size = match u16::from_be_bytes([header[16], header[17]]) {
            1 => 65_536,
            size if size.is_power_of_two() && size >= 512 => usize::from(size),
            _ => return Err(io::Error::new(io::ErrorKind::InvalidData, "not a SQLite or libSQL database")),
        };
        let reserved = usize::from(header[20]);
        Ok(Self {
            main,
            path: path.to_owned(),
            wal_path: beside(path, "-wal"),
            index_path: beside(path, "-shm"),
            wal: Wal::default(),
            size,
            reserved,
            told: None,
        })
    }

    /// Follows the log to its end.
    pub fn refresh(&mut self) -> io::Result<Generation> {
        let is_same = self.is_same_file()?;
        let log = self.wal.refresh(&self.wal_path, &self.index_path, self.size)?;
        if is_same {
            // Without a log, changes are made to the file itself.
            return Ok(if self.wal.is_there() { log } else { Generation::Another });
        }
        *self = Self::open(&self.path)?;
        self.wal.refresh(&self.wal_path, &self.index_path, self.size)?;
        Ok(Generation::Another)
    }

    /// Looks at a file that has no log, and of which somebody knows what was written to it since the last look. Nothing where
    /// any page may be another.
    pub fn refresh_told(&mut self, written: Option<HashSet<u32, RandomState>>) -> io::Result<Generation> {
        let generation = self.refresh()?;
        let is_same = self.is_same_file()?;
        self.told = written.filter(|_| is_same && !self.wal.is_there());
        Ok(if self.told.is_some() { Generation::Same } else { generation })
    }

    /// Whether the file that is open is the one under the name.
    fn is_same_file(&self) -> io::Result<bool> {
        Ok(stat_open(&self.main)?.id == stat(&self.path)?.id)
    }

    /// Bytes of a page that cells may use.
    #[must_use]
    pub fn usable(&self) -> usize {
        self.size - self.reserved
    }

    /// Reads a page as the last commit left it.
    pub fn read(&self, number: u32, into: &mut Vec<u8>) -> io::Result<()> {
        into.resize(self.size, 0);
        match self.wal.frame_of(number) {
            Some((log, offset)) => read_exact_at(log, into, offset),
            None => {
                let before = u64::from(number.max(1) - 1);
                read_exact_at(&self.main, into, before * self.size as u64)
            }
        }
    }

    /// Reads pages one after another, those that stand side by side at once.
    pub fn read_each(&self, numbers: &[u32], mut see: impl FnMut(u32, &[u8]) -> io::Result<()>) -> io::Result<()> {
        let mut content = Vec::new();
        let mut rest = numbers;
        while let Some(&first) = rest.first() {
            let beside = (0..AT_ONCE).zip(rest).take_while(|(i, number)| **number == first.wrapping_add(*i));
            let n = beside.take_while(|(_, number)| self.wal.frame_of(**number).is_none()).count();
            if n < 2 {
                self.read(first, &mut content)?;
                see(first, &content)?;
                rest = &rest[1..];
                continue;
            }
            content.resize(self.size * n, 0);
            read_exact_at(&self.main, &mut content, u64::from(first.max(1) - 1) * self.size as u64)?;
            for (number, page) in rest.iter().zip(content.chunks(self.size)) {
                see(*number, page)?;
            }
            rest = &rest[n..];
        }
        Ok(())
    }

    /// Pages that were committed to the log between the last two polls.
    #[must_use]
    pub fn written(&self) -> &HashSet<u32, RandomState> {
        self.told.as_ref().unwrap_or_else(|| self.wal.written())
    }
}

#[cfg(test)]
mod tests {
    use libsql::{Builder, Connection};

    use super::*;

    /// Every page, as the last commit left it.
    fn all(pages: &Pages) -> Vec<Vec<u8>> {
        let mut found = Vec::new();
        let mut page = Vec::new();
        while found.len() < 10_000 && pages.read(u32::try_from(found.len() + 1).unwrap(), &mut page).is_ok() {
            found.push(page.clone());
        }
        found
    }

    async fn write(connection: &Connection, rng: &mut fastrand::Rng) {
        let rows = rng.u32(1..40);
        let from = rng.u32(0..400);
        let text = "x".repeat(rng.usize(1..300));
        let sql = "WITH RECURSIVE n(i) AS (SELECT ?1 UNION ALL SELECT i + 7 FROM n LIMIT ?2) INSERT OR REPLACE INTO t SELECT i, ?3 FROM n";
        connection.execute(sql, libsql::params![from, rows, text]).await.unwrap();
    }

    #[tokio::test]
    async fn what_is_called_the_same_log_tells_each_page_that_changed() {
        let mut across = 0;
        for seed in 0..6 {
            let mut rng = fastrand::Rng::with_seed(seed);
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("mesh.db");
            let database = Builder::new_local(&path).build().await.unwrap();
            let writer = database.connect().unwrap();
            for sql in ["PRAGMA journal_mode = wal", "PRAGMA wal_autocheckpoint = 12"] {
                writer.query(sql, ()).await.unwrap().next().await.unwrap();
            }
            writer.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, text)", ()).await.unwrap();
            let mut pages = Pages::open(&path).unwrap();
            let (mut before, mut salts) = (Vec::new(), [0; 8]);
            for _ in 0..120 {
                for _ in 0..rng.u32(0..4) {
                    write(&writer, &mut rng).await;
                }
                let generation = pages.refresh().unwrap();
                let now = all(&pages);
                if generation == Generation::Same {
                    let changed = (0u32..).zip(&now).filter(|(i, page)| before.get(*i as usize) != Some(*page));
                    let changed: HashSet<u32, RandomState> = changed.map(|(i, _)| i + 1).collect();
                    assert!(changed.is_subset(pages.written()), "seed {seed}: {changed:?} {:?}", pages.written());
                    across += u32::from(pages.wal.salts() != salts);
                }
                (before, salts) = (now, pages.wal.salts());
            }
        }
        assert!(across > 20, "a log that began anew was followed {across} times");
    }
}
