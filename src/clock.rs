//! The one wall clock. Everything that decides takes the instant as an argument instead.

use std::time::SystemTime;

use crate::time::{Millis, millis};

/// Unix time in milliseconds.
#[must_use]
pub fn wall_clock() -> Millis {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    millis(since)
}
