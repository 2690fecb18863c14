//! The answer to a batch as a stream of lines: one for each row, without a bound on all of them.

use libsql_hrana::proto;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::{Answer, Lost, bounded, reason_of, value};

/// The first line.
#[derive(Deserialize)]
struct Head {
    baton: Option<String>,
}

/// Every other line.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Entry {
    StepBegin {
        step: usize,
        cols: Vec<IgnoredAny>,
    },
    Row {
        row: proto::Row,
    },
    StepEnd {},
    StepError {
        step: usize,
        error: proto::Error,
    },
    Error {
        error: proto::Error,
    },
    #[serde(other)]
    Other,
}

/// Reads all lines: what names the stream, and the rows of each statement. The server does not say what it read for them.
pub fn parsed(bytes: &[u8], statements: usize) -> Result<(Option<String>, Answer), Lost> {
    let broken = |what: &str| Lost::Broken(format!("the stream of rows {what}"));
    let mut lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let head = lines.next().ok_or_else(|| broken("is empty"))?;
    let Head { baton } = serde_json::from_slice(head).map_err(|_| broken("is not Hrana v3"))?;
    let mut answer = Answer::default();
    // The columns of the statement whose rows come.
    let mut open = None;
    for line in lines {
        match serde_json::from_slice(line).map_err(|_| broken("is not Hrana v3"))? {
            Entry::StepBegin { step, cols } if open.is_none() && step == answer.results.len() && step < statements => {
                open = Some(cols.len());
                answer.results.push(Vec::new());
            }
            Entry::Row { row } if open == Some(row.values.len()) => {
                let rows = answer.results.last_mut().ok_or_else(|| broken("has a row of no statement"))?;
                rows.push(row.values.into_iter().map(value).collect());
            }
            Entry::StepEnd {} if open.is_some() => open = None,
            Entry::StepError { step, error } => {
                answer.results.truncate(step);
                answer.failed = Some((step, bounded(&error.code), reason_of(&error.message)));
                return Ok((baton, answer));
            }
            Entry::Error { error } => {
                return Err(Lost::Stream { code: bounded(&error.code), reason: reason_of(&error.message) });
            }
            Entry::Other => {}
            _ => return Err(broken("is out of order")),
        }
    }
    if open.is_some() || answer.results.len() != statements {
        return Err(broken("broke off"));
    }
    Ok((baton, answer))
}

#[cfg(test)]
mod tests {
    use super::*;
    use libsql::Value;

    const HEAD: &str = r#"{"baton":"b","base_url":null}"#;
    const BEGIN: &str = r#"{"type":"step_begin","step":0,"cols":[{"name":"i"}]}"#;
    const ROW: &str = r#"{"type":"row","row":[{"type":"integer","value":"1"}]}"#;
    const END: &str = r#"{"type":"step_end","affected_row_count":0,"last_insert_rowid":null}"#;
    const FAILED: &str = r#"{"type":"step_error","step":0,"error":{"message":"no such table","code":"SQL"}}"#;

    fn read(lines: &[&str]) -> Result<(Option<String>, Answer), Lost> {
        parsed(lines.join("\n").as_bytes(), 1)
    }

    #[test]
    fn rows_come_line_by_line() {
        let index = r#"{"type":"replication_index","replication_index":"7"}"#;
        let (baton, answer) = read(&[HEAD, BEGIN, ROW, ROW, END, index, ""]).unwrap();
        assert_eq!(baton.as_deref(), Some("b"));
        assert_eq!(answer.results, [vec![vec![Value::Integer(1)], vec![Value::Integer(1)]]]);
        assert_eq!(answer.rows_read, None, "nobody said");
        let (_, answer) = read(&[HEAD, BEGIN, ROW, FAILED]).unwrap();
        assert_eq!(answer.failed, Some((0, "SQL".into(), "no such table".into())));
    }

    #[rstest::rstest]
    #[case(&[])]
    #[case(&[HEAD])]
    #[case(&[HEAD, BEGIN, ROW])]
    #[case(&[HEAD, ROW, END])]
    #[case(&[HEAD, BEGIN, BEGIN, END])]
    #[case(&[HEAD, BEGIN, END, BEGIN, END])]
    #[case(&[HEAD, BEGIN, r#"{"type":"row","row":[]}"#, END])]
    #[case(&[HEAD, "nonsense"])]
    fn a_stream_that_is_not_whole_is_a_lost_answer(#[case] lines: &[&str]) {
        assert!(matches!(read(lines), Err(Lost::Broken(_))), "{lines:?}");
    }
}
