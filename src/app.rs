//! The app: everything an operator can do, as a pure machine. `update` takes an event and answers effects;
//! it knows no terminal, no clock and no network.

pub mod acts;
pub mod changed;
pub mod command;
pub mod filter;
pub mod find;
pub mod first;
pub mod hints;
pub mod history;
pub mod inspect;
pub mod inspections;
pub mod keymap;
pub mod list;
pub mod mouse;
pub mod on_wall;
pub mod overlay;
pub mod overview;
pub mod own;
pub mod palette;
pub mod past;
pub mod preview;
pub mod ring;
pub mod selection;
pub mod shape;
pub mod shaped;
pub mod status;
pub mod table;
pub mod theme;
pub mod trail;
pub mod trouble;
pub mod update;
pub mod view_id;
pub mod views;
pub mod wall;
pub mod workspace;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crossterm::event::{KeyEvent, MouseEvent};

use self::hints::Hints;
use self::history::History;
use self::keymap::Keymap;
use self::mouse::HitMap;
use self::overlay::Overlay;
use self::own::{OwnCommand, OwnEnd, OwnRun};
use self::past::{Past, PastNews, Travel};
use self::preview::Running;
use self::shape::Shapes;
use self::table::Table;
use self::theme::Themes;
use self::view_id::ViewId;
use self::views::{VIEWS, View};
use self::wall::{Wall, WallPosition};
use crate::action::plan::{Intent, Plan, Policy, ToAsk};
use crate::app::workspace::Workspace;
use crate::columns::role::Role;
use crate::mesh::derive::Snapshot;
use crate::model::action::Answer;
use crate::model::outcome::Progress;
use crate::model::severity::Severity;
use crate::model::time::Millis;
use crate::model::work::Works;

/// What happens to the app.
#[derive(Debug, Clone)]
pub enum Event {
    Key(KeyEvent),
    Mouse(MouseEvent),
    Paste(String),
    /// The terminal has another size: drawn anew, nothing to remember.
    Resize,
    /// The terminal has the focus, or has it no more.
    Focus(bool),
    /// Time has passed.
    Tick(Millis),
    /// A new snapshot of one of the meshes, by its place among them.
    Snapshot(usize, Arc<Snapshot>),
    /// A moment of a recording.
    Past(PastNews),
    /// The configuration was read again: as it was, and as it is now; whether its meshes were opened anew.
    Configured {
        before: Box<Options>,
        now: Box<Options>,
        reopened: bool,
    },
    /// The configuration changed, and cannot be used: where, and why.
    Misconfigured(String),
    /// A command of the operator's own ended.
    CommandEnded(OwnEnd),
    /// What was asked for could not be done, and why.
    Notice(String),
    /// Other meshes are open now.
    MeshesOpened(Vec<MeshConfig>),
    /// What the running plan tells.
    Progress(Progress),
    /// What this machine shows of work on resources of a mesh.
    Work(usize, Works),
    /// What places of a mesh answered, by the keys of what they were asked about.
    Answers(usize, BTreeMap<String, Answer>),
    /// Open attempts were looked into.
    Recovered {
        resolved: usize,
        open: usize,
    },
}

/// Resources of a mesh that signs of work were asked for, for a plan or for the lock that is inspected.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Asked {
    mesh: usize,
    inspected: Option<workspace::Key>,
    resources: Vec<String>,
}

/// What the app wants done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    Quit,
    Suspend,
    Redraw,
    /// Poll every source now.
    Refresh,
    Interval(Duration),
    /// Somebody looks, or nobody does.
    Focused(bool),
    Copy(String),
    Mouse(bool),
    /// Watch another mesh, or others: what their names are, as they are written on the command line.
    Mesh(String),
    /// Ring the terminal's bell.
    Bell,
    /// Ask the terminal for a desktop notification.
    Notify(String),
    /// Call the window so.
    Title(String),
    /// Findings of a mesh are known, for how long; or are not known after all.
    Acknowledge {
        mesh: usize,
        keys: Vec<String>,
        span: Option<Duration>,
    },
    /// Carry a plan out in a mesh.
    Run {
        mesh: usize,
        plan: Box<Plan>,
        reason: String,
    },
    /// Look for signs of work on resources.
    Work {
        mesh: usize,
        resources: Vec<String>,
    },
    /// Ask places what a plan needs to know.
    Ask {
        mesh: usize,
        questions: Vec<ToAsk>,
    },
    /// Look into the attempts of a mesh whose end is not known.
    Recover {
        mesh: usize,
    },
    /// Run a command of the operator's own.
    Command(OwnRun),
    /// The hints were read, or closed: they are not shown again.
    HintsSeen,
    /// Keep how the views are shaped.
    KeepShapes(Shapes),
    /// Go through the recording.
    Travel(Travel),
    /// End the running plan before its next step.
    Stop {
        mesh: usize,
    },
}

