//! The only place that asks the time.
//!
//! Two clocks: the monotonic one for durations and limits, UTC for what is stored or shown. No decision reads a
//! clock; it is handed the time.

use std::time::Duration;

use chrono::{DateTime, Datelike, SecondsFormat, Utc};

pub use std::time::Instant;

/// The time for what is stored or shown.
#[expect(clippy::disallowed_methods, reason = "this is the home of the call")]
pub fn utc_now() -> DateTime<Utc> {
    Utc::now()
}

/// The time for durations and limits; it never jumps.
#[expect(clippy::disallowed_methods, reason = "this is the home of the call")]
pub fn monotonic_now() -> Instant {
    Instant::now()
}

/// How long this boot lasts, for what is stored and compared by another process: it never jumps, and means nothing after
/// the next boot. `None` where the system does not say.
pub fn since_boot() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/uptime").ok()?;
    let seconds = text.split_ascii_whitespace().next()?.parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok()
}

/// A point in monotonic time after which something has taken too long, with the limit that put it there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadline {
    at: Instant,
    limit: Duration,
}

impl Deadline {
    /// The deadline `limit` from now.
    pub fn after(limit: Duration) -> Self {
        Self::from(monotonic_now(), limit)
    }

    /// The deadline `limit` after `start`.
    pub fn from(start: Instant, limit: Duration) -> Self {
        Self { at: start.checked_add(limit).unwrap_or(start), limit }
    }

    /// When it passes.
    pub fn at(&self) -> Instant {
        self.at
    }

    /// The limit as it was given, for messages.
    pub fn limit(&self) -> Duration {
        self.limit
    }

    /// What is left; zero once it has passed.
    pub fn remaining(&self) -> Duration {
        self.at.saturating_duration_since(monotonic_now())
    }

    /// Whether it has passed.
    pub fn is_past(&self) -> bool {
        self.remaining().is_zero()
    }
}

/// A UTC time as files hold it: `2026-11-20T19:00:00.012Z`, without the fraction when it is zero.
pub fn stamp(at: DateTime<Utc>) -> String {
    let format = if at.timestamp_subsec_millis() == 0 { SecondsFormat::Secs } else { SecondsFormat::Millis };
    at.to_rfc3339_opts(format, true)
}

/// Any RFC 3339 time. One whose year in UTC has not four digits is refused: written again, nobody could read it.
fn unstamp(text: &str) -> Result<DateTime<Utc>, String> {
    let at = DateTime::parse_from_rfc3339(text).map_err(|error| error.to_string())?.with_timezone(&Utc);
    if (0..=9999).contains(&at.year()) {
        Ok(at)
    } else {
        Err(format!("{text} is not within the years 0 to 9999"))
    }
}

/// `#[serde(with = "crate::clock::stamped")]` for a field that is a UTC time.
pub mod stamped {
    use chrono::{DateTime, Utc};
    use serde::{Deserialize, Deserializer, Serializer, de::Error as _};

    /// Writes [`super::stamp`].
    pub fn serialize<S: Serializer>(at: &DateTime<Utc>, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&super::stamp(*at))
    }

    /// Reads any RFC 3339 time that can be written again.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<DateTime<Utc>, D::Error> {
        super::unstamp(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// The same for a field that may be absent.
pub mod stamped_option {
    use chrono::{DateTime, Utc};
    use serde::{Deserialize, Deserializer, Serializer, de::Error as _};

    /// Writes [`super::stamp`] or null.
    pub fn serialize<S: Serializer>(at: &Option<DateTime<Utc>>, serializer: S) -> Result<S::Ok, S::Error> {
        match at {
            Some(at) => serializer.serialize_str(&super::stamp(*at)),
            None => serializer.serialize_none(),
        }
    }

    /// Reads any RFC 3339 time that can be written again, or null.
    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<DateTime<Utc>>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        text.map(|text| super::unstamp(&text)).transpose().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamp_drops_a_zero_fraction_and_keeps_milliseconds() {
        let whole = DateTime::parse_from_rfc3339("2026-11-20T19:00:00Z").unwrap().with_timezone(&Utc);
        assert_eq!(stamp(whole), "2026-11-20T19:00:00Z");
        assert_eq!(stamp(whole + chrono::Duration::milliseconds(12)), "2026-11-20T19:00:00.012Z");
    }

    #[test]
    fn a_passed_deadline_has_nothing_left() {
        let deadline = Deadline::after(Duration::ZERO);
        assert!(deadline.is_past());
        assert_eq!(deadline.limit(), Duration::ZERO);
    }

    #[test]
    fn a_time_that_could_not_be_read_again_is_refused() {
        #[derive(Debug, serde::Serialize, serde::Deserialize)]
        struct At(#[serde(with = "stamped")] DateTime<Utc>);
        for (text, is_read) in [
            ("2026-11-20T19:00:00.012Z", true),
            ("2026-11-20T20:00:00+01:00", true),
            ("2026-11-20T18:59:60Z", true),
            ("0000-01-01T00:00:00+23:00", false),
            ("9999-12-31T23:59:59-23:00", false),
        ] {
            let read = serde_json::from_str::<At>(&format!("{text:?}"));
            assert_eq!(read.is_ok(), is_read, "{text}");
            if let Ok(at) = read {
                let written = serde_json::to_string(&at).unwrap();
                assert!(serde_json::from_str::<At>(&written).is_ok(), "{written}");
            }
        }
    }
}
