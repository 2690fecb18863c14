//! A terminal that breaks.

use rustix::process::Signal;

use crate::support::{self, Peer, wait_for};
use crate::{Row, calm, from, schema};

fn terminal(fault: &'static str, expected: &'static str, seen: &str) -> Row {
    Row { area: "terminal", fault, expected, seen: seen.into() }
}

fn ended_by(signal: Signal, fault: &'static str) -> Row {
    let mut screen = calm(&[]);
    screen.signal(signal);
    assert_eq!(screen.wait_end(), 0);
    assert!(screen.is_restored());
    terminal(fault, "ends, and gives the terminal back", "ended with 0, terminal restored")
}

fn resized_all_the_time() -> Row {
    let mut screen = calm(&[]);
    for n in 0..2_000u16 {
        screen.resize(1 + n * 7 % 240, 1 + n * 3 % 70);
    }
    for (columns, rows) in [(1, 1), (500, 200), (20, 5), (120, 40)] {
        screen.resize(columns, rows);
    }
    screen.press("2");
    let text = screen.wait_text("12 rows");
    screen.press("\x03");
    assert_eq!(screen.wait_end(), 0);
    terminal("resized 2 000 times at once, to 1x1 and to 500x200", "draws the last size", &from(&text, "12 rows"))
}

fn pasted_megabytes() -> Row {
    let mut screen = calm(&[]);
    screen.press("2");
    screen.wait_text("12 rows");
    screen.press("/");
    screen.wait_text("field:value");
    screen.press("\x1b[200~");
    let part = "forge \u{202e}\u{7}".repeat(10_000);
    for _ in 0..30 {
        screen.press(&part);
    }
    screen.press("\x1b[201~");
    screen.wait_text("of 12 rows");
    screen.press("\x15forge");
    screen.wait_text("1 of 12 rows");
    screen.press("\x03");
    assert_eq!(screen.wait_end(), 0);
    terminal("3 MB pasted into the filter", "takes a line of it, and goes on", "1 of 12 rows after the next word typed")
}

fn unknown_sequences() -> Row {
    let mut screen = calm(&[]);
    for odd in [
        "\x1b[999;999;999~",
        "\x1b[?9999c",
        "\x1bOZ",
        "\x1b[1;2;3;4;5;6;7;8u",
        "\x1b[M\u{7f}\u{7f}\u{7f}",
        "\u{fffd}\u{0}",
    ] {
        screen.press(odd);
    }
    // What is not known may swallow what follows at once; a key later works.
    let text = loop {
        screen.press("2");
        let text = screen.text();
        if text.contains("12 rows") {
            break text;
        }
        std::thread::yield_now();
    };
    screen.press("\x03");
    assert_eq!(screen.wait_end(), 0);
    terminal("escape sequences that nobody knows", "keys work after them", &from(&text, "12 rows"))
}

fn dumb_terminal() -> Row {
    let mut screen = calm(&[("TERM", "dumb"), ("LANG", "C")]);
    screen.press("\x03");
    assert_eq!(screen.wait_end(), 0);
    let raw = screen.raw();
    assert!(!raw.contains("\x1b[38;5;") && !raw.contains("\x1b[38;2;"), "no colours");
    assert!(!raw.contains("\x1b]"), "no title");
    terminal("TERM=dumb", "ASCII, no colours", "12 healthy, no colour sent")
}

fn no_terminal() -> Row {
    let output = support::run(&["demo"]);
    let printed = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1));
    assert!(printed.contains("needs a terminal"), "{printed}");
    terminal("no terminal, standard input closed", "says what to use instead", &from(&printed, "needs a terminal"))
}

/// Nobody reads what is drawn (Ctrl-S): polls go on, the snapshot is of now when somebody does again.
async fn blocked_output() -> Row {
    use portable_pty::{CommandBuilder, PtySize, native_pty_system};
    let folder = tempfile::tempdir().unwrap();
    let database = support::database(folder.path(), &schema()).await;
    let mut peer = Peer::start(&["hrana", database.to_str().unwrap(), "t"]);
    let url = peer.line();
    let pair = native_pty_system().openpty(PtySize { rows: 40, cols: 120, pixel_width: 0, pixel_height: 0 }).unwrap();
    let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_lockkeeper"));
    command.args(["--db", &url, "--interval", "50ms"]);
    command.env("VOX_DB_TOKEN", "t");
    command.env("XDG_STATE_HOME", support::state_folder());
    let mut child = pair.slave.spawn_command(command).unwrap();
    drop(pair.slave);
    // The terminal's buffer fills with the first frames; then every write waits.
    let polls = |peer: &mut Peer| peer.send("count").parse::<u64>().unwrap();
    wait_for("polls while nobody reads", || (polls(&mut peer) > 100).then_some(()));
    // The terminal closes, and the program ends although its last write never came through.
    drop(pair.master);
    wait_for("its end", || child.try_wait().unwrap());
    terminal(
        "output blocked (Ctrl-S), then closed",
        "polls go on; ends with the terminal",
        "more than 100 polls while blocked, then ended",
    )
}

/// Some supervisors ignore SIGHUP for their children: the terminal itself says that it is gone.
fn hang_up_ignored() -> Row {
    use portable_pty::{CommandBuilder, PtySize, native_pty_system};
    let pair = native_pty_system().openpty(PtySize { rows: 24, cols: 80, pixel_width: 0, pixel_height: 0 }).unwrap();
    let mut command = CommandBuilder::new("sh");
    let program = env!("CARGO_BIN_EXE_lockkeeper");
    command.args(["-c", &format!("trap '' HUP; exec '{program}' demo --speed 0.5")]);
    let mut child = pair.slave.spawn_command(command).unwrap();
    drop(pair.slave);
    let mut reader = pair.master.try_clone_reader().unwrap();
    let mut first = [0; 1];
    std::io::Read::read_exact(&mut reader, &mut first).unwrap();
    drop((reader, pair.master));
    wait_for("its end", || child.try_wait().unwrap());
    terminal("closed with SIGHUP ignored", "ends by itself, without spinning", "ended")
}

pub async fn all() -> Vec<Row> {
    vec![
        blocked_output().await,
        ended_by(Signal::TERM, "SIGTERM"),
        ended_by(Signal::HUP, "SIGHUP"),
        hang_up_ignored(),
        resized_all_the_time(),
        pasted_megabytes(),
        unknown_sequences(),
        dumb_terminal(),
        no_terminal(),
    ]
}
