//! Recordings without a screen: made, cut, told of, checked and printed.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;

use anyhow::Context as _;

use super::cli::Global;
use super::load::LoadedConfig;
use super::recording_args::{RecordArgs, RecordCommand, ReplayArgs};
use super::run::{begin, exit, need_terminal, options, print, start_log, wait_for};
use crate::app::App;
use crate::clock::{local_offset, steady_clock};
use crate::config::ConfigError;
use crate::mesh::derive::Snapshot;
use crate::model::instant;
use crate::model::text::scrub;
use crate::model::time::{Millis, bytes, short, utc};
use crate::os::file;
use crate::os::signals::Signals;
use crate::recording::cut::cut;
use crate::recording::recorder::FrameKind;
use crate::recording::ring::{Place, Writer};
use crate::recording::tape::{Break, Tape};
use crate::runtime::Replay;
use crate::runtime::engine::{Engine, News, Record};
use crate::settings::Settings;

/// A recording's snapshot at an instant; its last one, where none is named.
pub fn snapshot(global: &Global, path: &Path, at: Option<&str>) -> anyhow::Result<Snapshot> {
    let mut tape = open(path)?;
    let at_ms = at_ms(global, "--at", at, &tape)?.unwrap_or(tape.span().1);
    tape.seek(at_ms)?;
    let snapshot = tape.snapshot()?;
    Ok(match &global.repo {
        Some(repository) => snapshot.only(repository, None),
        None => snapshot,
    })
}

/// Opens a recording. Says on standard error what of it cannot be read.
pub fn open(path: &Path) -> anyhow::Result<Tape> {
    let tape = Tape::open(path)?;
    for broken in tape.breaks() {
        eprintln!("lockkeeper: {}", scrub(&told(broken)));
    }
    Ok(tape)
}

fn told(broken: &Break) -> String {
    format!("{}: read up to byte {}: {}", broken.path.display(), broken.at, broken.why)
}

/// An instant of a recording, as it is typed.
pub fn at_ms(global: &Global, flag: &'static str, text: Option<&str>, tape: &Tape) -> anyhow::Result<Option<Millis>> {
    let Some(text) = text else { return Ok(None) };
    let (from, to) = tape.span();
    let ahead = if LoadedConfig::load(global)?.first().local_clock { local_offset(to) } else { 0 };
    let todo = "write an instant of the recording";
    let at = instant::parse(text, to, ahead).map_err(|why| ConfigError::new(flag, why, todo))?;
    if at < from || at > to {
        let what = format!("{} is not in the recording, which is of {} to {}", utc(at), utc(from), utc(to));
        return Err(ConfigError::new(flag, what, todo).into());
    }
    Ok(Some(at))
}

/// A recording as a mesh: the dashboard, which nothing live stands behind.
pub fn replay(global: &Global, arguments: &ReplayArgs) -> anyhow::Result<u8> {
    let mut tape = open(&arguments.recording)?;
    let begin_ms = at_ms(global, "--at", arguments.at.as_deref(), &tape)?.unwrap_or(tape.span().0);
    let loaded = LoadedConfig::load(global)?;
    tape.seek(begin_ms)?;
    let name = tape.snapshot()?.mesh.name.raw().to_owned();
    let settings = Settings { mesh: name, places: Vec::new(), read_only: true, ..loaded.first().clone() };
    start_log(&settings)?;
    let loaded = LoadedConfig { open: vec![settings.clone()], meshes: Vec::new(), ..loaded };
    let mut options = options(&loaded, arguments.screen);
    options.replay = true;
    options.banner = Some("(recording)".into());
    if arguments.screen.plain {
        wait_for(crate::runtime::plain::replay(options, tape, arguments.speed))?;
        return Ok(exit::DONE);
    }
    need_terminal(arguments.screen)?;
    let player = Replay { recording: arguments.recording.clone(), at_ms: begin_ms, speed: arguments.speed };
    wait_for(crate::runtime::run_replay(App::new(options, steady_clock()), settings, player))?;
    Ok(exit::DONE)
}

