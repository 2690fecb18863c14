//! A remote libSQL database over Hrana: one batch, hence one round trip, a poll.

use super::gate::Gate;
use super::{News, ReadError, Rows, Spent};
use secrecy::SecretString;

use crate::config::address::Address;
use crate::config::token::Token;
use crate::data::tls;
use crate::data::tls::Tls;
use crate::data::vox::hrana::{Client, HranaError, Lost, Standing};
use crate::model::observation::ClockSample;
use crate::model::source::Fault;
use crate::model::text::Text;
use crate::model::time::Millis;

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
}

impl Remote {
    /// Connects at the first read. `max_answer` bounds an answer, in bytes.
    #[must_use]
    pub fn new(address: Address, token: Option<Token>, max_answer: u64, tls: Tls) -> Self {
        let client = Client::new(&address, tls, max_answer);
        Self { address, token, client, gate: Gate::default(), before: None, schema: None, counts: None }
    }

    /// Finds out whether something was written, where the server counts what is: without reading a row.
    pub(super) async fn news(
        &mut self,
        spent: &mut Spent,
        clock: fn() -> Millis,
    ) -> Result<(News, Option<ClockSample>), Fault> {
        self.before = None;
        if !self.gate.is_asked() {
            return Ok((News::Some, None));
        }
        let token = self.token().await?;
        spent.round_trips += 1;
        let sent_ms = clock();
        let (now, bytes) = self.client.standing(token.as_ref()).await.map_err(|error| {
            self.gate.forget();
            self.client.reconnect();
            explain(error).into_fault()
        })?;
        (spent.bytes, spent.read) = (spent.bytes + bytes, Some(0));
        let sample = now.clock_ms.map(|at| ClockSample::between(sent_ms, at, clock(), 1));
        Ok((if self.gate.moved(now.commits) { News::Some } else { News::None }, sample))
    }

    /// What was read is whole, or is not.
    pub(super) fn settle(&mut self, is_whole: bool) {
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

    pub(super) async fn run(&mut self, statements: &[&str], spent: &mut Spent) -> Result<Vec<Rows>, ReadError> {
        let token = self.token().await?;
        spent.round_trips += 1;
        let answer = match self.client.read(statements, token.as_ref()).await {
            Ok(answer) => answer,
            Err(error) => {
                // A new connection, and certificates read anew, for the next try.
                self.client.reconnect();
                return Err(explain(error));
            }
        };
        spent.bytes += answer.bytes;
        // An exchange that does not say what it read leaves the whole unknown.
        spent.read = match (spent.round_trips, spent.read, answer.rows_read) {
            (1, _, read) => read,
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
        Ok(answer.results)
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
