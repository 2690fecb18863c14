//! The life of findings.

use std::slice::from_ref;

use proptest::prelude::*;

use super::*;
use crate::mesh::derive::finding::Subject;
use crate::model::time::SECOND;

fn finding(name: &str, severity: Severity) -> Arc<Finding> {
    Arc::new(Finding {
        order: 0,
        rule: "node-dead",
        severity,
        subject: Subject::Node(name.into()),
        name: name.into(),
        sentence: format!("{name} is silent").into(),
        evidence: Vec::new(),
        part: Text::default(),
        life: None,
    })
}

fn whose() -> Whose {
    Whose { mesh: "m".into(), place: "/m.db".into() }
}

fn kinds(events: &[Event]) -> Vec<(Kind, &str)> {
    events.iter().map(|event| (event.kind, event.name.as_str())).collect()
}

#[test]
fn what_flickers_raises_one_alarm() {
    let mut alarms = Alarms::new(whose(), Rules::default());
    let wrong = [finding("a", Severity::Critical)];
    let mut all = Vec::new();
    // A second here, a second there: never for long enough to be raised.
    for second in 0..20 {
        let now: &[Arc<Finding>] = if second % 2 == 0 { &wrong } else { &[] };
        all.extend(alarms.observe(now, false, second * SECOND));
    }
    assert_eq!(kinds(&all), []);
    // It stands: raised. It flickers: still the same alarm. It is gone for good: cleared. It is back: again.
    for (second, there) in
        [(30, true), (32, true), (33, false), (40, true), (41, false), (52, false), (60, true), (62, true)]
    {
        let now: &[Arc<Finding>] = if there { &wrong } else { &[] };
        all.extend(alarms.observe(now, false, second * SECOND));
    }
    assert_eq!(kinds(&all), [(Kind::Raised, "a"), (Kind::Cleared, "a"), (Kind::Again, "a")]);
    assert_eq!(all.iter().map(|event| event.times).collect::<Vec<_>>(), [1, 1, 2]);
}

#[test]
fn nothing_is_cleared_while_a_source_is_silent() {
    let mut alarms = Alarms::new(whose(), Rules { raise_after_ms: 0, ..Rules::default() });
    assert_eq!(kinds(&alarms.observe(&[finding("a", Severity::Warning)], false, 0)), [(Kind::Raised, "a")]);
    for second in 1..100 {
        assert_eq!(alarms.observe(&[], true, second * SECOND), []);
    }
    assert_eq!(alarms.observe(&[], false, 100 * SECOND), [], "from here on it counts as gone");
    assert_eq!(kinds(&alarms.observe(&[], false, 110 * SECOND)), [(Kind::Cleared, "a")]);

    let mut alarms = Alarms::new(whose(), Rules { raise_after_ms: 0, ..Rules::default() });
    alarms.observe(&[finding("a", Severity::Warning)], true, 0);
    alarms.observe(&[], true, SECOND);
    assert_eq!(alarms.observe(&[finding("a", Severity::Warning)], true, 5 * SECOND), [], "it flickered");
    alarms.observe(&[], true, 6 * SECOND);
    let back = alarms.observe(&[finding("a", Severity::Warning)], true, 60 * SECOND);
    assert_eq!(kinds(&back), [(Kind::Again, "a")], "it was gone for a while, whoever could not be sure");
}

#[test]
fn an_acknowledgement_ends_by_time_by_hand_and_by_getting_worse() {
    let mut alarms = Alarms::new(whose(), Rules { raise_after_ms: 0, ..Rules::default() });
    let mild = finding("a", Severity::Warning);
    let key = identity(&mild);
    assert_eq!(alarms.acknowledge(&key, "dana", None, true, 0), None, "there is nothing to acknowledge");
    alarms.observe(from_ref(&mild), false, 0);
    let printed = alarms.acknowledge(&key, "dana", Some(10 * SECOND), true, SECOND).unwrap();
    assert_eq!(
        (printed.kind, printed.by.as_deref(), printed.until_ms),
        (Kind::Acknowledged, Some("dana"), Some(10 * SECOND))
    );
    assert_eq!(alarms.life(&mild).unwrap().acknowledged.as_ref().unwrap().by, "dana");
    assert_eq!(alarms.observe(from_ref(&mild), false, 9 * SECOND), []);
    assert_eq!(kinds(&alarms.observe(from_ref(&mild), false, 10 * SECOND)), [(Kind::Reopened, "a")]);

    alarms.acknowledge(&key, "dana", None, true, 11 * SECOND).unwrap();
    assert_eq!(alarms.acknowledge(&key, "eli", None, false, 12 * SECOND).unwrap().kind, Kind::Reopened);
    assert_eq!(alarms.acknowledge(&key, "eli", None, false, 13 * SECOND), None);

    alarms.acknowledge(&key, "dana", None, true, 14 * SECOND).unwrap();
    let worse = finding("a", Severity::Critical);
    assert_eq!(kinds(&alarms.observe(from_ref(&worse), false, 15 * SECOND)), [(Kind::Worse, "a")]);
    assert_eq!(alarms.life(&worse).unwrap().acknowledged, None);
}

