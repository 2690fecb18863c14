//! A published document as a source: a file that is written by rename, or a URL that is asked only for what changed.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::StatusCode;
use reqwest::header::{ETAG, IF_NONE_MATCH};

use super::document::{BADGE, Document, MOST_BYTES};
use super::invariants::{problems, went_back};
use super::peers::{Peers, merged, torn};
use crate::config::address::Address;
use crate::data::http::{self, BodyError};
use crate::data::plain_file;
use crate::data::source::{PollContext, Polling, Source};
use crate::data::tls::Tls;
use crate::model::LockTable;
use crate::model::agent::{Group, Quorum};
use crate::model::observation::{Change, ClockSample, LogStart, Observation};
use crate::model::source::Fault;
use crate::model::stated::Problem;
use crate::model::text::Text;
use crate::model::time::{MINUTE, Millis, SECOND};
use crate::os::file;

/// How long an answer is waited for.
const ANSWER_WITHIN: Duration = Duration::from_secs(3);
/// Findings about what went back that are kept.
const MOST_KEPT: usize = 20;
/// How long they are told of.
const KEPT: Millis = 10 * MINUTE;
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
    stamp: Option<crate::os::Stat>,
    last: Option<Arc<Document>>,
    /// What other places publish, and which of them this is.
    peers: Peers,
    at: usize,
    /// What is told of the group, with the words of all of its nodes; nothing where another place tells it.
    told_of: Option<Document>,
    /// What went back, and when that was seen.
    went_back: Vec<(Millis, Problem)>,
    /// The last entry of the log that was told.
    told: i64,
    begun: bool,
    /// Nothing of its log was told yet, or of this incarnation of it.
    is_new: bool,
    problems: Vec<Problem>,
    looked_ms: Millis,
    clock: fn() -> Millis,
}

impl Published {
    /// Reads the document at a place.
    #[must_use]
    pub fn new(place: Place, tls: Tls, clock: fn() -> Millis) -> Self {
        Self::among(place, tls, Peers::of(1), 0, clock)
    }

    /// The same, of a place among several that may publish of one group.
    #[must_use]
    pub fn among(place: Place, tls: Tls, peers: Peers, at: usize, clock: fn() -> Millis) -> Self {
        Self {
            place,
            peers,
            at,
            told_of: None,
            went_back: Vec::new(),
            tls,
            http: None,
            etag: None,
            stamp: None,
            last: None,
            told: 0,
            begun: false,
            is_new: false,
            problems: Vec::new(),
            looked_ms: 0,
            clock,
        }
    }

    async fn poll_now(&mut self) -> Result<Observation, Fault> {
        let started = Instant::now();
        let mut seen =
            Observation { clock: Some(ClockSample { offset_ms: 0, uncertainty_ms: 1 }), ..Observation::default() };
        let read = self.read(&mut seen).await;
        self.peers.looked_at(self.at).await;
        read?;
        self.tell(&mut seen);
        self.judge(&mut seen);
        seen.cost.ms = started.elapsed().as_secs_f64() * 1_000.0;
        Ok(seen)
    }

    /// Reads the document, where it is another one.
    async fn read(&mut self, seen: &mut Observation) -> Result<(), Fault> {
        let bytes = match self.place.clone() {
            Place::File(path) => self.read_file(&path)?,
            Place::Url(at) => self.fetch(&at, seen).await?,
        };
        if let Some(bytes) = bytes {
            seen.cost.bytes += bytes.len() as u64;
            let document = Document::read(&bytes).map_err(|why| {
                Fault::setup(
                    format!("no consensus-snapshot/v1: {why}"),
                    "write it as docs/schema/consensus-snapshot.v1.json says",
                )
            })?;
            self.take(document, seen);
        }
        Ok(())
    }

    /// The file, where it is another one than the one that was read.
    fn read_file(&mut self, path: &std::path::Path) -> Result<Option<Vec<u8>>, Fault> {
        let fault = |e: std::io::Error| Fault::transient(format!("cannot read {}: {e}", path.display()));
        let file = file::stat(path).map_err(fault)?;
        let stamp = Some(file);
        if stamp == self.stamp {
            return Ok(None);
        }
        if file.len > MOST_BYTES {
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
                let client = http::build(&self.tls, at.is_encrypted(), Some(ANSWER_WITHIN), 1)?;
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
        if !self.begun {
            seen.probe = Some(super::probe().into());
        }
        if anew || another {
            self.went_back.clear();
        }
        let now_ms = (self.clock)();
        if let Some(last) = &self.last {
            for problem in went_back(&document, last) {
                let is_it = |known: &Problem| known.rule == problem.rule && known.sentence == problem.sentence;
                self.went_back.retain(|(_, known)| !is_it(known));
                self.went_back.push((now_ms, problem));
            }
        }
        let more = self.went_back.len().saturating_sub(MOST_KEPT);
        self.went_back.drain(..more);
        self.is_new = !self.begun || anew;
        self.begun = true;
        seen.cost.rows += (document.nodes.len() + document.locks.len() + document.barriers.len()) as u64;
        let document = Arc::new(document);
        self.peers.take(self.at, document.clone());
        self.last = Some(document);
        self.looked_ms = 0;
    }

    /// Tells what is not as it was told before: by this document, and by those of other places.
    fn tell(&mut self, seen: &mut Observation) {
        let now = merged(self.at, &self.peers.all());
        let is_new = std::mem::take(&mut self.is_new);
        if now == self.told_of && !is_new {
            return;
        }
        // Where another place tells of the group, this one tells nothing.
        let nothing = Document::default();
        let document = now.as_ref().unwrap_or(&nothing);
        let entries = document.entries_after(self.told);
        if is_new || !entries.is_empty() {
            self.told = entries.last().map_or(self.told, |entry| entry.id);
            let start = if is_new { LogStart::Window } else { LogStart::Continues };
            seen.changes.push(Change::Log(crate::model::LogTable::Events, entries, start));
        }
        seen.changes.push(Change::Heartbeats(document.heartbeats()));
        seen.changes.push(Change::Locks(LockTable::Queue, document.locks()));
        seen.changes.push(Change::Waits(document.waits()));
        seen.changes.push(Change::Members(document.members()));
        seen.changes.push(Change::Barriers(document.barriers()));
        seen.changes.push(Change::Proposals(document.proposals()));
        seen.changes.push(Change::Groups(now.iter().map(group).collect()));
        seen.unseen = Some(Vec::new());
        self.told_of = now;
    }

    /// Looks for what does not hold, when there is another document and as time passes.
    fn judge(&mut self, seen: &mut Observation) {
        let now_ms = (self.clock)();
        if self.last.is_none() || now_ms.saturating_sub(self.looked_ms) < PACE {
            return;
        }
        self.looked_ms = now_ms;
        self.went_back.retain(|(at, _)| now_ms.saturating_sub(*at) <= KEPT);
        let mut found = Vec::new();
        if let Some(document) = &self.told_of {
            found = problems(document, now_ms);
            found.extend(torn(self.at, &self.peers.all()));
        }
        found.extend(self.went_back.iter().map(|(_, problem)| problem.clone()));
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
