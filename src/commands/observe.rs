//! One look at a mesh: every source is polled once, at the same time.

use futures::future::join_all;

use crate::action::hand::WriteAccess;
use crate::action::run::Operator;
use crate::action::run::history::History;
use crate::action::run::journal::{JournalFile, made_at};
use crate::clock::{steady_clock, wall_clock};
use crate::data::poller::attempt;
use crate::data::source::{Known, Source};
use crate::data::store::Store;
use crate::mesh::Watch;
use crate::mesh::alarm::Alarms;
use crate::mesh::derive::{Picture, derive};
use crate::model::report::Report;
use crate::model::report::State;
use crate::model::source::Identity;
use crate::model::text::Text;
use crate::model::time::millis;
use crate::model::whose::Whose;
use crate::settings::Settings;

/// Rounds through the inboxes of known agents that an action waits for at most.
const ROUNDS: usize = 64;

/// Polls every source of every mesh once.
pub async fn observe_all(meshes: &[Settings]) -> anyhow::Result<Vec<Picture>> {
    join_all(meshes.iter().map(observe)).await.into_iter().collect()
}

/// Polls everything once, and what depends on it once more (inboxes of agents that became known).
pub async fn observe(settings: &Settings) -> anyhow::Result<Picture> {
    let sources = settings.connect(None)?;
    let (identities, mut list): (Vec<_>, Vec<_>) = sources.sources.into_iter().unzip();
    let mut alarms = Alarms::new(Whose::of(&settings.mesh, identities.iter()), settings.alarms.rules);
    let mut picture = look(settings, identities, &mut list, 1).await?;
    // What a dashboard wrote of the findings is known here too; nothing is written.
    for event in History::new(settings.events.clone()).look().unwrap_or_default() {
        alarms.adopt(&event);
    }
    picture.findings = picture.findings.iter().map(|finding| alarms.dress(finding)).collect();
    Ok(match &settings.repo {
        Some(repository) => picture.only(repository, None),
        None => picture,
    })
}

/// What an action is planned and carried out with: a whole picture, who acts, and the folder that copies live in.
pub struct Prepared {
    pub picture: Picture,
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
        Operator::new(sources.hands, &identities, journal, access, name, mesh, wall_clock)
    });
    let picture = look(settings, identities, &mut list, ROUNDS).await?;
    Ok(Prepared { picture, operator, store: sources.store })
}

async fn look(
    settings: &Settings,
    identities: Vec<Identity>,
    list: &mut [Box<dyn Source>],
    rounds: usize,
) -> anyhow::Result<Picture> {
    let mut watch = Watch::new(Text::new(&settings.mesh), identities, settings.window);
    if let Ok((entries, _)) = JournalFile::new(settings.journal.clone()).entries() {
        watch.mesh.journal = made_at(entries, &watch.mesh.sources).into();
    }
    poll_all(&mut watch, list, &Known::default(), settings).await;
    let interval_ms = millis(settings.interval);
    let judge = |watch: &Watch| derive(watch, steady_clock(), &settings.thresholds, interval_ms);
    let mut picture = judge(&watch);
    let agents_a_poll = settings.agents_a_poll();
    if agents_a_poll == 0 {
        return Ok(picture);
    }
    // Inboxes are asked in turn, and new agents may turn up in them.
    let mut done = 0;
    while done < rounds.min(picture.to_ask().len().div_ceil(agents_a_poll)) {
        let known = Known { agents: picture.to_ask() };
        poll_all(&mut watch, list, &known, settings).await;
        picture = judge(&watch);
        done += 1;
    }
    Ok(picture)
}

async fn poll_all(watch: &mut Watch, list: &mut [Box<dyn Source>], known: &Known, settings: &Settings) {
    let polls = list.iter_mut().map(|source| attempt(source.as_mut(), known, settings.timeout));
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
