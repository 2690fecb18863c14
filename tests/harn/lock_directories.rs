//! Breaking lock directories on a real disk: never two winners, never a lock in force, whoever else is at it.

use crate::support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};

use lockkeeper::action::executor::Resolution;
use lockkeeper::clock::wall_clock;
use lockkeeper::data::harn::act::{Step, break_lock, finish};
use lockkeeper::data::harn::lockdir::{Found, State};
use lockkeeper::data::harn::locks::{guard_of, read};
use lockkeeper::model::LockTable;
use lockkeeper::model::action::LockGuard;
use lockkeeper::model::outcome::{Outcome, OutcomeKind};
use strum::IntoEnumIterator;
use support::Peer;

static COUNT: AtomicU64 = AtomicU64::new(0);

/// Takes a lock as Harn does: a plain mkdir, the record after it. Answers its token and instant, or nothing if it is held.
fn take(path: &Path, ttl_ms: i64) -> Option<(String, i64)> {
    fs::create_dir(path).ok()?;
    let (token, now) = (format!("coord-lock-token-{}", COUNT.fetch_add(1, Ordering::Relaxed)), wall_clock());
    let record = serde_json::json!({
        "schema": "harn.coordination.dir_lock.v1", "token": token, "acquired_at_ms": now, "updated_at_ms": now,
        "expires_at_ms": now + ttl_ms, "ttl_ms": ttl_ms, "owner": {"id": "holder"}, "refs": [],
    });
    // Whoever broke it in between has it; then the record has nowhere to go.
    fs::write(path.join("owner.json"), record.to_string()).ok()?;
    Some((token, now))
}

fn expected((token, acquired): &(String, i64)) -> LockGuard {
    LockGuard {
        table: LockTable::Directory,
        lock_key: "a".into(),
        repository_id: String::new(),
        holder_node: String::new(),
        holder_agent: String::new(),
        fence_token: None,
        acquired_at_ms: Some(*acquired),
        expires_at_ms: None,
        expires_at: None,
        token: Some(token.clone()),
    }
}

fn break_it(path: &Path, lock: &(String, i64), id: &str) -> Outcome {
    break_lock(path, &expected(lock), "op", id, wall_clock, &mut |_| {})
}

/// The token of the lock or guard that stands there.
fn token(path: &Path) -> String {
    read(path).record().and_then(|record| record.token.clone()).unwrap_or_default()
}

fn later() -> i64 {
    wall_clock() + 120_000
}

/// Nothing but the lock may stand there.
fn leftovers(folder: &Path) -> Vec<String> {
    let name = |entry: fs::DirEntry| entry.file_name().to_string_lossy().into_owned();
    let mut all: Vec<String> = fs::read_dir(folder).unwrap().map(|entry| name(entry.unwrap())).collect();
    all.retain(|name| name != "a.lock.d");
    all
}

fn ground() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.lock.d");
    (folder, path)
}

#[test]
fn only_the_very_lock_that_was_seen_is_broken_and_only_past_its_end() {
    let (folder, path) = ground();
    let stale = take(&path, 0).unwrap();
    let other = (stale.0.clone(), stale.1 + 1);
    assert_eq!(break_it(&path, &other, "1").kind, OutcomeKind::Refused, "the instant counts as well as the token");
    assert_eq!(break_it(&path, &stale, "2").kind, OutcomeKind::Done);
    assert!(!path.exists() && leftovers(folder.path()).is_empty());
    assert_eq!(break_it(&path, &stale, "3").kind, OutcomeKind::Refused, "it is gone");
    let active = take(&path, 60_000).unwrap();
    assert_eq!(break_it(&path, &active, "4").kind, OutcomeKind::Refused, "it runs");
    assert_eq!(token(&path), active.0);
    assert_eq!(break_it(&path, &stale, "5").kind, OutcomeKind::Refused, "another holds it");
    assert!(path.exists() && leftovers(folder.path()).is_empty());
}

#[test]
fn a_guard_of_another_keeps_everybody_out_until_it_is_over() {
    let (folder, path) = ground();
    let stale = take(&path, 0).unwrap();
    let guard = guard_of(&path);
    let theirs = take(&guard, 60_000).unwrap();
    assert_eq!(break_it(&path, &stale, "1").kind, OutcomeKind::Refused);
    assert!(path.exists() && token(&guard) == theirs.0, "both stand as they did");
    fs::remove_dir_all(&guard).unwrap();
    take(&guard, 0).unwrap();
    assert_eq!(break_it(&path, &stale, "2").kind, OutcomeKind::Done, "its breaker is gone");
    assert!(leftovers(folder.path()).is_empty());
}

