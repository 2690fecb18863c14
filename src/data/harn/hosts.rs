//! Leases on machines, and who waits for them: the one queue that Harn serves itself. Read only; Harn's own `status`
//! would sweep while it looks.

use std::path::PathBuf;
use std::time::Instant;

use libsql::{Connection, Value};

use super::its_clock;
use super::process;
use crate::data::followed::{Followed, Reading};
use crate::data::source::{PollContext, Polling, Source};
use crate::data::sqlite::{self, collect};
use crate::model::observation::{Change, Observation, Presence, Probe};
use crate::model::source::Fault;
use crate::model::text::Text;
use crate::model::time::{Millis, plausible};
use crate::model::{Condition, Lock, LockTable, Wait};

/// Rows of each kind that are read at most.
const MOST_ROWS: usize = 10_000;

/// The file of host leases. It may be made long after the console started.
pub struct Hosts {
    file: Followed,
    /// Rows as they were read last.
    rows: Option<(Vec<LeaseRow>, Vec<WaiterRow>)>,
    /// What they were evaluated to be last: time and processes change that too.
    published: Option<(Vec<Lock>, Vec<Wait>)>,
    clock: fn() -> Millis,
}

impl Hosts {
    /// Reads the file at `path`. `clock` is the console's wall clock, by which Harn evaluates as well.
    #[must_use]
    pub fn new(path: PathBuf, clock: fn() -> Millis) -> Self {
        Self { file: Followed::new(path), rows: None, published: None, clock }
    }

    async fn poll_now(&mut self) -> Result<Observation, Fault> {
        let started = Instant::now();
        let mut seen = Observation { clock: Some(its_clock()), ..Observation::default() };
        match self.file.read().await? {
            // No lease was ever taken on this machine.
            Reading::Missing => self.rows = Some((Vec::new(), Vec::new())),
            Reading::Unchanged => {}
            Reading::Changed { connection, .. } => self.read(&connection, &mut seen).await?,
        }
        if self.published.is_none() {
            let parts = vec![("host leases", Presence::Present)];
            seen.probe = Some(Probe { parts }.into());
        }
        let now_ms = (self.clock)();
        if let Some((leases, waiters)) = &self.rows {
            let locks: Vec<Lock> = leases.iter().map(|row| row.evaluate(now_ms)).collect();
            let waits: Vec<Wait> = waiters.iter().filter(|row| row.waits(now_ms)).map(WaiterRow::fact).collect();
            let now = (locks, waits);
            if self.published.as_ref() != Some(&now) {
                seen.changes.push(Change::Locks(LockTable::Host, now.0.clone()));
                seen.changes.push(Change::Waits(now.1.clone()));
                self.published = Some(now);
            }
        }
        seen.cost.ms = started.elapsed().as_secs_f64() * 1_000.0;
        Ok(seen)
    }

    async fn read(&mut self, connection: &Connection, seen: &mut Observation) -> Result<(), Fault> {
        let leases = select(connection, "host_leases", LEASE_COLUMNS, "host, resource_class, domain").await?;
        let order = "host, resource_class, domain, priority_rank, requested_at_ms, waiter_id";
        let waiters = select(connection, "host_lease_waiters", WAITER_COLUMNS, order).await?;
        self.file.seen(false)?;
        seen.cost.rows = (leases.len() + waiters.len()) as u64;
        let leases = leases.iter().map(|row| LeaseRow { lock: lease(row), owner: owner(row, 8) }).collect();
        let waiters = waiters
            .iter()
            .map(|row| WaiterRow { wait: waiter(row), owner: owner(row, 7), deadline_ms: int(row, 9) })
            .collect();
        self.rows = Some((leases, waiters));
        Ok(())
    }
}

/// Columns that are read, in the order in which rows hold them.
const LEASE_COLUMNS: &[&str] = &[
    "host",
    "resource_class",
    "domain",
    "lease_id",
    "owner",
    "acquired_at_ms",
    "expires_at_ms",
    "reason",
    "owner_pid",
    "owner_process_identity",
];
const WAITER_COLUMNS: &[&str] = &[
    "host",
    "resource_class",
    "domain",
    "waiter_id",
    "priority_class",
    "priority_rank",
    "requested_at_ms",
    "owner_pid",
    "owner_process_identity",
    "deadline_at_ms",
];

/// A process of this machine: its id, and its birth where that was written down.
type Owner = Option<(u32, Option<u64>)>;

