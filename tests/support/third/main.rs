//! The program with a third system: a JSON file of locks. One file of code and one line of the registry.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use lockkeeper::config::keys::{Key, Kind};
use lockkeeper::config::locate::HostEnv;
use lockkeeper::config::{ConfigError, Layers};
use lockkeeper::data::source::{PollContext, Polling, Source};
use lockkeeper::data::system::{Connections, Described, Flag, Places, System};
use lockkeeper::model::action::Abilities;
use lockkeeper::model::observation::{Change, Observation};
use lockkeeper::model::source::{Aspect, Fault};
use lockkeeper::model::{Lock, LockTable};
use lockkeeper::systems::{self, Entry};

struct Third;

impl System for Third {
    fn name(&self) -> &'static str {
        "Third"
    }

    fn kinds(&self) -> &'static [&'static str] {
        &["lock file"]
    }

    fn settings(&self) -> &'static [Key] {
        &[Key { name: "third.file", kind: Kind::Text, default: "", help: "a JSON file of locks" }]
    }

    fn flags(&self) -> &'static [Flag] {
        &[Flag {
            name: "--third",
            value: "FILE",
            help: "A JSON file of locks",
            setting: "third.file",
            place: true,
            not_with: None,
        }]
    }

    fn configured(&self, layers: &Layers, host: &HostEnv) -> Result<Arc<dyn Places>, ConfigError> {
        Ok(Arc::new(LockFile(layers.text("third.file").map(|path| host.path(path)))))
    }

    fn found(&self, _: &Layers, host: &HostEnv) -> (Arc<dyn Places>, Vec<PathBuf>) {
        let usual = host.current_dir.join("locks.json");
        if usual.is_file() {
            (Arc::new(LockFile(Some(usual))), Vec::new())
        } else {
            (Arc::new(LockFile(None)), vec![usual])
        }
    }
}

#[derive(Debug)]
struct LockFile(Option<PathBuf>);

impl Places for LockFile {
    fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    fn list(&self) -> Vec<String> {
        self.0.iter().map(|path| format!("lock file {}", path.display())).collect()
    }

    fn connect(&self, to: &mut Connections) -> anyhow::Result<()> {
        if let Some(path) = &self.0 {
            let place = path.display().to_string();
            let is = Described {
                system: "Third",
                kind: "lock file",
                place: &place,
                read_by: "plain reads",
                provides: &[Aspect::Locks],
                rules: &[],
                why_empty: &[],
                can: Abilities::default(),
                cannot: Some("a lock file is only read".into()),
            };
            to.add("locks", is, Box::new(File(path.clone())), None);
        }
        Ok(())
    }
}

struct File(PathBuf);

impl Source for File {
    fn poll<'a>(&'a mut self, _: &'a PollContext) -> Polling<'a> {
        Box::pin(async {
            let text = tokio::fs::read_to_string(&self.0).await.map_err(|e| Fault::transient(e.to_string()))?;
            let rows: Vec<serde_json::Value> =
                serde_json::from_str(&text).map_err(|e| Fault::transient(e.to_string()))?;
            let word = |row: &serde_json::Value, name: &str| row[name].as_str().unwrap_or_default().into();
            let lock = |row: &serde_json::Value| Lock {
                table: LockTable::Distributed,
                lock_key: word(row, "key"),
                holder_node: word(row, "node"),
                holder_agent: word(row, "agent"),
                fence_token: row["fence"].as_i64(),
                expires_at_ms: row["expires_at_ms"].as_i64(),
                ..Lock::default()
            };
            let locks = rows.iter().map(lock).collect();
            Ok(Observation { changes: vec![Change::Locks(LockTable::Distributed, locks)], ..Observation::default() })
        })
    }
}

static MORE: &[Entry] = &[Entry { system: &Third, demo: None }];

fn main() -> ExitCode {
    systems::add(MORE);
    ExitCode::from(lockkeeper::commands::run::main())
}
