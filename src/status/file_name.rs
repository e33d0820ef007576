//! The file name of a record: `<YYYYmmddTHHMMSSZ>-<ULID>.json`, fixed when the restart begins. Names sort by time.

use std::fmt;

use super::Record;
use crate::id::RestartId;

/// A name that netsky gave.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RecordName {
    text: String,
    id: RestartId,
}

impl RecordName {
    /// The name of a record's file.
    pub fn of(record: &Record) -> Self {
        let text = format!("{}-{}.json", record.started_at().format("%Y%m%dT%H%M%SZ"), record.id);
        Self { text, id: record.id }
    }

    /// The name, where it is one of ours.
    pub fn parse(name: &str) -> Option<Self> {
        let (stamp, id) = name.strip_suffix(".json")?.split_once('-')?;
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let (date, time) = stamp.strip_suffix('Z')?.split_once('T')?;
        let is_ours = date.len() == 8 && time.len() == 6 && digits(date) && digits(time);
        let id = id.parse().ok()?;
        is_ours.then(|| Self { text: name.to_owned(), id })
    }

    /// The restart it belongs to.
    pub fn id(&self) -> RestartId {
        self.id
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for RecordName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::record::tests::begun;

    #[test]
    fn only_our_own_names_are_names() {
        let name = RecordName::of(&begun());
        assert!(name.as_str().starts_with("20261120T190000Z-01"), "{name}");
        assert_eq!(RecordName::parse(name.as_str()), Some(name));
        for foreign in [
            "",
            "notes.json",
            "20261120T190000Z-01ARZ3NDEKTSV4RRFFQ69G5FAV.json.bak",
            "20261120T190000Z-01arz3ndektsv4rrffq69g5fav.json",
            "2026112T190000Z-01ARZ3NDEKTSV4RRFFQ69G5FAV.json",
            "20261120T190000-01ARZ3NDEKTSV4RRFFQ69G5FAV.json",
            "corrupt",
        ] {
            assert_eq!(RecordName::parse(foreign), None, "{foreign:?}");
        }
    }
}
