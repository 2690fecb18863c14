//! Runs a command of the operator's own, and writes it down.

use crate::action::executor::WriteAccess;
use crate::action::run::commands::Commands;
use crate::app::own::{Output, OwnEnd, OwnRun};
use crate::model::outcome::OutcomeKind;
use crate::runtime::program::{self, Failure};

/// Bytes of output that are kept.
const MOST: usize = 1 << 20;

/// Runs it to its end. Where this console may write, the journal has it before it starts and after it ended.
pub async fn run(run: OwnRun, journal: Option<(Commands, WriteAccess)>) -> OwnEnd {
    let end = |kind, summary: String, text: String| OwnEnd {
        title: run.title.clone(),
        kind,
        summary,
        text,
        output: run.output,
    };
    let Some((program, arguments)) = run.argv.split_first() else {
        return end(OutcomeKind::Failed, "it names no program".into(), String::new());
    };
    let mut attempt = None;
    if let Some((journal, access)) = journal {
        match journal.begin(&run.title, &run.argv, access).await {
            Ok(begun) => attempt = Some(begun),
            Err(why) => {
                return end(
                    OutcomeKind::Failed,
                    format!("not run: the journal cannot be written: {why}"),
                    String::new(),
                );
            }
        }
    }
    let most = if run.output == Output::Nothing { 0 } else { MOST };
    let (kind, summary, text) = match program::run(program, arguments, b"", most, run.timeout).await {
        Ok((status, written)) => {
            let mut text = String::from_utf8_lossy(&written.bytes).into_owned();
            if written.is_cut {
                text.push_str("\n... and more, which is not kept");
            }
            let kind = if status.success() { OutcomeKind::Done } else { OutcomeKind::Failed };
            (kind, status.to_string(), text)
        }
        Err(failure @ Failure::NotStarted(_)) => (OutcomeKind::Failed, failure.to_string(), String::new()),
        Err(failure @ (Failure::Lost(_) | Failure::TooLong(_))) => {
            (OutcomeKind::Unknown, format!("{failure}; what it did until then is not known"), String::new())
        }
    };
    let mut end = end(kind, summary, text);
    if let Some(attempt) = attempt
        && let Err(why) = attempt.end(end.kind, &end.summary).await
    {
        end.summary = format!("{}; the journal could not take the outcome: {why}", end.summary);
    }
    end
}
