//! Actions as SQL: one guarded statement each, wrapped so that it, its op-log entry and the readings before and
//! after stand in one exchange and one transaction. Pure.
//!
//! A guard compares what is stored, byte for byte: whatever a column's collation or an unusual way to write an instant
//! would call equal is not the row that was seen.

use crate::data::vox::queries::CLOCK_SQL;
use crate::data::vox::schema::Schema;
use crate::data::vox::tables::MAX_CELL;
use crate::model::action::{Action, LockGuard, MessageGuard, Mode, OPERATOR_AGENT, OutboundMessage};
use crate::model::time::sqlite;
use crate::model::{LockTable, Stored};

/// The statements of one action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    /// Reads the thing as it is.
    pub select: String,
    /// Changes it, if it is as it was seen.
    pub write: String,
    /// Counts the rows that are still as they were seen; of a letter, those that stand for it.
    pub stands: String,
}

/// A value as SQL text. What is not plain is written in hexadecimal, so that nothing can end the literal.
#[must_use]
pub fn quote(text: &str) -> String {
    if text.bytes().all(|b| (b' '..=b'~').contains(&b) && b != b'\'') {
        return format!("'{text}'");
    }
    let mut hex = String::with_capacity(2 * text.len());
    for byte in text.bytes() {
        hex.push_str(&format!("{byte:02x}"));
    }
    format!("CAST(X'{hex}' AS TEXT)")
}

fn number(n: Option<i64>) -> String {
    n.map_or_else(|| "NULL".into(), |n| n.to_string())
}

/// A condition: the column holds this text, or nothing.
fn is_text(column: &str, value: Option<&str>) -> String {
    match value {
        None => format!("{column} IS NULL"),
        // Nothing and no text look the same once they were read.
        Some("") => format!("({column} IS NULL OR {column} = '')"),
        Some(text) => {
            format!("substr(CAST({column} AS TEXT), 1, {MAX_CELL}) COLLATE BINARY IS {}", quote(text))
        }
    }
}

/// A stored value as SQL text; nothing where it is none.
fn literal(value: &Stored) -> Option<String> {
    match value {
        Stored::Integer(n) => Some(n.to_string()),
        Stored::Real(digits) => digits.parse::<f64>().ok().filter(|x| x.is_finite()).map(|x| format!("{x:?}")),
        Stored::Text(text) => Some(quote(text)),
    }
}

/// How a lock table names things.
struct LockColumns {
    table: &'static str,
    key: &'static str,
    node: &'static str,
    agent: &'static str,
    /// Times are text in whole seconds; else milliseconds.
    dated: bool,
}

fn columns(table: LockTable) -> Option<LockColumns> {
    match table {
        LockTable::Distributed => Some(LockColumns {
            table: "distributed_locks",
            key: "lock_key",
            node: "holder_node",
            agent: "holder_agent",
            dated: true,
        }),
        LockTable::Vcs => {
            Some(LockColumns { table: "vcs_lock", key: "path", node: "holder_node_id", agent: "holder", dated: false })
        }
        _ => None,
    }
}

/// The statements of an action, by what the database has; or why there are none.
pub fn script(action: &Action, schema: &Schema, operator_node: &str, request: &str) -> Result<Script, String> {
    match action {
        Action::Release { lock, mode, hold_ms } => {
            let lock = LockSql::of(lock, schema)?;
            Ok(Script {
                select: lock.select(),
                write: lock.release(*mode, *hold_ms, operator_node)?,
                stands: lock.stands(),
            })
        }
        Action::Restore { lock, former } => {
            let lock = LockSql::of(lock, schema)?;
            Ok(Script { select: lock.select(), write: lock.restore(former)?, stands: lock.stands() })
        }
        Action::Reroute { message, to } => {
            let set = format!("receiver_agent = {}{}", quote(to), clear_claim(schema));
            message_script(message, schema, &set, "")
        }
        Action::Unclaim { message } => {
            if !schema.has(MESSAGES, "claim_owner") {
                return Err("a2a_messages has no claims here".into());
            }
            let set = clear_claim(schema);
            message_script(message, schema, set.trim_start_matches(", "), " AND claim_owner IS NOT NULL")
        }
        Action::Acknowledge { message } => {
            let stamp = if schema.has(MESSAGES, "processed_at_ms") {
                format!(", processed_at_ms = ({CLOCK_SQL})")
            } else {
                String::new()
            };
            message_script(message, schema, &format!("acknowledged = 1{stamp}"), "")
        }
        Action::Send { outbound } => Ok(send_message(outbound, schema, request)),
        other => Err(format!("a database does not do this: {}", other.kind())),
    }
}

