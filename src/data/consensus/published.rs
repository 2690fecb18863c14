//! A published document as a source: a file that is written by rename, or a URL that is asked only for what changed.

use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

use reqwest::StatusCode;
use reqwest::header::{ETAG, IF_NONE_MATCH};

use super::document::{BADGE, Document, MOST_BYTES};
use super::invariants::problems;
use crate::config::address::Address;
use crate::data::http::{self, BodyError};
use crate::data::plain_file;
use crate::data::source::{PollContext, Polling, Source};
use crate::data::tls::Tls;
use crate::model::LockTable;
use crate::model::agent::{Group, Quorum};
use crate::model::observation::{Change, ClockSample, LogStart, Observation, Presence, Probe};
use crate::model::source::Fault;
use crate::model::stated::Problem;
use crate::model::text::Text;
use crate::model::time::{Millis, SECOND};

/// How long an answer is waited for.
const ANSWER_WITHIN: Duration = Duration::from_secs(3);
/// What time alone changes is looked at this often.
const PACE: Millis = 2 * SECOND;

/// Where a document is.
#[derive(Debug, Clone, PartialEq)]
pub enum Place {
    File(PathBuf),
    Url(Address),
}

/// One document, read again and again.
pub struct Published {
    place: Place,
    tls: Tls,
    http: Option<reqwest::Client>,
    /// What the server called the document that was read last.
    etag: Option<String>,
    /// The file as it was read last.
    stamp: Option<(u64, Option<SystemTime>, u64)>,
    last: Option<Document>,
    /// The one before, for comparisons.
    before: Option<Document>,
    /// The last entry of the log that was told.
    told: i64,
    begun: bool,
    problems: Vec<Problem>,
    looked_ms: Millis,
    clock: fn() -> Millis,
}

impl Published {
    /// Reads the document at a place.
    #[must_use]
    pub fn new(place: Place, tls: Tls, clock: fn() -> Millis) -> Self {
        Self {
            place,
            tls,
            http: None,
            etag: None,
            stamp: None,
            last: None,
            before: None,
            told: 0,
            begun: false,
            problems: Vec::new(),
            looked_ms: 0,
            clock,
        }
    }

    async fn poll_now(&mut self) -> Result<Observation, Fault> {
        let started = Instant::now();
        let mut seen =
            Observation { clock: Some(ClockSample { offset_ms: 0, uncertainty_ms: 1 }), ..Observation::default() };
        let bytes = match self.place.clone() {
            Place::File(path) => self.read_file(&path)?,
            Place::Url(at) => self.fetch(&at, &mut seen).await?,
        };
        if let Some(bytes) = bytes {
            seen.cost.bytes += bytes.len() as u64;
            let document = Document::read(&bytes).map_err(|why| {
                Fault::setup(
                    format!("no consensus-snapshot/v1: {why}"),
                    "write it as docs/schema/consensus-snapshot.v1.json says",
                )
            })?;
            self.take(document, &mut seen);
        }
        self.judge(&mut seen);
        seen.cost.ms = started.elapsed().as_secs_f64() * 1_000.0;
        Ok(seen)
    }

    /// The file, where it is another one than the one that was read.
    fn read_file(&mut self, path: &std::path::Path) -> Result<Option<Vec<u8>>, Fault> {
        use std::os::unix::fs::MetadataExt as _;
        let fault = |e: std::io::Error| Fault::transient(format!("cannot read {}: {e}", path.display()));
        let file = std::fs::metadata(path).map_err(fault)?;
        let stamp = Some((file.len(), file.modified().ok(), file.ino()));
        if stamp == self.stamp {
            return Ok(None);
        }
        if file.len() > MOST_BYTES {
            return Err(Fault::transient(format!("{} is larger than 4 MB", path.display())));
        }
        let bytes = plain_file::read(path, MOST_BYTES).map_err(fault)?;
        self.stamp = stamp;
        Ok(Some(bytes))
    }

