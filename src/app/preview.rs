//! The preview of a plan: what would run, whether it still holds, and what it takes to run it.

use tui_input::Input;

use crate::action::plan::{Confirm, Intent, Interrupt, Plan, Policy, Refusal, plan};
use crate::mesh::derive::Snapshot;
use crate::model::action::Mode;
use crate::model::outcome::{Outcome, OutcomeKind};
use crate::model::time::Millis;

/// After the plan changed under the operator's eyes, a key that was meant for the old one is not taken, in ms.
const GRACE: Millis = 600;

/// A plan before it runs.
#[derive(Debug, Clone)]
pub struct Preview {
    /// Where it would run.
    pub mesh: usize,
    pub intent: Intent,
    /// As it was last shown. What runs is this.
    pub plan: Plan,
    pub standing: Standing,
    pub reason: String,
    pub typing: Option<Typing>,
    pub offset: usize,
    /// Rows on screen, and rows of the plan, as last drawn.
    pub height: usize,
    pub rows: usize,
    changed_ms: Millis,
}

/// How a preview stands to the mesh as it is now.
#[derive(Debug, Clone, PartialEq)]
pub enum Standing {
    Holds,
    /// The same in the same hands, but renewed: a sign of life.
    Renewed,
    /// Another plan would be made now.
    Changed(Box<Plan>),
    /// No plan would be made now.
    Void(Refusal),
}

/// What is being typed.
#[derive(Debug, Clone)]
pub enum Typing {
    Reason(Input),
    /// The name that confirms it.
    Name(Input),
}

impl Preview {
    /// A preview of what an intent means in a mesh now.
    pub fn of(mesh: usize, intent: Intent, snapshot: &Snapshot, policy: &Policy, now: Millis) -> Result<Self, Refusal> {
        let plan = plan(&intent, snapshot, policy)?;
        Ok(Self {
            mesh,
            intent,
            plan,
            standing: Standing::Holds,
            reason: String::new(),
            typing: None,
            offset: 0,
            height: 1,
            rows: 0,
            changed_ms: now - GRACE,
        })
    }

    /// Compares with the mesh as it is now.
    pub fn recheck(&mut self, snapshot: &Snapshot, policy: &Policy, now: Millis) {
        match plan(&self.intent, snapshot, policy) {
            Ok(fresh) if fresh.does_the_same(&self.plan) => {
                self.plan = fresh;
                if !matches!(self.standing, Standing::Renewed) {
                    self.standing = Standing::Holds;
                }
            }
            Ok(fresh) if fresh.is_renewed_by(&self.plan) => {
                self.adopt(fresh, now);
                self.standing = Standing::Renewed;
            }
            Ok(fresh) => self.standing = Standing::Changed(Box::new(fresh)),
            Err(refusal) => self.standing = Standing::Void(refusal),
        }
    }

    /// Shows another plan; what was typed to confirm the old one is void.
    fn adopt(&mut self, plan: Plan, now: Millis) {
        self.plan = plan;
        self.changed_ms = now;
        if matches!(self.typing, Some(Typing::Name(_))) {
            self.typing = None;
        }
    }

    /// Takes the plan that would be made now.
    pub fn take_change(&mut self, now: Millis) {
        if let Standing::Changed(fresh) = &self.standing {
            let fresh = (**fresh).clone();
            self.adopt(fresh, now);
            self.standing = Standing::Holds;
        }
    }

    /// Plans anew with another intent, e.g. another mode.
    pub fn intend(&mut self, intent: Intent, snapshot: &Snapshot, policy: &Policy, now: Millis) {
        match plan(&intent, snapshot, policy) {
            Ok(plan) => {
                self.intent = intent;
                self.adopt(plan, now - GRACE);
                self.standing = Standing::Holds;
            }
            Err(refusal) => self.standing = Standing::Void(refusal),
        }
    }

