//! A cluster that answers as etcd does, as the built program shows it and acts on it; and gateways that refuse.

use axum::http::StatusCode;
use lockkeeper::config::address::Address;
use lockkeeper::data::consensus::etcd::{Etcd, EtcdConfig};
use lockkeeper::data::consensus::layout::Layout;
use lockkeeper::data::source::{PollContext, Source as _};
use lockkeeper::data::tls::Tls;
use serde_json::Value;

use crate::support::screen::{Screen, find};
use crate::support::{documents::assert_valid, lockkeeper, wait_for};

fn ms() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(since.as_millis()).unwrap()
}

/// A cluster of the demo, served without a screen; its addresses, and what ends it.
struct Served {
    etcd: String,
    child: std::process::Child,
    /// A program that writes to nobody ends.
    _lines: Box<dyn std::any::Any>,
    _folder: tempfile::TempDir,
}

impl Served {
    fn start(speed: &str) -> Self {
        use std::io::BufRead as _;
        let folder = tempfile::tempdir().unwrap();
        let mut child = lockkeeper()
            .args(["demo", "--with", "consensus", "--speed", speed, "--serve"])
            .arg(folder.path())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = std::io::BufReader::new(child.stdout.take().unwrap()).lines();
        let line = lines.by_ref().map_while(Result::ok).find(|line| line.contains("--etcd")).expect("how to connect");
        let etcd = line.split_whitespace().skip_while(|word| *word != "--etcd").nth(1).unwrap().to_owned();
        Self { etcd, child, _lines: Box::new(lines), _folder: folder }
    }

    fn run(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let output = lockkeeper().args(arguments).args(["--etcd", &self.etcd]).output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
    }

    fn snapshot(&self) -> Value {
        let output = lockkeeper().args(["snapshot", "--format", "json", "--etcd", &self.etcd]).output().unwrap();
        let seen = serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {output:?}"));
        assert_valid(&seen);
        seen
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_holder_is_broken_and_the_next_in_its_queue_goes_on() {
    // Slow enough for the story to stand still.
    let of = Served::start("0.1");
    let lock = |seen: &Value| {
        seen["locks"].as_array().unwrap().iter().find(|l| l["lock_key"] == "lk/deploy").cloned().unwrap()
    };
    let before = wait_for("the locks", || {
        let seen = of.snapshot();
        (seen["locks"].as_array()?.len() >= 3).then(|| lock(&seen))
    });
    assert_eq!(before["waiters"].as_array().unwrap().len(), 2);
    let fence = before["fence_token"].as_i64().unwrap();
    let (code, printed) = of.run(&["release", "lk/deploy", "--fence", &(fence + 1).to_string(), "--yes"]);
    assert_eq!(code, Some(4), "{printed}");
    let (code, printed) = of.run(&["release", "lk/deploy", "--fence", &fence.to_string(), "--dry-run"]);
    assert!(
        code == Some(0) && printed.contains("is next in its queue") && printed.contains("the holder is told nothing"),
        "{printed}"
    );
    let (code, printed) = of.run(&["release", "lk/deploy", "--fence", &fence.to_string(), "--mode", "expire", "--yes"]);
    assert!(code == Some(4) && printed.contains("choose delete"), "{printed}");
    let (code, printed) = of.run(&["release", "lk/deploy", "--fence", &fence.to_string(), "--yes"]);
    assert!(code == Some(0) && printed.contains("is the holder now"), "{code:?} {printed}");
    let after = lock(&of.snapshot());
    assert_eq!(after["waiters"].as_array().unwrap().len(), 1);
    assert!(after["fence_token"].as_i64().unwrap() > fence);
    let (code, printed) = of.run(&["release", "lk/deploy", "--fence", &fence.to_string(), "--yes"]);
    assert_eq!(code, Some(4), "another hold is not hit: {printed}");
}

#[test]
fn the_demo_tells_the_story_of_a_cluster() {
    let mut screen = Screen::start(180, 50, &["demo", "--with", "consensus", "--seed", "3", "--speed", "6"], &[]);
    screen.wait_text("lockkeeper demo, cluster");
    screen.press("7");
    screen.press("/");
    screen.press("mesh:cluster\r");
    screen.wait_text("is not renewed, 2 wait behind it");
    screen.wait_text("barrier stage-2 waits past its time");
    screen.wait_text("m1: does not answer");
    screen.wait_text("no quorum");
    screen.press("v");
    screen.press("/");
    screen.press("mesh:cluster\r");
    screen.wait_text("silent");
    screen.wait_for("the quorum is back", |text| text.contains("leads") && !text.contains("silent"));
    screen.press("q");
    assert_eq!(screen.wait_end(), 0);
}

#[test]
fn an_operator_opens_a_barrier_and_moves_the_leader() {
    let mut screen = Screen::start(180, 50, &["demo", "--with", "consensus", "--seed", "3", "--speed", "1"], &[]);
    screen.wait_text("lockkeeper demo, cluster");
    find(&mut screen, "v", "gates/freeze", "gates/freeze");
    screen.press("x");
    let preview = screen.wait_text("y run it");
    assert!(preview.contains("Open barrier gates/freeze") && preview.contains("create revision"), "{preview}");
    screen.press("y");
    // Until the plan has ended, another one is not begun.
    screen.wait_text("Open barrier gates/freeze: done");
    screen.press("\r");
    find(&mut screen, "v", "name:m3", "m3");
    screen.press(":");
    screen.press("move leader");
    screen.wait_text("make the selected member of a group");
    screen.press("\r");
    let preview = screen.wait_text("Make m3 the leader");
    assert!(preview.contains("m1 leads in term 2 now"), "{preview}");
    screen.press("y");
    screen.wait_text("it leads in term 3");
    screen.wait_text("Make m3 the leader: done");
    screen.press("\r");
    screen.wait_for("m3 leads", |text| text.lines().any(|line| line.contains("m3") && line.contains("leads")));
    screen.press("q");
    assert_eq!(screen.wait_end(), 0);
}

/// Each has a sentence of its own, and what to do.
#[tokio::test(flavor = "multi_thread")]
async fn gateways_that_refuse_are_told_apart() {
    for (status, body, words) in [
        (404, "404 page not found", "JSON gateway is switched off"),
        (400, "CommonName of client sending a request against gateway will be ignored", "a CommonName"),
        (400, r#"{"error":"x","message":"etcdserver: user name is empty","code":3}"#, "set etcd.user"),
        (500, "<html>", "the server answered 500"),
        (200, "no json", "was answered oddly"),
    ] {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let answer = move || async move { (StatusCode::from_u16(status).unwrap(), body) };
        let router = axum::Router::new().fallback(answer);
        tokio::spawn(async move { axum::serve(listener, router).await });
        let config = EtcdConfig {
            endpoints: vec![Address::of_server(&url).unwrap()],
            prefixes: vec![("lk/".into(), Layout::Mutex)],
            user: None,
            tls: Tls::default(),
        };
        let fault = Etcd::new(config, ms).poll(&PollContext::default()).await.unwrap_err().to_string();
        assert!(fault.contains(words), "{status}: {fault}");
    }
    let output = lockkeeper().args(["check", "--etcd", "http://root:secret@10.0.0.5:2379"]).output().unwrap();
    let printed = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(printed.contains("etcd.user") && !printed.contains("secret"), "{printed}");
}
