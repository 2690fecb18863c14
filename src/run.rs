//! Chooses a mode and runs it. Answers the process's exit code.

use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use clap::{CommandFactory as _, Parser as _};

use crate::app::keymap::Keymap;
use crate::app::{App, Calls, Options, Theme};
use crate::cli::{ActArgs, Cli, Command, DemoArgs, Format, Global, ScreenArgs, SnapshotArgs};
use crate::clock::{local_offset, wall_clock};
use crate::config::file::File;
use crate::config::locate::Surroundings;
use crate::config::settings::{Control, Database};
use crate::config::{ConfigError, Layers, Settings, environment};
use crate::data::harn::places::Project;
use crate::demo::Demo;
use crate::oneshot::act::{Ask, End};
use crate::oneshot::{act, check, json, observe, table};
use crate::runtime::OpenMesh;
use crate::time::millis;

/// Exit codes of everything but `check`.
pub mod exit {
    pub const DONE: u8 = 0;
    pub const FAILED: u8 = 1;
    pub const USAGE: u8 = 2;
}

/// Parses the command line and does what it says.
pub fn main() -> u8 {
    crate::quiet::install();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            return if error.use_stderr() { exit::USAGE } else { exit::DONE };
        }
    };
    match dispatch(cli) {
        Ok(code) => code,
        Err(error) => {
            // Each line by itself: the lines are ours, what stands in them may not be.
            let said = format!("{error:#}");
            let said: Vec<_> = said.lines().map(crate::text::scrub).collect();
            eprintln!("lockkeeper: {}", said.join("\n"));
            if error.is::<ConfigError>() { exit::USAGE } else { exit::FAILED }
        }
    }
}

fn dispatch(cli: Cli) -> anyhow::Result<u8> {
    match cli.command {
        Some(Command::Completions { shell }) => {
            let mut out = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "lockkeeper", &mut out);
            print(&String::from_utf8_lossy(&out))
        }
        Some(Command::Man) => {
            let mut out = Vec::new();
            clap_mangen::Man::new(Cli::command()).render(&mut out)?;
            print(&String::from_utf8_lossy(&out))
        }
        Some(Command::Config) => {
            let configured = Configured::load(&cli.global)?;
            print(&crate::config::show::show(&configured.layers, &configured.settings))
        }
        Some(Command::Snapshot(arguments)) => snapshot(&cli.global, &arguments),
        Some(Command::Release { key, fence, mode, tell_holder, tell_next, act }) => {
            perform(&cli.global, &Ask::Release { key, fence, mode, tell_holder, tell_next }, &act)
        }
        Some(Command::Reroute { message, to, act }) => perform(&cli.global, &Ask::Reroute { message, to }, &act),
        Some(Command::Evacuate { node, act }) => perform(&cli.global, &Ask::Evacuate { node }, &act),
        Some(Command::Drain { node, span, act }) => {
            perform(&cli.global, &Ask::Drain { node, on: true, for_ms: span.map(millis) }, &act)
        }
        Some(Command::Undrain { node, act }) => {
            perform(&cli.global, &Ask::Drain { node, on: false, for_ms: None }, &act)
        }
        Some(Command::Quarantine { node, act }) => perform(&cli.global, &Ask::Quarantine { node, on: true }, &act),
        Some(Command::Unquarantine { node, act }) => perform(&cli.global, &Ask::Quarantine { node, on: false }, &act),
        Some(Command::Check) => Ok(run_check(&cli.global)),
        Some(Command::Keys) => print(&crate::app::command::listing(&Configured::load(&cli.global)?.keymap)),
        Some(Command::Demo(arguments)) => demo(&cli.global, &arguments),
        None => dashboard(&cli.global, cli.screen),
    }
}

/// The dashboard on the configured mesh.
fn dashboard(global: &Global, kind: ScreenArgs) -> anyhow::Result<u8> {
    let configured = Configured::load_places(global)?;
    need_terminal(kind)?;
    let options = options(&configured, kind, global.mesh.clone().unwrap_or_else(|| configured.settings.mesh.clone()));
    let again = global.clone();
    let open_mesh = Box::new(move |name: &str| {
        let configured = Configured::load_from(&again, Some(name), &Surroundings::of_process())?;
        Ok(configured.settings)
    });
    start_log(&configured.settings)?;
    wait_for(present(kind, options, configured.settings, open_mesh))?;
    Ok(exit::DONE)
}

