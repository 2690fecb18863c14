//! Several meshes on one screen and on one command line: a file, and a server in a process of its own.

use crate::support;

use std::fs;
use std::path::Path;

use support::screen::Screen;
use support::{Peer, lockkeeper};

const TOKEN: &str = "s3cret-of-the-meshes";

/// A mesh in which all is well, or one in which a lock's holder is dead.
fn sql(node: &str, age_ms: i64) -> String {
    format!(
        "{}INSERT INTO mesh_heartbeats VALUES ('{node}', '1', unixepoch() * 1000 - {age_ms}, 'writing', 'r');
        INSERT INTO distributed_locks VALUES ('file:a.rs', '{node}', '1', 3, datetime('now'), datetime('now', '+5 minutes'), 'r');",
        lockkeeper::demo::vox::write::SCHEMA
    )
}

async fn file(folder: &Path, node: &str, age_ms: i64) -> String {
    let folder = folder.join(node);
    fs::create_dir(&folder).unwrap();
    support::database(&folder, &sql(node, age_ms)).await.to_str().unwrap().to_owned()
}

/// A configuration with these meshes.
fn config(folder: &Path, meshes: &[(&str, String)]) -> String {
    let tables: Vec<String> = meshes.iter().map(|(name, values)| format!("[mesh.{name}]\n{values}\n")).collect();
    let path = folder.join("config.toml");
    fs::write(&path, tables.concat()).unwrap();
    path.to_str().unwrap().to_owned()
}

fn db(path: &str) -> String {
    format!("db = [\"{path}\"]")
}

