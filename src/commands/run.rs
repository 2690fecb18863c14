//! Chooses a mode and runs it. Answers the process's exit code.

use std::io::Write as _;
use std::mem::ManuallyDrop;
use std::time::Duration;

use anyhow::Context as _;
use clap::{CommandFactory as _, Parser as _};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::action::executor::Purpose;
use crate::answers::{self, Question};
use crate::app::first::{Chosen, First};
use crate::app::hints::Hints;
use crate::app::shape::Shapes;
use crate::app::{App, Calls, Options};
use crate::clock::{local_offset, steady_clock};
use crate::columns::document;
use crate::commands::ask::Ask;
use crate::commands::cli::{
    ActArgs, Cli, Command, DemoArgs, Format, Global, ScreenArgs, ServeArgs, SnapshotArgs, SnapshotView,
};
use crate::commands::flags::SystemFlags;
use crate::commands::load::{LoadedConfig, named};
use crate::commands::recording_args::RecordingArgs;
use crate::commands::{act, answer, check, doctor, json, observe, recorded, table, version};
use crate::config::locate::HostEnv;
use crate::config::{ConfigError, Layers};
use crate::demo::{Demo, STALE, Simulated, scaled};
use crate::mesh::derive::Snapshot;
use crate::mesh::derive::scope::Only;
use crate::model::time::millis;
use crate::runtime::OpenMesh;
use crate::runtime::reload::{ConfigWatch, Reloaded};
use crate::serve::watch::Watch;
use crate::serve::watch::changes::Filter;
use crate::serve::{Service, Token};
use crate::settings::themes::AUTO;
use crate::settings::{Settings, shapes};
use crate::systems;

/// Exit codes of everything but `check`.
pub mod exit {
    pub const DONE: u8 = 0;
    pub const FAILED: u8 = 1;
    pub const USAGE: u8 = 2;
    /// Of `check` alone.
    pub const UNKNOWN: u8 = 3;
}

/// Parses the command line and does what it says.
pub fn main() -> u8 {
    crate::panic_guard::install();
    if version::is_long_asked_for() {
        return print(&version::long()).unwrap_or(exit::FAILED);
    }
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            if error.use_stderr() && check::is_asked_for() {
                return unknown(error.to_string().lines().next().unwrap_or_default());
            }
            let _ = error.print();
            return if error.use_stderr() { exit::USAGE } else { exit::DONE };
        }
    };
    let in_json = cli.command.as_ref().is_some_and(|command| command.format() == Format::Json);
    match dispatch(cli) {
        Ok(code) => code,
        Err(error) => {
            if in_json {
                let code = if error.is::<ConfigError>() { "configuration" } else { "failed" };
                let _ = print(&json::text(&document::error(code, &format!("{error:#}"))));
            }
            // Each line by itself: the lines are ours, what stands in them may not be.
            let text = format!("{error:#}");
            let text: Vec<_> = text.lines().map(crate::model::text::scrub).collect();
            eprintln!("lockkeeper: {}", text.join("\n"));
            if error.is::<ConfigError>() { exit::USAGE } else { exit::FAILED }
        }
    }
}

/// A plugin's failure, said where a monitor reads.
fn unknown(why: &str) -> u8 {
    let why = why.replace(['\n', '|'], " ");
    let _ = print(&format!("LOCKKEEPER UNKNOWN - {}\n", crate::model::text::scrub(why.trim_start_matches("error: "))));
    exit::UNKNOWN
}

/// Says what travels unencrypted, and opens the log: before anything is sent.
pub(super) fn begin(loaded: &LoadedConfig) -> anyhow::Result<()> {
    for warning in loaded.open.iter().flat_map(Settings::warnings) {
        eprintln!("lockkeeper: {warning}");
    }
    start_log(loaded.first())
}

