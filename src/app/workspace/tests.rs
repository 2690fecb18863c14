//! Several meshes side by side.

use crossterm::event::{KeyCode, KeyEvent};

use super::*;
use crate::app::command::Command;
use crate::app::overlay::Overlay;
use crate::app::update::update;
use crate::app::view_id::ViewId;
use crate::app::{App, Calls, Effect, Event};
use crate::model::severity::Severity;
use crate::testing::{NOW, mesh, mesh_config, options, silent_mesh, snapshot, starting_mesh};

/// Two meshes in which everything has the same names.
fn twins() -> App {
    let mut app = open();
    for mesh_of in 0..2 {
        update(&mut app, Event::Snapshot(mesh_of, snapshot(mesh(), NOW)));
    }
    app
}

fn open() -> App {
    let mut options = options();
    options.open = vec![mesh_config("prod"), mesh_config("staging")];
    let mut app = App::new(options, NOW);
    for table in &mut app.tables {
        table.height = 10;
    }
    app
}

fn press(app: &mut App, keys: &str) -> Vec<Effect> {
    let code = |c| match c {
        '\r' => KeyCode::Enter,
        '\x1b' => KeyCode::Esc,
        c => KeyCode::Char(c),
    };
    keys.chars().flat_map(|c| update(app, Event::Key(KeyEvent::from(code(c))))).collect()
}

fn printed(app: &App) -> &str {
    app.toast.as_ref().map_or("", |toast| &toast.text)
}

#[test]
fn things_of_one_name_are_told_apart_by_their_mesh() {
    let mut app = twins();
    let alone = {
        let mut app = App::new(options(), NOW);
        update(&mut app, Event::Snapshot(0, snapshot(mesh(), NOW)));
        press(&mut app, "3");
        app.table().rows.len()
    };
    press(&mut app, "3");
    assert_eq!(app.table().rows.len(), 2 * alone);
    assert_eq!(app.columns().last().map(|column| column.field), Some("mesh"));
    press(&mut app, "/mesh:staging\r");
    assert_eq!(app.table().rows.len(), alone);
    assert!(app.table().rows.iter().all(|row| row.mesh() == 1));
    press(&mut app, "\r");
    let Some(Overlay::Inspector(inspector)) = &app.overlay else { panic!("an inspector") };
    assert_eq!(inspector.key.mesh, 1);
    assert!(app.inspection().unwrap().title.starts_with("staging: "));
    // A link stays in its mesh.
    let page = app.inspection().unwrap();
    let line = page.rows(false).iter().position(|row| row.target().is_some()).unwrap();
    press(&mut app, &"j".repeat(line));
    press(&mut app, "\r");
    let Some(Overlay::Inspector(inspector)) = &app.overlay else { panic!("an inspector") };
    assert_eq!((inspector.key.mesh, inspector.trail.len()), (1, 1));
    assert_eq!(app.table().selected.as_ref().map(|key| key.mesh), Some(1));
}

#[test]
fn every_row_of_every_list_can_be_looked_into() {
    let mut app = twins();
    for view in crate::app::views::VIEWS {
        app.show(view.id);
        for row in app.table().rows.clone() {
            let key = app.list().unwrap().key(&app.workspace, row);
            app.overlay = Some(Overlay::Inspector(crate::app::overlay::Inspector::on(view.id, key.clone())));
            assert_ne!(app.inspection().unwrap().title, "gone", "{key:?} in {}", view.title);
        }
    }
}

#[test]
fn the_trees_of_two_meshes_do_not_grow_into_one_another() {
    let mut app = twins();
    press(&mut app, "8");
    let meshes: Vec<usize> = app.table().rows.iter().map(|row| row.mesh()).collect();
    assert!(meshes.contains(&0) && meshes.contains(&1) && meshes.is_sorted(), "{meshes:?}");
    press(&mut app, "S");
    let meshes: Vec<usize> = app.table().rows.iter().map(|row| row.mesh()).collect();
    assert!(meshes.is_sorted_by(|a, b| a >= b), "{meshes:?}");
}

#[test]
fn a_plan_is_made_for_the_mesh_of_its_things() {
    let mut app = twins();
    press(&mut app, "3/mesh:staging src\r");
    press(&mut app, "x");
    let Some(Overlay::Preview(preview)) = &app.overlay else { panic!("a preview: {}", printed(&app)) };
    assert_eq!(preview.mesh, 1);
    // What is marked in two meshes is not one plan.
    press(&mut app, "\x1b\x1b");
    app.overlay = None;
    app.tables[ViewId::Locks.index()].filter.clear();
    app.show(ViewId::Locks);
    let keys: Vec<Key> = app.table().rows.iter().map(|row| app.list().unwrap().key(&app.workspace, *row)).collect();
    app.tables[ViewId::Locks.index()].marks.extend(keys);
    press(&mut app, "x");
    assert!(app.overlay.is_none() && printed(&app).contains("several meshes"), "{}", printed(&app));
}

