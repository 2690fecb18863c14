//! An agent.

use super::{MOST, as_of, findings, log_entries, more, named_node};
use crate::app::inspect::Inspection;
use crate::app::view_id::ViewId;
use crate::columns::role::{Role, State};
use crate::mesh::derive::Snapshot;
use crate::mesh::derive::agents::AgentView;
use crate::mesh::derive::finding::Subject;
use crate::model::time::{Millis, short};

/// Everything about an agent.
pub fn inspect(view: &AgentView, snapshot: &Snapshot, now: Millis) -> Inspection {
    let agent = &view.agent;
    let mut page = Inspection::titled(format!("agent {}", agent.agent));
    as_of(&mut page, view.as_of_ms, now);
    page.state("state", &view.state);
    if let Some(why) = &agent.why {
        page.field("because", why);
    }
    page.field("role", &agent.role);
    if !agent.group.is_empty() {
        let status = view.group.map(|status| format!(", {status}")).unwrap_or_default();
        page.field("belongs to", format!("{}{status}", agent.group));
    }
    let groups = snapshot.mesh.sources.iter().flat_map(|source| source.facts.groups.iter());
    let mut of = groups.filter(|group| group.name == agent.group && group.repository_id == agent.repository_id);
    if let Some(supervisor) = of.find_map(|group| group.supervisor.as_ref()) {
        let next = supervisor.next_epoch.map(|epoch| format!(", changes to epoch {epoch}")).unwrap_or_default();
        page.field(
            "supervisor",
            format!("{}, epoch {}{next}; appointed, not elected", supervisor.name, supervisor.epoch),
        );
    }
    page.field("repository", &agent.repository_id);
    match &view.node {
        Some(node) => named_node(&mut page, snapshot, "node", (node, &agent.repository_id), now),
        None => page.text("on no node that is known", Role::Unknown),
    }
    page.heading("Progress");
    match &agent.progress {
        Some(progress) => {
            page.field("activity", progress.activity);
            page.instant("seen so since", view.since_ms, now);
            page.instant("last progress", view.progress_ms, now);
            page.field("in flight", progress.in_flight);
            page.field("health", format!("{}, by its system's own word", progress.health));
            page.field("asked", format!("every {}", short(progress.every_ms)));
        }
        None => page.text("not asked: no source tells how it gets on", Role::Unknown),
    }
    page.heading("This life");
    page.opt("generation", agent.generation);
    page.opt("fence token", agent.fence_token);
    page.instant("began", view.started_ms, now);
    if !agent.peers.is_empty() {
        let peers: Vec<String> = agent.peers.iter().map(ToString::to_string).collect();
        page.field("wired to", peers.join(", "));
    }
    findings(&mut page, snapshot, |subject| matches!(subject, Subject::Agent(key) if *key == view.key()));
    let here = |repository: &crate::model::text::Text| *repository == agent.repository_id;
    let held =
        |l: &&crate::mesh::derive::locks::LockView| l.lock.holder_agent == agent.agent && here(&l.lock.repository_id);
    let locks: Vec<_> = snapshot.holds().filter(held).collect();
    if !locks.is_empty() {
        page.heading(format!("Locks held ({})", locks.len()));
        for lock in locks.iter().take(MOST) {
            let value = format!("{} {}", lock.state.glyph(), lock.state);
            page.link(ViewId::Locks, lock.key(), lock.name().to_string(), value, lock.state.role());
        }
        more(&mut page, locks.len());
    }
    let has = |t: &&std::sync::Arc<crate::mesh::derive::tasks::TaskView>| {
        t.owner_agent.as_ref() == Some(&agent.agent) && here(&t.repository_id)
    };
    let tasks: Vec<_> = snapshot.tasks.shared().filter(has).collect();
    if !tasks.is_empty() {
        page.heading(format!("Tasks ({})", tasks.len()));
        for task in tasks.iter().take(MOST) {
            let value = format!("{} {}", task.state.glyph(), task.state);
            page.link(ViewId::Tasks, task.key(), format!("task {}", task.task), value, task.state.role());
        }
        more(&mut page, tasks.len());
    }
    page.text(format!("stated by {}", join(&view.sources)), Role::Dim);
    log_entries(&mut page, snapshot, "Op-log", now, |l| {
        l.entry.agent_id == agent.agent && here(&l.entry.repository_id)
    });
    page
}

fn join(texts: &[crate::model::text::Text]) -> String {
    texts.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
