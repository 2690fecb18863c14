//! Actions on a real server: while others write the same rows, while it ends, and while it stands still.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use lockkeeper::action::executor::{Executor, Purpose, WriteAccess};
use lockkeeper::action::plan::{Intent, Policy, plan};
use lockkeeper::action::run::journal::JournalFile;
use lockkeeper::action::run::{Operator, Stop};
use lockkeeper::clock::wall_clock;
use lockkeeper::data::source::{PollContext, Source};
use lockkeeper::data::tls::Tls;
use lockkeeper::data::vox::act;
use lockkeeper::data::vox::act::database::DatabaseExecutor;
use lockkeeper::data::vox::act::target::WriteTarget;
use lockkeeper::data::vox::db::VoxDb;
use lockkeeper::data::vox::hrana::Client;
use lockkeeper::mesh::derive::{Snapshot, Thresholds, derive};
use lockkeeper::mesh::{MeshState, facts};
use lockkeeper::model::action::{Action, Mode};
use lockkeeper::model::outcome::OutcomeKind;
use lockkeeper::model::report::Report;
use lockkeeper::model::source::Identity;
use lockkeeper::model::text::Text;
use lockkeeper::model::time::{MINUTE, Millis};

use crate::sqld::Sqld;

/// How long the console waits for an answer.
const PATIENCE: Duration = Duration::from_millis(1_500);

fn later() -> Millis {
    wall_clock() + 5 * MINUTE
}

fn identity(server: &Sqld) -> Identity {
    Identity {
        system: "Vox",
        name: "db".into(),
        kind: "database",
        place: server.url().into(),
        how: "queries or a replica",
        provides: &[],
        rules: &[],
        why_empty: &[],
        can: act::DATABASE,
        cannot: None,
    }
}

fn operator(server: &Sqld, journal: &Path, clock: fn() -> Millis) -> Operator {
    let access = WriteAccess::decide(Purpose::Act, false).unwrap();
    let client = Client::new(&server.address(), Tls::default(), 4 << 20).for_writing();
    let target = WriteTarget::Remote { client, token: None, timeout: PATIENCE };
    let executors: Vec<(Text, Box<dyn Executor>)> =
        vec![("db".into(), Box::new(DatabaseExecutor::new(target, clock, access)))];
    let journal = JournalFile::new(journal.to_owned());
    Operator::new(executors, &[identity(server)], journal, access, "ada".into(), "m".into(), clock)
}

/// What a console sees now.
async fn snapshot(server: &Sqld, source: &mut VoxDb, journal: &Path) -> Snapshot {
    let observation = Box::new(source.poll(&PollContext::default()).await.unwrap());
    let mut watch = MeshState::new("m".into(), vec![identity(server)], facts::WINDOW);
    watch.apply(Report::Observed { source: 0, at_ms: wall_clock(), observation });
    watch.mesh.journal = JournalFile::new(journal.to_owned()).entries().unwrap().0.into();
    derive(&watch, wall_clock(), &Thresholds::default(), 1_000)
}

/// Everything that can be asked of a database, one after the other.
fn intent(n: usize, snapshot: &Snapshot) -> Intent {
    let locks: Vec<String> =
        snapshot.holds().filter(|view| view.lock.lock_key == *"file:b.rs").map(|view| view.key()).collect();
    let messages: Vec<String> =
        snapshot.messages.iter().filter(|view| view.message.sender_agent == *"9").map(|view| view.key()).collect();
    let release = |mode, notify_holder| Intent::Release {
        locks: locks.clone(),
        mode: Some(mode),
        notify_holder,
        notify_next: false,
    };
    match n % 7 {
        0 => release(Mode::FenceOff, false),
        1 => Intent::Restore { locks },
        2 => release(Mode::Expire, true),
        3 => Intent::Reroute { messages, to: Some(["1", "2"][n / 7 % 2].into()) },
        4 => Intent::Unclaim { messages },
        5 => release(Mode::Delete, false),
        _ => Intent::Acknowledge { messages },
    }
}

/// An agent that renews, takes and claims without a pause.
async fn agent(server: &Sqld, stop: &AtomicBool) {
    let mut n = 0;
    while !stop.load(Ordering::Relaxed) {
        n += 1;
        let sql = match n % 4 {
            0 => "UPDATE distributed_locks SET fence_token = fence_token + 1, expires_at = datetime('now', '+1 hour') WHERE lock_key = 'file:b.rs' AND holder_node = 'forge'".to_owned(),
            1 => "INSERT OR IGNORE INTO distributed_locks VALUES ('file:b.rs', 'forge', '1', 4, datetime('now'), datetime('now', '+1 hour'), 'r')".to_owned(),
            2 => "UPDATE a2a_messages SET claim_owner = 'forge:1', claim_until_ms = coalesce(claim_until_ms, 0) + 7 WHERE id = 1".to_owned(),
            _ => format!("INSERT OR IGNORE INTO a2a_messages (message_uuid, sender_agent, receiver_agent, msg_type, payload, repository_id) VALUES ('u{}', '9', '1', 'plan_handoff', '{{}}', 'r')", n / 40),
        };
        server.execute(&sql, "").await;
        tokio::task::yield_now().await;
    }
}

