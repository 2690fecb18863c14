//! Hrana 3 over HTTP: one batch of statements, one exchange. The protocol's types are libSQL's own; the transport is the
//! one HTTP client. The libSQL client hides its transport errors behind text and panics on some answers, and whether a
//! statement was answered or the answer was lost decides what is said of a write.

pub mod cursor;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use libsql::Value;
use libsql_hrana::proto::{
    self, Batch, BatchResult, BatchStreamReq, CloseStreamReq, CursorReqBody, PipelineReqBody, PipelineRespBody, Stmt,
    StreamRequest, StreamResponse, StreamResult,
};
use secrecy::{ExposeSecret, SecretString};

use crate::config::address::Address;
use crate::data::http::{self, BodyError};
use crate::data::sqlite::Rows;
use crate::data::tls::Tls;
use crate::data::vox::queries::CLOCK_SQL;
use crate::model::source::Fault;
use crate::model::text::{Text, truncate_bytes};

/// The most bytes of a server's own reason that are kept.
const REASON: usize = 300;
/// The most bytes of an error answer that are read.
const ERROR_BODY: u64 = 64 * 1024;

/// Why a batch has no complete answer.
#[derive(Debug)]
pub enum HranaError {
    /// Nothing reached the server.
    NotSent(Fault),
    /// The server refused the request before it ran a statement. Its own reason may be empty.
    Refused { status: u16, reason: Text },
    /// A statement failed. Those before it ran; those after it did not.
    Sql { step: usize, code: String, reason: Text },
    /// Whether the statements ran is unknown.
    Lost(Lost),
}

/// What became of an answer that did not arrive whole.
#[derive(Debug)]
pub enum Lost {
    /// The server is asked for less, or later (429, 502, 503, 504).
    Status { status: u16, reason: Text },
    /// The server says that the whole answer failed, with a code of its own.
    Stream { code: String, reason: Text },
    /// It is larger than this console or the server allows.
    TooLarge { limit: Option<u64>, reason: Text },
    /// The connection broke before an answer came.
    Unanswered(String),
    /// The answer broke off, or what came is not Hrana.
    Broken(String),
}

/// Rows of each statement, and what they cost.
#[derive(Debug, Default)]
pub struct Answer {
    pub results: Vec<Rows>,
    /// The first statement that failed, when the batch was asked to go on.
    pub failed: Option<(usize, String, Text)>,
    /// Rows that the server says it read; nothing where it does not say so.
    pub rows_read: Option<u64>,
    /// Bytes of the answer.
    pub bytes: u64,
    /// How it stood before the statements, where that was asked for.
    pub before: Standing,
    /// How long it took to take the answer apart.
    pub took: Duration,
    /// Exchanges that it took.
    pub round_trips: u64,
}

/// How a database stands: all of it read without reading a row.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Standing {
    /// Commits so far, by the server's count; nothing where it does not count.
    pub commits: Option<u64>,
    /// Moves with each change of the schema.
    pub schema: Option<i64>,
    /// The database's clock.
    pub clock_ms: Option<i64>,
}

/// What a standing is read by.
const STANDING: [&str; 2] = [CLOCK_SQL, "PRAGMA schema_version"];

/// Where batches are sent to.
const PIPELINE: &str = "/v3/pipeline";

/// A client of one database.
pub struct Client {
    base: String,
    is_encrypted: bool,
    tls: Tls,
    http: Option<reqwest::Client>,
    max_answer: u64,
    /// Connections that are kept for the next exchange.
    idle: usize,
    /// Whether the server sends what is read in one answer only as a stream of rows.
    streams: bool,
    /// Bytes that came so far.
    came: Arc<AtomicU64>,
}

