//! What the parts of a refresh cost at three sizes, at rest and while one row in a hundred changes each second, and
//! how that grows with size: medians, 99th percentiles, allocations, and log-log slopes. Nothing is asserted.
//!
//! `cargo bench --bench scale` runs all sizes; `cargo bench --bench scale -- S M` some.

use std::alloc::{GlobalAlloc, Layout};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use lockkeeper::app::theme::Themes;
use lockkeeper::app::update::update;
use lockkeeper::app::views::VIEWS;
use lockkeeper::app::{App, Event, MeshConfig, Options};
use lockkeeper::clock::wall_clock;
use lockkeeper::data::poller::attempt;
use lockkeeper::data::source::{PollContext, Source};
use lockkeeper::demo::vox::workload::{Size, Workload};
use lockkeeper::mesh::MeshState;
use lockkeeper::mesh::derive::{Evaluator, Snapshot, Thresholds};
use lockkeeper::model::report::Report;
use lockkeeper::model::text::Text;
use lockkeeper::settings::Settings;
use lockkeeper::ui::theme::Depth;
use lockkeeper::ui::{self, TermCaps};
use mimalloc::MiMalloc;
use ratatui::Terminal;
use ratatui::backend::TestBackend;

/// Polls that are measured, and frames of each view.
const ROUNDS: usize = 40;
const FRAMES: usize = 300;

/// Counts allocations.
struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

#[allow(unsafe_code, reason = "an allocator that counts is an allocator")]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        unsafe { MiMalloc.alloc(layout) }
    }
    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        unsafe { MiMalloc.dealloc(at, layout) }
    }
    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        unsafe { MiMalloc.realloc(at, layout, size) }
    }
}

#[global_allocator]
static GLOBAL: Counting = Counting;

/// Milliseconds of one piece of work, again and again, and its allocations.
#[derive(Default)]
struct Series {
    ms: Vec<f64>,
    allocations: u64,
}

impl Series {
    fn time<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let (before, started) = (ALLOCATIONS.load(Ordering::Relaxed), Instant::now());
        let made = work();
        self.ms.push(started.elapsed().as_secs_f64() * 1_000.0);
        self.allocations += ALLOCATIONS.load(Ordering::Relaxed) - before;
        made
    }

    fn at(&self, share: f64) -> f64 {
        let mut all = self.ms.clone();
        all.sort_by(f64::total_cmp);
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "a rank"
        )]
        all.get(((all.len() - 1) as f64 * share).round() as usize).copied().unwrap_or(0.0)
    }

    fn say(&self, name: &str) -> f64 {
        let per = self.allocations / self.ms.len().max(1) as u64;
        println!("  {name:<34}{:>9.3} ms median{:>9.3} ms p99{per:>9} allocations", self.at(0.5), self.at(0.99));
        self.at(0.5)
    }
}

/// A console without a terminal.
struct Console {
    source: Box<dyn Source>,
    watch: MeshState,
    evaluator: Evaluator,
    app: App,
}

impl Console {
    fn new(path: &Path) -> Self {
        let database = path.to_str().expect("a path of text");
        let settings = Settings::given(&[("db", database), ("db_access", "direct")]).expect("settings");
        let (identity, source) = settings.connect(None).expect("sources").sources.pop().expect("a source");
        let options = Options {
            theme: "dark".into(),
            themes: Themes::default(),
            columns: std::collections::BTreeMap::new(),
            own: std::sync::Arc::default(),
            interval: Duration::from_secs(1),
            mouse: true,
            repo: None,
            open: vec![MeshConfig { name: "bench".into(), policy: lockkeeper::action::plan::Policy::default() }],
            meshes: Vec::new(),
            calls: lockkeeper::app::Calls::default(),
            wall: None,
            replay: false,
            frames: true,
            local_clock: false,
            local: |_| 0,
            keymap: lockkeeper::app::keymap::Keymap::default(),
            banner: None,
        };
        let watch = MeshState::new(Text::new("bench"), vec![identity], settings.window);
        Self { source, watch, evaluator: Evaluator::default(), app: App::new(options, wall_clock()) }
    }

    async fn poll(&mut self) -> (Report, u64) {
        let observation =
            attempt(&mut *self.source, &PollContext::default(), Duration::from_secs(60)).await.expect("rows");
        let rows = observation.cost.rows;
        (Report::Observed { source: 0, at_ms: wall_clock(), observation: Box::new(observation) }, rows)
    }

    fn evaluated(&mut self) -> Snapshot {
        let touched = self.watch.take_touched();
        self.evaluator.evaluate(&self.watch, &touched, wall_clock(), &Thresholds::default(), 1_000)
    }
}

/// What one size cost, for the slopes.
#[derive(Default)]
struct Cost {
    rows: f64,
    poll: f64,
    apply: f64,
    frame: f64,
}

