//! The RPC of a process that serves a realm, as a source: what files do not tell (phase, progress, health). It only asks.
//!
//! Asking moves Meerkat's own clock of progress, so members are asked in turn, at a steady interval.

pub mod asked;
mod client;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use self::asked::Asked;
pub use self::client::{Client, Refused};
use super::its_clock;
use super::shared::{STILL, member};
use crate::data::source::{PollContext, Polling, Source};
use crate::model::agent::{Agent, Group};
use crate::model::observation::{Change, Observation, Presence, Probe};
use crate::model::source::Fault;
use crate::model::stated::Problem;
use crate::model::text::Text;
use crate::model::time::{MINUTE, Millis, SECOND};
use crate::model::{Heartbeat, Patience};

/// How often each member is asked for its progress.
const ASK_EVERY: Millis = 10 * SECOND;
/// How often the list of members is asked for.
const LIST_EVERY: Millis = 5 * SECOND;
/// Members that one poll asks.
const MOST_ASKED: usize = 16;
/// A server that answered is alive for so long, whatever its lease says.
const SILENCE: Millis = 30 * SECOND;

/// Nobody asked for longer: how long a member stands still is counted anew.
const GAP: Millis = MINUTE;

/// How long the answers on members are waited for; what comes later is of no use to this poll.
const ANSWER_WITHIN: Duration = Duration::from_secs(1);

/// How long the answer to an action is waited for. A respawn was seen to take 1 s, a retirement 2.8 s.
const PATIENCE: Duration = Duration::from_secs(10);

/// Calls that are made, where the server has them.
const CALLS: [&str; 3] = ["mob/list", "mob/members", "mob/member_status"];
/// Calls of one server that are kept at most.
const MOST_METHODS: usize = 1_000;
/// Where the last of them stands.
const MEMBER_STATUS: usize = 2;

/// One server.
pub struct Rpc {
    address: SocketAddr,
    server: Option<Server>,
    still_ms: Millis,
    asked: Asked,
    /// Whose answers they are: realm and instance.
    of: (Text, Text),
    /// What was refused, by the call and what it was about, until it is answered.
    refused: BTreeMap<(usize, Text, Text), Text>,
    listed_ms: Millis,
    asked_ms: Millis,
    published: Option<Published>,
    clock: fn() -> Millis,
}

/// What was told last.
#[derive(PartialEq)]
struct Published {
    agents: Vec<Agent>,
    groups: Vec<Group>,
    problems: Vec<Problem>,
    unseen: Vec<Text>,
}

/// A server that answers, and what it says of itself.
pub struct Server {
    pub client: Client,
    pub realm: Text,
    pub instance: Text,
    pub version: Text,
    /// Where its realm is, on its machine.
    pub state_root: String,
    /// How long the answer to an action is waited for.
    pub patience: Duration,
    /// Every call that it has.
    methods: BTreeSet<String>,
}

impl Server {
    /// Connects to a server, and asks what it is.
    pub async fn connect(address: SocketAddr) -> Result<Self, Fault> {
        let mut client = Client::connect(address).await?;
        let answers = client.call(vec![("initialize", json!({})), ("runtime/host_info", json!({}))]).await?;
        let mut answers = answers.into_iter();
        let hello = answers.next().and_then(Result::ok).unwrap_or_default();
        let host = answers.next().and_then(Result::ok).unwrap_or_default();
        let methods = hello["methods"].as_array().map_or(&[][..], Vec::as_slice);
        if methods.is_empty() {
            return Err(Fault::setup(
                format!("{address} does not answer as a Meerkat server"),
                "name the address that rkat-rpc was started with (--tcp)",
            ));
        }
        let text = |value: &Value| value.as_str().map(|text| Text::bounded(text, 120)).unwrap_or_default();
        Ok(Self {
            client,
            realm: text(&host["realm"]["realm_id"]),
            instance: text(&host["realm"]["instance_id"]),
            version: text(&hello["contract_version"]),
            patience: PATIENCE,
            state_root: text(&host["realm"]["state_root"]).to_string(),
            methods: methods.iter().take(MOST_METHODS).filter_map(|method| Some(method.as_str()?.to_owned())).collect(),
        })
    }

    /// Whether it has a call.
    #[must_use]
    pub fn has(&self, method: &str) -> bool {
        self.methods.contains(method)
    }
}

impl Rpc {
    /// Asks the server at an address.
    #[must_use]
    pub fn new(address: SocketAddr, clock: fn() -> Millis) -> Self {
        Self {
            address,
            server: None,
            still_ms: STILL,
            asked: Asked::new(STILL),
            of: Default::default(),
            refused: BTreeMap::new(),
            listed_ms: 0,
            asked_ms: 0,
            published: None,
            clock,
        }
    }

    /// A run that is open and does not move for so long hangs.
    #[must_use]
    pub fn still_after(self, still_ms: Millis) -> Self {
        Self { still_ms, asked: Asked::new(still_ms), ..self }
    }

    async fn poll_now(&mut self) -> Result<Observation, Fault> {
        let started = Instant::now();
        let mut seen = Observation { clock: Some(its_clock()), ..Observation::default() };
        // A connection that a poll was given up on is not used again: answers of that poll may still come.
        let mut server = match self.server.take() {
            Some(server) => server,
            None => {
                let server = Server::connect(self.address).await?;
                // What is known of the members of the same server goes on.
                let of = (server.realm.clone(), server.instance.clone());
                if of != self.of {
                    (self.of, self.asked) = (of, Asked::new(self.still_ms));
                }
                self.refused.retain(|(call, ..), _| *call == MEMBER_STATUS);
                (self.listed_ms, self.published) = (0, None);
                seen.cost.round_trips += 1;
                server
            }
        };
        let is_whole = self.ask(&mut server, &mut seen).await?;
        self.publish(&server, &mut seen);
        self.server = is_whole.then_some(server);
        seen.cost.ms = started.elapsed().as_secs_f64() * 1_000.0;
        Ok(seen)
    }

