//! Whether a process of this machine lives, as Harn itself asks: what cannot be inspected lives.

use crate::os::process::{has_ended, state_and_birth};

/// Whether the process lives. With its birth, another process under the same id is told from it.
#[must_use]
pub fn is_alive(pid: u32, birth: Option<u64>) -> bool {
    if has_ended(pid) {
        return false;
    }
    match state_and_birth(pid) {
        // A process that ended and was not waited for holds nothing.
        Some(('Z' | 'X', _)) => false,
        Some((_, born)) => birth.is_none_or(|birth| birth == born),
        None => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_lives_under_its_own_birth() {
        let me = std::process::id();
        assert!(is_alive(me, None));
        if let Some((_, born)) = state_and_birth(me) {
            assert!(is_alive(me, Some(born)) && !is_alive(me, Some(born + 1)));
        }
        let mut child = std::process::Command::new("true").spawn().unwrap();
        child.wait().unwrap();
        assert!(!is_alive(child.id(), None));
    }
}
