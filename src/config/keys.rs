//! The table of settings: the file, the environment, `lockkeeper config` and the docs are made from it. Each system adds
//! its own rows.

/// One setting.
#[derive(Debug)]
pub struct Key {
    /// Its name in the file; a dot stands for a table.
    pub name: &'static str,
    pub kind: Kind,
    /// The default, as it would be written in the file without quotes.
    pub default: &'static str,
    pub help: &'static str,
}

/// What values a setting takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Text,
    /// Several texts; a single one may be written without brackets.
    List,
    /// A time span such as `1s` or `500ms`.
    Duration,
    /// A whole number; sizes are in bytes.
    Number,
    Bool,
    OneOf(&'static [&'static str]),
}

impl Kind {
    /// What to write, for people.
    #[must_use]
    pub fn expects(self) -> String {
        match self {
            Self::Text => "a text".into(),
            Self::List => "a text or a list of texts".into(),
            Self::Duration => "a time span such as \"1s\", \"500ms\" or \"5m\"".into(),
            Self::Number => "a whole number".into(),
            Self::Bool => "true or false".into(),
            Self::OneOf(words) => format!("one of {}", words.join(", ")),
        }
    }
}

/// From which severity on; or never.
pub const SEVERITIES: &[&str] = &["off", "info", "warning", "critical"];

