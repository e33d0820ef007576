//! Which records go when there are too many: decided by name alone, never by a file's times.

use super::RecordName;
use crate::id::RestartId;

/// The names to remove so that the newest `keep` stay. The restart in flight stays whatever its name; names that are
/// not ours are not even looked at.
pub fn doomed(names: &[String], keep: usize, in_flight: Option<RestartId>) -> Vec<RecordName> {
    let mut ours: Vec<RecordName> = names.iter().filter_map(|name| RecordName::parse(name)).collect();
    ours.sort_unstable();
    let excess = ours.len().saturating_sub(keep);
    ours.truncate(excess);
    ours.retain(|name| Some(name.id()) != in_flight);
    ours
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(second: u32) -> String {
        format!("20261120T1900{second:02}Z-01ARZ3NDEKTSV4RRFFQ69G5F{second:02}.json")
    }

    fn check(names: &[u32], keep: usize, in_flight: Option<u32>, expected: &[u32]) {
        let names: Vec<String> = names.iter().map(|second| name(*second)).collect();
        let in_flight = in_flight.map(|second| RecordName::parse(&name(second)).unwrap().id());
        let doomed: Vec<String> = doomed(&names, keep, in_flight).iter().map(ToString::to_string).collect();
        assert_eq!(doomed, expected.iter().map(|second| name(*second)).collect::<Vec<_>>());
    }

    #[test]
    fn the_newest_stay() {
        check(&[], 2, None, &[]);
        check(&[1, 2], 2, None, &[]);
        check(&[3, 1, 2], 2, None, &[1]);
        check(&[4, 3, 2, 1], 1, None, &[1, 2, 3]);
    }

    #[test]
    fn the_one_in_flight_stays_whatever_its_name() {
        check(&[1, 2, 3], 1, Some(1), &[2]);
        check(&[1, 2, 3], 1, Some(3), &[1, 2]);
    }

    #[test]
    fn foreign_files_are_not_touched() {
        let names = ["notes.json".to_owned(), "corrupt".to_owned(), name(1)];
        assert_eq!(doomed(&names, 0, None).len(), 1);
    }

    proptest::proptest! {
        #[test]
        fn no_more_than_asked_are_kept_and_none_newer_goes(
            seconds in proptest::collection::btree_set(0u32..60, 0..20), keep in 0usize..25,
        ) {
            let names: Vec<String> = seconds.iter().map(|second| name(*second)).collect();
            let gone = doomed(&names, keep, None);
            proptest::prop_assert_eq!(names.len() - gone.len(), names.len().min(keep));
            let oldest_kept = names.get(gone.len());
            proptest::prop_assert!(gone.iter().all(|name| oldest_kept.is_none_or(|kept| name.as_str() < kept.as_str())));
        }
    }
}
