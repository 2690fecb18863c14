//! JSON-RPC 2.0 over one TCP connection, a JSON object a line. Answers are matched by their ids; whatever else comes is
//! left aside.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

use futures::{SinkExt, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_util::codec::{Framed, LinesCodec, LinesCodecError};

use crate::model::source::Fault;
use crate::model::text::Text;

/// Bytes of one line that are read at most.
const MOST_BYTES: usize = 4 << 20;
/// Lines that may come before the answers: notifications, and answers to what was given up.
const MOST_LINES: usize = 10_000;

/// A connection.
pub struct Client {
    lines: Framed<TcpStream, LinesCodec>,
    next: u64,
}

/// What a server answers instead of a result.
#[derive(Debug, Clone, PartialEq)]
pub struct Refused {
    pub code: i64,
    pub message: Text,
    /// The kind that the error's data names.
    pub kind: Option<Text>,
}

/// Calls that are under way at most. A server takes 256 of all its clients together.
const AT_ONCE: usize = 64;

/// What a call is answered with.
pub type Answer = Result<Value, Refused>;

/// A call: its method and its parameters.
pub type Call = (&'static str, Value);

impl Client {
    /// Connects to an address.
    pub async fn connect(address: SocketAddr) -> Result<Self, Fault> {
        let stream = TcpStream::connect(address).await;
        let stream = stream.map_err(|e| Fault::transient(format!("cannot connect to {address}: {e}")))?;
        let _ = stream.set_nodelay(true);
        Ok(Self { lines: Framed::new(stream, LinesCodec::new_with_max_length(MOST_BYTES)), next: 1 })
    }

    /// Makes calls, many of them at once. The answers stand in the order of the calls, in whatever order they came.
    pub async fn call(&mut self, calls: Vec<Call>) -> Result<Vec<Answer>, Fault> {
        let mut answers = Vec::with_capacity(calls.len());
        for batch in calls.chunks(AT_ONCE) {
            let mut of_batch = Vec::new();
            self.call_at_once(batch, &mut of_batch).await?;
            answers.extend(of_batch.into_iter().flatten());
        }
        Ok(answers)
    }

    /// Makes a few calls at once, and waits for their answers no longer than a span. One that did not come is none, and
    /// then the connection is not to be used again.
    pub async fn call_within(&mut self, calls: &[Call], span: Duration) -> Result<Vec<Option<Answer>>, Fault> {
        let mut answers = Vec::new();
        match tokio::time::timeout(span, self.call_at_once(calls, &mut answers)).await {
            Ok(done) => done?,
            Err(_too_late) => answers.resize_with(calls.len(), || None),
        }
        Ok(answers)
    }

    async fn call_at_once(&mut self, calls: &[Call], answers: &mut Vec<Option<Answer>>) -> Result<(), Fault> {
        answers.resize_with(calls.len(), || None);
        let first = self.next;
        let mut places = HashMap::with_capacity(calls.len());
        for (place, (method, params)) in calls.iter().enumerate() {
            let request = json!({ "jsonrpc": "2.0", "id": self.next, "method": method, "params": params });
            places.insert(self.next, place);
            self.next += 1;
            self.lines.feed(request.to_string()).await.map_err(|e| broken(&e))?;
        }
        SinkExt::<String>::flush(&mut self.lines).await.map_err(|e| broken(&e))?;
        let mut odd = 0;
        while !places.is_empty() {
            let line = match self.lines.next().await {
                Some(Ok(line)) => line,
                Some(Err(error)) => return Err(broken(&error)),
                None => return Err(Fault::transient("the server closed the connection")),
            };
            let answer: Value = serde_json::from_str(&line).unwrap_or_default();
            match answer["id"].as_u64().filter(|id| *id >= first).and_then(|id| places.remove(&id)) {
                Some(place) => answers[place] = Some(result(answer)),
                None => odd += 1,
            }
            if odd > MOST_LINES {
                return Err(Fault::transient("the server sends lines that answer nothing"));
            }
        }
        Ok(())
    }
}

fn result(mut answer: Value) -> Result<Value, Refused> {
    let error = &answer["error"];
    if error.is_object() {
        let kind = error["data"]["kind"].as_str().map(|kind| Text::bounded(kind, 80));
        let message = Text::bounded(error["message"].as_str().unwrap_or("no reason given"), 300);
        return Err(Refused { code: error["code"].as_i64().unwrap_or(0), message, kind });
    }
    Ok(answer["result"].take())
}

fn broken(error: &LinesCodecError) -> Fault {
    match error {
        LinesCodecError::MaxLineLengthExceeded => Fault::transient("an answer is larger than 4 MB"),
        LinesCodecError::Io(error) => Fault::transient(format!("the connection broke: {error}")),
    }
}
