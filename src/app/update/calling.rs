//! Calling somebody: the bell, a notification, the window's title; and saying that a finding is known.

use std::sync::Arc;
use std::time::Duration;

use super::super::view_id::ViewId;
use super::super::{App, Effect};
use crate::app::status;
use crate::app::workspace::Key;
use crate::columns::role::Role;
use crate::mesh::alarm::identity;
use crate::mesh::derive::Snapshot;
use crate::mesh::derive::finding::Finding;
use crate::model::event::Event;
use crate::model::text::scrub;

/// Events that are looked at for one call, the newest: of a flood the newest are as good as all.
const LOOKED_AT: usize = 512;

impl App {
    /// Calls for what the newest snapshot of a mesh brought, frozen or not.
    pub(super) fn call(&mut self, mesh: usize) -> Vec<Effect> {
        let Some(snapshot) = self.latest().snapshot(mesh).cloned() else { return Vec::new() };
        let mut effects = Vec::new();
        if self.options.calls.title {
            let title = status::title(self.latest());
            if title != self.titled {
                self.titled.clone_from(&title);
                effects.push(Effect::Title(title));
            }
        }
        self.announced.resize(self.announced.len().max(mesh + 1), 0);
        let heard = self.announced[mesh];
        let fresh = snapshot.mesh.events.iter().rev().take(LOOKED_AT).filter(|event| event.seq > heard);
        let calls: Vec<&Event> = fresh.map(|event| &**event).collect();
        self.announced[mesh] = calls.iter().map(|event| event.seq).max().unwrap_or(heard);
        let calls: Vec<&Event> = calls.into_iter().filter(|event| event.kind.calls()).collect();
        let from = |least| calls.iter().filter(move |event| Some(event.severity) >= least && least.is_some());
        if from(self.options.calls.bell).next().is_some() {
            effects.push(Effect::Bell);
        }
        let notified: Vec<&&Event> = from(self.options.calls.notify).collect();
        if let Some(worst) = notified.iter().max_by_key(|event| event.severity) {
            let more = if notified.len() > 1 { format!(" (and {} more)", notified.len() - 1) } else { String::new() };
            let name = &snapshot.mesh.name;
            effects.push(Effect::Notify(format!("{name}: {}{more}", scrub(&worst.sentence))));
        }
        effects
    }

    /// Says that the findings one is at are known, or takes that back where all of them are.
    pub(super) fn acknowledge(&mut self, span: Option<Duration>) -> Vec<Effect> {
        if self.only_now() {
            return Vec::new();
        }
        let (view, chosen) = self.chosen();
        if view != ViewId::Findings {
            self.toast("only findings can be acknowledged: they are in view 7", Role::Warn);
            return Vec::new();
        }
        let workspace = self.latest().clone();
        let all = |(mesh, snapshot): (usize, &Arc<Snapshot>)| {
            snapshot.findings.iter().map(move |finding| (mesh, finding.clone())).collect::<Vec<_>>()
        };
        let raised: Vec<(usize, Arc<Finding>)> = workspace
            .snapshots()
            .flat_map(all)
            .filter(|(mesh, finding)| finding.life.is_some() && chosen.contains(&Key::new(*mesh, finding.key())))
            .collect();
        if raised.is_empty() {
            self.toast("nothing to acknowledge: not raised yet, or severity info", Role::Warn);
            return Vec::new();
        }
        let back = span.is_none() && raised.iter().all(|(_, finding)| finding.acknowledged().is_some());
        let span = (!back).then(|| span.unwrap_or(self.options.calls.known_for));
        let what = if raised.len() == 1 { "it".to_owned() } else { format!("{} findings", raised.len()) };
        self.toast(
            match span {
                Some(span) => {
                    format!("acknowledged for {}: no alerts for {what}", humantime::format_duration(span))
                }
                None => format!("acknowledgement removed: {what} alerts again"),
            },
            Role::Dim,
        );
        // They stand by mesh.
        let of_one = |alike: &[(usize, Arc<Finding>)]| {
            let keys = alike.iter().map(|(_, finding)| identity(finding)).collect();
            Effect::Acknowledge { mesh: alike[0].0, keys, span }
        };
        raised.chunk_by(|a, b| a.0 == b.0).map(of_one).collect()
    }
}
