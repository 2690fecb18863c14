//! Everything that comes from outside, as it was not meant to be: no parser falls over it, and nothing in it steers the
//! terminal. `PROPTEST_CASES=100000 cargo test --release --test untrusted` goes on for longer.

mod projects;
#[path = "../support/mod.rs"]
mod support;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use axum::body::Body;
use axum::middleware;
use axum::response::{IntoResponse as _, Response};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use lockkeeper::action::plan::Policy;
use lockkeeper::app::keymap::{Binding, Keymap};
use lockkeeper::app::theme::Themes;
use lockkeeper::app::update::update;
use lockkeeper::app::{App, Calls, Event, MeshConfig, Options};
use lockkeeper::clock::wall_clock;
use lockkeeper::config::file::File;
use lockkeeper::data::poller::attempt;
use lockkeeper::data::source::PollContext;
use lockkeeper::demo::vox::control;
use lockkeeper::demo::vox::control::{Plane, Tokens};
use lockkeeper::demo::vox::hrana;
use lockkeeper::demo::vox::world::{Shape, World};
use lockkeeper::demo::vox::write::Writer;
use lockkeeper::mesh::MeshState;
use lockkeeper::mesh::derive::{Evaluator, Snapshot, Thresholds};
use lockkeeper::model::report::Report;
use lockkeeper::model::text::{Text, is_hidden};
use lockkeeper::settings::Settings;
use lockkeeper::ui::theme::Depth;
use lockkeeper::ui::{self, TermCaps};
use proptest::prelude::*;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use support::screen::Screen;

/// What an attacker would write into a text: each with a word that must never follow an escape.
const INJECTIONS: &[&str] = &[
    "\u{1b}[31mPWNED",
    "\u{1b}[2J\u{1b}[HPWNED",
    "\u{1b}]0;PWNED\u{7}",
    "\u{1b}]52;c;UFdORUQ=\u{7}",
    "\u{1b}]8;;http://pwned\u{1b}\\PWNED\u{1b}]8;;\u{1b}\\",
    "\u{1b}P$q\"p\u{1b}\\PWNED",
    "\u{1b}_PWNED\u{1b}\\",
    "\u{1b}cPWNED",
    "\u{9b}31mPWNED",
    "\u{9d}0;PWNED\u{9c}",
    "\u{90}PWNED\u{9c}",
    "\u{202e}DENWP\u{202c}",
    "\u{2066}PWNED\u{2069}",
    "P\u{200b}W\u{200d}N\u{feff}ED",
    "Z\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}",
    "宽宽宽\u{fe0f}\u{20e3}👩\u{200d}👩\u{200d}👧",
    "PWNED\r\n\u{8}\u{8}\u{7f}\t\u{0}",
];

/// Every table of the contract without its types, and rows of anything in all of them.
fn sql(rows: &[Vec<String>]) -> String {
    const TABLES: &[(&str, &str)] = &[
        ("mesh_heartbeats", "node_id, agent_id, last_seen_ms, activity, repository_id"),
        (
            "distributed_locks",
            "lock_key, holder_node, holder_agent, fence_token, acquired_at, expires_at, repository_id",
        ),
        (
            "vcs_lock",
            "path, kind, holder, holder_node_id, repository_id, acquired_at, expires_at, lease_id, fence_token",
        ),
        ("lock_leader", "repository_id, leader_node_id, elected_at, heartbeat_at, expires_at, epoch"),
        ("mesh_exec_leases", "lease_id, task_id, scope_key, holder_node_id, granted_at, expires_at, state"),
        (
            "a2a_messages",
            "id INTEGER PRIMARY KEY, message_uuid, sender_agent, receiver_agent, msg_type, payload, priority, thread_id, \
             acknowledged, created_at, repository_id, claim_owner, claim_until_ms, delivery_attempts, last_claim_error, \
             processed_at_ms",
        ),
        (
            "agent_oplog",
            "id INTEGER PRIMARY KEY, agent_id, operation_id, kind, description, predecessor_hash, model_id, change_id, \
             timestamp_ms, undone, repository_id",
        ),
        (
            "orchestration_lineage_events",
            "id INTEGER PRIMARY KEY, repository_id, kind, task_id, agent_id, session_id, workflow_id, plan_session_id, \
             plan_node_id, payload_json, created_at_ms",
        ),
    ];
    let mut out = String::new();
    for (name, columns) in TABLES {
        out.push_str(&format!("CREATE TABLE {name} ({columns});\n"));
        let width = columns.split(',').count();
        for row in rows {
            let values = |i: usize| row.get((i + name.len()) % row.len().max(1)).cloned().unwrap_or("NULL".into());
            let id = columns.starts_with("id INTEGER");
            let all: Vec<String> = (0..width).map(|i| if id && i == 0 { "NULL".into() } else { values(i) }).collect();
            out.push_str(&format!("INSERT INTO {name} VALUES ({});\n", all.join(", ")));
        }
    }
    out
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"))
}

