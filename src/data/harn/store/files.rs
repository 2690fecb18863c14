//! The log as JSON lines, one file a topic, followed by the bytes that were read. A torn last line is read when it is
//! whole.

use std::collections::HashMap;
use std::fs;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Map, Value};

use super::{Consumer, Event, MOST_BYTES, MOST_EVENTS, News, is_mirror};
use crate::data::plain_file;
use crate::model::observation::Cost;
use crate::model::source::Fault;
use crate::model::time::Millis;

/// Bytes of a topic that are read at first for each event of the window.
const BYTES_AN_EVENT: u64 = 2_048;
/// Bytes of one topic that one poll reads at most.
const MOST_READ: u64 = 64 << 20;

/// One folder of topics and consumers.
pub struct Files {
    folder: PathBuf,
    window: usize,
    topics: HashMap<String, Topic>,
}

/// How far a topic's file was read.
#[derive(Debug, Clone, Default)]
struct Topic {
    /// Bytes that were read, up to the end of a line.
    read: u64,
    last_id: i64,
}

#[derive(Deserialize)]
struct Line {
    id: i64,
    event: Inner,
}

#[derive(Deserialize)]
struct Inner {
    kind: String,
    payload: Value,
    headers: Map<String, Value>,
    occurred_at_ms: Millis,
}

impl Files {
    /// Follows the files in `folder`.
    #[must_use]
    pub fn new(folder: PathBuf, window: usize) -> Self {
        Self { folder, window, topics: HashMap::new() }
    }

    pub(super) async fn news(&mut self, cost: &mut Cost) -> Result<News, Fault> {
        // A look that is given up has read nothing.
        let (folder, window, topics) = (self.folder.clone(), self.window, self.topics.clone());
        let work = move || {
            let mut topics = topics;
            let mut cost = Cost::default();
            let news = read_news(&folder, window, &mut topics, &mut cost);
            (topics, news, cost)
        };
        let done = tokio::task::spawn_blocking(work).await;
        let (topics, news, spent) = done.map_err(|e| Fault::transient(format!("reading failed: {e}")))?;
        self.topics = topics;
        *cost += spent;
        news
    }
}

fn read_news(
    folder: &Path,
    window: usize,
    topics: &mut HashMap<String, Topic>,
    cost: &mut Cost,
) -> Result<News, Fault> {
    let fault = |e: io::Error| Fault::transient(format!("cannot read {}: {e}", folder.display()));
    let mut news = News::default();
    let mut files: Vec<(String, PathBuf)> = fs::read_dir(folder.join("topics"))
        .map_err(fault)?
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let name = path.file_name()?.to_str()?.strip_suffix(".jsonl")?.to_owned();
            (!is_mirror(&name)).then_some((name, path))
        })
        .collect();
    files.sort();
    let shorter = |name: &String, path: &Path| {
        let len = fs::metadata(path).map_or(0, |file| file.len());
        topics.get(name).is_some_and(|topic| len < topic.read)
    };
    let gone = topics.keys().any(|name| files.iter().all(|(file, _)| file != name));
    if gone || files.iter().any(|(name, path)| shorter(name, path)) {
        topics.clear();
        news.reset = true;
    }
    let mut heads = Vec::new();
    for (name, path) in files {
        let known = topics.contains_key(&name);
        let topic = topics.entry(name.clone()).or_default();
        if news.events.len() < MOST_EVENTS {
            // A file that vanished since is gone at the next poll.
            if let Err(error) = follow(&name, &path, topic, known, window, &mut news, cost)
                && error.kind() != io::ErrorKind::NotFound
            {
                return Err(fault(error));
            }
        }
        heads.push((name, topic.last_id));
    }
    news.heads = Some(heads);
    news.consumers = Some(consumers(&folder.join("consumers"), &mut news.odd));
    Ok(news)
}

fn follow(
    name: &str,
    path: &Path,
    topic: &mut Topic,
    known: bool,
    window: usize,
    news: &mut News,
    cost: &mut Cost,
) -> io::Result<()> {
    let mut file = plain_file::open(path)?;
    let len = file.metadata()?.len();
    if len == topic.read {
        return Ok(());
    }
    let mut from = topic.read;
    let at_first = BYTES_AN_EVENT.saturating_mul(window as u64);
    let skips = !known && len > at_first;
    if skips {
        from = len - at_first;
        news.windowed = true;
    }
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    file.take(MOST_READ).read_to_end(&mut bytes)?;
    cost.bytes += bytes.len() as u64;
    // Up to the last whole line; where the middle of the file was entered, from the first one.
    let end = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let start = if skips { bytes.iter().position(|byte| *byte == b'\n').map_or(end, |at| at + 1) } else { 0 };
    let first = news.events.len();
    for line in bytes[start.min(end)..end].split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        cost.rows += 1;
        let line = (line.len() <= MOST_BYTES).then(|| serde_json::from_slice::<Line>(line).ok()).flatten();
        let Some(Line { id, event }) = line else {
            news.odd += 1;
            continue;
        };
        topic.last_id = topic.last_id.max(id);
        news.events.push(Event {
            topic: name.to_owned(),
            event_id: id,
            kind: event.kind,
            payload: event.payload,
            headers: event.headers,
            occurred_at_ms: event.occurred_at_ms,
        });
    }
    let surplus = if known { 0 } else { (news.events.len() - first).saturating_sub(window) };
    news.windowed |= surplus > 0;
    news.events.drain(first..first + surplus);
    topic.read = from + end as u64;
    Ok(())
}

fn consumers(folder: &Path, odd: &mut u64) -> Vec<Consumer> {
    #[derive(Deserialize)]
    struct Place {
        topic: String,
        consumer_id: String,
        cursor: i64,
        #[serde(default)]
        updated_at_ms: Option<Millis>,
    }
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let bytes = plain_file::read(&entry.path(), MOST_BYTES as u64);
        match bytes.ok().and_then(|bytes| serde_json::from_slice::<Place>(&bytes).ok()) {
            Some(c) => found.push(Consumer {
                topic: c.topic,
                name: c.consumer_id,
                cursor: c.cursor,
                updated_at_ms: c.updated_at_ms,
            }),
            None => *odd += 1,
        }
    }
    found.sort_by(|a, b| (&a.topic, &a.name).cmp(&(&b.topic, &b.name)));
    found
}
