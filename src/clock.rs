//! The clocks. Everything that decides takes the instant as an argument instead.
//!
//! Ages are counted on a clock that nobody sets: it starts as the wall clock does, and goes on evenly from there, also
//! while the machine sleeps. What others write and read is on the wall clock.

use std::sync::OnceLock;
use std::time::SystemTime;

use crate::model::time::{Millis, millis};
use crate::os::time::elapsed_ms;

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

/// Milliseconds on a clock that starts at the wall clock's time, and is never set.
#[must_use]
pub fn steady_clock() -> Millis {
    static START: OnceLock<(Millis, Millis)> = OnceLock::new();
    let (wall, at) = START.get_or_init(|| (wall_clock(), elapsed_ms()));
    wall.saturating_add(elapsed_ms().saturating_sub(*at))
}

/// How far the wall clock is ahead of the steady one: it was set since the start.
#[must_use]
pub fn set_ahead() -> Millis {
    let steady = steady_clock();
    wall_clock().saturating_sub(steady)
}
