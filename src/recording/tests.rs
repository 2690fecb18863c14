//! What is played is what was live.

use std::fs;
use std::path::Path;

use proptest::prelude::*;
use tempfile::TempDir;

use super::recorder::{Frame, Recorder};
use super::ring::{Place, Writer};
use super::tape::Tape;
use crate::columns::document::snapshots;
use crate::mesh::MeshState;
use crate::mesh::alarm::lives::Lives;
use crate::mesh::alarm::{Alarms, Rules};
use crate::mesh::derive::{Evaluator, Snapshot, Thresholds};
use crate::model::event::Event;
use crate::model::time::{Millis, SECOND};
use crate::model::whose::Whose;
use crate::testing::steps::{Step, report, step};
use crate::testing::{NOW, starting_mesh};

/// A console that records what it sees.
struct Console {
    state: MeshState,
    evaluator: Evaluator,
    alarms: Alarms,
    lives: Lives,
    events: Vec<std::sync::Arc<Event>>,
    recorder: Recorder,
    now: Millis,
}

impl Console {
    fn new() -> Self {
        Self {
            state: starting_mesh(),
            evaluator: Evaluator::default(),
            alarms: Alarms::new(Whose::default(), Rules::default()),
            lives: Lives::default(),
            events: Vec::new(),
            recorder: Recorder::new(Thresholds::default(), Rules::default().from),
            now: NOW,
        }
    }

    /// One step, as the engine takes it. Answers what is shown then, and frames that are full.
    fn step(&mut self, step: &Step, whole: bool) -> (Snapshot, Vec<Frame>) {
        self.now += step.pass;
        let report = report(step, self.now);
        self.recorder.report(&report);
        self.state.apply(report);
        self.state.mesh.rates.advance(self.now);
        let touched = self.state.take_touched();
        let mut snapshot = self.evaluator.evaluate(&self.state, &touched, self.now, &Thresholds::default(), SECOND);
        let events = self.alarms.observe(&snapshot.findings, false, self.now);
        self.events.extend(events.into_iter().map(std::sync::Arc::new));
        (snapshot.findings, snapshot.open) = self.lives.bring(&snapshot.findings, &mut self.alarms);
        self.state.mesh.events = self.events.iter().cloned().collect();
        std::sync::Arc::make_mut(&mut snapshot.mesh).events = self.state.mesh.events.clone();
        let frames = self.recorder.evaluated(&self.state, &snapshot, SECOND, whole);
        (snapshot, frames)
    }
}

/// Everything that a snapshot says. Rows of a list stand in the order that they came in, which is no fact.
fn document(snapshot: &Snapshot) -> Vec<String> {
    let document = serde_json::to_value(snapshots([snapshot], None)).unwrap();
    let mut lines = Vec::new();
    for (part, of) in document.as_object().unwrap() {
        match of.as_array() {
            Some(rows) => lines.extend(rows.iter().map(|row| format!("{part}: {row}"))),
            None => lines.push(format!("{part}: {of}")),
        }
    }
    lines.sort_unstable();
    lines
}

/// What one says and the other does not.
fn differ(one: &Snapshot, other: &Snapshot) -> Vec<String> {
    let (one, other) = (document(one), document(other));
    let only = |a: &[String], b: &[String], sign: &str| {
        a.iter().filter(|line| !b.contains(line)).map(|line| format!("{sign} {line}")).collect::<Vec<_>>()
    };
    [only(&one, &other, "+"), only(&other, &one, "-")].concat()
}

/// Records steps; answers each moment as it was live.
fn record(steps: &[(Step, bool)], path: &Path) -> Vec<(Millis, Snapshot)> {
    let mut console = Console::new();
    let mut writer = Writer::open(Place::File(path.to_owned())).unwrap();
    let mut live = Vec::new();
    for (step, whole) in steps {
        let (snapshot, frames) = console.step(step, *whole);
        live.push((snapshot.at_ms, snapshot));
        for frame in frames {
            writer.write(&frame).unwrap();
        }
    }
    if let Some(frame) = console.recorder.take_frame(console.now) {
        writer.write(&frame).unwrap();
    }
    live
}