    async fn fetch(&mut self, at: &Address, seen: &mut Observation) -> Result<Option<Vec<u8>>, Fault> {
        let client = match &self.http {
            Some(client) => client.clone(),
            None => {
                let client = http::build(&self.tls, Some(ANSWER_WITHIN), 1)?;
                self.http = Some(client.clone());
                client
            }
        };
        let mut request = client.get(at.as_str());
        if let Some(etag) = &self.etag {
            request = request.header(IF_NONE_MATCH, etag);
        }
        seen.cost.round_trips += 1;
        let fault = |why: String| Fault::transient(format!("{}: {why}", at.name()));
        let response = request.send().await.map_err(|e| fault(http::cause(&e)))?;
        match response.status() {
            StatusCode::NOT_MODIFIED => return Ok(None),
            StatusCode::OK => {}
            status => return Err(fault(format!("the server answered {status}"))),
        }
        let etag = response.headers().get(ETAG).and_then(|etag| etag.to_str().ok()).map(ToOwned::to_owned);
        let bytes = http::whole(response, MOST_BYTES).await.map_err(|error| match error {
            BodyError::TooLarge => fault("the document is larger than 4 MB".into()),
            BodyError::Broken(why) => fault(format!("the document broke off: {why}")),
        })?;
        self.etag = etag.filter(|etag| etag.len() <= 200);
        Ok(Some(bytes))
    }

    fn take(&mut self, document: Document, seen: &mut Observation) {
        let another = self.last.as_ref().is_some_and(|last| last.group() != document.group());
        let anew = self.last.as_ref().is_some_and(|last| last.incarnation != document.incarnation);
        if another {
            seen.changes.push(Change::Reset);
            self.begun = false;
        }
        if another || anew || !self.begun {
            self.told = 0;
        }
        let entries = document.entries_after(self.told);
        if !self.begun || anew || !entries.is_empty() {
            self.told = entries.last().map_or(self.told, |entry| entry.id);
            let start = if self.begun && !anew { LogStart::Continues } else { LogStart::Window };
            seen.changes.push(Change::Log(crate::model::LogTable::Events, entries, start));
        }
        if !self.begun {
            let parts = vec![
                ("members", Presence::Present),
                ("lock keys", Presence::Present),
                ("barrier keys", Presence::Present),
            ];
            seen.probe = Some(Probe { parts }.into());
        }
        self.begun = true;
        seen.cost.rows += (document.nodes.len() + document.locks.len() + document.barriers.len()) as u64;
        seen.changes.push(Change::Heartbeats(document.heartbeats()));
        seen.changes.push(Change::Locks(LockTable::Queue, document.locks()));
        seen.changes.push(Change::Waits(document.waits()));
        seen.changes.push(Change::Members(document.members()));
        seen.changes.push(Change::Barriers(document.barriers()));
        seen.changes.push(Change::Proposals(document.proposals()));
        seen.changes.push(Change::Groups(vec![group(&document)]));
        seen.unseen = Some(Vec::new());
        self.before = self.last.replace(document);
        self.looked_ms = 0;
    }

    /// Looks for what does not hold, when there is another document and as time passes.
    fn judge(&mut self, seen: &mut Observation) {
        let now_ms = (self.clock)();
        let Some(document) = self.last.as_ref().filter(|_| now_ms.saturating_sub(self.looked_ms) >= PACE) else {
            return;
        };
        self.looked_ms = now_ms;
        let found = problems(document, self.before.as_ref(), now_ms);
        if found != self.problems {
            seen.changes.push(Change::Problems(found.clone()));
            self.problems = found;
        }
    }
}

/// The votes, as the document's nodes tell them.
fn group(document: &Document) -> Group {
    let voters = document.nodes.iter().filter(|node| node.voter.unwrap_or(true)).count();
    let size = document.nodes.iter().filter_map(|node| node.cluster_size).max();
    let voters = size.and_then(|size| usize::try_from(size).ok()).unwrap_or(voters);
    let with_leader = document.nodes.iter().filter(|node| node.leader_id.is_some()).count();
    Group {
        name: document.group(),
        repository_id: document.group(),
        quorum: Some(Quorum { voters, with_leader, elections: None }),
        remark: BADGE.into(),
        ..Group::default()
    }
}

impl Source for Published {
    fn poll<'a>(&'a mut self, _: &'a PollContext) -> Polling<'a> {
        Box::pin(self.poll_now())
    }
}

/// What a text names: a URL, or a file.
pub fn place(text: &str, file: impl FnOnce(&str) -> PathBuf) -> Result<Place, Text> {
    if crate::config::address::is_meant(text) {
        Address::of_server(text).map(Place::Url).map_err(|why| Text::new(&why.to_string()))
    } else {
        Ok(Place::File(file(text)))
    }
}
