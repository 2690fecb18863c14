//! What breaks, and what an operator sees of it: each case breaks a real thing under a console in a real terminal.
//!
//! `UPDATE_DOCS=1 cargo test --test faults` writes what was seen into `docs/reliability.md`.

mod file;
mod process;
mod server;
#[path = "../support/mod.rs"]
mod support;
mod terminal;

use std::fs;
use std::path::Path;

use server::{Far, Kind};
use support::screen::Screen;

/// One row of the page.
struct Row {
    area: &'static str,
    fault: &'static str,
    expected: &'static str,
    seen: String,
}

/// What the screen says from a word on, to the end of what is printed.
fn from(text: &str, word: &str) -> String {
    let line = text.lines().find(|line| line.contains(word)).unwrap_or_default();
    let printed = &line[line.find(word).unwrap_or(0)..];
    printed.split("  ").next().unwrap_or_default().split([';', ':']).next().unwrap_or_default().trim().to_owned()
}

/// Waits for a word, and until the source is shown as old; nothing may say that all is well meanwhile.
fn old(screen: &Screen, word: &str) -> String {
    let text = screen.wait_text(word);
    assert!(!text.contains("all is well"), "{word}:\n{text}");
    let state = |text: &str| ["■ old", "✖ down"].into_iter().find(|state| text.contains(state));
    let text = screen.wait_for("it is shown as old", |text| state(text).is_some() && text.contains(word));
    assert!(!text.contains("all is well"), "{word}:\n{text}");
    format!("{}: {}", state(&text).unwrap_or_default(), from(&text, word))
}

const QUICK: &[(&str, &str)] =
    &[("LOCKKEEPER_THRESHOLDS_OLD", "300ms"), ("LOCKKEEPER_TIMEOUT", "1s"), ("LOCKKEEPER_INTERVAL", "100ms")];

fn schema() -> String {
    format!(
        "{}INSERT INTO mesh_heartbeats VALUES ('alpha', '1', unixepoch() * 1000, 'idle', 'r'),
                                              ('beta', '2', unixepoch() * 1000, 'idle', 'r');",
        lockkeeper::demo::vox::write::SCHEMA
    )
}

fn calm(env: &[(&str, &str)]) -> Screen {
    let screen = Screen::start(200, 40, &["demo", "--seed", "3", "--speed", "0.5"], env);
    screen.wait_text("12 healthy");
    screen
}

fn page(rows: &[Row]) -> String {
    let mut out = String::from(
        "# Reliability\n\nWhat breaks, and what an operator sees of it. Each row is a test that breaks a real thing under the built program in\n\
         a real terminal; this page is written by them (`UPDATE_DOCS=1 cargo test --test faults`). In no case may the screen say\n\
         that all is well, or lose what it knew before.\n\n| where | what breaks | expected | seen |\n|---|---|---|---|\n",
    );
    for row in rows {
        out.push_str(&format!(
            "| {} | {} | {} | `{}` |\n",
            row.area,
            row.fault,
            row.expected,
            row.seen.replace('`', "'")
        ));
    }
    out.push('\n');
    out.push_str(include_str!("also.md"));
    out.push_str(
        "\nElsewhere: fsync and SIGKILL at every step of an action (`tests/actions/evacuation.rs`), torn copies under a storm of commits and\n\
         checkpoints (`tests/vox/files.rs`), control planes that fail in every way (`tests/vox/control_plane.rs`), schemas of other versions\n\
         (`tests/vox/schemas.rs`), clocks that leap back and forth (`src/mesh/derive/evaluator/tests.rs`), torn and cut journals and histories\n\
         (`src/action/run/`), and text with terminal control sequences (`tests/untrusted/`).\n\n\
         Tried by hand, since a test has no disk of its own to fill:\n\n\
         | what | seen |\n|---|---|\n\
         | no room for a copy (a disk of 256 kB) | `no room for a copy of a.db (282 kB): 262 kB free; free some space, or set snapshot.dir to another disk` |\n\
         | a database on a disk mounted read-only | read through a copy as ever; a release is refused: `may not be written to by this user` |\n\
         | the same, opened directly | `unable to open database file`, and to set `db_access` to `copy` |\n\
         | a file of 20 GB | refused at once (22 ms), with what to set; opened directly it is read like any other |\n\
         | inside GNU screen and tmux | draws, takes keys, gives the terminal back |\n\n\
         A key is answered while things break: of 150 presses each (views changed to and fro, 160x40, polls every 200 ms, release\n\
         build, a machine with two cores) the slowest took\n\n\
         | while | median | slowest |\n|---|---:|---:|\n\
         | all is well: a file, a remote database | 0.7 ms, 1.0 ms | 2.5 ms, 2.5 ms |\n\
         | the file is damaged, or gone | 0.8 ms, 0.3 ms | 1.7 ms, 3.7 ms |\n\
         | the remote database takes 30 s for an answer | 0.9 ms | 3.4 ms |\n\
         | its answers are 60 MB large | 1.0 ms | 5.1 ms |\n\
         | its connections are half-open, or it answers with garbage | 1.0 ms | 1.9 ms |\n\
         | the control plane is half-open, or its answers are 60 MB large | 0.6 ms | 1.3 ms |\n",
    );
    out
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_fault_is_survived_and_shown_for_what_it_is() {
    let mut rows = file::all().await;
    for kind in [Kind::Database, Kind::Plane] {
        let garbage = if kind == Kind::Database { "is not Hrana v3" } else { "not what it should be" };
        rows.extend([
            Far::new(kind).await.killed(),
            Far::new(kind).await.stopped(),
            Far::new(kind).await.renamed_token(),
            Far::new(kind).await.odd("status 503", "asks for patience", "asks for patience (503)"),
            Far::new(kind).await.odd("status 500", "fails", "(500)"),
            Far::new(kind).await.odd("garbage", "answers with garbage", garbage),
            Far::new(kind).await.odd("cut", "answers break off in their middle", "broke off"),
            Far::new(kind).await.odd("huge 4000000", "answers larger than allowed", "larger than"),
            Far::new(kind).await.odd("delay 30000", "takes 30 s for an answer", "no answer within 1 s"),
        ]);
    }
    rows.extend(terminal::all().await);
    rows.extend(process::all().await);
    let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reliability.md");
    let page = page(&rows);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&place, &page).unwrap();
    }
    assert_eq!(fs::read_to_string(&place).unwrap_or_default(), page, "UPDATE_DOCS=1 writes it anew");
}
