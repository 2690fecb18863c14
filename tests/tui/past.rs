//! From an incident back to its begin, to now again, and into a file that another console opens.

use crate::support;

use support::screen::{Screen, find};

#[test]
fn an_incident_is_gone_back_to_and_cut_into_a_file_that_a_colleague_opens() {
    let folder = tempfile::tempdir().unwrap();
    let temporary = folder.path().to_str().unwrap();
    let mut screen = Screen::start(120, 40, &["demo", "--speed", "14"], &[("TMPDIR", temporary)]);
    // A node dies, and its lock is orphaned.
    find(&mut screen, "3", "scheduler/queue state:orphaned", "src/scheduler/queue.rs");
    screen.press("\x1b");
    screen.wait_for("no filter", |text| !text.contains("filter: "));
    // Back to before anything was marked: the same lock was held by one that lived.
    screen.press("(");
    screen.wait_text(" PAST ");
    let mut text = screen.wait_text("N now");
    let deadline = support::Deadline::new();
    while !text.contains("nothing is marked before this") {
        deadline.check("the first mark");
        let before = text;
        screen.press("(");
        text = screen.wait_for("another moment", |text| *text != before);
    }
    find(&mut screen, "3", "scheduler/queue", "src/scheduler/queue.rs");
    let then = screen.wait_for("who held it then", |text| {
        text.lines().any(|line| line.contains("src/scheduler/queue.rs") && !line.contains("orphaned"))
    });
    assert!(then.contains(" PAST "), "{then}");
    // Nothing is done there.
    screen.press("x");
    screen.wait_text("nothing can be done at");
    screen.press("D");
    let changed = screen.wait_text("What changed from");
    assert!(changed.contains("findings:"), "{changed}");
    screen.press("\x1b");
    screen.wait_for("the page is closed", |text| !text.contains("What changed from"));
    screen.press("N");
    let now = screen.wait_for("now", |text| !text.contains(" PAST "));
    assert!(!now.contains("N now"), "{now}");
    // The ring is cut into a file, without names.
    let demo = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path());
    let demo = demo.into_iter().find(|path| path.join("recordings").is_dir()).expect("recordings of the demo");
    let ring = std::fs::read_dir(demo.join("recordings")).unwrap().next().unwrap().unwrap().path();
    let file = folder.path().join("incident.lkr");
    let (ring, file) = (ring.to_str().unwrap(), file.to_str().unwrap());
    let cut = support::run(&["record", "cut", ring, "-o", file, "--redact"]);
    assert!(cut.status.success(), "{cut:?}");
    screen.press("q");
    assert_eq!(screen.wait_end(), 0);
    let verified = support::run(&["record", "verify", file]);
    assert!(verified.status.success(), "{verified:?}");
    let exported = support::run(&["record", "export", file]);
    let exported = String::from_utf8_lossy(&exported.stdout);
    assert!(exported.lines().count() > 3, "{exported}");
    assert!(!exported.contains("scheduler") && !exported.contains("loom"));
    let mut colleague = Screen::start(120, 40, &["replay", file, "--speed", "0"], &[]);
    let text = colleague.wait_text(" RECORDING ");
    assert!(text.contains("before its end"), "{text}");
    colleague.press(")");
    colleague.wait_for("a mark", |text| text.contains("raised: text"));
    colleague.press("N");
    colleague.wait_text("0s before its end");
    colleague.press("x");
    colleague.wait_text("nothing can be done at");
    colleague.press("q");
    assert_eq!(colleague.wait_end(), 0);
}
