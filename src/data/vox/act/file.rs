//! A local file, opened for one action alone.
//!
//! A file that others own is opened only while nobody has it in hand. Closing the last SQLite connection folds the
//! log into the file and removes it, which would pull it from under an engine that came meanwhile and ignores
//! SQLite's locks; so the open files are looked at once more, and then the connection is abandoned instead of
//! closed: nothing is folded, and its locks are given back.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use libsql::{Builder, Connection, OpenFlags};

use super::holders;

/// How long SQLite waits for its own locks.
const PATIENCE: Duration = Duration::from_secs(2);

/// An open file.
pub struct OpenFile {
    connection: Option<Connection>,
    path: PathBuf,
    /// Ours by configuration: SQLite's locks alone decide.
    direct: bool,
}

impl OpenFile {
    /// Opens it, or says why not.
    pub async fn open(path: &Path, direct: bool) -> Result<Self, String> {
        let todo = "; end that process, act through its control plane, or set db_access = \"direct\" if only SQLite \
                    uses the file";
        if !direct {
            holders::nobody_holds(path).map_err(|why| why + todo)?;
        }
        let fault = |e: libsql::Error| format!("{} cannot be opened: {e}", path.display());
        let builder = Builder::new_local(path).flags(OpenFlags::SQLITE_OPEN_READ_WRITE);
        let connection = builder.build().await.map_err(fault)?.connect().map_err(fault)?;
        connection.busy_timeout(PATIENCE).map_err(fault)?;
        let open = Self { connection: Some(connection), path: path.to_owned(), direct };
        // Nothing was read yet, so closing now folds nothing.
        if !direct && let Err(why) = holders::nobody_has_open(path) {
            return Err(why + todo);
        }
        Ok(open)
    }

    /// Its connection.
    #[must_use]
    pub fn connection(&self) -> Option<&Connection> {
        self.connection.as_ref()
    }
}

impl Drop for OpenFile {
    fn drop(&mut self) {
        let Some(connection) = self.connection.take() else { return };
        if !self.direct && holders::nobody_has_open(&self.path).is_err() {
            std::mem::forget(connection);
            // Opening and closing the file gives back every lock that this process has on it.
            drop(File::open(&self.path));
        }
    }
}
