//! Another program: never through a shell, never for long, with an environment that holds no secret of this process, and
//! ended with all that it started.

use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;

use crate::os::process::Group;

/// What a program inherits. Everything else of this process's environment may hold a token.
pub const INHERITED: &[&str] = &[
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "TZ",
    "TMPDIR",
    "DISPLAY",
    "WAYLAND_DISPLAY",
    "XDG_RUNTIME_DIR",
    "DBUS_SESSION_BUS_ADDRESS",
];

/// Why there is no end of a program to tell of.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    #[error("it cannot be started: {0}")]
    NotStarted(std::io::Error),
    #[error("nobody can say how it ended: {0}")]
    Lost(std::io::Error),
    /// What it did until then is not known.
    #[error("it took longer than {0:?} and was ended")]
    TooLong(Duration),
}

/// What a program wrote.
#[derive(Debug, Default)]
pub struct Written {
    pub bytes: Vec<u8>,
    /// It wrote more than that.
    pub is_cut: bool,
}

/// Runs a program with a text on its standard input. Of what it writes to both outputs, so many bytes are kept.
pub async fn run(
    program: &str,
    arguments: &[String],
    input: &[u8],
    most: usize,
    limit: Duration,
) -> Result<(ExitStatus, Written), Failure> {
    let mut command = Command::new(program);
    command.args(arguments).env_clear();
    command.envs(INHERITED.iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
    let output = || if most > 0 { Stdio::piped() } else { Stdio::null() };
    // A group of its own, so that what it starts ends with it; and no terminal to write to.
    command.stdin(Stdio::piped()).stdout(output()).stderr(output());
    // However this ends before the program does: what it started ends with it.
    let (mut child, group) = Group::start(&mut command).map_err(Failure::NotStarted)?;
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let work = async {
        let feed = async {
            if let Some(mut stdin) = stdin {
                // A program that does not read is no failure.
                let _ = stdin.write_all(input).await;
            }
        };
        let ((), out, err) = tokio::join!(feed, keep(stdout, most), keep(stderr, most));
        (child.wait().await, out, err)
    };
    let (status, out, err) = tokio::time::timeout(limit, work).await.map_err(|_| Failure::TooLong(limit))?;
    group.leave();
    let mut written = out;
    written.bytes.extend(err.bytes);
    written.is_cut |= err.is_cut || written.bytes.len() > most;
    written.bytes.truncate(most);
    Ok((status.map_err(Failure::Lost)?, written))
}

/// Reads to the end, and keeps the beginning.
async fn keep(pipe: Option<impl AsyncRead + Unpin>, most: usize) -> Written {
    let mut written = Written::default();
    let Some(mut pipe) = pipe else { return written };
    let mut buffer = vec![0; 8_192];
    while let Ok(n @ 1..) = pipe.read(&mut buffer).await {
        let room = most - written.bytes.len();
        written.is_cut |= n > room;
        written.bytes.extend_from_slice(&buffer[..n.min(room)]);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Vec<String> {
        vec!["-c".into(), script.into()]
    }

    #[tokio::test]
    async fn both_outputs_are_kept_and_bounded() {
        let limit = Duration::from_secs(20);
        let (status, written) = run("sh", &shell("cat; echo err >&2; exit 3"), b"in\n", 100, limit).await.unwrap();
        assert_eq!((status.code(), written.bytes.as_slice(), written.is_cut), (Some(3), &b"in\nerr\n"[..], false));
        let script = "i=0; while [ $i -lt 20000 ]; do echo 0123456789; i=$((i+1)); done";
        let (status, written) = run("sh", &shell(script), b"", 1_000, limit).await.unwrap();
        assert!(status.success() && written.is_cut && written.bytes.len() == 1_000);
    }

    #[tokio::test]
    async fn an_argument_arrives_as_it_is() {
        for name in ["; rm -rf /", "a\nb", "--flag=$(id)", "", "  x  "] {
            let arguments = ["-c".to_owned(), "printf '%s|' \"$@\"".into(), "sh".into(), name.into(), "end".into()];
            let (_, written) = run("sh", &arguments, b"", 1_000, Duration::from_secs(20)).await.unwrap();
            assert_eq!(String::from_utf8(written.bytes).unwrap(), format!("{name}|end|"));
        }
    }
}
