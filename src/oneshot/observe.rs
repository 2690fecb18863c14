//! One look at a mesh: every source is polled once, at the same time.

use std::sync::Arc;

use futures::future::join_all;

use crate::clock::wall_clock;
use crate::config::Settings;
use crate::data::derive::{Picture, derive};
use crate::data::mesh::Mesh;
use crate::data::poller::breaker::State;
use crate::data::poller::{Report, attempt};
use crate::data::source::{Known, Source};
use crate::data::systems::assemble;
use crate::text::Text;
use crate::time::millis;

/// Polls everything once, and what depends on it once more (inboxes of agents that became known).
pub async fn observe(settings: &Settings) -> anyhow::Result<Picture> {
    let sources = assemble(settings)?;
    let (identities, mut list): (Vec<_>, Vec<_>) = sources.list.into_iter().unzip();
    let mut mesh = Mesh::new(Text::new(&settings.mesh), identities);
    mesh = poll_all(mesh, &mut list, &Known::default(), settings).await;
    let interval_ms = millis(settings.interval);
    let judge = |mesh: Mesh| derive(Arc::new(mesh), wall_clock(), &settings.thresholds, interval_ms, None);
    let picture = judge(mesh.clone());
    let known = Known { agents: picture.agents() };
    if settings.controls.is_empty() || known.agents.is_empty() {
        return Ok(picture);
    }
    Ok(judge(poll_all(mesh, &mut list, &known, settings).await))
}

async fn poll_all(mut mesh: Mesh, list: &mut [Box<dyn Source>], known: &Known, settings: &Settings) -> Mesh {
    let polls = list.iter_mut().map(|source| attempt(source.as_mut(), known, settings.timeout));
    for (source, outcome) in join_all(polls).await.into_iter().enumerate() {
        let at_ms = wall_clock();
        mesh = mesh.apply(match outcome {
            Ok(observation) => Report::Observed { source, at_ms, observation: Box::new(observation) },
            Err(fault) => {
                Report::Failed { source, at_ms, fault, state: State::BackingOff { failures: 1 }, retry_at_ms: at_ms }
            }
        });
    }
    mesh
}