struct LockSql<'a> {
    lock: &'a LockGuard,
    names: LockColumns,
    schema: &'a Schema,
}

impl<'a> LockSql<'a> {
    fn of(lock: &'a LockGuard, schema: &'a Schema) -> Result<Self, String> {
        let names = columns(lock.table).ok_or("an execution lease is no row that could be released")?;
        if !schema.readable(names.table) {
            return Err(format!("there is no {} any more", names.table));
        }
        Ok(Self { lock, names, schema })
    }

    fn has(&self, column: &str) -> bool {
        self.schema.has(self.names.table, column)
    }

    /// A time column as milliseconds.
    fn millis(&self, column: &str) -> String {
        match (self.has(column), self.names.dated) {
            (false, _) => "NULL".into(),
            // Rounded, because a day's fraction is not exact in binary.
            (true, true) => format!("CAST(round((julianday({column}) - 2440587.5) * 86400000.0) AS INTEGER)"),
            (true, false) => column.into(),
        }
    }

    /// An instant as the table writes it.
    fn instant(&self, ms: i64) -> String {
        if self.names.dated { format!("datetime({}, 'unixepoch')", ms.div_euclid(1_000)) } else { ms.to_string() }
    }

    /// Now and so many milliseconds, on the database's clock.
    fn after_now(&self, ms: i64) -> String {
        if self.names.dated {
            format!("datetime('now', '{:+} seconds')", ms.div_euclid(1_000))
        } else {
            format!("({CLOCK_SQL}) + {ms}")
        }
    }

    fn column_or_null(&self, column: &str) -> String {
        if self.has(column) { column.into() } else { "NULL".into() }
    }

    /// The row, by its key alone.
    fn place(&self) -> String {
        let repository = if self.lock.table == LockTable::Distributed && self.has("repository_id") {
            format!(" AND repository_id = {}", quote(&self.lock.repository_id))
        } else {
            String::new()
        };
        // The first comparison uses the index, the second one does not follow its collation.
        let (column, key) = (self.names.key, quote(&self.lock.lock_key));
        format!("{column} = {key} AND {column} COLLATE BINARY = {key}{repository}")
    }

    /// The row, as it was seen.
    fn guard(&self) -> String {
        let mut all = vec![self.place(), is_text(self.names.node, Some(&self.lock.holder_node))];
        let mut also = |column: &str, condition: String| {
            if self.has(column) {
                all.push(condition);
            }
        };
        also(self.names.agent, is_text(self.names.agent, Some(&self.lock.holder_agent)));
        also("fence_token", format!("fence_token IS {}", number(self.lock.fence_token)));
        if self.lock.table == LockTable::Vcs {
            // The path alone is the key: another repository may have taken the row over.
            also("repository_id", is_text("repository_id", Some(&self.lock.repository_id)));
        }
        also("expires_at", self.same_end());
        all.join(" AND ")
    }

    fn stands(&self) -> String {
        format!("SELECT count(*) FROM {} WHERE {}", self.names.table, self.guard())
    }

