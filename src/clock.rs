//! The one wall clock. Everything that decides takes the instant as an argument instead.

use std::time::SystemTime;

use crate::time::{Millis, millis};

/// How far local time is ahead of UTC at an instant, in milliseconds.
#[must_use]
pub fn local_offset(ms: Millis) -> Millis {
    use chrono::{Local, Offset as _, TimeZone as _};
    let offset = Local.timestamp_millis_opt(ms).single().map(|t| t.offset().fix().local_minus_utc());
    Millis::from(offset.unwrap_or(0)) * 1_000
}

/// Unix time in milliseconds.
#[must_use]
pub fn wall_clock() -> Millis {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    millis(since)
}
