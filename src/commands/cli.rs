//! The command line: one definition for parsing, help, completions and the man page.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::action::executor::Purpose;
use crate::action::plan::Interrupt;
use crate::commands::ask::Seen;
use crate::commands::flags::SystemFlags;
use crate::commands::recording_args::{RecordArgs, RecordingArgs, ReplayArgs};
use crate::config::{ConfigError, Layers, Origin};
use crate::demo::{Simulation, Wanted};
use crate::model::action::{MemberChange, Mode};

/// The operator's terminal for a mesh of coding agents.
///
/// Without a command it opens the dashboard on the configured mesh.
#[derive(Debug, Parser)]
#[command(
    name = "lockkeeper",
    version,
    about,
    disable_help_subcommand = true,
    after_help = "`lockkeeper --version --verbose` tells the commit and the libraries."
)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(flatten)]
    pub screen: ScreenArgs,
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// Flags that every command takes.
#[derive(Debug, Clone, Args, Default)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    #[command(flatten)]
    pub systems: SystemFlags,
    /// Mesh of the configuration file to open; several separated by commas, or all
    #[arg(long, global = true, value_name = "NAME")]
    pub mesh: Option<String>,
    /// Show this repository only
    #[arg(long, global = true, value_name = "ID")]
    pub repo: Option<String>,
    /// Time between the starts of two polls, e.g. 1s or 500ms
    #[arg(long, global = true, value_name = "SPAN")]
    pub interval: Option<String>,
    /// Offer and run no write action
    #[arg(long, global = true)]
    pub read_only: bool,
    /// Configuration file, instead of the default
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Colours: auto, or a theme that `lockkeeper themes` shows
    #[arg(long, global = true, value_name = "NAME")]
    pub theme: Option<String>,
    /// Write the program's own log to this file
    #[arg(long, global = true, value_name = "FILE")]
    pub log_file: Option<String>,
    /// Operator name in the journal
    #[arg(long, global = true, value_name = "NAME")]
    pub operator: Option<String>,
    /// No colours (NO_COLOR does the same)
    #[arg(long, global = true)]
    pub no_color: bool,
}

