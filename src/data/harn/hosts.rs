//! Leases on machines, and who waits for them: the one queue that Harn serves itself. Read only; Harn's own `status`
//! would sweep while it looks.

use std::path::PathBuf;
use std::time::Instant;

use libsql::{Connection, Value};

use crate::data::model::{Lock, LockTable, Wait};
use crate::data::observation::{Change, Observation, Presence, Probe};
use crate::data::source::{Fault, Known, Polling, Source};
use crate::data::sqlite::{self, collect, data_version, open_read_only};
use crate::text::Text;
use crate::time::{Millis, plausible};

/// Rows of each kind that are read at most.
const MOST_ROWS: usize = 10_000;

/// The file of host leases.
pub struct Hosts {
    path: PathBuf,
    connection: Option<Connection>,
    version: Option<i64>,
    probed: bool,
}

impl Hosts {
    /// Reads the file at `path`.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self { path, connection: None, version: None, probed: false }
    }

    async fn poll_now(&mut self) -> Result<Observation, Fault> {
        let read = self.read().await;
        if read.is_err() {
            (self.connection, self.version) = (None, None);
        }
        read
    }

    async fn read(&mut self) -> Result<Observation, Fault> {
        let started = Instant::now();
        if !self.path.is_file() {
            return Err(Fault::transient(format!("{} does not exist", self.path.display())));
        }
        let connection = match &self.connection {
            Some(connection) => connection.clone(),
            None => self.connection.insert(open_read_only(&self.path).await?).clone(),
        };
        let version = data_version(&connection).await?;
        let mut seen = Observation::default();
        if self.version != Some(version) {
            let leases = ask(&connection, &format!(
                "SELECT host, resource_class, domain, lease_id, owner, acquired_at_ms, expires_at_ms, reason, owner_pid \
                 FROM host_leases ORDER BY 1, 2, 3 LIMIT {MOST_ROWS}"
            ))
            .await?;
            let waiters = ask(&connection, &format!(
                "SELECT host, resource_class, domain, waiter_id, priority_class, priority_rank, requested_at_ms, owner_pid \
                 FROM host_lease_waiters ORDER BY host, resource_class, domain, priority_rank, requested_at_ms, waiter_id \
                 LIMIT {MOST_ROWS}"
            ))
            .await?;
            seen.cost.rows = (leases.len() + waiters.len()) as u64;
            seen.changes.push(Change::Locks(LockTable::Host, leases.iter().map(|row| lease(row)).collect()));
            seen.changes.push(Change::Waits(waiters.iter().map(|row| waiter(row)).collect()));
            self.version = Some(version);
        }
        if !std::mem::replace(&mut self.probed, true) {
            let parts = vec![("host leases", Presence::Present)];
            seen.probe = Some(Probe { parts }.into());
        }
        seen.cost.ms = started.elapsed().as_secs_f64() * 1_000.0;
        Ok(seen)
    }
}

impl Source for Hosts {
    fn poll<'a>(&'a mut self, _: &'a Known) -> Polling<'a> {
        Box::pin(self.poll_now())
    }
}

async fn ask(connection: &Connection, sql: &str) -> Result<Vec<Vec<Value>>, Fault> {
    let fault = |message: &str| {
        let todo = if message.contains("no such") { "it is no file of host leases, or of another version" } else { "" };
        let fault = Fault::transient(format!("the file of host leases answered: {message}"));
        Fault { todo: todo.into(), ..fault }
    };
    let rows = connection.query(sql, ()).await.map_err(|e| fault(&e.to_string()))?;
    collect(rows).await.map_err(|e| fault(&e))
}

fn text(row: &[Value], i: usize) -> &str {
    row.get(i).and_then(sqlite::text).unwrap_or_default()
}

fn int(row: &[Value], i: usize) -> Option<i64> {
    row.get(i).and_then(sqlite::int)
}

/// An instant; what is none is unknown.
fn instant(row: &[Value], i: usize) -> Option<Millis> {
    int(row, i).filter(|at| plausible(*at))
}

/// Host, class and domain name a lease; the domain is left out where it is the usual one.
fn key(row: &[Value]) -> Text {
    let (host, class, domain) = (text(row, 0), text(row, 1), text(row, 2));
    if domain == "default" { format!("{host}:{class}").into() } else { format!("{host}:{class}:{domain}").into() }
}

fn lease(row: &[Value]) -> Lock {
    let process = int(row, 8).map(|pid| format!("process {pid}")).unwrap_or_default();
    let remark = [text(row, 7), &process].into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(", ");
    Lock {
        table: LockTable::Host,
        lock_key: key(row),
        repository_id: Text::default(),
        holder_node: Text::new(text(row, 4)),
        holder_agent: Text::new(text(row, 4)),
        fence_token: None,
        acquired_at_ms: instant(row, 5),
        expires_at_ms: instant(row, 6),
        shared: false,
        lease_id: Some(Text::new(text(row, 3))),
        condition: None,
        remark: (!remark.is_empty()).then(|| remark.into()),
    }
}

fn waiter(row: &[Value]) -> Wait {
    let process = int(row, 7).map_or_else(|| text(row, 3).to_owned(), |pid| format!("process {pid}"));
    Wait {
        resource: key(row),
        repository_id: Text::default(),
        agent: process.into(),
        since_ms: instant(row, 6),
        // Lower ranks are served first.
        priority: int(row, 5).map_or(0, i64::wrapping_neg),
        evidence: format!("host_lease_waiters {} ({})", text(row, 3), text(row, 4)).into(),
        exact: true,
    }
}
