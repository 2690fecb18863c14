//! Instants as a person types them.

use chrono::{DateTime, NaiveTime};

use super::time::{Millis, millis, plausible};

/// A day, in milliseconds.
const DAY: Millis = 86_400_000;

/// Reads an instant: `now`, `-10m` before the end, `02:47` or `02:47:13` on a clock that is so many milliseconds ahead of UTC
/// (the last such time before the end), a date with time and zone (RFC 3339), or Unix milliseconds.
pub fn parse(text: &str, end_ms: Millis, ahead_ms: Millis) -> Result<Millis, String> {
    let text = text.trim();
    if text == "now" {
        return Ok(end_ms);
    }
    if let Some(span) = text.strip_prefix('-') {
        let span = humantime::parse_duration(span).map_err(|_| usage(text))?;
        return Ok(end_ms.saturating_sub(millis(span)));
    }
    let of_day = NaiveTime::parse_from_str(text, "%H:%M:%S").or_else(|_| NaiveTime::parse_from_str(text, "%H:%M"));
    if let Ok(time) = of_day {
        let since_midnight = (time - NaiveTime::MIN).num_milliseconds();
        let shown_end = end_ms.saturating_add(ahead_ms);
        let today = shown_end - shown_end.rem_euclid(DAY) + since_midnight;
        let last = if today > shown_end { today - DAY } else { today };
        return Ok(last - ahead_ms);
    }
    let at = match DateTime::parse_from_rfc3339(text) {
        Ok(at) => Some(at.timestamp_millis()),
        Err(_) => text.parse().ok(),
    };
    at.filter(|at| plausible(*at)).ok_or_else(|| usage(text))
}

fn usage(text: &str) -> String {
    format!(
        "\"{}\" is no instant; write now, -10m, 02:47, 2026-11-21T02:47:00Z or Unix milliseconds",
        super::text::scrub(super::text::truncate_bytes(text, 60))
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_read_as_people_type_them() {
        // 2026-11-21 05:08:45Z
        let end = 1_795_237_725_000;
        let hour = 3_600_000;
        assert_eq!(parse("now", end, 0), Ok(end));
        assert_eq!(parse(" -10m ", end, 0), Ok(end - 600_000));
        assert_eq!(parse("05:08:40", end, 0), Ok(end - 5_000));
        assert_eq!(parse("05:09", end, 0), Ok(end + 15_000 - DAY), "it was yesterday");
        assert_eq!(parse("07:08", end, 2 * hour), Ok(end - 45_000), "on a clock two hours ahead");
        assert_eq!(parse("2026-11-21T06:08:45+01:00", end, 0), Ok(end));
        assert_eq!(parse("1795237725000", end, 0), Ok(end));
        for odd in ["", "soon", "-", "-soon", "25:00", "-1", "99999999999999999999", "2026-11-21"] {
            assert!(parse(odd, end, 0).is_err_and(|why| why.contains("-10m")), "{odd}");
        }
    }
}