/// A lease as it was read, and whose it is.
struct LeaseRow {
    lock: Lock,
    owner: Owner,
}

/// One who waits, and until when.
struct WaiterRow {
    wait: Wait,
    owner: Owner,
    deadline_ms: Option<Millis>,
}

impl LeaseRow {
    /// A lease that names no end is in force while its owner lives, and is nobody's once it is dead.
    fn evaluate(&self, now_ms: Millis) -> Lock {
        let alive = self.owner.map(|(pid, birth)| process::is_alive(pid, birth));
        let condition = match (alive, self.lock.expires_at_ms) {
            (Some(false), end) if end.is_none_or(|end| end > now_ms) => Some(Condition::OwnerDead),
            (Some(true), None) => Some(Condition::OpenEnded),
            _ => None,
        };
        Lock { condition, ..self.lock.clone() }
    }
}

impl WaiterRow {
    /// Past its deadline nobody waits, and nobody does who is dead.
    fn waits(&self, now_ms: Millis) -> bool {
        self.deadline_ms.is_none_or(|at| at > now_ms)
            && self.owner.is_none_or(|(pid, birth)| process::is_alive(pid, birth))
    }

    fn fact(&self) -> Wait {
        self.wait.clone()
    }
}

fn owner(row: &[Value], at: usize) -> Owner {
    let pid = int(row, at).and_then(|pid| u32::try_from(pid).ok())?;
    Some((pid, int(row, at + 1).and_then(|birth| u64::try_from(birth).ok())))
}

impl Source for Hosts {
    fn poll<'a>(&'a mut self, _: &'a PollContext) -> Polling<'a> {
        Box::pin(self.poll_now())
    }
}

async fn ask(connection: &Connection, sql: &str) -> Result<Vec<Vec<Value>>, Fault> {
    let fault = |error: &libsql::Error| {
        let todo = match sqlite::code(error) {
            Some(sqlite::ERROR | sqlite::NOT_A_DATABASE) => "it is no file of host leases, or of another version",
            _ => "",
        };
        let fault = Fault::transient(format!("the file of host leases answered: {}", sqlite::reason(error)));
        Fault { todo: todo.into(), ..fault }
    };
    let rows = connection.query(sql, ()).await.map_err(|e| fault(&e))?;
    collect(rows).await.map_err(|e| fault(&e))
}

/// Rows of a table. Versions differ in columns: one that is not there is unknown.
async fn select(connection: &Connection, table: &str, columns: &[&str], order: &str) -> Result<Vec<Vec<Value>>, Fault> {
    let found = ask(connection, &format!("SELECT name FROM pragma_table_info('{table}')")).await?;
    let there = |column: &&str| found.iter().any(|row| text(row, 0) == *column);
    let listed: Vec<&str> = columns.iter().map(|column| if there(column) { column } else { "NULL" }).collect();
    ask(connection, &format!("SELECT {} FROM {table} ORDER BY {order} LIMIT {MOST_ROWS}", listed.join(", "))).await
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
        holder_node: Text::new(text(row, 4)),
        holder_agent: Text::new(text(row, 4)),
        acquired_at_ms: instant(row, 5),
        expires_at_ms: instant(row, 6),
        lease_id: Some(Text::new(text(row, 3))),
        remark: (!remark.is_empty()).then(|| remark.into()),
        ended_by: Some(ended_by(row).into()),
        ..Lock::default()
    }
}

/// The command that ends a lease.
fn ended_by(row: &[Value]) -> String {
    let quote = |word: &str| {
        let plain = !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
        if plain { word.to_owned() } else { format!("'{}'", word.replace('\'', "'\\''")) }
    };
    let [host, class, domain, id] = [0, 1, 2, 3].map(|column| quote(text(row, column)));
    format!("harn host lease release --host {host} --resource-class {class} --domain {domain} --lease-id {id} --json")
}

fn waiter(row: &[Value]) -> Wait {
    let process = int(row, 7).map_or_else(|| text(row, 3).to_owned(), |pid| format!("process {pid}"));
    Wait {
        resource: key(row),
        agent: process.into(),
        since_ms: instant(row, 6),
        // Lower ranks are served first.
        priority: int(row, 5).map_or(0, i64::wrapping_neg),
        evidence: format!("host_lease_waiters {} ({})", text(row, 3), text(row, 4)).into(),
        exact: true,
        ..Default::default()
    }
}