/// The dashboard, or only the mesh, of the demo.
fn demo(global: &Global, arguments: &DemoArgs) -> anyhow::Result<u8> {
    if let Some(folder) = &arguments.serve {
        wait_for(crate::demo::serve::serve(folder, arguments))?;
        return Ok(exit::DONE);
    }
    need_terminal(arguments.screen)?;
    let mut configured = Configured::load(global)?;
    start_log(&configured.settings)?;
    wait_for(async {
        let folder = tempfile::Builder::new().prefix("lockkeeper-demo-").tempdir()?;
        let demo = Demo::start(folder.path(), arguments).await?;
        let settings = &mut configured.settings;
        settings.databases = vec![if arguments.remote {
            Database::Remote { url: demo.hrana.clone(), token: None }
        } else {
            Database::File { path: demo.database.clone(), direct: true }
        }];
        settings.controls = vec![Control { base: demo.control.clone(), token: None }];
        settings.registry = None;
        settings.projects = demo.project.iter().map(|(tree, _)| Project::at(tree, None, None)).collect();
        settings.host_leases = demo.project.as_ref().map(|(_, leases)| leases.clone());
        settings.journal = folder.path().join("journal.jsonl");
        settings.events = folder.path().join("events.jsonl");
        let stale_ms = millis(demo.stale);
        settings.thresholds.stale_ms = stale_ms;
        settings.thresholds.stuck_ms = stale_ms;
        settings.thresholds.expiring_ms =
            crate::demo::world::scaled(settings.thresholds.expiring_ms, arguments.speed).max(1_000);
        let settings = settings.clone();
        let mut options = options(&configured, arguments.screen, "demo".into());
        options.meshes.clear();
        options.banner = Some(format!("(simulated, {}x)", arguments.speed));
        let open_mesh = Box::new(|_: &str| anyhow::bail!("the demo has one mesh"));
        let outcome = present(arguments.screen, options, settings, open_mesh).await;
        demo.stop().await;
        outcome
    })?;
    Ok(exit::DONE)
}

/// Shows a mesh until it is left, as a screen or in lines.
async fn present(kind: ScreenArgs, options: Options, settings: Settings, open_mesh: OpenMesh) -> anyhow::Result<()> {
    if kind.plain {
        crate::runtime::plain::run(options, settings).await
    } else {
        crate::runtime::run(App::new(options, wall_clock()), settings, open_mesh).await
    }
}

/// Lines go anywhere; a screen needs one.
fn need_terminal(kind: ScreenArgs) -> anyhow::Result<()> {
    use std::io::IsTerminal as _;
    anyhow::ensure!(
        kind.plain || std::io::stdout().is_terminal() && std::io::stdin().is_terminal(),
        "the dashboard needs a terminal; without one use `lockkeeper snapshot` or `lockkeeper check`"
    );
    Ok(())
}

fn options(configured: &Configured, kind: ScreenArgs, mesh: String) -> Options {
    let settings = &configured.settings;
    let mut policy = settings.policy();
    // Nobody sits there: nothing is done from there.
    policy.read_only |= kind.wall || kind.plain;
    Options {
        theme: settings.theme.parse().unwrap_or_else(|_| guess_theme()),
        interval: settings.interval,
        mouse: settings.mouse && !kind.wall,
        repo: settings.repo.clone(),
        mesh,
        meshes: configured.meshes.clone(),
        policy,
        calls: Calls {
            bell: settings.alarms.bell,
            notify: settings.alarms.notify.filter(|_| has_windows()),
            title: settings.alarms.title && has_windows(),
            known_for: settings.alarms.known_for,
        },
        wall: kind.wall.then(|| settings.wall.clone()),
        local_clock: settings.local_clock,
        local: local_offset,
        keymap: configured.keymap.clone(),
        banner: None,
    }
}

/// Whether the terminal may have a window with a title: others would show the sequence as text.
fn has_windows() -> bool {
    !matches!(std::env::var("TERM").as_deref(), Ok("dumb" | "linux" | "vt100" | "vt220") | Err(_))
}

/// Some terminals name their colours as `foreground;background`. Without a word dark is the safer guess.
fn guess_theme() -> Theme {
    let background = std::env::var("COLORFGBG").ok().and_then(|colors| colors.rsplit(';').next()?.parse::<u8>().ok());
    if matches!(background, Some(7 | 15)) { Theme::Light } else { Theme::Dark }
}

