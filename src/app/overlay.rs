//! What may lie over a view: help, palette, finder, sort menu, inspector, and the dialogs of a plan.

use super::find::Found;
use super::own::OwnRun;
use super::preview::Preview;
use super::view_id::ViewId;
use crate::app::workspace::Key;

/// One of them.
#[derive(Debug, Clone)]
pub enum Overlay {
    Help {
        scroll: usize,
    },
    Palette {
        input: tui_input::Input,
        selected: usize,
    },
    Find(Finder),
    Sort {
        selected: usize,
    },
    /// Which columns the view has.
    Columns {
        selected: usize,
    },
    /// Views that are saved; a name is being typed for one.
    Saved {
        selected: usize,
        naming: Option<tui_input::Input>,
    },
    /// Whether a command of the operator's own is to run.
    Own(OwnAsk),
    /// What a command wrote.
    Output {
        title: String,
        lines: Vec<String>,
        offset: usize,
    },
    Inspector(Inspector),
    /// Who gets what is re-routed.
    Picker(Picker),
    /// What would run.
    Preview(Box<Preview>),
    /// What runs, or ran.
    Run {
        offset: usize,
    },
}

/// A command that waits for a word.
#[derive(Debug, Clone)]
pub struct OwnAsk {
    pub run: OwnRun,
    /// The name that is to be typed, and what is typed of it.
    pub typing: Option<(String, tui_input::Input)>,
}

/// What is looked for, and what was found.
#[derive(Debug, Clone, Default)]
pub struct Finder {
    pub input: tui_input::Input,
    pub found: Vec<Found>,
    pub selected: usize,
}

/// The choice of a receiver. The first row leaves it to the ranking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picker {
    /// The mesh they are of.
    pub mesh: usize,
    /// Keys of messages: a frozen list.
    pub messages: Vec<String>,
    pub selected: usize,
}

/// The inspector: a thing in a view, and where one is in its page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspector {
    pub view: ViewId,
    pub key: Key,
    pub cursor: usize,
    pub offset: usize,
    pub unfolded: bool,
    /// Rows on screen, as last drawn.
    pub height: usize,
    /// Where one came from by links.
    pub trail: Vec<(ViewId, Key)>,
}

impl Inspector {
    /// Opens a thing.
    #[must_use]
    pub fn on(view: ViewId, key: Key) -> Self {
        Self { view, key, cursor: 0, offset: 0, unfolded: false, height: 1, trail: Vec::new() }
    }

    /// Moves within a page of `rows` rows.
    pub fn go(&mut self, to: usize, rows: usize) {
        self.cursor = to.min(rows.saturating_sub(1));
        let height = self.height.max(1);
        self.offset = self.offset.clamp((self.cursor + 1).saturating_sub(height), self.cursor);
        self.offset = self.offset.min(rows.saturating_sub(height));
    }
}
