//! Ways through the past: what is shown then is shown as it was, and nothing is done from there.

use super::super::history::STEP;
use super::super::list::events::EVENTS as EVENTS_LIST;
use super::super::overlay::Overlay;
use super::super::past::{Past, PastNews, SPEEDS, Travel, Wish};
use super::super::view_id::ViewId;
use super::super::{App, Effect, Frozen};
use crate::columns::role::Role;
use crate::model::instant;
use crate::model::time::{Millis, clock, short};

impl App {
    /// Where one is in the past; nothing where one is not.
    #[must_use]
    pub fn past(&self) -> Option<&Past> {
        self.frozen.as_ref()?.past.as_ref()
    }

    fn past_mut(&mut self) -> Option<&mut Past> {
        self.frozen.as_mut()?.past.as_mut()
    }

    /// Says that nothing can be done in the past. Answers whether it had to be said.
    pub(super) fn only_now(&mut self) -> bool {
        let Some(past) = self.past() else { return false };
        let at = clock(past.at_ms, self.offset(past.at_ms));
        let way = if self.options.replay { "a recording" } else { "the past: N goes back to now" };
        self.toast(format!("nothing can be done at {at}, it is {way}"), Role::Alert);
        true
    }

    /// What is shown is a recording, which begins to play.
    pub fn begin_replay(&mut self, speed: u32) {
        self.wish = Some(Wish::Play(speed));
    }

    fn open_past(&mut self, wish: Wish) -> Vec<Effect> {
        self.wish = Some(wish);
        vec![Effect::Travel(Travel::Open(None))]
    }

    /// To the next moment, or to the one before.
    pub(super) fn step_past(&mut self, forward: bool) -> Vec<Effect> {
        match self.past_mut() {
            None if forward => self.is_now(),
            None => self.open_past(Wish::Step),
            Some(past) => {
                past.playing = false;
                if forward && past.at_ms >= past.to_ms {
                    return self.at_end();
                }
                vec![Effect::Travel(Travel::Step(forward))]
            }
        }
    }

    /// So far on, or back.
    pub(super) fn leap(&mut self, by_ms: Millis) -> Vec<Effect> {
        match self.past() {
            None if by_ms > 0 => self.is_now(),
            None => self.open_past(Wish::Back(-by_ms)),
            Some(past) if by_ms > 0 && past.at_ms >= past.to_ms => self.at_end(),
            Some(past) => {
                let to = (past.at_ms + by_ms).clamp(past.from_ms, past.to_ms);
                vec![Effect::Travel(Travel::To(to))]
            }
        }
    }

    /// To the next thing that happened, or to the one before.
    pub(super) fn leap_to_mark(&mut self, forward: bool) -> Vec<Effect> {
        let Some(past) = self.past() else {
            return if forward { self.is_now() } else { self.open_past(Wish::Mark) };
        };
        match past.mark(forward).map(|mark| mark.at_ms) {
            Some(at_ms) => vec![Effect::Travel(Travel::To(at_ms))],
            None => {
                let side = if forward { "after" } else { "before" };
                self.toast(format!("nothing is marked {side} this"), Role::Dim);
                Vec::new()
            }
        }
    }

    /// To an instant that was typed.
    pub(super) fn go_to(&mut self, typed: &str) -> Vec<Effect> {
        let end = self.past().map_or(self.now_ms, |past| past.to_ms);
        match instant::parse(typed, end, self.offset(end)) {
            Ok(at_ms) if at_ms >= self.now_ms && !self.options.replay => self.now(),
            Ok(at_ms) if self.past().is_some() => vec![Effect::Travel(Travel::To(at_ms))],
            Ok(at_ms) => vec![Effect::Travel(Travel::Open(Some(at_ms)))],
            Err(why) => {
                self.toast(why, Role::Alert);
                Vec::new()
            }
        }
    }

    /// To when the selected finding was raised, or to the selected event.
    pub(super) fn go_to_raised(&mut self) -> Vec<Effect> {
        let (view, chosen) = self.chosen();
        let workspace = if self.past().is_some() { &self.workspace } else { self.latest() };
        let at_ms = chosen.first().and_then(|key| {
            let snapshot = workspace.snapshot(key.mesh)?;
            match view {
                ViewId::Findings => {
                    let finding = snapshot.findings.iter().find(|finding| finding.key() == key.key)?;
                    finding.life.as_ref().map(|life| life.raised_ms)
                }
                ViewId::Events => snapshot
                    .mesh
                    .events
                    .iter()
                    .find(|event| (EVENTS_LIST.key)(event) == key.key)
                    .map(|event| event.at_ms),
                _ => None,
            }
        });
        match at_ms {
            Some(at_ms) if self.past().is_some() => vec![Effect::Travel(Travel::To(at_ms))],
            Some(at_ms) => vec![Effect::Travel(Travel::Open(Some(at_ms)))],
            None => {
                self.toast("select a finding that was raised, or an event", Role::Warn);
                Vec::new()
            }
        }
    }

    /// Plays, or stands still.
    pub(super) fn play(&mut self) {
        if let Some(past) = self.past_mut() {
            past.playing = !past.playing;
        }
    }

    /// Plays faster, or slower.
    pub(super) fn change_speed(&mut self, faster: bool) {
        let Some(past) = self.past_mut() else { return };
        let next = if faster {
            SPEEDS.iter().find(|speed| **speed > past.speed)
        } else {
            SPEEDS.iter().rev().find(|speed| **speed < past.speed)
        };
        past.speed = next.copied().unwrap_or(past.speed);
        let text = format!("playing {} s a second", past.speed);
        self.toast(text, Role::Dim);
    }

