//! The history of findings: one line an event, shared by the consoles of a user, bounded.

use std::io;
use std::path::PathBuf;

use super::lines::{Lines, Mark, Stamp};
use crate::model::event::{Event, Kind, read};
use crate::model::text::escape_json;
use crate::model::whose::Whose;

/// The most bytes that the file grows to, and how many stay when it is cut.
const MOST: u64 = 4 << 20;
const KEPT: u64 = 2 << 20;
/// Events that are remembered beyond what is shown of them.
const FEW: usize = 64;

/// The history, as far as this console knows it.
#[derive(Debug)]
pub struct History {
    lines: Lines,
    stamp: Stamp,
    /// Where the last reading ended.
    mark: Option<Mark>,
    /// The newest events that are known, for finding where the news begins in a file that was put in the place of another.
    known: Vec<Event>,
}

/// What a look into the history brought.
#[derive(Debug, Default, PartialEq)]
pub struct Brought {
    /// Events that others wrote, oldest first.
    pub others: Vec<Event>,
    /// Those of ours that were news, and were written.
    pub written: Vec<Event>,
}

impl History {
    /// The history at `path`.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self { lines: Lines::new(path), stamp: Stamp::default(), mark: None, known: Vec::new() }
    }

    /// What others wrote since the last reading.
    pub fn read_others(&mut self) -> io::Result<Vec<Event>> {
        let stamp = self.lines.stamp();
        if stamp == self.stamp {
            return Ok(Vec::new());
        }
        let news = self.read()?;
        self.stamp = stamp;
        Ok(news)
    }

    fn read(&mut self) -> io::Result<Vec<Event>> {
        let part = self.lines.since(self.mark.as_ref(), MOST)?;
        let (mut events, odd) = read(part.text.lines());
        if odd > 0 {
            tracing::warn!(odd, "lines of the history that are none");
        }
        self.mark = part.mark;
        if part.goes_on {
            self.known.extend(events.iter().cloned());
            self.keep_few();
            return Ok(events);
        }
        // The file only grows, or loses its beginning: what is known ends somewhere in it.
        let last = self.known.last();
        let from = last.and_then(|last| events.iter().rposition(|event| event == last)).map_or(0, |at| at + 1);
        let newest = events[events.len().saturating_sub(FEW)..].to_vec();
        let mut news = events.split_off(from);
        if from == 0 {
            news.retain(|event| !self.known.contains(event));
        }
        self.known = newest;
        Ok(news)
    }

    fn keep_few(&mut self) {
        let surplus = self.known.len().saturating_sub(FEW);
        self.known.drain(..surplus);
        self.known.shrink_to(FEW);
    }

    /// Writes what happened, but for what another console has written already: of one thing, one line.
    pub fn write(&mut self, events: Vec<Event>) -> io::Result<Brought> {
        let lines = self.lines.clone();
        let mut held = lines.hold()?;
        let others = self.read()?;
        let written: Vec<Event> = events.into_iter().filter(|event| is_news(event, &others)).collect();
        if !written.is_empty() {
            let text = |event: &Event| serde_json::to_string(event).map(escape_json);
            self.mark = Some(held.append(&written.iter().map(text).collect::<Result<Vec<_>, _>>()?)?);
            self.known.extend(written.iter().cloned().map(|event| Event { seq: 0, ..event }));
            self.keep_few();
        }
        self.mark = held.shorten(MOST, KEPT)?.or(self.mark.take());
        self.stamp = lines.stamp();
        Ok(Brought { others, written })
    }
}

