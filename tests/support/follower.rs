//! A source that is followed, to be compared with one that reads everything afresh.

use lockkeeper::clock::wall_clock;
use lockkeeper::data::source::{PollContext, Source};
use lockkeeper::data::vox::backend::Backend;
use lockkeeper::data::vox::db::VoxDb;
use lockkeeper::data::vox::queries::Limits;
use lockkeeper::mesh::MeshState;
use lockkeeper::model::observation::Cost;
use lockkeeper::model::report::Report;
use lockkeeper::model::source::Identity;

fn identity() -> Identity {
    let can = lockkeeper::model::action::Abilities { kinds: &[], records: false };
    Identity {
        system: "Vox",
        name: "db".into(),
        kind: "database",
        place: "".into(),
        how: "",
        provides: &[],
        rules: &[],
        why_empty: &[],
        can,
        cannot: None,
    }
}

/// A source, and everything it told so far.
pub struct Follower {
    pub source: VoxDb,
    pub watch: MeshState,
    /// What the last poll cost.
    pub cost: Cost,
}

impl Follower {
    pub fn new(backend: Backend) -> Self {
        let source = VoxDb::new(backend, Limits::default(), wall_clock);
        Self { source, watch: MeshState::new("m".into(), vec![identity()], 100_000), cost: Cost::default() }
    }

    pub async fn poll(&mut self) {
        let observation = self.source.poll(&PollContext::default()).await.expect("an answer");
        self.cost = observation.cost;
        self.watch.apply(Report::Observed { source: 0, at_ms: wall_clock(), observation: Box::new(observation) });
    }

    /// Everything that is known to be there, in order.
    pub fn known(&self) -> Vec<String> {
        let tables = &self.watch.tables[0];
        let mut all: Vec<String> = tables.heartbeats.iter().map(|row| format!("{row:?}")).collect();
        all.extend(tables.locks.iter().flat_map(|table| table.iter()).map(|row| format!("{row:?}")));
        all.extend(tables.messages.iter().filter(|m| !m.acknowledged).map(|row| format!("{row:?}")));
        all.sort();
        all
    }
}

/// Rows that only one of two has.
pub fn differ(known: &[String], there: &[String]) -> (Vec<String>, Vec<String>) {
    let only = |a: &[String], b: &[String]| a.iter().filter(|row| !b.contains(row)).cloned().collect::<Vec<_>>();
    if known == there { Default::default() } else { (only(known, there), only(there, known)) }
}