#[test]
fn a_directory_without_a_usable_record_is_broken_once_it_is_old() {
    for record in [None, Some("{\"schema\":\"other\"}"), Some("{")] {
        let (folder, path) = ground();
        fs::create_dir(&path).unwrap();
        if let Some(text) = record {
            fs::write(path.join("owner.json"), text).unwrap();
        }
        let since = fs::metadata(&path).unwrap().modified().unwrap().duration_since(std::time::UNIX_EPOCH).unwrap();
        let guard = LockGuard {
            token: None,
            acquired_at_ms: i64::try_from(since.as_millis()).ok(),
            ..expected(&(String::new(), 0))
        };
        let fresh = break_lock(&path, &guard, "op", "1", wall_clock, &mut |_| {});
        assert_eq!(fresh.kind, OutcomeKind::Refused, "{record:?}: it may be being taken: {}", fresh.summary);
        let old = break_lock(&path, &guard, "op", "2", later, &mut |_| {});
        assert_eq!(old.kind, OutcomeKind::Done, "{record:?}: {}", old.summary);
        assert!(!path.exists() && leftovers(folder.path()).is_empty());
    }
}

/// One that takes the lock at the last moment has it back, untouched.
#[test]
fn a_lock_taken_between_the_look_and_the_move_is_put_back() {
    let (folder, path) = ground();
    let stale = take(&path, 0).unwrap();
    let mut taken = None;
    let outcome = break_lock(&path, &expected(&stale), "op", "1", wall_clock, &mut |step| {
        if step == Step::LookedAgain {
            fs::remove_dir_all(&path).unwrap();
            taken = take(&path, 60_000);
        }
    });
    assert_eq!(outcome.kind, OutcomeKind::Refused, "{}", outcome.summary);
    assert_eq!(token(&path), taken.unwrap().0);
    assert!(leftovers(folder.path()).is_empty());
}

/// Two breakers and a holder that lets go and takes again, all at once.
#[test]
fn of_two_breakers_one_wins_and_a_lock_in_force_stays() {
    let (folder, path) = ground();
    let rounds = 2_000;
    let (mut done, mut refused, mut kept) = (0, 0, 0);
    for round in 0..rounds {
        let _ = fs::remove_dir_all(&path);
        let stale = take(&path, 0).unwrap();
        let (outcomes, taken) = std::thread::scope(|scope| {
            let breakers: Vec<_> = (0..2)
                .map(|n| {
                    let (path, stale) = (&path, &stale);
                    scope.spawn(move || break_it(path, stale, &format!("{round}-{n}")))
                })
                .collect();
            let holder = scope.spawn(|| {
                // As Harn lets go: it reads, then deletes.
                if round % 2 == 0 && read(&path).record().is_some() && token(&path) == stale.0 {
                    let _ = fs::remove_dir_all(&path);
                }
                take(&path, 60_000)
            });
            let outcomes: Vec<Outcome> = breakers.into_iter().map(|b| b.join().unwrap()).collect();
            (outcomes, holder.join().unwrap())
        });
        let wins = outcomes.iter().filter(|o| o.kind == OutcomeKind::Done).count();
        assert!(wins <= 1, "round {round}: {outcomes:?}");
        assert!(outcomes.iter().all(|o| matches!(o.kind, OutcomeKind::Done | OutcomeKind::Refused)), "{outcomes:?}");
        if let Some(taken) = taken {
            assert_eq!(read(&path).record().map(|_| token(&path)), Some(taken.0), "round {round}: {outcomes:?}");
            kept += 1;
        }
        done += wins;
        refused += 2 - wins;
        assert!(leftovers(folder.path()).is_empty(), "round {round}: {:?}", leftovers(folder.path()));
    }
    assert!(done > 0 && refused > 0 && kept > 0, "{done} {refused} {kept}");
}

/// The same across processes.
#[test]
fn of_two_processes_one_wins() {
    let (folder, path) = ground();
    let mut peers: Vec<Peer> = ["one", "two"]
        .iter()
        .map(|id| {
            let mut peer = Peer::start(&["breaker", path.to_str().unwrap(), id]);
            assert_eq!(peer.line(), "ready");
            peer
        })
        .collect();
    let mut wins = 0;
    for round in 0..1_000 {
        let _ = fs::remove_dir_all(&path);
        let stale = take(&path, 0).unwrap();
        let request = format!("{} {}", stale.0, stale.1);
        for peer in &mut peers {
            use std::io::Write as _;
            writeln!(peer.input.as_mut().unwrap(), "{request}").unwrap();
        }
        let taken = take(&path, 60_000);
        let printed: Vec<String> = peers.iter_mut().map(Peer::line).collect();
        let done = printed.iter().filter(|line| line.starts_with("done")).count();
        assert!(done <= 1, "round {round}: {printed:?}");
        wins += done;
        if let Some(taken) = taken {
            assert_eq!(read(&path).record().map(|_| token(&path)), Some(taken.0), "round {round}: {printed:?}");
        }
        assert!(leftovers(folder.path()).is_empty(), "round {round}");
    }
    assert!(wins > 900, "{wins}");
}

