//! Whether a command is asked to answer in JSON: then it does so when it fails too.

use super::cli::{Command, Format, SnapshotArgs};

impl Command {
    /// How it prints what it answers.
    #[must_use]
    pub fn format(&self) -> Format {
        match self {
            Self::Snapshot(SnapshotArgs { format, .. })
            | Self::Findings { format, .. }
            | Self::Who { format, .. }
            | Self::Stuck { format }
            | Self::Why { format, .. } => *format,
            Self::Release { act, .. }
            | Self::Reroute { act, .. }
            | Self::Evacuate { act, .. }
            | Self::Drain { act, .. }
            | Self::Undrain { act, .. }
            | Self::Quarantine { act, .. }
            | Self::Unquarantine { act, .. }
            | Self::Stop { act, .. }
            | Self::Cancel { act, .. }
            | Self::Retire { act, .. }
            | Self::Respawn { act, .. }
            | Self::Pause { act, .. }
            | Self::Resume { act, .. }
            | Self::Member { act, .. }
            | Self::Open { act, .. }
            | Self::EndLease { act, .. } => act.format,
            Self::Demo(_)
            | Self::Check { .. }
            | Self::Record(_)
            | Self::Replay(_)
            | Self::Serve(_)
            | Self::Watch(_)
            | Self::Mcp { .. }
            | Self::Doctor { .. }
            | Self::Keys
            | Self::Themes
            | Self::Config
            | Self::Completions { .. }
            | Self::Man { .. } => Format::Table,
        }
    }
}
