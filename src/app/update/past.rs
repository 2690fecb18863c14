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

#[cfg(test)]
mod tests {
    use super::super::update;
    use super::*;
    use crate::app::Event;
    use crate::app::command::Command;
    use crate::model::mark::{Mark, MarkKind};
    use crate::model::time::MINUTE;
    use crate::testing::{NOW, mesh, options, snapshot, starting_mesh};

    const BEGIN: Millis = NOW - 30 * MINUTE;

    /// An app that knows the hand-made mesh now.
    fn app() -> App {
        let mut app = App::new(options(), NOW);
        update(&mut app, Event::Snapshot(0, snapshot(mesh(), NOW)));
        app
    }

    /// A moment at which nothing was known yet.
    fn moment(at_ms: Millis, opened: bool) -> Event {
        let mark = |at_ms, kind| Mark { at_ms, kind, text: "ci-7: dead".into() };
        let marks =
            opened.then(|| [mark(NOW - 20 * MINUTE, MarkKind::Lost), mark(NOW - 10 * MINUTE, MarkKind::Raised)].into());
        let snapshots = vec![(0, snapshot(starting_mesh(), at_ms))];
        Event::Past(PastNews::Moment { at_ms, from_ms: BEGIN, to_ms: NOW - 1_000, marks, snapshots })
    }

    fn travels(effects: &[Effect]) -> Vec<Travel> {
        let travel = |effect: &Effect| if let Effect::Travel(travel) = effect { Some(*travel) } else { None };
        effects.iter().filter_map(travel).collect()
    }

    #[test]
    fn the_past_is_shown_until_one_returns_and_what_comes_meanwhile_is_kept() {
        let mut app = app();
        assert_eq!(travels(&app.run(Command::MarkBefore)), [Travel::Open(None)]);
        assert!(app.past().is_none(), "nothing is shown before it is there");
        // The last mark was wanted.
        assert_eq!(travels(&update(&mut app, moment(NOW - 1_000, true))), [Travel::To(NOW - 10 * MINUTE)]);
        update(&mut app, moment(NOW - 10 * MINUTE, false));
        assert_eq!((app.shown_ms(), app.workspace.snapshot(0).unwrap().nodes.len()), (NOW - 10 * MINUTE, 0));
        assert!(app.past().unwrap().here().is_some_and(|mark| mark.kind == MarkKind::Raised));
        assert_eq!(travels(&app.run(Command::MarkBefore)), [Travel::To(NOW - 20 * MINUTE)]);
        assert_eq!(travels(&app.run(Command::MarkAfter)), []);
        assert_eq!(travels(&app.run(Command::MinuteBack)), [Travel::To(NOW - 11 * MINUTE)]);
        assert_eq!(travels(&app.run(Command::StepOn)), [Travel::Step(true)]);
        update(&mut app, Event::Snapshot(0, snapshot(mesh(), NOW)));
        assert_eq!(app.workspace.snapshot(0).unwrap().nodes.len(), 0, "the past stays");
        assert_eq!(travels(&app.run(Command::Now)), [Travel::Close]);
        assert_eq!((app.shown_ms(), app.workspace.snapshot(0).unwrap().nodes.is_empty()), (NOW, false));
        // What was asked for before comes too late.
        update(&mut app, moment(NOW - 11 * MINUTE, false));
        assert!(app.past().is_none());
    }

    #[test]
    fn nothing_is_done_in_the_past() {
        let mut app = app();
        update(&mut app, moment(NOW - MINUTE, true));
        assert!(app.offered().is_empty());
        for command in crate::app::acts::ACTS.iter().chain(&[Command::Acknowledge, Command::Recover]) {
            assert_eq!(app.run(*command), [], "{command:?}");
            assert!(app.overlay.is_none(), "{command:?}");
            assert!(app.toast.take().is_some_and(|toast| toast.text.starts_with("nothing can be done at")));
        }
    }

    #[test]
    fn instants_are_typed_and_time_plays() {
        let mut app = app();
        assert_eq!(travels(&app.go_to("-5m")), [Travel::Open(Some(NOW - 5 * MINUTE))]);
        assert_eq!(app.go_to("soon"), []);
        assert!(app.toast.take().is_some_and(|toast| toast.text.contains("-10m")));
        update(&mut app, moment(NOW - 5 * MINUTE, true));
        assert_eq!(travels(&app.go_to("04:58:45")), [Travel::To(NOW - 10 * MINUTE)]);
        app.run(Command::Pause);
        app.run(Command::Faster);
        assert_eq!(travels(&update(&mut app, Event::Tick(NOW + 1_000))), [Travel::To(NOW - 5 * MINUTE + 2_000)]);
        app.run(Command::Pause);
        assert_eq!(travels(&update(&mut app, Event::Tick(NOW + 2_000))), []);
        // It ends where the recording does.
        update(&mut app, moment(NOW - 1_000, false));
        assert_eq!(travels(&app.run(Command::StepOn)), [Travel::Close], "the next moment is now");
    }

    #[test]
    fn what_changed_from_there_to_now_is_a_page() {
        let mut app = app();
        app.run(Command::Changes);
        assert!(app.overlay.is_none(), "there is nothing to compare now with");
        update(&mut app, moment(NOW - MINUTE, true));
        app.run(Command::Changes);
        let Some(Overlay::Output { title, lines, .. }) = &app.overlay else { panic!("{:?}", app.overlay) };
        assert!(title.starts_with("What changed from 05:07:45"), "{title}");
        assert!(lines.iter().any(|line| line.contains("+ ci-7")), "{lines:?}");
    }

    #[test]
    fn a_recording_has_no_clock_but_its_own() {
        let mut app = App::new(crate::app::Options { replay: true, ..options() }, NOW);
        app.begin_replay(10);
        update(&mut app, moment(BEGIN, true));
        assert_eq!((app.now_ms, app.past().map(|past| (past.speed, past.playing))), (BEGIN, Some((10, true))));
        assert_eq!(travels(&update(&mut app, Event::Tick(NOW))), [Travel::To(BEGIN + 10_000)]);
        assert_eq!(app.now_ms, BEGIN);
        assert_eq!(travels(&app.run(Command::Now)), [Travel::To(NOW - 1_000)], "its end");
    }
}