/// A breaker ends at each of its steps; whoever comes after it cleans up.
/// D2: ended at any step, it bars nobody for ever.
#[test]
fn a_breaker_that_is_ended_leaves_nothing_that_stays() {
    for step in Step::iter() {
        let (folder, path) = ground();
        let stale = take(&path, 0).unwrap();
        let status = Command::new(support::peer_program())
            .args(["break-and-die", path.to_str().unwrap(), &stale.0, &stale.1.to_string(), &step.to_string()])
            .output()
            .unwrap();
        assert!(!status.status.success(), "{step}");
        // Nobody takes it over while its guard stands. What was made beside it keeps nobody out.
        if guard_of(&path).exists() {
            let at_once = break_it(&path, &stale, "next");
            assert_eq!(at_once.kind, OutcomeKind::Refused, "{step}: {}", at_once.summary);
        }
        // A taker that comes meanwhile is safe from what was left.
        let taken = take(&path, 600_000);
        let wanted = taken.clone().unwrap_or(stale);
        let outcome = break_lock(&path, &expected(&wanted), "op", "later", later, &mut |_| {});
        let kind = if taken.is_some() { OutcomeKind::Refused } else { OutcomeKind::Done };
        assert_eq!(outcome.kind, kind, "{step}: {}", outcome.summary);
        if let Some(taken) = taken {
            assert_eq!(token(&path), taken.0, "{step}");
            assert!(matches!(read(&path), Found::Recorded(_)) && read(&path).state(later()) == State::Active);
            fs::remove_dir_all(&path).unwrap();
            // The next one that breaks something here takes the rest away.
            let stale = take(&path, 0).unwrap();
            let outcome = break_lock(&path, &expected(&stale), "op", "last", later, &mut |_| {});
            assert_eq!(outcome.kind, OutcomeKind::Done, "{step}: {}", outcome.summary);
        }
        assert!(leftovers(folder.path()).is_empty(), "{step}: {:?}", leftovers(folder.path()));
    }
}

/// A breaker ends at each of its steps; the next start of a console puts right what it left.
/// D3: what was left is put right.
#[test]
fn what_an_ended_breaker_left_is_put_right_at_the_next_start() {
    for step in Step::iter() {
        let (folder, path) = ground();
        let stale = take(&path, 0).unwrap();
        let arguments = ["break-and-die", path.to_str().unwrap(), &stale.0, &stale.1.to_string(), &step.to_string()];
        assert!(!Command::new(support::peer_program()).args(arguments).output().unwrap().status.success(), "{step}");
        let resolution = finish(&path, &expected(&stale), "dies");
        let stands = !matches!(step, Step::MovedAside | Step::Deleted | Step::GuardSpent);
        let right = match step {
            Step::MovedAside => matches!(resolution, Resolution::Applied { .. }),
            // It was all done but for the word.
            Step::Deleted | Step::GuardSpent => matches!(resolution, Resolution::Undecidable(_)),
            _ => matches!(resolution, Resolution::NotApplied(_)),
        };
        assert!(right && path.exists() == stands, "{step}: {resolution:?}");
        assert!(leftovers(folder.path()).is_empty(), "{step}: {:?}", leftovers(folder.path()));
    }
}

/// The breaker ended after it had moved another's lock aside.
#[test]
fn anothers_lock_that_was_moved_aside_is_put_back_at_the_next_start() {
    let (folder, path) = ground();
    let stale = take(&path, 0).unwrap();
    fs::remove_dir_all(&path).unwrap();
    let taken = take(&path, 600_000).unwrap();
    let aside =
        folder.path().join(format!("{}.coord-lock-reaper-token-x.broken", path.file_name().unwrap().to_string_lossy()));
    fs::rename(&path, &aside).unwrap();
    assert!(matches!(finish(&path, &expected(&stale), "x"), Resolution::NotApplied(_)));
    assert_eq!(token(&path), taken.0);
    assert!(leftovers(folder.path()).is_empty());
    // It was taken anew meanwhile: then that one counts.
    fs::rename(&path, &aside).unwrap();
    let anew = take(&path, 600_000).unwrap();
    assert!(matches!(finish(&path, &expected(&stale), "x"), Resolution::Undecidable(_)));
    assert_eq!(token(&path), anew.0);
    assert!(leftovers(folder.path()).is_empty());
}