fn quoted(text: &str) -> String {
    // A NUL ends a statement's text; it comes as bytes.
    if text.contains('\0') {
        return format!("CAST(x'{}' AS TEXT)", hex(text.as_bytes()));
    }
    format!("'{}'", text.replace('\'', "''"))
}

/// A value of any kind, as SQL.
fn value() -> impl Strategy<Value = String> {
    let words = vec![
        "remote_task_envelope",
        "resource_lock_request",
        "granted",
        "task:1",
        "task_submitted",
        r#"{"TaskSubmit":{"task_id":1}}"#,
        r#"{"resource":"file:a","idempotency_key":"k","task_id":1e400}"#,
        r#"{"resource":[[[[{}]]]],"task_id":-9223372036854775808}"#,
        "2026-11-21 05:08:45",
        "9999-99-99 99:99:99",
        "r",
        "1",
    ];
    prop_oneof![
        Just("NULL".to_owned()),
        any::<i64>().prop_map(|n| if n == i64::MIN { "-9223372036854775807".into() } else { n.to_string() }),
        (-3i64..3).prop_map(|n| n.to_string()),
        any::<f64>().prop_filter("SQL has no words for them", |f| f.is_finite()).prop_map(|f| format!("{f:e}")),
        prop::collection::vec(any::<u8>(), 0..20).prop_map(|bytes| format!("x'{}'", hex(&bytes))),
        prop::collection::vec(any::<u8>(), 0..20).prop_map(|bytes| format!("CAST(x'{}' AS TEXT)", hex(&bytes))),
        any::<String>().prop_map(|text| quoted(&text)),
        prop::sample::select(words).prop_map(quoted),
        prop::sample::select(INJECTIONS.to_vec()).prop_map(quoted),
    ]
}

fn app() -> App {
    let options = Options {
        theme: "dark".into(),
        themes: Themes::default(),
        columns: std::collections::BTreeMap::new(),
        own: std::sync::Arc::default(),
        interval: Duration::from_secs(1),
        mouse: true,
        repo: None,
        open: vec![MeshConfig { name: INJECTIONS.concat(), policy: Policy::default() }],
        meshes: vec!["other".into()],
        keymap: Keymap::default(),
        calls: Calls { title: true, ..Calls::default() },
        wall: None,
        replay: false,
        frames: true,
        local_clock: false,
        local: |_| 0,
        banner: None,
    };
    App::new(options, wall_clock())
}

/// Draws, and looks at every cell.
fn draw(app: &mut App, width: u16, height: u16) {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    let mut layout = ui::Layout::default();
    terminal.draw(|frame| layout = ui::draw(app, TermCaps { depth: Depth::True, unicode: true }, frame)).unwrap();
    layout.note(app);
    for cell in &terminal.backend().buffer().content {
        let odd = cell.symbol().chars().find(|c| c.is_control() || is_hidden(*c));
        assert_eq!(odd, None, "{:?}", cell.symbol());
    }
}

/// A console that shows a snapshot.
fn shown(snapshot: Snapshot) -> App {
    let mut app = app();
    update(&mut app, Event::Snapshot(0, Arc::new(snapshot)));
    draw(&mut app, 120, 40);
    app
}

