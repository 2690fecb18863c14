//! Every view, dialog and size, drawn without a terminal.

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;

use super::*;
use crate::app::Event;
use crate::app::theme::Themes;
use crate::app::update::update;
use crate::app::views::VIEWS;
use crate::testing::{NOW, mesh, mesh_config, options, silent_mesh, snapshot, starting_mesh};

const SIZES: [(u16, u16); 3] = [(80, 24), (120, 40), (200, 50)];

fn app_on(snapshot: Option<std::sync::Arc<crate::mesh::derive::Snapshot>>) -> App {
    let mut app = App::new(options(), NOW);
    if let Some(snapshot) = snapshot {
        update(&mut app, Event::Snapshot(0, snapshot));
    }
    app
}

fn press(app: &mut App, keys: &str) {
    for c in keys.chars() {
        let code = if c == '\r' { crossterm::event::KeyCode::Enter } else { crossterm::event::KeyCode::Char(c) };
        update(app, Event::Key(crossterm::event::KeyEvent::from(code)));
    }
}

/// Goes to a view by its key.
fn go(app: &mut App, view: &crate::app::views::View) {
    use crate::app::command::{COMMANDS, Command};
    let command = COMMANDS.iter().find(|info| info.command == Command::View(view.id.index()));
    press(app, command.unwrap().keys[0]);
    assert_eq!(app.view, view.id);
}

fn render(app: &mut App, (width, height): (u16, u16), caps: TermCaps) -> Buffer {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    // Twice: the first frame tells the app how many rows fit.
    for _ in 0..2 {
        let mut layout = Layout::default();
        terminal.draw(|frame| layout = draw(app, caps, frame)).unwrap();
        layout.note(app);
    }
    terminal.backend().buffer().clone()
}

const PLAIN: TermCaps = TermCaps { depth: Depth::True, unicode: true };

fn text(buffer: &Buffer) -> String {
    let width = usize::from(buffer.area.width);
    let rows = buffer.content.chunks(width).map(|row| {
        let mut line = String::new();
        let mut covered = 0;
        for cell in row {
            if covered == 0 {
                line.push_str(cell.symbol());
                covered = unicode_width::UnicodeWidthStr::width(cell.symbol()).max(1);
            }
            covered -= 1;
        }
        line.trim_end().to_owned()
    });
    rows.collect::<Vec<_>>().join("\n")
}

/// The styles of each row: where they change, as `column:foreground/modifiers`.
fn styles(buffer: &Buffer) -> String {
    let width = usize::from(buffer.area.width);
    let rows = buffer.content.chunks(width).map(|row| {
        let mut line = String::new();
        let mut last = None;
        for (x, cell) in row.iter().enumerate() {
            let style = (cell.fg, cell.bg, cell.modifier);
            if last != Some(style) {
                line.push_str(&format!("{x}:{:?}/{:?}/{:?} ", cell.fg, cell.bg, cell.modifier));
                last = Some(style);
            }
        }
        line.trim_end().to_owned()
    });
    rows.collect::<Vec<_>>().join("\n")
}

#[test]
fn every_view_at_four_sizes() {
    for view in VIEWS {
        for size in SIZES.into_iter().chain([(300, 80)]) {
            let mut app = app_on(Some(snapshot(mesh(), NOW)));
            go(&mut app, view);
            let name = format!("{}_{}x{}", view.title, size.0, size.1).to_lowercase();
            insta::assert_snapshot!(name, text(&render(&mut app, size, PLAIN)));
        }
    }
}

#[test]
fn several_meshes_side_by_side() {
    for size in SIZES {
        let mut options = options();
        options.open = ["prod", "staging", "lab"].map(mesh_config).into();
        let mut app = App::new(options, NOW);
        update(&mut app, Event::Snapshot(0, snapshot(mesh(), NOW)));
        update(&mut app, Event::Snapshot(1, snapshot(starting_mesh(), NOW)));
        let name = |view: &str| format!("several_{view}_{}x{}", size.0, size.1);
        insta::assert_snapshot!(name("overview"), text(&render(&mut app, size, PLAIN)));
        update(&mut app, Event::Snapshot(2, snapshot(mesh(), NOW)));
        press(&mut app, "3");
        insta::assert_snapshot!(name("locks"), text(&render(&mut app, size, PLAIN)));
        press(&mut app, "7");
        insta::assert_snapshot!(name("findings"), text(&render(&mut app, size, PLAIN)));
        press(&mut app, "2");
        insta::assert_snapshot!(name("nodes"), text(&render(&mut app, size, PLAIN)));
        press(&mut app, "3Gx");
        let preview = text(&render(&mut app, size, PLAIN));
        assert!(preview.contains(" lab: Release"), "it says where:\n{preview}");
        press(&mut app, "q");
    }
}

