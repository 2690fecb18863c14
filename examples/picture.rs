//! Takes a picture of the real program: runs it in a terminal, presses keys, writes what is on screen as SVG.
//!
//! `cargo run --example picture -- OUT.svg COLUMNSxROWS "KEYS" SECONDS PROGRAM ARGUMENTS...`
//! Keys are pressed after the seconds; `\r`, `\t` and `\e` may be written out. A `|` in them ends a frame: several frames are
//! a recording, each shown for as long as it is told by `FRAME` (seconds, 3 where nothing is said).

use std::fmt::Write as _;
use std::io::{Read, Write as _};
use std::num::NonZeroU16;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use portable_pty::{CommandBuilder, PtySize, native_pty_system};

const CELL: (f32, f32) = (8.4, 18.0);
const GROUND: &str = "#14181c";
const TEXT: &str = "#d0d4d8";

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [out, size, keys, seconds, program, rest @ ..] = arguments.as_slice() else {
        anyhow::bail!("OUT.svg COLUMNSxROWS KEYS SECONDS PROGRAM ARGUMENTS...");
    };
    let (columns, rows) = size.split_once('x').ok_or_else(|| anyhow::anyhow!("a size such as 120x40"))?;
    let (columns, rows): (NonZeroU16, NonZeroU16) = (columns.parse()?, rows.parse()?);
    let pair = native_pty_system().openpty(PtySize {
        rows: rows.get(),
        cols: columns.get(),
        pixel_width: 0,
        pixel_height: 0,
    })?;
    let mut command = CommandBuilder::new(std::fs::canonicalize(program)?);
    command.cwd(std::env::current_dir()?);
    command.args(rest);
    for (name, value) in [("TERM", "xterm-256color"), ("COLORTERM", "truecolor"), ("LANG", "C.UTF-8")] {
        command.env(name, value);
    }
    let mut child = pair.slave.spawn_command(command)?;
    let parser = Arc::new(Mutex::new(vt100::Parser::new(rows, columns, 0)));
    let (mut reader, mut writer) = (pair.master.try_clone_reader()?, pair.master.take_writer()?);
    let screen = parser.clone();
    std::thread::spawn(move || {
        let mut buffer = vec![0; 65_536];
        while let Ok(n @ 1..) = reader.read(&mut buffer) {
            if let Ok(mut parser) = screen.lock() {
                parser.process(&buffer[..n]);
            }
        }
    });
    watch(Duration::from_secs_f32(seconds.parse()?));
    let mut frames = Vec::new();
    for part in keys.replace("\\r", "\r").replace("\\t", "\t").replace("\\e", "\x1b").split('|') {
        for key in part.chars() {
            writer.write_all(key.to_string().as_bytes())?;
            writer.flush()?;
            watch(Duration::from_millis(300));
        }
        // A clock ticks and a poll comes in before the next frame.
        watch(Duration::from_millis(if keys.contains('|') { 1_200 } else { 0 }));
        frames.push(rows_of(parser.lock().map_err(|_| anyhow::anyhow!("no screen"))?.screen()));
    }
    let each: f32 = std::env::var("FRAME").ok().map_or(Ok(3.0), |text| text.parse())?;
    let picture = svg((rows.get(), columns.get()), &frames, each);
    child.kill()?;
    std::fs::write(out, picture)?;
    Ok(())
}