impl Client {
    /// A client of the database at `address`. `libsql://` stands for `https://`. `max_answer` bounds an answer, in bytes.
    #[must_use]
    pub fn new(address: &Address, tls: Tls, max_answer: u64) -> Self {
        let base = match address.as_str().split_once("://") {
            Some(("libsql", rest)) => format!("https://{rest}"),
            _ => address.to_string(),
        };
        Self {
            base,
            is_encrypted: address.is_encrypted(),
            tls,
            http: None,
            max_answer,
            idle: 1,
            streams: false,
            came: Arc::default(),
        }
    }

    /// The same for writing: each exchange goes over a connection of its own, so that none is lost to one that the
    /// server has closed meanwhile.
    #[must_use]
    pub fn for_writing(self) -> Self {
        Self { idle: 0, ..self }
    }

    /// Bytes that came so far.
    #[must_use]
    pub fn progress(&self) -> Arc<AtomicU64> {
        self.came.clone()
    }

    /// Made at the first request: loading the platform's certificate roots takes a while.
    fn http(&mut self) -> Result<reqwest::Client, Fault> {
        if let Some(http) = &self.http {
            return Ok(http.clone());
        }
        let http = http::build(&self.tls, self.is_encrypted, None, self.idle)?;
        self.http = Some(http.clone());
        Ok(http)
    }

    /// The next request is made on a new connection.
    pub fn reconnect(&mut self) {
        self.http = None;
    }

    /// Runs statements that only read, as [`Self::run`], and says how the database stood before: one exchange. If
    /// the server bounds its answers, the rows are asked for as a stream.
    pub async fn read(&mut self, statements: &[&str], token: Option<&SecretString>) -> Result<Answer, HranaError> {
        if self.streams {
            return self.read_stream(statements, token).await;
        }
        let batches = [&STANDING[..], statements];
        let answered = self.ask(&batches, token).await?;
        let began = Instant::now();
        let (bytes, body) = (answered.len() as u64, body_of(&answered).map_err(HranaError::Lost)?);
        let mut results = body.results.into_iter();
        let before = standing(results.next(), STANDING.len()).map_err(HranaError::Lost)?;
        let mut answer = match parsed(results.next(), statements.len()) {
            Err(Lost::TooLarge { limit: None, .. }) => {
                self.streams = true;
                return self.read_stream(statements, token).await;
            }
            parsed => parsed.map_err(HranaError::Lost)?,
        };
        (answer.bytes, answer.before, answer.took, answer.round_trips) = (bytes, before, began.elapsed(), 1);
        Ok(answer)
    }

    /// The same by three exchanges: how it stands, the rows, and an end to the stream.
    async fn read_stream(&mut self, statements: &[&str], token: Option<&SecretString>) -> Result<Answer, HranaError> {
        let (before, first) = self.standing(token, true).await?;
        let request = CursorReqBody { baton: None, batch: batch(statements) };
        let answered = self.send("/v3/cursor", &request, token, None).await?;
        let began = Instant::now();
        let (baton, mut answer) = cursor::parsed(&answered, statements.len()).map_err(HranaError::Lost)?;
        answer.took = began.elapsed();
        let mut bytes = first + answered.len() as u64;
        if baton.is_some() {
            let close = PipelineReqBody { baton, requests: vec![StreamRequest::Close(CloseStreamReq {})] };
            // The server ends a stream by itself after a while.
            bytes += self.send(PIPELINE, &close, token, None).await.map_or(0, |end| end.len() as u64);
        }
        (answer.bytes, answer.before, answer.round_trips) = (bytes, before, 3);
        Ok(answer)
    }

    /// How the database stands, and the bytes of the answer. Without `in_full` only its count of commits: servers bill a
    /// statement as a row at least, and a batch without statements as nothing.
    pub async fn standing(
        &mut self,
        token: Option<&SecretString>,
        in_full: bool,
    ) -> Result<(Standing, u64), HranaError> {
        let statements = if in_full { &STANDING[..] } else { &[] };
        let answered = self.ask(&[statements], token).await?;
        let body = body_of(&answered).map_err(HranaError::Lost)?;
        let standing = standing(body.results.into_iter().next(), statements.len()).map_err(HranaError::Lost)?;
        Ok((standing, answered.len() as u64))
    }

