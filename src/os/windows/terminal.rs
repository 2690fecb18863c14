//! The terminal.

/// Columns and rows: left to the terminal library.
#[must_use]
pub fn size() -> Option<(u16, u16)> {
    None
}

/// A window that closes is a signal here.
#[must_use]
pub fn wait_for_hangup() -> bool {
    false
}
