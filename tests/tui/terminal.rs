//! The dashboard in a real terminal, driven as a person drives it.

use crate::support;

use std::process::{Command, Stdio};

use rustix::process::Signal;
use support::screen::Screen;
use support::wait_for;

const CALM: &[&str] = &["demo", "--seed", "3", "--speed", "0.5"];

#[test]
fn a_walk_through_every_view() {
    let mut screen = Screen::start(120, 40, CALM, &[]);
    screen.wait_text("● 12 healthy");
    for (key, shows) in [
        ("2", "ACTIVITY"),
        ("3", "HOLDER"),
        ("4", "CLAIMED BY"),
        ("5", "LAST EVIDENCE"),
        ("6", "following"),
        ("7", "SEVERITY"),
        ("1", "a minute, the last 10 minutes"),
        ("l", "ACTIVITY"),
        ("h", "a minute, the last 10 minutes"),
    ] {
        screen.press(key);
        screen.wait_text(shows);
    }
    screen.press("?");
    screen.wait_text("half page down");
    screen.press("\x1b");
    screen.wait_for("help to close", |s| !s.contains("half page down"));
    screen.press("q");
    assert_eq!(screen.wait_end(), 0);
    assert!(screen.is_restored());
}

#[test]
fn filter_inspect_follow_a_link_and_go_back() {
    let mut screen = Screen::start(120, 40, CALM, &[]);
    screen.wait_text("● 12 healthy");
    screen.press("2");
    screen.wait_text("12 rows");
    screen.press("/");
    screen.press("node:forge");
    screen.wait_text("1 of 12 rows");
    screen.press("\r");
    screen.press("\r");
    screen.wait_text("Signs of life");
    screen.wait_text("registry of 127.0.0.1");
    screen.wait_text("Locks and leases held");
    screen.press("\t");
    screen.press("\r");
    screen.wait_text("Queue, inferred");
    screen.press("\x1b");
    screen.wait_text("Signs of life");
    screen.press("\x1b");
    screen.wait_for("the table", |s| s.contains("1 of 12 rows") && !s.contains("Signs of life"));
    screen.press("\x1b");
    // Esc and the next key at once would be Alt and that key.
    screen.wait_for("the filter to be cleared", |s| s.contains(" 12 rows") && !s.contains("1 of 12 rows"));
    screen.press(":");
    screen.press("theme light\r");
    screen.press(":interval 2s\r");
    screen.wait_text("every 2s");
    screen.press(":nonsense-command\r");
    screen.wait_text("there is no command");
    screen.press("y");
    wait_for("the clipboard sequence", || {
        let raw = String::from_utf8_lossy(&screen.raw.lock().unwrap()).into_owned();
        raw.contains("\x1b]52;c;").then_some(())
    });
    screen.press("\x03");
    assert_eq!(screen.wait_end(), 0);
    assert!(screen.is_restored());
}

#[test]
fn any_size_is_survived() {
    let mut screen = Screen::start(120, 40, CALM, &[]);
    screen.wait_text("● 12 healthy");
    for (columns, rows) in [(20, 5), (1, 1), (39, 9), (40, 10), (300, 100), (80, 24)] {
        // Esc and a key at once would be Alt and that key.
        for key in ["1", "3", "\r", "q", "?", "q", "s", "q"] {
            screen.press(key);
        }
        screen.resize(columns, rows);
        if columns == 20 {
            screen.wait_text("needs 40x10");
        }
    }
    screen.press("6");
    screen.wait_text("following");
}