fn dispatch(cli: Cli) -> anyhow::Result<u8> {
    match cli.command {
        Some(Command::Completions { shell }) => {
            let mut out = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "lockkeeper", &mut out);
            print(&String::from_utf8_lossy(&out))
        }
        Some(Command::Man { dir: Some(dir) }) => {
            clap_mangen::generate_to(Cli::command(), &dir)
                .with_context(|| format!("cannot write to {}", dir.display()))?;
            Ok(0)
        }
        Some(Command::Man { dir: None }) => {
            let mut out = Vec::new();
            clap_mangen::Man::new(Cli::command()).render(&mut out)?;
            print(&String::from_utf8_lossy(&out))
        }
        Some(Command::Config) => {
            let loaded = LoadedConfig::load(&cli.global)?;
            print(&crate::settings::show::show(&loaded.layers, loaded.only()?))
        }
        Some(Command::Snapshot(arguments)) => snapshot(&cli.global, &arguments),
        Some(Command::Who { key, format }) => ask(&cli.global, Question::Who(&key), format),
        Some(Command::Stuck { format }) => ask(&cli.global, Question::Stuck, format),
        Some(Command::Why { name, format }) => ask(&cli.global, Question::Why(&name), format),
        Some(Command::Serve(arguments)) => serve(&cli.global, &arguments),
        Some(Command::Watch(arguments)) => {
            let loaded = LoadedConfig::load_places(&cli.global)?;
            begin(&loaded)?;
            let log = arguments.log.unwrap_or_else(|| loaded.first().journal.with_file_name("watch.jsonl"));
            let (since, filter) = (arguments.since, Filter::new(arguments.filter));
            wait_for(crate::serve::watch::run(Watch { log, since, filter }, loaded.open))?;
            Ok(exit::DONE)
        }
        Some(Command::Mcp { stdio: false }) => print(&crate::serve::mcp::registration("lockkeeper")),
        Some(Command::Mcp { stdio: true }) => {
            let loaded = LoadedConfig::load_places(&cli.global)?;
            begin(&loaded)?;
            wait_for(crate::serve::run_stdio(loaded.open))?;
            Ok(exit::DONE)
        }
        Some(Command::Release { key, fence, mode, notify_holder, notify_next, act }) => {
            perform(&cli.global, &Ask::Release { key, fence, mode, notify_holder, notify_next }, &act)
        }
        Some(Command::Reroute { message, to, act }) => perform(&cli.global, &Ask::Reroute { message, to }, &act),
        Some(Command::Evacuate { node, act }) => perform(&cli.global, &Ask::Evacuate { node }, &act),
        Some(Command::Drain { node, span, act }) => {
            perform(&cli.global, &Ask::Drain { node, on: true, for_ms: span.map(millis) }, &act)
        }
        Some(Command::Undrain { node, act }) => {
            perform(&cli.global, &Ask::Drain { node, on: false, for_ms: None }, &act)
        }
        Some(Command::Stop { agent, run, how, act }) => perform(&cli.global, &Ask::Stop { agent, run, how }, &act),
        Some(Command::Cancel { task, act }) => perform(&cli.global, &Ask::Cancel { task }, &act),
        Some(Command::Retire { agent, generation, act }) => {
            perform(&cli.global, &Ask::Retire { agent, generation, again: false }, &act)
        }
        Some(Command::Respawn { agent, generation, act }) => {
            perform(&cli.global, &Ask::Retire { agent, generation, again: true }, &act)
        }
        Some(Command::Pause { group, act }) => perform(&cli.global, &Ask::Pause { group, on: true }, &act),
        Some(Command::Member { member, change, act }) => perform(&cli.global, &Ask::Member { member, change }, &act),
        Some(Command::Open { barrier, revision, act }) => perform(&cli.global, &Ask::Open { barrier, revision }, &act),
        Some(Command::EndLease { key, fence, act }) => perform(&cli.global, &Ask::EndLease { key, fence }, &act),
        Some(Command::Resume { group, act }) => perform(&cli.global, &Ask::Pause { group, on: false }, &act),
        Some(Command::Quarantine { node, act }) => perform(&cli.global, &Ask::Quarantine { node, on: true }, &act),
        Some(Command::Unquarantine { node, act }) => perform(&cli.global, &Ask::Quarantine { node, on: false }, &act),
        Some(Command::Check { of }) => Ok(run_check(&cli.global, &of)),
        Some(Command::Findings { of, format }) => {
            snapshot(&cli.global, &SnapshotArgs { of, format, view: Some(SnapshotView::Findings) })
        }
        Some(Command::Record(arguments)) => recorded::record(&cli.global, arguments),
        Some(Command::Replay(arguments)) => recorded::replay(&cli.global, &arguments),
        Some(Command::Doctor { bundle }) => doctor::run(&cli.global, bundle.as_deref()),
        Some(Command::Themes) => {
            let loaded = LoadedConfig::load(&cli.global)?;
            print(&crate::runtime::themes::preview(&loaded.themes, loaded.first().color))
        }
        Some(Command::Keys) => {
            let loaded = LoadedConfig::load(&cli.global)?;
            print(&crate::app::keymap::listing(&loaded.keymap, &loaded.own))
        }
        Some(Command::Demo(arguments)) => demo(&cli.global, &arguments),
        None => dashboard(&cli.global, cli.screen),
    }
}

