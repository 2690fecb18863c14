//! Finding a thing by its name, across every view and mesh. What holds the word as it stands comes first; only if nothing
//! does, names that hold its letters in order.

use nucleo_matcher::Utf32Str;

use super::filter::{fuzzy, matcher};
use super::view_id::ViewId;
use super::workspace::{Key, Workspace};
use crate::columns::role::{Role, State as _};
use crate::mesh::derive::Snapshot;

/// More are not listed.
pub const MOST: usize = 100;

/// A thing that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The kind of thing, as a word.
    pub kind: &'static str,
    pub name: String,
    /// Its state, as glyph and word, and what that means.
    pub state: String,
    pub role: Role,
    pub thing: (ViewId, Key),
    /// Where in the name the word stands, in bytes; nothing where only its letters are there.
    pub matched: Option<(usize, usize)>,
}

/// How well a name fits; lower is better: the place of the word, then the kind of place, then the length.
type Fit = (u8, usize, usize);

/// Finds things by their names: those that match what was typed, the best first.
#[must_use]
pub fn find(workspace: &Workspace, typed: &str) -> Vec<Found> {
    let word = typed.trim();
    if word.is_empty() {
        return Vec::new();
    }
    let mut hits: Vec<(Fit, Found)> = Vec::new();
    let needle = word.to_lowercase();
    each(workspace, &mut |name, make| {
        if let Some(at) = position(name, &needle) {
            hits.push((fit(name, at, needle.len()), Found { matched: Some((at, needle.len())), ..make() }));
        }
    });
    if hits.is_empty() {
        let pattern = fuzzy(word);
        let (mut matcher, mut buffer) = (matcher(), Vec::new());
        each(workspace, &mut |name, make| {
            if let Some(score) = pattern.score(Utf32Str::new(name, &mut buffer), &mut matcher) {
                hits.push(((u8::MAX, usize::MAX - score as usize, name.len()), make()));
            }
        });
    }
    if hits.len() > MOST {
        hits.select_nth_unstable_by(MOST, |a, b| a.0.cmp(&b.0));
        hits.truncate(MOST);
    }
    hits.sort_by(|a, b| (a.0, &a.1.name, &a.1.thing.1).cmp(&(b.0, &b.1.name, &b.1.thing.1)));
    hits.into_iter().map(|(_, found)| found).collect()
}

/// Where a word in lower case stands in a name, whatever the case there. Bytes beyond ASCII are compared as they are.
fn position(name: &str, needle: &str) -> Option<usize> {
    let (name, needle) = (name.as_bytes(), needle.as_bytes());
    let first = *needle.first()?;
    let last = name.len().checked_sub(needle.len())?;
    (0..=last)
        .find(|&at| name[at].to_ascii_lowercase() == first && name[at..at + needle.len()].eq_ignore_ascii_case(needle))
}

/// The whole name, its beginning, the beginning of a part of it, anywhere.
fn fit(name: &str, at: usize, len: usize) -> Fit {
    let before = at.checked_sub(1).and_then(|before| name.as_bytes().get(before));
    let place = match before {
        None if name.len() == len => 0,
        None => 1,
        Some(byte) if !byte.is_ascii_alphanumeric() => 2,
        Some(_) => 3,
    };
    (place, name.len(), at)
}

/// Goes through the names of all things. What was found is made only where it is wanted.
fn each(workspace: &Workspace, see: &mut dyn FnMut(&str, &dyn Fn() -> Found)) {
    for (mesh, snapshot) in workspace.snapshots() {
        of_mesh(mesh, snapshot, see);
    }
}

fn of_mesh(mesh: usize, p: &Snapshot, see: &mut dyn FnMut(&str, &dyn Fn() -> Found)) {
    let found = |kind, name: &str, (state, role): (String, Role), view, key: String| Found {
        kind,
        name: name.to_owned(),
        state,
        role,
        thing: (view, Key::new(mesh, key)),
        matched: None,
    };
    for n in p.nodes.iter() {
        let name = n.name();
        let state = || (format!("{} {}", n.staleness.glyph(), n.staleness), n.staleness.role());
        see(name.as_str(), &|| found("node", name.as_str(), state(), ViewId::Nodes, n.key.raw().to_owned()));
    }
    for l in p.holds() {
        let name = l.name();
        let state = || (format!("{} {}", l.state.glyph(), l.state), l.state.role());
        see(name.as_str(), &|| found("lock", name.as_str(), state(), ViewId::Locks, l.key()));
    }
    for a in p.agents.iter() {
        let name = a.agent.agent.as_str();
        let state = || (format!("{} {}", a.state.glyph(), a.state), a.state.role());
        see(name, &|| found("agent", name, state(), ViewId::Agents, a.key()));
    }
    for t in p.tasks.iter() {
        let name = t.task.as_str();
        let state = || (format!("{} {}", t.state.glyph(), t.state), t.state.role());
        see(name, &|| found("task", name, state(), ViewId::Tasks, t.key()));
    }
    for m in p.messages.iter() {
        let name = format!("{} {}", m.message.name(), m.message.msg_type);
        let state = || (format!("{} {}", m.state.glyph(), m.state), m.state.role());
        see(&name, &|| found("message", &name, state(), ViewId::Messages, m.key()));
    }
    for f in p.findings.iter() {
        let name = f.sentence.as_str();
        let state = || (f.severity.glyph().to_string() + " " + &f.severity.to_string(), f.severity.role());
        see(name, &|| found("finding", name, state(), ViewId::Findings, f.key()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_word_as_it_stands_comes_before_longer_names() {
        let mut names = ["xforge", "src/forge", "forge", "forge-2", "of/FORGE/x"].map(|n| (n, position(n, "forge")));
        names.sort_by_key(|(name, at)| fit(name, at.unwrap(), 5));
        assert_eq!(names.map(|(name, _)| name), ["forge", "forge-2", "src/forge", "of/FORGE/x", "xforge"]);
        assert_eq!(position("abc", "abcd"), None);
    }

    proptest! {
        #[test]
        fn a_place_is_one_between_characters(name in ".{0,20}", word in ".{1,4}") {
            let needle = word.to_lowercase();
            if let Some(at) = position(&name, &needle) {
                prop_assert!(name.is_char_boundary(at) && name.is_char_boundary(at + needle.len()));
            }
        }
    }
}
