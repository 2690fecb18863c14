//! The program in a terminal of its own, read as a person reads it.

use std::io::{Read, Write};
use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

use super::PATIENCE;

/// A terminal with a program in it.
pub struct Screen {
    parser: Arc<Mutex<vt100::Parser>>,
    /// Everything that was ever written to the terminal.
    pub raw: Arc<Mutex<Vec<u8>>>,
    writer: Box<dyn Write + Send>,
    master: Box<dyn MasterPty + Send>,
    pub child: Box<dyn Child + Send + Sync>,
}

/// What begins and ends a frame that a terminal shows at once.
const BEGIN: &[u8] = b"\x1b[?2026h";
const END: &[u8] = b"\x1b[?2026l";

/// How many bytes may be shown: up to a frame that is not whole yet.
fn whole(bytes: &[u8]) -> usize {
    let last = |word: &[u8]| bytes.windows(word.len()).rposition(|at| at == word);
    match (last(BEGIN), last(END)) {
        (Some(begin), end) if end.is_none_or(|end| end < begin) => begin,
        // Perhaps a frame begins with the last of them.
        _ => bytes.len() - (1..BEGIN.len()).rev().find(|n| bytes.ends_with(&BEGIN[..*n])).unwrap_or(0),
    }
}

fn cells(n: u16) -> std::num::NonZeroU16 {
    std::num::NonZeroU16::new(n).expect("a size")
}

fn size(columns: u16, rows: u16) -> PtySize {
    PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 }
}

impl Screen {
    /// Starts the program.
    pub fn start(columns: u16, rows: u16, arguments: &[&str], env: &[(&str, &str)]) -> Self {
        Self::start_program(env!("CARGO_BIN_EXE_lockkeeper"), columns, rows, arguments, env)
    }

    /// Starts the program in a folder.
    pub fn start_in(folder: &Path, columns: u16, rows: u16, arguments: &[&str], env: &[(&str, &str)]) -> Self {
        Self::spawn(env!("CARGO_BIN_EXE_lockkeeper"), folder, (columns, rows), arguments, env)
    }

    /// Starts another program.
    pub fn start_program(program: &str, columns: u16, rows: u16, arguments: &[&str], env: &[(&str, &str)]) -> Self {
        Self::spawn(program, &std::env::temp_dir(), (columns, rows), arguments, env)
    }

    fn spawn(
        program: &str,
        folder: &Path,
        (columns, rows): (u16, u16),
        arguments: &[&str],
        env: &[(&str, &str)],
    ) -> Self {
        let pair = native_pty_system().openpty(size(columns, rows)).expect("a terminal");
        let mut command = CommandBuilder::new(program);
        command.args(arguments);
        command.env_clear();
        for name in ["PATH", "TMPDIR"] {
            if let Ok(value) = std::env::var(name) {
                command.env(name, value);
            }
        }
        command.cwd(folder);
        command.env("HOME", "/nonexistent");
        let state = super::state_folder();
        if arguments.contains(&"demo") {
            // Who was led through the demo once is not led again.
            std::fs::create_dir_all(state.join("lockkeeper")).expect("a folder");
            std::fs::write(state.join("lockkeeper/demo-hints-seen"), "").expect("a file");
        }
        command.env("XDG_STATE_HOME", state);
        command.env("TERM", "xterm-256color");
        command.env("LANG", "C.UTF-8");
        for (name, value) in env {
            command.env(name, value);
        }
        let child = pair.slave.spawn_command(command).expect("the program starts");
        drop(pair.slave);
        let parser = Arc::new(Mutex::new(vt100::Parser::new(cells(rows), cells(columns), 0)));
        let raw = Arc::new(Mutex::new(Vec::new()));
        let (to_parser, to_raw) = (parser.clone(), raw.clone());
        let mut reader = pair.master.try_clone_reader().expect("the terminal's output");
        std::thread::spawn(move || {
            let mut buffer = vec![0; 65_536];
            let mut held: Vec<u8> = Vec::new();
            loop {
                let n = reader.read(&mut buffer).unwrap_or(0);
                to_raw.lock().expect("the bytes").extend_from_slice(&buffer[..n]);
                held.extend_from_slice(&buffer[..n]);
                let ready = if n == 0 { held.len() } else { whole(&held) };
                // The emulator may stumble over rare input; that is no fault of the program under test.
                let mut parser = to_parser.lock().expect("the screen");
                let _ = std::panic::catch_unwind(AssertUnwindSafe(|| parser.process(&held[..ready])));
                held.drain(..ready);
                if n == 0 {
                    return;
                }
            }
        });
        let writer = pair.master.take_writer().expect("the terminal's input");
        Self { parser, raw, writer, master: pair.master, child }
    }