#[test]
fn every_view_in_monochrome_and_ascii() {
    for view in VIEWS {
        let mut app = app_on(Some(snapshot(mesh(), NOW)));
        go(&mut app, view);
        let caps = TermCaps { depth: Depth::None, unicode: false };
        let buffer = render(&mut app, (100, 30), caps);
        assert!(text(&buffer).is_ascii());
        insta::assert_snapshot!(format!("{}_mono", view.title).to_lowercase(), text(&buffer));
    }
}

#[test]
fn colours_of_the_locks_in_every_theme() {
    for theme in Themes::default().iter().map(|theme| theme.name.clone()) {
        let mut app = app_on(Some(snapshot(mesh(), NOW)));
        app.options.theme.clone_from(&theme);
        press(&mut app, "3");
        insta::assert_snapshot!(format!("styles_{theme}"), styles(&render(&mut app, (80, 12), PLAIN)));
    }
}

#[test]
fn colours_of_every_view_on_dark_and_light() {
    for view in VIEWS {
        for theme in ["dark", "light"] {
            let mut app = app_on(Some(snapshot(mesh(), NOW)));
            app.options.theme = theme.into();
            go(&mut app, view);
            let name = format!("colours_{}_{theme}", view.title).to_lowercase();
            insta::assert_snapshot!(name, styles(&render(&mut app, (120, 40), PLAIN)));
        }
    }
}

/// A number that is cut is another number.
#[test]
fn a_number_is_whole_at_every_size() {
    let mut held = crate::testing::lock("file:a", "n", "1", 60_000);
    held.fence_token = Some(i64::MIN);
    let observation = crate::model::observation::Observation {
        changes: vec![crate::model::observation::Change::Locks(crate::model::LockTable::Distributed, vec![held])],
        ..Default::default()
    };
    let observation = Box::new(observation);
    let seen = starting_mesh().after(crate::model::report::Report::Observed { source: 0, at_ms: NOW, observation });
    for size in SIZES {
        let mut app = app_on(Some(snapshot(seen.clone(), NOW)));
        press(&mut app, "3");
        let shown = text(&render(&mut app, size, PLAIN));
        assert_eq!(shown.contains("FENCE"), shown.contains(&i64::MIN.to_string()), "{shown}");
    }
}

#[test]
fn dialogs_and_inspectors() {
    let cases = [
        ("inspect_node", "2\r"),
        ("inspect_lock", "3\r"),
        ("inspect_message", "4\r"),
        ("inspect_task", "5\r"),
        ("inspect_log", "6\r"),
        ("inspect_finding", "7\r"),
        ("help", "?"),
        ("palette", ":theme"),
        ("sort", "3s"),
        ("columns", "3Cj "),
        ("columns_gone", "3Cj jj \r"),
        ("saved", "3/lexer\rVsmine\r"),
        ("saved_naming", "3Vsmi"),
        ("filter", "3/state:orp"),
        ("filter_none", "3/zzzzqqq\r"),
        ("release_dead", "3/lexer\rx"),
        ("release_alive", "3/parser\rx"),
        ("release_typing", "3/parser\rxy"),
        ("reroute_choose", "4/id:5\rr"),
        ("reroute", "4/id:5\rr\r"),
        ("evacuate", "2/node:ci-7\re"),
        ("running", "3/lexer\rxy"),
        ("inspect_attempt", "9\r"),
    ];
    for (name, keys) in cases {
        for size in [(80, 24), (160, 40)] {
            let mut app = app_on(Some(snapshot(mesh(), NOW)));
            press(&mut app, keys);
            insta::assert_snapshot!(format!("{name}_{}", size.0), text(&render(&mut app, size, PLAIN)));
        }
    }
}

#[test]
fn what_is_not_known_yet_what_is_empty_and_what_is_old() {
    let mut starting = app_on(None);
    insta::assert_snapshot!("starting", text(&render(&mut starting, (80, 24), PLAIN)));
    for view in VIEWS.iter().skip(1) {
        let mut app = app_on(Some(snapshot(starting_mesh(), NOW)));
        go(&mut app, view);
        insta::assert_snapshot!(
            format!("unheard_{}", view.title).to_lowercase(),
            text(&render(&mut app, (80, 12), PLAIN))
        );
    }
    let (mesh, later) = silent_mesh();
    let mut old = app_on(Some(snapshot(mesh, later)));
    update(&mut old, Event::Tick(later));
    insta::assert_snapshot!("old_overview", text(&render(&mut old, (120, 30), PLAIN)));
    press(&mut old, "2");
    let table = text(&render(&mut old, (120, 16), PLAIN));
    // The node that only the silent database knows is evaluated as of its last answer, and says so.
    assert!(table.contains("1m05s~"), "{table}");
    insta::assert_snapshot!("old_nodes", table);
}

