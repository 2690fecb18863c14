//! The app, driven by events alone.

use std::time::Duration;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use proptest::prelude::*;

use super::update::update;
use super::*;
use crate::mesh::MeshState;
use crate::mesh::derive::finding::{Finding, Life};
use crate::model::LockTable;
use crate::model::observation::{Change, Observation};
use crate::model::report::Report;
use crate::model::severity::Severity;
use crate::testing::{NOW, heartbeat, lock, mesh, options, snapshot, starting_mesh};

pub fn app_on(snapshot: Option<Arc<Snapshot>>) -> App {
    let mut app = App::new(options(), NOW);
    for table in &mut app.tables {
        table.height = 10;
    }
    if let Some(snapshot) = snapshot {
        update(&mut app, Event::Snapshot(0, snapshot));
    }
    app
}

fn app() -> App {
    app_on(Some(snapshot(mesh(), NOW)))
}

fn press(app: &mut App, keys: &str) -> Vec<Effect> {
    let mut effects = Vec::new();
    for c in keys.chars() {
        let code = match c {
            '\r' => KeyCode::Enter,
            '\x1b' => KeyCode::Esc,
            '\t' => KeyCode::Tab,
            c => KeyCode::Char(c),
        };
        let shift = if c.is_uppercase() { KeyModifiers::SHIFT } else { KeyModifiers::NONE };
        effects.extend(update(app, Event::Key(KeyEvent::new(code, shift))));
    }
    effects
}

fn mesh_of_locks(locks: Vec<crate::model::Lock>) -> MeshState {
    let observation = Observation {
        changes: vec![Change::Heartbeats(vec![heartbeat("n", "1", 0)]), Change::Locks(LockTable::Distributed, locks)],
        ..Observation::default()
    };
    starting_mesh().after(Report::Observed { source: 0, at_ms: NOW, observation: Box::new(observation) })
}

#[test]
fn the_selection_stays_on_the_thing_when_rows_come_and_go() {
    let keys = |names: &[&str]| names.iter().map(|k| lock(k, "n", "1", 300_000)).collect::<Vec<_>>();
    let mut app = app_on(Some(snapshot(mesh_of_locks(keys(&["b", "d", "f"])), NOW)));
    press(&mut app, "3j");
    let selected = app.table().selected.clone().unwrap();
    assert!(selected.key.ends_with('d'));
    for names in [&["a", "b", "c", "d", "f"][..], &["d"], &["d", "e"]] {
        update(&mut app, Event::Snapshot(0, snapshot(mesh_of_locks(keys(names)), NOW)));
        assert_eq!(app.table().selected.as_ref(), Some(&selected), "{names:?}");
    }
    // A thing that is gone leaves the selection near where it was, on something else.
    update(&mut app, Event::Snapshot(0, snapshot(mesh_of_locks(keys(&["a", "b"])), NOW)));
    assert!(app.table().selected.as_ref().is_some_and(|key| key.key.ends_with('a') || key.key.ends_with('b')));
    update(&mut app, Event::Snapshot(0, snapshot(mesh_of_locks(Vec::new()), NOW)));
    assert_eq!(app.table().selected, None);
}

#[test]
fn filtering_narrows_as_one_types_and_escape_clears() {
    let mut app = app();
    press(&mut app, "3/state:orphaned");
    assert_eq!(app.table().rows.len(), 2, "a lock and a lease of a dead node");
    press(&mut app, "\r");
    assert!(app.filtering.is_none());
    assert_eq!(app.table().rows.len(), 2, "Enter keeps the filter");
    press(&mut app, "\x1b");
    assert_eq!(app.table().rows.len(), 5);
}