/// The dashboard on the configured mesh.
fn dashboard(global: &Global, kind: ScreenArgs) -> anyhow::Result<u8> {
    let loaded = LoadedConfig::load(global)?;
    let is_first = loaded.meshes.is_empty() && loaded.without_places().is_some();
    if is_first && !kind.plain && !kind.wall && need_terminal(kind).is_ok() {
        return first_screen(global, kind, &loaded);
    }
    let loaded = LoadedConfig::load_places(global)?;
    need_terminal(kind)?;
    watch(global, kind, loaded)
}

/// Nothing is configured and nothing was found: a screen that says so, and leads on.
fn first_screen(global: &Global, kind: ScreenArgs, loaded: &LoadedConfig) -> anyhow::Result<u8> {
    let settings = loaded.first();
    let looked_at = settings.looked_at.iter().map(|path| path.display().to_string()).collect();
    let config = loaded.files.first().map(|path| path.display().to_string()).unwrap_or_default();
    let theme = if settings.theme == AUTO { guess_theme() } else { &settings.theme };
    let mut first = First::new(looked_at, config, SystemFlags::places());
    loop {
        match wait_for(crate::runtime::first::run(&mut first, theme, settings))? {
            Chosen::Quit => return Ok(exit::DONE),
            Chosen::Demo => return demo(global, &DemoArgs { screen: kind, ..DemoArgs::usual() }),
            Chosen::Connect { flag, value } => {
                let named = Global { systems: global.systems.clone().with(flag, value), ..global.clone() };
                match LoadedConfig::load_places(&named) {
                    Ok(loaded) => return watch(&named, kind, loaded),
                    Err(error) => first.error = Some(error.to_string()),
                }
            }
        }
    }
}

fn watch(global: &Global, kind: ScreenArgs, loaded: LoadedConfig) -> anyhow::Result<u8> {
    let options = options(&loaded, kind);
    let again = global.clone();
    let open_mesh = Box::new(move |name: &str| {
        let loaded = LoadedConfig::load_from(&again, Some(name), &HostEnv::of_process())?;
        Ok(loaded.open)
    });
    begin(&loaded)?;
    let again = global.clone();
    let load = Box::new(move |asked: Option<&str>| {
        let named = Global { mesh: asked.map(str::to_owned).or(again.mesh.clone()), ..again.clone() };
        let loaded = LoadedConfig::load_places(&named)?;
        Ok(Reloaded { options: self::options(&loaded, kind), meshes: Some(loaded.open) })
    });
    let watch = ConfigWatch::new(loaded.files, load, options.clone(), &loaded.open);
    wait_for(present(kind, options, loaded.open, open_mesh, watch))?;
    Ok(exit::DONE)
}