    /// One exchange of batches that only read. One whose connection broke is tried once more.
    async fn ask(&mut self, batches: &[&[&str]], token: Option<&SecretString>) -> Result<Vec<u8>, HranaError> {
        match self.exchange(batches, token, None).await {
            Err(HranaError::Lost(Lost::Unanswered(_))) => self.exchange(batches, token, None).await,
            answered => answered,
        }
    }

    /// Runs statements in order, each only if the one before succeeded. The stream is closed, so an open transaction is
    /// rolled back.
    pub async fn run(
        &mut self,
        statements: &[&str],
        token: Option<&SecretString>,
        limit: Option<Duration>,
    ) -> Result<Answer, HranaError> {
        let answered = self.exchange(&[statements], token, limit).await?;
        read(&answered, statements.len()).map_err(HranaError::Lost)
    }

    /// One exchange of batches, one after another. Within a batch each statement runs only if the one before succeeded.
    async fn exchange(
        &mut self,
        batches: &[&[&str]],
        token: Option<&SecretString>,
        limit: Option<Duration>,
    ) -> Result<Vec<u8>, HranaError> {
        let request = |statements: &&[&str]| StreamRequest::Batch(BatchStreamReq { batch: batch(statements) });
        let mut requests: Vec<StreamRequest> = batches.iter().map(request).collect();
        requests.push(StreamRequest::Close(CloseStreamReq {}));
        self.send(PIPELINE, &PipelineReqBody { baton: None, requests }, token, limit).await
    }

    /// Sends one request; answers the whole body.
    async fn send(
        &mut self,
        path: &str,
        request: &impl serde::Serialize,
        token: Option<&SecretString>,
        limit: Option<Duration>,
    ) -> Result<Vec<u8>, HranaError> {
        let http = self.http().map_err(HranaError::NotSent)?;
        let mut post = http.post(format!("{}{path}", self.base)).json(request);
        if let Some(token) = token {
            post = post.bearer_auth(token.expose_secret());
        }
        if let Some(limit) = limit {
            post = post.timeout(limit);
        }
        let response = post.send().await.map_err(|error| {
            let why = http::cause(&error);
            if error.is_connect() || error.is_builder() {
                HranaError::NotSent(Fault::transient(format!("cannot reach the database: {why}")))
            } else if error.is_timeout() {
                HranaError::Lost(Lost::Broken("no answer in time".into()))
            } else {
                HranaError::Lost(Lost::Unanswered(why))
            }
        })?;
        let status = response.status();
        if !status.is_success() {
            let reason = http::head(response, ERROR_BODY).await;
            let (status, reason) = (status.as_u16(), reason_of(&reason));
            // A gateway may answer for a server that went on: only what refuses the request itself says that nothing ran.
            return Err(match status {
                300..=399 | 400..=407 | 410..=428 | 431 | 451 => HranaError::Refused { status, reason },
                _ => HranaError::Lost(Lost::Status { status, reason }),
            });
        }
        http::whole_counted(response, self.max_answer, &self.came).await.map_err(|error| {
            HranaError::Lost(match error {
                BodyError::TooLarge => Lost::TooLarge { limit: Some(self.max_answer), reason: Text::default() },
                BodyError::Broken(why) => Lost::Broken(format!("the answer broke off: {why}")),
            })
        })
    }
}

/// Statements, each to be run only if the one before succeeded.
fn batch(statements: &[&str]) -> Batch {
    statements.iter().map(|sql| Stmt::new(*sql, true)).collect()
}

/// Reads the answer to one batch of so many statements.
pub fn read(bytes: &[u8], statements: usize) -> Result<Answer, Lost> {
    let mut answer = parsed(body_of(bytes)?.results.into_iter().next(), statements)?;
    answer.bytes = bytes.len() as u64;
    Ok(answer)
}