/// Runs the program: its exit code and all that it printed.
fn run(arguments: &[&str]) -> (Option<i32>, String) {
    let output = lockkeeper().args(arguments).output().unwrap();
    (output.status.code(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
}

#[tokio::test]
async fn an_outage_of_one_mesh_leaves_the_other_untouched() {
    let folder = tempfile::tempdir().unwrap();
    let near = file(folder.path(), "forge", 0).await;
    let far = file(folder.path(), "loom", 0).await;
    let mut peer = Peer::start(&["hrana", &far, TOKEN, "0"]);
    let url = peer.line();
    let token = folder.path().join("token");
    fs::write(&token, TOKEN).unwrap();
    let staging = format!("{}\ntoken_file = \"{}\"", db(&url), token.display());
    let config = config(folder.path(), &[("prod", db(&near)), ("staging", staging)]);
    let env = [("LOCKKEEPER_INTERVAL", "200ms"), ("LOCKKEEPER_TIMEOUT", "1s")];
    let mut screen = Screen::start(160, 40, &["--config", &config, "--mesh", "all"], &env);
    let line = |text: &str, name: &str| text.lines().find(|line| line.contains(name)).unwrap_or("").to_owned();
    screen.wait_for("both are well", |text| {
        line(text, "● prod ").contains("all is well") && line(text, "● staging ").contains("all is well")
    });
    peer.kill();
    let text = screen.wait_for("the outage", |text| text.lines().next().is_some_and(|top| top.contains("staging: ")));
    assert!(line(&text, "● prod ").contains("all is well"), "{text}");
    screen.press("3");
    // What an old source printed is marked; what the other says is as new as ever.
    let text = screen.wait_for("old beside new", |text| line(text, " staging  file:a.rs").contains('~'));
    let fresh = line(&text, " prod     file:a.rs");
    assert!(!fresh.contains('~') && fresh.contains("held"), "{text}");
    screen.press("/mesh:prod\r");
    screen.wait_for("one of them", |text| text.contains("1 of 2 rows") && !text.contains(" loom"));
    // The other mesh alone, and both again.
    screen.press(":mesh prod\r");
    screen.wait_for("one mesh", |text| text.starts_with(" lockkeeper prod ") && text.contains("all is well"));
    screen.press("3");
    let text = screen.wait_text("file:a.rs");
    assert!(!text.contains("MESH"), "{text}");
    screen.press(":mesh staging\r");
    screen.wait_for("the one that is gone", |text| text.starts_with(" lockkeeper staging ") && text.contains("✖"));
    screen.press("\x03");
    assert_eq!(screen.wait_end(), 0);
}

#[tokio::test]
async fn several_meshes_are_asked_for_from_the_command_line() {
    let folder = tempfile::tempdir().unwrap();
    let (well, ill) = (file(folder.path(), "forge", 0).await, file(folder.path(), "loom", 3_600_000).await);
    let config = config(folder.path(), &[("prod", db(&well)), ("staging", db(&ill)), ("lab", db("/nowhere/x.db"))]);
    let run = |arguments: &[&str]| run(&[&["--config", &config], arguments].concat());

    let (code, printed) = run(&["snapshot", "--format", "json", "--view", "locks", "--mesh", "staging,prod"]);
    let seen: serde_json::Value = serde_json::from_str(&printed).unwrap();
    support::documents::assert_valid(&seen);
    assert_eq!((code, seen["schema"].as_str()), (Some(0), Some("lockkeeper.snapshots.v1")));
    let of = |mesh: usize, field: &str| seen["meshes"][mesh][field].as_str().unwrap().to_owned();
    assert_eq!((of(0, "mesh"), of(1, "mesh")), ("staging".into(), "prod".into()), "as they were named");
    assert_eq!(of(0, "schema"), "lockkeeper.snapshot.v1");
    assert_eq!(seen["meshes"][0]["locks"][0]["holder_node"], "loom");
    assert_eq!(seen["meshes"][1]["locks"][0]["state"], "held");
    let (_, printed) = run(&["snapshot", "--mesh", "prod"]);
    assert!(printed.starts_with("mesh prod at "), "{printed}");

    let (code, printed) = run(&["check", "--mesh", "prod"]);
    assert!(code == Some(0) && printed.contains("| nodes=1 "), "one mesh is as it ever was: {printed}");
    let (code, printed) = run(&["check", "--mesh", "prod,staging"]);
    assert_eq!(code, Some(2), "{printed}");
    assert!(printed.starts_with("LOCKKEEPER CRITICAL - staging: loom: dead"), "{printed}");
    assert!(printed.contains(" prod.nodes=1 ") && printed.contains(" staging.nodes_silent=1 "), "{printed}");
    let (code, printed) = run(&["check", "--mesh", "prod,lab"]);
    assert!(code == Some(3) && printed.starts_with("LOCKKEEPER UNKNOWN - lab: "), "never OK unseen: {printed}");

    // What is done is done to one mesh, and a place belongs to one.
    let (code, printed) = run(&["release", "file:a.rs", "--fence", "3", "--yes", "--mesh", "prod,staging"]);
    assert!(code == Some(2) && printed.contains("name one of them"), "{printed}");
    let (code, printed) = run(&["snapshot", "--db", &well, "--mesh", "all"]);
    assert!(code == Some(2) && printed.contains("--db: names a place of one mesh"), "{printed}");
    let (code, printed) = run(&["snapshot", "--mesh", "prod,other"]);
    assert!(code == Some(2) && printed.contains("there is no mesh \"other\""), "{printed}");
}

#[tokio::test]
async fn several_meshes_are_told_in_lines_and_hang_on_a_wall() {
    let folder = tempfile::tempdir().unwrap();
    let (well, ill) = (file(folder.path(), "forge", 0).await, file(folder.path(), "loom", 3_600_000).await);
    let config = config(folder.path(), &[("prod", db(&well)), ("staging", db(&ill))]);
    let mut plain = Screen::start(160, 40, &["--plain", "--config", &config, "--mesh", "all"], &[]);
    plain.wait_for("each by its name", |text| {
        text.contains("watching prod, staging")
            && text.contains("prod: now all is well; 1 node")
            && text.contains("staging: now critical; 1 node")
    });
    plain.press("\x03");
    let mut wall = Screen::start(120, 30, &["--wall", "--config", &config, "--mesh", "all"], &[]);
    // It stays where something is wrong, in whichever mesh.
    wall.wait_for("what is wrong", |text| {
        text.contains("staging: loom: dead") && text.contains("held while something is wrong")
    });
    wall.press("\x03\x03");
    wall.wait_end();
}
