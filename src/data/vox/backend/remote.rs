//! A remote libSQL database over Hrana: one batch, hence one round trip, a poll. While much changes all the time, a private
//! replica of it is read instead, if one can be kept.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use secrecy::SecretString;

use super::busy::{Busy, LARGEST};
use super::gate::Gate;
use super::replica::Replica;
use super::{News, ReadError, Rows, Spent};

use crate::config::address::Address;
use crate::config::token::Token;
use crate::data::store::KEEP_FREE;
use crate::data::tls;
use crate::data::tls::Tls;
use crate::data::vox::hrana::{Client, HranaError, Lost, Standing};
use crate::data::vox::trackers::PageView;
use crate::model::observation::ClockSample;
use crate::model::source::Fault;
use crate::model::text::Text;
use crate::model::time::{self, Millis};
use crate::os::disk::free_bytes;
use crate::os::folder_of;

/// A remote database, read.
pub struct Remote {
    address: Address,
    token: Option<Token>,
    client: Client,
    gate: Gate,
    /// How it stood before the first reading of this poll.
    before: Option<Standing>,
    /// The version of its schema at the last reading.
    schema: Option<i64>,
    /// Whether it counts its commits, where that is known.
    counts: Option<bool>,
    busy: Busy,
    /// Where a replica may be kept, and how.
    may_keep: Option<Keep>,
    replica: Option<Box<Replica>>,
    /// The first sync of one, beside the polls.
    beginning: Option<Beginning>,
    /// Why no replica is kept although one was wanted.
    without: Option<Text>,
    /// The reading of this poll.
    reading: Option<Reading>,
    /// The last one that was whole.
    read: Option<Reading>,
    /// Whether something was written that is not read yet, or was at the last polls.
    behind: bool,
    /// Polls since the clock was read.
    since_clock: u32,
}

/// A first sync. It ends with the value.
struct Beginning(tokio::task::JoinHandle<(Box<Replica>, Spent, Result<News, Fault>)>);

impl Drop for Beginning {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A reading by queries.
#[derive(Debug, Clone, Copy)]
struct Reading {
    began: Instant,
    at_ms: Millis,
    rows: u64,
    /// How long it took to take its answers apart.
    took: Duration,
}

/// What a private replica takes.
struct Keep {
    path: PathBuf,
    tls: Tls,
}

/// While nothing is read, the database's clock is read once in so many polls.
const CLOCK_EVERY: u32 = 60;
/// The size of a database, in bytes.
const SIZE_SQL: &str = "SELECT p.page_count * s.page_size FROM pragma_page_count p, pragma_page_size s";

impl Remote {
    /// Connects at the first read. `max_answer` bounds an answer, in bytes.
    #[must_use]
    pub fn new(address: Address, token: Option<Token>, max_answer: u64, tls: Tls) -> Self {
        let client = Client::new(&address, tls, max_answer);
        Self {
            address,
            token,
            client,
            gate: Gate::default(),
            before: None,
            schema: None,
            counts: None,
            busy: Busy::default(),
            may_keep: None,
            replica: None,
            beginning: None,
            without: None,
            reading: None,
            read: None,
            behind: false,
            since_clock: CLOCK_EVERY,
        }
    }

    /// The same, which may keep a replica in `folder` while much changes.
    #[must_use]
    pub fn keeping(self, folder: PathBuf, tls: Tls) -> Self {
        Self { may_keep: Some(Keep { path: folder.join("replica.db"), tls }), ..self }
    }

