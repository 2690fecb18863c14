//! What watching a control plane makes its server write.
//!
//! `cargo bench --bench control` runs the demo's control plane in a process of its own. It has 12 agents and 1 000 messages. It keeps
//! them in files as Vox does: each reading of an inbox or of the leases writes its file whole. The program watches it with and
//! without a database that shows the same messages. What the server wrote and what it used is what the system says of its process (Linux).
//! `-- --seconds N` measures for so long.

mod support;

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use lockkeeper::clock::wall_clock;
use lockkeeper::demo::vox::control::{self, Plane, Tokens};
use lockkeeper::demo::vox::write::Writer;
use procfs::process::Process;
use serde_json::json;

use self::support::{Running, run_ns};

const AGENTS: u64 = 12;
const MESSAGES: u64 = 1_000;

/// The server: prints its address, and ends with its standard input.
async fn serve(folder: &Path) {
    let mut plane = Plane::new(Tokens::default()).kept_in(folder.to_owned());
    plane.nodes = (1..=AGENTS)
        .map(|agent| json!({ "id": agent.to_string(), "version": "0.5.0", "last_seen_unix_ms": wall_clock() }))
        .collect();
    plane.messages = (1..=MESSAGES)
        .map(|id| {
            json!({
                "id": id, "sender_agent_id": "99", "receiver_agent_id": (id % AGENTS + 1).to_string(), "acknowledged": false,
                "message_type": "free_form", "payload": format!("part {id} of the work, with some words about it"),
                "delivered_at_unix_ms": wall_clock(),
            })
        })
        .collect();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    println!("http://{}", listener.local_addr().expect("its address"));
    let router = control::router(Arc::new(Mutex::new(plane)));
    tokio::spawn(async move { axum::serve(listener, router).await });
    let _ = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await;
}

/// A database that shows the same messages.
async fn database(path: &Path) {
    let connection = Writer::create(path).await.expect("a database").into_connection();
    let sql = format!(
        "WITH RECURSIVE g(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM g LIMIT {MESSAGES})
         INSERT INTO mesh_a2a_messages (sender_agent_id, receiver_agent_id, message_type, payload, created_at)
         SELECT '99', i % {AGENTS} + 1, 'free_form', 'part', unixepoch() FROM g"
    );
    connection.execute_batch(&sql).await.expect("rows");
}

fn used(process: u32) -> (u64, u64) {
    let wrote = Process::new(process.cast_signed()).and_then(|process| process.io()).expect("what it wrote").wchar;
    (wrote, run_ns(process))
}

/// Consoles that watch for a while.
async fn measure(label: &str, folder: &Path, database: Option<&Path>, consoles: usize, span: Duration) {
    let mut server = Command::new(std::env::current_exe().expect("this program"))
        .arg("--server")
        .arg(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map(Running)
        .expect("the server starts");
    let mut url = String::new();
    BufReader::new(server.0.stdout.take().expect("its output")).read_line(&mut url).expect("its address");
    let start = |i: usize| {
        let mut words: Vec<&OsStr> = vec!["--control".as_ref(), url.trim().as_ref()];
        words.extend(database.iter().flat_map(|path| ["--db".as_ref(), path.as_os_str()]));
        Running::plain(&words, &folder.join(format!("state-{i}")))
    };
    let _watching: Vec<Running> = (0..consoles).map(start).collect();
    // The first polls find out what there is.
    tokio::time::sleep(Duration::from_secs(5)).await;
    let (wrote, ran) = used(server.0.id());
    tokio::time::sleep(span).await;
    let (wrote, ran) = {
        let (w, r) = used(server.0.id());
        (w - wrote, r - ran)
    };
    #[allow(clippy::cast_precision_loss, reason = "figures of a few digits")]
    let a_10s = |figure: u64| figure as f64 * 10.0 / span.as_secs_f64();
    println!("| {label} | {:.2} MB | {:.0} ms |", a_10s(wrote) / 1e6, a_10s(ran) / 1e6);
}

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let after = |flag: &str| {
        let at = arguments.iter().position(|argument| argument == flag)?;
        arguments.get(at + 1)
    };
    if let Some(folder) = after("--server") {
        serve(Path::new(folder)).await;
        return;
    }
    let span = Duration::from_secs(after("--seconds").and_then(|n| n.parse().ok()).unwrap_or(30));
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("vox.db");
    database(&path).await;
    println!("{AGENTS} agents, {MESSAGES} messages; {} s each, given for 10 s", span.as_secs());
    println!("| watched by | written by the server | processor time of the server |");
    println!("|---|---|---|");
    measure("nobody", folder.path(), None, 0, span).await;
    measure("one console, with a database", folder.path(), Some(&path), 1, span).await;
    measure("one console, without a database", folder.path(), None, 1, span).await;
    measure("five consoles, with a database", folder.path(), Some(&path), 5, span).await;
    measure("five consoles, without a database", folder.path(), None, 5, span).await;
}