/// A short message to the operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Toast {
    pub text: String,
    pub role: Role,
    pub until_ms: Millis,
}

/// A mesh that is open.
#[derive(Debug, Clone)]
pub struct MeshConfig {
    pub name: String,
    /// What plans are made by.
    pub policy: Policy,
}

/// What is decided when the program starts.
#[derive(Debug, Clone)]
pub struct Options {
    /// The name of the theme that is shown, and all that can be.
    pub theme: String,
    pub themes: Themes,
    pub interval: Duration,
    pub mouse: bool,
    pub repo: Option<String>,
    /// The meshes that are open.
    pub open: Vec<MeshConfig>,
    /// Those that could be.
    pub meshes: Vec<String>,
    pub keymap: Keymap,
    /// The operator's own commands.
    pub own: Arc<[OwnCommand]>,
    /// Columns that the configuration wishes for, by the name of the view.
    pub columns: BTreeMap<String, Vec<String>>,
    /// Who is called, and when.
    pub calls: Calls,
    /// A screen that nobody sits at.
    pub wall: Option<Wall>,
    /// What is shown is a recording: there is no now.
    pub replay: bool,
    /// Panels of the overview stand in frames.
    pub frames: bool,
    /// Clocks on screen show local time.
    pub local_clock: bool,
    /// How far local time is ahead of UTC at an instant, in milliseconds.
    pub local: fn(Millis) -> Millis,
    /// Said in the header, e.g. that the mesh is simulated.
    pub banner: Option<String>,
}

impl Options {
    /// Nothing of the meshes that are open.
    #[must_use]
    pub fn workspace(&self) -> Workspace {
        Workspace::of(self.open.iter().map(|mesh| &mesh.name))
    }

    /// What plans are made by in a mesh; nothing is done where it is not open.
    #[must_use]
    pub fn policy(&self, mesh: usize) -> Policy {
        let nothing = || Policy { read_only: true, ..Policy::default() };
        self.open.get(mesh).map_or_else(nothing, |mesh| mesh.policy.clone())
    }

    /// Whether nothing may be done anywhere.
    #[must_use]
    pub fn is_read_only(&self) -> bool {
        self.open.iter().all(|mesh| mesh.policy.read_only)
    }

    /// How far the clocks on screen are ahead of UTC at an instant.
    #[must_use]
    pub fn offset(&self, ms: Millis) -> Millis {
        if self.local_clock { (self.local)(ms) } else { 0 }
    }
}

/// When somebody is called, and how.
#[derive(Debug, Clone, Default)]
pub struct Calls {
    /// From which severity on; nothing for never.
    pub bell: Option<Severity>,
    pub notify: Option<Severity>,
    /// Whether the window's title says what is wrong.
    pub title: bool,
    /// For how long an acknowledgement holds.
    pub known_for: Duration,
}

/// The app.
#[derive(Debug)]
pub struct App {
    pub options: Options,
    pub now_ms: Millis,
    /// What signs of work were asked for last.
    asked: Option<Asked>,
    /// What is wanted once places have answered what it needs, and its mesh.
    asked_for: Option<(usize, Intent)>,
    /// How far the wall clock was set since the start: for the clock on screen alone.
    pub set_ahead_ms: Millis,
    pub started_ms: Millis,
    /// What is shown.
    pub workspace: Workspace,
    /// What came since it was frozen; nothing while it is not.
    pub frozen: Option<Frozen>,
    pub view: ViewId,
    /// By view; those without a list are never used.
    pub tables: Vec<Table>,
    pub overlay: Option<Overlay>,
    /// What the demo says to a newcomer; nothing once it was read or closed.
    pub hints: Option<Hints>,
    /// How the operator shaped the views.
    pub shapes: Shapes,
    /// What is selected on the overview.
    pub overview: overview::Selection,
    /// How the nodes of each mesh did over the last minutes.
    histories: Vec<History>,
    /// Where one was.
    trail: trail::Trail,
    /// The filter of the view is being typed.
    pub filtering: Option<tui_input::Input>,
    pub toast: Option<Toast>,
    /// The plan that runs, or ran last.
    pub running: Option<Running>,
    /// The hold of the last plan is to be given back as soon as it is seen; until when that is tried.
    pub giving_back: Option<Millis>,
    pub hits: HitMap,
    /// Rows that what a command wrote has on screen.
    pub output_height: usize,
    /// Events up to this one were heard, by mesh.
    announced: Vec<u64>,
    /// What is wanted as soon as the recording is open.
    wish: Option<past::Wish>,
    /// An instant that others are compared with.
    anchor: Option<(Millis, Workspace)>,
    /// What the window is called.
    titled: String,
    position: WallPosition,
}