fn folder() -> (TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("one.lkr");
    (folder, path)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases.max(200), ..ProptestConfig::default() })]
    #[test]
    fn every_moment_that_is_played_is_what_was_live(
        steps in prop::collection::vec((step(), prop::bool::weighted(0.2)), 1..14),
        jumps in prop::collection::vec(0usize..14, 0..6),
    ) {
        let (_folder, path) = folder();
        let live = record(&steps, &path);
        let mut tape = Tape::open(&path).unwrap();
        let mut played = 0;
        while tape.step().unwrap() {
            prop_assert_eq!(tape.at_ms(), Some(live[played].0));
            prop_assert_eq!(differ(&tape.snapshot().unwrap(), &live[played].1), Vec::<String>::new());
            played += 1;
        }
        prop_assert_eq!(played, live.len());
        // Time that runs forwards alone can be sought.
        if live.windows(2).all(|two| two[0].0 < two[1].0) {
            for jump in jumps {
                let (at, was) = &live[jump % live.len()];
                tape.seek(*at).unwrap();
                prop_assert_eq!(differ(&tape.snapshot().unwrap(), was), Vec::<String>::new());
            }
        }
    }
}

fn a_few(n: usize) -> Vec<(Step, bool)> {
    use proptest::strategy::ValueTree as _;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    let forwards = step().prop_map(|one| Step { pass: one.pass.clamp(200, 20_000), ..one });
    let steps = prop::collection::vec((forwards, prop::bool::weighted(0.1)), n);
    steps.new_tree(&mut runner).unwrap().current()
}

#[test]
fn a_torn_tail_loses_the_last_frame_alone() {
    let (_folder, path) = folder();
    let live = record(&a_few(60), &path);
    let whole = fs::read(&path).unwrap();
    let frames: Vec<(Millis, u64)> = {
        let tape = Tape::open(&path).unwrap();
        assert!(tape.frames().len() > 5 && tape.breaks().is_empty());
        tape.frames().iter().map(|place| (place.head.to_ms, place.end())).collect()
    };
    for cut in (1..whole.len()).step_by(97) {
        fs::write(&path, &whole[..cut]).unwrap();
        let complete: Vec<_> = frames.iter().filter(|(_, end)| *end <= cut as u64).collect();
        match Tape::open(&path) {
            Ok(mut tape) => {
                assert_eq!(tape.frames().len(), complete.len());
                let (at, _) = **complete.last().unwrap();
                assert_eq!(tape.span().1, at);
                tape.seek(at).unwrap();
                let was = live.iter().rev().find(|(live_at, _)| *live_at <= at).unwrap();
                assert_eq!(differ(&tape.snapshot().unwrap(), &was.1), Vec::<String>::new());
                let is_torn = complete.last().unwrap().1 < cut as u64;
                assert_eq!(tape.breaks().iter().any(|broken| broken.torn), is_torn);
            }
            Err(error) => assert!(complete.is_empty(), "{error}"),
        }
    }
}

