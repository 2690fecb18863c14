//! What a frame and a judgement cost, on the simulated mesh at two sizes.
//!
//! `cargo bench` prints the figures; nothing is asserted.

use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use lockkeeper::app::views::VIEWS;
use lockkeeper::app::{App, Event, Options, Theme, update};
use lockkeeper::clock::wall_clock;
use lockkeeper::config::Layers;
use lockkeeper::config::Settings;
use lockkeeper::config::locate::Surroundings;
use lockkeeper::config::settings::Database;
use lockkeeper::data::derive::{Picture, Thresholds, derive};
use lockkeeper::demo::world::{Shape, World};
use lockkeeper::demo::write::Writer;
use lockkeeper::oneshot::observe::observe;
use lockkeeper::ui::theme::Depth;
use lockkeeper::ui::{self, Look};
use ratatui::Terminal;
use ratatui::backend::TestBackend;

fn picture(nodes: usize, locks: usize, messages: usize) -> Picture {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("mesh.db");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let now = wall_clock();
        let mut world = World::new(Shape { seed: 7, nodes, locks, messages, speed: 8.0 }, now);
        let mut writer = Writer::create(&path).await.expect("a database");
        writer.apply(world.begin(now)).await.expect("its rows");
        let mut settings = Settings::resolve(&Layers::default(), None, &Surroundings::default()).expect("settings");
        settings.databases = vec![Database::File { path: path.clone(), direct: true }];
        observe(&settings).await.expect("a picture")
    })
}

fn app(picture: Picture) -> App {
    let options = Options {
        theme: Theme::Dark,
        interval: std::time::Duration::from_secs(1),
        mouse: true,
        repo: None,
        mesh: "bench".into(),
        meshes: Vec::new(),
        policy: lockkeeper::data::action::plan::Policy::default(),
        banner: None,
    };
    let mut app = App::new(options, picture.at_ms);
    update(&mut app, Event::Picture(Arc::new(picture)));
    app
}

fn frames(c: &mut Criterion) {
    for (size, nodes, locks, messages) in [("S", 12, 40, 200), ("M", 500, 5_000, 50_000)] {
        let picture = picture(nodes, locks, messages);
        let mesh = picture.mesh.clone();
        c.bench_function(&format!("{size} derive"), |b| {
            b.iter(|| derive(mesh.clone(), picture.at_ms, &Thresholds::default(), 1_000, Some(&picture)));
        });
        let mut app = app(picture);
        let mut terminal = Terminal::new(TestBackend::new(200, 50)).expect("a terminal");
        let look = Look { depth: Depth::True, unicode: true };
        for view in VIEWS {
            app.view = view.id;
            let latest = app.picture.clone().expect("a picture");
            update(&mut app, Event::Picture(latest));
            c.bench_function(&format!("{size} frame {}", view.title), |b| {
                b.iter(|| {
                    app.now_ms += 1_000;
                    terminal.draw(|frame| drop(ui::draw(&app, look, frame))).expect("a frame");
                });
            });
        }
    }
}

criterion_group!(benches, frames);
criterion_main!(benches);