/// Whether nobody said so before, as far as the last word on the thing goes.
fn is_news(event: &Event, others: &[Event]) -> bool {
    let whose = Whose { mesh: event.mesh.clone(), place: event.place.clone() };
    let last = others.iter().rev().find(|other| other.key == event.key && whose.is(other));
    let stands = |kind: Kind| matches!(kind, Kind::Raised | Kind::Again | Kind::Worse);
    last.is_none_or(|last| {
        let same =
            last.kind == event.kind || stands(last.kind) && stands(event.kind) && last.severity >= event.severity;
        !same
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::severity::Severity;

    fn event(kind: Kind, name: &str, at_ms: i64) -> Event {
        Event {
            schema: crate::model::event::SCHEMA.into(),
            at_ms,
            mesh: "m".into(),
            place: "/m.db".into(),
            kind,
            key: format!("node-dead\u{1}node\u{1}{name}"),
            rule: "node-dead".into(),
            severity: Severity::Critical,
            subject: "node".into(),
            name: name.into(),
            sentence: format!("{name} is \u{1b}[31msilent"),
            times: 1,
            by: None,
            until_ms: None,
            seq: 0,
        }
    }

    #[test]
    fn of_two_consoles_one_writes_and_both_know() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state/events.jsonl");
        let (mut one, mut two) = (History::new(path.clone()), History::new(path.clone()));
        assert_eq!(one.read_others().unwrap(), []);
        let raised = |at| event(Kind::Raised, "a", at);
        assert_eq!(one.write(vec![raised(1)]).unwrap(), Brought { others: vec![], written: vec![raised(1)] });
        assert_eq!(two.write(vec![raised(2)]).unwrap(), Brought { others: vec![raised(1)], written: vec![] });
        let cleared = event(Kind::Cleared, "a", 3);
        assert_eq!(two.write(vec![cleared.clone()]).unwrap().written, std::slice::from_ref(&cleared));
        assert_eq!(one.read_others().unwrap(), [cleared]);
        assert_eq!(one.read_others().unwrap(), []);
        assert_eq!(one.write(vec![raised(4)]).unwrap().written.len(), 1, "it is back");
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().count(), 3);
        assert!(!text.contains('\u{1b}') && text.is_ascii());
        // A later console finds all of it.
        assert_eq!(History::new(path).read_others().unwrap().len(), 3);
    }

    #[test]
    fn what_was_read_is_not_read_again_and_a_line_in_the_writing_is_read_once_it_is_whole() {
        use std::io::Write as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.jsonl");
        let (mut one, mut two) = (History::new(path.clone()), History::new(path.clone()));
        one.write(vec![event(Kind::Raised, "a", 1)]).unwrap();
        assert_eq!(two.read_others().unwrap().len(), 1);
        // What stands before the mark is never looked at again.
        let text = std::fs::read_to_string(&path).unwrap();
        let start = text.replacen('{', "#", 1);
        std::fs::write(&path, &start).unwrap();
        let line = serde_json::to_string(&event(Kind::Raised, "b", 2)).unwrap();
        let (begun, rest) = line.split_at(20);
        let append = |part: &str| {
            std::fs::File::options().append(true).open(&path).unwrap().write_all(part.as_bytes()).unwrap();
        };
        append(begun);
        assert_eq!(two.read_others().unwrap(), []);
        append(&format!("{rest}\n"));
        assert_eq!(two.read_others().unwrap().iter().map(|event| event.at_ms).collect::<Vec<_>>(), [2]);
        // Another file in its place is read from its beginning, and what is known is no news.
        let other = folder.path().join("other");
        std::fs::write(&other, format!("{text}{line}\n{}\n", line.replace("\"at_ms\":2", "\"at_ms\":3"))).unwrap();
        std::fs::rename(&other, &path).unwrap();
        assert_eq!(two.read_others().unwrap().iter().map(|event| event.at_ms).collect::<Vec<_>>(), [3]);
    }

    #[test]
    fn what_is_no_file_is_an_error_and_no_more() {
        let mut full = History::new("/dev/full".into());
        assert_eq!(full.read_others().unwrap(), []);
        for at in 0..2 {
            full.write(vec![event(Kind::Raised, "a", at)]).unwrap_err();
        }
    }

    /// E1: two consoles with two databases, both called `mesh`.
    #[test]
    fn of_two_meshes_with_one_name_each_has_its_own_events() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.jsonl");
        let of = |place: &str| Event { place: place.into(), ..event(Kind::Raised, "a", 1) };
        let (mut one, mut two) = (History::new(path.clone()), History::new(path));
        assert_eq!(one.write(vec![of("/one.db")]).unwrap().written.len(), 1);
        assert_eq!(two.write(vec![of("/two.db")]).unwrap().written.len(), 1, "the other's own is news");
        let whose = Whose { mesh: "m".into(), place: "/one.db".into() };
        assert!(whose.is(&of("/one.db")) && whose.is(&of("")) && !whose.is(&of("/two.db")));
    }

    #[test]
    fn it_is_bounded_and_a_torn_line_costs_no_other() {
        use std::io::Write as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.jsonl");
        let (mut one, mut two) = (History::new(path.clone()), History::new(path.clone()));
        let long = |n: i64| Event { sentence: "x".repeat(100_000), ..event(Kind::Raised, &n.to_string(), n) };
        for n in 0..60 {
            one.write(vec![long(n)]).unwrap();
            assert!(std::fs::metadata(&path).unwrap().len() <= MOST + 200_000);
        }
        std::fs::File::options().append(true).open(&path).unwrap().write_all(b"{\"torn").unwrap();
        let brought = two.write(vec![long(99)]).unwrap();
        assert_eq!(brought.others.last().unwrap().at_ms, 59);
        assert_eq!(one.read_others().unwrap().iter().map(|event| event.at_ms).collect::<Vec<_>>(), [99]);
    }
}
