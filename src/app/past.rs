//! The past: where one is in a recording, and the ways to another instant of it. Pure.

use std::sync::Arc;

use super::history::History;
use crate::mesh::derive::Snapshot;
use crate::model::mark::Mark;
use crate::model::time::Millis;

/// Speeds that `+` and `-` step through: seconds of the recording in one.
pub const SPEEDS: &[u32] = &[1, 2, 5, 10, 30, 60, 300, 1_000];

/// Where one is in a recording.
#[derive(Debug, Clone)]
pub struct Past {
    pub at_ms: Millis,
    /// The first and the last instant of it.
    pub from_ms: Millis,
    pub to_ms: Millis,
    pub marks: Arc<[Mark]>,
    /// What was observed up to there, by mesh, as soon as it is known.
    pub histories: Vec<(usize, History)>,
    /// Seconds of it that pass in one.
    pub speed: u32,
    pub playing: bool,
}

/// A way through a recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Travel {
    /// Open it as it is by now, at an instant; at its last one, if none is named.
    Open(Option<Millis>),
    To(Millis),
    /// To the next moment, or to the one before.
    Step(bool),
    /// Back to now.
    Close,
}

/// What is wanted as soon as the recording is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// The last mark before the end.
    Mark,
    /// The moment before the last one.
    Step,
    /// So far before its end, in ms.
    Back(Millis),
    /// So many seconds of it in one.
    Play(u32),
}

/// What a recording tells.
#[derive(Debug, Clone)]
pub enum PastNews {
    Moment {
        at_ms: Millis,
        from_ms: Millis,
        to_ms: Millis,
        /// Where the recording was opened anew.
        marks: Option<Arc<[Mark]>>,
        /// By mesh; of those that are not recorded there is none.
        snapshots: Vec<(usize, Arc<Snapshot>)>,
    },
    /// What was observed up to a moment, by mesh.
    Before { at_ms: Millis, histories: Vec<(usize, History)> },
}

impl Past {
    /// The next mark after where one is, or the last one before.
    #[must_use]
    pub fn mark(&self, forward: bool) -> Option<&Mark> {
        if forward {
            self.marks.iter().find(|mark| mark.at_ms > self.at_ms)
        } else {
            self.marks.iter().rev().find(|mark| mark.at_ms < self.at_ms)
        }
    }

    /// The last mark that is not after where one is, if it is near.
    #[must_use]
    pub fn here(&self) -> Option<&Mark> {
        self.marks.iter().rev().find(|mark| mark.at_ms <= self.at_ms).filter(|mark| self.at_ms - mark.at_ms < NEAR)
    }

    /// Where an instant is on a bar of so many cells.
    #[must_use]
    pub fn cell(&self, at_ms: Millis, cells: usize) -> usize {
        let span = (self.to_ms - self.from_ms).max(1);
        let into = (at_ms - self.from_ms).clamp(0, span);
        let last = cells.saturating_sub(1);
        usize::try_from(i128::from(into) * last as i128 / i128::from(span)).unwrap_or(0).min(last)
    }
}

/// A mark is told for so long after it.
const NEAR: Millis = 5_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::mark::MarkKind;

    #[test]
    fn marks_are_found_on_both_sides_and_have_a_place_on_the_bar() {
        let mark = |at_ms| Mark { at_ms, kind: MarkKind::Raised, text: at_ms.to_string().into() };
        let past = |at_ms| Past {
            at_ms,
            from_ms: 1_000,
            to_ms: 101_000,
            marks: [mark(1_000), mark(50_000), mark(90_000)].into(),
            histories: Vec::new(),
            speed: 1,
            playing: false,
        };
        let near = |at, forward| past(at).mark(forward).map(|mark| mark.at_ms);
        assert_eq!((near(50_000, true), near(50_000, false)), (Some(90_000), Some(1_000)));
        assert_eq!((near(90_000, true), near(1_000, false)), (None, None));
        assert_eq!(past(52_000).here().map(|mark| mark.at_ms), Some(50_000));
        assert_eq!(past(60_000).here(), None);
        assert_eq!([0, 1_000, 51_000, 101_000, i64::MAX].map(|at| past(0).cell(at, 11)), [0, 0, 5, 10, 10]);
        assert_eq!(past(0).cell(5, 0), 0);
    }
}
