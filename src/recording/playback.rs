//! A recording played: its lines in, snapshots out, by the code that made them when they were live.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use super::line::{Evaluated, LifeOf, Line, SCHEMA, Start, State};
use crate::mesh::MeshState;
use crate::mesh::derive::finding::{Finding, Life};
use crate::mesh::derive::{Evaluator, Snapshot};
use crate::model::text::Text;

/// Why a line cannot be played.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Odd {
    #[error("it is of the form \"{0}\", which this version does not know")]
    Form(Text),
    #[error("it does not begin with a full state")]
    NoState,
    #[error("a line does not follow from those before it")]
    DoesNotFollow,
}

/// What is known at one moment of a recording.
#[derive(Debug, Default)]
pub struct Playback {
    start: Option<Start>,
    state: Option<MeshState>,
    lives: HashMap<String, Arc<Life>>,
    evaluator: Evaluator,
    evaluated: Option<Evaluated>,
}

impl Playback {
    /// Takes the next line.
    pub fn take(&mut self, line: Line) -> Result<(), Odd> {
        match line {
            Line::Start(start) if start.schema == SCHEMA => self.start = Some(start),
            Line::Start(start) => return Err(Odd::Form(start.schema.into())),
            Line::State(state) => {
                let State { mesh, lives } = *state;
                self.state = Some(mesh);
                self.lives.clear();
                self.take_lives(lives);
                self.evaluator = Evaluator::default();
            }
            Line::Lives(lives) => self.take_lives(lives),
            Line::Report(report) => self.state_mut()?.apply(report),
            Line::Journal(splice) => {
                let mesh = &mut self.state_mut()?.mesh;
                mesh.journal = splice.of(&mesh.journal).ok_or(Odd::DoesNotFollow)?;
            }
            Line::Events(splice) => {
                let mesh = &mut self.state_mut()?.mesh;
                mesh.events = splice.of(&mesh.events).ok_or(Odd::DoesNotFollow)?;
            }
            Line::Unkept(why) => self.state_mut()?.mesh.unkept = why,
            Line::Evaluated(evaluated) => {
                self.state_mut()?.mesh.rates.advance(evaluated.at_ms);
                self.evaluated = Some(evaluated);
            }
        }
        Ok(())
    }

    /// When the last moment was.
    #[must_use]
    pub fn evaluated(&self) -> Option<Evaluated> {
        self.evaluated
    }

    /// What is recorded, and by what.
    #[must_use]
    pub fn start(&self) -> Option<&Start> {
        self.start.as_ref()
    }

    /// Everything that is known: what a recording that begins here begins with.
    #[must_use]
    pub fn state(&self) -> Option<State> {
        let lives = self.lives.iter().map(|(key, life)| (key.clone(), Some(life.clone()))).collect();
        Some(State { mesh: self.state.clone()?, lives })
    }

    /// The snapshot of the last moment.
    pub fn snapshot(&mut self) -> Result<Snapshot, Odd> {
        let (Some(start), Some(at)) = (&self.start, self.evaluated) else { return Err(Odd::NoState) };
        let state = self.state.as_mut().ok_or(Odd::NoState)?;
        let touched = state.take_touched();
        let mut snapshot = self.evaluator.evaluate(state, &touched, at.at_ms, &start.thresholds, at.interval_ms);
        if !self.lives.is_empty() {
            let with_life = |finding: &Arc<Finding>| match self.lives.get(&finding.identity()) {
                Some(life) if finding.severity >= start.lives_from => {
                    Arc::new(Finding { life: Some(life.clone()), ..(**finding).clone() })
                }
                _ => finding.clone(),
            };
            snapshot.findings = snapshot.findings.iter().map(with_life).collect();
            snapshot.open = Arc::new(OnceLock::new());
        }
        Ok(snapshot)
    }

    fn state_mut(&mut self) -> Result<&mut MeshState, Odd> {
        self.state.as_mut().ok_or(Odd::NoState)
    }

    fn take_lives(&mut self, lives: Vec<LifeOf>) {
        for (key, life) in lives {
            match life {
                Some(life) => drop(self.lives.insert(key, life)),
                None => drop(self.lives.remove(&key)),
            }
        }
    }
}