#[test]
fn a_database_that_dies_is_marked_old_and_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let mesh = folder.path().join("mesh");
    let mut server = Command::new(env!("CARGO_BIN_EXE_lockkeeper"))
        .args(["demo", "--speed", "1", "--serve", mesh.to_str().unwrap()])
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let database = mesh.join("mesh.db");
    wait_for("the mesh's database", || database.exists().then_some(()));
    let env = [("LOCKKEEPER_THRESHOLDS_OLD", "1s")];
    let mut screen = Screen::start(120, 40, &["--db", database.to_str().unwrap(), "--interval", "200ms"], &env);
    screen.wait_text("● 12 healthy");
    let hidden = mesh.join("hidden.db");
    std::fs::rename(&database, &hidden).unwrap();
    let text = screen.wait_text("stale data");
    assert!(text.contains("forge"), "what was known stays: {text}");
    screen.wait_text("does not exist");
    std::fs::rename(&hidden, &database).unwrap();
    screen.wait_text("● live");
    screen.press("q");
    assert_eq!(screen.wait_end(), 0);
    server.kill().unwrap();
    server.wait().unwrap();
}

#[test]
fn signals_and_hang_ups_end_it_and_restore_the_terminal() {
    for signal in [Signal::TERM, Signal::HUP, Signal::INT] {
        let mut screen = Screen::start(80, 24, CALM, &[]);
        screen.wait_text("● 12 healthy");
        screen.signal(signal);
        assert_eq!(screen.wait_end(), 0, "{signal:?}");
        assert!(screen.is_restored(), "{signal:?}");
    }
}

#[test]
fn monochrome_and_ascii_terminals_are_served() {
    let mut screen = Screen::start(100, 30, CALM, &[("NO_COLOR", "1"), ("LANG", "C")]);
    screen.wait_text("o 12 healthy");
    for key in ["2", "3", "6", "?"] {
        screen.press(key);
    }
    screen.wait_text("half page down");
    screen.press("\x03");
    screen.wait_end();
    let raw = screen.raw.lock().unwrap().clone();
    let text = String::from_utf8_lossy(&raw);
    assert!(text.is_ascii(), "nothing beyond ASCII");
    for sequence in text.split("\x1b[").skip(1) {
        let parameters: String = sequence.chars().take_while(|c| c.is_ascii_digit() || *c == ';').collect();
        if sequence[parameters.len()..].starts_with('m') {
            let is_colour = |n: &str| matches!(n.parse::<u8>(), Ok(30..=38 | 40..=48 | 90..=107));
            assert!(!parameters.split(';').any(is_colour), "a colour: {parameters}");
        }
    }
}

#[test]
fn the_mouse_selects_opens_and_sorts() {
    let mut screen = Screen::start(120, 40, CALM, &[]);
    screen.wait_text("● 12 healthy");
    let click = |column: u16, row: u16| format!("\x1b[<0;{column};{row}M\x1b[<0;{column};{row}m");
    // The second tab.
    screen.press(&click(16, 2));
    screen.wait_text("12 rows");
    screen.press(&click(5, 4));
    let text = screen.wait_text("NODE↑");
    assert!(text.contains("anvil"));
    screen.press(&click(5, 7));
    screen.press(&click(5, 7));
    screen.wait_text("Signs of life");
    screen.press("q");
    screen.press("q");
    assert_eq!(screen.wait_end(), 0);
}

#[test]
fn pause_freezes_the_screen_and_says_so() {
    let mut screen = Screen::start(120, 40, CALM, &[]);
    screen.wait_text("● 12 healthy");
    screen.press("p");
    screen.wait_text("PAUSED");
    screen.press("p");
    screen.wait_for("the pause to end", |s| !s.contains("PAUSED"));
    screen.press("q");
    screen.wait_end();
}

#[test]
fn the_remote_demo_shows_the_same_mesh() {
    let mut screen = Screen::start(120, 40, &["demo", "--remote", "--speed", "0.5"], &[]);
    screen.wait_text("● 12 healthy");
    screen.wait_text("queries or a replica");
    screen.press("q");
    assert_eq!(screen.wait_end(), 0);
}

