//! A remote libSQL database over Hrana: one batch, hence one round trip, a poll.

use super::{ReadError, Rows, Spent};
use crate::config::address::Address;
use crate::config::token::Token;
use crate::data::tls;
use crate::data::tls::Tls;
use crate::data::vox::hrana::{Client, HranaError, Lost};
use crate::model::source::Fault;
use crate::model::text::Text;

/// A remote database, read.
pub struct Remote {
    address: Address,
    token: Option<Token>,
    client: Client,
}

impl Remote {
    /// Connects at the first read. `max_answer` bounds an answer, in bytes.
    #[must_use]
    pub fn new(address: Address, token: Option<Token>, max_answer: u64, tls: Tls) -> Self {
        let client = Client::new(&address, tls, max_answer);
        Self { address, token, client }
    }

    pub(super) async fn run(&mut self, statements: &[&str], spent: &mut Spent) -> Result<Vec<Rows>, ReadError> {
        // Read anew each time: a token may have been renewed.
        let token = match &self.token {
            Some(token) => Some(token.read().await?),
            None => None,
        };
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
        Ok(answer.complete().map_err(explain)?.results)
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