    /// Its end is stored as it was seen.
    fn same_end(&self) -> String {
        let usual =
            self.lock.expires_at_ms.map(|ms| if self.names.dated { quote(&sqlite(ms)) } else { ms.to_string() });
        let stored = self.lock.expires_at.as_ref().and_then(literal);
        format!("expires_at COLLATE BINARY IS {}", stored.or(usual).unwrap_or_else(|| "NULL".into()))
    }

    /// Whether it is past its end for the clients of its table, which compare what is stored.
    fn is_over(&self) -> String {
        if self.names.dated { "expires_at <= datetime('now')".into() } else { format!("expires_at <= ({CLOCK_SQL})") }
    }

    fn select(&self) -> String {
        format!(
            "SELECT {}, {}, {}, {}, {}, {} FROM {} WHERE {}",
            self.names.node,
            self.column_or_null(self.names.agent),
            self.column_or_null("fence_token"),
            self.millis("expires_at"),
            self.millis("acquired_at"),
            self.has_run_out(),
            self.names.table,
            self.place()
        )
    }

    fn release(&self, mode: Mode, hold_ms: i64, operator_node: &str) -> Result<String, String> {
        let (table, guard) = (self.names.table, self.guard());
        if mode != Mode::Delete && !self.has("expires_at") {
            return Err(format!("{table} has no expires_at: only delete is possible"));
        }
        Ok(match mode {
            Mode::Delete => format!("DELETE FROM {table} WHERE {guard}"),
            Mode::Expire => {
                let (past, over) = (self.after_now(-1_000), self.has_run_out());
                format!("UPDATE {table} SET expires_at = {past} WHERE {guard} AND ({over}) IS NOT TRUE")
            }
            Mode::FenceOff if !self.has("fence_token") => {
                return Err(format!("{table} has no fence_token to raise: choose expire or delete"));
            }
            Mode::FenceOff if self.lock.table == LockTable::Vcs => {
                return Err(
                    "a process that reads a vcs_lock row while the operator holds it keeps it for ever: choose \
                            expire"
                        .into(),
                );
            }
            Mode::FenceOff => {
                self.next_fence()?;
                let agent = if self.has(self.names.agent) {
                    format!(", {} = '{OPERATOR_AGENT}'", self.names.agent)
                } else {
                    String::new()
                };
                format!(
                    "UPDATE {table} SET {} = {}{agent}, fence_token = fence_token + 1, expires_at = {} WHERE {guard}",
                    self.names.node,
                    quote(operator_node),
                    self.after_now(hold_ms.max(1_000))
                )
            }
        })
    }

    /// Only while the hold lasts: what ran out belongs to whoever comes first.
    fn restore(&self, former: &LockGuard) -> Result<String, String> {
        self.next_fence()?;
        let agent = if self.has(self.names.agent) {
            format!(", {} = {}", self.names.agent, quote(&former.holder_agent))
        } else {
            String::new()
        };
        let end = former.expires_at_ms.map_or_else(|| "expires_at".into(), |ms| self.instant(ms));
        let now = if self.names.dated { "datetime('now')".to_owned() } else { format!("({CLOCK_SQL})") };
        Ok(format!(
            "UPDATE {} SET {} = {}{agent}, fence_token = fence_token + 1, expires_at = {end} WHERE {} \
             AND expires_at > {now}",
            self.names.table,
            self.names.node,
            quote(&former.holder_node),
            self.guard()
        ))
    }

    /// The next fence token, where there is one: beyond the largest number SQLite would go on with a real one.
    fn next_fence(&self) -> Result<Option<i64>, String> {
        match self.lock.fence_token.map(|fence| fence.checked_add(1)) {
            Some(None) => Err("its fence token is the largest there is and cannot be raised: choose expire".into()),
            next => Ok(next.flatten()),
        }
    }

    /// Whether it has run out for every client. An end that is not written as usual is replaced, because clients
    /// compare it as it is.
    fn has_run_out(&self) -> String {
        if !self.has("expires_at") {
            return "NULL".into();
        }
        let usual = if self.names.dated {
            "expires_at GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9] [0-9][0-9]:[0-9][0-9]:[0-9][0-9]'"
        } else {
            "typeof(expires_at) = 'integer'"
        };
        format!("{usual} AND {}", self.is_over())
    }
}

