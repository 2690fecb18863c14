//! Lock directories as they stand, and as they should not.

use super::*;

const NOW: Millis = 1_795_241_204_000;

fn read(root: &Path, now_ms: Millis) -> Vec<Lock> {
    let mut tree = Tree::new(root.to_owned());
    tree.walk().unwrap();
    rows(&tree, now_ms)
}

fn record(token: &str, acquired: Millis, expires: Millis) -> String {
    serde_json::json!({
        "schema": super::super::lockdir::SCHEMA, "token": token, "acquired_at_ms": acquired, "expires_at_ms": expires,
        "owner": {"id": "lane", "agent": "lane", "session_id": "s-lane"}, "reason": "edit",
    })
    .to_string()
}

fn lock(root: &Path, name: &str, text: Option<&str>) -> PathBuf {
    let path = root.join(name);
    fs::create_dir_all(&path).unwrap();
    if let Some(text) = text {
        fs::write(path.join(RECORD), text).unwrap();
    }
    path
}

#[test]
fn a_lock_is_where_its_directory_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = lock(folder.path(), "src/a.rs.lock.d", Some(&record("t", NOW, NOW + 60_000)));
    let rows = read(folder.path(), NOW);
    let row = &rows[0];
    assert_eq!((row.lock_key.raw(), row.holder_node.raw(), row.holder_agent.raw()), ("src/a.rs", "s-lane", "lane"));
    assert_eq!((row.acquired_at_ms, row.expires_at_ms, row.condition), (Some(NOW), Some(NOW + 60_000), None));
    assert_eq!((row.lease_id.as_ref().unwrap().raw(), row.remark.as_ref().unwrap().raw()), ("t", "edit"));
    assert_eq!(path_of(folder.path(), row.lock_key.raw()), path, "its key leads back to it");
}

#[test]
fn malformed_records_are_said_and_never_read_without_end() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let whole = record("t", NOW, NOW + 1);
    lock(root, "truncated.lock.d", Some(&whole[..whole.len() / 2]));
    lock(root, "other.lock.d", Some(r#"{"schema":"other"}"#));
    lock(root, "empty.lock.d", Some(""));
    let binary = lock(root, "binary.lock.d", None);
    fs::write(binary.join(RECORD), [0u8, 255, 27, 91, 10].repeat(100)).unwrap();
    let large = lock(root, "large.lock.d", None);
    File::create(large.join(RECORD)).unwrap().set_len(100 << 20).unwrap();
    let folder_in_its_place = lock(root, "folder.lock.d", None);
    fs::create_dir(folder_in_its_place.join(RECORD)).unwrap();
    lock(root, "future.lock.d", Some(&record("t", i64::MAX - 1, i64::MAX)));
    lock(root, "past.lock.d", Some(&record("t", i64::MIN, i64::MIN)));
    let rows = read(root, NOW);
    let states: Vec<(String, Option<Condition>)> = rows.iter().map(|l| (l.lock_key.to_string(), l.condition)).collect();
    let malformed = Some(Condition::Malformed);
    let expected = [
        ("binary", malformed),
        ("empty", malformed),
        ("folder", malformed),
        ("future", None),
        // It may be in force for those who read all of it.
        ("large", None),
        ("other", malformed),
        ("past", None),
        ("truncated", malformed),
    ];
    assert_eq!(states, expected.map(|(name, condition)| (name.to_owned(), condition)));
    assert!(rows.iter().all(|l| l.condition.is_none() || l.remark.is_some()));
}

#[test]
fn a_pipe_in_the_place_of_a_record_does_not_hang() {
    let folder = tempfile::tempdir().unwrap();
    let path = lock(folder.path(), "pipe.lock.d", None);
    rustix::fs::mkfifoat(rustix::fs::CWD, path.join(RECORD), rustix::fs::Mode::RWXU).unwrap();
    assert_eq!(read(folder.path(), NOW)[0].condition, Some(Condition::Malformed));
}

#[test]
fn names_with_escapes_are_shown_without_them_and_still_lead_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = lock(folder.path(), "a\n\u{1b}[31m.rs.lock.d", Some(&record("t", NOW, NOW + 1)));
    let rows = read(folder.path(), NOW);
    assert!(!rows[0].lock_key.as_str().chars().any(char::is_control));
    assert_eq!(path_of(folder.path(), rows[0].lock_key.raw()), path);
}

#[test]
fn a_directory_without_a_record_is_being_taken_and_then_nobodys() {
    let folder = tempfile::tempdir().unwrap();
    let path = lock(folder.path(), "a.lock.d", None);
    let since = directory_since(&path).unwrap();
    let fresh = read(folder.path(), since + 1);
    assert_eq!((fresh[0].condition, fresh[0].remark.is_some()), (Some(Condition::Unrecorded), false));
    let old = read(folder.path(), since + TAKING);
    assert_eq!((old[0].condition, old[0].remark.is_some()), (Some(Condition::Unrecorded), true));
}

#[test]
fn a_guard_says_that_a_lock_is_being_broken_until_it_is_left_behind() {
    let folder = tempfile::tempdir().unwrap();
    lock(folder.path(), "a.lock.d", Some(&record("t", NOW, NOW + 1)));
    lock(folder.path(), "a.lock.d.reap.d", Some(&record("g", NOW, NOW + GUARD_TTL)));
    let during = read(folder.path(), NOW + 2);
    assert_eq!(during.len(), 1);
    assert_eq!(during[0].condition, Some(Condition::Breaking));
    let after = read(folder.path(), NOW + GUARD_TTL);
    let names: Vec<&str> = after.iter().map(|l| l.lock_key.raw()).collect();
    assert_eq!(names, ["a", "a.lock.d.reap.d"]);
    assert_eq!(after[0].condition, None);
}
