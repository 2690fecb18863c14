//! Single calls to a server, and what their answers mean for an action.

use std::time::Duration;

use serde_json::{Value, json};

use crate::data::meerkat::rpc::{Refused, Server};
use crate::model::action::TaskGuard;
use crate::model::outcome::Outcome;
use crate::model::text::{Text, scrub};

/// How often a state is looked at that is waited for.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// What became of a call.
pub enum Called {
    Answered(Value),
    Refused(Refused),
    /// It was sent, and no answer came: why.
    Lost(String),
}

impl Called {
    /// The answer; what else came is how the action ended.
    pub fn accepted(self) -> Result<Value, Outcome> {
        match self {
            Self::Answered(answer) => Ok(answer),
            Self::Refused(error) => Err(refused(&error)),
            Self::Lost(why) => Err(Outcome::unknown(why)),
        }
    }
}

/// A typed refusal is one of the server's guards; every other error is just one.
fn refused(error: &Refused) -> Outcome {
    match error.code {
        -32_027 => Outcome::refused("its log begins anew: it is another mob than the one that was seen"),
        -32_028 => Outcome::refused(format!("it is another generation by now: {}", error.message)),
        -32_601 => Outcome::refused("this release has no such call"),
        _ if error.kind.as_ref().is_some_and(|kind| *kind == *"session_served_elsewhere") => {
            Outcome::refused("another process serves it: connect that one")
        }
        code => Outcome::failed(format!("the server answered error {code}: {}", error.message)),
    }
}

/// Makes one call.
pub async fn call(server: &mut Server, method: &'static str, params: Value) -> Called {
    match server.client.call_within(&[(method, params)], server.patience).await {
        Ok(mut answers) => match answers.pop().flatten() {
            Some(Ok(answer)) => Called::Answered(answer),
            Some(Err(error)) => Called::Refused(error),
            None => Called::Lost(format!("{method} was not answered within {} s", server.patience.as_secs_f32())),
        },
        Err(fault) => Called::Lost(format!("{method} was sent, and its answer was lost: {fault}")),
    }
}

/// Looks at a state that is waited for, until a deadline.
pub struct Looks {
    ticks: tokio::time::Interval,
    deadline: tokio::time::Instant,
}

impl Looks {
    /// Looks for a span.
    #[must_use]
    pub fn within(span: Duration) -> Self {
        Self { ticks: tokio::time::interval(LOOK_EVERY), deadline: tokio::time::Instant::now() + span }
    }

    /// Waits until it is time to look again; there is no more looking after the deadline.
    pub async fn next(&mut self) -> bool {
        self.ticks.tick().await <= self.deadline
    }
}

/// The status of a flow's run; nothing where there is no such run.
pub async fn flow_status(server: &mut Server, task: &TaskGuard) -> Result<Option<String>, Outcome> {
    let params = json!({ "mob_id": task.group, "run_id": task.id });
    let answer = call(server, "mob/flow_status", params).await.accepted()?;
    Ok(answer["run"]["status"].as_str().map(|status| Text::bounded(status, 40).to_string()))
}

/// The status of a mob.
pub async fn mob_status(server: &mut Server, mob: &str) -> Result<String, Outcome> {
    let answer = call(server, "mob/status", json!({ "mob_id": mob })).await.accepted()?;
    Ok(scrub(&Text::bounded(answer["status"].as_str().unwrap_or("unknown"), 40).to_string()).into_owned())
}
