//! What recordings cost: their size at three sizes of a mesh, at rest and while one row in a hundred changes each second; what
//! writing them takes; how long any instant of them takes to find, and how fast they play. Time is simulated: an hour takes
//! as long as its polls. Nothing is asserted.
//!
//! `cargo bench --bench recording` records ten minutes of each size; `cargo bench --bench recording -- M 3600` an hour of one.

use std::path::Path;
use std::time::Instant;

use lockkeeper::clock::wall_clock;
use lockkeeper::data::poller::attempt;
use lockkeeper::data::source::{PollContext, Source};
use lockkeeper::demo::vox::workload::{Size, Workload};
use lockkeeper::mesh::MeshState;
use lockkeeper::mesh::derive::{Evaluator, Thresholds};
use lockkeeper::model::report::Report;
use lockkeeper::model::severity::Severity;
use lockkeeper::model::text::Text;
use lockkeeper::recording::pack;
use lockkeeper::recording::recorder::Recorder;
use lockkeeper::recording::ring::{Place, Writer};
use lockkeeper::recording::tape::Tape;
use lockkeeper::settings::Settings;
use mimalloc::MiMalloc;

#[global_allocator]
static GLOBAL: MiMalloc = MiMalloc;

/// Instants that are looked for.
const SEEKS: u32 = 40;

/// A mesh that is polled once a simulated second, and recorded.
struct Console {
    source: Box<dyn Source>,
    mesh: MeshState,
    evaluator: Evaluator,
    recorder: Recorder,
    writer: Writer,
    now_ms: i64,
    /// Milliseconds that recording took.
    spent: f64,
}

impl Console {
    fn new(database: &Path, file: &Path) -> Self {
        let database = database.to_str().expect("a path of text");
        let settings = Settings::given(&[("db", database), ("db_access", "direct")]).expect("settings");
        let (identity, source) = settings.connect(None).expect("sources").sources.pop().expect("a source");
        Self {
            source,
            mesh: MeshState::new(Text::new("bench"), vec![identity], settings.window),
            evaluator: Evaluator::default(),
            recorder: Recorder::new(Thresholds::default(), Severity::Warning),
            writer: Writer::open(Place::File(file.to_owned())).expect("a file"),
            now_ms: wall_clock(),
            spent: 0.0,
        }
    }

    async fn second(&mut self) {
        self.now_ms += 1_000;
        let context = PollContext::default();
        let observation = attempt(&mut *self.source, &context, std::time::Duration::from_secs(60)).await.expect("rows");
        let report = Report::Observed { source: 0, at_ms: self.now_ms, observation: Box::new(observation) };
        let started = Instant::now();
        self.recorder.report(&report);
        self.spent += started.elapsed().as_secs_f64() * 1_000.0;
        self.mesh.apply(report);
        self.mesh.mesh.rates.advance(self.now_ms);
        let touched = self.mesh.take_touched();
        let snapshot = self.evaluator.evaluate(&self.mesh, &touched, self.now_ms, &Thresholds::default(), 1_000);
        let started = Instant::now();
        let whole = self.writer.wants_state(self.now_ms);
        for frame in self.recorder.evaluated(&self.mesh, &snapshot, 1_000, whole) {
            self.writer.write(&frame).expect("written");
        }
        self.spent += started.elapsed().as_secs_f64() * 1_000.0;
    }
}

#[allow(clippy::cast_precision_loss, reason = "sizes for people")]
fn measure(name: &str, size: Size, seconds: u32, live: bool) {
    let folder = tempfile::tempdir().expect("a folder");
    let (database, file) = (folder.path().join("mesh.db"), folder.path().join("one.lkr"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let mut workload = runtime.block_on(Workload::create(&database, size, wall_clock())).expect("a filled database");
    let mut console = Console::new(&database, &file);
    runtime.block_on(console.second());
    let state = std::fs::metadata(&file).map_or(0, |meta| meta.len());
    console.spent = 0.0;
    for _ in 0..seconds {
        if live {
            runtime.block_on(workload.step(console.now_ms, 1_000)).expect("a step");
        }
        runtime.block_on(console.second());
    }
    if let Some(frame) = console.recorder.take_frame(console.now_ms) {
        console.writer.write(&frame).expect("written");
    }
    let written = std::fs::metadata(&file).map_or(0, |meta| meta.len());
    let mega = |bytes: u64| bytes as f64 / 1e6;
    let hour = mega(written - state) * 3_600.0 / f64::from(seconds);
    let what = if live { "live" } else { "at rest" };
    println!("{name} {what}, {seconds} s:");
    println!("  a full state {:>10.3} MB", mega(state));
    println!("  an hour      {hour:>10.3} MB as it is written");
    println!("  recording    {:>10.3} % of a core", console.spent / f64::from(seconds) / 10.0);
    let started = Instant::now();
    pack::pack(&file).expect("packed");
    let packing = started.elapsed().as_secs_f64() * 1_000.0;
    let packed = std::fs::metadata(&file).map_or(0, |meta| meta.len());
    let hour = mega(packed.saturating_sub(state)) * 3_600.0 / f64::from(seconds);
    println!("  an hour      {hour:>10.3} MB packed, {:.3} % of a core", packing / f64::from(seconds) / 10.0);
    let mut tape = Tape::open(&file).expect("a recording");
    let (from, to) = tape.span();
    let mut seeks: Vec<f64> = (0..SEEKS)
        .map(|i| {
            // Forwards and backwards, far apart.
            let at = from + (to - from) * i64::from(i * 17 % SEEKS) / i64::from(SEEKS);
            let started = Instant::now();
            tape.seek(at).expect("an instant");
            drop(tape.snapshot().expect("a snapshot"));
            started.elapsed().as_secs_f64() * 1_000.0
        })
        .collect();
    seeks.sort_by(f64::total_cmp);
    println!("  an instant   {:>10.1} ms median {:>10.1} ms worst", seeks[seeks.len() / 2], seeks[seeks.len() - 1]);
    let mut tape = Tape::open(&file).expect("a recording");
    let started = Instant::now();
    while tape.step().expect("a moment") {
        drop(tape.snapshot().expect("a snapshot"));
    }
    let faster = f64::from(seconds) / started.elapsed().as_secs_f64();
    println!("  playing      {faster:>10.0} times as fast as life");
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    let seconds = arguments.iter().find_map(|word| word.parse().ok()).unwrap_or(600);
    let named: Vec<&String> = arguments.iter().filter(|word| Size::named(word).is_some()).collect();
    for name in ["S", "M", "L"] {
        if !named.is_empty() && !named.iter().any(|wanted| *wanted == name) {
            continue;
        }
        let Some(size) = Size::named(name) else { continue };
        measure(name, size, seconds, false);
        measure(name, size, seconds, true);
    }
}