#[test]
fn files_that_are_no_recordings_and_bombs_are_refused() {
    let (_folder, path) = folder();
    let refused = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        match Tape::open(&path) {
            Ok(mut tape) => {
                let error = tape.seek(i64::MAX).and_then(|()| tape.snapshot().map(drop));
                error.expect_err("it is no recording").to_string()
            }
            Err(error) => error.to_string(),
        }
    };
    assert!(refused(b"").contains("nothing is recorded"));
    assert!(refused(b"{\"some\": \"json\"}\n").contains("it is no recording"));
    // A head that claims too much, with a sum that fits.
    let head = |bytes: u64, size: u64, kind: &str| {
        let head = format!(r#"{{"kind":"{kind}","from_ms":0,"to_ms":0,"bytes":{bytes},"size":{size}}}"#);
        let sum = &<sha2::Sha256 as sha2::Digest>::digest(head.as_bytes())[..8];
        let length = u32::try_from(8 + head.len()).unwrap();
        [&0x184D_2A5Cu32.to_le_bytes()[..], &length.to_le_bytes(), sum, head.as_bytes()].concat()
    };
    let zeros = zstd::encode_all(&vec![b' '; 8 << 20][..], 3).unwrap();
    let bomb = [head(zeros.len() as u64, 8 << 20, "state"), zeros.clone()].concat();
    assert!(refused(&bomb).contains("more than it can"));
    let liar = [head(zeros.len() as u64, 1 << 19, "state"), zeros].concat();
    assert!(refused(&liar).contains("not as long as it says"));
    assert!(refused(&head(u64::MAX, 1, "state")).contains("nothing is recorded"));
    assert!(refused(&head(u64::MAX - 60, 1, "state")).contains("nothing is recorded"));
    // Lines of other forms, and lines that do not follow.
    let of_lines = |lines: &str| {
        let packed = zstd::encode_all(lines.as_bytes(), 3).unwrap();
        [head(packed.len() as u64, lines.len() as u64, "state"), packed].concat()
    };
    assert!(refused(&of_lines("{}\n")).contains("a line is of a form"));
    assert!(
        refused(&of_lines(r#"{"evaluated":{"at_ms":0,"interval_ms":0}}"#)).contains("does not begin with a full state")
    );
    let start = r#"{"start":{"schema":"lockkeeper.recording.v9","version":"9","thresholds":{}}}"#;
    let start = format!("{start}\n{{\"evaluated\":{{\"at_ms\":0,\"interval_ms\":0}}}}\n");
    assert!(refused(&of_lines(&start)).contains("lockkeeper.recording.v9"));
    let deep = "[".repeat(100_000);
    assert!(refused(&of_lines(&deep)).contains("a line is of a form"));
}

#[test]
fn a_day_is_found_within_at_any_instant() {
    let (_folder, path) = folder();
    // A step each 10 s; most bring nothing.
    let some = a_few(200);
    let steps: Vec<(Step, bool)> = (0..8_640)
        .map(|i: usize| {
            let (step, _) = &some[i % some.len()];
            let changes = if i.is_multiple_of(9) { step.changes.clone() } else { Vec::new() };
            (
                Step { changes, pass: 10_000, fails: step.fails && i.is_multiple_of(7), source: step.source },
                i.is_multiple_of(360),
            )
        })
        .collect();
    let live = record(&steps, &path);
    let mut tape = Tape::open(&path).unwrap();
    assert_eq!(tape.span(), (live[0].0, live[8_639].0));
    for place in [0, 8_639, 4_320, 359, 360, 361, 8_000, 17] {
        tape.seek(live[place].0 + 3).unwrap();
        assert_eq!(tape.at_ms(), Some(live[place].0));
        assert_eq!(differ(&tape.snapshot().unwrap(), &live[place].1), Vec::<String>::new(), "{place}");
    }
    tape.seek(live[100].0).unwrap();
    tape.seek(live[100].0 - 1).unwrap();
    assert_eq!(tape.at_ms(), Some(live[99].0), "the moment before");
    assert_eq!(differ(&tape.snapshot().unwrap(), &live[99].1), Vec::<String>::new());
}

#[test]
fn the_oldest_files_of_a_ring_make_room_and_one_console_alone_writes() {
    let folder = tempfile::tempdir().unwrap();
    let place = || Place::Ring { folder: folder.path().join("ring"), most: 80_000 };
    let mut writer = Writer::open(place()).unwrap();
    assert!(matches!(Writer::open(place()), Err(super::ring::WriteError::Taken)));
    let mut console = Console::new();
    let mut last = 0;
    for (i, (step, _)) in a_few(400).into_iter().enumerate() {
        let whole = i % 60 == 59 || writer.wants_state(console.now);
        let (snapshot, frames) = console.step(&step, whole);
        last = snapshot.at_ms;
        for frame in frames {
            writer.write(&frame).unwrap();
        }
    }
    let files = super::ring::files(&folder.path().join("ring")).unwrap();
    let size: u64 = files.iter().map(|path| fs::metadata(path).unwrap().len()).sum();
    assert!(files.len() > 1 && size < 120_000, "{} files, {size} bytes", files.len());
    let tape = Tape::open(&folder.path().join("ring")).unwrap();
    assert!(tape.span().0 > NOW && tape.span().1 <= last, "the oldest are gone");
    drop(writer);
    Writer::open(place()).unwrap();
}

#[test]
fn a_file_that_is_packed_is_smaller_and_says_the_same_to_whoever_reads_it_meanwhile() {
    let (_folder, path) = folder();
    let live = record(&a_few(120), &path);
    let before = fs::metadata(&path).unwrap().len();
    let mut reading = Tape::open(&path).unwrap();
    let frames = reading.frames().len();
    reading.seek(live[40].0).unwrap();
    super::pack::pack(&path).unwrap();
    let mut packed = Tape::open(&path).unwrap();
    assert!(packed.frames().len() < frames / 2, "{} of {frames}", packed.frames().len());
    assert!(fs::metadata(&path).unwrap().len() < before * 4 / 5);
    // Marks are all there, and whoever was in the middle goes on.
    let marks = |tape: &Tape| tape.marks().cloned().collect::<Vec<_>>();
    assert_eq!(marks(&packed), marks(&reading));
    for (at, was) in &live[41..] {
        assert!(reading.step().unwrap());
        assert_eq!(reading.at_ms(), Some(*at));
        assert_eq!(differ(&reading.snapshot().unwrap(), was), Vec::<String>::new());
    }
    assert!(!reading.step().unwrap());
    for (at, was) in &live {
        assert!(packed.step().unwrap());
        assert_eq!((packed.at_ms(), differ(&packed.snapshot().unwrap(), was)), (Some(*at), Vec::new()));
    }
    reading.seek(live[3].0).unwrap();
    assert_eq!(differ(&reading.snapshot().unwrap(), &live[3].1), Vec::<String>::new());
    // What is no recording stays as it is.
    fs::write(&path, "something else").unwrap();
    assert!(super::pack::pack(&path).is_err());
    assert_eq!(fs::read(&path).unwrap(), b"something else");
    assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "nothing is left beside it");
}

proptest! {
    #[test]
    fn a_recording_that_is_harmed_anywhere_is_read_or_refused(
        harms in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6), cut in any::<prop::sample::Index>(),
    ) {
        static WHOLE: std::sync::LazyLock<Vec<u8>> = std::sync::LazyLock::new(|| {
            let (_folder, path) = folder();
            record(&a_few(12), &path);
            fs::read(&path).unwrap()
        });
        let (_folder, path) = folder();
        let mut bytes = WHOLE.clone();
        for (at, byte) in harms {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes.truncate(cut.index(bytes.len()).max(bytes.len() / 2));
        fs::write(&path, &bytes).unwrap();
        if let Ok(mut tape) = Tape::open(&path) {
            while let Ok(true) = tape.step() {
                let _ = tape.snapshot();
            }
        }
    }

    #[test]
    fn lines_of_any_content_are_played_or_refused(
        line in "\\PC{0,60}", which in any::<prop::sample::Index>(), key in any::<prop::sample::Index>(), value in any::<i64>(),
    ) {
        static LINES: std::sync::LazyLock<Vec<serde_json::Value>> = std::sync::LazyLock::new(|| {
            let (_folder, path) = folder();
            record(&a_few(12), &path);
            let tape = Tape::open(&path).unwrap();
            let text = tape.frames().iter().flat_map(|place| tape.text(place).unwrap()).collect::<Vec<u8>>();
            text.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect()
        });
        let mut lines = LINES.clone();
        let at = which.index(lines.len());
        harm(&mut lines[at], key.index(1_000), value);
        let mut playback = super::playback::Playback::default();
        for line in lines {
            let Ok(line) = serde_json::from_value(line) else { continue };
            // What cannot be is contained where a recording is opened.
            let played = crate::panic_guard::quietly(|| playback.take(line).is_ok() && playback.snapshot().is_ok());
            if played.is_none() { break; }
        }
        prop_assert!(serde_json::from_str::<super::line::Line>(&line).is_err());
    }
}

/// Replaces a number somewhere in a value.
fn harm(value: &mut serde_json::Value, mut nth: usize, with: i64) {
    fn numbers<'a>(value: &'a mut serde_json::Value, all: &mut Vec<&'a mut serde_json::Value>) {
        match value {
            serde_json::Value::Array(list) => list.iter_mut().for_each(|one| numbers(one, all)),
            serde_json::Value::Object(map) => map.values_mut().for_each(|one| numbers(one, all)),
            serde_json::Value::Number(_) => all.push(value),
            _ => {}
        }
    }
    let mut all = Vec::new();
    numbers(value, &mut all);
    if !all.is_empty() {
        nth %= all.len();
        *all[nth] = with.into();
    }
}

