//! The only place that owns a terminal, a clock and tasks.

pub mod alerts;
pub mod engine;
pub mod engines;
pub mod first;
pub mod hangup;
pub mod hook;
pub mod input;
pub mod minimal_backend;
pub mod own;
pub mod plain;
pub mod program;
pub mod recording;
pub mod reload;
pub mod screen;
pub mod themes;
pub mod travel;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use self::engine::{News, Record};
use self::engines::Engines;
use self::input::Input;
use self::reload::{ConfigWatch, Reloaded};
use self::screen::Screen;
use self::travel::Traveller;
use crate::action::executor::Purpose;
use crate::action::run::Recovered;
use crate::app::past::Travel;
use crate::app::update::update;
use crate::app::{App, Effect, Event, MeshConfig};
use crate::clock::{set_ahead, steady_clock};
use crate::data::work;
use crate::mesh::derive::Snapshot;
use crate::model::time::Millis;
use crate::os::Signal;
use crate::os::signals::Signals;
use crate::settings::{Settings, shapes};

/// The most events that are taken between two frames, so that a flood of them cannot keep the screen from moving.
const MOST_EVENTS: usize = 4_096;

/// Answers about work that may wait to be shown.
const WORKS: usize = 16;

/// Finds other meshes by what is written for them.
pub type OpenMesh = Box<dyn Fn(&str) -> anyhow::Result<Vec<Settings>> + Send>;

/// Meshes as the app knows them.
#[must_use]
pub fn mesh_configs(meshes: &[Settings]) -> Vec<MeshConfig> {
    meshes.iter().map(|mesh| MeshConfig { name: mesh.mesh.clone(), policy: mesh.policy() }).collect()
}

/// A recording that is shown in place of what is live.
#[derive(Debug, Clone)]
pub struct Replay {
    pub recording: PathBuf,
    /// Where it begins.
    pub at_ms: Millis,
    /// Seconds of it that pass in one; 0 stands still.
    pub speed: u32,
}

/// Runs the dashboard on a recording until it is left.
pub async fn run_replay(mut app: App, settings: Settings, replay: Replay) -> anyhow::Result<()> {
    app.begin_replay(replay.speed);
    let options = app.options.clone();
    let unchanged = Box::new(|_: Option<&str>| Err(anyhow::anyhow!("a recording has no configuration")));
    let configuration = ConfigWatch::new(Vec::new(), unchanged, options, &[]);
    let no_other = Box::new(|_: &str| Err(anyhow::anyhow!("a recording is of one mesh")));
    show(app, vec![settings], no_other, configuration, Purpose::Watch, Some(replay)).await
}

/// Runs the dashboard until it is left. Polling starts after the first frame is on screen.
pub async fn run(
    app: App,
    meshes: Vec<Settings>,
    open_mesh: OpenMesh,
    configuration: ConfigWatch,
    purpose: Purpose,
) -> anyhow::Result<()> {
    show(app, meshes, open_mesh, configuration, purpose, None).await
}

