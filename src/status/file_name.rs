//! The file name of a record: `<YYYYmmddTHHMMSSZ>-<ULID>.json`, fixed when the restart begins.
//!
//! The time is that of the id, so that names sort as ids do: in the order in which restarts were made, also when the
//! wall clock was set back in between. When it began by the clock stands in the record.

use std::cmp::Ordering;
use std::fmt;

use chrono::DateTime;

use crate::id::RestartId;

/// A name that netsky gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordName {
    text: String,
    id: RestartId,
}

impl RecordName {
    /// The name of the file of a restart.
    pub fn of(id: RestartId) -> Self {
        let made_at = i64::try_from(id.made_at_ms()).ok().and_then(DateTime::from_timestamp_millis);
        let stamp = made_at.unwrap_or(DateTime::UNIX_EPOCH).format("%Y%m%dT%H%M%SZ");
        Self { text: format!("{stamp}-{id}.json"), id }
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

/// By id. Older versions named a file by the time at which its restart began, which may be later than its id.
impl Ord for RecordName {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.id, &self.text).cmp(&(other.id, &other.text))
    }
}

impl PartialOrd for RecordName {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
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

    #[test]
    fn only_our_own_names_are_names() {
        let name = RecordName::of("01KAHA6GW0000000000000000A".parse().unwrap());
        assert_eq!(name.as_str(), "20251120T190000Z-01KAHA6GW0000000000000000A.json");
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

    #[test]
    fn names_sort_as_their_ids_do_whatever_time_they_tell() {
        let names = [
            "20361120T190000Z-01ARZ3NDEKTSV4RRFFQ69G5FAV.json",
            "20261120T190000Z-01ARZ3NDEKTSV4RRFFQ69G5FAW.json",
        ]
        .map(|name| RecordName::parse(name).unwrap());
        assert!(names.is_sorted(), "{names:?}");
    }

    proptest::proptest! {
        #![proptest_config(crate::mutation::tries(256))]

        #[test]
        fn names_sort_as_their_ids_do(one in 0u64..253_402_300_800_000, other in 0u64..253_402_300_800_000, chance: u64) {
            let name = |ms| RecordName::of(ulid::Ulid::from_parts(ms, chance.into()).to_string().parse().unwrap());
            let (one, other) = (name(one), name(other));
            proptest::prop_assert_eq!(one.as_str().cmp(other.as_str()), one.id().cmp(&other.id()));
            proptest::prop_assert_eq!(RecordName::parse(one.as_str()), Some(one));
        }

        #[test]
        fn a_damaged_name_is_none_or_is_its_own_spelling(
            text in crate::mutation::texts(vec![b"20251120T190000Z-01KAHA6GW0000000000000000A.json".to_vec()]),
        ) {
            if let Some(name) = RecordName::parse(&text) {
                proptest::prop_assert_eq!(name.as_str(), &text);
                let end = format!("-{}.json", name.id());
                proptest::prop_assert!(text.ends_with(&end));
            }
        }
    }
}
