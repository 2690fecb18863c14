//! The stream of changes: one connection, a JSON object a line, read in the background and drained by each poll.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use super::gateway::{CallError, Gateway};
use super::wire::{WatchLine, Watched, encoded, end_of};
use crate::config::address::Address;
use crate::model::text::Text;

/// Bytes of one line that are read at most. Beyond, the keys are read anew.
const MOST_LINE: usize = 8 << 20;
/// Lines that wait for a poll; a stream that is faster waits.
const LINES: usize = 256;

/// What a stream brought.
#[derive(Debug)]
pub enum Line {
    Watched(Box<Watched>),
    /// It is over: why.
    Ended(Text),
    /// A line that is too long, or none: what it said is lost.
    Lost,
}

/// A watch over some prefixes.
pub struct Watch {
    lines: mpsc::Receiver<Line>,
    task: AbortHandle,
    /// The member that it is at.
    pub at: Address,
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Watch {
    /// Watches prefixes, each from a revision on.
    pub async fn open(gateway: &Gateway, at: &Address, prefixes: &[(&[u8], i64)]) -> Result<Self, CallError> {
        let create = |(prefix, from): &(&[u8], i64)| {
            let (key, end) = range(prefix);
            json!({ "create_request": { "key": key, "range_end": end, "start_revision": from.to_string(), "prev_kv": true } })
                .to_string()
        };
        let body: Vec<String> = prefixes.iter().map(create).collect();
        let response = gateway.stream(at, "/v3/watch", body.join("\n")).await?;
        let (send, lines) = mpsc::channel(LINES);
        let task = tokio::spawn(read(response, send, gateway.received())).abort_handle();
        Ok(Self { lines, task, at: at.clone() })
    }

    /// The next line that has come already.
    pub fn next_line(&mut self) -> Option<Line> {
        match self.lines.try_recv() {
            Ok(line) => Some(line),
            Err(mpsc::error::TryRecvError::Empty) => None,
            Err(mpsc::error::TryRecvError::Disconnected) => Some(Line::Ended("the stream ended".into())),
        }
    }
}

/// The bounds of a prefix, as the wire has them.
#[must_use]
pub fn range(prefix: &[u8]) -> (Value, Value) {
    // All keys begin after one zero byte.
    let first = if prefix.is_empty() { &[0][..] } else { prefix };
    (encoded(first).into(), encoded(&end_of(prefix)).into())
}

async fn read(mut response: reqwest::Response, send: mpsc::Sender<Line>, received: Arc<AtomicU64>) {
    let mut rest: Vec<u8> = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) => {
                received.fetch_add(chunk.len() as u64, Ordering::Relaxed);
                rest.extend_from_slice(&chunk);
            }
            Ok(None) => return end(&send, "the stream ended").await,
            Err(error) => return end(&send, &crate::data::http::cause(&error)).await,
        }
        while let Some(at) = rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = rest.drain(..=at).collect();
            if send.send(parsed(&line)).await.is_err() {
                return;
            }
        }
        if rest.len() > MOST_LINE {
            let _ = send.send(Line::Lost).await;
            return;
        }
    }
}

async fn end(send: &mpsc::Sender<Line>, why: &str) {
    let _ = send.send(Line::Ended(Text::bounded(why, 200))).await;
}

fn parsed(line: &[u8]) -> Line {
    match serde_json::from_slice::<WatchLine>(line) {
        Ok(WatchLine { error: Some(error), .. }) => Line::Ended(Text::bounded(&error.message, 200)),
        Ok(WatchLine { result: Some(watched), .. }) => Line::Watched(Box::new(watched)),
        _ => Line::Lost,
    }
}
