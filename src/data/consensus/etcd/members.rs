//! What members are asked: their status each poll, at their own endpoints; who they are, and how large their stores may be.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::future::join_all;
use serde_json::json;

use super::Etcd;
use crate::config::address::Address;
use crate::data::consensus::cluster::Answers;
use crate::data::consensus::gateway::{self, CallError, Gateway, Manner};
use crate::data::consensus::wire::{self, MemberList, Status};
use crate::model::observation::Observation;
use crate::model::source::Fault;
use crate::model::text::Text;
use crate::model::time::{MINUTE, Millis, SECOND};

/// How long a member is waited for that did not answer at the last poll.
const SILENT_WITHIN: Duration = Duration::from_millis(500);
/// How often the list of members is read.
const LIST_EVERY: Millis = 30 * SECOND;
/// How often a member is asked for its quota that did not tell it. It stays for as long as a member runs.
const QUOTA_EVERY: Millis = 10 * MINUTE;

impl Etcd {
    /// Asks every member for its status. Answers one that has a leader, to read keys from.
    pub(super) async fn ask_members(
        &mut self,
        gateway: &Gateway,
        seen: &mut Observation,
    ) -> Result<Option<Address>, Fault> {
        let now_ms = (self.clock)();
        let mut endpoints: Vec<Address> = self.config.endpoints.iter().chain(&self.advertised).cloned().collect();
        let mut answers = self.ask(gateway, &endpoints, seen).await;
        // Who else there is is asked as well, at once.
        if self.listed_ms == 0 {
            for (at, answer) in endpoints.iter().zip(&answers) {
                if let Ok(status) = answer {
                    self.at_endpoint.insert(at.as_str().to_owned(), status.header.member_id);
                }
            }
            let first = endpoints.iter().zip(&answers).find(|(_, answer)| answer.is_ok()).map(|(at, _)| at.clone());
            if let Some(at) = first {
                self.list(gateway, &at, now_ms, seen).await;
                let more = self.advertised.clone();
                answers.extend(self.ask(gateway, &more, seen).await);
                endpoints.extend(more);
            }
        }
        let mut first_fault = None;
        let (mut taken, mut readable): (Answers, Option<Address>) = (Vec::new(), None);
        for (at, answer) in endpoints.iter().zip(answers) {
            match answer {
                Ok(status) => {
                    let id = status.header.member_id;
                    self.at_endpoint.insert(at.as_str().to_owned(), id);
                    if status.leader != 0 && !status.is_learner && readable.is_none() {
                        readable = Some(at.clone());
                    }
                    taken.push((Some(id), Ok(status)));
                }
                Err(error) => {
                    let fault = error.fault(at);
                    taken.push((self.at_endpoint.get(at.as_str()).copied(), Err(Text::new(&fault.to_string()))));
                    first_fault.get_or_insert(fault);
                }
            }
        }
        let answered = taken.iter().any(|(_, answer)| answer.is_ok());
        self.cluster.take(taken, now_ms);
        if !answered {
            return Err(first_fault.unwrap_or_else(|| Fault::setup("no endpoint is named", "set etcd.endpoints")));
        }
        if now_ms.saturating_sub(self.listed_ms) >= LIST_EVERY
            && let Some(at) = endpoints.iter().find(|at| self.is_up(at))
        {
            self.list(gateway, at, now_ms, seen).await;
        }
        self.ask_quota(gateway, &endpoints, now_ms, seen).await;
        // The watch stays where it is while that member has a leader.
        let at_watch = self.watch.as_ref().map(|watch| watch.at.clone()).filter(|at| self.is_up(at));
        Ok(readable.map(|first| at_watch.unwrap_or(first)))
    }

    async fn ask(
        &self,
        gateway: &Gateway,
        endpoints: &[Address],
        seen: &mut Observation,
    ) -> Vec<Result<Status, CallError>> {
        seen.cost.round_trips += u64::from(!endpoints.is_empty());
        let (path, body) = ("/v3/maintenance/status", json!({}));
        let asked = endpoints.iter().map(|at| async {
            // One that was silent is not waited for as long: the others are what counts.
            let span = if self.was_silent(at) { SILENT_WITHIN } else { gateway::ANSWER_WITHIN };
            let late = |_| Err(CallError::Lost(format!("no answer within {} ms", span.as_millis())));
            tokio::time::timeout(span, gateway.post(at, path, &body, Manner::default())).await.unwrap_or_else(late)
        });
        join_all(asked).await
    }

    /// Reads who the members are. What cannot be had now is had later.
    async fn list(&mut self, gateway: &Gateway, at: &Address, now_ms: Millis, seen: &mut Observation) {
        let path = "/v3/cluster/member/list";
        seen.cost.round_trips += 1;
        if let Ok(list) = gateway.post::<MemberList>(at, path, &json!({}), Manner::default()).await {
            self.cluster.take_list(&list);
            self.keys = None;
            self.advertise(&list);
            self.listed_ms = now_ms;
        }
    }

    /// Reads the quota of one member's store from its metrics, which are long: once, and again if they did not tell it.
    async fn ask_quota(&mut self, gateway: &Gateway, endpoints: &[Address], now_ms: Millis, seen: &mut Observation) {
        let due = endpoints.iter().find_map(|at| {
            let id = *self.at_endpoint.get(at.as_str())?;
            let is_due = self.quotas_due.get(&id).is_none_or(|due| *due <= now_ms);
            (is_due && self.cluster.is_up(id)).then_some((id, at))
        });
        let Some((id, at)) = due else { return };
        seen.cost.round_trips += 1;
        let quota =
            gateway.metrics(at).await.ok().and_then(|text| wire::metric(&text, "etcd_server_quota_backend_bytes"));
        self.quotas_due.insert(id, if quota.is_some() { Millis::MAX } else { now_ms + QUOTA_EVERY });
        self.cluster.take_quota(id, quota);
    }

    fn was_silent(&self, at: &Address) -> bool {
        self.at_endpoint.get(at.as_str()).is_some_and(|id| self.cluster.is_silent(*id))
    }

    fn is_up(&self, at: &Address) -> bool {
        self.at_endpoint.get(at.as_str()).is_some_and(|id| self.cluster.is_up(*id))
    }

    /// Members that no configured endpoint is of are asked where they say that they are.
    fn advertise(&mut self, list: &MemberList) {
        let known: BTreeSet<u64> =
            self.config.endpoints.iter().filter_map(|at| self.at_endpoint.get(at.as_str()).copied()).collect();
        let of = |member: &wire::Member| {
            let url = member.client_urls.first().filter(|_| !known.contains(&member.id))?;
            let at = Address::of_server(url).ok()?;
            (!self.config.endpoints.contains(&at)).then_some((member.id, at))
        };
        let found: Vec<(u64, Address)> = list.members.iter().filter_map(of).collect();
        for (id, at) in &found {
            self.at_endpoint.entry(at.as_str().to_owned()).or_insert(*id);
        }
        self.advertised = found.into_iter().map(|(_, at)| at).collect();
    }
}
