//! The one table of commands: names, keys and help. It makes the help screen, the footer, the palette,
//! `lockkeeper keys` and the page of keys in the docs.

use super::keymap::Keymap;

/// What a key or a palette entry means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Command {
    Down,
    Up,
    PageDown,
    PageUp,
    HalfDown,
    HalfUp,
    Top,
    Bottom,
    Open,
    Back,
    NextView,
    PreviousView,
    View(usize),
    Filter,
    ClearFilter,
    Palette,
    Help,
    Mark,
    ClearMarks,
    Sort,
    Reverse,
    Pause,
    Refresh,
    Faster,
    Slower,
    Copy,
    CopyAll,
    Unfold,
    Release,
    Reroute,
    Acknowledge,
    Drain,
    Quarantine,
    Evacuate,
    GiveBack,
    Recover,
    Known,
    Repo,
    Theme,
    Zone,
    Mouse,
    Redraw,
    Suspend,
    Quit,
    Leave,
}

/// One row of the table.
#[derive(Debug)]
pub struct CommandInfo {
    pub command: Command,
    /// As `crokey` reads them; the first one is shown in hints.
    pub keys: &'static [&'static str],
    /// What the palette calls it.
    pub name: &'static str,
    pub help: &'static str,
    /// Shown in the footer of tables, in this order; nothing for the others.
    pub hint: Option<&'static str>,
}

const fn row(
    command: Command,
    keys: &'static [&'static str],
    name: &'static str,
    help: &'static str,
    hint: Option<&'static str>,
) -> CommandInfo {
    CommandInfo { command, keys, name, help, hint }
}

