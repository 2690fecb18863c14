//! Calling somebody: the bell, a notification, the window's title; and saying that a finding is known.

use std::time::Duration;

use super::super::role::Role;
use super::super::verdict;
use super::super::views::ViewId;
use super::super::{App, Effect};
use crate::data::alarm::{Event, identity};
use crate::data::derive::findings::Finding;
use crate::text::scrub;

/// Events that are looked at for one call, the newest: of a flood the newest are as good as all.
const LOOKED_AT: usize = 512;

impl App {
    /// Calls for what the newest picture brought, frozen or not.
    pub(super) fn call(&mut self) -> Vec<Effect> {
        let Some(picture) = self.latest().cloned() else { return Vec::new() };
        let mut effects = Vec::new();
        if self.options.calls.title {
            let title = verdict::title(&picture, &self.options.mesh);
            if title != self.titled {
                self.titled.clone_from(&title);
                effects.push(Effect::Title(title));
            }
        }
        let heard = self.heard;
        let fresh = picture.mesh.events.iter().rev().take(LOOKED_AT).filter(|event| event.seq > heard);
        let calls: Vec<&Event> = fresh.map(|event| &**event).collect();
        self.heard = calls.iter().map(|event| event.seq).max().unwrap_or(heard);
        let calls: Vec<&Event> = calls.into_iter().filter(|event| event.kind.calls()).collect();
        let from = |least| calls.iter().filter(move |event| Some(event.severity) >= least && least.is_some());
        if from(self.options.calls.bell).next().is_some() {
            effects.push(Effect::Bell);
        }
        let told: Vec<&&Event> = from(self.options.calls.notify).collect();
        if let Some(worst) = told.iter().max_by_key(|event| event.severity) {
            let more = if told.len() > 1 { format!(" (and {} more)", told.len() - 1) } else { String::new() };
            let mesh = scrub(&self.options.mesh);
            effects.push(Effect::Notify(format!("{mesh}: {}{more}", scrub(&worst.sentence))));
        }
        effects
    }

    /// Says that the findings one is at are known, or takes that back where all of them are.
    pub(super) fn known(&mut self, span: Option<Duration>) -> Vec<Effect> {
        let Some(picture) = self.latest().cloned() else { return Vec::new() };
        let (view, chosen) = self.chosen();
        if view != ViewId::Findings {
            self.say("only findings can be said to be known: they are in view 7", Role::Warn);
            return Vec::new();
        }
        let findings: Vec<&Finding> = picture
            .findings
            .iter()
            .map(|finding| &**finding)
            .filter(|finding| chosen.contains(&finding.key()))
            .collect();
        let raised: Vec<&&Finding> = findings.iter().filter(|finding| finding.life.is_some()).collect();
        if raised.is_empty() {
            self.say(
                "there is no alarm to acknowledge here: it stands too short, or is only worth knowing",
                Role::Warn,
            );
            return Vec::new();
        }
        let back = span.is_none() && raised.iter().all(|finding| finding.acknowledged().is_some());
        let span = (!back).then(|| span.unwrap_or(self.options.calls.known_for));
        let keys: Vec<String> = raised.iter().map(|finding| identity(finding)).collect();
        let what = if keys.len() == 1 { "it".to_owned() } else { format!("{} findings", keys.len()) };
        self.say(
            match span {
                Some(span) => {
                    format!("known for {}: {what} will call nobody until then", humantime::format_duration(span))
                }
                None => format!("no longer known: {what} calls again"),
            },
            Role::Dim,
        );
        vec![Effect::Known { keys, span }]
    }
}
