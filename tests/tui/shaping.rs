//! The operator shapes the screen: columns, saved views, themes, and a configuration that changes while it runs.

use crate::support;

use std::path::Path;

use support::screen::{Screen, find};

const TITLES: &str = "HOLDER";

/// A place with a database, a configuration, and a state of its own.
struct Desk {
    folder: tempfile::TempDir,
    database: String,
}

impl Desk {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let sql = format!(
            "{} INSERT INTO mesh_heartbeats VALUES ('here', '4', unixepoch() * 1000 + 3600000, 'idle', 'r');
            INSERT INTO distributed_locks VALUES
                ('file:a.rs', 'here', '4', 41, datetime('now'), datetime('now', '+1 hour'), 'r'),
                ('file:b.rs', 'here', '4', 7, datetime('now'), datetime('now', '+1 hour'), 'r');",
            lockkeeper::demo::vox::write::SCHEMA
        );
        let database = support::database(folder.path(), &sql).await.to_str().unwrap().to_owned();
        Self { folder, database }
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap_or(Path::new("."))).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn open(&self) -> Screen {
        let (journal, config) = (self.path("state/journal.jsonl"), self.path("config.toml"));
        let env = [("LOCKKEEPER_JOURNAL", journal.as_str()), ("COLORTERM", "truecolor")];
        Screen::start(120, 30, &["--db", &self.database, "--config", &config], &env)
    }
}