fn body_of(bytes: &[u8]) -> Result<PipelineRespBody, Lost> {
    serde_json::from_slice(bytes).map_err(|_| Lost::Broken("the answer is not Hrana v3".into()))
}

/// Reads how a database stands. What it does not say is unknown.
fn standing(result: Option<StreamResult>, statements: usize) -> Result<Standing, Lost> {
    let commits = match &result {
        Some(StreamResult::Ok { response: StreamResponse::Batch(batch) }) => batch.result.replication_index,
        _ => None,
    };
    let answer = parsed(result, statements)?;
    let number = |at: usize| match answer.results.get(at).and_then(|rows| rows.first()?.first()) {
        Some(Value::Integer(number)) => Some(*number),
        _ => None,
    };
    Ok(Standing { commits, clock_ms: number(0), schema: number(1) })
}

/// Reads the answer to a batch of so many statements.
fn parsed(result: Option<StreamResult>, statements: usize) -> Result<Answer, Lost> {
    match result {
        Some(StreamResult::Ok { response: StreamResponse::Batch(batch) }) => of_batch(batch.result, statements),
        Some(StreamResult::Error { error }) if error.code == "RESPONSE_TOO_LARGE" => {
            Err(Lost::TooLarge { limit: None, reason: reason_of(&error.message) })
        }
        Some(StreamResult::Error { error }) => {
            Err(Lost::Stream { code: bounded(&error.code), reason: reason_of(&error.message) })
        }
        _ => Err(Lost::Broken("the answer is not one of a batch".into())),
    }
}

fn of_batch(batch: BatchResult, statements: usize) -> Result<Answer, Lost> {
    let (results, errors) = (batch.step_results.len(), batch.step_errors.len());
    if results != statements || errors != statements {
        let what = format!("{statements} statements were answered with {results} results and {errors} errors");
        return Err(Lost::Broken(what));
    }
    let mut answer = Answer::default();
    let mut rows_read = Some(0u64);
    for (step, (result, error)) in batch.step_results.into_iter().zip(batch.step_errors).enumerate() {
        match (result, error) {
            (Some(result), None) => {
                rows_read = rows_read.and_then(|sum| sum.checked_add(result.rows_read));
                let width = result.cols.len();
                if result.rows.iter().any(|row| row.values.len() != width) {
                    return Err(Lost::Broken("a row lacks values".into()));
                }
                let rows = result.rows.into_iter().map(|row| row.values.into_iter().map(value).collect());
                answer.results.push(rows.collect());
            }
            (None, Some(error)) => {
                answer.failed = Some((step, bounded(&error.code), reason_of(&error.message)));
                break;
            }
            _ => return Err(Lost::Broken(format!("statement {} has no answer", step + 1))),
        }
    }
    answer.rows_read = rows_read;
    Ok(answer)
}

impl Answer {
    /// The rows of every statement, or the one that failed.
    pub fn complete(self) -> Result<Self, HranaError> {
        match self.failed {
            None => Ok(self),
            Some((step, code, reason)) => Err(HranaError::Sql { step, code, reason }),
        }
    }
}

fn value(value: proto::Value) -> Value {
    match value {
        proto::Value::None | proto::Value::Null => Value::Null,
        proto::Value::Integer { value } => Value::Integer(value),
        proto::Value::Float { value } => Value::Real(value),
        proto::Value::Text { value } => Value::Text(value.as_ref().to_owned()),
        proto::Value::Blob { value } => Value::Blob(value.into()),
    }
}

fn bounded(code: &str) -> String {
    truncate_bytes(code, 64).to_owned()
}

