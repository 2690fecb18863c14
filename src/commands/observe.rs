//! One look at a mesh: every source is polled once, at the same time.

use std::mem::ManuallyDrop;
use std::sync::Arc;

use futures::future::join_all;

use crate::action::executor::WriteAccess;
use crate::action::run::Operator;
use crate::action::run::history::History;
use crate::action::run::journal::{JournalFile, made_at};
use crate::clock::{steady_clock, wall_clock};
use crate::data::poller::attempt;
use crate::data::source::{PollContext, Source};
use crate::data::store::Store;
use crate::mesh::MeshState;
use crate::mesh::alarm::Alarms;
use crate::mesh::derive::{Evaluator, Snapshot};
use crate::model::report::Report;
use crate::model::report::State;
use crate::model::source::Identity;
use crate::model::text::Text;
use crate::model::time::millis;
use crate::model::whose::Whose;
use crate::settings::Settings;

/// Rounds through the inboxes of context agents that an action waits for at most.
const ROUNDS: usize = 64;

/// Polls every source of every mesh once. The process ends soon after: the kernel takes memory back faster than it can be
/// given back piece by piece.
pub async fn observe_all(meshes: &[Settings]) -> anyhow::Result<ManuallyDrop<Vec<Snapshot>>> {
    let snapshots: anyhow::Result<Vec<_>> = join_all(meshes.iter().map(observe)).await.into_iter().collect();
    snapshots.map(ManuallyDrop::new)
}

/// Polls everything once, and what depends on it once more (inboxes of agents that became context).
pub async fn observe(settings: &Settings) -> anyhow::Result<Snapshot> {
    let sources = settings.connect(None)?;
    let (identities, mut list): (Vec<_>, Vec<_>) = sources.sources.into_iter().unzip();
    let mut alarms = Alarms::new(Whose::of(&settings.mesh, identities.iter()), settings.alarms.rules);
    let mut snapshot = poll_mesh(settings, identities, &mut list, 1).await?;
    // What a dashboard wrote of the findings is context here too; nothing is written.
    for event in History::new(settings.events.clone()).read_others().unwrap_or_default() {
        alarms.adopt(&event);
    }
    snapshot.findings = snapshot.findings.iter().map(|finding| alarms.with_life(finding)).collect();
    snapshot.open = Arc::default();
    Ok(match &settings.repo {
        Some(repository) => snapshot.only(repository, None),
        None => snapshot,
    })
}

/// What an action is planned and carried out with: a whole snapshot, who acts, and the folder that copies live in.
pub struct Prepared {
    pub snapshot: Snapshot,
    /// Nothing where this process only watches.
    pub operator: Option<Operator>,
    pub store: Option<Store>,
}

/// The same with every inbox. With the right to write there is somebody who acts.
pub async fn prepare(settings: &Settings, access: Option<WriteAccess>) -> anyhow::Result<Prepared> {
    let sources = settings.connect(access)?;
    let (identities, mut list): (Vec<_>, Vec<_>) = sources.sources.into_iter().unzip();
    let operator = access.map(|access| {
        let journal = JournalFile::new(settings.journal.clone());
        let (name, mesh) = (settings.operator_name(), settings.mesh.clone());
        Operator::new(sources.executors, &identities, journal, access, name, mesh, wall_clock)
    });
    let snapshot = poll_mesh(settings, identities, &mut list, ROUNDS).await?;
    Ok(Prepared { snapshot, operator, store: sources.store })
}

async fn poll_mesh(
    settings: &Settings,
    identities: Vec<Identity>,
    list: &mut [Box<dyn Source>],
    rounds: usize,
) -> anyhow::Result<Snapshot> {
    // These are not given back either.
    let mut watch = ManuallyDrop::new(MeshState::new(Text::new(&settings.mesh), identities, settings.window));
    let mut evaluator = ManuallyDrop::new(Evaluator::default());
    if let Ok((entries, _)) = JournalFile::new(settings.journal.clone()).entries() {
        watch.mesh.journal = made_at(entries, &watch.mesh.sources).into();
    }
    poll_all(&mut watch, list, &PollContext::default(), settings).await;
    let interval_ms = millis(settings.interval);
    let mut evaluate = |watch: &mut MeshState| {
        let touched = watch.take_touched();
        evaluator.evaluate(watch, &touched, steady_clock(), &settings.thresholds, interval_ms)
    };
    let mut snapshot = evaluate(&mut watch);
    let agents_a_poll = settings.agents_a_poll();
    if agents_a_poll == 0 {
        return Ok(snapshot);
    }
    // Inboxes are asked in turn, and new agents may turn up in them.
    let mut done = 0;
    while done < rounds.min(snapshot.to_ask().len().div_ceil(agents_a_poll)) {
        let context = PollContext { agents: snapshot.to_ask(), shown: snapshot.waiting_in_databases() };
        poll_all(&mut watch, list, &context, settings).await;
        snapshot = evaluate(&mut watch);
        done += 1;
    }
    Ok(snapshot)
}

async fn poll_all(watch: &mut MeshState, list: &mut [Box<dyn Source>], context: &PollContext, settings: &Settings) {
    let polls = list.iter_mut().map(|source| attempt(source.as_mut(), context, settings.timeout));
    for (source, outcome) in join_all(polls).await.into_iter().enumerate() {
        let at_ms = steady_clock();
        watch.apply(match outcome {
            Ok(observation) => Report::Observed { source, at_ms, observation: Box::new(observation) },
            Err(fault) => {
                Report::Failed { source, at_ms, fault, state: State::BackingOff { failures: 1 }, retry_at_ms: at_ms }
            }
        });
    }
}
