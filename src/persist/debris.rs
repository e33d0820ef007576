//! What killed processes left behind, told by name from what is in use.
//!
//! A name says when it was made and by which process. The time alone proves nothing, because the clock may have been set
//! since: what a living process made is never debris.

use std::io;
use std::path::Path;

use chrono::{DateTime, TimeDelta, Utc};

use super::{Result, TEMPORARY_PREFIX, entries_of, failed, remove};
use crate::failpoint::{self, Step};
use crate::id::RestartId;
use crate::process::ProcessId;

/// What is left is kept so long, in case that its process is one that cannot be seen from here.
const KEPT: TimeDelta = TimeDelta::hours(1);

/// The begin of a name for what lives for a moment: `<prefix><ULID>-<pid>.<start>-`.
pub fn momentary_name(prefix: &str) -> String {
    let maker = ProcessId::own().map(|own| format!("{own}-")).unwrap_or_default();
    format!("{prefix}{}-{maker}", RestartId::fresh())
}

/// Whether a name of that kind is of something that a process left which is gone: for an hour by the clock, or it was
/// made an hour and more ahead of it.
pub fn is_debris(name: &str, prefix: &str, now: DateTime<Utc>, is_alive: impl Fn(ProcessId) -> bool) -> bool {
    let parsed = name.strip_prefix(prefix).and_then(|rest| {
        let (id, rest) = rest.split_once('-')?;
        let made_at = i64::try_from(id.parse::<RestartId>().ok()?.made_at_ms()).ok()?;
        Some((DateTime::from_timestamp_millis(made_at)?, rest.split('-').next()?.parse::<ProcessId>().ok()))
    });
    match parsed {
        None => false,
        // Older versions did not name the maker.
        Some((made_at, None)) => now - made_at > KEPT,
        Some((made_at, Some(maker))) => (now - made_at).abs() > KEPT && !is_alive(maker),
    }
}

/// Removes temporaries in `dir` that killed processes left; returns how many.
pub fn sweep_debris(dir: &Path, now: DateTime<Utc>) -> Result<usize> {
    sweep(dir, now, false)
}

/// [`sweep_debris`] in `dir` and in all directories below it; links are not followed.
pub fn sweep_debris_below(dir: &Path, now: DateTime<Utc>) -> Result<usize> {
    sweep(dir, now, true)
}

fn sweep(dir: &Path, now: DateTime<Utc>, below: bool) -> Result<usize> {
    let entries = match entries_of(dir) {
        Ok(entries) => entries,
        // A directory that a command at work made for itself may be gone again.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(failed("listing", dir)(error)),
    };
    let mut removed = 0;
    for entry in entries {
        let (name, Ok(kind)) = (entry.file_name(), entry.file_type()) else { continue };
        let is_ours = kind.is_file() || failpoint::leaves_out(Step::OwnKind);
        let is_debris = |name: &str| is_debris(name, TEMPORARY_PREFIX, now, ProcessId::is_alive);
        if is_ours && name.to_str().is_some_and(is_debris) {
            removed += usize::from(remove(&entry.path())?);
        } else if below && kind.is_dir() {
            removed += sweep(&entry.path(), now, true)?;
        }
    }
    Ok(removed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::utc_now;
    use crate::persist::{append_line, make_dir};

    #[test]
    fn only_what_no_living_process_made_is_debris() {
        let fresh = momentary_name("x-");
        let (own, gone) = (ProcessId::own().unwrap(), ProcessId { pid: i32::MAX, started: 1 });
        let of = |maker: ProcessId| format!("{}abc", fresh.replace(&own.to_string(), &maker.to_string()));
        let [hour, years] = [TimeDelta::minutes(61), TimeDelta::days(3650)];
        let none = TimeDelta::zero();
        let unnamed = fresh.replace(&format!("{own}-"), "abc");
        for (name, by, expected) in [
            (of(own), none, false),
            (of(own), hour, false),
            (of(own), years, false),
            (of(own), -years, false),
            (of(gone), none, false),
            (of(gone), hour, true),
            (of(gone), years, true),
            (of(gone), -years, true),
            (unnamed.clone(), none, false),
            (unnamed.clone(), hour, true),
            (unnamed, -years, false),
            ("x-spare-agent0.json".to_owned(), years, false),
            ("x-".to_owned(), years, false),
            ("agents.json".to_owned(), years, false),
        ] {
            assert_eq!(is_debris(&name, "x-", utc_now() + by, ProcessId::is_alive), expected, "{name} {by}");
        }
    }

    #[test]
    fn only_old_temporaries_are_swept() {
        let dir = tempfile::tempdir().unwrap();
        let young = dir.path().join(momentary_name(TEMPORARY_PREFIX));
        let old = dir.path().join(format!("{TEMPORARY_PREFIX}01ARZ3NDEKTSV4RRFFQ69G5FAV-x"));
        let foreign = dir.path().join("keep.json");
        for path in [&young, &old, &foreign] {
            append_line(path, "x").unwrap();
        }
        assert_eq!(sweep_debris(dir.path(), utc_now()).unwrap(), 1);
        assert!(young.exists() && foreign.exists() && !old.exists());
        let below = dir.path().join("a/b");
        make_dir(&below).unwrap();
        append_line(&below.join(old.file_name().unwrap()), "x").unwrap();
        assert_eq!(sweep_debris_below(dir.path(), utc_now()).unwrap(), 1);
        assert_eq!(std::fs::read_dir(below).unwrap().count(), 0);
    }
}