/// Lets the program run.
fn watch(time: Duration) {
    let started = Instant::now();
    while started.elapsed() < time {
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// One frame, or several in turn. A row that is the same in frames that follow each other is there once.
fn svg((rows, columns): (u16, u16), frames: &[Vec<String>], each: f32) -> String {
    let (width, height) = (f32::from(columns) * CELL.0 + 16.0, f32::from(rows) * CELL.1 + 16.0);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" \
         font-family=\"ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace\" font-size=\"14\">\n\
         <rect width=\"100%\" height=\"100%\" rx=\"6\" fill=\"{GROUND}\"/>\n"
    );
    let (mut body, mut spans) = (String::new(), std::collections::BTreeSet::new());
    for row in 0..usize::from(rows) {
        let mut from = 0;
        while from < frames.len() {
            let alike = frames[from..].iter().take_while(|frame| frame[row] == frames[from][row]).count();
            let to = from + alike;
            match (alike == frames.len(), frames[from][row].is_empty()) {
                (_, true) => {}
                (true, false) => body.push_str(&frames[from][row]),
                (false, false) => {
                    spans.insert((from, to));
                    let _ = write!(body, "<g class=\"f{from}-{to}\">\n{}</g>\n", frames[from][row]);
                }
            }
            from = to;
        }
    }
    if !spans.is_empty() {
        out.push_str("<style>\n");
        let count = |n: usize| f32::from(u16::try_from(n).unwrap_or(u16::MAX));
        let n = count(frames.len());
        for (from, to) in spans {
            let (begin, end) = (count(from) / n * 100.0, count(to) / n * 100.0);
            let before = if from == 0 { String::new() } else { "0%{visibility:hidden}".to_owned() };
            let after = if to == frames.len() { String::new() } else { format!("{end:.2}%{{visibility:hidden}}") };
            let _ = writeln!(
                out,
                ".f{from}-{to}{{animation:k{from}-{to} {:.0}s step-end infinite}}\
                 @keyframes k{from}-{to}{{{before}{begin:.2}%{{visibility:visible}}{after}}}",
                each * n
            );
        }
        out.push_str("</style>\n");
    }
    out + &body + "</svg>\n"
}

/// What is drawn of each row.
fn rows_of(screen: &vt100::Screen) -> Vec<String> {
    let (rows, columns) = screen.size();
    let (rows, columns) = (rows.get(), columns.get());
    let mut all = Vec::new();
    for row in 0..rows {
        let mut out = String::new();
        let y = f32::from(row) * CELL.1 + 8.0;
        let mut column = 0;
        while column < columns {
            let start = column;
            let look = style(screen, row, start);
            let mut text = String::new();
            while column < columns && style(screen, row, column) == look {
                let cell = screen.cell(row, column);
                let shown = cell.map(vt100::Cell::contents).unwrap_or_default();
                text.push_str(if shown.is_empty() { " " } else { shown });
                column += 1;
            }
            let (ink, ground, bold) = look;
            let (x, run) = (f32::from(start) * CELL.0 + 8.0, f32::from(column - start) * CELL.0);
            if ground != GROUND {
                let _ = writeln!(
                    out,
                    "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{run:.1}\" height=\"{}\" fill=\"{ground}\"/>",
                    CELL.1
                );
            }
            let weight = if bold { " font-weight=\"bold\"" } else { "" };
            // Word by word, so that columns stand where they stood whatever the font.
            for (at, word) in words(&text) {
                let (x, run) = (x + at * CELL.0, width_of(word) * CELL.0);
                let word = word.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
                let _ = writeln!(
                    out,
                    "<text x=\"{x:.1}\" y=\"{:.1}\" fill=\"{ink}\"{weight} textLength=\"{run:.1}\">{word}</text>",
                    y + 13.5
                );
            }
        }
        all.push(out);
    }
    all
}

/// Words and the columns they begin at.
fn words(text: &str) -> Vec<(f32, &str)> {
    let mut found = Vec::new();
    let mut column = 0.0;
    for piece in text.split_inclusive(' ') {
        let word = piece.trim_end();
        if !word.is_empty() {
            found.push((column, word));
        }
        column += width_of(piece);
    }
    found
}

fn width_of(text: &str) -> f32 {
    f32::from(u16::try_from(unicode_width::UnicodeWidthStr::width(text)).unwrap_or(0))
}

fn style(screen: &vt100::Screen, row: u16, column: u16) -> (String, String, bool) {
    let Some(cell) = screen.cell(row, column) else { return (TEXT.into(), GROUND.into(), false) };
    let color = |color: vt100::Color, default: &str| match color {
        vt100::Color::Rgb(r, g, b) => format!("#{r:02x}{g:02x}{b:02x}"),
        _ => default.to_owned(),
    };
    (color(cell.fgcolor(), TEXT), color(cell.bgcolor(), GROUND), cell.bold())
}