async fn show(
    mut app: App,
    meshes: Vec<Settings>,
    open_mesh: OpenMesh,
    mut configuration: ConfigWatch,
    purpose: Purpose,
    replay: Option<Replay>,
) -> anyhow::Result<()> {
    let first = meshes.first().ok_or_else(|| anyhow::anyhow!("no mesh is named"))?;
    let mut screen = Screen::open(app.options.mouse, first)?;
    screen.draw(&mut app)?;

    let mut signals = Signals::listen()?;
    let mut hangup = hangup::watch();
    let mut input = Input::listen()?;
    let mut traveller = Traveller::start();
    let mut engines = match &replay {
        Some(replay) => Engines::of_recording(replay.recording.clone()),
        None => Engines::start(&meshes, purpose, &Record::Ring)?,
    };
    if let Some(replay) = &replay {
        traveller.ask(Travel::Open(Some(replay.at_ms)), engines.recordings());
    }
    let (send_work, mut found) = mpsc::channel(WORKS);
    let (ended, mut ends) = mpsc::channel(WORKS);
    let hints_seen = first.hints_seen.clone();
    let views_file = first.views_file();
    let mut trees: Vec<_> = meshes.iter().map(Settings::work_trees).collect();
    let mut dirty = false;
    loop {
        let mut arrived: Vec<Event> = Vec::new();
        tokio::select! {
            biased;
            signal = signals.next() => match signal {
                Signal::End => break,
                Signal::Stop => {
                    screen.suspend()?;
                }
                Signal::Continued => {
                    screen.resume()?;
                    arrived.push(Event::Tick(steady_clock()));
                }
            },
            () = hangup.wait() => break,
            event = input.next() => match event {
                Some(event) => {
                    arrived.push(translate(event));
                    // Everything that waits is taken before one frame is drawn.
                    while arrived.len() < MOST_EVENTS {
                        let Some(event) = input.waiting() else { break };
                        arrived.push(translate(event));
                    }
                }
                // The terminal is gone.
                None => break,
            },
            (mesh, news) = engines.news() => arrived.push(match news {
                News::Snapshot(snapshot) => Event::Snapshot(mesh, snapshot),
                News::Progress(progress) => Event::Progress(progress),
                News::Answers(answers) => Event::Answers(mesh, answers),
                News::Recovered(Recovered { resolved, open }) => Event::Recovered { resolved, open },
            }),
            past = traveller.news() => arrived.push(match past {
                Ok(news) => Event::Past(news),
                Err(why) => Event::Notice(why),
            }),
            Some(end) = ends.recv() => arrived.push(Event::CommandEnded(end)),
            Some((mesh, works)) = found.recv() => arrived.push(Event::Work(mesh, works)),
            () = next_second() => {
                arrived.push(Event::Tick(steady_clock()));
                match configuration.changed() {
                    None => {}
                    Some(Ok(Reloaded { options, meshes })) => {
                        let opened = meshes.filter(|meshes| configuration.meshes_changed(meshes));
                        let opened = opened.map(|meshes| Engines::start(&meshes, purpose, &Record::Ring).map(|started| (started, meshes)));
                        match opened.transpose() {
                            Ok(opened) => {
                                let reopened = opened.is_some();
                                if let Some((started, meshes)) = opened {
                                    configuration.reopened(&meshes);
                                    std::mem::replace(&mut engines, started).stop().await;
                                    trees = meshes.iter().map(Settings::work_trees).collect();
                                }
                                let before = std::mem::replace(&mut configuration.options, options.clone());
                                arrived.push(Event::Configured { before: Box::new(before), now: Box::new(options), reopened });
                            }
                            Err(error) => arrived.push(Event::Misconfigured(format!("{error:#}"))),
                        }
                    }
                    Some(Err(error)) => arrived.push(Event::Misconfigured(format!("{error:#}"))),
                }
            }
        }
        app.set_ahead_ms = set_ahead();
        for event in arrived {
            // A snapshot that brings nothing new is drawn when the clock ticks.
            dirty |= match &event {
                Event::Snapshot(mesh, new) => app.latest().whole(*mesh).is_none_or(|old| new.is_news_after(old)),
                Event::Focus(_) => false,
                _ => true,
            };
            if let Event::Key(_) | Event::Mouse(_) = event {
                update(&mut app, Event::Tick(steady_clock()));
            }
            for effect in update(&mut app, event) {
                match effect {
                    Effect::Quit => {
                        engines.stop().await;
                        return screen.close();
                    }
                    Effect::Suspend => {
                        if !screen.suspend()? {
                            update(&mut app, Event::Notice("there is no shell to go back to".into()));
                        }
                    }
                    Effect::Redraw => screen.clear()?,
                    Effect::Refresh => engines.nudge(),
                    Effect::Interval(interval) => engines.pace(interval),
                    Effect::Focused(focused) => engines.focused(focused),
                    Effect::Copy(text) => screen.copy(&text)?,
                    Effect::Run { mesh, plan, reason } => {
                        if !engines.of(mesh).is_some_and(|engine| engine.run(plan, reason)) {
                            update(&mut app, Event::Notice("another plan is still running".into()));
                        }
                    }
                    Effect::Ask { mesh, questions } => {
                        if !engines.of(mesh).is_some_and(|engine| engine.ask(questions)) {
                            update(&mut app, Event::Notice("another plan is still running".into()));
                        }
                    }
                    Effect::Recover { mesh } => {
                        if !engines.of(mesh).is_some_and(|engine| engine.recover()) {
                            update(&mut app, Event::Notice("another plan is still running".into()));
                        }
                    }
                    Effect::Work { mesh, resources } => {
                        let (trees, sender) = (trees.get(mesh).cloned().unwrap_or_default(), send_work.clone());
                        // Not waited for: a disk may be slow, and somebody may look elsewhere meanwhile.
                        tokio::spawn(async move {
                            let _ = sender.send((mesh, work::find(&trees, &resources).await)).await;
                        });
                    }
                    Effect::Command(command) => {
                        let journal = engines.of(command.mesh).and_then(|engine| engine.commands.clone());
                        let ended = ended.clone();
                        tokio::spawn(async move {
                            let _ = ended.send(own::run(command, journal).await).await;
                        });
                    }
                    Effect::HintsSeen => {
                        // Where it cannot be kept, they are shown again.
                        if let Some(folder) = hints_seen.parent() {
                            let _ = std::fs::create_dir_all(folder).and_then(|()| std::fs::write(&hints_seen, ""));
                        }
                    }
                    Effect::KeepShapes(shapes) => {
                        if let Err(error) = shapes::write(&views_file, &shapes) {
                            let why = format!("{}: {error}; the views are not kept", views_file.display());
                            update(&mut app, Event::Notice(why));
                        }
                    }
                    Effect::Stop { mesh } => {
                        if let Some(engine) = engines.of(mesh) {
                            engine.stop_plan();
                        }
                    }
                    Effect::Travel(travel) => traveller.ask(travel, engines.recordings()),
                    Effect::Bell => screen.bell()?,
                    Effect::Notify(text) => screen.notify(&text)?,
                    Effect::Title(text) => screen.title(&text)?,
                    Effect::Acknowledge { mesh, keys, span } => {
                        if let Some(engine) = engines.of(mesh) {
                            engine.known(keys, span);
                        }
                    }
                    Effect::Mouse(on) => screen.mouse(on)?,
                    Effect::Mesh(name) => {
                        let opened = open_mesh(&name)
                            .and_then(|meshes| Ok((Engines::start(&meshes, purpose, &Record::Ring)?, meshes)));
                        let event = match opened {
                            Ok((opened, meshes)) => {
                                std::mem::replace(&mut engines, opened).stop().await;
                                engines.pace(app.options.interval);
                                configuration.opened(&name, &meshes);
                                trees = meshes.iter().map(Settings::work_trees).collect();
                                Event::MeshesOpened(mesh_configs(&meshes))
                            }
                            Err(error) => Event::Notice(format!("{error:#}")),
                        };
                        update(&mut app, event);
                    }
                }
            }
        }
        if std::mem::take(&mut dirty) {
            screen.draw(&mut app)?;
        }
    }
    engines.stop().await;
    // The terminal may be gone; what can be restored is.
    let _ = screen.close();
    Ok(())
}

fn translate(event: crossterm::event::Event) -> Event {
    use crossterm::event::Event as Raw;
    match event {
        Raw::Key(key) => Event::Key(key),
        Raw::Mouse(mouse) => Event::Mouse(mouse),
        Raw::Paste(text) => Event::Paste(text),
        Raw::Resize(..) => Event::Resize,
        Raw::FocusGained => Event::Focus(true),
        Raw::FocusLost => Event::Focus(false),
    }
}

/// Ages move on the second, so that all of them move at once.
async fn next_second() {
    let into = steady_clock().rem_euclid(1_000);
    tokio::time::sleep(Duration::from_millis((1_005 - into).unsigned_abs())).await;
}

/// Snapshots as they come; old ones are dropped, not queued.
pub type Snapshots = watch::Receiver<Option<Arc<Snapshot>>>;