#[test]
fn too_small_a_screen_says_what_it_needs() {
    for size in [(1, 1), (5, 1), (39, 30), (80, 9)] {
        let mut app = app_on(Some(snapshot(mesh(), NOW)));
        let shown = text(&render(&mut app, size, PLAIN));
        assert!("needs 40x10".starts_with(shown.get(..5.min(shown.len())).unwrap_or_default()), "{shown}");
    }
}

/// Nothing that a terminal could obey reaches a cell, in any view, dialog or size.
#[test]
fn hostile_text_never_reaches_the_screen_raw() {
    for view in VIEWS {
        for keys in ["", "\r", "j\r", "jj\r", "jjj\r", "jjjj\r", "/x\u{1b}\u{202e}"] {
            for size in SIZES {
                let mut app = app_on(Some(snapshot(mesh(), NOW)));
                go(&mut app, view);
                press(&mut app, keys);
                for cell in &render(&mut app, size, PLAIN).content {
                    let safe = cell.symbol().chars().all(|c| !c.is_control() && !crate::model::text::is_hidden(c));
                    assert!(safe, "{:?} in {}", cell.symbol(), view.title);
                }
            }
        }
    }
}

/// Nor in what an action shows of it.
#[test]
fn hostile_text_never_reaches_a_plan_raw() {
    let mut plans = 0;
    for view in VIEWS {
        for row in 0..7 {
            for act in "xradue".chars() {
                for size in [(40, 10), (100, 40)] {
                    let mut app = app_on(Some(snapshot(mesh(), NOW)));
                    go(&mut app, view);
                    press(&mut app, &"j".repeat(row));
                    press(&mut app, &act.to_string());
                    plans += usize::from(app.overlay.is_some());
                    for key in ["", "\r", "y"] {
                        press(&mut app, key);
                        for cell in &render(&mut app, size, PLAIN).content {
                            let safe =
                                cell.symbol().chars().all(|c| !c.is_control() && !crate::model::text::is_hidden(c));
                            assert!(safe, "{:?} in {}", cell.symbol(), view.title);
                        }
                    }
                }
            }
        }
    }
    assert!(plans > 50, "{plans} plans were opened");
}

#[test]
fn clicks_find_what_was_drawn() {
    let mut app = app_on(Some(snapshot(mesh(), NOW)));
    let buffer = render(&mut app, (120, 40), PLAIN);
    let shown = text(&buffer);
    let (row, line) = shown.lines().enumerate().find(|(_, l)| l.contains("ci-7   ")).unwrap();
    let column = line.chars().position(|c| c == 'c').unwrap();
    let (x, y) = (u16::try_from(column).unwrap(), u16::try_from(row).unwrap());
    assert!(app.hits.at(x, y).is_some(), "{shown}");
}

#[test]
fn every_role_differs_from_plain_text_in_every_theme() {
    use crate::columns::role::Role;
    for theme in Themes::default().iter() {
        let palette = Palette::new(theme, Depth::True);
        let theme = &theme.name;
        for role in [Role::Warn, Role::Alert, Role::Critical, Role::Dead, Role::Unknown, Role::Old, Role::Selected] {
            assert_ne!(palette.style(role), palette.style(Role::Normal), "{theme} {role:?}");
        }
    }
}

/// A wall of a mesh that is well, of one that is not, and of one that stopped answering.
#[test]
fn walls() {
    let wall = || crate::app::wall::Wall {
        stay: std::time::Duration::from_secs(15),
        views: vec![ViewId::Overview, ViewId::Locks],
        night: Some((0, 6 * 60)),
    };
    let well = starting_mesh().after(crate::model::report::Report::Observed {
        source: 0,
        at_ms: NOW,
        observation: Box::default(),
    });
    let well =
        well.after(crate::model::report::Report::Observed { source: 1, at_ms: NOW, observation: Box::default() });
    let (silent, later) = silent_mesh();
    let minute = crate::model::time::MINUTE;
    let cases = [
        ("wall_well", snapshot(well.clone(), NOW), NOW),
        ("wall_wrong", snapshot(mesh(), NOW), NOW),
        ("wall_deadlock", snapshot(crate::testing::deadlock_of(3), NOW), NOW),
        ("wall_silent_source", snapshot(silent, later), later),
        ("wall_stalled", snapshot(well, NOW), NOW + 3 * minute),
    ];
    for (name, snapshot, now) in cases {
        for size in [(200, 50), (120, 30), (80, 24), (60, 12)] {
            let mut app = app_on(None);
            app.options.wall = Some(wall());
            app.options.open[0].policy.read_only = true;
            update(&mut app, Event::Tick(NOW));
            update(&mut app, Event::Snapshot(0, snapshot.clone()));
            update(&mut app, Event::Tick(now));
            let shown = text(&render(&mut app, size, PLAIN));
            // A snapshot of the past never passes for a quiet mesh.
            assert_eq!(shown.contains("all is well"), name == "wall_well", "{shown}");
            insta::assert_snapshot!(format!("{name}_{}x{}", size.0, size.1), shown);
        }
    }
}

