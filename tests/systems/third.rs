//! A system that this program does not know: every command works with it, and nothing was changed for it but its own code.

use crate::support;

use std::process::{Command, Output, Stdio};

use support::screen::Screen;

fn third() -> Command {
    let mut command = Command::new(support::example("third"));
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("HOME", "/nonexistent");
    command.env("LANG", "C.UTF-8").env("XDG_STATE_HOME", support::state_folder()).stdin(Stdio::null());
    command
}

fn printed(output: &Output) -> String {
    String::from_utf8_lossy(&[output.stdout.as_slice(), &output.stderr].concat()).into_owned()
}

/// A file of one lock.
fn lock_file() -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("locks.json");
    let row = r#"[{"key": "file:a.rs", "node": "forge", "agent": "1", "fence": 7, "expires_at_ms": 4000000000000}]"#;
    std::fs::write(&file, row).unwrap();
    (folder, file)
}

#[test]
fn every_command_works_with_a_system_of_ones_own() {
    let (_folder, file) = lock_file();
    let path = file.to_str().unwrap();
    let run = |arguments: &[&str]| {
        let output = third().args(arguments).output().unwrap();
        (output.status.code(), printed(&output))
    };
    let (code, json) = run(&["snapshot", "--format", "json", "--third", path]);
    let seen: serde_json::Value = serde_json::from_str(&json).unwrap_or_else(|e| panic!("{e}: {json}"));
    assert_eq!(code, Some(0));
    support::documents::assert_valid(&seen);
    assert_eq!(seen["locks"][0]["lock_key"], "file:a.rs");
    assert_eq!(seen["locks"][0]["fence_token"], 7);
    let (_, table) = run(&["snapshot", "--third", path]);
    assert!(table.contains("file:a.rs") && table.contains("forge"), "{table}");
    let (code, check) = run(&["check", "--third", path]);
    assert!(check.starts_with("LOCKKEEPER ") && code != Some(3), "{code:?}: {check}");
    let (code, config) = run(&["config", "--third", path]);
    assert!(code == Some(0) && config.contains("third.file = ") && config.contains("lock file /"), "{config}");
    let (_, help) = run(&["--help"]);
    assert!(help.contains("--third <FILE>"), "{help}");
    let (code, refused) = run(&["release", "file:a.rs", "--fence", "7", "--dry-run", "--third", path]);
    assert!(code == Some(5) || refused.contains("a lock file is only read"), "{code:?}: {refused}");
    let (code, nothing) = run(&["check"]);
    assert!(code == Some(3) && nothing.contains("lock file is configured"), "{nothing}");
    let (_, config) = run(&["config", "--config", "/dev/null"]);
    assert!(config.contains("locks.json"), "where it looked: {config}");
    let output = third().env("LOCKKEEPER_THIRD_FILE", path).arg("snapshot").output().unwrap();
    assert!(printed(&output).contains("file:a.rs"), "{output:?}");
}

#[test]
fn the_screen_shows_a_system_of_ones_own() {
    let (_folder, file) = lock_file();
    let (program, file) = (support::example("third"), file.to_str().unwrap());
    let mut screen = Screen::start_program(program.to_str().unwrap(), 120, 40, &["--third", file], &[]);
    screen.press("3");
    screen.wait_text("file:a.rs");
    screen.press("q");
    assert_eq!(screen.wait_end(), 0);
}
