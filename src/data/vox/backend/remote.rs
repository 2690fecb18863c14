//! A remote libSQL database over Hrana: one batch, hence one round trip, a poll.

use std::sync::Arc;

use libsql::{Builder, Connection};

use super::{ReadError, Rows, Spent};
use crate::config::token::Token;
use crate::data::source::Fault;
use crate::data::sqlite::collect;
use crate::data::vox::connector::Meter;
use crate::data::vox::tls::Tls;

/// A remote database.
pub struct Remote {
    url: String,
    token: Option<Token>,
    tls: Tls,
    max_answer: u64,
    meter: Arc<Meter>,
    connection: Option<Connection>,
}

impl Remote {
    /// Connects at the first read. `max_answer` bounds an answer, in bytes.
    #[must_use]
    pub fn new(url: String, token: Option<Token>, max_answer: u64) -> Self {
        Self { url, token, tls: Tls::default(), max_answer, meter: Arc::default(), connection: None }
    }

    /// The same with what a configuration adds to the platform's roots.
    #[must_use]
    pub fn with_tls(self, tls: Tls) -> Self {
        Self { tls, ..self }
    }

    pub async fn run(&mut self, statements: &[&str], spent: &mut Spent) -> Result<Vec<Rows>, ReadError> {
        let connection = self.connection().await?;
        self.meter.start(self.max_answer);
        let answer = connection.execute_batch(&statements.join(";\n")).await;
        spent.round_trips += 1;
        spent.bytes += self.meter.received();
        // A statement that tells nothing leaves the whole untold.
        let told = self.meter.told(statements.len());
        spent.read = if spent.round_trips == 1 { told } else { spent.read.zip(told).map(|(a, b)| a + b) };
        let mut batch = match answer {
            Ok(batch) => batch,
            Err(error) => {
                let exceeded = self.meter.exceeded();
                // A new connection for the next try: a token may have been renewed, a stream may be lost.
                self.connection = None;
                return Err(if exceeded { self.too_large().into() } else { explain(&error) });
            }
        };
        let mut answers = Vec::with_capacity(statements.len());
        while let Some(rows) = batch.next_stmt_row() {
            match rows {
                Some(rows) => answers.push(collect(rows).await.map_err(|e| ReadError::of_sql(&e))?),
                None => answers.push(Rows::new()),
            }
        }
        if answers.len() == statements.len() {
            Ok(answers)
        } else {
            let what = format!("{} statements were answered with {} results", statements.len(), answers.len());
            Err(Fault::transient(what).into())
        }
    }

    async fn connection(&mut self) -> Result<Connection, Fault> {
        if let Some(connection) = &self.connection {
            return Ok(connection.clone());
        }
        let (secret, connector) = super::credentials(self.token.as_ref(), &self.tls, &self.meter).await?;
        let fault =
            |e: libsql::Error| Fault::setup(format!("cannot use this address: {e}"), "correct the database URL");
        let database =
            Builder::new_remote(self.url.clone(), secret).connector(connector).build().await.map_err(fault)?;
        let connection = database.connect().map_err(fault)?;
        self.connection = Some(connection.clone());
        Ok(connection)
    }

    pub(super) fn warning(&self) -> Option<crate::text::Text> {
        crate::data::vox::tls::warning(&self.url, self.token.is_some())
    }

    fn too_large(&self) -> Fault {
        Fault::setup(
            format!("the answer is larger than {}", crate::time::bytes(self.max_answer)),
            "raise limits.remote_answer_bytes, or lower limits.live_rows",
        )
    }
}

/// Turns what the client says into what a person can act on.
pub(super) fn explain(error: &libsql::Error) -> ReadError {
    let text = match error {
        libsql::Error::Hrana(inner) => inner.to_string(),
        other => other.to_string(),
    };
    let status = text.split("status=").nth(1).and_then(|rest| rest.get(..3)).and_then(|n| n.parse::<u16>().ok());
    match status {
        Some(401) => Fault::setup(
            "the database refused the token (401)",
            "renew it and put it where --token-file or --token-env points",
        )
        .into(),
        Some(403) => {
            Fault::setup("the token may not read this database (403)", "use a token with read access to it").into()
        }
        Some(404) => Fault::setup("no Hrana v3 database at this address (404)", "correct the database URL").into(),
        Some(code @ (429 | 503)) => Fault::busy(format!("the database asks for patience ({code})")).into(),
        Some(code) => Fault::transient(format!("the database server failed ({code})")).into(),
        None if text.contains("reading a body") || text.contains("before message completed") => {
            Fault::transient(format!("the answer broke off: {}", tidy(&text))).into()
        }
        None if text.contains("onnect") || text.contains("dns") => {
            Fault::transient(format!("cannot reach the database: {}", tidy(&text))).into()
        }
        None if text.contains("json error") => Fault::transient("the answer is not Hrana v3").into(),
        None => ReadError::of_sql(&tidy(&text)),
    }
}

fn tidy(text: &str) -> String {
    let text = text.trim_start_matches("http error: ").trim_start_matches("api error: ").trim_matches('`');
    crate::text::truncate_bytes(text, 200).to_owned()
}