    /// Whether it may be run by a key pressed now.
    #[must_use]
    pub fn may_run(&self, now: Millis) -> bool {
        !self.plan.steps.is_empty()
            && matches!(self.standing, Standing::Holds | Standing::Renewed)
            && now - self.changed_ms >= GRACE
    }

    /// The name to type, where it takes one.
    #[must_use]
    pub fn name_to_type(&self) -> Option<&str> {
        match &self.plan.confirm {
            Confirm::Key => None,
            Confirm::Typed(name) => Some(name.as_str()),
        }
    }

    /// The intent with the next mode, where it has modes.
    #[must_use]
    pub fn with_next_mode(&self) -> Option<Intent> {
        use strum::IntoEnumIterator;
        if let Intent::StopRuns { how, .. } = &self.intent {
            let all: Vec<Interrupt> = Interrupt::iter().collect();
            let now = all.iter().position(|one| one == how).unwrap_or(0);
            let mut intent = self.intent.clone();
            if let Intent::StopRuns { how, .. } = &mut intent {
                *how = all[(now + 1) % all.len()];
            }
            return Some(intent);
        }
        let Intent::Release { .. } = &self.intent else { return None };
        let modes: Vec<Mode> = Mode::iter().collect();
        let now = modes.iter().position(|m| Some(*m) == self.plan.mode).unwrap_or(0);
        let mut intent = self.intent.clone();
        if let Intent::Release { mode, .. } = &mut intent {
            *mode = Some(modes[(now + 1) % modes.len()]);
        }
        Some(intent)
    }

    /// The intent with an option turned round, where it has that option.
    #[must_use]
    pub fn with_option(&self, option: char) -> Option<Intent> {
        let mut intent = self.intent.clone();
        let Intent::Release { notify_holder, notify_next, .. } = &mut intent else { return None };
        match option {
            'h' => *notify_holder = !*notify_holder,
            _ => *notify_next = !*notify_next,
        }
        Some(intent)
    }
}

/// A plan that runs, or ran.
#[derive(Debug, Clone, PartialEq)]
pub struct Running {
    /// Where it runs.
    pub mesh: usize,
    pub plan: Plan,
    pub steps: Vec<StepState>,
    pub stopping: bool,
    pub finished: bool,
}

/// How far a step is.
#[derive(Debug, Clone, PartialEq)]
pub enum StepState {
    Waiting,
    Working,
    Ended(Outcome),
}

impl Running {
    /// A plan about to run.
    #[must_use]
    pub fn begin(mesh: usize, plan: Plan) -> Self {
        let steps = vec![StepState::Waiting; plan.steps.len()];
        Self { mesh, plan, steps, stopping: false, finished: false }
    }

    /// Steps that ended, and steps that ended in a way.
    #[must_use]
    pub fn ended(&self) -> usize {
        self.steps.iter().filter(|step| matches!(step, StepState::Ended(_))).count()
    }

    /// How many steps ended so.
    #[must_use]
    pub fn count(&self, kind: OutcomeKind) -> usize {
        self.steps.iter().filter(|s| matches!(s, StepState::Ended(o) if o.kind == kind)).count()
    }

    /// The whole in a sentence, once it is over.
    #[must_use]
    pub fn summary(&self) -> String {
        let n = self.steps.len();
        let done = self.count(OutcomeKind::Done) + self.count(OutcomeKind::Already);
        if done == n {
            return format!("{}: done", self.plan.title);
        }
        let mut parts = vec![format!("{done} of {n} done")];
        for kind in [
            OutcomeKind::Refused,
            OutcomeKind::ReadOnly,
            OutcomeKind::Failed,
            OutcomeKind::Unknown,
            OutcomeKind::Skipped,
        ] {
            let k = self.count(kind);
            if k > 0 {
                parts.push(format!("{k} {kind}"));
            }
        }
        format!("{}: {}", self.plan.title, parts.join(", "))
    }
}
