//! The command line: a contract that scripts depend on.

use crate::support;

use std::process::Stdio;

use serde_json::Value;
use support::{lockkeeper, run};

const NOW: &str = "
INSERT INTO mesh_heartbeats VALUES ('forge', '1', unixepoch() * 1000, 'writing', 'r');
INSERT INTO distributed_locks VALUES ('file:a.rs', 'forge', '1', 3, datetime('now'), datetime('now', '+5 minutes'), 'r');
INSERT INTO a2a_messages (message_uuid, sender_agent, receiver_agent, msg_type, payload, repository_id)
    VALUES ('u', '2', '1', 'resource_lock_request', '{\"resource_id\":\"file:a.rs\"}', 'r');
";

async fn mesh(more: &str) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let sql = format!("{}{NOW}{more}", lockkeeper::demo::vox::write::SCHEMA);
    let path = support::database(folder.path(), &sql).await.to_str().unwrap().to_owned();
    (folder, path)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[tokio::test]
async fn snapshot_json_has_every_part_of_the_contract() {
    let (_folder, path) = mesh("").await;
    let seen = support::snapshot(&path, &[]);
    assert_eq!(seen["schema"], "lockkeeper.snapshot.v1");
    for part in ["sources", "nodes", "locks", "queues", "messages", "tasks", "leases", "leaders", "oplog", "findings"] {
        assert!(seen[part].is_array(), "{part}");
    }
    let lock = &seen["locks"][0];
    for field in [
        "lock_key",
        "repository_id",
        "table",
        "holder_node",
        "holder_agent",
        "fence_token",
        "acquired_at_ms",
        "expires_at_ms",
        "ttl_ms",
        "state",
        "holder_staleness",
        "waiters",
    ] {
        assert!(!lock[field].is_null(), "{field}");
    }
    assert_eq!(lock["waiters"][0]["agent"], "2");
    assert_eq!(lock["waiters"][0]["evidence"][0], "resource_lock_request 1");
    assert!(lock["ttl_ms"].as_i64().is_some_and(|ms| (290_000..=300_000).contains(&ms)));
    let node = &seen["nodes"][0];
    for field in ["node_id", "agent_id", "repository_id", "last_seen_ms", "age_ms", "misses", "staleness", "activity"] {
        assert!(!node[field].is_null(), "{field}");
    }
    let only = support::snapshot(&path, &["--view", "locks"]);
    assert!(only["locks"].is_array() && only.get("nodes").is_none());
}

#[tokio::test]
async fn check_speaks_the_convention() {
    let (_folder, path) = mesh("").await;
    let ok = run(&["check", "--db", &path]);
    let line = text(&ok.stdout);
    assert_eq!(ok.status.code(), Some(0), "{line}");
    assert!(line.starts_with("LOCKKEEPER OK - 1 nodes, 1 locks, nothing stuck | nodes=1 "), "{line}");
    assert_eq!(line.lines().count(), 1);

    let stuck = "UPDATE a2a_messages SET created_at = datetime('now', '-2 minutes');";
    let (_folder, path) = mesh(stuck).await;
    assert_eq!(run(&["check", "--db", &path]).status.code(), Some(1));

    let dead = "UPDATE mesh_heartbeats SET last_seen_ms = last_seen_ms - 700000;";
    let (_folder, path) = mesh(dead).await;
    let critical = run(&["check", "--db", &path]);
    assert_eq!(critical.status.code(), Some(2));
    assert!(text(&critical.stdout).contains("forge: dead"));

    let unknown = run(&["check", "--db", "/nonexistent/vox.db"]);
    assert_eq!(unknown.status.code(), Some(3));
    assert!(text(&unknown.stdout).contains("does not exist"), "{}", text(&unknown.stdout));
    assert_eq!(run(&["check"]).status.code(), Some(3), "nothing configured is not OK");
}

#[test]
fn with_nothing_configured_it_says_what_it_looked_for_and_offers_the_demo() {
    let folder = tempfile::tempdir().unwrap();
    let output = lockkeeper().current_dir(folder.path()).stdin(Stdio::null()).output().unwrap();
    let printed = text(&output.stderr);
    for words in ["vox.db", ".vox/store.db", "--db", "VOX_DB_URL", "lockkeeper demo"] {
        assert!(printed.contains(words), "{words}: {printed}");
    }
    assert_eq!(output.status.code(), Some(2));
}

#[tokio::test]
async fn without_a_terminal_it_points_at_snapshot() {
    let (_folder, path) = mesh("").await;
    for arguments in [vec!["--db", &path], vec!["demo"]] {
        let output = run(&arguments);
        assert!(text(&output.stderr).contains("lockkeeper snapshot"), "{}", text(&output.stderr));
        assert_eq!(output.status.code(), Some(1));
    }
}

