//! The stream of events of findings, as server-sent events.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::response::Sse;
use axum::response::sse::{Event as Sent, KeepAlive};
use futures::Stream;
use futures::stream::unfold;
use tokio::sync::broadcast::error::RecvError;

use super::board::Board;
use crate::model::event::Event;
use crate::model::text::escape_json;

/// A comment keeps the line alive this often.
const ALIVE: Duration = Duration::from_secs(15);

/// One event as it is sent.
#[derive(Debug, Clone)]
pub struct Line {
    pub id: String,
    pub json: String,
    is_end: bool,
}

impl Line {
    /// The event of a mesh.
    pub fn of(mesh: usize, event: &Event) -> Self {
        let json = escape_json(serde_json::to_string(event).unwrap_or_default());
        Self { id: format!("{mesh}-{}", event.seq), json, is_end: false }
    }

    /// The service ends.
    pub fn end() -> Self {
        Self { id: String::new(), json: String::new(), is_end: true }
    }
}

/// What happens from now on. Who is too far behind is told so, and let go.
pub fn stream(board: &Arc<Board>) -> Sse<impl Stream<Item = Result<Sent, Infallible>> + use<>> {
    let start = (!board.is_closed()).then(|| board.listen());
    let events = unfold(start, |listening| async move {
        let mut listening = listening?;
        match listening.recv().await {
            Ok(line) if line.is_end => None,
            Ok(line) => {
                let sent = Sent::default().id(&line.id).event("finding").data(&line.json);
                Some((Ok(sent), Some(listening)))
            }
            Err(RecvError::Lagged(n)) => {
                let told = format!("{{\"lost\":{n}}}");
                Some((Ok(Sent::default().event("behind").data(told)), None))
            }
            Err(RecvError::Closed) => None,
        }
    });
    Sse::new(events).keep_alive(KeepAlive::new().interval(ALIVE))
}