/// A server's own reason: the text of a JSON error, or the text itself.
fn reason_of(body: &str) -> Text {
    let json: Option<serde_json::Value> = serde_json::from_str(body).ok();
    let field = json.as_ref().and_then(|json| json["error"].as_str().or_else(|| json["message"].as_str()));
    Text::new(truncate_bytes(field.unwrap_or(body).trim(), REASON))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(results: &str, statements: usize) -> Result<Answer, Lost> {
        let body = body_of(format!(r#"{{"baton":null,"base_url":null,"results":[{results}]}}"#).as_bytes())?;
        parsed(body.results.into_iter().next(), statements)
    }

    #[test]
    fn a_standing_is_what_the_server_says_of_it() {
        let of = |index: &str, second: &str, error: &str| {
            let text = format!(
                r#"{{"type":"ok","response":{{"type":"batch","result":{{"step_results":[{ONE},{second}],"step_errors":[null,{error}],"replication_index":{index}}}}}}}"#
            );
            let body = body_of(format!(r#"{{"baton":null,"base_url":null,"results":[{text}]}}"#).as_bytes()).ok()?;
            standing(body.results.into_iter().next(), 2).ok()
        };
        let all = Standing { commits: Some(9), schema: Some(7), clock_ms: Some(7) };
        assert_eq!(of("\"9\"", ONE, "null"), Some(all));
        assert_eq!(of("null", ONE, "null"), Some(Standing { commits: None, ..all }), "it does not count");
        let refused = r#"{"message":"not allowed","code":"SQL_NO"}"#;
        assert_eq!(of("\"9\"", "null", refused), Some(Standing { schema: None, ..all }), "a pragma may be refused");
    }

    fn batch(results: &str, errors: &str) -> String {
        format!(
            r#"{{"type":"ok","response":{{"type":"batch","result":{{"step_results":[{results}],"step_errors":[{errors}]}}}}}}"#
        )
    }

    const ONE: &str = r#"{"cols":[{"name":"a"}],"rows":[[{"type":"integer","value":"7"}]],"affected_row_count":0,"last_insert_rowid":null,"rows_read":3}"#;

    #[test]
    fn rows_and_their_cost_are_read() {
        let read = answer(&batch(ONE, "null"), 1).unwrap();
        assert_eq!((read.results, read.rows_read), (vec![vec![vec![Value::Integer(7)]]], Some(3)));
    }

    #[test]
    fn a_statement_that_failed_is_told_from_an_answer_that_was_lost() {
        let failed = format!("null,{}", r#"{"message":"SQLite error: x","code":"SQLITE_BUSY"}"#);
        let read = answer(&batch(&format!("{ONE},null"), &failed), 2).unwrap();
        assert_eq!(read.failed, Some((1, "SQLITE_BUSY".into(), "SQLite error: x".into())));
        // What the server says of the exchange as a whole does not tell whether the statements ran.
        let whole = r#"{"type":"error","error":{"message":"expired","code":"STREAM_EXPIRED"}}"#;
        assert!(matches!(answer(whole, 1), Err(Lost::Stream { .. })));
        let large = r#"{"type":"error","error":{"message":"Response is too large","code":"RESPONSE_TOO_LARGE"}}"#;
        assert!(matches!(answer(large, 1), Err(Lost::TooLarge { limit: None, .. })));
    }

    /// A2: what is not recognised is a lost answer.
    #[rstest::rstest]
    #[case("")]
    #[case(r#"{"type":"none"}"#)]
    #[case(&*batch(ONE, "null,null").leak())]
    #[case(&*batch("null", "null").leak())]
    #[case(&*batch(&ONE.replace("[[", "[[],["), "null").leak())]
    #[case(&*batch(&ONE.replace("\"7\"", "\"7.5\""), "null").leak())]
    fn anything_else_is_a_lost_answer(#[case] results: &str) {
        assert!(matches!(answer(results, 1), Err(Lost::Broken(_))), "{results}");
    }

    #[test]
    fn a_servers_reason_is_what_it_says_bounded_and_scrubbed() {
        assert_eq!(reason_of(r#"{"error":"Unauthorized: expired"}"#), "Unauthorized: expired");
        assert_eq!(reason_of("plain\u{1b}[31m").as_str(), "plain␛[31m");
        assert!(reason_of(&"x".repeat(10_000)).raw().len() <= REASON);
    }
}
