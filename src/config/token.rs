//! Secrets: where they come from, read when they are needed, never shown.

use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;
use secrecy::zeroize::Zeroizing;

use super::locate::HostEnv;
use super::{Layers, Origin};
use crate::model::source::Fault;

/// How long a token command may take.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(10);
/// No token is longer than this, in bytes.
const MAX_TOKEN: usize = 64 * 1024;

/// Where a token comes from. It is read anew for each connection, so that a renewed one is picked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Token {
    /// The variable's name.
    Env(String),
    File(PathBuf),
    /// A program and its arguments; its first line of output is the token. Never run through a shell.
    Command(Vec<String>),
}

impl Token {
    /// The place of a token with the highest-ranking origin, by the prefix of its settings; a variable only if it is set.
    #[must_use]
    pub fn of(layers: &Layers, prefix: &str, host: &HostEnv) -> Option<Self> {
        let key = |suffix: &str| format!("{prefix}_{suffix}");
        if let Some(path) = layers.text(&key("file")) {
            return Some(Self::File(host.path(path)));
        }
        let command = &layers.get(&key("command")).texts;
        if !command.is_empty() {
            return Some(Self::Command(command.clone()));
        }
        let name = layers.text(&key("env"))?;
        let asked_for = layers.get(&key("env")).origin != Origin::Default;
        (asked_for || host.env.get(name).is_some_and(|v| !v.is_empty())).then(|| Self::Env(name.to_owned()))
    }

    /// Reads it.
    pub async fn read(&self) -> Result<SecretString, Fault> {
        // Wiped once it was read, like what is made of it.
        let text = Zeroizing::new(match self {
            Self::Env(name) => {
                std::env::var(name).map_err(|_| Fault::setup(format!("{self} is not set"), "set it to the token"))?
            }
            Self::File(path) => tokio::fs::read_to_string(path).await.map_err(|e| {
                Fault::setup(format!("cannot read the token {self}: {e}"), "correct its path or rights")
            })?,
            Self::Command(words) => run(words).await?,
        });
        let token = text.lines().next().unwrap_or_default().trim();
        if token.is_empty() || token.len() > MAX_TOKEN || token.chars().any(char::is_control) {
            return Err(Fault::setup(format!("{self} gives no usable token"), "its first line must be the token"));
        }
        Ok(SecretString::from(token.to_owned()))
    }
}

impl std::fmt::Display for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Env(name) if is_name(name) => write!(f, "${name}"),
            Self::Env(_) => f.write_str("variable, whose name looks like a token itself and is not shown"),
            Self::File(path) if is_path(path) => write!(f, "file {}", path.display()),
            Self::File(_) => f.write_str("file, whose name looks like a token itself and is not shown"),
            Self::Command(words) => write!(f, "command {}", words.first().map_or("", String::as_str)),
        }
    }
}

/// Whether it is a variable's name as people write them, and not the token in its place.
fn is_name(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    let capital = |b: u8| plain(b) && !b.is_ascii_lowercase();
    name.bytes().all(plain) && name.len() <= 20 || name.bytes().all(capital) && name.len() <= 64
}

/// The same of a file's path.
fn is_path(path: &std::path::Path) -> bool {
    let text = path.to_string_lossy();
    text.contains('/') || text.len() <= 32 && !text.starts_with("eyJ")
}

async fn run(words: &[String]) -> Result<String, Fault> {
    let Some((program, arguments)) = words.split_first() else {
        return Err(Fault::setup("token_command is empty", "name a program"));
    };
    let child = tokio::process::Command::new(program)
        .args(arguments)
        .stdin(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .kill_on_drop(true)
        .output();
    let fault = |why: String| Fault::setup(format!("token_command {program}: {why}"), "run it by hand to see");
    match tokio::time::timeout(COMMAND_TIMEOUT, child).await {
        Err(_) => Err(fault(format!("no answer within {} s", COMMAND_TIMEOUT.as_secs()))),
        Ok(Err(e)) => Err(fault(e.to_string())),
        Ok(Ok(out)) if !out.status.success() => Err(fault(format!("ended with {}", out.status))),
        Ok(Ok(out)) => Ok(String::from_utf8_lossy(&out.stdout).into_owned()),
    }
}