/// The dashboard, or only the meshes, of the demo.
fn demo(global: &Global, arguments: &DemoArgs) -> anyhow::Result<u8> {
    let chosen = systems::demos().enumerate();
    let chosen = chosen.filter(|(at, demo)| *at == 0 || arguments.with.iter().any(|name| name == demo.name()));
    let simulations: Vec<_> = chosen.map(|(_, demo)| demo).collect();
    let wanted = arguments.wanted();
    if let Some(folder) = &arguments.serve {
        let layers = Layers::new(systems::table());
        wait_for(crate::demo::serve::serve(folder, &wanted, &layers, &simulations))?;
        return Ok(exit::DONE);
    }
    need_terminal(arguments.screen)?;
    let mut loaded = LoadedConfig::load(global)?;
    start_log(loaded.first())?;
    wait_for(async {
        let folder = tempfile::Builder::new().prefix("lockkeeper-demo-").tempdir()?;
        let demo = Demo::start(folder.path(), &wanted, &loaded.layers, &simulations).await?;
        let mut settings = loaded.first().clone();
        settings.journal = folder.path().join("journal.jsonl");
        settings.events = folder.path().join("events.jsonl");
        settings.recordings = folder.path().join("recordings");
        let stale_ms = scaled(STALE, wanted.speed);
        settings.thresholds.stale_ms = stale_ms;
        settings.thresholds.stuck_ms = stale_ms;
        settings.thresholds.expiring_ms = scaled(settings.thresholds.expiring_ms, wanted.speed).max(1_000);
        let of_mesh = |mesh: &Simulated| Settings {
            mesh: mesh.mesh.to_owned(),
            places: vec![mesh.places.clone()],
            ..settings.clone()
        };
        loaded.open = demo.meshes.iter().map(of_mesh).collect();
        let all = loaded.open.clone();
        loaded.meshes = all.iter().map(|settings| settings.mesh.clone()).collect();
        let mut options = options(&loaded, arguments.screen);
        options.banner = Some(format!("(simulated, {}x)", arguments.speed));
        let open_mesh = Box::new(move |written: &str| {
            let names: Vec<String> = all.iter().map(|settings| settings.mesh.clone()).collect();
            let named = named(written, &names)?;
            Ok(all.iter().filter(|settings| named.contains(&settings.mesh)).cloned().collect())
        });
        let (again, screen, shown) = (global.clone(), arguments.screen, options.clone());
        let load = Box::new(move |_: Option<&str>| {
            let of_file = self::options(&LoadedConfig::load(&again)?, screen);
            // The simulated meshes stay.
            let options = Options { open: shown.open.clone(), meshes: shown.meshes.clone(), ..of_file };
            Ok(Reloaded { options, meshes: None })
        });
        let watch = ConfigWatch::new(loaded.files, load, options.clone(), &loaded.open);
        let outcome = present(arguments.screen, options, loaded.open, open_mesh, watch).await;
        demo.stop().await;
        outcome
    })?;
    Ok(exit::DONE)
}

/// Shows meshes until they are left, as a screen or in lines.
async fn present(
    kind: ScreenArgs,
    options: Options,
    meshes: Vec<Settings>,
    open_mesh: OpenMesh,
    configuration: ConfigWatch,
) -> anyhow::Result<()> {
    if kind.plain {
        crate::runtime::plain::run(options, meshes).await
    } else {
        let mut app = App::new(options, steady_clock());
        let kept = meshes.first().map_or_else(|| Ok(Shapes::default()), |mesh| shapes::read(&mesh.views_file()));
        match kept {
            Ok(shapes) => app.shapes = shapes,
            Err(why) => app.notice(why),
        }
        // The demo alone has a banner, and somebody who has not seen it yet is led through it.
        let is_new = meshes.first().is_some_and(|mesh| !mesh.hints_seen.exists());
        app.hints = (app.options.banner.is_some() && !app.on_wall() && is_new).then(Hints::default);
        crate::runtime::run(app, meshes, open_mesh, configuration, kind.purpose()).await
    }
}

