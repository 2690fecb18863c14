//! What operators changed meanwhile: the simulated nodes follow it, as real ones would.

use super::World;
use crate::demo::vox::rows::{Seen, bare};
use crate::demo::vox::write::Write;
use crate::model::action::OPERATOR_NODE;
use crate::model::time::{Millis, SECOND};

impl World {
    /// One step of nodes that look before they act.
    pub fn step_after(&mut self, seen: &Seen, now: Millis) -> Vec<Write> {
        self.notice_locks(seen, now);
        self.notice_messages(seen, now);
        self.pass_lock_on(seen, now);
        self.step(now)
    }

    /// A lock that somebody took away is not theirs any more.
    fn notice_locks(&mut self, seen: &Seen, now: Millis) {
        let lost: Vec<String> = self
            .locks
            .iter()
            .filter(|(key, held)| match seen.locks.get(bare(key)) {
                None => true,
                // An end that comes early was moved by an operator.
                Some(row) => row.node.starts_with(OPERATOR_NODE) || (row.over && held.expires > now + SECOND),
            })
            .map(|(key, _)| key.clone())
            .collect();
        for key in lost {
            if let Some(held) = self.locks.remove(&key) {
                self.freed.insert(key, held);
            }
        }
        let given_back: Vec<String> = self
            .freed
            .iter()
            .filter(|(key, held)| {
                let row = seen.locks.get(bare(key));
                row.is_some_and(|row| !row.over && row.agent == held.agent.to_string())
            })
            .map(|(key, _)| key.clone())
            .collect();
        for key in given_back {
            if let (Some(mut held), Some(row)) = (self.freed.remove(&key), seen.locks.get(bare(&key))) {
                held.fence = row.fence;
                self.locks.insert(key, held);
            }
        }
    }

    /// Whoever is first in line takes what became free, does its work, and passes it on.
    fn pass_lock_on(&mut self, seen: &Seen, now: Millis) {
        let free: Vec<String> =
            self.freed.keys().filter(|key| seen.locks.get(bare(key)).is_none_or(|row| row.over)).cloned().collect();
        for key in free {
            let Some(held) = self.freed.remove(&key) else { continue };
            let next = seen.requests.iter().find(|(_, agent, wanted)| {
                bare(wanted) == bare(&key) && !self.is_quiet(*agent) && *agent != held.agent
            });
            let Some((request, agent, _)) = next.cloned() else { continue };
            // The row that is there carries the count on.
            let fence = seen.locks.get(bare(&key)).map(|row| row.fence);
            self.acquire_over(key.clone(), agent, now, held.vcs, fence);
            self.out.push(Write::Acknowledge { id: request, at: now });
            let mine = self.locks.iter_mut().filter(|(_, held)| held.agent == agent);
            let keys: Vec<String> = mine.map(|(key, _)| key.clone()).collect();
            let done = now + self.span(80 * SECOND);
            self.finishing.extend(keys.into_iter().map(|key| (done, agent, key)));
        }
        let (due, later) = std::mem::take(&mut self.finishing).into_iter().partition(|(at, ..)| *at <= now);
        self.finishing = later;
        let due: Vec<(Millis, u32, String)> = due;
        for (_, agent, key) in due {
            if let Some(held) = self.locks.get(&key).filter(|held| held.agent == agent).cloned() {
                self.release(&key, now);
                self.freed.insert(key, held);
            }
        }
    }

    /// Messages that were retired or given to others.
    fn notice_messages(&mut self, seen: &Seen, now: Millis) {
        self.pending.retain_mut(|message| match seen.waiting.get(&message.id) {
            None => false,
            Some(to) => {
                if *to != message.to {
                    (message.to, message.claimed, message.created) = (*to, false, now);
                }
                true
            }
        });
        if let Some((id, _)) = self.poison {
            match seen.waiting.get(&id) {
                None => self.poison = None,
                Some(to) if *to != self.nodes[1].agents[0] => {
                    self.poison = None;
                    self.out.push(Write::Acknowledge { id, at: now });
                }
                Some(_) => {}
            }
        }
    }

    /// Leases that were revoked.
    pub fn lose_leases(&mut self, revoked: &[String]) {
        self.leases.retain(|lease| !revoked.contains(&lease.id.to_string()));
        for id in revoked {
            if let Ok(lease) = id.parse() {
                self.out.push(Write::Revoke { lease });
            }
        }
    }
}
