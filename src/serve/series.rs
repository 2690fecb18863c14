//! The metrics, once: their names, units and labels. The registry and the page of metrics come from this table.

/// What the names of all metrics begin with.
pub const PREFIX: &str = "lockkeeper";

/// What a number of a metric is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A number that rises and falls.
    Gauge,
    /// A span in seconds.
    Seconds,
    /// A count since the start of the service.
    Counter,
    /// A count of bytes since then.
    Bytes,
    /// Always 1; the labels tell.
    Info,
}

/// One metric.
#[derive(Debug, Clone, Copy)]
pub struct Metric {
    /// Without prefix, unit and suffix.
    pub name: &'static str,
    pub kind: Kind,
    pub labels: &'static [&'static str],
    pub help: &'static str,
}

/// All metrics, in the order of the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::EnumIter)]
pub enum Series {
    Build,
    Up,
    AnswerAge,
    PollDuration,
    Polls,
    Rows,
    RoundTrips,
    Received,
    SnapshotAge,
    Findings,
    OpenFindings,
    Nodes,
    Locks,
    Messages,
    Tasks,
    Waiters,
    LongestWait,
    Deadlocks,
    HeartbeatAge,
}

/// Labels of a source.
const SOURCE: &[&str] = &["mesh", "source"];
/// Labels of things that are counted by their state.
const STATE: &[&str] = &["mesh", "state"];

impl Series {
    /// The row of the table.
    #[must_use]
    pub fn metric(self) -> Metric {
        let row = |name, kind, labels, help| Metric { name, kind, labels, help };
        match self {
            Self::Build => row("build", Kind::Info, &["version"], "The program"),
            Self::Up => row("up", Kind::Gauge, SOURCE, "Whether a source answered its last poll (1) or not (0)"),
            Self::AnswerAge => {
                let help = "Time since the last answer of a source; none before the first";
                row("source_answer_age", Kind::Seconds, SOURCE, help)
            }
            Self::PollDuration => {
                row("source_last_poll_duration", Kind::Seconds, SOURCE, "Time that the last poll of a source took")
            }
            Self::Polls => row("source_polls", Kind::Counter, SOURCE, "Answers of a source"),
            Self::Rows => row("source_rows", Kind::Counter, SOURCE, "Rows that a source returned"),
            Self::RoundTrips => {
                row("source_round_trips", Kind::Counter, SOURCE, "Requests to a source that were answered")
            }
            Self::Received => row("source_received", Kind::Bytes, SOURCE, "Bytes received from a source"),
            Self::SnapshotAge => {
                let help = "Time since the state of a mesh was evaluated; grows if this program is stuck";
                row("snapshot_age", Kind::Seconds, &["mesh"], help)
            }
            Self::Findings => {
                let help = "Findings, also acknowledged ones; none for rules that find nothing";
                row("findings", Kind::Gauge, &["mesh", "severity", "rule"], help)
            }
            Self::OpenFindings => {
                row("findings_open", Kind::Gauge, &["mesh", "severity"], "Findings that nobody acknowledged")
            }
            Self::Nodes => row("nodes", Kind::Gauge, STATE, "Nodes by staleness"),
            Self::Locks => row("locks", Kind::Gauge, STATE, "Locks by state"),
            Self::Messages => {
                let help = "Messages by state; acknowledged ones within the window that is read";
                row("messages", Kind::Gauge, STATE, help)
            }
            Self::Tasks => row("tasks", Kind::Gauge, STATE, "Tasks by state, as far as they can be assembled"),
            Self::Waiters => {
                row("lock_waiters", Kind::Gauge, &["mesh"], "Agents that wait for a lock, as far as it can be inferred")
            }
            Self::LongestWait => row("lock_longest_wait", Kind::Seconds, &["mesh"], "Longest wait for a lock"),
            Self::Deadlocks => row("deadlocks", Kind::Gauge, &["mesh"], "Circles of agents that wait for each other"),
            Self::HeartbeatAge => {
                let help =
                    "Time since the last sign of life of a node; only with --node-series N, of the N worst nodes";
                row("node_heartbeat_age", Kind::Seconds, &["mesh", "node"], help)
            }
        }
    }
}

impl Metric {
    /// The name as it is scraped.
    #[must_use]
    pub fn scraped(&self) -> String {
        let end = match self.kind {
            Kind::Gauge => "",
            Kind::Seconds => "_seconds",
            Kind::Counter => "_total",
            Kind::Bytes => "_bytes_total",
            Kind::Info => "_info",
        };
        format!("{PREFIX}_{}{end}", self.name)
    }
}
