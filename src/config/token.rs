//! Secrets: where they come from, read when they are needed, never shown.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use secrecy::SecretString;
use secrecy::zeroize::Zeroizing;

use super::locate::HostEnv;
use super::{Layers, Origin};
use crate::model::source::Fault;
use crate::os::process::Group;

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
            Self::Command(words) => run(words, COMMAND_TIMEOUT).await?,
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

async fn run(words: &[String], limit: Duration) -> Result<String, Fault> {
    let Some((program, arguments)) = words.split_first() else {
        return Err(Fault::setup("token_command is empty", "name a program"));
    };
    let mut command = tokio::process::Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let fault = |why: String| Fault::setup(format!("token_command {program}: {why}"), "run it by hand to see");
    let (child, group) = Group::start(&mut command).map_err(|e| fault(e.to_string()))?;
    let ended = tokio::time::timeout(limit, child.wait_with_output()).await;
    if ended.is_ok() {
        group.leave();
    }
    match ended {
        Err(_) => Err(fault(format!("no answer within {} s", limit.as_secs()))),
        Ok(Err(e)) => Err(fault(e.to_string())),
        Ok(Ok(out)) if !out.status.success() => Err(fault(format!("ended with {}", out.status))),
        Ok(Ok(out)) => Ok(String::from_utf8_lossy(&out.stdout).into_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_program_that_takes_too_long_ends_with_all_it_started() {
        let folder = tempfile::tempdir().unwrap();
        let fifo = folder.path().join("held");
        rustix::fs::mkfifoat(rustix::fs::CWD, &fifo, rustix::fs::Mode::RWXU).unwrap();
        // Reading the pipe ends when the last process that has it open does.
        let script = format!("(exec 3> '{0}'; sleep 600) & exec 3> '{0}'; sleep 600", fifo.display());
        let reader = tokio::task::spawn_blocking(move || std::fs::read(fifo).map(|bytes| bytes.len()));
        let words = ["sh".to_owned(), "-c".into(), script];
        assert!(run(&words, Duration::from_millis(300)).await.is_err());
        assert_eq!(reader.await.unwrap().unwrap(), 0);
    }
}