#[test]
fn a_mesh_that_is_read_only_is_so_by_itself() {
    let mut app = twins();
    app.options.open[1].policy.read_only = true;
    let offered = |app: &App| !app.offered().is_empty();
    press(&mut app, "3/mesh:prod\r");
    assert!(offered(&app));
    press(&mut app, "\x1b/mesh:staging\r");
    assert!(!offered(&app));
    press(&mut app, "x");
    assert!(app.overlay.is_none() && printed(&app).contains("mesh staging is read-only"), "{}", printed(&app));
    assert!(!app.options.is_read_only());
}

#[test]
fn an_outage_of_one_leaves_the_other_untouched() {
    let mut app = open();
    let (silent, later) = silent_mesh();
    update(&mut app, Event::Tick(later));
    update(&mut app, Event::Snapshot(0, snapshot(silent, later)));
    // Of the other there is no word at all yet, which is worse.
    assert_eq!(app.status().0, "✖ staging: no data for 1m00s");
    assert_eq!(app.silence().and_then(|silence| silence.who), Some("prod: vox.db, staging".into()));
    let mut alive = mesh();
    for source in &mut alive.mesh.sources {
        source.health.last_ok_ms = Some(later);
    }
    let alive = snapshot(alive, later);
    update(&mut app, Event::Snapshot(1, alive.clone()));
    let old = |mesh: usize| app.workspace.snapshot(mesh).unwrap().locks.iter().any(|lock| lock.as_of_ms.is_some());
    assert!(old(0) && !old(1));
    assert_eq!(app.silence().and_then(|silence| silence.who), Some("prod: vox.db".into()));
    assert!(Arc::ptr_eq(app.workspace.snapshot(1).unwrap(), &alive));
    press(&mut app, "3");
    assert!(app.table().rows.iter().any(|row| row.mesh() == 1));
}

#[test]
fn the_worst_of_all_meshes_is_said_first_and_counted_with_the_rest() {
    let mut app = open();
    assert_eq!(app.status().0, "· starting");
    update(&mut app, Event::Snapshot(0, snapshot(starting_mesh(), NOW)));
    update(&mut app, Event::Snapshot(1, snapshot(mesh(), NOW)));
    let (text, _) = app.status();
    let worries = app.workspace.snapshot(1).unwrap();
    let more = worries.counts.critical + worries.counts.warnings - 1;
    assert!(text.starts_with("✖ staging: ") && text.ends_with(&format!("(+{more} more)")), "{text}");
    assert!(crate::app::status::title(&app.workspace).ends_with(" prod, staging - lockkeeper"));
}

#[test]
fn each_mesh_calls_for_itself_and_is_known_by_itself() {
    let mut app = open();
    app.options.calls = Calls { bell: Some(Severity::Warning), ..Calls::default() };
    for mesh_of in [0, 1] {
        assert_eq!(update(&mut app, Event::Snapshot(mesh_of, snapshot(mesh(), NOW))), [Effect::Bell], "{mesh_of}");
        assert_eq!(update(&mut app, Event::Snapshot(mesh_of, snapshot(mesh(), NOW))), [], "{mesh_of}, again");
    }
}

#[test]
fn a_pause_holds_all_of_them() {
    let mut app = twins();
    press(&mut app, "p");
    update(&mut app, Event::Snapshot(1, snapshot(starting_mesh(), NOW + 1_000)));
    assert!(!app.workspace.snapshot(1).unwrap().findings.is_empty());
    assert!(app.latest().snapshot(1).unwrap().findings.is_empty());
    assert!(!app.latest().snapshot(0).unwrap().findings.is_empty(), "what did not come anew is still known");
    press(&mut app, "p");
    assert!(app.workspace.snapshot(1).unwrap().findings.is_empty());
}

#[test]
fn other_meshes_are_opened_from_the_palette() {
    let mut app = twins();
    assert_eq!(press(&mut app, ":mesh all\r"), [Effect::Mesh("all".into())]);
    update(&mut app, Event::MeshesOpened(vec![mesh_config("lab")]));
    assert!(!app.workspace.is_several() && !app.workspace.has_answer());
    update(&mut app, Event::Snapshot(1, snapshot(mesh(), NOW)));
    assert!(!app.workspace.has_answer(), "a late snapshot of a mesh that was closed is none of this one");
    assert_eq!(app.run(Command::View(2)), []);
}
