//! Takes a picture of the real program: runs it in a terminal, presses keys, writes what is on screen as SVG.
//!
//! `cargo run --example picture -- OUT.svg COLUMNSxROWS "KEYS" SECONDS PROGRAM ARGUMENTS...`
//! Keys are pressed after the seconds; `\r` and `\t` may be written out.

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
    for key in keys.replace("\\r", "\r").replace("\\t", "\t").chars() {
        writer.write_all(key.to_string().as_bytes())?;
        writer.flush()?;
        watch(Duration::from_millis(300));
    }
    let picture = svg(parser.lock().map_err(|_| anyhow::anyhow!("no screen"))?.screen());
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

fn svg(screen: &vt100::Screen) -> String {
    let (rows, columns) = screen.size();
    let (rows, columns) = (rows.get(), columns.get());
    let (width, height) = (f32::from(columns) * CELL.0 + 16.0, f32::from(rows) * CELL.1 + 16.0);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" \
         font-family=\"ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace\" font-size=\"14\">\n\
         <rect width=\"100%\" height=\"100%\" rx=\"6\" fill=\"{GROUND}\"/>\n"
    );
    for row in 0..rows {
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
    }
    out.push_str("</svg>\n");
    out
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