#[test]
fn links_lead_to_things_and_back() {
    let mut app = app();
    press(&mut app, "7\r");
    let page = app.inspection().unwrap();
    let row = page.rows(false).iter().position(|row| row.target().is_some()).unwrap();
    press(&mut app, &"j".repeat(row));
    press(&mut app, "\r");
    let Some(Overlay::Inspector(inspector)) = &app.overlay else { panic!("an inspector") };
    assert_eq!(inspector.trail.len(), 1);
    assert_ne!(app.view, ViewId::Findings);
    press(&mut app, "\x1b");
    assert_eq!(app.view, ViewId::Findings);
    press(&mut app, "\x1b");
    assert!(app.overlay.is_none());
}

#[test]
fn a_pause_freezes_the_screen_but_not_the_alarms() {
    let mut app = app_on(Some(snapshot(starting_mesh(), NOW)));
    press(&mut app, "p");
    update(&mut app, Event::Tick(NOW + 5_000));
    update(&mut app, Event::Snapshot(0, snapshot(mesh(), NOW)));
    assert!(app.workspace.snapshot(0).unwrap().findings.is_empty());
    assert!(!app.latest().snapshot(0).unwrap().findings.is_empty());
    assert_eq!(app.shown_ms(), NOW);
    press(&mut app, "p");
    assert!(!app.workspace.snapshot(0).unwrap().findings.is_empty());
}

#[test]
fn commands_become_effects() {
    let mut app = app();
    assert_eq!(press(&mut app, "R"), [Effect::Refresh]);
    assert_eq!(press(&mut app, "-"), [Effect::Interval(Duration::from_secs(2))]);
    assert_eq!(press(&mut app, "+"), [Effect::Interval(Duration::from_secs(1))]);
    assert_eq!(press(&mut app, ":mesh staging\r"), [Effect::Mesh("staging".into())]);
    assert_eq!(press(&mut app, ":interval 7s\r"), [Effect::Interval(Duration::from_secs(7))]);
    assert_eq!(press(&mut app, ":theme mono\r"), []);
    assert_eq!(app.options.theme, "mono");
    assert_eq!(press(&mut app, "m"), [Effect::Mouse(false)]);
    assert!(matches!(press(&mut app, "2y").as_slice(), [Effect::Copy(name)] if !name.is_empty()));
    assert_eq!(press(&mut app, "?q"), []);
    assert_eq!(press(&mut app, "q"), [Effect::Quit]);
}

#[test]
fn a_repository_filter_never_hides_what_may_belong_to_it() {
    let mut app = app();
    press(&mut app, ":repo 0123456789abcdef\r2");
    // All nodes carry another hash but the one that only the registry knows.
    assert_eq!(app.table().rows.len(), 1);
    press(&mut app, ":repo all\r");
    assert_eq!(app.table().rows.len(), 5);
}

#[test]
fn the_op_log_is_followed_until_one_scrolls() {
    let mut app = app();
    press(&mut app, "6");
    assert!(app.table().follow);
    assert_eq!(app.table().cursor, 3);
    press(&mut app, "k");
    assert!(!app.table().follow);
    press(&mut app, "G");
    assert!(app.table().follow);
}

#[test]
fn pasted_text_is_bounded_and_cleaned() {
    let mut app = app();
    press(&mut app, "3/");
    update(&mut app, Event::Paste(format!("a\u{1b}[31m{}\nsecond", "b".repeat(1_000_000))));
    assert_eq!(app.table().filter.chars().count(), 256);
    assert!(!app.table().filter.contains('\u{1b}'));
}

proptest! {
    /// Whatever is pressed and whatever arrives: no panic, and the cursor is on a row that is on screen.
    #[test]
    fn nothing_typed_can_break_it(keys in "[a-zA-Z0-9/:?!\r\x1b\t+= -]{0,60}", heard: bool) {
        let mut app = app_on(heard.then(|| snapshot(mesh(), NOW)));
        for (i, key) in keys.chars().enumerate() {
            press(&mut app, &key.to_string());
            if i % 7 == 3 {
                update(&mut app, Event::Snapshot(0, snapshot(mesh(), NOW)));
            }
            let table = app.table();
            prop_assert!(table.cursor < table.rows.len().max(1));
            prop_assert!(table.offset <= table.cursor && table.cursor < table.offset + table.height.max(1));
        }
    }
}