#[tokio::test]
async fn files_are_found_where_vox_keeps_them() {
    let (folder, path) = mesh("").await;
    let data = folder.path().join("data");
    let repository = folder.path().join("repo");
    std::fs::create_dir_all(&data).unwrap();
    std::fs::create_dir_all(repository.join(".vox")).unwrap();
    std::fs::create_dir_all(repository.join("src/deep")).unwrap();
    std::fs::copy(&path, data.join("vox.db")).unwrap();
    std::fs::copy(&path, repository.join(".vox/store.db")).unwrap();
    let output = lockkeeper()
        .args(["snapshot", "--format", "json"])
        .env("VOX_DATA_DIR", &data)
        .current_dir(repository.join("src/deep"))
        .output()
        .unwrap();
    let seen: Value = serde_json::from_slice(&output.stdout).unwrap();
    let names: Vec<&str> = seen["sources"].as_array().unwrap().iter().filter_map(|s| s["name"].as_str()).collect();
    assert_eq!(names, ["vox.db", "store.db"]);
}

#[tokio::test]
async fn the_configuration_is_shown_with_its_origins_and_without_its_secrets() {
    let (folder, path) = mesh("").await;
    let config = folder.path().join("config.toml");
    std::fs::write(&config, format!("interval = \"3s\"\n[mesh.prod]\ndb = \"{path}\"\nrepo = \"r\"\n")).unwrap();
    let config = config.to_str().unwrap();
    let show = |arguments: &[&str], env: &[(&str, &str)]| {
        let mut command = lockkeeper();
        command.arg("config").args(["--config", config]).args(arguments);
        for (name, value) in env {
            command.env(name, value);
        }
        text(&command.output().unwrap().stdout)
    };
    let env = [("VOX_DB_PATH", "/elsewhere.db"), ("VOX_MESH_TOKEN", "hunter2"), ("VOX_MESH_CONTROL_ADDR", "10.0.0.9")];
    let shown = show(&["--interval", "9s"], &env);
    assert!(shown.contains("interval = \"9s\"") && shown.contains("# --interval"), "{shown}");
    assert!(shown.contains("/elsewhere.db") && shown.contains("# $VOX_DB_PATH"), "{shown}");
    assert!(shown.contains("http://10.0.0.9:9847 (token from $VOX_MESH_TOKEN)"), "{shown}");
    assert!(!shown.contains("hunter2"));
    let prod = show(&["--mesh", "prod"], &env);
    assert!(
        prod.contains("[mesh.prod]") && !prod.contains("/elsewhere.db"),
        "a mesh asked for by name is meant: {prod}"
    );
    // What is printed is a file that could be used.
    let again = folder.path().join("again.toml");
    std::fs::write(&again, &prod).unwrap();
    let output = run(&["config", "--config", again.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let wrong = run(&["config", "--config", config, "--mesh", "nowhere"]);
    assert!(text(&wrong.stderr).contains("it has prod"), "{}", text(&wrong.stderr));
    assert_eq!(wrong.status.code(), Some(2));
}

#[test]
fn completions_the_man_page_and_keys_are_made_from_the_definitions() {
    for shell in ["bash", "zsh", "fish"] {
        assert!(text(&run(&["completions", shell]).stdout).contains("snapshot"), "{shell}");
    }
    assert!(text(&run(&["man"]).stdout).contains(".TH lockkeeper"));
    let folder = tempfile::tempdir().unwrap();
    assert!(run(&["man", "--dir", folder.path().to_str().unwrap()]).status.success());
    for page in ["lockkeeper", "lockkeeper-release", "lockkeeper-record-cut"] {
        let path = folder.path().join(format!("{page}.1"));
        assert!(std::fs::read_to_string(&path).unwrap().contains(".SH SYNOPSIS"), "{page}");
    }
    let keys = text(&run(&["keys"]).stdout);
    assert!(keys.contains("ctrl-p") && keys.contains("suspend"));
    assert_eq!(run(&["--nonsense"]).status.code(), Some(2));
    assert_eq!(run(&["--help"]).status.code(), Some(0));
}

#[tokio::test]
async fn a_token_is_read_from_a_file_a_variable_or_a_command_never_from_the_command_line() {
    let help = text(&run(&["--help"]).stdout);
    assert!(!help.contains("--token "), "{help}");
    let refused = run(&["snapshot", "--db", "libsql://h?authToken=hunter2"]);
    assert!(text(&refused.stderr).contains("--token-file") && !text(&refused.stderr).contains("hunter2"));
    let missing = run(&["check", "--db", "http://127.0.0.1:1", "--token-env", "NO_SUCH_VARIABLE"]);
    assert!(text(&missing.stdout).contains("NO_SUCH_VARIABLE is not set"), "{}", text(&missing.stdout));
    let output = lockkeeper()
        .args(["check", "--db", "http://127.0.0.1:1"])
        .env("LOCKKEEPER_TOKEN_COMMAND", "/nonexistent/program,argument")
        .output()
        .unwrap();
    assert!(text(&output.stdout).contains("token_command /nonexistent/program"), "{}", text(&output.stdout));
}

#[test]
fn a_local_registry_is_read_and_a_token_in_the_clear_is_warned_about() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("local-registry.json");
    std::fs::write(
        &path,
        r#"{"schema_version":1,"nodes":[{"id":"laptop-192","version":"0.5.0","last_seen_unix_ms":1795238342724}]}"#,
    )
    .unwrap();
    let output =
        lockkeeper().args(["snapshot", "--format", "json"]).env("VOX_MESH_REGISTRY_PATH", &path).output().unwrap();
    let seen: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(seen["nodes"][0]["node_id"], "laptop-192");
    assert_eq!(seen["sources"][0]["kind"], "registry file");
    std::fs::write(&path, "not json").unwrap();
    let output = lockkeeper().args(["check"]).env("VOX_MESH_REGISTRY_PATH", &path).output().unwrap();
    assert!(text(&output.stdout).contains("is no registry of nodes"), "{}", text(&output.stdout));
    for (address, warned) in [("http://10.0.0.9:9847", true), ("http://127.0.0.1:9847", false), ("https://h", false)] {
        assert_eq!(
            lockkeeper::data::tls::warning(&lockkeeper::config::address::Address::of_database(address).unwrap(), true)
                .is_some(),
            warned,
            "{address}"
        );
    }
}

/// H7: a monitor reads standard output and the exit code, whatever was misspelt in its configuration.
#[test]
fn a_check_that_cannot_be_understood_is_unknown() {
    for arguments in [&["check", "--bogus"][..], &["--interval", "never", "check"], &["check", "--mesh"]] {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(3), "{arguments:?}");
        let printed = text(&output.stdout);
        assert!(printed.starts_with("LOCKKEEPER UNKNOWN - ") && printed.lines().count() == 1, "{printed}");
    }
    let other = run(&["snapshot", "--bogus"]);
    assert_eq!((other.status.code(), text(&other.stdout).as_str()), (Some(2), ""));
}