/// `record`, and what is done with recordings.
pub fn record(global: &Global, arguments: RecordArgs) -> anyhow::Result<u8> {
    match (arguments.with, arguments.file) {
        (Some(RecordCommand::Info { recording }), _) => info(&recording),
        (Some(RecordCommand::Verify { recording }), _) => verify(&recording),
        (Some(RecordCommand::Export { recording, .. }), _) => export(&recording),
        (Some(RecordCommand::Cut { recording, from, to, output, redact }), _) => {
            let mut tape = open(&recording)?;
            let from_ms = at_ms(global, "--from", from.as_deref(), &tape)?.unwrap_or(tape.span().0);
            let to_ms = at_ms(global, "--to", to.as_deref(), &tape)?.unwrap_or(tape.span().1);
            if from_ms > to_ms {
                let what = format!("{} is after {}", utc(from_ms), utc(to_ms));
                return Err(ConfigError::new("--from", what, "write the earlier instant first").into());
            }
            create(&output)?;
            let mut writer = Writer::open(Place::File(output.clone()))?;
            let outcome = cut(&mut tape, from_ms, to_ms, redact, |frame| writer.write(&frame));
            if outcome.is_err() {
                // What is there is no recording of what was asked for.
                let _ = std::fs::remove_file(&output);
            }
            outcome?;
            let size = std::fs::metadata(&output)?.len();
            print(&format!("{}: {} of {}\n", output.display(), bytes(size), short(to_ms - from_ms)))
        }
        (None, Some(file)) => {
            let loaded = LoadedConfig::load_places(global)?;
            let settings = loaded.only()?.clone();
            begin(&loaded)?;
            create(&file)?;
            wait_for(async {
                let mut signals = Signals::listen_for_end()?;
                let mut engine = Engine::start(&settings, None, Record::File(file.clone()))?;
                let (recorded, end) = (engine.recorded.clone(), arguments.span.map(tokio::time::sleep));
                let mut end = std::pin::pin!(futures::future::OptionFuture::from(end));
                let mut failed = None;
                loop {
                    tokio::select! {
                        _ = signals.next() => break,
                        Some(()) = &mut end => break,
                        news = engine.news() => if let News::Snapshot(_) = news {
                            failed = recorded.failing();
                            if failed.is_some() { break }
                        },
                    }
                }
                engine.stop().await;
                match failed.or_else(|| recorded.failing()) {
                    Some(why) => Err(anyhow::anyhow!("{why}")),
                    None => Ok(()),
                }
            })?;
            let tape = open(&file)?;
            let (from, to) = tape.span();
            let size = std::fs::metadata(&file)?.len();
            print(&format!("{}: {} of {}\n", file.display(), bytes(size), short(to - from)))
        }
        (None, None) => Ok(exit::USAGE),
    }
}

/// A file of one's own to write in, where there is none yet.
fn create(path: &Path) -> anyhow::Result<()> {
    let made = file::private(OpenOptions::new().write(true).create_new(true)).open(path);
    made.map(drop).with_context(|| format!("cannot write {}", path.display()))
}

fn info(path: &Path) -> anyhow::Result<u8> {
    let mut tape = open(path)?;
    let (from, to) = tape.span();
    let frames = tape.frames();
    let states = frames.iter().filter(|place| place.head.kind == FrameKind::State).count();
    let (stored, size) = frames.iter().fold((0, 0), |(a, b), place| (a + place.head.bytes, b + place.head.size));
    let mut kinds = std::collections::BTreeMap::new();
    for mark in tape.marks() {
        *kinds.entry(mark.kind.to_string()).or_insert(0u64) += 1;
    }
    let kinds: Vec<String> = kinds.iter().map(|(kind, n)| format!("{n} {kind}")).collect();
    let number = frames.len();
    tape.seek(from)?;
    let snapshot = tape.snapshot()?;
    let start = tape.start().cloned();
    let mut lines = vec![
        format!("mesh       {}", snapshot.mesh.name),
        format!("from       {}", utc(from)),
        format!("to         {}, {} later", utc(to), short(to - from)),
        format!("frames     {number}, {states} of them full states"),
        format!("size       {}, {} as text", bytes(stored), bytes(size)),
        format!("to find    {}", if kinds.is_empty() { "nothing marked".to_owned() } else { kinds.join(", ") }),
    ];
    if let Some(start) = start {
        let redacted = if start.redacted { ", redacted" } else { "" };
        lines.push(format!("form       {}, by lockkeeper {}{redacted}", start.schema, scrub(&start.version)));
    }
    for source in &snapshot.mesh.sources {
        lines.push(format!(
            "source     {} ({}, {})",
            source.identity.name, source.identity.system, source.identity.kind
        ));
    }
    print(&(lines.join("\n") + "\n"))
}

fn verify(path: &Path) -> anyhow::Result<u8> {
    let mut tape = Tape::open(path)?;
    let mut moments = 0u64;
    while tape.step()? {
        moments += 1;
    }
    tape.snapshot()?;
    let broken: Vec<String> = tape.breaks().iter().map(told).collect();
    if broken.is_empty() {
        let (from, to) = tape.span();
        return print(&format!("whole: {moments} moments, {}\n", short(to - from)));
    }
    for line in &broken {
        eprintln!("lockkeeper: {}", scrub(line));
    }
    Ok(exit::FAILED)
}

fn export(path: &Path) -> anyhow::Result<u8> {
    let tape = open(path)?;
    let mut out = std::io::stdout().lock();
    for place in tape.frames() {
        match out.write_all(&tape.text(place)?) {
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => return Ok(exit::DONE),
            written => written.context("cannot write to standard output")?,
        }
    }
    Ok(exit::DONE)
}
