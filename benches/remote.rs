//! What watching a remote database costs its server, by the server's own count, and this machine.
//!
//! `SQLD=/path/to/sqld cargo bench --bench remote` fills a database of each size, has a real libSQL server serve it, and
//! watches it at rest and while it changes, by the program itself. Who changes it reads rows too: those are told first. Rows are those that the server counts; bytes are counted
//! between both. `-- --seconds N SIZE ...` measures for so long, and these sizes (`S`, `M`, `L`). Without a server it says so.

mod support;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use lockkeeper::clock::wall_clock;
use lockkeeper::data::tls::Tls;
use lockkeeper::data::vox::connector::Connector;
use lockkeeper::demo::vox::workload::{Size, Workload};
use tokio::net::{TcpListener, TcpStream};

use self::support::{Running, run_ns};

/// How long the program has to settle before it is measured: to find out how the database is best read.
const WARM: Duration = Duration::from_secs(15);

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port").port()
}

async fn until<T>(what: &str, mut done: impl AsyncFnMut() -> Option<T>) -> T {
    let started = Instant::now();
    while started.elapsed() < Duration::from_secs(120) {
        if let Some(done) = done().await {
            return done;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{what} never came");
}

/// A server on the database of a workload.
struct Server {
    _running: Running,
    http: u16,
    admin: u16,
}

impl Server {
    async fn start(program: &Path, folder: &Path) -> Self {
        let (http, admin) = (free_port(), free_port());
        let listens = |port: u16| format!("127.0.0.1:{port}");
        let child = Command::new(program)
            .args(["--db-path".as_ref(), folder.as_os_str()])
            .args(["--http-listen-addr", &listens(http), "--admin-listen-addr", &listens(admin), "--no-welcome"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the server starts");
        let server = Self { _running: Running(child), http, admin };
        until("the server", async || server.rows_read().await).await;
        server
    }

    /// Rows that it read since it began.
    async fn rows_read(&self) -> Option<u64> {
        let url = format!("http://127.0.0.1:{}/v1/namespaces/default/stats", self.admin);
        let answer = reqwest::get(url).await.ok()?.text().await.ok()?;
        serde_json::from_str::<serde_json::Value>(&answer).ok()?["rows_read_count"].as_u64()
    }
}

/// Passes connections on, and counts what goes over them both ways.
async fn counted(to: u16) -> (u16, Arc<AtomicU64>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let (port, bytes) = (listener.local_addr().expect("its address").port(), Arc::new(AtomicU64::new(0)));
    let count = bytes.clone();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let Ok(server) = TcpStream::connect(("127.0.0.1", to)).await else { continue };
            let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
            tokio::spawn(pass(from_client, to_server, count.clone()));
            tokio::spawn(pass(from_server, to_client, count.clone()));
        }
    });
    (port, bytes)
}

async fn pass(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    count: Arc<AtomicU64>,
) {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut buffer = vec![0; 1 << 16];
    while let Ok(n @ 1..) = from.read(&mut buffer).await {
        count.fetch_add(n as u64, Ordering::Relaxed);
        if to.write_all(&buffer[..n]).await.is_err() {
            return;
        }
    }
    let _ = to.shutdown().await;
}

/// One way of watching, for a while.
#[allow(clippy::cast_precision_loss, reason = "figures of a few digits")]
async fn measure(label: &str, server: &Server, arguments: &[String], consoles: usize, span: Duration) {
    let (port, bytes) = counted(server.http).await;
    let url = format!("http://127.0.0.1:{port}");
    let state = tempfile::tempdir().expect("a folder");
    let start = |i: usize| {
        let mut words: Vec<&OsStr> = vec!["--db".as_ref(), url.as_ref()];
        words.extend(arguments.iter().map(OsStr::new));
        Running::plain(&words, &state.path().join(i.to_string()))
    };
    let all: Vec<Running> = (0..consoles).map(start).collect();
    tokio::time::sleep(WARM).await;
    let cpu = || all.iter().map(|running| run_ns(running.0.id())).sum::<u64>();
    let (began, rows, moved, ran) =
        (Instant::now(), server.rows_read().await.expect("its count"), bytes.load(Ordering::Relaxed), cpu());
    tokio::time::sleep(span).await;
    let seconds = began.elapsed().as_secs_f64();
    let rows = server.rows_read().await.expect("its count") - rows;
    let moved = bytes.load(Ordering::Relaxed) - moved;
    let cpu = (cpu() - ran) as f64 / 1e7 / seconds;
    println!("| {label} | {:.1} | {:.0} | {cpu:.2} |", rows as f64 / seconds, moved as f64 / seconds);
}

async fn at_size(name: &str, program: &Path, span: Duration) {
    let folder = tempfile::tempdir().expect("a folder");
    let place: PathBuf = folder.path().join("dbs/default/data");
    std::fs::create_dir_all(place.parent().expect("a folder")).expect("a folder");
    let size = Size::named(name).expect("S, M or L");
    let workload = Workload::create(&place, size, wall_clock()).await.expect("a filled database");
    let workload = workload.detached();
    let server = Server::start(program, folder.path()).await;
    let settings = |name: &str, text: String| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("a file");
        ["--config".to_owned(), path.display().to_string()]
    };
    let replica = folder.path().join("replica.db");
    let text = format!("replica_path = \"{}\"\nsync_interval = \"1s\"\n", replica.display());
    let with_replica = settings("replica.toml", text);
    let by_queries = settings("queries.toml", "remote_access = \"queries\"\n".to_owned());

    measure(&format!("{name} at rest"), &server, &[], 1, span).await;
    if name != "L" {
        measure(&format!("{name} at rest, a replica by name"), &server, &with_replica, 1, span).await;
        measure(&format!("{name} at rest, five consoles"), &server, &[], 5, span).await;
    }
    let stop = Arc::new(AtomicBool::new(false));
    let writer = {
        let (stop, name, url) = (stop.clone(), name.to_owned(), format!("http://127.0.0.1:{}", server.http));
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let database = libsql::Builder::new_remote(url, String::new())
                    .connector(Connector::new(Tls::default().config(false).expect("certificates"), Arc::default()))
                    .build()
                    .await
                    .expect("a client");
                let mut workload = workload.over(database.connect().expect("a connection"));
                let (mut steps, began) = (0, Instant::now());
                while !stop.load(Ordering::Relaxed) {
                    let next = Instant::now() + Duration::from_secs(1);
                    workload.step(wall_clock(), 1_000).await.expect("a step");
                    steps += 1;
                    tokio::time::sleep_until(next.into()).await;
                }
                println!("({name}: {steps} steps of 1 % in {} s)", began.elapsed().as_secs());
            });
        })
    };
    measure(&format!("{name} live, nobody watches"), &server, &[], 0, span).await;
    measure(&format!("{name} live"), &server, &[], 1, span).await;
    measure(&format!("{name} live, queries alone"), &server, &by_queries, 1, span).await;
    if name != "L" {
        measure(&format!("{name} live, a replica by name"), &server, &with_replica, 1, span).await;
        measure(&format!("{name} live, five consoles"), &server, &[], 5, span).await;
    }
    stop.store(true, Ordering::Relaxed);
    writer.join().expect("the writer ends");
}

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let Some(program) = std::env::var_os("SQLD").map(PathBuf::from).filter(|path| path.is_file()) else {
        println!("SQLD names no libSQL server: nothing is measured");
        return;
    };
    let _ = rustls::crypto::ring::default_provider().install_default();
    let seconds = arguments.iter().position(|argument| argument == "--seconds");
    let seconds = seconds.and_then(|at| arguments.get(at + 1)?.parse().ok()).unwrap_or(30);
    let named: Vec<&str> = arguments.iter().map(String::as_str).filter(|name| Size::named(name).is_some()).collect();
    println!("{seconds} s each; rows by the server's own count");
    println!("| database | rows read a second | bytes a second, both ways | processor, % of a core |");
    println!("|---|---|---|---|");
    for name in if named.is_empty() { vec!["S", "M", "L"] } else { named } {
        at_size(name, &program, Duration::from_secs(seconds)).await;
    }
}
