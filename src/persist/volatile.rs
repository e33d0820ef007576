//! Files that a crash may lose: screens, beacons, what agents are launched with. They appear whole and are not synced.
//!
//! On ext4 a rename onto a file writes data to the disk first (`auto_da_alloc`), milliseconds a file where the disk is
//! busy, and a new file takes an inode past all that were freed in the last seconds. An exchange of names costs neither.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::failpoint;
use crate::owner;

use super::{
    Result, TEMPORARY_PREFIX, exchange, failed, make_own_dir, parent_of, refuse_odd, temporary_beside,
};

/// Writes a file that a crash may lose: mode 0600, whole to whoever reads it, not synced.
pub fn write_volatile(path: &Path, bytes: &[u8]) -> Result<()> {
    refuse_odd(path)?;
    make_own_dir(parent_of(path))?;
    failpoint::reach("volatile.write");
    let mut temporary = temporary_beside(path)?;
    temporary.write_all(bytes).map_err(failed("writing", path))?;
    if exchange(temporary.path(), path).is_ok() {
        // What the file held goes with the temporary name.
        return temporary.close().map_err(failed("removing the temporary file of", path));
    }
    temporary.persist(path).map_err(|error| failed("renaming into place", path)(error.error))?;
    Ok(())
}

/// The same for a file that is written once a spawn: what it held before is kept as a spare, written over by the next
/// one. Whoever reads it must be done before it is written twice.
pub fn rewrite_volatile(path: &Path, bytes: &[u8]) -> Result<()> {
    refuse_odd(path)?;
    if path.exists() && write_over_spare(path, bytes).is_ok() { Ok(()) } else { write_volatile(path, bytes) }
}

/// Unlinks a file that a crash may bring back. `false`: there was none.
pub fn remove_volatile(path: &Path) -> Result<bool> {
    failpoint::reach("volatile.remove");
    match std::fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(failed("removing", path)(error)),
    }
}

fn write_over_spare(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let spare = spare_of(path);
    let flags = (rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK).bits().cast_signed();
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags(flags)
        .open(&spare)?;
    if !super::try_lock(&file)? || !is_still(&file, &spare)? {
        return Err(io::Error::new(
            io::ErrorKind::ResourceBusy,
            "the spare is in use, or has changed its name",
        ));
    }
    failpoint::reach("volatile.rewrite");
    file.write_all(bytes)?;
    // Cut after the write: a file that is cut to nothing first is written out when it is closed.
    file.set_len(bytes.len() as u64)?;
    exchange(&spare, path)
}

/// Whether the open file is the one of this name, and ours alone: whoever else has it could write to what it becomes.
fn is_still(file: &File, path: &Path) -> io::Result<bool> {
    owner::opened(file)?;
    let (opened, named) = (file.metadata()?, path.symlink_metadata()?);
    Ok((opened.dev(), opened.ino()) == (named.dev(), named.ino()))
}

fn spare_of(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    parent_of(path).join(format!("{TEMPORARY_PREFIX}spare-{name}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn check(write: fn(&Path, &[u8]) -> Result<()>, left: usize) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("made/a.json");
        for text in ["first and long", "second", "", "the fourth, longest of all", "5"] {
            write(&path, text.as_bytes()).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
            assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        }
        assert_eq!(super::super::list(&dir.path().join("made")).unwrap().0, ["a.json"]);
        assert_eq!(fs::read_dir(dir.path().join("made")).unwrap().count(), left);
    }

    #[test]
    fn a_file_is_replaced_whole_and_leaves_nothing_behind() {
        check(write_volatile, 1);
    }

    #[test]
    fn a_file_that_is_written_again_keeps_one_spare() {
        check(rewrite_volatile, 2);
    }

    #[test]
    fn a_spare_that_is_a_link_or_shared_is_not_written_through() {
        let dir = tempfile::tempdir().unwrap();
        let (path, foreign) = (dir.path().join("a"), dir.path().join("foreign"));
        write_volatile(&path, b"old").unwrap();
        write_volatile(&foreign, b"theirs").unwrap();
        std::os::unix::fs::symlink(&foreign, spare_of(&path)).unwrap();
        rewrite_volatile(&path, b"new").unwrap();
        fs::remove_file(spare_of(&path)).unwrap();
        super::super::fs_link(&foreign, &spare_of(&path)).unwrap();
        rewrite_volatile(&path, b"newer").unwrap();
        assert_eq!(fs::read_to_string(&foreign).unwrap(), "theirs");
        assert_eq!(fs::read_to_string(&path).unwrap(), "newer");
    }
}