    /// Finds out whether something was written, where the server counts what is: without reading a row.
    pub(super) async fn news(
        &mut self,
        spent: &mut Spent,
        clock: fn() -> Millis,
    ) -> Result<(News, Option<ClockSample>), Fault> {
        (self.before, self.reading) = (None, None);
        let wants = self.replica.is_none() && self.counts == Some(true) && self.busy.wants_replica(Instant::now());
        if wants {
            self.keep_replica(spent).await;
        }
        self.take_begun(spent).await;
        if self.replica.is_none() && !self.gate.is_asked() && !self.rests() {
            return Ok((News::Some, None));
        }
        let token = self.token().await?;
        spent.round_trips += 1;
        let sent_ms = clock();
        let in_full = self.since_clock >= CLOCK_EVERY;
        self.since_clock = if in_full { 0 } else { self.since_clock + 1 };
        let (now, bytes) = self.client.standing(token.as_ref(), in_full).await.map_err(|error| {
            self.gate.forget();
            self.client.reconnect();
            explain(error).into_fault()
        })?;
        (spent.bytes, spent.read) = (spent.bytes + bytes, Some(0));
        let sample = now.clock_ms.map(|at| ClockSample::between(sent_ms, at, clock(), 1));
        if !self.gate.moved(now.commits) {
            self.behind = false;
            return Ok((News::None, sample));
        }
        if self.replica.is_some() && self.sync(spent).await {
            self.before = Some(now);
        } else if self.rests() {
            self.behind = true;
            return Ok((News::None, sample));
        }
        Ok((News::Some, sample))
    }

    /// Whether the last reading took so much that nothing is read yet.
    fn rests(&self) -> bool {
        let since = self.read.map(|read| read.began.elapsed());
        self.replica.is_none() && since.zip(self.busy.rest()).is_some_and(|(since, rest)| since < rest)
    }

    /// Of when what is read is, where that is read seldom.
    pub(super) fn old(&self) -> Option<(Millis, Fault)> {
        let (read, rest) = (self.read?, self.busy.rest()?);
        if self.replica.is_some() || !self.behind {
            return None;
        }
        let seconds = rest.as_secs_f64().ceil();
        let mut what = format!("its {} rows are read once in {seconds} s, for reading them costs much", read.rows);
        if let Some(why) = &self.without {
            what += &format!("; {why}");
        }
        Some((read.at_ms, Fault::transient(what)))
    }

    /// Begins a replica, if there is room for it.
    async fn keep_replica(&mut self, spent: &mut Spent) {
        let Some(keep) = &self.may_keep else { return };
        let (path, tls) = (keep.path.clone(), keep.tls.clone());
        let size = self.run_timed(&[SIZE_SQL], spent).await.ok();
        let size = size.and_then(|(rows, _)| match rows.first()?.first()?.first()? {
            libsql::Value::Integer(size) => u64::try_from(*size).ok(),
            _ => None,
        });
        let free = free_bytes(folder_of(&path)).unwrap_or(u64::MAX);
        let why = match size {
            None => "no replica: the server does not tell its size".into(),
            Some(size) if size > LARGEST => format!(
                "no replica: it is {}, more than the {} that are kept unasked (replica_path)",
                time::bytes(size),
                time::bytes(LARGEST)
            ),
            Some(size) if free < size + KEEP_FREE => {
                format!("no replica: it is {}, and {} are free (snapshot.dir)", time::bytes(size), time::bytes(free))
            }
            Some(_) => {
                let replica = Replica::new(self.address.clone(), path, self.token.clone(), Duration::ZERO, 2 * LARGEST);
                let mut replica = Box::new(replica.with_tls(tls));
                self.busy.begin(Instant::now());
                self.beginning = Some(Beginning(tokio::spawn(async move {
                    let mut spent = Spent::default();
                    let outcome = replica.news(&mut spent).await;
                    (replica, spent, outcome)
                })));
                return;
            }
        };
        self.without = Some(why.into());
        self.busy.give_up(Instant::now());
    }