fn leave(mut screen: Screen) {
    screen.press("\x03");
    assert_eq!(screen.wait_end(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn columns_and_saved_views_outlive_the_program() {
    let desk = Desk::new().await;
    desk.write("config.toml", "[columns]\nlocks = [\"lock\", \"state\", \"holder\"]\n");
    let mut screen = desk.open();
    find(&mut screen, "3", "a.rs", "file:a.rs");
    let text = screen.wait_text(TITLES);
    assert!(!text.contains("FENCE"), "{text}");
    screen.press("C");
    screen.wait_text("Enter closes");
    // The first hidden one is shown.
    screen.press("jjj ");
    screen.wait_for("one more", |text| text.lines().any(|line| line.contains(TITLES) && line.contains("AGENT")));
    screen.press("\rVsmine\r");
    screen.wait_text("F2  mine");
    screen.press("q");
    screen.wait_for("the list is closed", |text| !text.contains("F2  mine"));
    leave(screen);
    let mut again = desk.open();
    again.wait_text("1 Overview");
    again.press("\x1bOQ");
    let text = again.wait_for("the saved view", |text| text.contains("filter: a.rs") && text.contains("file:a.rs"));
    assert!(text.contains("AGENT") && !text.contains("FENCE"), "{text}");
    again.press("Cr\r\x1b");
    again.wait_for("as it was configured", |text| text.contains("file:b.rs") && !text.contains("AGENT"));
    leave(again);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_configuration_is_taken_and_a_wrong_one_keeps_the_old() {
    let desk = Desk::new().await;
    desk.write("config.toml", "interval = \"2s\"\n");
    let mut screen = desk.open();
    screen.wait_text("every 2s");
    desk.write("themes/mine.toml", include_str!("../../src/app/themes/paper.toml"));
    desk.write("config.toml", "interval = \"700ms\"\ntheme = \"mine\"\n[keys]\nrelease = [\"f12\"]\n");
    screen.wait_text("every 700ms");
    // The ground of the theme: fdf6e3.
    screen.wait_bytes("48;2;253;246;227");
    desk.write("config.toml", "interval = \"300ms\"\ntheme = \"pink\"\n");
    screen.wait_text("not used: config.toml:2: there is no theme \"pink\"");
    assert!(!screen.text().contains("every 300ms"));
    // What decides how things are judged opens the mesh anew; the view stays.
    screen.press("3");
    screen.wait_text("file:a.rs");
    desk.write("config.toml", "interval = \"700ms\"\ntheme = \"mine\"\nread_only = true\n");
    screen.wait_text("read again");
    screen.wait_text("file:a.rs");
    screen.press("x");
    screen.wait_text("this console is read-only");
    leave(screen);
}

#[tokio::test(flavor = "multi_thread")]
async fn themes_are_listed_and_a_wrong_name_says_which_there_are() {
    let desk = Desk::new().await;
    desk.write("config.toml", "");
    desk.write("themes/mine.toml", include_str!("../../src/app/themes/dusk.toml"));
    desk.write("themes/torn.toml", "text =");
    let run = |arguments: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_lockkeeper"));
        command.args(arguments).args(["--config", &desk.path("config.toml")]).output().unwrap()
    };
    let listed = String::from_utf8(run(&["themes"]).stdout).unwrap();
    assert!(listed.contains("dark\n") && listed.contains("mine\n") && listed.contains("torn.toml: line 1"), "{listed}");
    let wrong = run(&["snapshot", "--theme", "pink", "--db", &desk.database]);
    let why = String::from_utf8(wrong.stderr).unwrap();
    assert_eq!(wrong.status.code(), Some(2));
    assert!(
        why.contains("--theme: there is no theme \"pink\"; write one of auto, dark") && why.contains("mine"),
        "{why}"
    );
}

/// A name of a lock is one argument, whatever it looks like; what was run is in the journal, what it wrote is not.
#[tokio::test(flavor = "multi_thread")]
async fn a_command_of_ones_own_gets_the_name_as_one_argument() {
    let desk = Desk::new().await;
    let hostile = "; touch pwned\n--flag $(id)";
    let database = libsql::Builder::new_local(&desk.database).build().await.unwrap();
    let sql = "UPDATE distributed_locks SET lock_key = ?1 WHERE lock_key = 'file:a.rs'";
    database.connect().unwrap().execute(sql, [hostile]).await.unwrap();
    drop(database);
    let seen = desk.path("seen");
    desk.write(
        "config.toml",
        &format!(
            "[[command]]\nkey = \"f10\"\ntitle = \"count\"\nviews = [\"locks\"]\nharmless = true\n\
            argv = [\"sh\", \"-c\", 'printf \"%s\" \"$1\" > \"$2\"; echo \"$# arguments, secret-in-output\"', \"sh\", \"{{lock_key}}\", \"{seen}\"]\n\
            [[command]]\nkey = \"f11\"\ntitle = \"break\"\nviews = [\"locks\"]\ndangerous = true\noutput = \"notice\"\n\
            argv = [\"sh\", \"-c\", \"exit 3\"]\n\
            [[command]]\nkey = \"f12\"\ntitle = \"hang\"\ntimeout = \"300ms\"\nconfirm = false\nargv = [\"sleep\", \"600\"]\n"
        ),
    );
    let mut screen = desk.open();
    find(&mut screen, "3", "touch", "touch pwned");
    screen.press("\x1b[21~");
    screen.wait_for("what it wrote", |text| text.contains("2 arguments") && text.contains("✓ count: exit status: 0"));
    assert_eq!(std::fs::read_to_string(&seen).unwrap(), hostile);
    screen.press("q\x1b");
    find(&mut screen, "3", "b.rs", "file:b.rs");
    screen.press("\x1b[23~");
    screen.wait_text("type file:b.rs to run it:");
    screen.press("nonsense\r");
    screen.wait_text("nothing was run");
    screen.press("\x15file:b.rs\r");
    screen.wait_text("✖ break: exit status: 3");
    screen.press("\x1b[24~");
    screen.wait_text("it took longer than 300ms and was ended");
    screen.press("q9");
    let journal = screen.wait_for("all of them in the journal", |text| {
        ["run count", "run break", "run hang"].iter().all(|run| text.contains(run))
    });
    assert!(journal.contains("? unknown") && journal.contains("✓ done") && journal.contains("failed"), "{journal}");
    leave(screen);
    let written = std::fs::read_to_string(desk.path("state/journal.jsonl")).unwrap();
    assert!(written.contains("touch pwned") && !written.contains("2 arguments"), "{written}");
    assert!(!desk.folder.path().join("pwned").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_only_console_runs_harmless_commands_and_writes_nothing_down() {
    let desk = Desk::new().await;
    desk.write(
        "config.toml",
        "read_only = true\n\
        [[command]]\nkey = \"f10\"\ntitle = \"look\"\nharmless = true\noutput = \"notice\"\nargv = [\"echo\", \"seen\", \"{mesh}\"]\n\
        [[command]]\nkey = \"f11\"\ntitle = \"change\"\nargv = [\"false\"]\n",
    );
    let mut screen = desk.open();
    find(&mut screen, "3", "a.rs", "file:a.rs");
    screen.press("\x1b[21~");
    screen.wait_text("✓ look: exit status: 0  seen mesh");
    screen.press("\x1b[23~");
    screen.wait_text("not marked harmless");
    leave(screen);
    assert!(!desk.folder.path().join("state/journal.jsonl").exists());
}

/// Nothing is configured and nothing is found: the first screen leads to a place, or to the demo.
#[tokio::test(flavor = "multi_thread")]
async fn a_first_screen_says_what_was_looked_for_and_leads_on() {
    let desk = Desk::new().await;
    let home = desk.path("home");
    std::fs::create_dir(&home).unwrap();
    let open = || Screen::start_in(Path::new(&home), 100, 30, &[], &[("HOME", &home)]);
    let mut screen = open();
    let text = screen.wait_text("It looked for:");
    assert!(text.contains(&format!("{home}/.local/share")) && text.contains("see the demo"), "{text}");
    screen.press("2");
    screen.wait_text("What is there to watch?");
    screen.press("\r");
    screen.wait_text("Enter watches it");
    screen.press(&desk.database);
    screen.press("\r");
    screen.wait_text("1 Over");
    find(&mut screen, "3", "a.rs", "file:a.rs");
    leave(screen);
    let mut demo = open();
    demo.wait_text("It looked for:");
    demo.press("1");
    demo.wait_text("(simulated, 8x)");
    leave(demo);
    let mut left = open();
    left.wait_text("It looked for:");
    left.press("q");
    assert_eq!(left.wait_end(), 0);
}

#[test]
fn the_demo_leads_a_newcomer_once() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().to_str().unwrap();
    let hint = "nothing of yours is touched";
    let open = || Screen::start(120, 30, &["demo"], &[("XDG_STATE_HOME", state)]);
    let mut screen = open();
    screen.wait_text(hint);
    screen.press("H");
    screen.wait_for("it is closed", |text| !text.contains(hint) && !text.contains("H closes"));
    leave(screen);
    let again = open();
    again.wait_for("the mesh", |text| text.contains("12 healthy") && !text.contains("H closes"));
    leave(again);
}

/// Anything is found by its name from anywhere, and there is a way back.
#[tokio::test(flavor = "multi_thread")]
async fn a_thing_is_found_by_its_name_and_one_finds_back() {
    let desk = Desk::new().await;
    desk.write("config.toml", "");
    let mut screen = desk.open();
    screen.wait_text("1 Overview");
    screen.press("2");
    screen.wait_text(" 1 row");
    screen.press("\x10b.rs");
    screen.wait_for("the lock among what is found", |text| text.contains("lock") && text.contains("file:b.rs"));
    screen.press("\r");
    screen.wait_for("its details", |text| text.contains("lock file:b.rs") && text.contains("fence token"));
    screen.press("b");
    screen.wait_for("where it began", |text| text.contains(" 1 row") && !text.contains("fence token"));
    screen.press("n");
    screen.wait_for("forward again", |text| text.contains("file:b.rs"));
    screen.press("\x10zzzz");
    screen.wait_text("nothing");
    screen.press("\x1b");
    leave(screen);
}
