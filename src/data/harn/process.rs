//! Whether a process of this machine lives, as Harn itself asks: what cannot be inspected lives.

use rustix::process::{Pid, test_kill_process};

/// Whether the process lives. With its birth, another process under the same id is told from it.
#[must_use]
pub fn is_alive(pid: u32, birth: Option<u64>) -> bool {
    let Some(id) = i32::try_from(pid).ok().filter(|id| *id > 0).and_then(Pid::from_raw) else { return true };
    if test_kill_process(id) == Err(rustix::io::Errno::SRCH) {
        return false;
    }
    match stat(pid) {
        // A process that ended and was not waited for holds nothing.
        Some(('Z' | 'X', _)) => false,
        Some((_, born)) => birth.is_none_or(|birth| birth == born),
        None => true,
    }
}

/// State and birth of a process, in clock ticks since the machine started; nothing where that cannot be read.
#[cfg(target_os = "linux")]
fn stat(pid: u32) -> Option<(char, u64)> {
    let stat = procfs::process::Process::new(i32::try_from(pid).ok()?).ok()?.stat().ok()?;
    Some((stat.state, stat.starttime))
}

/// Elsewhere nothing tells.
#[cfg(not(target_os = "linux"))]
fn stat(_: u32) -> Option<(char, u64)> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_lives_under_its_own_birth() {
        let me = std::process::id();
        assert!(is_alive(me, None));
        if let Some((_, born)) = stat(me) {
            assert!(is_alive(me, Some(born)) && !is_alive(me, Some(born + 1)));
        }
        let mut child = std::process::Command::new("true").spawn().unwrap();
        child.wait().unwrap();
        assert!(!is_alive(child.id(), None));
    }
}