/// What came while the screen stands still.
#[derive(Debug, Clone)]
pub struct Frozen {
    pub since_ms: Millis,
    pub latest: Workspace,
    /// Where what is shown was taken from a recording.
    pub past: Option<Past>,
}

impl App {
    /// An app that has seen nothing yet.
    #[must_use]
    pub fn new(options: Options, now_ms: Millis) -> Self {
        let workspace = options.workspace();
        Self {
            options,
            now_ms,
            asked: None,
            asked_for: None,
            set_ahead_ms: 0,
            started_ms: now_ms,
            workspace,
            frozen: None,
            view: ViewId::Overview,
            tables: Self::fresh_tables(),
            overlay: None,
            hints: None,
            shapes: Shapes::default(),
            overview: overview::Selection::default(),
            histories: Vec::new(),
            trail: trail::Trail::default(),
            filtering: None,
            toast: None,
            running: None,
            giving_back: None,
            hits: HitMap::default(),
            output_height: 1,
            announced: Vec::new(),
            wish: None,
            anchor: None,
            titled: String::new(),
            position: WallPosition::default(),
        }
    }

    fn fresh_tables() -> Vec<Table> {
        VIEWS.iter().map(|view| view.list.map(Table::new).unwrap_or_default()).collect()
    }

    /// The keys of a command, as they are written.
    #[must_use]
    pub fn keys(&self, info: &command::CommandInfo) -> Vec<String> {
        self.options.keymap.keys(info)
    }

    /// How far the clocks on screen are ahead of UTC at an instant.
    #[must_use]
    pub fn offset(&self, ms: Millis) -> Millis {
        self.options.offset(ms)
    }

    /// What the wall clock shows.
    #[must_use]
    pub fn wall_ms(&self) -> Millis {
        self.now_ms.saturating_add(self.set_ahead_ms)
    }

    /// The table of the current view.
    #[must_use]
    pub fn table(&self) -> &Table {
        &self.tables[self.view.index()]
    }

    /// How the nodes of a mesh did over the last minutes.
    #[must_use]
    pub fn history(&self, mesh: usize) -> Option<&History> {
        // Of another time than what is shown it would be no history of it.
        match self.past() {
            Some(past) => past.histories.iter().find(|(of, _)| *of == mesh).map(|(_, history)| history),
            None => self.histories.get(mesh),
        }
    }

    /// The views that have a tab, and the current one.
    pub fn tabs(&self) -> impl Iterator<Item = &'static View> {
        VIEWS.iter().filter(|view| view.id == self.view || view.is_open(&self.workspace))
    }

    /// The list of the current view.
    #[must_use]
    pub fn list(&self) -> Option<&'static dyn list::List> {
        VIEWS[self.view.index()].list
    }

    /// The instant to show ages at: now, or when the screen was frozen.
    #[must_use]
    pub fn shown_ms(&self) -> Millis {
        self.frozen.as_ref().map_or(self.now_ms, |frozen| frozen.since_ms)
    }

    /// The newest snapshots, frozen or not: alarms are never silenced.
    #[must_use]
    pub fn latest(&self) -> &Workspace {
        self.frozen.as_ref().map_or(&self.workspace, |frozen| &frozen.latest)
    }

    /// The columns of the current view.
    #[must_use]
    pub fn columns(&self) -> Vec<list::ColumnInfo> {
        self.list().map(|list| list.columns(&self.workspace)).unwrap_or_default()
    }

    /// Repositories that appear, for the palette and the filter.
    #[must_use]
    pub fn repositories(&self) -> Vec<String> {
        let of = |snapshot: &Snapshot| {
            let of_nodes = snapshot.nodes.iter().flat_map(|n| n.repositories.iter());
            let of_locks = snapshot.locks.iter().map(|l| &l.lock.repository_id);
            let named = of_nodes.chain(of_locks).filter(|r| !r.is_empty());
            named.map(|r| r.raw().to_owned()).collect::<Vec<_>>()
        };
        let mut all: Vec<String> =
            (0..self.workspace.len()).filter_map(|mesh| self.workspace.whole(mesh)).flat_map(|p| of(p)).collect();
        all.sort();
        all.dedup();
        all
    }
}

#[cfg(test)]
mod tests;