const MESSAGES: &str = "a2a_messages";

fn clear_claim(schema: &Schema) -> String {
    let columns = ["claim_owner", "claim_until_ms"].into_iter().filter(|c| schema.has(MESSAGES, c));
    columns.map(|column| format!(", {column} = NULL")).collect::<Vec<_>>().concat()
}

fn message_script(message: &MessageGuard, schema: &Schema, set: &str, also: &str) -> Result<Script, String> {
    if !schema.readable(MESSAGES) {
        return Err(format!("there is no {MESSAGES} any more"));
    }
    let has = |column: &str| schema.has(MESSAGES, column);
    let column = |name: &str| if has(name) { name.to_owned() } else { "NULL".into() };
    let mut guard = vec![
        format!("id = {}", message.id),
        is_text("receiver_agent", Some(&message.receiver)),
        "acknowledged = 0".into(),
    ];
    if has("sender_agent") {
        guard.push(is_text("sender_agent", Some(&message.sender)));
    }
    if has("claim_owner") {
        guard.push(is_text("claim_owner", message.claim_owner.as_deref()));
    }
    if has("claim_until_ms") {
        guard.push(format!("claim_until_ms IS {}", number(message.claim_until_ms)));
    }
    Ok(Script {
        select: format!(
            "SELECT receiver_agent, acknowledged, {}, {}, {} FROM {MESSAGES} WHERE id = {}",
            column("claim_owner"),
            column("claim_until_ms"),
            column("delivery_attempts"),
            message.id
        ),
        write: format!("UPDATE {MESSAGES} SET {set} WHERE {}{also}", guard.join(" AND ")),
        stands: format!("SELECT count(*) FROM {MESSAGES} WHERE {}{also}", guard.join(" AND ")),
    })
}

/// A message is written once: its uuid is the attempt's.
fn send_message(outbound: &OutboundMessage, schema: &Schema, request: &str) -> Script {
    let uuid = quote(&format!("lockkeeper-{request}"));
    let mut row = vec![("receiver_agent", quote(&outbound.to)), ("acknowledged", "0".to_owned())];
    let mut also = |column: &'static str, value: String| {
        if schema.has(MESSAGES, column) {
            row.push((column, value));
        }
    };
    also("sender_agent", quote(OPERATOR_AGENT));
    also("msg_type", quote(&outbound.msg_type));
    also("payload", quote(&outbound.payload));
    also("priority", "2".into());
    also("created_at", "datetime('now')".into());
    also("repository_id", quote(&outbound.repository_id));
    // Not read by the console, but every variant of the table has it.
    row.push(("message_uuid", uuid.clone()));
    let (names, values): (Vec<&str>, Vec<String>) = row.into_iter().unzip();
    Script {
        stands: format!("SELECT count(*) FROM {MESSAGES} WHERE message_uuid = {uuid}"),
        select: format!("SELECT id, receiver_agent, acknowledged FROM {MESSAGES} WHERE message_uuid = {uuid}"),
        write: format!(
            "INSERT INTO {MESSAGES} ({}) SELECT {} WHERE NOT EXISTS (SELECT 1 FROM {MESSAGES} WHERE message_uuid = {uuid})",
            names.join(", "),
            values.join(", ")
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_value_can_end_its_literal() {
        assert_eq!(quote("src/a.rs"), "'src/a.rs'");
        assert_eq!(quote("a'; DROP TABLE x; --"), "CAST(X'61273b2044524f50205441424c4520783b202d2d' AS TEXT)");
        assert_eq!(quote("\0"), "CAST(X'00' AS TEXT)");
        assert_eq!(quote("ä"), "CAST(X'c3a4' AS TEXT)");
    }
}