/// Lines go anywhere; a screen needs one.
pub(super) fn need_terminal(kind: ScreenArgs) -> anyhow::Result<()> {
    use std::io::IsTerminal as _;
    anyhow::ensure!(
        kind.plain || std::io::stdout().is_terminal() && std::io::stdin().is_terminal(),
        "the dashboard needs a terminal; without one use `lockkeeper snapshot` or `lockkeeper check`"
    );
    Ok(())
}

pub(super) fn options(loaded: &LoadedConfig, kind: ScreenArgs) -> Options {
    let settings = loaded.first();
    let mut open = crate::runtime::mesh_configs(&loaded.open);
    // Nobody sits there: nothing is done from there.
    for mesh in &mut open {
        mesh.policy.read_only |= kind.purpose() == Purpose::Watch;
    }
    Options {
        theme: if settings.theme == AUTO { guess_theme().into() } else { settings.theme.clone() },
        themes: loaded.themes.themes.clone(),
        columns: settings.columns.clone(),
        own: loaded.own.clone().into(),
        interval: settings.interval,
        mouse: settings.mouse && !kind.wall,
        repo: settings.repo.clone(),
        open,
        meshes: loaded.meshes.clone(),
        calls: Calls {
            bell: settings.alarms.bell,
            notify: settings.alarms.notify.filter(|_| has_windows()),
            title: settings.alarms.title && has_windows(),
            known_for: settings.alarms.known_for,
        },
        wall: kind.wall.then(|| settings.wall.clone()),
        replay: false,
        frames: settings.frames,
        local_clock: settings.local_clock,
        local: local_offset,
        keymap: loaded.keymap.clone(),
        banner: None,
    }
}

/// Whether the terminal may have a window with a title: others would show the sequence as text.
fn has_windows() -> bool {
    !matches!(std::env::var("TERM").as_deref(), Ok("dumb" | "linux" | "vt100" | "vt220") | Err(_))
}

/// Some terminals name their colours as `foreground;background`. Without a word dark is the safer guess.
fn guess_theme() -> &'static str {
    let background = std::env::var("COLORFGBG").ok().and_then(|colors| colors.rsplit(';').next()?.parse::<u8>().ok());
    if matches!(background, Some(7 | 15)) { "light" } else { "dark" }
}

/// The program's own log goes to a file, or nowhere: the screen is taken.
pub(super) fn start_log(settings: &Settings) -> anyhow::Result<()> {
    let Some(path) = &settings.log_file else { return Ok(()) };
    let mut options = std::fs::File::options();
    options.create(true).append(true);
    let file = crate::os::file::private(&mut options)
        .open(path)
        .with_context(|| format!("cannot write the log {}", path.display()))?;
    // Only what this program says: libraries may name what they send.
    let only_ours = Targets::new().with_target("lockkeeper", tracing::Level::DEBUG);
    let lines = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(std::sync::Mutex::new(file));
    tracing_subscriber::registry().with(lines).with(only_ours).init();
    Ok(())
}

fn snapshot(global: &Global, arguments: &SnapshotArgs) -> anyhow::Result<u8> {
    let snapshots = observed(global, &arguments.of)?;
    let text = match arguments.format {
        Format::Json => json::snapshots(&snapshots, arguments.view),
        Format::Table => {
            let each: Vec<String> =
                snapshots.iter().map(|snapshot| table::snapshot(snapshot, arguments.view)).collect();
            each.join("\n")
        }
    };
    print(&text)?;
    let mut all = exit::DONE;
    for snapshot in snapshots.iter() {
        if let Some(unknown) = snapshot.only.as_ref().and_then(Only::unknown) {
            eprintln!("lockkeeper: {unknown}");
        }
        if snapshot.mesh.sources.iter().any(|s| s.health.last_ok_ms.is_some()) {
            continue;
        }
        all = exit::FAILED;
        for source in &snapshot.mesh.sources {
            if let Some(trouble) = &source.health.trouble {
                let mesh = if snapshots.len() > 1 { format!("{}: ", snapshot.mesh.name) } else { String::new() };
                eprintln!("lockkeeper: {mesh}{}: {}", source.identity.name, trouble.fault);
            }
        }
    }
    Ok(all)
}

