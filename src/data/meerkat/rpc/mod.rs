//! The RPC of a process that serves a realm, as a source: what files do not tell (phase, progress, health). It only asks.
//!
//! Asking moves Meerkat's own clock of progress, so members are asked in turn, at a steady interval.

mod asked;
mod client;

use std::net::SocketAddr;
use std::time::Instant;

use serde_json::{Value, json};

use self::asked::Asked;
use self::client::{Client, Refused};
use super::its_clock;
use crate::data::source::{PollContext, Polling, Source};
use crate::model::observation::{Change, Observation, Presence, Probe};
use crate::model::source::Fault;
use crate::model::stated::Problem;
use crate::model::text::Text;
use crate::model::time::{Millis, SECOND};
use crate::model::{Heartbeat, Patience, Remark};

/// How often each member is asked for its progress.
const ASK_EVERY: Millis = 10 * SECOND;
/// How often the list of members is asked for.
const LIST_EVERY: Millis = 5 * SECOND;
/// Members that one poll asks.
const MOST_ASKED: usize = 16;
/// A server that answered is alive for so long, whatever its lease says.
const SILENCE: Millis = 30 * SECOND;

/// Calls that are made, where the server has them.
const CALLS: [&str; 3] = ["mob/list", "mob/members", "mob/member_status"];

/// One server.
pub struct Rpc {
    address: SocketAddr,
    server: Option<Server>,
    asked: Asked,
    listed_ms: Millis,
    published: Option<(Vec<Remark>, Vec<Problem>, Vec<Text>)>,
    clock: fn() -> Millis,
}

/// A server that answers, and what it says of itself.
struct Server {
    client: Client,
    realm: Text,
    instance: Text,
    version: Text,
    /// Calls that it has, in the order of [`CALLS`].
    has: [bool; 3],
}

impl Server {
    async fn connect(address: SocketAddr) -> Result<Self, Fault> {
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
            has: CALLS.map(|call| methods.iter().any(|method| method == call)),
        })
    }
}

impl Rpc {
    /// Asks the server at an address.
    #[must_use]
    pub fn new(address: SocketAddr, clock: fn() -> Millis) -> Self {
        Self { address, server: None, asked: Asked::default(), listed_ms: 0, published: None, clock }
    }

    async fn poll_now(&mut self) -> Result<Observation, Fault> {
        let started = Instant::now();
        let mut seen = Observation { clock: Some(its_clock()), ..Observation::default() };
        // A connection that a poll was given up on is not used again: answers of that poll may still come.
        let mut server = match self.server.take() {
            Some(server) => server,
            None => {
                let server = Server::connect(self.address).await?;
                (self.asked, self.listed_ms, self.published) = (Asked::default(), 0, None);
                seen.cost.round_trips += 1;
                server
            }
        };
        let mut refused = Vec::new();
        self.ask(&mut server, &mut seen, &mut refused).await?;
        self.publish(&server, &mut seen, refused);
        self.server = Some(server);
        seen.cost.ms = started.elapsed().as_secs_f64() * 1_000.0;
        Ok(seen)
    }

    async fn ask(&mut self, server: &mut Server, seen: &mut Observation, refused: &mut Vec<Text>) -> Result<(), Fault> {
        let now_ms = (self.clock)();
        let [has_list, has_members, has_status] = server.has;
        if !has_list {
            return Ok(());
        }
        let mut answered = |what: &str, answer: Result<Value, Refused>| match answer {
            Ok(answer) => Some(answer),
            Err(error) => {
                let kind = error.kind.as_ref().map(|kind| format!(" ({kind})")).unwrap_or_default();
                let line = Text::from(format!("{what}: {}{kind}", error.message));
                if !refused.contains(&line) {
                    refused.push(line);
                }
                None
            }
        };
        let mobs = server.client.call(vec![(CALLS[0], json!({}))]).await?;
        seen.cost.round_trips += 1;
        for answer in mobs.into_iter().filter_map(|answer| answered("mobs", answer)) {
            self.asked.take_mobs(&answer);
        }
        if has_members && now_ms.saturating_sub(self.listed_ms) >= LIST_EVERY {
            let mobs: Vec<Text> = self.asked.mobs().cloned().collect();
            let calls = mobs.iter().map(|mob| (CALLS[1], json!({ "mob_id": mob.raw() }))).collect();
            let answers = server.client.call(calls).await?;
            seen.cost.round_trips += 1;
            for (mob, answer) in mobs.iter().zip(answers) {
                if let Some(answer) = answered(&format!("members of {mob}"), answer) {
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
            let answers = server.client.call(due.iter().map(call).collect()).await?;
            seen.cost.round_trips += 1;
            for (key, answer) in due.iter().zip(answers) {
                let answer = answered(&format!("progress of {}", key.1), answer).unwrap_or_default();
                self.asked.take_status(key, &answer, now_ms);
            }
        }
        Ok(())
    }

    fn publish(&mut self, server: &Server, seen: &mut Observation, refused: Vec<Text>) {
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
        let now = (self.asked.remarks(&server.instance), self.asked.problems(&server.instance, now_ms), refused);
        if self.published.as_ref() == Some(&now) {
            return;
        }
        if self.published.is_none() {
            let presence = |has: bool| if has { Presence::Present } else { Presence::Absent };
            let parts = CALLS.iter().zip(server.has).map(|(call, has)| (*call, presence(has))).collect();
            seen.probe = Some(Probe { parts }.into());
        }
        seen.changes.push(Change::Remarks(now.0.clone()));
        seen.changes.push(Change::Problems(now.1.clone()));
        seen.unseen = Some(now.2.clone());
        self.published = Some(now);
    }
}

impl Source for Rpc {
    fn poll<'a>(&'a mut self, _: &'a PollContext) -> Polling<'a> {
        Box::pin(self.poll_now())
    }
}
