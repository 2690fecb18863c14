//! A token is looked for wherever it must not be: on the screen, in logs, in the journal, in the history, in what programs
//! are handed, in the process list.

use crate::support;

use std::fs;
use std::path::Path;

use support::screen::Screen;
use support::{Peer, wait_for};

const TOKEN: &str = "eyJhbGciOiJFZERTQSJ9.tHe-SeCrEt-Of-ThE-mEsH";

/// Every file below a folder that holds the token.
fn holders(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(holders(&path));
        } else if String::from_utf8_lossy(&fs::read(&path).unwrap()).contains(TOKEN) {
            found.push(path.display().to_string());
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_found_nowhere() {
    let folder = tempfile::tempdir().unwrap();
    let sql = format!(
        "{}INSERT INTO mesh_heartbeats VALUES ('gone', '1', (unixepoch() - 3600) * 1000, 'idle', 'r');
         INSERT INTO distributed_locks VALUES
           ('file:a', 'gone', '1', 3, datetime('now', '-1 hour'), datetime('now', '+1 hour'), 'r');",
        lockkeeper::demo::vox::write::SCHEMA
    );
    let database = support::database(folder.path(), &sql).await;
    let mut peer = Peer::start(&["hrana", database.to_str().unwrap(), TOKEN]);
    let url = peer.line();
    let state = folder.path().join("state");
    fs::create_dir(&state).unwrap();
    let (log, sent, config) = (state.join("log"), state.join("told"), state.join("config.toml"));
    let hook = format!("on_finding = ['sh', '-c', 'cat >> {0}; env >> {0}']\n", sent.display());
    fs::write(
        &config,
        format!(
            "{hook}interval = '100ms'\n[alarms]\nraise_after = '100ms'\nnotify = 'warning'\n\
         [thresholds]\nold = '300ms'\n"
        ),
    )
    .unwrap();
    let path = |path: &Path| path.to_str().unwrap().to_owned();
    let arguments = ["--db", &url, "--config", &path(&config), "--log-file", &path(&log)];
    let env = [("VOX_DB_TOKEN", TOKEN), ("VOX_MESH_TOKEN", TOKEN), ("XDG_STATE_HOME", &path(&state))];
    let mut screen = Screen::start(200, 50, &arguments, &env);
    screen.wait_text("● live");
    wait_for("the program's words", || fs::read_to_string(&sent).ok().filter(|text| text.contains("node-dead")));
    // Wrong answers are explained, and explained into the log as well.
    for manners in ["status 401", "garbage", "status 500"] {
        peer.send(manners);
        screen.wait_text("■ old");
        peer.send("ok");
        screen.wait_for("it is live again", |text| text.contains("● live"));
    }
    for view in ["2", "3", "7", "9", "0", "1"] {
        screen.press(view);
    }
    let process = screen.child.process_id().unwrap();
    let listed = fs::read(format!("/proc/{process}/cmdline")).map(|b| String::from_utf8_lossy(&b).into_owned());
    assert!(!listed.unwrap_or_default().contains(TOKEN), "the process list");
    screen.press("\x03");
    assert_eq!(screen.wait_end(), 0);
    assert!(!screen.raw().contains(TOKEN), "the screen");

    // An action writes the journal; its words, and those of the configuration, go to a script.
    let release = ["release", "file:a", "--fence", "3", "--yes", "--format", "json"];
    for command in [&release[..], &["config"], &["check"], &["snapshot", "--format", "json"]] {
        let output = support::lockkeeper()
            .args(command)
            .args(arguments)
            .envs(env)
            .env("RUST_BACKTRACE", "full")
            .output()
            .unwrap();
        let printed = [output.stdout, output.stderr].concat();
        assert!(!String::from_utf8_lossy(&printed).contains(TOKEN), "{command:?}");
    }
    let journal = fs::read_to_string(state.join("lockkeeper/journal.jsonl")).unwrap();
    assert!(journal.contains("file:a"), "there is a journal");
    assert!(fs::read_to_string(&log).unwrap().contains("poll failed"), "there is a log");
    assert!(state.join("lockkeeper/events.jsonl").exists(), "there is a history");
    assert_eq!(holders(&state), Vec::<String>::new());
}