/// However small the screen, the mesh that is worst off is on it.
#[test]
fn the_worst_of_several_meshes_has_room_on_any_screen() {
    let mut options = options();
    options.open = ["calm", "prod"].map(mesh_config).into();
    let mut app = App::new(options, NOW);
    update(&mut app, Event::Snapshot(0, snapshot(starting_mesh(), NOW)));
    update(&mut app, Event::Snapshot(1, snapshot(mesh(), NOW)));
    for size in [(40, 10), (60, 12), (80, 24), (200, 50)] {
        let text = text(&render(&mut app, size, PLAIN));
        let line = text.lines().skip(1).find(|line| line.contains("✖ prod")).unwrap_or_default();
        assert!(line.contains("ci-7: dead"), "{size:?}\n{text}");
    }
}

/// What would run is shown argument by argument; what it wrote is a page.
#[test]
fn commands_of_ones_own() {
    use crate::app::own::{Argument, Output, OwnCommand, OwnEnd};
    let command = OwnCommand {
        title: "who changed it".into(),
        key: Some("f12".into()),
        views: vec![ViewId::Locks],
        argv: ["git", "log", "--", "{lock_key} of {mesh}"].map(|text| Argument::parse(text).unwrap()).to_vec(),
        confirm: true,
        dangerous: false,
        harmless: false,
        output: Output::Pager,
        timeout: std::time::Duration::from_secs(10),
        place: String::new(),
    };
    let mut options = options();
    options.own = [command.clone(), OwnCommand { dangerous: true, key: Some("f11".into()), ..command }].into();
    options.keymap = options.keymap.with_own(&options.own).unwrap();
    let mut app = App::new(options, NOW);
    update(&mut app, Event::Snapshot(0, snapshot(mesh(), NOW)));
    press(&mut app, "3/lexer\r");
    for (name, key) in [("own_asks", 12), ("own_asks_name", 11)] {
        update(&mut app, Event::Key(crossterm::event::KeyEvent::from(crossterm::event::KeyCode::F(key))));
        insta::assert_snapshot!(name, text(&render(&mut app, (80, 24), PLAIN)));
        update(&mut app, Event::Key(crossterm::event::KeyEvent::from(crossterm::event::KeyCode::Esc)));
    }
    press(&mut app, "?G");
    assert!(text(&render(&mut app, (100, 30), PLAIN)).contains("who changed it"), "help lists it");
    press(&mut app, "q");
    let (title, summary) = ("who changed it".into(), "exit status: 0".into());
    let kind = crate::model::outcome::OutcomeKind::Done;
    let end = OwnEnd { title, kind, summary, text: "one\ntwo\n".into(), output: Output::Pager };
    update(&mut app, Event::CommandEnded(end));
    insta::assert_snapshot!("own_output", text(&render(&mut app, (80, 24), PLAIN)));
}

#[test]
fn the_past_is_marked_and_has_a_bar_of_time() {
    use crate::app::past::PastNews;
    use crate::model::mark::{Mark, MarkKind};
    use crate::model::time::MINUTE;
    let mark = |ago: i64, kind| Mark { at_ms: NOW - ago, kind, text: "ci-7: dead, holds 1 lock".into() };
    let kinds = [MarkKind::Lost, MarkKind::Back, MarkKind::Raised, MarkKind::Action, MarkKind::Cleared];
    let marks = (1..).zip(kinds).map(|(i, kind)| mark((5 - i) * MINUTE + 2_000, kind)).collect();
    for (name, size, caps) in [
        ("80x24", (80, 24), PLAIN),
        ("120x40", (120, 40), PLAIN),
        ("ascii", (80, 24), TermCaps { unicode: false, ..PLAIN }),
    ] {
        let mut app = app_on(Some(snapshot(mesh(), NOW)));
        update(&mut app, Event::Tick(NOW + MINUTE));
        let snapshots = vec![(0, snapshot(mesh(), NOW))];
        let (from_ms, to_ms) = (NOW - 7 * MINUTE, NOW + MINUTE - 1_000);
        let marks = Some(std::sync::Arc::clone(&marks));
        update(&mut app, Event::Past(PastNews::Moment { at_ms: NOW, from_ms, to_ms, marks, snapshots }));
        insta::assert_snapshot!(format!("past_{name}"), text(&render(&mut app, size, caps)));
    }
}