    /// Takes a replica whose first sync has ended; from now on it is read.
    async fn take_begun(&mut self, spent: &mut Spent) {
        let Some(beginning) = &mut self.beginning else { return };
        if !beginning.0.is_finished() {
            if self.busy.is_overdue(Instant::now()) {
                self.give_up("no replica: the first sync takes too long".into());
            }
            return;
        }
        match (&mut beginning.0).await {
            Ok((replica, cost, Ok(_))) => {
                spent.bytes += cost.bytes;
                spent.round_trips += cost.round_trips;
                self.busy.synced(Duration::ZERO);
                (self.replica, self.beginning, self.without) = (Some(replica), None, None);
                // It is read whole, whatever is known.
                self.gate.forget();
            }
            Ok((.., Err(fault))) => self.give_up(format!("no replica: {fault}")),
            Err(_) => self.give_up("no replica: the client library failed".into()),
        }
    }

    /// Brings the replica up to date. Answers whether it is; one that is not is given up.
    async fn sync(&mut self, spent: &mut Spent) -> bool {
        let Some(replica) = &mut self.replica else { return false };
        let began = Instant::now();
        let why = match replica.news(spent).await {
            Err(fault) => format!("no replica: {fault}"),
            Ok(_) if replica.old().is_some() => "no replica: a sync failed".into(),
            Ok(_) if !self.busy.synced(began.elapsed()) => "no replica: more changes than it can follow".into(),
            Ok(_) => return true,
        };
        self.give_up(why);
        false
    }

    fn give_up(&mut self, why: String) {
        tracing::info!(%why, "the remote is read by queries");
        (self.replica, self.beginning) = (None, None);
        if let Some(keep) = &self.may_keep {
            Replica::remove_all(&keep.path);
        }
        self.without = Some(why.into());
        self.busy.give_up(Instant::now());
    }

    /// The pages of the replica.
    pub(super) fn page_view(&mut self) -> Option<PageView<'_>> {
        self.replica.as_mut()?.page_view()
    }

    /// Bytes that came so far.
    pub(super) fn progress(&self) -> Arc<AtomicU64> {
        self.client.progress()
    }

    /// Whether a replica is read.
    pub(super) fn is_local(&self) -> bool {
        self.replica.is_some()
    }

    /// The replica cannot be one of a whole database.
    pub(super) fn distrust(&mut self) {
        if let Some(replica) = &mut self.replica {
            replica.distrust();
        }
    }

    /// What was read is whole, or is not.
    pub(super) fn settle(&mut self, is_whole: bool) {
        if let Some(reading) = self.reading.take().filter(|_| is_whole) {
            self.busy.read(reading.rows, reading.took);
            self.read = Some(reading);
        }
        match self.before.filter(|_| is_whole) {
            Some(before) => self.gate.read(before.commits),
            None => self.gate.forget(),
        }
    }

    /// Whether the server is known not to count its commits.
    pub(super) fn is_read_blindly(&self) -> bool {
        self.counts == Some(false)
    }

    /// Read anew each time: a token may have been renewed.
    async fn token(&self) -> Result<Option<SecretString>, Fault> {
        match &self.token {
            Some(token) => Ok(Some(token.read().await?)),
            None => Ok(None),
        }
    }

    pub(super) async fn run(
        &mut self,
        statements: &[&str],
        spent: &mut Spent,
        clock: fn() -> Millis,
    ) -> Result<Vec<Rows>, ReadError> {
        if let Some(replica) = &mut self.replica {
            return super::run_local(replica.connection().await?, statements).await;
        }
        let (began, at_ms) = (Instant::now(), clock());
        let (answers, took) = self.run_timed(statements, spent).await?;
        let reading = self.reading.get_or_insert(Reading { began, at_ms, rows: 0, took: Duration::ZERO });
        reading.rows += answers.iter().map(|rows| rows.len() as u64).sum::<u64>();
        reading.took += took;
        Ok(answers)
    }