fn dead_and_living() -> App {
    let beats = vec![heartbeat("dead", "3", 20 * crate::model::time::MINUTE), heartbeat("here", "1", 0)];
    let locks = vec![lock("a", "dead", "3", 60_000), lock("b", "here", "1", 60_000)];
    let changes = vec![Change::Heartbeats(beats), Change::Locks(LockTable::Distributed, locks)];
    let observation = Observation { changes, ..Observation::default() };
    let mesh = starting_mesh().after(Report::Observed { source: 0, at_ms: NOW, observation: Box::new(observation) });
    app_on(Some(snapshot(mesh, NOW)))
}

fn select(app: &mut App, name: &str) {
    press(app, "3/");
    press(app, name);
    press(app, "\r");
}

#[test]
fn signs_of_work_are_looked_for_anew_on_the_way_from_a_lock_to_its_plan() {
    let mut app = dead_and_living();
    select(&mut app, "lock:a");
    let looks = [Effect::Work { mesh: 0, resources: vec!["a".to_owned()] }];
    assert_eq!(press(&mut app, "\r"), looks);
    assert!(update(&mut app, Event::Tick(NOW + 1_000)).is_empty(), "once for each");
    assert_eq!(press(&mut app, "x"), looks);
}

#[test]
fn enter_never_confirms_and_escape_leaves() {
    for name in ["a", "b"] {
        for key in ["\r", "\x1b", "q", "n"] {
            let mut app = dead_and_living();
            select(&mut app, &format!("lock:{name}"));
            let looks = [Effect::Work { mesh: 0, resources: vec![name.to_owned()] }];
            assert_eq!(press(&mut app, "x"), looks, "it looks for signs of work, and does nothing else");
            assert!(matches!(app.overlay, Some(Overlay::Preview(_))), "{name}");
            assert!(press(&mut app, key).is_empty(), "{key:?} ran something");
            assert!(app.overlay.is_none());
        }
    }
}

#[test]
fn a_dead_holder_takes_y_and_a_living_one_its_name() {
    let mut app = dead_and_living();
    select(&mut app, "lock:a");
    press(&mut app, "x");
    let effects = press(&mut app, "y");
    assert!(matches!(effects.as_slice(), [Effect::Run { plan, .. }] if plan.steps.len() == 1));

    let mut app = dead_and_living();
    select(&mut app, "lock:b");
    press(&mut app, "xy");
    assert!(press(&mut app, "wrong\r").is_empty());
    assert!(press(&mut app, "\x1by").is_empty(), "the name is asked for anew");
    assert!(matches!(press(&mut app, "b\r").as_slice(), [Effect::Run { .. }]));
}

#[test]
fn a_key_meant_for_another_plan_is_not_taken() {
    let mut app = dead_and_living();
    select(&mut app, "lock:a");
    press(&mut app, "x");
    // The holder renews: a new fence, a sign of life.
    let mut renewed = lock("a", "dead", "3", 90_000);
    renewed.fence_token = Some(8);
    let beats = vec![heartbeat("dead", "3", 20 * crate::model::time::MINUTE), heartbeat("here", "1", 0)];
    let changes = vec![Change::Heartbeats(beats), Change::Locks(LockTable::Distributed, vec![renewed])];
    let observation = Observation { changes, ..Observation::default() };
    let mesh = starting_mesh().after(Report::Observed { source: 0, at_ms: NOW, observation: Box::new(observation) });
    update(&mut app, Event::Snapshot(0, snapshot(mesh, NOW)));
    assert!(press(&mut app, "y").is_empty(), "the plan changed this very moment");
    update(&mut app, Event::Tick(NOW + 1_000));
    let effects = press(&mut app, "y");
    let Some(Effect::Run { plan, .. }) = effects.first() else { panic!("{effects:?}") };
    assert!(plan.steps[0].action.summary().as_str().contains("fence 8"), "{}", plan.steps[0].action.summary());
}