/// Every command.
pub const COMMANDS: &[CommandInfo] = &[
    row(Command::Down, &["j", "down"], "down", "move down", None),
    row(Command::Up, &["k", "up"], "up", "move up", None),
    row(Command::PageDown, &["pagedown"], "page down", "move a screen down", None),
    row(Command::PageUp, &["pageup"], "page up", "move a screen up", None),
    row(Command::HalfDown, &["ctrl-d"], "half page down", "move half a screen down", None),
    row(Command::HalfUp, &["ctrl-u"], "half page up", "move half a screen up", None),
    row(Command::Top, &["g", "home"], "top", "go to the first row", None),
    row(Command::Bottom, &["G", "end"], "bottom", "go to the last row; the op-log follows from there", None),
    row(Command::Open, &["enter"], "open", "everything known about the selected thing; follow a link", Some("open")),
    row(Command::Back, &["esc"], "back", "close what is open; clear the filter", None),
    row(Command::NextView, &["tab", "l", "right"], "next view", "go to the next view", None),
    row(Command::PreviousView, &["backtab", "h", "left"], "previous view", "go to the previous view", None),
    row(Command::View(0), &["1"], "overview", "the mesh at a glance", None),
    row(Command::View(1), &["2"], "nodes", "nodes and how long they have been silent", None),
    row(Command::View(2), &["3"], "locks", "locks, holders and who waits", None),
    row(Command::View(3), &["4"], "messages", "messages between agents", None),
    row(Command::View(4), &["5"], "tasks", "tasks and their owners", None),
    row(Command::View(5), &["6"], "op-log", "what agents did, followed as it grows", None),
    row(Command::View(6), &["7"], "findings", "what is wrong, and why", None),
    row(Command::View(7), &["8"], "waits", "who waits for whom, and who locks whom out", None),
    row(Command::View(8), &["9"], "journal", "what operators did from here, and how it ended", None),
    row(Command::View(9), &["0"], "events", "what became of findings, and who knew of them", None),
    row(
        Command::Filter,
        &["/"],
        "filter",
        "filter as you type: words match fuzzily, field:value a column, ! turns round",
        Some("filter"),
    ),
    row(Command::ClearFilter, &[], "clear filter", "show all rows again", None),
    row(Command::Sort, &["s"], "sort", "choose the column to sort by", Some("sort")),
    row(Command::Reverse, &["S"], "reverse sort", "turn the order round", None),
    row(Command::Mark, &["space"], "mark", "mark the selected row and go on", Some("mark")),
    row(Command::ClearMarks, &[], "clear marks", "take all marks of this view away", None),
    row(Command::Palette, &[":", "ctrl-p"], "palette", "find a command by name", Some("commands")),
    row(Command::Help, &["?", "f1"], "help", "keys and what they do", Some("help")),
    row(Command::Pause, &["p"], "pause", "freeze the picture; findings stay live", Some("pause")),
    row(Command::Refresh, &["R"], "refresh now", "poll every source now", None),
    row(Command::Faster, &["+", "="], "shorter interval", "poll more often", None),
    row(Command::Slower, &["-"], "longer interval", "poll less often", None),
    row(Command::Copy, &["y"], "copy", "copy the selected name by OSC 52", Some("copy")),
    row(Command::CopyAll, &["Y"], "copy all", "copy everything about the selected thing by OSC 52", None),
    row(Command::Unfold, &["z"], "unfold", "unfold or fold JSON in the inspector", None),
    row(
        Command::Release,
        &["x"],
        "release",
        "force-release a lock, revoke a lease, or put a claimed message back; opens a preview",
        Some("release"),
    ),
    row(
        Command::Reroute,
        &["r"],
        "re-route",
        "give a message, or the task it carries, to another agent; opens a preview",
        Some("re-route"),
    ),
    row(Command::Acknowledge, &["a"], "acknowledge", "retire a message for good; opens a preview", Some("ack")),
    row(
        Command::Drain,
        &["d"],
        "drain",
        "let a node take no new work, or take it again; opens a preview",
        Some("drain"),
    ),
    row(
        Command::Quarantine,
        &["u"],
        "quarantine",
        "shut a node out, or let it in again; opens a preview",
        Some("quarantine"),
    ),
    row(
        Command::Evacuate,
        &["e"],
        "evacuate",
        "one plan for everything that a dead node holds; opens a preview",
        Some("evacuate"),
    ),
    row(
        Command::GiveBack,
        &["c"],
        "give back",
        "cancel the hold on a lock that was fenced off; opens a preview",
        Some("give back"),
    ),
    row(
        Command::Recover,
        &["f"],
        "recover",
        "look into attempts whose end is not known, and add the op-log entries that they lack",
        None,
    ),
    row(
        Command::Known,
        &["A"],
        "known",
        "say that a finding is known: it calls nobody until the time is over, it is cleared, or it gets worse; again takes it back",
        None,
    ),
    row(Command::Repo, &["o"], "next repository", "show one repository after another, then all again", None),
    row(Command::Theme, &["t"], "next theme", "dark, light, contrast, mono", None),
    row(Command::Zone, &["T"], "next time zone", "clocks in UTC, or in local time", None),
    row(Command::Mouse, &["m"], "mouse", "give the mouse to the terminal to select text, or take it back", None),
    row(Command::Redraw, &["ctrl-l"], "redraw", "draw the whole screen anew", None),
    row(Command::Suspend, &["ctrl-z"], "suspend", "back to the shell; fg returns", None),
    row(Command::Quit, &["q"], "quit", "close what is open, or quit", Some("quit")),
    row(Command::Leave, &["ctrl-c"], "leave", "quit at once", None),
];

/// The keys and commands, as `lockkeeper keys` prints them.
#[must_use]
pub fn listing(keymap: &Keymap) -> String {
    let mut out = String::new();
    for info in COMMANDS {
        let keys = keymap.keys(info);
        let keys = if keys.is_empty() { "(palette)".into() } else { keys.join(", ") };
        out.push_str(&format!("{keys:<18} {:<18} {}\n", info.name, info.help));
    }
    out.push_str("\nEvery command is in the palette (:), where `theme NAME`, `interval SPAN`, `known SPAN`, `repo ID` and `mesh NAME` work too.\n");
    out
}

/// The same as a page of the docs.
#[must_use]
pub fn docs_page() -> String {
    let mut out = String::from(
        "# Keys\n\nMade from the program's own table (`lockkeeper keys`).\n\n| keys | command | what it does |\n|---|---|---|\n",
    );
    for info in COMMANDS {
        let keys: Vec<String> = info.keys.iter().map(|k| format!("`{k}`")).collect();
        let keys = if keys.is_empty() { "palette".into() } else { keys.join(" ") };
        out.push_str(&format!("| {keys} | {} | {} |\n", info.name, info.help));
    }
    out.push_str("\nEvery command is in the palette (`:`), where `theme NAME`, `interval SPAN`, `known SPAN`, `repo ID` and `mesh NAME` work too.\n");
    out
}
