//! The rooms, ground floor first, and what each may use. A room uses itself and rooms that stand before it in the table.

/// A room: a module with everything below it that is no room of its own.
pub struct Room {
    pub module: &'static str,
    /// Rooms, or modules of them.
    pub uses: &'static [&'static str],
    /// What it never touches, beyond this crate.
    pub never: &'static [&'static str],
}

/// What decides is pure: no files, no network, no tasks, no clock, no terminal.
const PURE: &[&str] =
    &["tokio", "std::fs", "std::net", "std::time::SystemTime", "std::time::Instant", "reqwest", "libsql", "ratatui"];

const TERMINAL: &[&str] = &["ratatui", "crossterm"];

const fn room(module: &'static str, uses: &'static [&'static str], never: &'static [&'static str]) -> Room {
    Room { module, uses, never }
}

pub const ROOMS: &[Room] = &[
    room("model", &[], PURE),
    room("os", &[], TERMINAL),
    room("clock", &["model", "os"], TERMINAL),
    room("panic_guard", &[], TERMINAL),
    room("mesh", &["model"], PURE),
    room("action::plan", &["model", "mesh"], PURE),
    room("action", &["model", "os", "mesh", "action::plan"], TERMINAL),
    room("config", &["model", "os"], TERMINAL),
    room("data", &["model", "os", "config", "clock", "panic_guard", "action::executor"], TERMINAL),
    room("data::vox", &["model", "os", "config", "clock", "action::executor", "data"], TERMINAL),
    room("data::harn", &["model", "os", "config", "clock", "action::executor", "data"], TERMINAL),
    room("columns", &["model", "mesh"], PURE),
    room("answers", &["model", "mesh", "columns"], PURE),
    room("data::consensus", &["model", "os", "config", "clock", "action::executor", "data"], TERMINAL),
    room("data::meerkat", &["model", "os", "config", "clock", "action::executor", "data"], TERMINAL),
    room("recording", &["model", "os", "panic_guard", "mesh"], TERMINAL),
    room("app", &["model", "mesh", "columns", "action", "action::plan"], PURE),
    room(
        "ui",
        &["model", "os", "mesh", "columns", "action", "action::plan", "app"],
        &["crossterm", "tokio", "std::fs", "std::time::SystemTime"],
    ),
    room("demo", &["model", "os", "config", "clock", "data"], TERMINAL),
    room("demo::vox", &["model", "os", "config", "clock", "data", "data::vox", "demo"], TERMINAL),
    room("demo::harn", &["model", "config", "clock", "data", "data::harn", "demo"], TERMINAL),
    room("demo::consensus", &["model", "config", "clock", "data", "data::consensus", "demo"], TERMINAL),
    room("demo::meerkat", &["model", "config", "clock", "data", "data::meerkat", "demo"], TERMINAL),
    room(
        "systems",
        &[
            "config",
            "data",
            "data::vox",
            "data::harn",
            "data::consensus",
            "data::meerkat",
            "demo",
            "demo::vox",
            "demo::harn",
            "demo::consensus",
            "demo::meerkat",
        ],
        TERMINAL,
    ),
    room("settings", &["model", "os", "mesh", "action", "action::plan", "config", "data", "app", "systems"], TERMINAL),
    room(
        "runtime",
        &[
            "model",
            "os",
            "clock",
            "panic_guard",
            "mesh",
            "columns",
            "action",
            "action::plan",
            "config",
            "data",
            "app",
            "recording",
            "ui",
            "settings",
        ],
        &[],
    ),
    room(
        "serve",
        &["model", "os", "clock", "mesh", "action", "action::plan", "columns", "answers", "settings", "runtime"],
        TERMINAL,
    ),
    room(
        "commands",
        &[
            "model",
            "os",
            "clock",
            "panic_guard",
            "mesh",
            "action",
            "action::plan",
            "columns",
            "config",
            "data",
            "recording",
            "app",
            "answers",
            "serve",
            "demo",
            "systems",
            "settings",
            "runtime",
        ],
        TERMINAL,
    ),
];
