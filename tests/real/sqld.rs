//! A real libSQL server in a process of its own. Where none is installed, its tests say so and pass.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use lockkeeper::clock::wall_clock;
use lockkeeper::config::address::Address;
use lockkeeper::config::token::Token;
use lockkeeper::data::tls::Tls;
use lockkeeper::data::vox::backend::{Backend, remote::Remote, replica::Replica};
use lockkeeper::data::vox::db::VoxDb;
use lockkeeper::data::vox::queries::Limits;

use crate::support::wait_for;

/// The program, named by the variable SQLD; nothing, and a word, where there is none.
pub fn installed() -> Option<PathBuf> {
    let program = std::env::var_os("SQLD").map(PathBuf::from).filter(|path| path.is_file());
    if program.is_none() {
        use std::io::Write as _;
        // Not by the macro: what it says is shown of tests that fail alone.
        let _ = writeln!(std::io::stderr(), "skipped: SQLD names no libSQL server");
    }
    program
}

/// A server with a database of its own.
pub struct Sqld {
    program: PathBuf,
    pub folder: tempfile::TempDir,
    port: u16,
    more: Vec<String>,
    child: Option<Child>,
}

impl Sqld {
    /// Starts one on loopback, with a mesh in it.
    pub fn start(program: PathBuf, more: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let more = more.iter().map(|word| (*word).to_owned()).collect();
        let mut server = Self { program, folder, port, more, child: None };
        server.run("db");
        server
    }

    /// Runs it on a database of this name.
    pub fn run(&mut self, database: &str) {
        let listen = format!("127.0.0.1:{}", self.port);
        let child = Command::new(&self.program)
            .arg("--db-path")
            .arg(self.folder.path().join(database))
            .args(["--http-listen-addr", &listen, "--no-welcome"])
            .args(&self.more)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the server starts");
        self.child = Some(child);
        wait_for("the server", || std::net::TcpStream::connect(&listen).ok());
    }

    /// Ends it, as a crash does.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Sends its process a signal.
    pub fn signal(&self, signal: rustix::process::Signal) {
        let id = self.child.as_ref().map(|child| child.id().cast_signed()).and_then(rustix::process::Pid::from_raw);
        rustix::process::kill_process(id.expect("a server that runs"), signal).expect("a signal");
    }

    /// Runs statements as its other clients do.
    pub async fn execute(&self, sql: &str, token: &str) {
        let (status, text) = self.post(sql, token).await;
        assert!(status.is_success() && !text.contains("\"type\":\"error\""), "{status}: {text}");
    }

    /// The rows of one statement, as they travel.
    pub async fn ask(&self, sql: &str) -> Vec<Vec<serde_json::Value>> {
        let (status, text) = self.post(sql, "").await;
        let answer: serde_json::Value = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{status}: {e}: {text}"));
        serde_json::from_value(answer["results"][0]["response"]["result"]["rows"].clone()).expect("rows")
    }

    async fn post(&self, sql: &str, token: &str) -> (reqwest::StatusCode, String) {
        let steps: Vec<_> = sql
            .split(';')
            .filter(|statement| !statement.trim().is_empty())
            .map(|statement| serde_json::json!({ "type": "execute", "stmt": { "sql": statement } }))
            .chain([serde_json::json!({ "type": "close" })])
            .collect();
        let answer = reqwest_of_tests()
            .post(format!("{}/v2/pipeline", self.url()))
            .bearer_auth(token)
            .json(&serde_json::json!({ "requests": steps }))
            .send()
            .await
            .unwrap();
        let status = answer.status();
        (status, answer.text().await.unwrap())
    }

    pub fn remote(&self, token: Option<Token>) -> VoxDb {
        let remote = Remote::new(self.address(), token, 4 << 20, Tls::default());
        VoxDb::new(Backend::Remote(Box::new(remote)), Limits::default(), wall_clock)
    }

    pub fn replica(&self, path: &Path, token: Option<Token>) -> VoxDb {
        let replica = Replica::new(self.address(), path.to_owned(), token, std::time::Duration::ZERO, 4 << 20);
        VoxDb::new(Backend::Replica(Box::new(replica)), Limits::default(), wall_clock)
    }

    pub fn address(&self) -> Address {
        Address::of_database(&self.url()).unwrap()
    }
}

impl Drop for Sqld {
    fn drop(&mut self) {
        self.kill();
    }
}

fn reqwest_of_tests() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().build().unwrap()
}
