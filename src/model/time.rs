//! Instants and durations as the console shows and reads them. No clock is read here.

use std::time::Duration;

use chrono::{DateTime, NaiveDate, NaiveDateTime};

/// Unix time or a duration, in milliseconds.
pub type Millis = i64;

/// One second, in milliseconds.
pub const SECOND: Millis = 1_000;
/// One minute, in milliseconds.
pub const MINUTE: Millis = 60 * SECOND;

/// The latest instant taken at its word (year 9999). Beyond it a value is "unknown".
const LATEST: Millis = 253_402_300_799_999;

/// The same, as long as any.
pub const LONGEST: Millis = LATEST;

/// A duration in whole milliseconds.
#[must_use]
pub fn millis(duration: Duration) -> Millis {
    Millis::try_from(duration.as_millis()).unwrap_or(Millis::MAX)
}

/// Whether a Unix-millisecond value can be an instant at all: from 1970 on, and before year 10 000.
#[must_use]
pub fn plausible(ms: Millis) -> bool {
    (0..=LATEST).contains(&ms)
}

/// A duration in at most two units: `0s`, `42s`, `3m10s`, `2h05m`, `4d03h`. Negative ones carry a minus.
#[must_use]
pub fn short(ms: Millis) -> String {
    let sign = if ms <= -SECOND { "-" } else { "" };
    let s = ms.unsigned_abs() / 1_000;
    match s {
        0..60 => format!("{sign}{s}s"),
        60..3_600 => format!("{sign}{}m{:02}s", s / 60, s % 60),
        3_600..86_400 => format!("{sign}{}h{:02}m", s / 3_600, s % 3_600 / 60),
        _ => format!("{sign}{}d{:02}h", s / 86_400, s % 86_400 / 3_600),
    }
}

/// A duration below a second in milliseconds (`42 ms`), otherwise [`short`].
#[must_use]
pub fn latency(ms: f64) -> String {
    if ms < 10.0 {
        format!("{ms:.1} ms")
    } else if ms < 1_000.0 {
        format!("{ms:.0} ms")
    } else {
        #[allow(clippy::cast_possible_truncation, reason = "a latency of centuries is not met")]
        short(ms as Millis)
    }
}

/// The second that an instant is in; its `Display` is `2026-11-21 05:08:45`.
fn second(ms: Millis) -> Option<NaiveDateTime> {
    DateTime::from_timestamp(ms.div_euclid(SECOND), 0).map(|t| t.naive_utc())
}

/// `2026-11-21 05:08:45Z`, or `unknown`.
#[must_use]
pub fn utc(ms: Millis) -> String {
    dated(ms, 0)
}

/// `05:08:45` on a clock that is so many milliseconds ahead of UTC; its zone stands elsewhere ([`zone_name`]).
#[must_use]
pub fn clock_face(ms: Millis, offset: Millis) -> String {
    match second(ms.saturating_add(offset)) {
        Some(t) if plausible(ms) => t.time().to_string(),
        _ => "--:--:--".into(),
    }
}

/// `UTC`, or `UTC+02:00`.
#[must_use]
pub fn zone_name(offset: Millis) -> String {
    let minutes = offset.abs() / MINUTE;
    match offset {
        0 => "UTC".into(),
        _ => format!("UTC{}{:02}:{:02}", if offset < 0 { '-' } else { '+' }, minutes / 60, minutes % 60),
    }
}

/// `05:08:45Z`, or `07:08:45+02:00` where the clock is ahead of UTC.
#[must_use]
pub fn clock(ms: Millis, offset: Millis) -> String {
    format!("{}{}", clock_face(ms, offset), suffix(offset))
}

/// `2026-11-21 05:08:45Z`, or `2026-11-21 07:08:45+02:00` where the clock is ahead of UTC; `unknown` where it is none.
#[must_use]
pub fn dated(ms: Millis, offset: Millis) -> String {
    match second(ms.saturating_add(offset)) {
        Some(t) if plausible(ms) => format!("{t}{}", suffix(offset)),
        _ => "unknown".into(),
    }
}

/// What stands behind a clock face.
fn suffix(offset: Millis) -> String {
    if offset == 0 { "Z".into() } else { zone_name(offset)[3..].to_owned() }
}

/// An instant as `SQLite`'s `datetime()` writes it, in whole seconds.
#[must_use]
pub fn sqlite(ms: Millis) -> String {
    second(ms).map(|t| t.to_string()).unwrap_or_default()
}

/// Whether a text is an instant exactly as [`sqlite`] writes it.
#[must_use]
pub fn is_sqlite(text: &str) -> bool {
    parse_exact(text).is_some_and(plausible)
}