#[test]
fn what_an_operator_did_and_a_source_that_was_lost_are_marked() {
    use crate::model::mark::MarkKind;
    let (_folder, path) = folder();
    let mut console = Console::new();
    let mut writer = Writer::open(Place::File(path.clone())).unwrap();
    let mut go = |console: &mut Console, fails| {
        let step = Step { source: 0, changes: Vec::new(), fails, pass: SECOND };
        let (snapshot, frames) = console.step(&step, false);
        for frame in &frames {
            writer.write(frame).unwrap();
        }
        snapshot.at_ms
    };
    go(&mut console, false);
    let lost = go(&mut console, true);
    go(&mut console, true);
    let back = go(&mut console, false);
    // Of what was done before anything was recorded nothing is marked.
    let mut entries = crate::testing::mesh().mesh.journal.to_vec();
    entries[0].at_ms = NOW - SECOND;
    let last = entries.len() - 1;
    entries[last].at_ms = console.now;
    console.state.mesh.journal = entries.into();
    let acted = go(&mut console, false);
    let tape = Tape::open(&path).unwrap();
    let found: Vec<_> = tape.marks().filter(|mark| mark.kind != MarkKind::Raised).map(|m| (m.kind, m.at_ms)).collect();
    assert_eq!(found, [(MarkKind::Lost, lost), (MarkKind::Back, back), (MarkKind::Action, acted)]);
}
