//! The clock that nobody sets.

/// Milliseconds since some instant, those of sleep included.
#[cfg(target_os = "linux")]
#[must_use]
pub fn elapsed_ms() -> i64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    now.tv_sec.saturating_mul(1_000).saturating_add(now.tv_nsec / 1_000_000)
}

/// The same; whether sleep is included is up to the system.
#[cfg(not(target_os = "linux"))]
#[must_use]
pub fn elapsed_ms() -> i64 {
    static START: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
    i64::try_from(START.get_or_init(std::time::Instant::now).elapsed().as_millis()).unwrap_or(i64::MAX)
}