/// The program's own log goes to a file, or nowhere: the screen is taken.
fn start_log(settings: &Settings) -> anyhow::Result<()> {
    let Some(path) = &settings.log_file else { return Ok(()) };
    let mut options = std::fs::File::options();
    options.create(true).append(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    let file = options.open(path).with_context(|| format!("cannot write the log {}", path.display()))?;
    // Only what this program says: libraries may name what they send.
    let only_ours = tracing_subscriber::EnvFilter::new("off,lockkeeper=debug");
    tracing_subscriber::fmt()
        .with_env_filter(only_ours)
        .with_ansi(false)
        .with_writer(std::sync::Mutex::new(file))
        .init();
    Ok(())
}

/// The configuration in force.
pub struct Configured {
    pub layers: Layers,
    pub settings: Settings,
    /// Names of meshes in the file.
    pub meshes: Vec<String>,
    pub keymap: Keymap,
}

impl Configured {
    /// Lays defaults, file, environment and flags over one another.
    pub fn load(global: &Global) -> Result<Self, ConfigError> {
        let around = Surroundings::of_process();
        Self::load_from(global, global.mesh.as_deref(), &around)
    }

    /// The same, with the mesh named.
    pub fn load_from(global: &Global, mesh: Option<&str>, around: &Surroundings) -> Result<Self, ConfigError> {
        let named: Option<PathBuf> =
            global.config.clone().or_else(|| around.env.get("LOCKKEEPER_CONFIG").map(PathBuf::from));
        let file = match (named, around.config_file()) {
            (Some(path), _) => File::read(&path)?,
            (None, Some(path)) if path.is_file() => File::read(&path)?,
            _ => File::default(),
        };
        let mut layers = Layers::default();
        file.apply(&mut layers, None)?;
        let default_mesh = layers.text("use_mesh").map(str::to_owned);
        let asked_for = mesh.is_some();
        let mesh = mesh.map(str::to_owned).or_else(|| around.env.get("LOCKKEEPER_MESH").cloned()).or(default_mesh);
        if let Some(name) = mesh.as_ref().filter(|name| !file.meshes.contains(name)) {
            let known = if file.meshes.is_empty() { "no mesh".to_owned() } else { file.meshes.join(", ") };
            return Err(ConfigError {
                place: "--mesh".into(),
                what: format!("there is no mesh \"{name}\" in the configuration"),
                todo: format!("it has {known}; add [mesh.{name}], or name another"),
            });
        }
        if !asked_for {
            file.apply(&mut layers, mesh.as_deref().or(Some("")))?;
        }
        environment::apply(&mut layers, &around.env)?;
        if asked_for {
            // A mesh asked for by name is meant: the environment must not lead to another one.
            file.apply(&mut layers, mesh.as_deref())?;
        }
        global.apply(&mut layers)?;
        let settings = Settings::resolve(&layers, mesh.as_deref(), around)?;
        let keymap = Keymap::with(&layers.bindings())?;
        Ok(Self { layers, settings, meshes: file.meshes, keymap })
    }

    /// The same, where there must be something to watch.
    pub fn load_places(global: &Global) -> Result<Self, ConfigError> {
        let configured = Self::load(global)?;
        if configured.settings.has_places() {
            return Ok(configured);
        }
        let places: Vec<_> = configured.settings.looked_at.iter().map(|p| format!("\n  {}", p.display())).collect();
        Err(ConfigError {
            place: "nothing to watch".into(),
            what: format!(
                "no database, control plane or project is configured, and none of these exists:{}\n",
                places.concat()
            ),
            todo: "name one with --db, --control or --harn (or VOX_DB_PATH, VOX_DB_URL, VOX_MESH_CONTROL_ADDR), \
                   or see the product on a simulated mesh: lockkeeper demo"
                .into(),
        })
    }
}

fn snapshot(global: &Global, arguments: &SnapshotArgs) -> anyhow::Result<u8> {
    let settings = Configured::load_places(global)?.settings;
    let picture = wait_for(observe::observe(&settings))?;
    let text = match arguments.format {
        Format::Json => json::snapshot(&picture, arguments.view) + "\n",
        Format::Table => table::snapshot(&picture, arguments.view),
    };
    print(&text)?;
    let heard = picture.mesh.sources.iter().any(|s| s.health.last_ok_ms.is_some());
    if !heard {
        for source in &picture.mesh.sources {
            if let Some(trouble) = &source.health.trouble {
                eprintln!("lockkeeper: {}: {}", source.identity.name, trouble.fault);
            }
        }
    }
    Ok(if heard { exit::DONE } else { exit::FAILED })
}

/// An action from the command line.
fn perform(global: &Global, ask: &Ask, arguments: &ActArgs) -> anyhow::Result<u8> {
    let settings = Configured::load_places(global)?.settings;
    start_log(&settings)?;
    let end = wait_for(act::act(&settings, ask, arguments))?;
    if let End::Usage(why) | End::Refused(why) | End::ReadOnly(why) = &end {
        eprintln!("lockkeeper: {}", crate::text::scrub(why));
    }
    Ok(end.code())
}

/// A plugin's every failure is UNKNOWN, said on standard output.
fn run_check(global: &Global) -> u8 {
    let answer = Configured::load_places(global)
        .map_err(anyhow::Error::from)
        .and_then(|configured| wait_for(observe::observe(&configured.settings)))
        .map(|picture| check::check(&picture));
    let (line, code) = match answer {
        Ok(answer) => (answer.line, answer.code),
        Err(error) => {
            let said = format!("{error:#}").replace(['\n', '|'], " ");
            (format!("LOCKKEEPER UNKNOWN - {}", crate::text::scrub(&said)), 3)
        }
    };
    let _ = print(&format!("{line}\n"));
    code
}

fn print(text: &str) -> anyhow::Result<u8> {
    // A reader that went away (`| head`) is no failure.
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => Err(e).context("cannot write to standard output"),
        _ => Ok(exit::DONE),
    }
}

/// Runs something to its end. What still copies a file then is not waited for: the next start cleans up.
fn wait_for<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
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