/// Entries of the op-log, and locks of the name that all is about, read in one moment.
async fn entries_and_locks(server: &Sqld) -> (usize, usize) {
    let locks = "SELECT count(*) FROM distributed_locks WHERE lock_key = 'file:b.rs'";
    let rows = server.ask(&format!("SELECT (SELECT count(*) FROM agent_oplog), ({locks})")).await;
    let count = |at: usize| rows[0][at]["value"].as_str().and_then(|n| n.parse().ok()).expect("a count");
    (count(0), count(1))
}

/// A1, A2: what is called done was done under the guard that was previewed, and has its entry; all else was refused.
#[tokio::test]
async fn each_action_is_done_or_refused_while_others_write() {
    let Some(server) = crate::mesh(&[]).await else { return };
    let journal = server.folder.path().join("journal.jsonl");
    let mut console = operator(&server, &journal, wall_clock);
    let (stop, mut source) = (AtomicBool::new(false), server.remote(None));
    let work = async {
        let (mut done, mut refused) = (0, 0);
        for n in 0..70 {
            let seen = snapshot(&server, &mut source, &journal).await;
            let Ok(plan) = plan(&intent(n, &seen), &seen, &Policy::default()) else { continue };
            for (step, outcome) in plan.steps.iter().zip(console.run(&plan, "", &Stop::default(), |_| {}).await) {
                match outcome.kind {
                    OutcomeKind::Done => {
                        assert!(outcome.audited, "{step:?}: {outcome:?}");
                        if let (Action::Release { lock, .. }, Some(before)) = (&step.action, &outcome.before) {
                            assert_eq!(before["fence_token"].as_i64(), lock.fence_token, "{outcome:?}");
                        }
                        done += 1;
                    }
                    OutcomeKind::Refused | OutcomeKind::Already | OutcomeKind::Skipped => refused += 1,
                    kind => panic!("{kind}: {step:?}: {outcome:?}"),
                }
            }
        }
        stop.store(true, Ordering::Relaxed);
        (done, refused)
    };
    let ((done, refused), ()) = tokio::join!(work, agent(&server, &stop));
    assert!(done > 0 && refused > 0, "{done} were done and {refused} refused: nothing was tried");
    assert_eq!(entries_and_locks(&server).await.0, done);
}

/// A1, A3, B3: a server that ends or stands still in the middle leaves nothing that is called what it is not, and once it
/// is back everything is settled.
#[tokio::test]
async fn a_server_that_ends_or_stands_still_is_survived() {
    let Some(server) = crate::mesh(&[]).await else { return };
    let (mut server, journal) = (server, tempfile::tempdir().unwrap());
    let journal = journal.path().join("journal.jsonl");
    for n in 0..6u64 {
        let add = format!(
            "INSERT OR REPLACE INTO distributed_locks VALUES ('file:b.rs', 'forge', '1', {n}, datetime('now'), datetime('now', '+1 hour'), 'r')"
        );
        server.execute(&add, "").await;
        let mut console = operator(&server, &journal, wall_clock);
        let seen = snapshot(&server, &mut server.remote(None), &journal).await;
        let plan = plan(&intent(5, &seen), &seen, &Policy::default()).unwrap();
        let (before, _) = entries_and_locks(&server).await;
        let (stands_still, at) = (n % 2 == 0, Duration::from_micros(n * 400));
        let stop = Stop::default();
        let run = console.run(&plan, "", &stop, |_| {});
        let fault = async {
            // Somewhere in the middle: whenever it strikes, what is printed must be so.
            tokio::time::sleep(at).await;
            if stands_still {
                server.signal(rustix::process::Signal::STOP);
            } else {
                server.signal(rustix::process::Signal::KILL);
            }
        };
        let (outcomes, ()) = tokio::join!(run, fault);
        let kind = outcomes[0].kind;
        assert!(matches!(kind, OutcomeKind::Done | OutcomeKind::Unknown | OutcomeKind::Failed), "{outcomes:?}");
        if stands_still {
            server.signal(rustix::process::Signal::CONT);
        } else {
            server.kill();
            server.run("db");
        }
        let recovered = operator(&server, &journal, later).recover().await;
        assert_eq!(recovered.open, 0, "{kind}: {recovered:?}");
        // A request that was held up may arrive only now: with its entry, or not at all.
        let (entries, locks) = entries_and_locks(&server).await;
        assert_eq!(entries - before, 1 - locks, "{kind}");
        let gone = locks == 0;
        match kind {
            OutcomeKind::Done => assert!(gone, "{outcomes:?}"),
            OutcomeKind::Failed => assert!(!gone, "{outcomes:?}"),
            _ => {}
        }
    }
}
