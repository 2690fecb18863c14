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
fn stat(pid: u32) -> Option<(char, u64)> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name before it may hold anything.
    let rest = text.get(text.rfind(')')? + 1..)?;
    let mut words = rest.split_whitespace();
    Some((words.next()?.chars().next()?, words.nth(18)?.parse().ok()?))
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
