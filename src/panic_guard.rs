//! Panics of a library that are expected: they become an answer, and are not told as if something broke.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

thread_local! {
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

/// Runs what may panic. Answers nothing if it did.
pub fn quietly<T>(work: impl FnOnce() -> T) -> Option<T> {
    let before = QUIET.replace(true);
    let outcome = catch_unwind(AssertUnwindSafe(work));
    QUIET.set(before);
    outcome.ok()
}

/// Whether a panic on this thread is expected now.
#[must_use]
pub fn expected() -> bool {
    QUIET.get()
}

/// From here on expected panics are not told; all others are, as before.
pub fn install() {
    let previous = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if !expected() {
            previous(info);
        }
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_panics_is_no_answer() {
        assert_eq!(quietly(|| 3), Some(3));
        let bytes = vec![0xff];
        assert_eq!(quietly(|| std::str::from_utf8(&bytes).map(str::len).expect("text")), None);
        assert!(!expected());
    }
}