#[test]
fn a_panic_restores_the_terminal_and_one_in_the_background_leaves_it_alone() {
    let peer = support::peer_program();
    let mut screen = Screen::start_program(peer.to_str().unwrap(), 80, 24, &["panic"], &[]);
    assert_eq!(screen.wait_end(), 101);
    wait_for("its last words", || {
        let raw = String::from_utf8_lossy(&screen.raw.lock().unwrap()).into_owned();
        raw.contains("on purpose").then_some(raw)
    });
    let raw = String::from_utf8_lossy(&screen.raw.lock().unwrap()).into_owned();
    assert!(screen.is_restored());
    assert!(!raw.contains("in the background"), "the screen was left alone");
    let (left, sent) = (raw.rfind("\x1b[?1049l").unwrap(), raw.rfind("on purpose").unwrap());
    assert!(left < sent, "the terminal is restored before the panic is told");
}

#[test]
fn suspended_it_gives_the_terminal_back_and_continued_it_takes_it_again() {
    let (peer, program) = (support::peer_program(), env!("CARGO_BIN_EXE_lockkeeper"));
    let arguments = [&["shell", program], CALM].concat();
    let mut screen = Screen::start_program(peer.to_str().unwrap(), 100, 30, &arguments, &[]);
    screen.wait_text("● 12 healthy");
    screen.press("\x1a");
    let raw = || String::from_utf8_lossy(&screen.raw.lock().unwrap()).into_owned();
    wait_for("the stop and the return", || {
        let raw = raw();
        let stopped = raw.find("job stopped")?;
        let (left, again) = (raw.find("\x1b[?1049l")?, raw.rfind("\x1b[?1049h")?);
        (left < stopped && stopped < again).then_some(())
    });
    screen.wait_text("● 12 healthy");
    screen.press("3");
    screen.wait_text("HOLDER");
    screen.press("q");
    assert_eq!(screen.wait_end(), 0);
    assert!(screen.is_restored());
}

/// H10: stopped by somebody else, it had no chance to give the terminal back, and the shell set it up for itself.
#[test]
fn stopped_from_outside_it_takes_the_terminal_again() {
    use rustix::process::Signal;
    let mut screen = Screen::start(100, 30, CALM, &[]);
    screen.wait_text("● 12 healthy");
    screen.signal(Signal::STOP);
    screen.taken_by_a_shell();
    let taken = || String::from_utf8_lossy(&screen.raw.lock().unwrap()).matches("\x1b[?1049h").count();
    let before = taken();
    screen.signal(Signal::CONT);
    wait_for("the return", || (taken() > before).then_some(()));
    // Without a line ended: in the shell's mode no key would arrive.
    screen.press("3");
    screen.wait_text("HOLDER");
    screen.press("q");
    assert_eq!(screen.wait_end(), 0);
    assert!(screen.is_restored());
}

#[tokio::test]
async fn another_mesh_is_opened_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = String::new();
    for mesh in ["east", "west"] {
        let place = folder.path().join(mesh);
        std::fs::create_dir(&place).unwrap();
        let node = format!("INSERT INTO mesh_heartbeats VALUES ('{mesh}-node', '1', unixepoch() * 1000, 'idle', 'r');");
        let path = support::database(&place, &format!("{}{node}", lockkeeper::demo::vox::write::SCHEMA)).await;
        config.push_str(&format!("[mesh.{mesh}]\ndb = {:?}\n", path.to_str().unwrap()));
    }
    let file = folder.path().join("config.toml");
    std::fs::write(&file, config).unwrap();
    let mut screen = Screen::start(100, 30, &["--config", file.to_str().unwrap(), "--mesh", "east"], &[]);
    screen.wait_text("● east-node");
    screen.press(":mesh west\r");
    let text = screen.wait_text("● west-node");
    assert!(!text.contains("east"), "{text}");
    screen.press(":mesh north\r");
    screen.wait_text("there is no command");
    screen.press("q");
    assert_eq!(screen.wait_end(), 0);
}