    /// Runs statements by queries. Answers also how long it took to take the answer apart.
    async fn run_timed(&mut self, statements: &[&str], spent: &mut Spent) -> Result<(Vec<Rows>, Duration), ReadError> {
        let token = self.token().await?;
        let first = spent.round_trips == 0;
        let answer = match self.client.read(statements, token.as_ref()).await {
            Ok(answer) => answer,
            Err(error) => {
                spent.round_trips += 1;
                // A new connection, and certificates read anew, for the next try.
                self.client.reconnect();
                return Err(explain(error));
            }
        };
        spent.bytes += answer.bytes;
        spent.round_trips += answer.round_trips;
        // An exchange that does not say what it read leaves the whole unknown.
        spent.read = match (first, spent.read, answer.rows_read) {
            (true, _, read) => read,
            (_, Some(before), Some(now)) => before.checked_add(now),
            _ => None,
        };
        let answer = answer.complete().map_err(explain)?;
        self.before.get_or_insert(answer.before);
        self.counts = Some(answer.before.commits.is_some());
        let schema = std::mem::replace(&mut self.schema, answer.before.schema);
        if schema.is_some() && answer.before.schema.is_some() && schema != answer.before.schema {
            return Err(ReadError::SchemaChanged(Fault::transient("the schema changed while it was read")));
        }
        Ok((answer.results, answer.took))
    }

    pub(super) fn warning(&self) -> Option<Text> {
        tls::warning(&self.address, self.token.is_some())
    }
}

/// An error as a person can act on it: the server's own reason first.
pub(super) fn explain(error: HranaError) -> ReadError {
    match error {
        HranaError::NotSent(fault) => fault.into(),
        // A table or column may have gone since the last probe of the schema.
        HranaError::Sql { reason, .. } => ReadError::SchemaChanged(answered(&reason)),
        HranaError::Refused { status, reason } => refused(status, &reason).into(),
        HranaError::Lost(lost) => lost_answer(lost).into(),
    }
}

/// What a database answered to a statement in place of rows.
pub(in crate::data::vox) fn answered(reason: &Text) -> Fault {
    Fault::transient(format!("the database answered: {reason}"))
}

/// A refusal of the request as a whole.
pub(in crate::data::vox) fn refused(status: u16, reason: &Text) -> Fault {
    let detail = because(reason);
    match status {
        401 => Fault::setup(
            format!("the database refused the token (401){detail}"),
            "renew it and put it where --token-file or --token-env points",
        ),
        403 => Fault::setup(
            format!("the database refused the request (403){detail}"),
            "use a token that may read this database, and see what the account's plan allows",
        ),
        404 => Fault::setup(format!("no Hrana v3 database at this address (404){detail}"), "correct the database URL"),
        300..=399 => Fault::setup(
            format!("the database server redirects elsewhere ({status})"),
            "give the address of the database itself",
        ),
        _ => Fault::setup(format!("the database server refused the request ({status}){detail}"), ""),
    }
}

/// An answer that did not arrive whole.
pub(in crate::data::vox) fn lost_answer(lost: Lost) -> Fault {
    match lost {
        Lost::Status { status: status @ (429 | 503), reason } => {
            Fault::busy(format!("the database asks for patience ({status}){}", because(&reason)))
        }
        Lost::Status { status, reason } => {
            Fault::transient(format!("the database server failed ({status}){}", because(&reason)))
        }
        Lost::Stream { code, reason } => {
            Fault::transient(format!("the database server failed ({}){}", Text::new(&code), because(&reason)))
        }
        Lost::TooLarge { limit: Some(limit), .. } => Fault::setup(
            format!("the answer is larger than {}", crate::model::time::bytes(limit)),
            "raise limits.remote_answer_bytes, or lower limits.live_rows",
        ),
        Lost::TooLarge { limit: None, reason } => Fault::setup(
            format!("the server sends no answer of this size{}", because(&reason)),
            "lower limits.live_rows, or raise the server's own limit (sqld: --max-response-size)",
        ),
        Lost::Unanswered(why) => Fault::transient(format!("the database did not answer: {why}")),
        Lost::Broken(what) => Fault::transient(what),
    }
}

fn because(reason: &Text) -> String {
    if reason.is_empty() { String::new() } else { format!(": {reason}") }
}