/// The settings that are no system's own.
pub const KEYS: &[Key] = &[
    Key {
        name: "work_tree",
        kind: Kind::Text,
        default: "",
        help: "folder with the files that locks are named after, to look for recent work; the current folder is searched too",
    },
    Key {
        name: "use_mesh",
        kind: Kind::Text,
        default: "",
        help: "mesh to open by default; several separated by commas, or all",
    },
    Key { name: "repo", kind: Kind::Text, default: "", help: "show this repository only" },
    Key { name: "interval", kind: Kind::Duration, default: "1s", help: "time between the starts of two polls" },
    Key {
        name: "idle_interval",
        kind: Kind::Duration,
        default: "5s",
        help: "interval while the terminal is unfocused and nothing changed for a minute",
    },
    Key { name: "timeout", kind: Kind::Duration, default: "5s", help: "timeout of one poll" },
    Key { name: "read_only", kind: Kind::Bool, default: "false", help: "offer and run no write action" },
    Key { name: "operator", kind: Kind::Text, default: "", help: "operator name in the journal" },
    Key {
        name: "theme",
        kind: Kind::Text,
        default: "auto",
        help: "colours of the screen: auto, a theme that `lockkeeper themes` shows, or your own",
    },
    Key { name: "color", kind: Kind::Bool, default: "true", help: "false for monochrome, like NO_COLOR" },
    Key {
        name: "unicode",
        kind: Kind::OneOf(&["auto", "always", "never"]),
        default: "auto",
        help: "glyphs beyond ASCII",
    },
    Key { name: "frames", kind: Kind::Bool, default: "true", help: "frames around the panels of the overview" },
    Key {
        name: "clock",
        kind: Kind::OneOf(&["utc", "local"]),
        default: "utc",
        help: "time zone of the clocks on screen",
    },
    Key { name: "wall.stay", kind: Kind::Duration, default: "15s", help: "time that the wall shows each view" },
    Key {
        name: "wall.views",
        kind: Kind::List,
        default: "",
        help: "views that the wall rotates through; none: overview, nodes, locks and tasks",
    },
    Key {
        name: "wall.night",
        kind: Kind::Text,
        default: "",
        help: "hours when the wall is dimmed, in local time, e.g. \"22:00-06:00\"",
    },
    Key {
        name: "columns.nodes",
        kind: Kind::List,
        default: "",
        help: "columns of the view nodes, in order; none: all",
    },
    Key {
        name: "columns.locks",
        kind: Kind::List,
        default: "",
        help: "columns of the view locks, in order; none: all",
    },
    Key {
        name: "columns.messages",
        kind: Kind::List,
        default: "",
        help: "columns of the view messages, in order; none: all",
    },
    Key {
        name: "columns.tasks",
        kind: Kind::List,
        default: "",
        help: "columns of the view tasks, in order; none: all",
    },
    Key {
        name: "columns.op-log",
        kind: Kind::List,
        default: "",
        help: "columns of the view op-log, in order; none: all",
    },
    Key {
        name: "columns.findings",
        kind: Kind::List,
        default: "",
        help: "columns of the view findings, in order; none: all",
    },
    Key {
        name: "columns.waits",
        kind: Kind::List,
        default: "",
        help: "columns of the view waits, in order; none: all",
    },
    Key {
        name: "columns.journal",
        kind: Kind::List,
        default: "",
        help: "columns of the view journal, in order; none: all",
    },
    Key {
        name: "columns.events",
        kind: Kind::List,
        default: "",
        help: "columns of the view events, in order; none: all",
    },
    Key {
        name: "columns.agents",
        kind: Kind::List,
        default: "",
        help: "columns of the view agents, in order; none: all",
    },
    Key {
        name: "columns.groups",
        kind: Kind::List,
        default: "",
        help: "columns of the view groups, in order; none: all",
    },
    Key {
        name: "mouse",
        kind: Kind::Bool,
        default: "true",
        help: "capture the mouse; false leaves text selection to the terminal",
    },
    Key { name: "log_file", kind: Kind::Text, default: "", help: "file for the program's own log; none by default" },
    Key {
        name: "journal",
        kind: Kind::Text,
        default: "",
        help: "file for the journal of actions; in the user's state folder by default",
    },
    Key {
        name: "events",
        kind: Kind::Text,
        default: "",
        help: "file for the history of findings; beside the journal by default",
    },
    Key {
        name: "on_finding",
        kind: Kind::List,
        default: "",
        help: "program and arguments to run for each event of a finding, with the event as JSON on standard input",
    },
    Key {
        name: "alarms.hook",
        kind: Kind::OneOf(SEVERITIES),
        default: "warning",
        help: "lowest severity that runs `on_finding`",
    },
    Key {
        name: "alarms.hook_timeout",
        kind: Kind::Duration,
        default: "10s",
        help: "timeout of the `on_finding` program",
    },
    Key {
        name: "alarms.bell",
        kind: Kind::OneOf(SEVERITIES),
        default: "critical",
        help: "lowest severity that rings the terminal bell",
    },
    Key {
        name: "alarms.notify",
        kind: Kind::OneOf(SEVERITIES),
        default: "off",
        help: "lowest severity that sends a desktop notification (OSC 9 and OSC 777)",
    },
    Key { name: "alarms.title", kind: Kind::Bool, default: "true", help: "show the status in the window title" },
    Key {
        name: "alarms.raise_after",
        kind: Kind::Duration,
        default: "2s",
        help: "time that a finding must last before it is raised",
    },
    Key {
        name: "alarms.clear_after",
        kind: Kind::Duration,
        default: "10s",
        help: "time that a finding must be gone before it is cleared",
    },
    Key {
        name: "alarms.known_for",
        kind: Kind::Duration,
        default: "1h",
        help: "time until an acknowledgement expires",
    },
    Key {
        name: "actions.hold",
        kind: Kind::Duration,
        default: "5s",
        help: "time that the operator holds a lock after fencing it off",
    },
    Key {
        name: "record.on",
        kind: Kind::Bool,
        default: "true",
        help: "record what the dashboard and the wall observe, to go back to it; `record = false` says the same",
    },
    Key {
        name: "record.max_bytes",
        kind: Kind::Number,
        default: "268435456",
        help: "most bytes of the recordings of one mesh; the oldest are removed",
    },
    Key {
        name: "snapshot.dir",
        kind: Kind::Text,
        default: "",
        help: "folder for private copies of database files; the temporary folder by default",
    },
    Key {
        name: "snapshot.max_bytes",
        kind: Kind::Number,
        default: "4294967296",
        help: "largest file to copy, in bytes",
    },
    Key {
        name: "tls.ca_file",
        kind: Kind::Text,
        default: "",
        help: "certificates (PEM) of additional trusted authorities",
    },
    Key { name: "tls.cert_file", kind: Kind::Text, default: "", help: "client certificates (PEM)" },
    Key { name: "tls.key_file", kind: Kind::Text, default: "", help: "private key (PEM) of tls.cert_file" },
    Key {
        name: "limits.window",
        kind: Kind::Number,
        default: "2000",
        help: "rows of each history (acknowledged messages, op-log, lineage) to read first and keep",
    },
    Key {
        name: "thresholds.stale",
        kind: Kind::Duration,
        default: "60s",
        help: "heartbeat window: a node that misses one is stale",
    },
    Key {
        name: "thresholds.stuck",
        kind: Kind::Duration,
        default: "60s",
        help: "age after which an unacknowledged message is stuck",
    },
    Key {
        name: "thresholds.poison",
        kind: Kind::Number,
        default: "5",
        help: "deliveries after which a message is poison",
    },
    Key {
        name: "thresholds.expiring",
        kind: Kind::Duration,
        default: "5s",
        help: "remaining time below which a lock is expiring",
    },
    Key {
        name: "thresholds.starved",
        kind: Kind::Duration,
        default: "5m",
        help: "waiting time after which an agent is starved",
    },
    Key {
        name: "thresholds.renewals",
        kind: Kind::Number,
        default: "50",
        help: "renewals by one holder after which a lock counts as held long",
    },
    Key {
        name: "thresholds.old",
        kind: Kind::Duration,
        default: "5s",
        help: "time without an answer, beyond three intervals, after which a source is stale",
    },
];

/// The whole table: the settings of each system, then the general ones.
#[derive(Debug, Clone)]
pub struct Table(Vec<&'static [Key]>);

impl Table {
    /// The general settings and those of systems.
    #[must_use]
    pub fn with(systems: impl IntoIterator<Item = &'static [Key]>) -> Self {
        Self(systems.into_iter().chain([KEYS]).collect())
    }

    /// Every setting.
    pub fn iter(&self) -> impl Iterator<Item = &'static Key> {
        self.0.iter().flat_map(|keys| keys.iter())
    }

    /// Looks a setting up.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&'static Key> {
        self.iter().find(|key| key.name == name)
    }

    /// The setting whose name is most like a wrong one.
    #[must_use]
    pub fn closest(&self, name: &str) -> Option<&'static str> {
        let distance = |key: &str| strsim::damerau_levenshtein(key, name);
        self.iter()
            .map(|key| key.name)
            .min_by_key(|key| distance(key))
            .filter(|key| distance(key) <= key.len().max(3) / 3 + 1)
    }
}