#[test]
fn a_read_only_console_opens_no_preview_by_any_way() {
    let mut app = dead_and_living();
    app.options.open[0].policy.read_only = true;
    select(&mut app, "lock:a");
    for command in acts::ACTS {
        assert!(!app.offered().contains(command));
        assert!(app.run(*command).is_empty());
        assert!(app.overlay.is_none(), "{command:?}");
    }
    app.open_preview(0, crate::action::plan::Intent::Evacuate { node: "dead".into() });
    assert!(app.overlay.is_none());
    assert!(palette::entries(&app, "release").iter().all(|entry| !entry.help.contains("force-release")));
}

#[test]
fn actions_are_hinted_only_where_they_fit() {
    let mut app = dead_and_living();
    let offered = |app: &App| app.offered();
    assert_eq!(offered(&app), [command::Command::Drain, command::Command::Quarantine, command::Command::Evacuate]);
    press(&mut app, "0");
    assert!(offered(&app).is_empty(), "nothing is done to what happened");
    press(&mut app, "3");
    assert_eq!(offered(&app), [command::Command::Release]);
    press(&mut app, "2/node:dead\r");
    assert_eq!(offered(&app), [command::Command::Drain, command::Command::Quarantine, command::Command::Evacuate]);
    press(&mut app, "/\x1b/node:here\r");
    assert_eq!(offered(&app), [command::Command::Drain, command::Command::Quarantine], "the living are not evacuated");
}

#[test]
fn a_running_plan_goes_on_without_being_looked_at_and_is_stopped_by_escape() {
    use crate::model::outcome::{Outcome, Progress};
    let mut app = dead_and_living();
    select(&mut app, "lock:a");
    press(&mut app, "xy");
    assert!(matches!(app.overlay, Some(Overlay::Run { .. })));
    assert_eq!(press(&mut app, "\x1b"), [Effect::Stop { mesh: 0 }]);
    press(&mut app, "\r");
    assert!(app.overlay.is_none());
    // Another plan waits for the first to end.
    press(&mut app, "x");
    assert!(matches!(app.overlay, Some(Overlay::Run { .. })));
    press(&mut app, "\r");
    update(&mut app, Event::Progress(Progress::Started(0)));
    update(&mut app, Event::Progress(Progress::Ended(0, Outcome::refused("it is another's"))));
    update(&mut app, Event::Progress(Progress::Finished));
    assert!(app.toast.as_ref().is_some_and(|toast| toast.text.contains("0 of 1 done, 1 refused")), "{:?}", app.toast);
    press(&mut app, "x");
    assert!(matches!(app.overlay, Some(Overlay::Preview(_))));
}

#[test]
fn what_happened_calls_once_by_its_severity() {
    let calls = Calls {
        bell: Some(Severity::Critical),
        notify: Some(Severity::Warning),
        title: true,
        known_for: Duration::from_secs(60),
    };
    let mut app = app_on(None);
    app.options.calls = calls;
    // Frozen or not: alarms are never silenced.
    press(&mut app, "p");
    let effects = update(&mut app, Event::Snapshot(0, snapshot(mesh(), NOW)));
    let alerts = |effects: &[Effect]| effects.iter().filter(|e| matches!(e, Effect::Bell | Effect::Notify(_))).count();
    assert_eq!(alerts(&effects), 2, "{effects:?}");
    assert!(
        effects.iter().any(|e| matches!(e, Effect::Title(title) if title.starts_with("✖ 5 ▲ 1 prod"))),
        "{effects:?}"
    );
    for effect in &effects {
        if let Effect::Notify(text) = effect {
            assert!(text.ends_with("(and 1 more)") && !text.contains('\u{1b}'), "{text}");
        }
    }
    assert_eq!(update(&mut app, Event::Snapshot(0, snapshot(mesh(), NOW))), [], "nothing new");
    let mut quiet = app_on(None);
    assert_eq!(update(&mut quiet, Event::Snapshot(0, snapshot(mesh(), NOW))), [], "nobody wants to be called");
}

