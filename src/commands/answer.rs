//! Answers printed for people, or as JSON; and the exit code that says which answer it is.

use std::fmt::Write as _;

use super::{json, table};
use crate::answers::{Answer, Question, Verdict};
use crate::commands::cli::Format;
use crate::commands::run::exit;
use crate::model::time::utc;

/// An answer as text that is safe to print.
#[must_use]
pub fn print(answer: &Answer, format: Format) -> String {
    if format == Format::Json {
        return json::text(&answer.json());
    }
    let mut out = String::new();
    for (place, mesh) in answer.meshes.iter().enumerate() {
        if place > 0 {
            out.push('\n');
        }
        if answer.meshes.len() > 1 {
            let _ = writeln!(out, "mesh {} at {}", mesh.mesh, utc(mesh.at_ms));
        }
        for sentence in &mesh.sentences {
            let _ = writeln!(out, "{sentence}");
        }
        for unseen in &mesh.unseen {
            let _ = writeln!(out, "not seen: {unseen}");
        }
        for rows in &mesh.rows {
            let _ = writeln!(out, "\n{} ({})", rows.title, rows.plain.len());
            table::write(&mut out, &rows.titles, &rows.plain);
        }
    }
    out
}

/// 0 for what one hopes to hear, 1 for the other answer, 3 where it is not known.
#[must_use]
pub fn code(question: Question<'_>, answer: &Answer) -> u8 {
    match (answer.verdict, question) {
        (Verdict::Unknown, _) => exit::UNKNOWN,
        (Verdict::Yes, Question::Stuck) | (Verdict::No, Question::Who(_) | Question::Why(_)) => exit::FAILED,
        (Verdict::Yes, Question::Who(_) | Question::Why(_)) | (Verdict::No, Question::Stuck) => exit::DONE,
    }
}
