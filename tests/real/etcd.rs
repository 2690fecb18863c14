//! Against real etcd, as Debian installs it: one member and three, with sessions that take, wait and let go.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lockkeeper::action::executor::{ActionRequest, Executor as _, Purpose, Resolution, WriteAccess};
use lockkeeper::config::address::Address;
use lockkeeper::data::consensus::act::EtcdExecutor;
use lockkeeper::data::consensus::etcd::{Etcd, EtcdConfig};
use lockkeeper::data::consensus::gateway::{Gateway, Manner};
use lockkeeper::data::consensus::layout::Layout;
use lockkeeper::data::source::{PollContext, Source as _};
use lockkeeper::data::tls::Tls;
use lockkeeper::model::LockTable;
use lockkeeper::model::action::{Action, LockGuard, Mode};
use lockkeeper::model::member::MemberRole;
use lockkeeper::model::observation::{Change, Observation};
use lockkeeper::model::outcome::{Outcome, OutcomeKind};
use serde_json::{Value, json};

use crate::support::authority::Authority;
use crate::support::{lockkeeper, wait_for};

mod members;
mod tls;

/// Members of one cluster, ended with it.
struct Cluster {
    folder: tempfile::TempDir,
    members: Vec<Option<Child>>,
    ports: Vec<(u16, u16)>,
    program: PathBuf,
    token: String,
    more: Vec<String>,
    scheme: &'static str,
}

/// Where etcd is installed; says so where it is not.
fn installed() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let found = std::env::split_paths(&path).map(|folder| folder.join("etcd")).find(|program| program.is_file());
    if found.is_none() {
        eprintln!("skipped: no etcd in PATH");
    }
    found
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn ms() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(since.as_millis()).unwrap()
}

impl Cluster {
    fn start(n: usize) -> Option<Self> {
        Self::start_with(n, &[])
    }

    /// With more arguments.
    fn start_with(n: usize, more: &[&str]) -> Option<Self> {
        let mut cluster = Self::with(n, more)?;
        for member in 0..n {
            cluster.run(member);
        }
        wait_for("a leader", || cluster.status(0).filter(|status| status["leader"].is_string()));
        Some(cluster)
    }

    /// One member that nobody waits for.
    fn start_bare(more: &[&str]) -> Option<Self> {
        let mut cluster = Self::with(1, more)?;
        cluster.run(0);
        Some(cluster)
    }

    /// One member that speaks TLS to its clients.
    fn start_encrypted(more: &[&str]) -> Option<Self> {
        let mut cluster = Self::with(1, more)?;
        cluster.scheme = "https";
        cluster.run(0);
        Some(cluster)
    }

    fn with(n: usize, more: &[&str]) -> Option<Self> {
        let program = installed()?;
        let folder = tempfile::tempdir().unwrap();
        let ports: Vec<(u16, u16)> = (0..n).map(|_| (free_port(), free_port())).collect();
        let token = format!("t{}", ports[0].0);
        let more = more.iter().map(|text| (*text).to_owned()).collect();
        Some(Self { folder, members: (0..n).map(|_| None).collect(), ports, program, token, more, scheme: "http" })
    }

    fn run(&mut self, member: usize) {
        self.run_as(member, "new");
    }

    /// Starts a member that the cluster has let in.
    fn join(&mut self, member: usize) {
        self.run_as(member, "existing");
    }

    fn run_as(&mut self, member: usize, state: &str) {
        let peers: Vec<String> =
            self.ports.iter().enumerate().map(|(i, (_, peer))| format!("m{i}=http://127.0.0.1:{peer}")).collect();
        let (client, peer) = self.ports[member];
        let (client, peer) = (format!("{}://127.0.0.1:{client}", self.scheme), format!("http://127.0.0.1:{peer}"));
        let data = self.folder.path().join(format!("m{member}"));
        let mut command = Command::new(&self.program);
        command.args(["--name", &format!("m{member}"), "--data-dir", data.to_str().unwrap()]);
        command.args(["--listen-client-urls", &client, "--advertise-client-urls", &client]);
        command.args(["--listen-peer-urls", &peer, "--initial-advertise-peer-urls", &peer]);
        command.args(["--initial-cluster", &peers.join(","), "--initial-cluster-token", &self.token]);
        command.args(["--initial-cluster-state", state]).args(&self.more);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        self.members[member] = Some(command.spawn().unwrap());
    }

