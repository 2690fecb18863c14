//! A realm that a process serves, and what stands between it and whoever calls it.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex as Lock};
use std::time::Duration;

use lockkeeper::action::executor::{ActionRequest, Executor as _, Purpose, WriteAccess};
use lockkeeper::data::meerkat::act::RpcExecutor;
use lockkeeper::data::meerkat::mobs::Mobs;
use lockkeeper::data::meerkat::realm::Realm as Place;
use lockkeeper::data::meerkat::realms::Realms;
use lockkeeper::data::meerkat::shared::Shared;
use lockkeeper::data::source::{PollContext, Source as _};
use lockkeeper::demo::meerkat::realm::Realm;
use lockkeeper::demo::meerkat::server;
use lockkeeper::model::action::{Action, AgentGuard, Answer, CurrentRun, Question};
use lockkeeper::model::outcome::Outcome;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use crate::fixture::now_ms;

/// What befalls a call on its way to the server.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Mishap {
    /// The member is respawned just before it arrives.
    Respawn(&'static str),
    /// The connection breaks once it arrived.
    Lose,
    /// The release does not have it.
    Hide,
}

/// What befalls which call.
type Mishaps = Arc<Lock<Option<(&'static str, Mishap)>>>;

/// A realm, the process that serves it, and an executor that acts on it.
pub struct Served {
    pub folder: tempfile::TempDir,
    pub realm: Arc<Mutex<Realm>>,
    pub address: SocketAddr,
    pub executor: RpcExecutor,
    mobs: Mobs,
    mishap: Mishaps,
    asked: Arc<Lock<Vec<String>>>,
    stop: CancellationToken,
}

impl Served {
    /// A realm whose story stands still at its first part, with its files read once.
    pub async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("fleet");
        let mut realm = Realm::create(&root, 0.001, now_ms() - 10).await.unwrap();
        realm.step(now_ms()).await.unwrap();
        let realm = Arc::new(Mutex::new(realm));
        let stop = CancellationToken::new();
        let (behind, listener) = server::listen().await.unwrap();
        tokio::spawn(server::serve(listener, realm.clone(), stop.clone()));
        let (mishap, asked) = (Mishaps::default(), Arc::<Lock<Vec<String>>>::default());
        let address = stand_between(behind, realm.clone(), mishap.clone(), asked.clone()).await;
        let place = Place { name: "fleet".into(), root };
        let shared = Shared::default();
        let mut realms = Realms::default();
        realms.add(&place, shared.clone());
        let access = WriteAccess::decide(Purpose::Act, false).unwrap();
        let executor = RpcExecutor::new(address, realms, access).patient_for(Duration::from_millis(500));
        let mobs = Mobs::new(&place, 2_000, shared, now_ms);
        let mut served = Self { folder, realm, address, executor, mobs, mishap, asked, stop };
        served.read_files().await;
        served
    }

    pub fn root(&self) -> &Path {
        self.folder.path()
    }

    /// Reads the files of the realm, as the console does at each poll.
    pub async fn read_files(&mut self) {
        self.mobs.poll(&PollContext::default()).await.unwrap();
    }

    /// From here on this befalls this call, once.
    pub fn befall(&self, call: &'static str, mishap: Mishap) {
        *self.mishap.lock().unwrap() = Some((call, mishap));
    }

    /// How often a call was made.
    pub fn asked(&self, method: &str) -> usize {
        self.asked.lock().unwrap().iter().filter(|asked| *asked == method).count()
    }

    /// A member as it is now.
    pub async fn guard(&self, identity: &str) -> AgentGuard {
        let realm = self.realm.lock().await;
        let member = &realm.members[identity];
        AgentGuard {
            agent: format!("atlas/{identity}"),
            group: "atlas".into(),
            identity: identity.into(),
            repository_id: "fleet".into(),
            generation: Some(member.generation),
            fence_token: Some(member.fence),
        }
    }

    /// Lets a member begin a run; answers its id.
    pub async fn start_run(&self, identity: &str, hangs: bool) -> String {
        let mut realm = self.realm.lock().await;
        realm.start_run(identity, hangs, now_ms());
        realm.members[identity].run.clone().unwrap()
    }

    /// The run that a member is at, by the realm itself.
    pub async fn run_of(&self, identity: &str) -> Option<String> {
        self.realm.lock().await.members[identity].run.clone()
    }

    pub async fn current_run(&mut self, identity: &str) -> CurrentRun {
        let guard = self.guard(identity).await;
        match self.executor.ask(&Question::Run(guard)).await {
            Answer::Run(run) => run,
            other => panic!("{other:?}"),
        }
    }

    pub async fn execute(&mut self, action: Action) -> Outcome {
        self.executor.execute(&request(action)).await
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// A request of an operator.
pub fn request(action: Action) -> ActionRequest {
    ActionRequest { id: "1".into(), action, operator: "ada".into(), reason: String::new(), at_ms: now_ms() }
}

/// Passes lines between whoever connects and the server behind.
async fn stand_between(
    behind: SocketAddr,
    realm: Arc<Mutex<Realm>>,
    mishap: Mishaps,
    asked: Arc<Lock<Vec<String>>>,
) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((near, _)) = listener.accept().await {
            tokio::spawn(pass(near, behind, realm.clone(), mishap.clone(), asked.clone()));
        }
    });
    address
}

async fn pass(
    near: TcpStream,
    behind: SocketAddr,
    realm: Arc<Mutex<Realm>>,
    mishap: Mishaps,
    asked: Arc<Lock<Vec<String>>>,
) -> Option<()> {
    let (near_read, mut near_write) = near.into_split();
    let (far_read, mut far_write) = TcpStream::connect(behind).await.ok()?.into_split();
    let (mut calls, mut answers) = (BufReader::new(near_read).lines(), BufReader::new(far_read).lines());
    let hidden = mishap.clone();
    let back = tokio::spawn(async move {
        while let Ok(Some(line)) = answers.next_line().await {
            let mut answer: Value = serde_json::from_str(&line).unwrap();
            let hide = match *hidden.lock().unwrap() {
                Some((call, Mishap::Hide)) => Some(call),
                _ => None,
            };
            if let (Some(hide), Some(methods)) = (hide, answer["result"]["methods"].as_array_mut()) {
                methods.retain(|method| method != hide);
            }
            near_write.write_all(format!("{answer}\n").as_bytes()).await.ok()?;
        }
        Some(())
    });
    while let Ok(Some(line)) = calls.next_line().await {
        let call: Value = serde_json::from_str(&line).unwrap();
        let method = call["method"].as_str().unwrap().to_owned();
        asked.lock().unwrap().push(method.clone());
        let befalls = {
            let mut mishap = mishap.lock().unwrap();
            let here = mishap.filter(|(at, what)| *at == method && *what != Mishap::Hide);
            if here.is_some() {
                *mishap = None;
            }
            here
        };
        if let Some((_, Mishap::Respawn(identity))) = befalls {
            realm.lock().await.respawn(identity, now_ms()).await.unwrap();
        }
        far_write.write_all(format!("{line}\n").as_bytes()).await.ok()?;
        if matches!(befalls, Some((_, Mishap::Lose))) {
            // It arrives, and its answer does not come back.
            back.abort();
            return None;
        }
    }
    Some(())
}