#[test]
fn a_clock_that_is_set_back_holds_nothing_up() {
    let mut alarms = Alarms::new(whose(), Rules::default());
    let hour = 3_600 * SECOND;
    let a = finding("a", Severity::Warning);
    alarms.observe(from_ref(&a), false, 2 * hour);
    assert_eq!(alarms.observe(from_ref(&a), false, hour), []);
    assert_eq!(kinds(&alarms.observe(from_ref(&a), false, hour + 2 * SECOND)), [(Kind::Raised, "a")]);
    alarms.observe(&[], false, hour + 3 * SECOND);
    alarms.observe(&[], false, SECOND);
    assert_eq!(kinds(&alarms.observe(&[], false, 11 * SECOND)), [(Kind::Cleared, "a")]);
}

#[test]
fn what_is_only_worth_knowing_raises_nothing() {
    let mut alarms = Alarms::new(whose(), Rules { raise_after_ms: 0, ..Rules::default() });
    assert_eq!(alarms.observe(&[finding("a", Severity::Info)], false, 0), []);
}

/// What one console says, another one takes over: it raises nothing twice, and comes to the same lives.
#[test]
fn a_history_is_taken_over() {
    let rules = Rules { raise_after_ms: 0, ..Rules::default() };
    let (mut first, mut second) = (Alarms::new(whose(), rules), Alarms::new(whose(), rules));
    let (a, b) = (finding("a", Severity::Critical), finding("b", Severity::Warning));
    let mut history = first.observe(&[a.clone(), b.clone()], false, 0);
    history.extend(first.acknowledge(&identity(&a), "dana", None, true, SECOND));
    first.observe(from_ref(&a), false, 2 * SECOND);
    history.extend(first.observe(from_ref(&a), false, 20 * SECOND));
    let text: Vec<String> = history.iter().map(|event| serde_json::to_string(event).unwrap()).collect();
    let (read, odd) = crate::model::event::read(text.iter().map(String::as_str).chain(["{\"torn", "", "{}"]));
    assert_eq!((read.len(), odd), (4, 2));
    for event in &read {
        second.adopt(event);
    }
    assert_eq!(second.life(&a), first.life(&a));
    assert_eq!(second.life(&a).unwrap().acknowledged.as_ref().unwrap().by, "dana");
    assert_eq!(second.observe(from_ref(&a), false, 21 * SECOND), [], "it is known");
    assert_eq!(kinds(&second.observe(&[a, b], false, 22 * SECOND)), [(Kind::Again, "b")]);
}

proptest! {
    /// Whatever comes and goes: a finding is raised before it is cleared, and never twice in a row.
    #[test]
    fn lives_are_well_formed(steps in prop::collection::vec((prop::collection::vec((0u8..4, 1u8..3), 0..4), prop::bool::ANY, 0i64..8), 0..60)) {
        let mut alarms = Alarms::new(whose(), Rules::default());
        let mut open: HashMap<String, bool> = HashMap::new();
        let mut now = 0;
        for (there, blind, pass) in steps {
            now += pass * SECOND;
            let mut findings: Vec<_> = there.iter().map(|(name, severity)| {
                let severity = if *severity == 1 { Severity::Warning } else { Severity::Critical };
                finding(&name.to_string(), severity)
            }).collect();
            findings.sort_by_key(|f| std::cmp::Reverse(f.severity));
            for event in alarms.observe(&findings, blind, now) {
                let was = open.insert(event.key.clone(), event.kind != Kind::Cleared).unwrap_or(false);
                match event.kind {
                    Kind::Raised => prop_assert!(!was),
                    Kind::Again => {}
                    Kind::Cleared => prop_assert!(was && !blind),
                    _ => prop_assert!(was),
                }
            }
        }
        // What is gone for long is cleared in the end.
        alarms.observe(&[], false, now + SECOND);
        alarms.observe(&[], false, now + 100 * SECOND);
        prop_assert!(alarms.cases.is_empty() && !alarms.waits());
    }
}