    /// A second passed.
    pub(super) fn play_on(&mut self) -> Vec<Effect> {
        let Some(past) = self.past_mut().filter(|past| past.playing) else { return Vec::new() };
        if past.at_ms >= past.to_ms {
            past.playing = false;
            return Vec::new();
        }
        let to = (past.at_ms + i64::from(past.speed) * 1_000).min(past.to_ms);
        vec![Effect::Travel(Travel::To(to))]
    }

    /// Back to now; in a recording, to its end.
    pub(super) fn now(&mut self) -> Vec<Effect> {
        if self.options.replay {
            return self.past().map(|past| Effect::Travel(Travel::To(past.to_ms))).into_iter().collect();
        }
        if self.past().is_none() {
            return self.is_now();
        }
        if let Some(frozen) = self.frozen.take() {
            self.workspace = frozen.latest;
            self.refresh_tables();
        }
        self.toast("this is now", Role::Dim);
        vec![Effect::Travel(Travel::Close)]
    }

    fn is_now(&mut self) -> Vec<Effect> {
        self.toast("this is now", Role::Dim);
        Vec::new()
    }

    fn at_end(&mut self) -> Vec<Effect> {
        if self.options.replay {
            self.toast("the recording ends here", Role::Dim);
            return Vec::new();
        }
        self.now()
    }

    /// Takes a moment of the recording.
    pub(super) fn take_past(&mut self, news: PastNews) -> Vec<Effect> {
        let (at_ms, from_ms, to_ms, marks, snapshots) = match news {
            PastNews::Moment { at_ms, from_ms, to_ms, marks, snapshots } => (at_ms, from_ms, to_ms, marks, snapshots),
            PastNews::Before { at_ms, histories } => {
                if let Some(past) = self.past_mut().filter(|past| past.at_ms == at_ms) {
                    past.histories = histories;
                }
                return Vec::new();
            }
        };
        let opened = marks.is_some();
        // Who went back to now meanwhile stays there.
        if !opened && self.past().is_none() {
            return Vec::new();
        }
        let before = self.frozen.take();
        let known = before.as_ref().and_then(|frozen| frozen.past.clone());
        let latest = match before {
            Some(frozen) => frozen.latest,
            None => self.workspace.clone(),
        };
        let (speed, playing) = known.as_ref().map_or((1, false), |past| (past.speed, past.playing));
        // While it plays the histories of a moment ago are shown until those of this one are known.
        let histories = known.as_ref().filter(|past| past.at_ms <= at_ms && at_ms - past.at_ms <= STEP);
        let histories = histories.map(|past| past.histories.clone()).unwrap_or_default();
        let marks = marks.or_else(|| known.map(|past| past.marks)).unwrap_or_default();
        let past = Past { at_ms, from_ms, to_ms, marks, histories, speed, playing };
        self.workspace = self.options.workspace();
        for (mesh, snapshot) in snapshots {
            self.workspace.set(mesh, snapshot, self.options.repo.as_deref());
        }
        let latest = if self.options.replay {
            // Its clock is the only one.
            self.now_ms = at_ms;
            self.workspace.clone()
        } else {
            latest
        };
        self.frozen = Some(Frozen { since_ms: at_ms, latest, past: Some(past) });
        self.refresh_tables();
        match self.wish.take().filter(|_| opened) {
            Some(Wish::Mark) => self.leap_to_mark(false),
            Some(Wish::Step) => vec![Effect::Travel(Travel::Step(false))],
            Some(Wish::Play(speed)) => {
                if let Some(past) = self.past_mut() {
                    (past.speed, past.playing) = (speed.max(1), speed > 0);
                }
                Vec::new()
            }
            Some(Wish::Back(span)) => vec![Effect::Travel(Travel::To((self.now_ms - span).max(from_ms)))],
            None => Vec::new(),
        }
    }

    /// What the bar of time says at its right end.
    #[must_use]
    pub fn past_label(&self) -> String {
        let Some(past) = self.past() else { return String::new() };
        let ago = if self.options.replay {
            format!("{} before its end", short(past.to_ms - past.at_ms))
        } else {
            format!("{} ago", short(self.now_ms - past.at_ms))
        };
        let playing = if past.playing { format!("  playing {}x", past.speed) } else { String::new() };
        format!("{}, {ago}{playing}", clock(past.at_ms, self.offset(past.at_ms)))
    }

    /// What changed between what is shown and now, or the end of what is shown; as lines of a page.
    pub(super) fn show_changes(&mut self) {
        if self.past().is_none() {
            self.toast("go back first: , a moment, < a minute", Role::Dim);
            return;
        }
        let (from, to) = match &self.anchor {
            Some(anchor) if anchor.0 != self.shown_ms() => {
                let here = (self.shown_ms(), self.workspace.clone());
                let other = (anchor.0, anchor.1.clone());
                if other.0 < here.0 { (other, here) } else { (here, other) }
            }
            _ => ((self.shown_ms(), self.workspace.clone()), (self.now_ms, self.latest().clone())),
        };
        let offset = self.offset(from.0);
        let title = format!("What changed from {} to {}", clock(from.0, offset), clock(to.0, offset));
        let lines = super::super::changed::lines(&from.1, &to.1);
        self.overlay = Some(Overlay::Output { title, lines, offset: 0 });
    }

    /// Remembers what is shown, to compare another instant with it.
    pub(super) fn set_anchor(&mut self) {
        self.anchor = Some((self.shown_ms(), self.workspace.clone()));
        let at = clock(self.shown_ms(), self.offset(self.shown_ms()));
        self.toast(format!("another instant is compared with {at}"), Role::Dim);
    }
}
