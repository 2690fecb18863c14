//! What is said of recordings on the command line.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::cli::ScreenArgs;

/// A recording in place of what is live.
#[derive(Debug, Clone, Args)]
pub struct RecordingArgs {
    /// Read a recording (a file, or a folder of them) instead of polling
    #[arg(long, value_name = "FILE")]
    pub recording: Option<PathBuf>,
    /// Instant in the recording: -10m, 02:47, 2026-11-21T02:47:00Z; its end by default
    #[arg(long, value_name = "TIME", requires = "recording", allow_hyphen_values = true)]
    pub at: Option<String>,
}

/// What is recorded, or done with a recording.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, arg_required_else_help = true)]
pub struct RecordArgs {
    /// File to write; must not be there yet
    #[arg(required = true)]
    pub file: Option<PathBuf>,
    /// End after this time, e.g. 1h
    #[arg(long = "for", value_name = "SPAN", value_parser = humantime::parse_duration)]
    pub span: Option<std::time::Duration>,
    #[command(subcommand)]
    pub with: Option<RecordCommand>,
}

/// What is done with a recording.
#[derive(Debug, Subcommand)]
pub enum RecordCommand {
    /// Copy a part of a recording into a file of its own
    Cut {
        /// Recording: a file, or a folder of them
        recording: PathBuf,
        /// First instant: -10m before the end, 02:47, 2026-11-21T02:47:00Z
        #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
        from: Option<String>,
        /// Last instant
        #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
        to: Option<String>,
        /// File to write; must not be there yet
        #[arg(long, short, value_name = "FILE")]
        output: PathBuf,
        /// Replace names and texts by stand-ins, and drop what agents wrote to each other
        #[arg(long)]
        redact: bool,
    },
    /// Tell what a recording holds
    Info { recording: PathBuf },
    /// Read and play all of a recording: exits 0 whole, 1 damaged
    Verify { recording: PathBuf },
    /// Print a recording as lines of JSON
    Export {
        recording: PathBuf,
        /// Output format
        #[arg(long, value_enum, default_value_t = ExportFormat::Jsonl)]
        format: ExportFormat,
    },
}

/// How a recording is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ExportFormat {
    Jsonl,
}

/// What is replayed, and how.
#[derive(Debug, Args)]
pub struct ReplayArgs {
    /// Recording: a file, or a folder of them
    pub recording: PathBuf,
    /// Instant to begin at: -10m before the end, 02:47, 2026-11-21T02:47:00Z; its begin by default
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub at: Option<String>,
    /// Seconds of the recording that are played in one; 0 stands still
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(0..=100_000))]
    pub speed: u32,
    #[command(flatten)]
    pub screen: ScreenArgs,
}
