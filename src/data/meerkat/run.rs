//! A flow run and its steps. Pure.

use std::collections::{BTreeSet, HashSet};

use serde_json::Value;

use super::shared::member;
use super::{RUN_IF_DEAD, instant};
use crate::model::stated::{Cancel, Stage, StatedTask, TaskEvent};
use crate::model::text::Text;
use crate::model::time::Millis;

/// Steps of one run that are shown at most.
const MOST_STEPS: usize = 50;

/// One run, as its row states it.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    pub run_id: Text,
    pub flow_id: Text,
    pub status: Text,
    pub created_ms: Option<Millis>,
    pub completed_ms: Option<Millis>,
    /// The last word on each step, in the order of the ledger.
    pub steps: Vec<Step>,
    /// Rows of the ledger, or its bytes where it is too large to be read: while it grows, the run moves.
    pub rows: usize,
}

/// One step.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    pub step_id: Text,
    pub status: Text,
    pub at_ms: Option<Millis>,
}

/// The name of a run's task.
#[must_use]
pub fn task(flow: &Text, run: &Text) -> Text {
    format!("flow {flow} ({run})").into()
}

impl Run {
    /// Reads the columns of a row: run, flow, status, creation, completion, ledger. `size` is that of the row in bytes.
    #[must_use]
    pub fn read(columns: [Option<&str>; 6], size: usize) -> Option<Self> {
        let [run_id, flow_id, status, created, completed, step_ledger] = columns;
        let ledger: Vec<Value> = step_ledger.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
        // Of each step its last row counts.
        let (mut steps, mut named) = (Vec::new(), HashSet::new());
        for row in ledger.iter().rev() {
            let word = |name: &str| row[name].as_str().map(|text| Text::bounded(text, 120)).unwrap_or_default();
            let step = Step {
                step_id: word("step_id"),
                status: word("status"),
                at_ms: row["timestamp"].as_str().and_then(instant),
            };
            if named.insert(step.step_id.clone()) {
                steps.push(step);
            }
            if steps.len() == MOST_STEPS {
                break;
            }
        }
        steps.reverse();
        Some(Self {
            run_id: Text::bounded(run_id?, 120),
            flow_id: Text::bounded(flow_id.unwrap_or("?"), 120),
            status: Text::bounded(status?, 40),
            created_ms: created.and_then(instant),
            completed_ms: completed.and_then(instant),
            steps,
            rows: if step_ledger.is_some() { ledger.len() } else { size },
        })
    }

    /// Whether it goes on.
    #[must_use]
    pub fn is_open(&self) -> bool {
        matches!(self.status.raw(), "pending" | "running")
    }

    /// The run as a task, with its steps. `at_work` are the members that a step was given to.
    #[must_use]
    pub fn stated(&self, mob: &str, realm: &Text, at_work: impl Fn(&Text) -> BTreeSet<Text>) -> StatedTask {
        let event = |at_ms, stage, text: String| TaskEvent { at_ms, stage, text: text.into() };
        let mut story = vec![event(self.created_ms, Stage::Submitted, format!("run {} of mob {mob}", self.run_id))];
        let mut agent = None;
        for step in &self.steps {
            let members = at_work(&step.step_id);
            let names: Vec<&str> = members.iter().map(Text::as_str).collect();
            let by = if names.is_empty() { String::new() } else { format!(" ({})", names.join(", ")) };
            let text = format!("step {} {}{by}", step.step_id, step.status);
            let stage = if step.status == "dispatched" && self.is_open() { Stage::Running } else { Stage::Detail };
            if step.status == "dispatched" {
                agent = members.first().map(|identity| member(mob, identity.raw())).or(agent);
            }
            story.push(event(step.at_ms, stage, text));
        }
        let end = match self.status.raw() {
            "completed" => Some(Stage::Done),
            "failed" => Some(Stage::Failed),
            "canceled" => Some(Stage::Cancelled),
            "running" => Some(Stage::Running),
            _ => None,
        };
        let last = self.steps.iter().filter_map(|step| step.at_ms).max().or(self.created_ms);
        story.extend(end.map(|stage| event(self.completed_ms.or(last), stage, format!("run {}", self.status))));
        let cancel = Some(Cancel { group: mob.into(), id: self.run_id.clone() });
        StatedTask {
            task: task(&self.flow_id, &self.run_id),
            repository_id: realm.clone(),
            agent,
            cancel,
            if_dead: RUN_IF_DEAD,
            story,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_a_task_with_its_steps() {
        let ledger = r#"[{"step_id":"plan","status":"dispatched","timestamp":"2026-11-25T22:44:37Z"},
            {"step_id":"plan","status":"completed","timestamp":"2026-11-25T22:44:38Z"},
            {"step_id":"code","status":"dispatched","timestamp":"2026-11-25T22:44:39Z","output":"private"}]"#;
        let run = Run::read(
            [Some("r1"), Some("build"), Some("running"), Some("2026-11-25T22:44:36Z"), None, Some(ledger)],
            300,
        );
        let run = run.unwrap();
        assert!(run.is_open() && run.rows == 3);
        let at_work = |step: &Text| if step.raw() == "code" { ["w-1".into()].into() } else { BTreeSet::new() };
        let task = run.stated("atlas", &"team".into(), at_work);
        assert_eq!((task.task.raw(), task.agent.unwrap().raw()), ("flow build (r1)", "atlas/w-1"));
        let lines: Vec<&str> = task.story.iter().map(|event| event.text.raw()).collect();
        assert_eq!(lines, ["run r1 of mob atlas", "step plan completed", "step code dispatched (w-1)", "run running"]);
        assert_eq!(Run::read([Some("r"), None, None, None, None, Some("{")], 1), None);
        let large = Run::read([Some("r"), None, Some("running"), None, None, None], 2_000_000);
        assert_eq!(large.unwrap().rows, 2_000_000, "that it grows is seen");
    }
}
