//! A running service, and what is asked of it.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Stdio};

/// The program as a service over one database.
pub struct Service {
    pub child: Child,
    pub address: String,
}

/// What an hour of a mesh looks like: a node, its lock, and somebody who waits.
pub const MESH: &str = "
INSERT INTO mesh_heartbeats VALUES ('for\"ge\n', '1', unixepoch() * 1000, 'writing', 'r');
INSERT INTO distributed_locks VALUES ('file:a.rs', 'for\"ge\n', '1', 3, datetime('now'), datetime('now', '+1 hour'), 'r');
";

pub async fn database(folder: &Path) -> String {
    let sql = format!("PRAGMA journal_mode = WAL; {}{MESH}", lockkeeper::demo::vox::write::SCHEMA);
    super::database(folder, &sql).await.to_str().unwrap().to_owned()
}

pub async fn execute(database: &str, sql: &str) {
    let database = libsql::Builder::new_local(database).build().await.unwrap();
    database.connect().unwrap().execute_batch(sql).await.unwrap();
}

impl Service {
    /// Starts it on a port that is free, and waits until it is ready.
    pub async fn start(arguments: &[&str]) -> Self {
        let mut command = super::lockkeeper();
        command.args(["serve", "--listen", "127.0.0.1:0", "--interval", "50ms"]).args(arguments);
        let mut child = command.stderr(Stdio::piped()).stdin(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let address = lines
            .by_ref()
            .map_while(Result::ok)
            .find_map(|line| line.strip_prefix("lockkeeper: serving on http://").map(str::to_owned))
            .expect("an address");
        std::thread::spawn(move || lines.for_each(drop));
        let service = Self { child, address };
        let deadline = super::Deadline::new();
        while service.get("/readyz", &[]).await.0 == 503 {
            deadline.check("the service to be ready");
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        service
    }

    /// Asks; answers the status, the media type and the text.
    pub async fn get(&self, path: &str, headers: &[(&str, &str)]) -> (u16, String, String) {
        let mut request = client().get(format!("http://{}{path}", self.address));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = request.send().await.unwrap();
        let kind = answer.headers().get("content-type").map(|kind| kind.to_str().unwrap().to_owned());
        (answer.status().as_u16(), kind.unwrap_or_default(), answer.text().await.unwrap())
    }

    /// Asks until the text of an answer holds something.
    pub async fn wait(&self, path: &str, what: &str, holds: impl Fn(&str) -> bool) -> String {
        let deadline = super::Deadline::new();
        loop {
            let (_, _, text) = self.get(path, &[]).await;
            if holds(&text) {
                return text;
            }
            deadline.check(what);
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    }

    /// How many connections to it are open.
    pub fn connections(&self) -> usize {
        let port = self.address.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok()).unwrap();
        let of_it = |entry: &procfs::net::TcpNetEntry| entry.local_address.port() == port;
        let open = |entry: &procfs::net::TcpNetEntry| entry.state == procfs::net::TcpState::Established;
        procfs::net::tcp().unwrap().iter().filter(|entry| of_it(entry) && open(entry)).count()
    }

    /// Ends it as a service manager does; answers how it ended.
    pub fn stop(mut self) -> Option<i32> {
        let pid = rustix::process::Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        super::wait_for("its end", || self.child.try_wait().unwrap()).code()
    }
}

pub fn client() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().build().unwrap()
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
