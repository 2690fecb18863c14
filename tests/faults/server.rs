//! Servers that break: a remote database, a control plane. Both break in the same ways.

use std::fs;
use std::path::PathBuf;

use rustix::process::Signal;

use crate::support::screen::Screen;
use crate::support::{self, Peer};
use crate::{QUICK, Row, old, schema};

const TOKEN: &str = "s3cret-of-the-faults";

/// What is served.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Database,
    Plane,
}

/// A console over a server in a process of its own.
pub struct Far {
    kind: Kind,
    folder: tempfile::TempDir,
    peer: Peer,
    url: String,
    screen: Screen,
}

impl Kind {
    fn area(self) -> &'static str {
        if self == Self::Database { "remote database" } else { "control plane" }
    }

    fn serve(self, database: &str, port: &str) -> Peer {
        match self {
            Self::Database => Peer::start(&["hrana", database, TOKEN, port]),
            Self::Plane => Peer::start(&["plane", TOKEN, port]),
        }
    }
}

impl Far {
    pub async fn new(kind: Kind) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = support::database(folder.path(), &schema()).await;
        let mut peer = kind.serve(database.to_str().unwrap(), "0");
        let url = peer.line();
        let file = folder.path().join("token");
        fs::write(&file, TOKEN).unwrap();
        let place = if kind == Kind::Database { "--db" } else { "--control" };
        let limits = [
            ("LOCKKEEPER_LIMITS_REMOTE_ANSWER_BYTES", "1000000"),
            ("LOCKKEEPER_LIMITS_CONTROL_ANSWER_BYTES", "1000000"),
        ];
        let env = [QUICK, &limits].concat();
        let screen = Screen::start(200, 40, &[place, &url, "--token-file", file.to_str().unwrap()], &env);
        screen.wait_text("2 healthy");
        Self { kind, folder, peer, url, screen }
    }

    fn database(&self) -> PathBuf {
        self.folder.path().join("fixture.db")
    }

    fn is_old(&self, printed: &str) -> String {
        let seen = old(&self.screen, printed);
        assert!(self.screen.text().contains("alpha"), "{printed}: what was known stays");
        seen
    }

    fn comes_back(mut self, fault: &'static str, seen: String) -> Row {
        self.screen.wait_for("it is live again", |text| text.contains("● live") && text.contains("all is well"));
        self.screen.press("\x03");
        self.screen.wait_end();
        assert!(!self.screen.raw().contains("s3cret"), "{fault}");
        Row { area: self.kind.area(), fault, expected: "old, and why; live again by itself", seen }
    }

    /// The server does something odd for a while.
    pub fn odd(mut self, manners: &str, fault: &'static str, printed: &str) -> Row {
        self.peer.send(manners);
        let seen = self.is_old(printed);
        self.peer.send("ok");
        self.comes_back(fault, seen)
    }

    /// Its process ends, and another takes its place.
    pub fn killed(mut self) -> Row {
        self.peer.kill();
        let seen = self.is_old("cannot reach");
        let port = self.url.rsplit(':').next().unwrap().to_owned();
        self.peer = self.kind.serve(self.database().to_str().unwrap(), &port);
        assert_eq!(self.peer.line(), self.url);
        self.comes_back("its process killed, then started again", seen)
    }

    /// The connection stands and nothing comes: what a half-open one looks like from here.
    pub fn stopped(self) -> Row {
        self.peer.signal(Signal::STOP);
        let seen = self.is_old("no answer within 1 s");
        self.peer.signal(Signal::CONT);
        self.comes_back("its process stopped, connections left open", seen)
    }

    /// The token is another one, and then stands in the file that is read.
    pub fn renamed_token(mut self) -> Row {
        self.peer.send("token s3cret-of-today");
        let seen = self.is_old("401");
        fs::write(self.folder.path().join("token"), "s3cret-of-today").unwrap();
        self.comes_back("another token is asked for, then written into the token file", seen)
    }
}
