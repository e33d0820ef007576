//! `log/events.jsonl`: one JSON object a line, for whoever asks later what happened.
//!
//! Not synced and never required: a log that cannot be written stops nothing. Readers skip lines they cannot read.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::paths::Home;
use crate::{clock, persist, text};

/// One line.
#[derive(Debug, Serialize)]
pub struct Event {
    #[serde(with = "crate::clock::stamped")]
    at: DateTime<Utc>,
    event: &'static str,
    #[serde(flatten)]
    fields: BTreeMap<&'static str, String>,
}

impl Event {
    /// An event of this kind, now.
    pub fn new(event: &'static str) -> Self {
        Self { at: clock::utc_now(), event, fields: BTreeMap::new() }
    }

    /// Adds a field, on one line and clipped.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        let value = text::clipped(&text::one_line(&value.to_string()), 2_000).into_owned();
        self.fields.insert(name, value);
        self
    }

    /// Appends it to the log of `home`.
    pub fn log(&self, home: &Home) {
        let path = home.events();
        drop(persist::turn_over(&path));
        if let Ok(line) = serde_json::to_string(self) {
            drop(persist::append_line(&path, &line));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_line_of_json_whatever_its_fields_hold() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::locate(Some(dir.path()), None, None).unwrap();
        home.create().unwrap();
        Event::new("hook").with("why", "two\nlines \u{1b}[31m\"quoted\"").log(&home);
        Event::new("hook").log(&home);
        let text = std::fs::read_to_string(home.events()).unwrap();
        let lines: Vec<serde_json::Value> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!((lines.len(), lines[0]["why"].as_str()), (2, Some("two lines \"quoted\"")));
    }
}
