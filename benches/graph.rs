//! What the wait-for graph costs: 10 000 agents, 100 000 edges. `cargo bench --bench graph` prints the figure.

use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use lockkeeper::mesh::derive::graph;
use lockkeeper::mesh::derive::graph::Numbers;
use lockkeeper::mesh::derive::locks::{LockState, LockView};
use lockkeeper::mesh::derive::queues::Waiter;
use lockkeeper::mesh::derive::staleness::Staleness;
use lockkeeper::mesh::slab::SharedSlab;
use lockkeeper::model::{Lock, LockTable};

const AGENTS: usize = 10_000;
const EDGES: usize = 100_000;

/// Locks with queues of ten. Where those who came later wait for those who came before, there is no circle.
fn locks(random: bool) -> SharedSlab<LockView> {
    let mut chance = fastrand::Rng::with_seed(7);
    (0..EDGES / 10)
        .map(|i| {
            let holder = chance.usize(0..AGENTS);
            let waiters = (0..10).map(|_| {
                let behind = if random { 0..AGENTS } else { holder..AGENTS };
                Waiter::inferred(chance.usize(behind).to_string().into(), Some(1), "bench")
            });
            let key = format!("file:src/{i}.rs");
            LockView {
                in_several: false,
                lock: Arc::new(Lock {
                    table: LockTable::Distributed,
                    lock_key: key.into(),
                    repository_id: "r".into(),
                    holder_node: "n".into(),
                    holder_agent: holder.to_string().into(),
                    fence_token: Some(1),
                    acquired_at_ms: Some(0),
                    expires_at_ms: Some(60_000),
                    ..Lock::default()
                }),
                source: "s".into(),
                state: LockState::Held,
                holder_staleness: Staleness::Healthy,
                acquired_ms: Some(0),
                expires_ms: Some(60_000),
                waiters: waiters.collect(),
                left: None,
                fences: None,
                as_of_ms: None,
            }
        })
        .collect()
}

fn graph_of_many(c: &mut Criterion) {
    for (name, random) in [("ordered", false), ("with circles", true)] {
        let locks = locks(random);
        // Numbers are given when a lock is evaluated, not when the graph is made.
        let mut numbers = Numbers::default();
        let lines = (0..).zip(locks.iter()).map(|(place, view)| (place, numbers.line(view))).collect();
        let built = graph::build(&locks, &lines, &mut numbers);
        println!("{} rows, {} deadlocks", built.rows().len(), built.deadlocks.len());
        c.bench_function(&format!("graph 10k agents 100k edges, {name}"), |b| {
            b.iter_with_large_drop(|| graph::build(&locks, &lines, &mut numbers));
        });
    }
}

criterion_group!(benches, graph_of_many);
criterion_main!(benches);