impl Global {
    /// Lays the flags over what is there.
    pub fn apply(&self, layers: &mut Layers) -> Result<(), ConfigError> {
        self.systems.apply(layers)?;
        let mut set = |key: &str, flag: &'static str, texts: Vec<String>| {
            if texts.is_empty() { Ok(()) } else { layers.set(key, texts, Origin::Flag(flag)) }
        };
        let one = |text: &Option<String>| text.iter().cloned().collect::<Vec<_>>();
        set("repo", "--repo", one(&self.repo))?;
        set("interval", "--interval", one(&self.interval))?;
        set("theme", "--theme", one(&self.theme))?;
        set("log_file", "--log-file", one(&self.log_file))?;
        set("operator", "--operator", one(&self.operator))?;
        set("read_only", "--read-only", self.read_only.then(|| "true".to_owned()).into_iter().collect())?;
        set("color", "--no-color", self.no_color.then(|| "false".to_owned()).into_iter().collect())
    }
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Open the dashboard on a simulated mesh: nothing to install or configure
    Demo(DemoArgs),
    /// Poll once and print the state
    Snapshot(SnapshotArgs),
    /// Poll once and exit as a monitoring plugin: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN
    Check {
        #[command(flatten)]
        of: RecordingArgs,
    },
    /// Ask who holds a lock and who waits: exits 0 held, 1 free, 3 not all seen
    Who {
        /// Key of the lock, in any spelling
        key: String,
        /// Output format
        #[arg(long, value_enum, default_value_t = Format::Table)]
        format: Format,
    },
    /// List what does not move: exits 0 nothing, 1 something, 3 not all seen
    Stuck {
        /// Output format
        #[arg(long, value_enum, default_value_t = Format::Table)]
        format: Format,
    },
    /// Tell what a node, agent or task waits for, and what waits for it: exits 0 known, 1 not known, 3 not all seen
    Why {
        /// Name of a node, an agent or a task
        name: String,
        /// Output format
        #[arg(long, value_enum, default_value_t = Format::Table)]
        format: Format,
    },
    /// List findings, worst first; of a recording with --recording
    Findings {
        #[command(flatten)]
        of: RecordingArgs,
        /// Output format
        #[arg(long, value_enum, default_value_t = Format::Table)]
        format: Format,
    },
    /// Record what is observed in a file, until it is ended; cut, check or export a recording
    Record(RecordArgs),
    /// Open a recording as a mesh, to go through it
    Replay(ReplayArgs),
    /// Serve metrics, snapshots, answers and events over HTTP, without a screen
    Serve(ServeArgs),
    /// Print each change of a finding, lock, node, task or action as a line of JSON
    Watch(WatchArgs),
    /// Answer agents over the Model Context Protocol; without --stdio, print how to register it
    Mcp {
        /// Speak the protocol on standard input and output
        #[arg(long)]
        stdio: bool,
    },
    /// Force-release a lock if its fence token is unchanged
    Release {
        /// The lock's key, e.g. file:src/lib.rs
        key: String,
        /// The fence token you saw, or the token of a lock directory (`none` where the lock has neither)
        #[arg(long, value_name = "N", value_parser = fence, allow_hyphen_values = true)]
        fence: Seen,
        /// fence-off, expire or delete; by default chosen from the state of the holder and the clients
        #[arg(long, value_name = "MODE")]
        mode: Option<Mode>,
        /// Send a cancel_request to the holder's agent
        #[arg(long)]
        notify_holder: bool,
        /// Send a message to the next agent in the queue
        #[arg(long)]
        notify_next: bool,
        #[command(flatten)]
        act: ActArgs,
    },
    /// Move a message and its task to another agent
    Reroute {
        /// The message's id, or SOURCE/ID where several sources have it
        message: String,
        /// Receiving agent
        #[arg(long, value_name = "AGENT")]
        to: String,
        #[command(flatten)]
        act: ActArgs,
    },
    /// Free everything that a dead node holds
    Evacuate {
        node: String,
        #[command(flatten)]
        act: ActArgs,
    },
    /// Stop a node from taking new work
    Drain {
        node: String,
        /// End automatically after this time, e.g. 30m
        #[arg(long = "for", value_name = "SPAN", value_parser = humantime::parse_duration)]
        span: Option<std::time::Duration>,
        #[command(flatten)]
        act: ActArgs,
    },
    /// Undo a drain
    Undrain {
        node: String,
        #[command(flatten)]
        act: ActArgs,
    },
    /// Exclude a node from the mesh
    Quarantine {
        node: String,
        #[command(flatten)]
        act: ActArgs,
    },
    /// Undo a quarantine
    Unquarantine {
        node: String,
        #[command(flatten)]
        act: ActArgs,
    },
    /// End the run that an agent is at
    Stop {
        /// The agent's name, e.g. atlas/worker-1
        agent: String,
        /// The run that you saw; by default the one it is at now, which is asked for
        #[arg(long, value_name = "ID")]
        run: Option<String>,
        /// stop-run, force-cancel or all-work: the last two name no run and are accepted even without effect
        #[arg(long, value_name = "HOW", default_value_t = Interrupt::StopRun)]
        how: Interrupt,
        #[command(flatten)]
        act: ActArgs,
    },
    /// Cancel a task that its system can cancel, e.g. the run of a flow
    Cancel {
        /// The task's name, or the id that its system cancels it by
        task: String,
        #[command(flatten)]
        act: ActArgs,
    },
    /// End an agent for good if its generation is unchanged
    Retire {
        agent: String,
        /// The generation you saw
        #[arg(long, value_name = "N")]
        generation: i64,
        #[command(flatten)]
        act: ActArgs,
    },
    /// End an agent and start it again if its generation is unchanged
    Respawn {
        agent: String,
        /// The generation you saw
        #[arg(long, value_name = "N")]
        generation: i64,
        #[command(flatten)]
        act: ActArgs,
    },
    /// Stop a group of agents, e.g. a mob
    Pause {
        group: String,
        #[command(flatten)]
        act: ActArgs,
    },
    /// Let a group of agents go on
    Resume {
        group: String,
        #[command(flatten)]
        act: ActArgs,
    },
    /// Change a member of a consensus group: lead, promote, remove, clear-alarm, defragment
    Member {
        member: String,
        change: MemberChange,
        #[command(flatten)]
        act: ActArgs,
    },
    /// Open a barrier that is one key, if it is unchanged since you saw it
    Open {
        barrier: String,
        /// The create revision you saw
        #[arg(long, value_name = "N")]
        revision: i64,
        #[command(flatten)]
        act: ActArgs,
    },
    /// End the lease that a lock's key belongs to, and all of its keys
    EndLease {
        key: String,
        /// The fence token you saw
        #[arg(long, value_name = "N", value_parser = fence)]
        fence: Seen,
        #[command(flatten)]
        act: ActArgs,
    },
    /// Check what this program needs here, and say what to do: exits 0 all well, 1 something is wrong
    Doctor {
        /// Write what was found, without names and addresses, to a file for whoever is asked for help
        #[arg(long, value_name = "FILE")]
        bundle: Option<PathBuf>,
    },
    /// Print all keys and commands
    Keys,
    /// Show all themes in their colours
    Themes,
    /// Print the effective configuration and the origin of each value
    Config,
    /// Print shell completions
    Completions {
        #[arg(value_enum)]
        shell: clap_complete::Shell,
    },
    /// Print the man page, or write one for each command
    Man {
        /// Folder to write the pages to
        #[arg(long, value_name = "DIR")]
        dir: Option<PathBuf>,
    },
}

/// Options of every action.
#[derive(Debug, Clone, Args)]
pub struct ActArgs {
    /// Reason, for the journal and the op-log
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub reason: String,
    /// Print the plan and change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Run without confirmation
    #[arg(long)]
    pub yes: bool,
    /// Output format
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
}