#[test]
fn findings_are_known_one_by_one_or_marked() {
    let alive = |mesh: MeshState| {
        let mut snapshot = Arc::unwrap_or_clone(snapshot(mesh, NOW));
        let life = Arc::new(Life { raised_ms: NOW, times: 1, acknowledged: None });
        let finding = |f: &Arc<Finding>| Arc::new(Finding { life: Some(life.clone()), ..(**f).clone() });
        snapshot.findings = snapshot.findings.iter().map(finding).collect();
        Arc::new(snapshot)
    };
    let mut app = app_on(Some(alive(mesh())));
    app.options.calls.known_for = Duration::from_secs(3_600);
    assert_eq!(press(&mut app, "2A"), [], "only findings are known");
    assert!(app.toast.as_ref().unwrap().text.contains("view 7"));
    press(&mut app, "7");
    let effects = press(&mut app, "A");
    let [Effect::Acknowledge { keys, span, .. }] = effects.as_slice() else { panic!("{effects:?}") };
    assert_eq!((keys.len(), *span), (1, Some(Duration::from_secs(3_600))));
    assert!(keys[0].starts_with("node-dead\u{1}node\u{1}ci-7"), "{keys:?}");
    press(&mut app, "  ");
    press(&mut app, ":acknowledge 10m");
    let effects = press(&mut app, "\r");
    let [Effect::Acknowledge { keys, span, .. }] = effects.as_slice() else { panic!("{effects:?}") };
    assert_eq!((keys.len(), *span), (2, Some(Duration::from_secs(600))));
    let mut early = app_on(Some(snapshot(mesh(), NOW)));
    assert_eq!(press(&mut early, "7A"), [], "it stands too short");
}

#[test]
fn a_wall_turns_holds_and_is_left_on_purpose() {
    use crate::app::wall::Wall;
    let wall =
        Wall { stay: Duration::from_secs(10), views: vec![ViewId::Nodes, ViewId::Tasks], night: Some((600, 700)) };
    let calm = |at| snapshot(mesh_of_locks(Vec::new()), at);
    let mut app = app_on(None);
    app.options.wall = Some(wall);
    let at = |app: &mut App, seconds: Millis| {
        update(app, Event::Snapshot(0, calm(NOW)));
        update(app, Event::Tick(NOW + seconds * 1_000));
        app.view
    };
    // One source is not heard yet, which is no trouble.
    assert_eq!(at(&mut app, 0), ViewId::Nodes);
    assert_eq!(at(&mut app, 9), ViewId::Nodes);
    assert_eq!(at(&mut app, 10), ViewId::Tasks);
    assert_eq!(at(&mut app, 20), ViewId::Nodes);
    assert_eq!(at(&mut app, -3_000), ViewId::Nodes, "a clock that is set back");
    assert_eq!(at(&mut app, -2_990), ViewId::Tasks);
    update(&mut app, Event::Tick(NOW));
    update(&mut app, Event::Snapshot(0, snapshot(mesh(), NOW)));
    assert_eq!(app.view, ViewId::Nodes, "where something is wrong");
    assert!(app.wall_holds() && app.table().selected.as_ref().is_some_and(|key| key.key.contains("ci-7")));
    update(&mut app, Event::Tick(NOW + 100_000));
    assert_eq!(app.view, ViewId::Nodes, "it stays there");
    // Keys do nothing; leaving takes two.
    assert_eq!(press(&mut app, "q3x?:\r"), []);
    assert!(app.overlay.is_none() && app.view == ViewId::Nodes);
    let leave = |app: &mut App| update(app, Event::Key(KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL)));
    assert_eq!(leave(&mut app), []);
    update(&mut app, Event::Tick(NOW + 110_000));
    assert_eq!(leave(&mut app), [], "that was long ago");
    assert_eq!(leave(&mut app), [Effect::Quit]);
}

