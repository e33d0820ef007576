//! Logs: not synced, never required, and turned over before they grow for ever.

use std::ffi::OsString;
use std::fs::{self, Metadata, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::failpoint;
use crate::owner;

use super::{Result, failed, rename};

/// A log larger than this is put aside; one older log is kept.
const TURNED_OVER_AT: u64 = 8 << 20;

/// Appends one line to a log. A log is not synced; a torn last line is the reader's to skip.
///
/// # Errors
/// What the system said; what is no file of ours alone (a link, a FIFO, another user's) is not written to.
pub fn append_line(path: &Path, line: &str) -> Result<()> {
    failpoint::reach("persist.append");
    let mut file = OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .custom_flags((owner::no_follow() | rustix::fs::OFlags::NONBLOCK).bits().cast_signed())
        .open(path)
        .map_err(failed("opening", path))?;
    owner::opened(&file).map_err(failed("appending to", path))?;
    file.write_all(format!("{line}\n").as_bytes()).map_err(failed("appending to", path))
}

/// Puts a log aside that has become large, or has another name: what is appended would be appended there too. Two that do
/// it at once lose at most an old log.
pub fn turn_over(path: &Path) -> Result<()> {
    let is_over = |metadata: Metadata| metadata.len() > TURNED_OVER_AT || metadata.nlink() > 1;
    if fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_file() && is_over(metadata)) {
        rename(path, &older(path))?;
    }
    Ok(())
}

/// Where the log before this one lies.
fn older(path: &Path) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(".1");
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_that_leads_elsewhere_is_not_written_to() {
        let dir = tempfile::tempdir().unwrap();
        let [real, link, second] = ["real", "link", "second"].map(|name| dir.path().join(name));
        append_line(&real, "one").unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        append_line(&link, "two").unwrap_err();
        super::super::fs_link(&real, &second).unwrap();
        append_line(&second, "three").unwrap_err();
        assert_eq!(fs::read_to_string(&real).unwrap(), "one\n");
        turn_over(&second).unwrap();
        append_line(&second, "three").unwrap();
        let read = |path: &Path| fs::read_to_string(path).unwrap();
        assert_eq!((read(&real), read(&second)), ("one\n".to_owned(), "three\n".to_owned()));
        turn_over(&link).unwrap();
        assert!(link.is_symlink());
    }

    #[test]
    fn a_log_that_has_become_large_is_put_aside_and_one_older_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.jsonl");
        turn_over(&path).unwrap();
        for round in 0..3 {
            append_line(&path, &format!("{round}")).unwrap();
            turn_over(&path).unwrap();
            assert!(path.exists());
            OpenOptions::new().append(true).open(&path).unwrap().set_len(TURNED_OVER_AT + 1).unwrap();
            turn_over(&path).unwrap();
            assert!(!path.exists());
            assert_eq!(fs::read(older(&path)).unwrap()[0], b'0' + round);
        }
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