    fn url(&self, member: usize) -> String {
        format!("http://127.0.0.1:{}", self.ports[member].0)
    }

    fn urls(&self) -> String {
        (0..self.ports.len()).map(|member| self.url(member)).collect::<Vec<_>>().join(",")
    }

    fn status(&self, member: usize) -> Option<Value> {
        call(&self.url(member), "/v3/maintenance/status", &json!({}))
    }

    /// The member that leads, by what it says itself.
    fn leader(&self) -> usize {
        wait_for("a leader", || {
            (0..self.ports.len()).find(|member| {
                self.status(*member).is_some_and(|s| s["leader"].is_string() && s["leader"] == s["header"]["member_id"])
            })
        })
    }

    fn signal(&self, member: usize, signal: rustix::process::Signal) {
        let pid = self.members[member].as_ref().unwrap().id();
        rustix::process::kill_process(rustix::process::Pid::from_raw(pid.cast_signed()).unwrap(), signal).unwrap();
    }

    fn kill(&mut self, member: usize) {
        if let Some(mut child) = self.members[member].take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// A call to a member that speaks TLS, with a client's certificate.
    fn post_encrypted(&self, authority: &Authority, client: &(PathBuf, PathBuf), path: &str, body: &Value) {
        let tls = Tls {
            ca_file: Some(authority.file("ca.pem")),
            cert_file: Some(client.0.clone()),
            key_file: Some(client.1.clone()),
        };
        let at = Address::of_server(&self.url(0).replace("http:", "https:")).unwrap();
        let gateway = Gateway::new(&tls, true, None).unwrap();
        let sent = async { gateway.post::<Value>(&at, path, body, Manner::default()).await };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(sent).unwrap_or_else(|e| panic!("{path}: {e:?}"));
    }

    fn config(&self, prefixes: &[(&str, Layout)]) -> EtcdConfig {
        EtcdConfig {
            endpoints: (0..self.ports.len()).map(|m| Address::of_server(&self.url(m)).unwrap()).collect(),
            prefixes: prefixes.iter().map(|(prefix, layout)| ((*prefix).to_owned(), *layout)).collect(),
            user: None,
            tls: Tls::default(),
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for member in 0..self.members.len() {
            self.kill(member);
        }
    }
}

/// One call, on a connection of its own; nothing where it was not answered well.
fn call(url: &str, path: &str, body: &Value) -> Option<Value> {
    use std::io::{Read as _, Write as _};
    let host = url.strip_prefix("http://")?;
    let mut stream = std::net::TcpStream::connect(host).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(8))).ok()?;
    let body = body.to_string();
    let head = format!(
        "POST {path} HTTP/1.0\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all((head + &body).as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    head.contains(" 200 ").then(|| serde_json::from_str(body).ok())?
}

fn key(text: &str) -> String {
    STANDARD.encode(text)
}

/// A session as clients have it: a lease, and one key for each lock that it asks for.
struct Session {
    url: String,
    lease: i64,
}

impl Session {
    fn new(url: &str, ttl: i64) -> Self {
        let answer = call(url, "/v3/lease/grant", &json!({ "TTL": ttl.to_string() })).unwrap();
        Self { url: url.to_owned(), lease: answer["ID"].as_str().unwrap().parse().unwrap() }
    }

    fn key(&self, name: &str) -> String {
        format!("{name}/{:x}", self.lease)
    }

    /// Asks for a lock; answers the create revision of its key, held or waiting.
    fn ask(&self, name: &str, value: &str) -> i64 {
        let name = self.key(name);
        let body = json!({
            "compare": [{ "key": key(&name), "target": "CREATE", "result": "EQUAL", "create_revision": "0" }],
            "success": [{ "request_put": { "key": key(&name), "value": key(value), "lease": self.lease.to_string() } }],
            "failure": [{ "request_range": { "key": key(&name) } }],
        });
        let answer = call(&self.url, "/v3/kv/txn", &body).unwrap();
        assert_eq!(answer["succeeded"], true, "{answer}");
        answer["header"]["revision"].as_str().unwrap().parse().unwrap()
    }

