//! The clock that nobody sets.

/// Milliseconds since some instant; whether sleep is included is up to the system.
#[must_use]
pub fn elapsed_ms() -> i64 {
    static START: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
    i64::try_from(START.get_or_init(std::time::Instant::now).elapsed().as_millis()).unwrap_or(i64::MAX)
}
