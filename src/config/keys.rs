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

/// Names of themes.
pub const THEMES: &[&str] = &["auto", "dark", "light", "contrast", "mono"];

/// From which severity on; or never.
pub const SEVERITIES: &[&str] = &["off", "info", "warning", "critical"];

/// The settings that are no system's own.
pub const KEYS: &[Key] = &[
    Key {
        name: "work_tree",
        kind: Kind::Text,
        default: "",
        help: "folder that holds what locks are named after, for signs of work; the current one is looked into as well",
    },
    Key {
        name: "use_mesh",
        kind: Kind::Text,
        default: "",
        help: "the mesh to open when none is named; several with commas, or all",
    },
    Key { name: "repo", kind: Kind::Text, default: "", help: "show this repository only" },
    Key { name: "interval", kind: Kind::Duration, default: "1s", help: "from the start of one poll to the next" },
    Key {
        name: "idle_interval",
        kind: Kind::Duration,
        default: "5s",
        help: "the same while the terminal has not the focus and nothing changed for a minute",
    },
    Key { name: "timeout", kind: Kind::Duration, default: "5s", help: "a poll that takes longer has failed" },
    Key { name: "read_only", kind: Kind::Bool, default: "false", help: "no write action, whatever the rights" },
    Key { name: "operator", kind: Kind::Text, default: "", help: "who is named in the journal" },
    Key { name: "theme", kind: Kind::OneOf(THEMES), default: "auto", help: "colours of the screen" },
    Key { name: "color", kind: Kind::Bool, default: "true", help: "false is monochrome, like NO_COLOR" },
    Key {
        name: "unicode",
        kind: Kind::OneOf(&["auto", "always", "never"]),
        default: "auto",
        help: "glyphs beyond ASCII",
    },
    Key {
        name: "clock",
        kind: Kind::OneOf(&["utc", "local"]),
        default: "utc",
        help: "the zone of the clocks on screen, which always say it",
    },
    Key { name: "wall.stay", kind: Kind::Duration, default: "15s", help: "how long each view stays on the wall" },
    Key { name: "wall.views", kind: Kind::List, default: "", help: "the views that the wall shows in turn, by name" },
    Key {
        name: "wall.night",
        kind: Kind::Text,
        default: "",
        help: "from when to when the wall is dimmed, in local time, e.g. \"22:00-06:00\"",
    },
    Key { name: "mouse", kind: Kind::Bool, default: "true", help: "false leaves selecting text to the terminal" },
    Key { name: "log_file", kind: Kind::Text, default: "", help: "where the program's own log goes; none by default" },
    Key {
        name: "journal",
        kind: Kind::Text,
        default: "",
        help: "where every action is written down; in the user's state folder by default",
    },
    Key {
        name: "events",
        kind: Kind::Text,
        default: "",
        help: "where the history of findings is kept; beside the journal by default",
    },
    Key {
        name: "on_finding",
        kind: Kind::List,
        default: "",
        help: "program and arguments that are run for each event of a finding, which they get as JSON on standard input",
    },
    Key {
        name: "alarms.hook",
        kind: Kind::OneOf(SEVERITIES),
        default: "warning",
        help: "from which severity on `on_finding` is run",
    },
    Key {
        name: "alarms.hook_timeout",
        kind: Kind::Duration,
        default: "10s",
        help: "a program of `on_finding` that takes longer is ended",
    },
    Key {
        name: "alarms.bell",
        kind: Kind::OneOf(SEVERITIES),
        default: "critical",
        help: "from which severity on the terminal's bell rings",
    },
    Key {
        name: "alarms.notify",
        kind: Kind::OneOf(SEVERITIES),
        default: "off",
        help: "from which severity on the terminal is asked for a desktop notification (OSC 9 and OSC 777)",
    },
    Key { name: "alarms.title", kind: Kind::Bool, default: "true", help: "the window's title says what is wrong" },
    Key {
        name: "alarms.raise_after",
        kind: Kind::Duration,
        default: "2s",
        help: "a finding that stands for so long is raised",
    },
    Key {
        name: "alarms.clear_after",
        kind: Kind::Duration,
        default: "10s",
        help: "a finding that is gone for so long is cleared",
    },
    Key {
        name: "alarms.known_for",
        kind: Kind::Duration,
        default: "1h",
        help: "for how long an acknowledgement holds",
    },
    Key {
        name: "actions.hold",
        kind: Kind::Duration,
        default: "5s",
        help: "how long the operator holds a lock that is fenced off",
    },
    Key {
        name: "snapshot.dir",
        kind: Kind::Text,
        default: "",
        help: "where private copies live; the temporary folder by default",
    },
    Key {
        name: "snapshot.max_bytes",
        kind: Kind::Number,
        default: "4294967296",
        help: "files larger than this are not copied",
    },
    Key {
        name: "tls.ca_file",
        kind: Kind::Text,
        default: "",
        help: "certificates (PEM) of authorities that are trusted besides the platform's",
    },
    Key {
        name: "tls.cert_file",
        kind: Kind::Text,
        default: "",
        help: "certificates (PEM) that this console shows to servers that ask who it is",
    },
    Key { name: "tls.key_file", kind: Kind::Text, default: "", help: "the key (PEM) of tls.cert_file" },
    Key {
        name: "limits.window",
        kind: Kind::Number,
        default: "2000",
        help: "rows of each history (messages that are settled, op-log, lineage) that are read at first, and kept",
    },
    Key { name: "thresholds.stale", kind: Kind::Duration, default: "60s", help: "one missed window of a node" },
    Key {
        name: "thresholds.stuck",
        kind: Kind::Duration,
        default: "60s",
        help: "an unacknowledged message older than this is stuck",
    },
    Key {
        name: "thresholds.poison",
        kind: Kind::Number,
        default: "5",
        help: "a message delivered this often is poison",
    },
    Key {
        name: "thresholds.expiring",
        kind: Kind::Duration,
        default: "5s",
        help: "a lock this close to its end is expiring",
    },
    Key {
        name: "thresholds.starved",
        kind: Kind::Duration,
        default: "5m",
        help: "an agent that waits longer than this for a lock is starved",
    },
    Key {
        name: "thresholds.renewals",
        kind: Kind::Number,
        default: "50",
        help: "a lock renewed more often than this by one holder is held for long",
    },
    Key {
        name: "thresholds.old",
        kind: Kind::Duration,
        default: "5s",
        help: "a source silent for this long, beyond three intervals, is old",
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