/// Reads what `SQLite`'s `datetime()` writes (UTC, whole or fractional seconds, blank or `T` between).
#[must_use]
pub fn parse_sqlite(text: &str) -> Option<Millis> {
    let read = || {
        let text = text.trim().trim_end_matches('Z');
        ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M"]
            .iter()
            .find_map(|format| NaiveDateTime::parse_from_str(text, format).ok())
            .map(|t| t.and_utc().timestamp_millis())
    };
    parse_exact(text).or_else(read).filter(|&ms| plausible(ms))
}

/// Reads what [`sqlite`] writes, and nothing else. Nearly every instant is written so, and a format takes twenty times as
/// long to follow.
fn parse_exact(text: &str) -> Option<Millis> {
    let digits: &[u8; 19] = text.as_bytes().try_into().ok()?;
    let shape = |(byte, shape): (&u8, &u8)| if *shape == b'0' { byte.is_ascii_digit() } else { byte == shape };
    if !digits.iter().zip(b"0000-00-00 00:00:00").all(shape) {
        return None;
    }
    let number = |from: usize, to: usize| digits[from..to].iter().fold(0, |n, digit| n * 10 + u32::from(digit - b'0'));
    let day = NaiveDate::from_ymd_opt(number(0, 4).cast_signed(), number(5, 7), number(8, 10))?;
    let instant = day.and_hms_opt(number(11, 13), number(14, 16), number(17, 19))?;
    Some(instant.and_utc().timestamp_millis())
}

/// A count in at most four characters and a unit: `999`, `12k`, `3.4M`.
#[must_use]
#[allow(clippy::cast_precision_loss, reason = "two digits are shown")]
pub fn count(n: u64) -> String {
    match n {
        0..10_000 => n.to_string(),
        10_000..1_000_000 => format!("{}k", n / 1_000),
        1_000_000..1_000_000_000 => format!("{:.1}M", n as f64 / 1e6),
        _ => format!("{:.1}G", n as f64 / 1e9),
    }
}

/// A number of bytes: `512 B`, `34 kB`, `2.1 MB`.
#[must_use]
#[allow(clippy::cast_precision_loss, reason = "two digits are shown")]
pub fn bytes(n: u64) -> String {
    match n {
        0..1_000 => format!("{n} B"),
        1_000..1_000_000 => format!("{} kB", n / 1_000),
        1_000_000..1_000_000_000 => format!("{:.1} MB", n as f64 / 1e6),
        _ => format!("{:.1} GB", n as f64 / 1e9),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn instants_are_shown_in_a_zone() {
        let at = 1_000_000_001_000;
        assert_eq!(dated(at, 2 * 60 * MINUTE), "2001-09-09 03:46:41+02:00");
        assert_eq!(dated(at, -(3 * 60 + 30) * MINUTE), "2001-09-08 22:16:41-03:30");
        assert_eq!(dated(at, 0), utc(at));
        assert_eq!(dated(Millis::MAX, MINUTE), "unknown");
    }

    #[test]
    fn durations_are_short() {
        let cases = [
            (0, "0s"),
            (999, "0s"),
            (42_000, "42s"),
            (190_000, "3m10s"),
            (7_500_000, "2h05m"),
            (356_400_000, "4d03h"),
            (-3_000, "-3s"),
            (-400, "0s"),
            (i64::MIN, "-106751991167d07h"),
        ];
        for (ms, text) in cases {
            assert_eq!(short(ms), text);
        }
    }

    proptest! {
        #[test]
        fn an_instant_is_read_as_it_is_written(seconds in 0i64..253_402_300_800, text in "[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}") {
            prop_assert_eq!(parse_exact(&sqlite(seconds * 1_000)), Some(seconds * 1_000));
            let by_format = NaiveDateTime::parse_from_str(&text, "%Y-%m-%d %H:%M:%S").ok();
            let by_format = by_format.filter(|_| !text.ends_with("60")).map(|t| t.and_utc().timestamp_millis());
            prop_assert_eq!(parse_exact(&text), by_format);
        }
    }

    #[test]
    fn sqlite_times_are_read() {
        assert_eq!(parse_sqlite("2026-11-21 05:08:45"), Some(1_795_237_725_000));
        assert_eq!(parse_sqlite("2026-11-21T05:08:45.250Z"), Some(1_795_237_725_250));
        for bad in ["", "soon", "2026-13-01 00:00:00", "99999-01-01 00:00:00", "1234"] {
            assert_eq!(parse_sqlite(bad), None, "{bad}");
        }
        assert_eq!(utc(1_795_237_725_000), "2026-11-21 05:08:45Z");
        assert_eq!(utc(i64::MAX), "unknown");
        assert!(is_sqlite("2026-11-21 05:08:45") && sqlite(1_795_237_725_000) == "2026-11-21 05:08:45");
        for other in ["2026-11-21T05:08:45", "2026-11-21 05:08:45.1234", " 2026-11-21 05:08:45", "2026-11-21 05:08:60"]
        {
            assert!(!is_sqlite(other), "{other}");
        }
    }
}
