//! The guard of calls that name no generation: what the files of the realm told, and what the server's log adds to that.

use serde_json::{Value, json};

use super::calls::call;
use crate::data::meerkat::realms::Realms;
use crate::data::meerkat::rpc::Server;
use crate::data::meerkat::shared::MobSeats;
use crate::model::action::{AgentGuard, fence};
use crate::model::outcome::Outcome;
use crate::model::text::{Text, scrub};

/// Events of one answer.
const PAGE: usize = 1_000;
/// Pages that are read at most: a mob that writes more in between cannot be guarded.
const MOST_PAGES: usize = 20;

/// A life of a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Life {
    pub generation: i64,
    pub fence: Option<i64>,
}

/// What the files of the realm told of an agent's mob.
pub fn seen(server: &Server, realms: &Realms, agent: &AgentGuard) -> Result<MobSeats, Outcome> {
    let refuse = |why: String| Err(Outcome::refused(format!("{why}: nothing was sent")));
    let Some(facts) = realms.of(&server.realm, &server.state_root) else {
        return refuse(format!("the server serves realm {}, whose files are not watched", server.realm));
    };
    if server.realm != agent.repository_id.as_str() {
        return refuse(format!("the server serves realm {} now", server.realm));
    }
    match facts.seats.as_ref().and_then(|seats| seats.get(&Text::new(&agent.group))) {
        Some(seats) => Ok(seats.clone()),
        None => refuse(format!("the file of mob {} was not read", scrub(&agent.group))),
    }
}

/// The member as it is now, if it is still in the life that was seen.
pub async fn member_now(server: &mut Server, realms: &Realms, agent: &AgentGuard) -> Result<Value, Outcome> {
    let seats = seen(server, realms, agent)?;
    let now = seats.seats.get(&Text::new(&agent.identity)).map(|(generation, token)| (Some(*generation), *token));
    match now {
        None => return Err(Outcome::refused("it is no member any more: nothing was sent")),
        Some(life) if life != (agent.generation, agent.fence_token) => {
            let generation = life.0.unwrap_or_default();
            return Err(Outcome::refused(format!(
                "it is generation {generation} now, {}: nothing was sent",
                fence(life.1)
            )));
        }
        Some(_) => {}
    }
    let Some(row) = member(server, &agent.group, &agent.identity).await? else {
        return Err(Outcome::refused("the server does not list it: nothing was sent"));
    };
    // Last, so that what may come in between is no more than one round trip.
    match moved_after(server, agent, seats.last).await? {
        Some(event) => Err(Outcome::refused(format!("{event} came meanwhile: nothing was sent"))),
        None => Ok(row),
    }
}

/// The first event of a member's life after a cursor.
async fn moved_after(server: &mut Server, agent: &AgentGuard, cursor: i64) -> Result<Option<String>, Outcome> {
    let mut first = None;
    each_after(server, agent, cursor, |name, _| first = first.take().or_else(|| Some(name.to_owned()))).await?;
    Ok(first)
}

/// The last life of a member that began after a cursor.
pub async fn spawned_after(server: &mut Server, agent: &AgentGuard, cursor: i64) -> Result<Option<Life>, Outcome> {
    let mut last = None;
    each_after(server, agent, cursor, |name, kind| {
        if let ("member_spawned", Some(generation)) = (name, kind["generation"].as_i64()) {
            last = Some(Life { generation, fence: kind["fence_token"].as_i64() });
        }
    })
    .await?;
    Ok(last)
}

/// Calls a function with each event of a member after a cursor. A cursor beyond the log's end is refused: then it is
/// another log.
async fn each_after(
    server: &mut Server,
    agent: &AgentGuard,
    cursor: i64,
    mut each: impl FnMut(&str, &Value),
) -> Result<(), Outcome> {
    let mut after = cursor;
    for _ in 0..MOST_PAGES {
        let params = json!({ "mob_id": agent.group, "after_cursor": after, "limit": PAGE, "strict": true });
        let answer = call(server, "mob/events", params).await.accepted()?;
        let events = answer["events"].as_array().map_or(&[][..], Vec::as_slice);
        for event in events {
            let kind = &event["kind"];
            let name = kind["type"].as_str().unwrap_or_default();
            let of = kind["agent_identity"].as_str().or(kind["member"].as_str());
            if name.starts_with("member_") && of == Some(&agent.identity) {
                each(name, kind);
            }
        }
        match events.last().and_then(|event| event["cursor"].as_i64()).filter(|last| *last > after) {
            Some(last) if events.len() >= PAGE => after = last,
            _ => return Ok(()),
        }
    }
    Err(Outcome::refused("the mob writes faster than its log can be read: nothing was sent"))
}

/// A member's row, as the server lists it.
pub async fn member(server: &mut Server, mob: &str, identity: &str) -> Result<Option<Value>, Outcome> {
    let answer = call(server, "mob/members", json!({ "mob_id": mob })).await.accepted()?;
    let rows = answer["members"].as_array().map_or(&[][..], Vec::as_slice);
    Ok(rows.iter().find(|row| row["agent_identity"] == identity).cloned())
}

/// What the journal keeps of a member's row.
pub fn shown(row: &Value) -> Value {
    json!({ "role": row["role"], "status": row["status"], "wired_to": row["wired_to"] })
}