    /// What stands on the screen.
    pub fn text(&self) -> String {
        self.parser.lock().expect("the screen").screen().contents()
    }

    /// Waits until the program sent some bytes.
    pub fn wait_bytes(&self, bytes: &str) {
        super::wait_for(&format!("{bytes:?}"), || self.raw().contains(bytes).then_some(()));
    }

    /// Everything that was ever written to the terminal.
    pub fn raw(&self) -> String {
        String::from_utf8_lossy(&self.raw.lock().expect("the bytes")).into_owned()
    }

    /// Types keys.
    pub fn press(&mut self, keys: &str) {
        self.writer.write_all(keys.as_bytes()).expect("typing");
        self.writer.flush().expect("typing");
    }

    /// Waits until the screen shows something.
    pub fn wait_for(&self, what: &str, holds: impl Fn(&str) -> bool) -> String {
        let started = Instant::now();
        loop {
            let text = self.text();
            if holds(&text) {
                return text;
            }
            assert!(started.elapsed() < PATIENCE, "waited in vain for {what}; the screen shows\n{text}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits until a text is on screen.
    pub fn wait_text(&self, text: &str) -> String {
        self.wait_for(text, |screen| screen.contains(text))
    }

    /// Gives the terminal another size.
    pub fn resize(&mut self, columns: u16, rows: u16) {
        self.parser.lock().expect("the screen").screen_mut().set_size(cells(rows), cells(columns));
        self.master.resize(size(columns, rows)).expect("another size");
    }

    /// Waits for the program's end; answers its exit code.
    pub fn wait_end(&mut self) -> u32 {
        let started = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("its state") {
                return status.exit_code();
            }
            assert!(started.elapsed() < PATIENCE, "it does not end; the screen shows\n{}", self.text());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Whether everything that was switched on in the terminal was switched off again. The last words
    /// of a program may arrive after its end.
    pub fn is_restored(&self) -> bool {
        let started = Instant::now();
        while started.elapsed() < PATIENCE {
            if self.looks_restored() {
                return true;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        false
    }

    fn looks_restored(&self) -> bool {
        let raw = String::from_utf8_lossy(&self.raw.lock().expect("the bytes")).into_owned();
        let off = |mode: &str| match (raw.rfind(&format!("\x1b[{mode}h")), raw.rfind(&format!("\x1b[{mode}l"))) {
            (Some(on), Some(off)) => off > on,
            (Some(_), None) => false,
            (None, _) => true,
        };
        ["?1049", "?1000", "?1002", "?1003", "?1006", "?2004"].into_iter().all(off)
            && raw.rfind("\x1b[?25h") > raw.rfind("\x1b[?25l")
    }

    /// Sets the terminal up for itself, as a shell does whose job was stopped.
    pub fn taken_by_a_shell(&self) {
        use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
        let tty = self.master.tty_name().expect("its name");
        let tty = std::fs::File::options().read(true).write(true).open(tty).expect("the terminal");
        let mut modes = tcgetattr(&tty).expect("its modes");
        modes.local_modes |= LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG;
        tcsetattr(&tty, OptionalActions::Now, &modes).expect("other modes");
    }

    /// Sends a signal.
    pub fn signal(&self, signal: rustix::process::Signal) {
        let pid = self.child.process_id().and_then(|pid| rustix::process::Pid::from_raw(pid.cast_signed()));
        rustix::process::kill_process(pid.expect("its id"), signal).expect("a signal");
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Filters the view, and waits until the row is there and selected.
pub fn find(screen: &mut Screen, view: &str, filter: &str, row: &str) {
    screen.press(view);
    screen.press("/");
    screen.wait_text("field:value");
    // A filter that was there is taken away.
    screen.press("\x15");
    screen.press(filter);
    screen.wait_for(row, |text| text.lines().any(|line| line.starts_with('▸') && line.contains(row)));
    screen.press("\r");
    screen.wait_for("the filter is kept", |text| !text.contains("Enter keeps"));
}