/// H8, H2: printed by every command, before anything is sent.
#[tokio::test]
async fn a_log_that_cannot_be_written_and_a_token_in_the_clear_are_said_by_every_command() {
    let (folder, path) = mesh("").await;
    let token = folder.path().join("token");
    std::fs::write(&token, "hunter2").unwrap();
    let commands =
        [&["check"][..], &["snapshot"], &["release", "file:a.rs", "--fence", "3", "--dry-run"], &["--plain"]];
    for command in commands {
        let bad_log = [command, &["--db", path.as_str(), "--log-file", "/nonexistent/x.log"][..]].concat();
        let output = run(&bad_log);
        let printed = text(&output.stdout) + &text(&output.stderr);
        assert!(!output.status.success() && printed.contains("cannot write the log /nonexistent/x.log"), "{printed}");
    }
    // Nobody is there: what counts is what was printed before.
    let far = "http://192.0.2.1:9847";
    for command in &commands[..3] {
        let token = token.to_str().unwrap();
        let output = run(&[command, &["--db", path.as_str(), "--control", far, "--token-file", token][..]].concat());
        let printed = text(&output.stderr);
        assert!(printed.lines().next().is_some_and(|line| line.contains("the token travels unencrypted")), "{printed}");
    }
}

/// H9: what was seen is pasted as it was, and understood or refused.
#[tokio::test]
async fn a_fence_is_any_text_that_was_seen_with_a_lock() {
    let (_folder, path) = mesh("").await;
    let release = |fence: &str| run(&["release", "file:a.rs", "--fence", fence, "--db", &path, "--dry-run"]);
    for right in ["3", " 3\n", "+3"] {
        assert!(release(right).status.success(), "{right:?}: {}", text(&release(right).stderr));
    }
    for (wrong, code, why) in [
        ("-5", 4, "has fence 3 now"),
        ("4", 4, "has fence 3 now"),
        ("none", 4, "has fence 3 now"),
        ("3a5b-coord", 2, "write the number that you saw"),
        ("99999999999999999999", 2, "write the number that you saw"),
    ] {
        let output = release(wrong);
        assert_eq!(output.status.code(), Some(code), "{wrong:?}");
        assert!(text(&output.stderr).contains(why), "{}", text(&output.stderr));
    }
}