/// Presses keys, and looks at every cell now and then.
fn walk_through(app: &mut App, keys: Vec<Event>) {
    for (i, key) in keys.into_iter().enumerate() {
        update(app, key);
        if i % 4 == 0 {
            let (width, height) = [(120, 40), (200, 50), (80, 24), (20, 5)][i / 4 % 4];
            draw(app, width, height);
        }
    }
}

static QUIET: std::sync::Once = std::sync::Once::new();

/// One look at what the settings name, however it ends.
async fn look(settings: &Settings) -> Snapshot {
    QUIET.call_once(lockkeeper::panic_guard::install);
    let (identities, mut sources): (Vec<_>, Vec<_>) = settings.connect(None).unwrap().sources.into_iter().unzip();
    let mut watch = MeshState::new(Text::new("m"), identities, 2_000);
    for (source, poller) in sources.iter_mut().enumerate() {
        if let Ok(observation) = attempt(poller.as_mut(), &PollContext::default(), Duration::from_secs(20)).await {
            watch.apply(Report::Observed { source, at_ms: wall_clock(), observation: Box::new(observation) });
        }
    }
    let touched = watch.take_touched();
    Evaluator::default().evaluate(&watch, &touched, wall_clock(), &Thresholds::default(), 1_000)
}

fn key() -> impl Strategy<Value = Event> {
    let code = prop_oneof![
        4 => prop::sample::select("123456789078xraduecAToSsGgjklh:/?\u{1b}qnyzpYR+-tm".chars().collect::<Vec<_>>())
            .prop_map(|c| if c == '\u{1b}' { KeyCode::Esc } else { KeyCode::Char(c) }),
        1 => any::<char>().prop_map(KeyCode::Char),
        2 => prop::sample::select(vec![
            KeyCode::Enter, KeyCode::Esc, KeyCode::Tab, KeyCode::Down, KeyCode::Up, KeyCode::PageDown, KeyCode::End,
            KeyCode::Home, KeyCode::Backspace, KeyCode::Delete, KeyCode::F(1), KeyCode::Null,
        ]),
    ];
    let modifiers =
        prop_oneof![9 => Just(KeyModifiers::NONE), 1 => any::<u8>().prop_map(KeyModifiers::from_bits_truncate)];
    prop_oneof![
        8 => (code, modifiers).prop_map(|(code, modifiers)| Event::Key(KeyEvent::new(code, modifiers))),
        1 => (0u16..210, 0u16..60).prop_map(|(column, row)| Event::Mouse(MouseEvent {
            kind: MouseEventKind::Down(MouseButton::Left), column, row, modifiers: KeyModifiers::NONE,
        })),
        1 => any::<String>().prop_map(Event::Paste),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases.min(64).max(
        std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(0)), ..ProptestConfig::default() })]

    /// Rows of anything are read, evaluated, walked through with any keys, and drawn.
    #[test]
    fn rows_of_anything(rows in prop::collection::vec(prop::collection::vec(value(), 1..17), 0..6), keys in prop::collection::vec(key(), 0..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let database = runtime.block_on(support::database(folder.path(), &sql(&rows)));
        let settings = Settings::given(&[("db", database.to_str().unwrap()), ("db_access", "direct")]).unwrap();
        let snapshot = runtime.block_on(look(&settings));
        let json = lockkeeper::commands::json::snapshots(std::slice::from_ref(&snapshot), None);
        let parsed = serde_json::from_str::<serde_json::Value>(&json);
        let odd = json.chars().find(|c| c.is_control() && *c != '\n' || is_hidden(*c));
        prop_assert!(parsed.is_ok() && odd.is_none(), "{odd:?} in {json}");
        prop_assert!(snapshot.mesh.sources[0].health.last_ok_ms.is_some(), "the source was read");
        let line = lockkeeper::commands::check::check(&snapshot).line;
        prop_assert!(!line.chars().any(char::is_control));
        walk_through(&mut shown(snapshot), keys);
    }

    /// Bodies of anything, from a control plane that answers everything with them.
    #[test]
    fn bodies_of_anything(body in prop_oneof![
        prop::collection::vec(any::<u8>(), 0..200),
        any::<String>().prop_map(String::into_bytes),
        json().prop_map(|value| value.to_string().into_bytes()),
    ], status in prop::sample::select(vec![200u16, 200, 200, 204, 302, 404, 500])) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let snapshot = runtime.block_on(async {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let base = format!("http://{}", listener.local_addr().unwrap());
            let answer = move || async move { (axum::http::StatusCode::from_u16(status).unwrap(), body).into_response() };
            tokio::spawn(async move { axum::serve(listener, axum::Router::new().fallback(answer)).await });
            let settings = Settings::given(&[("control", base.as_str())]).unwrap();
            look(&settings).await
        });
        shown(snapshot);
    }

    /// What real servers answer, with harm done to it on the way: bytes changed, lost, doubled, cut off.
    #[test]
    fn answers_harmed_on_the_way(harm in prop::collection::vec((0.0..1.0f64, 0usize..40, harmed()), 1..8)) {
        let (database, plane) = real_answers();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let snapshot = runtime.block_on(async {
            let router = hrana::router(database, None).merge(control::router(plane.clone()));
            let router = router.layer(middleware::map_response(move |response| do_harm(harm.clone(), response)));
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let base = format!("http://{}", listener.local_addr().unwrap());
            tokio::spawn(async move { axum::serve(listener, router).await });
            let settings = Settings::given(&[("db", base.as_str()), ("control", base.as_str())]).unwrap();
            look(&settings).await
        });
        shown(snapshot);
    }

    /// Files of anything: configuration, bindings, journal, history.
    #[test]
    fn files_of_anything(text in any::<String>(), lines in prop::collection::vec(json(), 0..6), words in prop::collection::vec(any::<String>(), 0..4)) {
        let _ = File::parse(&text, Path::new("c.toml"), &lockkeeper::systems::table());
        let toml = format!("{text} = {}\n[keys]\n\"{text}\" = [\"{text}\"]\n", lines.first().cloned().unwrap_or_default());
        let _ = File::parse(&toml, Path::new("c.toml"), &lockkeeper::systems::table());
        let _ = Keymap::with(&[Binding { command: "release".into(), keys: words, place: text.clone() }]);
        let lines: Vec<String> = lines.iter().map(ToString::to_string).chain([text]).collect();
        let _ = lockkeeper::model::journal::read(lines.iter().map(String::as_str));
        let _ = lockkeeper::model::event::read(lines.iter().map(String::as_str));
    }
}

