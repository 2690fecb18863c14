//! The one wall clock. Everything that decides takes the instant as an argument instead.

use std::time::SystemTime;

use crate::time::Millis;

/// Unix time in milliseconds.
#[must_use]
pub fn wall_clock() -> Millis {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Millis::try_from(since.as_millis()).unwrap_or(Millis::MAX)
}
