//! The stream of events, as server-sent events: each is put into words once, however many listen.

use std::convert::Infallible;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures::stream::unfold;
use serde::Serialize;
use tokio::sync::broadcast::error::RecvError;

use super::board::Board;
use crate::model::text::escape_json;

/// A comment keeps the line alive this often.
const ALIVE: Duration = Duration::from_secs(15);

/// What happened between two snapshots of a mesh, as it is sent.
#[derive(Debug, Clone, Default)]
pub struct Batch(String);

impl Batch {
    /// Adds an event.
    pub fn add(&mut self, id: &str, event: &str, data: &impl Serialize) {
        let json = escape_json(serde_json::to_string(data).unwrap_or_default());
        let _ = write!(self.0, "id: {id}\nevent: {event}\ndata: {json}\n\n");
    }

    /// Whether nothing happened.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// As bytes that all who listen share.
    pub fn into_bytes(self) -> Bytes {
        self.0.into()
    }
}

/// What happens from now on. Who is too far behind is told so, and let go.
pub fn stream(board: &Arc<Board>) -> Response {
    let start = (!board.is_closed()).then(|| board.listen());
    let texts = unfold(start, |listening| async move {
        let mut listening = listening?;
        match tokio::time::timeout(ALIVE, listening.recv()).await {
            // Without a word the service ends.
            Ok(Ok(text)) if text.is_empty() => None,
            Ok(Ok(text)) => Some((Ok::<_, Infallible>(text), Some(listening))),
            Ok(Err(RecvError::Lagged(n))) => {
                Some((Ok(format!("event: behind\ndata: {{\"lost\":{n}}}\n\n").into()), None))
            }
            Ok(Err(RecvError::Closed)) => None,
            Err(_) => Some((Ok(Bytes::from_static(b":\n\n")), Some(listening))),
        }
    });
    let heads = [(header::CONTENT_TYPE, "text/event-stream"), (header::CACHE_CONTROL, "no-cache")];
    (heads, Body::from_stream(texts)).into_response()
}