/// E4: one repository, or that nothing names it.
#[tokio::test]
async fn one_repository_alone_is_checked_and_shown() {
    let (_folder, path) = mesh("INSERT INTO mesh_heartbeats VALUES ('gone', '9', 5, 'idle', 'other');").await;
    let check = |repository: &str| run(&["check", "--db", &path, "--repo", repository]);
    assert_eq!(check("r").status.code(), Some(0), "{}", text(&check("r").stdout));
    assert_eq!(check("other").status.code(), Some(2), "{}", text(&check("other").stdout));
    let unknown = check("nope");
    assert_eq!(unknown.status.code(), Some(3));
    assert!(text(&unknown.stdout).contains("nothing here names repository nope"), "{}", text(&unknown.stdout));
    let output = run(&["snapshot", "--format", "json", "--db", &path, "--repo", "other"]);
    let seen: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((seen["nodes"].as_array().unwrap().len(), seen["locks"].as_array().unwrap().len()), (1, 0));
    assert_eq!(seen["repository"]["known"], true);
}

/// Questions: each answer is a document as its schema says, and the exit code says which answer it is.
#[tokio::test]
async fn questions_are_answered_by_exit_codes_and_documents() {
    let (_folder, path) = mesh("").await;
    let (_other, stuck) = mesh(
        "UPDATE mesh_heartbeats SET last_seen_ms = last_seen_ms - 3600000;
        UPDATE a2a_messages SET created_at = datetime('now', '-1 hour');",
    )
    .await;
    let ask = |database: &str, words: &[&str]| {
        let output = run(&[words, &["--db", database, "--format", "json"]].concat());
        let seen: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{words:?}: {e}"));
        support::documents::assert_valid(&seen);
        (output.status.code().unwrap(), seen)
    };
    let (code, seen) = ask(&path, &["who", "./a.rs"]);
    assert_eq!((code, &seen["answer"]), (0, &Value::from("yes")));
    assert_eq!(seen["meshes"][0]["locks"][0]["holder_node"], "forge");
    assert!(seen["meshes"][0]["queues"].is_array(), "{seen:#}");
    assert_eq!(ask(&path, &["who", "file:b.rs"]).0, 1);
    assert_eq!(ask("/nonexistent/vox.db", &["who", "file:b.rs"]).0, 3, "nobody looked");
    assert_eq!(ask(&path, &["stuck"]).0, 0);
    let (code, seen) = ask(&stuck, &["stuck"]);
    assert_eq!((code, seen["meshes"][0]["locks"][0]["state"].as_str()), (1, Some("orphaned")));
    assert_eq!(ask(&path, &["why", "forge"]).0, 0);
    assert_eq!(ask(&path, &["why", "nobody"]).0, 1);
    let said = run(&["who", "a.rs", "--db", &path]);
    assert!(
        text(&said.stdout).starts_with("file:a.rs: held, held by forge (agent 1, healthy)"),
        "{}",
        text(&said.stdout)
    );
    assert_eq!(run(&["who", "--db", &path]).status.code(), Some(2), "no key");
}

#[tokio::test]
async fn the_doctor_names_each_trouble_with_its_remedy_and_its_bundle_names_nobody() {
    let (folder, path) = mesh("").await;
    let bundle = folder.path().join("bundle.txt");
    let well = support::lockkeeper()
        .args(["doctor", "--db", &path, "--bundle", bundle.to_str().unwrap()])
        .env("TERM", "xterm-256color")
        .output()
        .unwrap();
    let told = text(&well.stdout);
    assert_eq!(well.status.code(), Some(0), "{told}");
    for line in ["ok    version ", "ok    terminal ", "ok    configuration ", "ok    state ", "ok    source "] {
        assert!(told.contains(line), "{line} in {told}");
    }
    let given = std::fs::read_to_string(&bundle).unwrap();
    assert!(given.contains("1 nodes, 1 locks") && given.contains("db = (set)"), "{given}");
    for name in [folder.path().to_str().unwrap(), "fixture.db", "forge", "a.rs"] {
        assert!(!given.contains(name), "{name} in {given}");
    }
    let again = run(&["doctor", "--db", &path, "--bundle", bundle.to_str().unwrap()]);
    assert!(text(&again.stderr).contains("cannot write"), "what is there is not written over");

    let missing = run(&["doctor", "--db", "/nonexistent/vox.db"]);
    assert_eq!(missing.status.code(), Some(1));
    assert!(text(&missing.stdout).contains("fail  source"), "{}", text(&missing.stdout));
    let config = folder.path().join("odd.toml");
    std::fs::write(&config, "interval = 3\n").unwrap();
    let odd = run(&["doctor", "--config", config.to_str().unwrap()]);
    assert!(text(&odd.stdout).contains("fail  configuration"), "{}", text(&odd.stdout));
    let version = run(&["--version", "--verbose"]);
    assert!(text(&version.stdout).contains("\n  ratatui "), "{}", text(&version.stdout));
}