/// What is known now, or was at an instant of a recording.
fn observed(global: &Global, of: &RecordingArgs) -> anyhow::Result<ManuallyDrop<Vec<Snapshot>>> {
    if let Some(path) = &of.recording {
        return Ok(ManuallyDrop::new(vec![recorded::snapshot(global, path, of.at.as_deref())?]));
    }
    let loaded = LoadedConfig::load_places(global)?;
    begin(&loaded)?;
    wait_for(observe::observe_all(&loaded.open))
}

/// The service for machines.
fn serve(global: &Global, arguments: &ServeArgs) -> anyhow::Result<u8> {
    let loaded = LoadedConfig::load_places(global)?;
    let token = arguments.auth_file.as_deref().map(Token::read).transpose();
    let token = token.map_err(|what| ConfigError::new("--auth-file", what, "correct the file"))?;
    if token.is_none() && !arguments.listen.ip().is_loopback() {
        let what = format!("{} can be reached from other machines", arguments.listen);
        let todo = "name a file with a token by --auth-file, or listen on 127.0.0.1";
        return Err(ConfigError::new("--listen", what, todo).into());
    }
    begin(&loaded)?;
    let service = Service { listen: arguments.listen, token, node_series: arguments.node_series };
    wait_for(crate::serve::run(service, loaded.open))?;
    Ok(exit::DONE)
}

/// A question about the meshes.
fn ask(global: &Global, question: Question<'_>, format: Format) -> anyhow::Result<u8> {
    let loaded = LoadedConfig::load_places(global)?;
    begin(&loaded)?;
    let answer = answers::answer(question, wait_for(observe::observe_all(&loaded.open))?.iter());
    print(&answer::print(&answer, format))?;
    Ok(answer::code(question, &answer))
}

/// An action from the command line.
fn perform(global: &Global, ask: &Ask, arguments: &ActArgs) -> anyhow::Result<u8> {
    let loaded = LoadedConfig::load_places(global)?;
    let settings = loaded.only()?;
    begin(&loaded)?;
    let end = wait_for(act::act(settings, ask, arguments))?;
    if let Some((code, why)) = end.why() {
        if arguments.format == Format::Json {
            print(&json::text(&document::error(code, why)))?;
        }
        eprintln!("lockkeeper: {}", crate::model::text::scrub(why));
    }
    Ok(end.code())
}

/// A plugin's every failure is UNKNOWN, said on standard output.
fn run_check(global: &Global, of: &RecordingArgs) -> u8 {
    let answer = observed(global, of).map(|snapshots| check::check_all(&snapshots));
    match answer {
        Ok(answer) => {
            let _ = print(&format!("{}\n", answer.line));
            answer.code
        }
        Err(error) => unknown(&format!("{error:#}")),
    }
}

pub(super) fn print(text: &str) -> anyhow::Result<u8> {
    // A reader that went away (`| head`) is no failure.
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => Err(e).context("cannot write to standard output"),
        _ => Ok(exit::DONE),
    }
}

/// Runs something to its end. What still copies a file then is not waited for: the next start cleans up.
pub(super) fn wait_for<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("lockkeeper")
        .enable_all()
        .build()
        .context("cannot start")?;
    let outcome = runtime.block_on(work);
    runtime.shutdown_timeout(Duration::from_millis(200));
    outcome
}