/// Any text that is told with a lock: its number, its token, or that it has neither. Pasted, it may stand in blanks.
fn fence(text: &str) -> Result<Seen, String> {
    match text.trim() {
        "" => Err("it is empty: write the number, the token, or none".into()),
        "none" => Ok(Seen::Nothing),
        value => Ok(Seen::Value(value.to_owned())),
    }
}

/// What kind of screen it is.
#[derive(Debug, Clone, Copy, Args, Default)]
pub struct ScreenArgs {
    /// Wall display: read-only, large, rotates through views, shows a problem until it is over
    #[arg(long)]
    pub wall: bool,
    /// Print one line per event instead of a UI: for screen readers, pipes and logs
    #[arg(long, conflicts_with = "wall")]
    pub plain: bool,
}

impl ScreenArgs {
    /// Nobody sits at a wall or behind lines: nothing is done from there.
    #[must_use]
    pub fn purpose(self) -> Purpose {
        if self.wall || self.plain { Purpose::Watch } else { Purpose::Act }
    }
}

/// Options of the demo.
#[derive(Debug, Clone, Args)]
pub struct DemoArgs {
    #[command(flatten)]
    pub screen: ScreenArgs,
    /// Seed of the simulation
    #[arg(long, default_value_t = 7)]
    pub seed: u64,
    /// Speed of simulated time
    #[arg(long, default_value_t = 8.0, value_parser = speed)]
    pub speed: f64,
    /// Simulated nodes
    #[arg(long, default_value_t = 12, value_parser = clap::value_parser!(u32).range(4..=20_000))]
    pub nodes: u32,
    /// Locks held in steady state
    #[arg(long, default_value_t = 40, value_parser = clap::value_parser!(u32).range(4..=200_000))]
    pub locks: u32,
    /// Messages waiting at the start
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(0..=2_000_000))]
    pub messages: u32,
    /// Run the mesh in DIR without a UI and print how to connect
    #[arg(long, value_name = "DIR")]
    pub serve: Option<PathBuf>,
    /// Watch the mesh through its Hrana server instead of its file
    #[arg(long, conflicts_with = "serve")]
    pub remote: bool,
    /// Other systems to simulate, divided by commas
    #[arg(long, value_name = "SYSTEM", value_delimiter = ',', value_parser = clap::builder::PossibleValuesParser::new(beside()))]
    pub with: Vec<String>,
}

/// The systems that the demo can simulate beside its first one.
fn beside() -> Vec<&'static str> {
    crate::systems::demos().skip(1).map(Simulation::name).collect()
}

impl DemoArgs {
    /// The demo as it is without flags.
    #[must_use]
    pub fn usual() -> Self {
        #[derive(clap::Parser)]
        struct Alone {
            #[command(flatten)]
            demo: DemoArgs,
        }
        <Alone as clap::Parser>::parse_from(["demo"]).demo
    }

    /// The same, for what simulates.
    #[must_use]
    pub fn wanted(&self) -> Wanted {
        Wanted {
            seed: self.seed,
            speed: self.speed,
            nodes: self.nodes as usize,
            locks: self.locks as usize,
            messages: self.messages as usize,
            remote: self.remote,
        }
    }
}

fn speed(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(x) if (0.1..=1_000.0).contains(&x) => Ok(x),
        _ => Err("a number from 0.1 to 1000".into()),
    }
}

/// Options of `snapshot`.
#[derive(Debug, Clone, Args)]
pub struct SnapshotArgs {
    #[command(flatten)]
    pub of: RecordingArgs,
    /// Output format
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
    /// Print only this part
    #[arg(long, value_enum)]
    pub view: Option<SnapshotView>,
}

/// Which changes are printed, and from where on.
#[derive(Debug, Args)]
pub struct WatchArgs {
    /// Cursor of the last line that the reader has: what came after it is printed first
    #[arg(long, value_name = "CURSOR")]
    pub since: Option<u64>,
    /// Only changes that fit: kind:lock, mesh:NAME, change:gone, state:dead, or a part of the name; all have to
    #[arg(long, value_name = "WORD")]
    pub filter: Vec<String>,
    /// File that keeps the changes; beside the journal by default
    #[arg(long, value_name = "FILE")]
    pub log: Option<PathBuf>,
}

/// What is served, and where.
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// Address to listen on; beyond this machine only with --auth-file
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9868")]
    pub listen: std::net::SocketAddr,
    /// File whose first line is the token that must be named (Authorization: Bearer TOKEN)
    #[arg(long, value_name = "FILE")]
    pub auth_file: Option<PathBuf>,
    /// Nodes of a mesh that get a series of their own, the worst first
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub node_series: usize,
}

/// How a snapshot is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Table,
    Json,
}

/// Parts of a snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, strum::IntoStaticStr, strum::EnumIter)]
#[strum(serialize_all = "lowercase")]
pub enum SnapshotView {
    Nodes,
    Agents,
    Groups,
    Locks,
    Queues,
    Messages,
    Tasks,
    Oplog,
    Findings,
    Leases,
    Leaders,
    Sources,
}

impl SnapshotView {
    /// The name of the part.
    #[must_use]
    pub fn part(self) -> &'static str {
        self.into()
    }
}