    /// Answers whether every call was answered: else answers that come late may stand before the next ones.
    async fn ask(&mut self, server: &mut Server, seen: &mut Observation) -> Result<bool, Fault> {
        let now_ms = (self.clock)();
        let mut is_whole = true;
        let [has_list, has_members, has_status] = CALLS.map(|call| server.has(call));
        if !has_list {
            return Ok(true);
        }
        if !(0..=GAP).contains(&now_ms.saturating_sub(self.asked_ms)) {
            self.asked.look_anew(now_ms);
        }
        self.asked_ms = now_ms;
        let mobs = server.client.call(vec![(CALLS[0], json!({}))]).await?;
        seen.cost.round_trips += 1;
        for answer in mobs {
            if let Some(answer) = self.answered((0, Text::default(), Text::default()), "mobs", answer) {
                self.asked.take_mobs(&answer);
            }
        }
        if has_members && now_ms.saturating_sub(self.listed_ms) >= LIST_EVERY {
            let mobs: Vec<Text> = self.asked.mobs().cloned().collect();
            let calls = mobs.iter().map(|mob| (CALLS[1], json!({ "mob_id": mob.raw() }))).collect();
            let answers = server.client.call(calls).await?;
            seen.cost.round_trips += 1;
            for (mob, answer) in mobs.iter().zip(answers) {
                let call = (1, mob.clone(), Text::default());
                if let Some(answer) = self.answered(call, &format!("members of {mob}"), answer) {
                    self.asked.take_members(mob, &answer, now_ms);
                }
            }
            self.listed_ms = now_ms;
        }
        let due = if has_status { self.asked.due(MOST_ASKED, now_ms) } else { Vec::new() };
        if !due.is_empty() {
            let call = |(mob, identity): &(Text, Text)| {
                (CALLS[2], json!({ "mob_id": mob.raw(), "agent_identity": identity.raw() }))
            };
            let calls: Vec<_> = due.iter().map(call).collect();
            let answers = server.client.call_within(&calls, ANSWER_WITHIN).await?;
            seen.cost.round_trips += 1;
            for (key, answer) in due.iter().zip(answers) {
                let call = (MEMBER_STATUS, key.0.clone(), key.1.clone());
                let what = format!("progress of {}", member(key.0.raw(), key.1.raw()));
                let answer = match answer {
                    Some(answer) => self.answered(call, &what, answer),
                    // One member whose answer does not come keeps nobody from seeing the others.
                    None => {
                        let within = ANSWER_WITHIN.as_secs();
                        self.refused.insert(call, format!("{what}: no answer within {within} s").into());
                        is_whole = false;
                        None
                    }
                };
                match answer {
                    Some(answer) => self.asked.take_status(key, &answer, now_ms),
                    None => self.asked.refused(key, now_ms),
                }
            }
        }
        let asked = &self.asked;
        self.refused.retain(|(call, mob, identity), _| match call {
            0 => true,
            1 => asked.knows(mob, None),
            _ => asked.knows(mob, Some(identity)),
        });
        Ok(is_whole)
    }

    /// The answer to a call; of one that was refused, why is kept.
    fn answered(&mut self, call: (usize, Text, Text), what: &str, answer: Result<Value, Refused>) -> Option<Value> {
        match answer {
            Ok(answer) => {
                self.refused.remove(&call);
                Some(answer)
            }
            Err(error) => {
                let kind = error.kind.as_ref().map(|kind| format!(" ({kind})")).unwrap_or_default();
                self.refused.insert(call, format!("{what}: {}{kind}", error.message).into());
                None
            }
        }
    }

    /// What was refused, each once.
    fn unseen(&self) -> Vec<Text> {
        let mut unseen: Vec<Text> = self.refused.values().cloned().collect();
        unseen.dedup();
        unseen
    }

    fn publish(&mut self, server: &Server, seen: &mut Observation) {
        let now_ms = (self.clock)();
        // It answered just now, whatever its lease says.
        if !server.instance.is_empty() {
            seen.changes.push(Change::Heartbeats(vec![Heartbeat {
                node_id: server.instance.clone(),
                last_seen_ms: Some(now_ms),
                activity: format!("rpc, version {}", server.version).into(),
                repository_id: server.realm.clone(),
                patience: Some(Patience { silence_ms: SILENCE, grace_ms: SILENCE }),
                ..Heartbeat::default()
            }]));
        }
        let (node, realm) = (&server.instance, &server.realm);
        let now = Published {
            agents: self.asked.agents(node, realm, now_ms),
            groups: self.asked.groups(realm),
            problems: self.asked.problems(realm, now_ms),
            unseen: self.unseen(),
        };
        if self.published.as_ref() == Some(&now) {
            return;
        }
        if self.published.is_none() {
            let presence = |has: bool| if has { Presence::Present } else { Presence::Absent };
            let parts = CALLS.iter().map(|call| (*call, presence(server.has(call)))).collect();
            seen.probe = Some(Probe { parts }.into());
        }
        seen.changes.push(Change::Agents(now.agents.clone()));
        seen.changes.push(Change::Groups(now.groups.clone()));
        seen.changes.push(Change::Problems(now.problems.clone()));
        seen.unseen = Some(now.unseen.clone());
        self.published = Some(now);
    }
}

impl Source for Rpc {
    fn poll<'a>(&'a mut self, _: &'a PollContext) -> Polling<'a> {
        Box::pin(self.poll_now())
    }
}