    fn let_go(&self, name: &str) {
        call(&self.url, "/v3/kv/deleterange", &json!({ "key": key(&self.key(name)) })).unwrap();
    }

    fn end(&self) {
        call(&self.url, "/v3/lease/revoke", &json!({ "ID": self.lease.to_string() }));
    }
}

async fn poll(source: &mut Etcd) -> Observation {
    source.poll(&PollContext::default()).await.unwrap()
}

fn guard(name: &str, revision: i64, session: &Session) -> LockGuard {
    LockGuard {
        table: LockTable::Queue,
        lock_key: name.into(),
        repository_id: "etcd".into(),
        holder_node: String::new(),
        holder_agent: "who".into(),
        fence_token: Some(revision),
        acquired_at_ms: None,
        expires_at_ms: None,
        expires_at: None,
        token: Some(format!("{:x}", session.lease)),
    }
}

fn release(lock: LockGuard) -> ActionRequest {
    let action = Action::Release { lock, mode: Mode::Delete, hold_ms: 0 };
    ActionRequest { id: "1".into(), action, operator: "ada".into(), reason: String::new(), at_ms: ms() }
}

fn executor(cluster: &Cluster) -> EtcdExecutor {
    EtcdExecutor::new(cluster.config(&[]), WriteAccess::decide(Purpose::Act, false).unwrap())
}

fn seen_json(cluster: &Cluster, more: &[&str]) -> Value {
    let output =
        lockkeeper().args(["snapshot", "--format", "json", "--etcd", &cluster.urls()]).args(more).output().unwrap();
    serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {output:?}"))
}

#[test]
fn holders_queues_and_members_are_as_etcd_tells_them() {
    let Some(cluster) = Cluster::start(3) else { return };
    let sessions: Vec<Session> = (0..4).map(|n| Session::new(&cluster.url(n % 3), 60)).collect();
    let revisions: Vec<i64> = sessions.iter().map(|session| session.ask("lk/deploy", "")).collect();
    sessions[2].ask("lk/leader", "node-c");
    sessions[1].ask("lk/leader", "node-b");
    let seen = seen_json(&cluster, &[]);
    crate::support::documents::assert_valid(&seen);
    let locks = seen["locks"].as_array().unwrap();
    let of = |name: &str| locks.iter().find(|lock| lock["lock_key"] == name).unwrap_or_else(|| panic!("{seen:#}"));
    let deploy = of("lk/deploy");
    assert_eq!(
        (&deploy["fence_token"], &deploy["lease_id"]),
        (&json!(revisions[0]), &json!(format!("{:x}", sessions[0].lease)))
    );
    let waiters: Vec<&str> =
        deploy["waiters"].as_array().unwrap().iter().map(|w| w["agent"].as_str().unwrap()).collect();
    let expected: Vec<String> = sessions[1..].iter().map(|session| format!("lease {:x}", session.lease)).collect();
    assert_eq!(waiters, expected, "first come, first served");
    assert!(deploy["waiters"].as_array().unwrap().iter().all(|w| w["confidence"] == "exact" && w["inferred"] == false));
    assert_eq!(
        (&deploy["acquired_at_ms"], &deploy["expires_at_ms"]),
        (&Value::Null, &Value::Null),
        "etcd has no clock"
    );
    assert!(deploy["ttl_at_least_ms"].as_i64().unwrap() > 40_000, "{deploy}");
    assert_eq!(
        (&of("lk/leader")["holder_agent"], &of("lk/leader")["waiters"][0]["agent"]),
        (&json!("node-c"), &json!("node-b"))
    );
    let members: Vec<&Value> =
        seen["groups"].as_array().unwrap().iter().filter(|row| row["part"] == "member").collect();
    assert_eq!(members.len(), 3);
    let leads: Vec<&Value> = members.iter().filter(|row| row["state"] == "leads").copied().collect();
    assert_eq!(leads.len(), 1);
    assert_eq!(leads[0]["name"], format!("m{}", cluster.leader()));
    assert!(seen["findings"].as_array().unwrap().is_empty(), "{seen:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_read_once_and_then_followed() {
    let Some(cluster) = Cluster::start(1) else { return };
    let session = Session::new(&cluster.url(0), 60);
    session.ask("lk/a", "");
    let mut source = Etcd::new(cluster.config(&[("lk/", Layout::Mutex)]), ms);
    let first = poll(&mut source).await;
    let names = |seen: &Observation| -> Option<Vec<String>> {
        seen.changes.iter().find_map(|change| match change {
            Change::Locks(LockTable::Queue, locks) => {
                Some(locks.iter().map(|lock| lock.lock_key.to_string()).collect())
            }
            _ => None,
        })
    };
    assert_eq!(names(&first), Some(vec!["lk/a".into()]));
    for _ in 0..3 {
        let cost = poll(&mut source).await.cost;
        assert!(cost.rows == 0 && (1..2_000).contains(&cost.bytes), "no key is read twice: {cost:?}");
    }
    let before = ms();
    session.ask("lk/b", "");
    let deadline = Instant::now() + Duration::from_secs(10);
    let seen = loop {
        let seen = poll(&mut source).await;
        if names(&seen).is_some_and(|names| names.len() == 2) {
            break seen;
        }
        assert!(Instant::now() < deadline, "the change does not come");
    };
    let taken = seen.changes.iter().find_map(|change| match change {
        Change::Locks(LockTable::Queue, locks) => locks.iter().find(|l| l.lock_key == *"lk/b")?.acquired_at_ms,
        _ => None,
    });
    assert!(taken.is_some_and(|at| at >= before), "what was seen to happen has an instant");
    let logged = seen
        .changes
        .iter()
        .any(|change| matches!(change, Change::Log(_, entries, _) if entries.iter().any(|e| e.kind == *"KeyCreated")));
    assert!(logged, "{seen:?}");
    // History that is gone is read anew.
    let revision: i64 = session.ask("lk/c", "");
    call(&cluster.url(0), "/v3/kv/compaction", &json!({ "revision": revision.to_string() })).unwrap();
    session.let_go("lk/a");
    let deadline = Instant::now() + Duration::from_secs(10);
    while names(&poll(&mut source).await).is_none_or(|names| names != ["lk/b", "lk/c"]) {
        assert!(Instant::now() < deadline, "what came after a compaction is not seen");
    }
}

/// Never another hold than the one that was seen: a session that lets go and takes again uses the same key and lease.
#[tokio::test(flavor = "multi_thread")]
async fn of_a_thousand_rounds_none_hits_another_hold() {
    let Some(cluster) = Cluster::start(1) else { return };
    let url = cluster.url(0);
    let (stop, held) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(None)));
    let (broken, rounds) = (Arc::new(AtomicUsize::new(0)), 1_000);
    let holder = {
        let (url, stop, held) = (url.clone(), stop.clone(), held.clone());
        std::thread::spawn(move || {
            let session = Session::new(&url, 60);
            while !stop.load(Ordering::Relaxed) {
                let revision = session.ask("race/lock", "");
                *held.lock().unwrap() = Some((revision, session.lease));
                std::thread::sleep(Duration::from_micros(fastrand::u64(0..60_000)));
                session.let_go("race/lock");
            }
            session.end();
        })
    };
    // One that waits behind it all the time: its key must stand to the end.
    let waiter = Session::new(&url, 60);
    let mut executor = executor(&cluster);
    let (mut done, mut refused) = (0, 0);
    wait_for("a hold", || *held.lock().unwrap());
    let waits = waiter.ask("race/other", "");
    for _ in 0..rounds {
        let Some((revision, lease)) = *held.lock().unwrap() else { continue };
        let session = Session { url: url.clone(), lease };
        let outcome: Outcome = executor.execute(&release(guard("race/lock", revision, &session))).await;
        match outcome.kind {
            OutcomeKind::Done => {
                done += 1;
                // What was deleted is the very hold that was seen.
                let before = outcome.before.unwrap();
                if before["create_revision"] != revision {
                    broken.fetch_add(1, Ordering::Relaxed);
                }
            }
            OutcomeKind::Refused => refused += 1,
            other => panic!("{other}: {}", outcome.summary),
        }
    }
    stop.store(true, Ordering::Relaxed);
    holder.join().unwrap();
    assert_eq!((broken.load(Ordering::Relaxed), done + refused), (0, rounds), "{done} done, {refused} refused");
    assert!(done > 0 && refused > 0, "{done} done, {refused} refused: the race was none");
    let still = call(&url, "/v3/kv/range", &json!({ "key": key(&waiter.key("race/other")) })).unwrap();
    assert_eq!(still["kvs"][0]["create_revision"], waits.to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_waiter_is_never_taken_for_the_holder_and_the_next_goes_on() {
    let Some(cluster) = Cluster::start(1) else { return };
    let (first, second) = (Session::new(&cluster.url(0), 60), Session::new(&cluster.url(0), 60));
    let (holds, waits) = (first.ask("lk/x", ""), second.ask("lk/x", ""));
    let mut executor = executor(&cluster);
    let outcome = executor.execute(&release(guard("lk/x", waits, &second))).await;
    assert!(
        outcome.kind == OutcomeKind::Refused && outcome.summary.raw().contains("not the holder"),
        "{}",
        outcome.summary
    );
    let request = release(guard("lk/x", holds, &first));
    assert!(matches!(executor.was_applied(&request).await, Resolution::NotApplied(_)));
    let outcome = executor.execute(&request).await;
    assert_eq!(outcome.kind, OutcomeKind::Done, "{}", outcome.summary);
    assert!(outcome.summary.raw().contains(&format!("fence {waits}")), "{}", outcome.summary);
    assert!(matches!(executor.was_applied(&request).await, Resolution::Undecidable(_)));
    assert_eq!(executor.execute(&request).await.kind, OutcomeKind::Refused, "its key is gone");
    // Through the command line, with its journal.
    let run = |fence: i64| {
        let output = lockkeeper()
            .args(["release", "lk/x", "--fence", &fence.to_string(), "--yes", "--etcd", &cluster.urls()])
            .env("XDG_STATE_HOME", cluster.folder.path())
            .output()
            .unwrap();
        (output.status.code(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
    };
    let (code, printed) = run(holds);
    assert_eq!(code, Some(4), "{printed}");
    let (code, printed) = run(waits);
    assert!(code == Some(0) && printed.contains("nobody holds it now"), "{code:?}: {printed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_loses_its_leader_and_its_quorum_is_shown_as_it_is() {
    let Some(mut cluster) = Cluster::start(3) else { return };
    Session::new(&cluster.url(0), 60).ask("lk/a", "");
    let mut source = Etcd::new(cluster.config(&[("lk/", Layout::Mutex)]), ms);
    let mut state = State::default();
    state.take(poll(&mut source).await);
    let before = cluster.leader();
    assert_eq!(state.leader.as_deref(), Some(format!("m{before}").as_str()));
    // A frozen member answers nothing, and the others elect.
    cluster.signal(before, rustix::process::Signal::STOP);
    state
        .until(&mut source, "another leader", |state| {
            state.leader.as_ref().is_some_and(|leader| *leader != format!("m{before}")) && state.has("member-silent")
        })
        .await;
    assert!(!state.has("no-quorum") && !state.has("two-leaders"), "{:?}", state.rules);
    cluster.signal(before, rustix::process::Signal::CONT);
    state.until(&mut source, "all answer", |state| !state.has("member-silent")).await;
    assert!(!state.has("two-leaders"), "one poll lies: {:?}", state.rules);
    // Of one member alone nobody can say that it goes on.
    cluster.kill(0);
    cluster.kill(1);
    state.until(&mut source, "no quorum", |state| state.has("no-quorum")).await;
    assert!(state.unseen.iter().any(|what| what.contains("no member has a leader")), "{:?}", state.unseen);
    assert_eq!(state.locks, ["lk/a"], "what was known stays, and is said to be old");
    cluster.run(0);
    state.until(&mut source, "a quorum again", |state| !state.has("no-quorum") && state.unseen.is_empty()).await;
}

/// What a source told so far.
#[derive(Default)]
struct State {
    leader: Option<String>,
    rules: Vec<&'static str>,
    locks: Vec<String>,
    unseen: Vec<String>,
}

impl State {
    fn take(&mut self, seen: Observation) {
        for change in seen.changes {
            match change {
                Change::Members(members) => {
                    let leads = members.iter().find(|member| member.role == Some(MemberRole::Leader));
                    self.leader = leads.map(|member| member.name.to_string());
                }
                Change::Problems(problems) => self.rules = problems.iter().map(|problem| problem.rule).collect(),
                Change::Locks(LockTable::Queue, locks) => {
                    self.locks = locks.iter().map(|lock| lock.lock_key.to_string()).collect();
                }
                _ => {}
            }
        }
        if let Some(unseen) = seen.unseen {
            self.unseen = unseen.iter().map(ToString::to_string).collect();
        }
    }

    fn has(&self, rule: &str) -> bool {
        self.rules.contains(&rule)
    }

    /// Polls once a quarter of a second until something is so.
    async fn until(&mut self, source: &mut Etcd, what: &str, is_so: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(60);
        let mut ticks = tokio::time::interval(Duration::from_millis(250));
        loop {
            ticks.tick().await;
            if let Ok(seen) = source.poll(&PollContext::default()).await {
                self.take(seen);
            }
            if is_so(self) {
                return;
            }
            assert!(Instant::now() < deadline, "waited in vain for {what}: {:?} {:?}", self.rules, self.unseen);
        }
    }
}

/// Users: without one nothing is read and that is said; a role that only reads may look and not act.
#[test]
fn a_user_that_may_only_read_sees_and_cannot_break() {
    let Some(cluster) = Cluster::start(1) else { return };
    let url = cluster.url(0);
    let session = Session::new(&url, 60);
    let revision = session.ask("lk/a", "");
    let post = |path: &str, body: Value| call(&url, path, &body).unwrap_or_else(|| panic!("{path}"));
    for user in ["root", "eve"] {
        post("/v3/auth/user/add", json!({ "name": user, "password": "pw-of-tests" }));
    }
    post("/v3/auth/role/add", json!({ "name": "looks" }));
    let permission = json!({ "permType": "READ", "key": key("lk/"), "range_end": key("lk0") });
    post("/v3/auth/role/grant", json!({ "name": "looks", "perm": permission }));
    post("/v3/auth/user/grant", json!({ "user": "eve", "role": "looks" }));
    post("/v3/auth/role/add", json!({ "name": "root" }));
    post("/v3/auth/user/grant", json!({ "user": "root", "role": "root" }));
    post("/v3/auth/enable", json!({}));
    let file = cluster.folder.path().join("password");
    std::fs::write(&file, "pw-of-tests\n").unwrap();
    let config = |prefix: &str, password: &str| {
        let path = cluster.folder.path().join("config.toml");
        let text = format!("[etcd]\nprefixes = [\"{prefix}=mutex\"]\nuser = \"eve\"\npassword_file = \"{password}\"\n");
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let said = |seen: &Value, words: &str| assert!(seen["findings"].to_string().contains(words), "{words}: {seen:#}");
    said(&seen_json(&cluster, &[]), "set etcd.user");
    let seen = seen_json(&cluster, &["--config", &config("lk/", file.to_str().unwrap())]);
    assert_eq!(seen["locks"][0]["fence_token"], revision, "{seen:#}");
    assert!(!seen.to_string().contains("pw-of-tests"));
    said(&seen_json(&cluster, &["--config", &config("", file.to_str().unwrap())]), "permission denied");
    let wrong = cluster.folder.path().join("wrong");
    std::fs::write(&wrong, "another\n").unwrap();
    said(&seen_json(&cluster, &["--config", &config("lk/", wrong.to_str().unwrap())]), "user or password is refused");
    let output = lockkeeper()
        .args(["release", "lk/a", "--fence", &revision.to_string(), "--yes", "--etcd", &cluster.urls()])
        .args(["--config", &config("lk/", file.to_str().unwrap())])
        .env("XDG_STATE_HOME", cluster.folder.path())
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.code() == Some(5) && printed.contains("permission denied"), "{:?} {printed}", output.status);
}