/// What stands where bytes were.
fn harmed() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        Just(Vec::new()),
        prop::collection::vec(any::<u8>(), 1..8),
        any::<i64>().prop_map(|n| n.to_string().into_bytes()),
        prop::sample::select(vec![
            "null",
            "\"",
            "{",
            "}",
            "[",
            "]",
            ",",
            ":",
            "\\u0000",
            "\\ud800",
            "1e999",
            "-0",
            "{\"a\":1}"
        ])
        .prop_map(|text| text.as_bytes().to_vec()),
        prop::sample::select(INJECTIONS.to_vec()).prop_map(|text| serde_json::json!(text).to_string().into_bytes()),
    ]
}

/// Puts other bytes at some places of a body; where one place is at the very end, the rest is cut off.
async fn do_harm(harm: Vec<(f64, usize, Vec<u8>)>, response: Response) -> Response {
    let (mut parts, body) = response.into_parts();
    let mut bytes = axum::body::to_bytes(body, 64 << 20).await.unwrap().to_vec();
    for (place, length, instead) in harm {
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "a place"
        )]
        let from = (bytes.len() as f64 * place) as usize;
        let to = if length == 39 { bytes.len() } else { bytes.len().min(from + length) };
        bytes.splice(from..to, instead);
    }
    parts.headers.remove("content-length");
    Response::from_parts(parts, Body::from(bytes))
}