#[test]
fn clocks_change_their_zone() {
    let mut app = app();
    assert_eq!(app.offset(NOW), 0);
    press(&mut app, "T");
    assert_eq!(app.offset(NOW), 2 * 3_600_000);
    assert!(app.toast.as_ref().unwrap().text.contains("UTC+02:00"));
}

#[test]
fn the_overview_selects_things_and_goes_from_panel_to_panel() {
    use super::overview::{Panel, items};
    let mut app = dead_and_living();
    let listed = items(&app.workspace, Panel::Findings, NOW, 0..99);
    assert!(listed.len() > 1);
    let (view, key) = listed[1].thing.clone();
    press(&mut app, "j");
    assert_eq!(app.overview_thing(), Some((view, key.clone())));
    // It stays on the thing when others come and go, and in its place when the thing is gone.
    update(&mut app, Event::Snapshot(0, snapshot(mesh(), NOW)));
    let listed = items(&app.workspace, Panel::Findings, NOW, 0..99);
    let still = listed.iter().any(|item| item.thing == (view, key.clone()));
    assert!(still == (app.overview_thing() == Some((view, key))));
    press(&mut app, "\r");
    assert!(matches!(&app.overlay, Some(Overlay::Inspector(inspector)) if inspector.view == ViewId::Findings));
    press(&mut app, "\x1b");
    // What is selected is among what is drawn.
    for panel in [Panel::Findings, Panel::Queues, Panel::Work, Panel::Events] {
        let things: Vec<_> = super::overview::things(&app.workspace, panel, NOW).collect();
        let drawn: Vec<_> = items(&app.workspace, panel, NOW, 0..99).into_iter().map(|item| item.thing).collect();
        assert_eq!(things, drawn);
        let some = items(&app.workspace, panel, NOW, 1..3).into_iter().map(|item| item.thing);
        assert!(some.eq(things.into_iter().skip(1).take(2)));
    }
    let mut panels = Vec::new();
    while app.view == ViewId::Overview {
        panels.push(app.overview.panel);
        press(&mut app, "\t");
    }
    assert!(panels.starts_with(&[Panel::Findings, Panel::Nodes]), "{panels:?}");
    assert_eq!(app.view, ViewId::Nodes, "after the last panel come the views");
}

#[test]
fn anything_is_found_by_name_and_one_finds_back() {
    let mut app = dead_and_living();
    let control = |c| Event::Key(KeyEvent::new(KeyCode::Char(c), KeyModifiers::CONTROL));
    update(&mut app, control('p'));
    press(&mut app, "DEAD");
    let Some(Overlay::Find(finder)) = &app.overlay else { panic!("{:?}", app.overlay) };
    let first = &finder.found[0];
    assert_eq!((first.kind, first.name.as_str(), first.matched), ("node", "dead", Some((0, 4))));
    press(&mut app, "\r");
    assert!(matches!(&app.overlay, Some(Overlay::Inspector(inspector)) if inspector.view == ViewId::Nodes));
    press(&mut app, "\x1b3");
    assert_eq!(app.view, ViewId::Locks);
    press(&mut app, "b");
    assert_eq!(app.view, ViewId::Nodes);
    press(&mut app, "bbbb");
    assert_eq!((app.view, app.overlay.is_none()), (ViewId::Overview, true));
    press(&mut app, "nnnn");
    assert_eq!(app.view, ViewId::Locks);
    // What is as it stands comes first; only where nothing is, its letters in order.
    update(&mut app, control('p'));
    press(&mut app, "dd");
    let Some(Overlay::Find(finder)) = &app.overlay else { panic!("{:?}", app.overlay) };
    assert!(finder.found.iter().all(|found| found.matched.is_none()), "{:?}", finder.found);
    press(&mut app, "\r");
}
