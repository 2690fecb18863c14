//! What changed in the meshes between two instants, in words. Pure.

use std::collections::BTreeMap;

use super::workspace::Workspace;
use crate::mesh::derive::Snapshot;

/// The most lines of one part; more are counted.
const MOST: usize = 500;

/// A thing by its key: what it is called, and what is compared of it.
type Things = BTreeMap<String, (String, String)>;

/// Lines that tell what changed, part by part.
#[must_use]
pub fn lines(before: &Workspace, after: &Workspace) -> Vec<String> {
    let mut lines = Vec::new();
    for mesh in 0..before.len().max(after.len()) {
        let (Some(from), Some(to)) = (before.snapshot(mesh), after.snapshot(mesh)) else {
            lines.push(format!("{}nothing is known of one of the instants", after.prefix(mesh)));
            continue;
        };
        for (part, of) in PARTS {
            let changes = compare(&of(from), &of(to));
            if changes.is_empty() {
                continue;
            }
            lines.push(format!("{}{part}: {}", after.prefix(mesh), changes.len()));
            let beyond = changes.len().saturating_sub(MOST);
            lines.extend(changes.into_iter().take(MOST).map(|change| format!("  {change}")));
            if beyond > 0 {
                lines.push(format!("  and {beyond} more"));
            }
        }
    }
    if lines.is_empty() {
        lines.push("nothing changed but times".to_owned());
    }
    lines
}

/// Things of one part.
type Part = fn(&Snapshot) -> Things;

/// What is compared.
const PARTS: &[(&str, Part)] = &[("findings", findings), ("nodes", nodes), ("locks", locks), ("tasks", tasks)];

/// What was not there before, is otherwise, or is gone.
fn compare(before: &Things, after: &Things) -> Vec<String> {
    let mut changes = Vec::new();
    for (key, (name, state)) in after {
        match before.get(key) {
            None => changes.push(format!("+ {name}  {state}")),
            Some((_, was)) if was != state => changes.push(format!("~ {name}  {was} → {state}")),
            Some(_) => {}
        }
    }
    let gone = before.iter().filter(|(key, _)| !after.contains_key(*key));
    changes.extend(gone.map(|(_, (name, state))| format!("- {name}  {state}")));
    changes
}

fn findings(snapshot: &Snapshot) -> Things {
    let of = |f: &std::sync::Arc<crate::mesh::derive::finding::Finding>| {
        (f.key(), (f.sentence.to_string(), f.severity.to_string()))
    };
    snapshot.findings.iter().map(of).collect()
}

fn nodes(snapshot: &Snapshot) -> Things {
    snapshot.nodes.iter().map(|n| (n.key.raw().to_owned(), (n.node_id.to_string(), n.staleness.to_string()))).collect()
}

fn locks(snapshot: &Snapshot) -> Things {
    let held = |l: &crate::mesh::derive::locks::LockView| {
        let holder = if l.lock.holder_node.is_empty() { &l.lock.holder_agent } else { &l.lock.holder_node };
        let fence = l.lock.fence_token.map(|fence| format!(", fence {fence}")).unwrap_or_default();
        let waits = if l.waiters.is_empty() { String::new() } else { format!(", {} wait", l.waiters.len()) };
        format!("{} by {holder}{fence}{waits}", l.state)
    };
    snapshot.locks.iter().map(|l| (l.key(), (l.name().to_string(), held(l)))).collect()
}

fn tasks(snapshot: &Snapshot) -> Things {
    let with = |t: &crate::mesh::derive::tasks::TaskView| {
        let owner = t.owner_node.as_ref().map_or("?", |node| node.as_str());
        format!("{} with {owner}", t.state)
    };
    snapshot.tasks.iter().map(|t| (t.key(), (format!("task {}", t.task), with(t)))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::LockTable;
    use crate::model::observation::{Change, Delta, Observation};
    use crate::model::report::Report;
    use crate::testing::{NOW, lock, mesh, snapshot};

    fn shown(state: crate::mesh::MeshState) -> Workspace {
        let mut workspace = Workspace::of(["prod"].iter());
        workspace.set(0, snapshot(state, NOW), None);
        workspace
    }

    #[test]
    fn a_lock_that_went_to_another_holder_is_told() {
        let mut moved = lock("file:src/parser.rs", "laptop-192", "2", 60_000);
        moved.fence_token = Some(8);
        let gone = vec![("file:docs/guide.md".into(), "9f2c41d07ab8e635".into())];
        let changes = vec![Change::SomeLocks(LockTable::Distributed, Delta { changed: vec![moved], gone })];
        let observation = Box::new(Observation { changes, ..Observation::default() });
        let after = mesh().after(Report::Observed { source: 0, at_ms: NOW, observation });
        let told = lines(&shown(mesh()), &shown(after)).join("\n");
        assert!(told.contains("~ file:src/parser.rs"), "{told}");
        assert!(told.contains("by desktop-488, fence 7"), "{told}");
        assert!(told.contains("by laptop-192, fence 8"), "{told}");
        assert!(told.contains("- file:docs/guide.md"), "{told}");
        assert_eq!(lines(&shown(mesh()), &shown(mesh())), ["nothing changed but times"]);
    }
}