/// A database and a control plane of a small mesh, made once.
fn real_answers() -> &'static (PathBuf, control::Shared) {
    static MADE: OnceLock<(PathBuf, control::Shared)> = OnceLock::new();
    MADE.get_or_init(|| {
        let database = support::state_folder().with_extension("db");
        let _ = std::fs::remove_file(&database);
        let now = wall_clock();
        let mut world = World::new(Shape { seed: 7, nodes: 6, locks: 12, messages: 40, speed: 1.0 }, now);
        let plane = Arc::new(Mutex::new(Plane::new(Tokens::default())));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let made = async { Writer::create(&database).await?.apply(world.begin(now)).await };
        runtime.block_on(made).unwrap();
        control::mirror(&plane, &world, now);
        (database, plane)
    })
}

/// JSON of the shapes that are read here, and of none.
fn json() -> impl Strategy<Value = serde_json::Value> {
    use serde_json::Value;
    let word = prop::sample::select(vec![
        "nodes",
        "node_id",
        "last_seen_unix_ms",
        "leases",
        "lease_id",
        "scope_key",
        "expires_unix_ms",
        "messages",
        "id",
        "payload",
        "schema",
        "event",
        "at_ms",
        "kind",
        "severity",
        "receiver_agent_id",
        "task_id",
        "idempotency_key",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        prop::sample::select(INJECTIONS.to_vec()).prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((word.clone(), inner), 0..6)
                .prop_map(|all| all.into_iter().map(|(name, value)| (name.to_owned(), value)).collect::<Value>()),
        ]
    })
}

/// The corpus in every text column, through every view, page and dialog, as it reaches the terminal: bytes, not cells.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_in_a_row_steers_the_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let rows: Vec<Vec<String>> = INJECTIONS.iter().map(|text| vec![quoted(text)]).collect();
    let database = support::database(folder.path(), &sql(&rows)).await;
    let config = folder.path().join("c.toml");
    // The bell and the title are ours; without them nothing of their kind may be sent.
    std::fs::write(&config, "[alarms]\nbell = 'off'\ntitle = false\nraise_after = '50ms'\nnotify = 'off'\n").unwrap();
    let arguments = ["--db", database.to_str().unwrap(), "--config", config.to_str().unwrap()];
    let mut screen = Screen::start(200, 50, &arguments, &[("LOCKKEEPER_INTERVAL", "100ms")]);
    screen.wait_text("● live");
    for view in ["2", "3", "4", "5", "6", "7", "8", "9", "0", "1"] {
        screen.press(view);
        for key in ["\r", "G", "\x1b[B", "z"] {
            screen.press(key);
        }
        screen.wait_for("the view", |text| text.contains("live") || text.lines().count() > 3);
        screen.press("\x1b[A");
        screen.press("\x1b");
        // Escape and what follows at once would be one key.
        screen.wait_for("an answer", |text| !text.is_empty());
        screen.press("\x1b[A");
        screen.press("/");
        screen.press("PWNED\r");
        screen.press(":");
        screen.press("repo\x1b[B");
        screen.press("\x1b[A\r");
    }
    screen.press("\x03");
    assert_eq!(screen.wait_end(), 0);
    assert!(screen.is_restored());
    let raw = screen.raw();
    assert!(raw.contains("PWNED"), "the texts were shown");
    for forbidden in
        ["\u{9b}", "\u{9d}", "\u{90}", "\u{9c}", "\u{202e}", "\u{2066}", "\u{200b}", "\u{200d}", "\u{feff}"]
    {
        assert!(!raw.contains(forbidden), "{forbidden:?}");
    }
    for forbidden in ["\x1b]", "\x1bP", "\x1b_", "\x1b^", "\x1bX", "\x1bc", "\x1b[2J\x1b[HP", "\x07", "\x7f", "\0"] {
        let at = raw.find(forbidden);
        let around = |at: usize| raw[at..].chars().take(40).collect::<String>();
        assert_eq!(at.map(around), None, "{forbidden:?}");
    }
}
