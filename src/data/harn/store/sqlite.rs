//! The log as a SQLite file, followed by the heads of its topics: what was read is not read again.

use std::collections::HashMap;
use std::path::PathBuf;

use libsql::{Connection, Value};

use super::{Consumer, Event, MOST_BYTES, MOST_EVENTS, News, is_mirror};
use crate::data::followed::{Followed, Reading};
use crate::data::sqlite::{self, Rows, collect, int, text};
use crate::model::observation::Cost;
use crate::model::source::Fault;

/// One file.
pub struct Sqlite {
    file: Followed,
    window: usize,
    /// The last event read of each topic.
    cursors: HashMap<String, i64>,
}

impl Sqlite {
    /// Follows the file at `path`.
    #[must_use]
    pub fn new(path: PathBuf, window: usize) -> Self {
        Self { file: Followed::new(path), window, cursors: HashMap::new() }
    }

    pub(super) async fn news(&mut self, cost: &mut Cost) -> Result<News, Fault> {
        let (connection, replaced) = match self.file.read().await? {
            Reading::Missing => return Err(self.file.missing()),
            Reading::Unchanged => return Ok(News::default()),
            Reading::Changed { connection, replaced } => (connection, replaced),
        };
        let mut news = News { reset: replaced, ..News::default() };
        // What was read is remembered at the end: a poll that is given up has read nothing.
        let mut cursors = if replaced { HashMap::new() } else { self.cursors.clone() };
        let heads = ask(&connection, "SELECT topic, last_id FROM topic_heads ORDER BY topic", cost).await?;
        let heads: Vec<(String, i64)> =
            heads.iter().filter_map(|row| Some((text(row.first()?)?.to_owned(), int(row.get(1)?)?))).collect();
        let restarted = heads.iter().any(|(topic, head)| cursors.get(topic).is_some_and(|at| at > head));
        let gone = cursors.keys().any(|topic| !is_mirror(topic) && heads.iter().all(|(name, _)| name != topic));
        if restarted || gone {
            news.reset = true;
            cursors.clear();
        }
        let mut behind = false;
        for (topic, head) in heads.iter().filter(|(topic, _)| !is_mirror(topic)) {
            let from = cursors.get(topic).copied();
            if from == Some(*head) {
                continue;
            }
            if news.events.len() >= MOST_EVENTS {
                behind = true;
                break;
            }
            let from = from.unwrap_or_else(|| {
                let from = head.saturating_sub(i64::try_from(self.window).unwrap_or(i64::MAX)).max(0);
                news.windowed |= from > 0;
                from
            });
            let (last, more) = follow(&connection, topic, from, &mut news, cost).await?;
            behind |= more;
            cursors.insert(topic.clone(), last);
        }
        let consumers = "SELECT topic, consumer_id, cursor, updated_at_ms FROM consumers ORDER BY topic, consumer_id";
        let rows = ask(&connection, consumers, cost).await?;
        news.consumers = Some(rows.iter().filter_map(|row| consumer(row)).collect());
        news.heads = Some(heads);
        self.file.seen(behind)?;
        self.cursors = cursors;
        Ok(news)
    }
}

/// Reads a topic from a place on. Answers how far it came, and whether there is more.
async fn follow(
    connection: &Connection,
    topic: &str,
    from: i64,
    news: &mut News,
    cost: &mut Cost,
) -> Result<(i64, bool), Fault> {
    let sql = format!(
        "SELECT event_id, kind, substr(payload, 1, {most}), substr(headers, 1, {most}), occurred_at_ms FROM events \
         WHERE topic = {topic} AND event_id > {from} ORDER BY event_id LIMIT {MOST_EVENTS}",
        most = MOST_BYTES + 1,
        topic = quoted(topic),
    );
    let rows = ask(connection, &sql, cost).await?;
    let more = rows.len() == MOST_EVENTS;
    let mut last = from;
    for row in rows {
        if let Some(id) = row.first().and_then(int) {
            last = last.max(id);
        }
        match event(topic, &row) {
            Some(event) => news.events.push(event),
            None => news.odd += 1,
        }
    }
    // The head may name events that are not there: then there is nothing to wait for.
    Ok((last, more))
}

async fn ask(connection: &Connection, sql: &str, cost: &mut Cost) -> Result<Rows, Fault> {
    let explain = |error: &libsql::Error| {
        let todo = match sqlite::code(error) {
            Some(sqlite::ERROR) => "it has no event log of Harn, or one of another version: name another folder",
            Some(sqlite::CANNOT_OPEN | sqlite::READ_ONLY) => {
                "a log in use needs a folder that this user may write its -shm file to"
            }
            Some(sqlite::NOT_A_DATABASE | sqlite::CORRUPT) => "look at it with PRAGMA integrity_check",
            _ => "",
        };
        let fault = Fault::transient(format!("the event log answered: {}", sqlite::reason(error)));
        Fault { todo: todo.into(), ..fault }
    };
    let rows = connection.query(sql, ()).await.map_err(|e| explain(&e))?;
    let rows = collect(rows).await.map_err(|e| explain(&e))?;
    cost.rows += rows.len() as u64;
    Ok(rows)
}

fn event(topic: &str, row: &[Value]) -> Option<Event> {
    let json = |value: &Value| -> Option<serde_json::Value> {
        let bytes = match value {
            Value::Text(text) => text.as_bytes(),
            Value::Blob(bytes) => bytes,
            _ => return None,
        };
        if bytes.len() > MOST_BYTES {
            return None;
        }
        serde_json::from_slice(bytes).ok()
    };
    let serde_json::Value::Object(headers) = json(row.get(3)?)? else { return None };
    Some(Event {
        topic: topic.to_owned(),
        event_id: int(row.first()?)?,
        kind: text(row.get(1)?)?.to_owned(),
        payload: json(row.get(2)?)?,
        headers,
        occurred_at_ms: int(row.get(4)?)?,
    })
}

fn consumer(row: &[Value]) -> Option<Consumer> {
    Some(Consumer {
        topic: text(row.first()?)?.to_owned(),
        name: text(row.get(1)?)?.to_owned(),
        cursor: int(row.get(2)?)?,
        updated_at_ms: row.get(3).and_then(int),
    })
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