fn measure(name: &str, size: Size) -> Cost {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("mesh.db");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let mut workload = runtime.block_on(Workload::create(&path, size, wall_clock())).expect("a filled database");
    let mut console = Console::new(&path);
    let (mut first_poll, mut first) = (Series::default(), Series::default());
    let started = Instant::now();
    let (report, rows) = runtime.block_on(console.poll());
    first_poll.ms.push(started.elapsed().as_secs_f64() * 1_000.0);
    println!("{name}: {} nodes, {} locks, {} messages wait", size.nodes, size.locks, size.waiting);
    let snapshot = first.time(|| {
        console.watch.apply(report);
        console.evaluated()
    });
    println!("  {:<34}{rows:>9} rows", "the first poll");
    first_poll.say("  reading it");
    first.say("  applying and evaluating");
    update(&mut console.app, Event::Snapshot(0, Arc::new(snapshot)));

    let (mut idle, mut idle_evaluate) = (Series::default(), Series::default());
    // The second look learns the pages of large tables.
    runtime.block_on(workload.step(wall_clock(), 1_000)).expect("a step");
    for _ in 0..3 {
        let (report, _) = runtime.block_on(console.poll());
        console.watch.apply(report);
    }
    let mut idle_rows = 0;
    for _ in 0..ROUNDS {
        let (report, rows) = idle.time(|| runtime.block_on(console.poll()));
        idle_rows += rows;
        idle_evaluate.time(|| {
            console.watch.apply(report);
            console.evaluated()
        });
    }
    println!("  at rest, {} rows a poll", idle_rows / ROUNDS as u64);
    idle.say("  a poll");
    idle_evaluate.say("  applying and evaluating");

    let (mut poll, mut apply, mut lists) = (Series::default(), Series::default(), Series::default());
    let mut live_rows = 0;
    update(&mut console.app, Event::Key(crossterm::event::KeyCode::Char('3').into()));
    for _ in 0..ROUNDS {
        runtime.block_on(workload.step(wall_clock(), 1_000)).expect("a step");
        let (report, rows) = poll.time(|| runtime.block_on(console.poll()));
        live_rows += rows;
        let snapshot = apply.time(|| {
            console.watch.apply(report);
            console.evaluated()
        });
        // The old snapshot is dropped by whoever made it, not by the screen.
        let old = console.app.workspace.clone();
        let snapshot = Arc::new(snapshot);
        lists.time(|| update(&mut console.app, Event::Snapshot(0, snapshot)));
        drop(old);
    }
    println!("  live, {} rows a poll", live_rows / ROUNDS as u64);
    let mut cost = Cost { rows: f64::from(size.nodes + size.locks + size.waiting), ..Cost::default() };
    cost.poll = poll.say("  a poll");
    cost.apply = apply.say("  applying and evaluating");
    lists.say("  the list of locks brought up to date");

    let caps = TermCaps { depth: Depth::True, unicode: true };
    let mut terminal = Terminal::new(TestBackend::new(200, 50)).expect("a terminal");
    for view in VIEWS {
        let mut open = Series::default();
        console.app.view = view.id;
        let latest = console.app.workspace.snapshot(0).cloned().expect("a snapshot");
        open.time(|| update(&mut console.app, Event::Snapshot(0, latest)));
        let mut frame = Series::default();
        for i in 0..FRAMES {
            console.app.now_ms += 1_000;
            if i % 3 == 0 {
                update(&mut console.app, Event::Key(crossterm::event::KeyCode::Char('j').into()));
            }
            frame.time(|| {
                terminal.draw(|frame| drop(ui::draw(&console.app, caps, frame))).map(|_| ()).expect("a frame");
            });
        }
        let median = frame.say(&format!("frame, {}", view.title));
        cost.frame = cost.frame.max(median);
        println!("  {:<34}{:>9.3} ms", "  opening it", open.at(0.5));
    }
    cost
}

/// How the logarithm of a cost grows with the logarithm of the size: 0 is flat, 1 is linear.
fn slope(costs: &[Cost], of: impl Fn(&Cost) -> f64) -> f64 {
    let points: Vec<(f64, f64)> = costs.iter().map(|cost| (cost.rows.ln(), of(cost).max(1e-6).ln())).collect();
    #[allow(clippy::cast_precision_loss, reason = "three sizes")]
    let n = points.len() as f64;
    let (x, y) = points.iter().fold((0.0, 0.0), |sum, point| (sum.0 + point.0 / n, sum.1 + point.1 / n));
    let along: f64 = points.iter().map(|point| (point.0 - x).powi(2)).sum();
    points.iter().map(|point| (point.0 - x) * (point.1 - y)).sum::<f64>() / along
}

fn main() {
    let asked: Vec<String> = std::env::args().skip(1).filter(|name| Size::named(name).is_some()).collect();
    let names = if asked.is_empty() { ["S", "M", "L"].map(str::to_owned).to_vec() } else { asked };
    let costs: Vec<Cost> =
        names.iter().map(|name| measure(name, Size::named(name).expect("a size that was asked for"))).collect();
    if costs.len() > 1 {
        println!("log-log slope over live rows: 0 is flat, 1 is linear; one row in a hundred changes at each size");
        println!("  {:<34}{:>9.2}", "the dearest frame", slope(&costs, |cost| cost.frame));
        println!("  {:<34}{:>9.2}", "a live poll", slope(&costs, |cost| cost.poll));
        println!("  {:<34}{:>9.2}", "applying and evaluating", slope(&costs, |cost| cost.apply));
    }
}
