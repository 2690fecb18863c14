//! A stream of changes, a line each, with a cursor that outlives the process.

pub mod changes;
pub mod follow;
pub mod log;

use std::io::Write;
use std::path::PathBuf;

use self::changes::{Change, Filter, State, changes};
use self::follow::Follower;
use self::log::ChangeLog;
use crate::action::executor::Purpose;
use crate::mesh::derive::Snapshot;
use crate::mesh::derive::sources::SourceHealth;
use crate::model::text::escape_json;
use crate::os::signals::Signals;
use crate::runtime::engine::{News, Record};
use crate::runtime::engines::Engines;
use crate::settings::Settings;

/// What is watched for, and from where on.
pub struct Watch {
    /// Where the log of changes is.
    pub log: PathBuf,
    /// The last line that the reader has.
    pub since: Option<u64>,
    pub filter: Filter,
}

/// Prints changes until a signal ends it, or its reader leaves.
pub async fn run(watch: Watch, meshes: Vec<Settings>) -> anyhow::Result<()> {
    let mut log = ChangeLog::open(&watch.log)?;
    let mut signals = Signals::listen_for_end()?;
    if let Some(since) = watch.since
        && !print(log.since(since)?, &watch.filter, &mut signals).await?
    {
        return Ok(());
    }
    let mut engines = Engines::start(&meshes, Purpose::Watch, &Record::Nothing)?;
    let told = |mesh: &Settings| -> State {
        let of_mesh = log.state.iter().filter(|(thing, _)| thing.mesh == mesh.mesh);
        of_mesh.map(|(thing, value)| (thing.clone(), value.clone())).collect()
    };
    let mut followers: Vec<Follower> = meshes.iter().map(|mesh| Follower::after(told(mesh))).collect();
    loop {
        tokio::select! {
            biased;
            _ = signals.next() => break,
            (mesh, news) = engines.news() => {
                let News::Snapshot(snapshot) = news else { continue };
                let Some(follower) = followers.get_mut(mesh).filter(|_| is_heard(&snapshot)) else { continue };
                let step = follower.step(&snapshot);
                let found = changes(&step.was, &step.is, log.last, snapshot.at_ms);
                if found.is_empty() {
                    continue;
                }
                log.append(&found)?;
                if !print(found, &watch.filter, &mut signals).await? {
                    break;
                }
            }
        }
    }
    engines.stop().await;
    Ok(())
}

/// Whether every source said something: before that, what is not there may only not be known yet.
pub(super) fn is_heard(snapshot: &Snapshot) -> bool {
    snapshot.sources.iter().all(|source| source.health != SourceHealth::Starting)
}

/// Prints what passes; false where nobody reads any more, or a signal came while a reader kept it waiting.
async fn print(changes: Vec<Change>, filter: &Filter, signals: &mut Signals) -> anyhow::Result<bool> {
    let changes = changes.into_iter().filter(|change| filter.passes(change)).collect();
    let printed = tokio::task::spawn_blocking(move || write(changes));
    tokio::select! {
        written = printed => written?,
        _ = signals.next() => Ok(false),
    }
}

fn write(changes: Vec<Change>) -> anyhow::Result<bool> {
    let mut text = String::new();
    for change in changes {
        text.push_str(&escape_json(serde_json::to_string(&change)?));
        text.push('\n');
    }
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe => Ok(false),
        done => {
            done?;
            Ok(true)
        }
    }
}
