//! What cannot be understood: moved to `corrupt/` beside it and said aloud, never read as empty, never written over.
//!
//! What is moved is the very file that was read. Another process may have put a good one in its place meanwhile: that
//! one is read in its turn. Moving and telling are one act, so that no caller can keep it to itself. Where the same is
//! known from elsewhere, the two change places in one step: at no moment is there neither.

use std::ffi::OsString;
use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use super::{
    CORRUPT, PersistError, Result, exchange, failed, fs_link, make_own_dir, open_ours, parent_of, publish,
    read_whole, remove, rename, sync_dir,
};
use crate::failpoint::{self, Step};
use crate::id::RestartId;

/// What a file held.
#[derive(Debug)]
pub enum Loaded<T> {
    /// There is no such file.
    Absent,
    /// It was read.
    Present(T),
    /// It could not be understood and now lies aside. The line is already said.
    MovedAside(MovedAside),
}

impl<T> Loaded<T> {
    /// What was read, where something was.
    pub fn present(self) -> Option<T> {
        match self {
            Self::Present(value) => Some(value),
            Self::Absent | Self::MovedAside(_) => None,
        }
    }
}

/// A file that could not be understood.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{} could not be understood ({why}); it was moved to {}", path.display(), aside.display())]
pub struct MovedAside {
    /// Where it was.
    pub path: PathBuf,
    /// Where it lies now.
    pub aside: PathBuf,
    /// What was wrong with it.
    pub why: String,
}

/// Who hears of what is moved aside.
type Listener = Box<dyn Fn(&MovedAside) + Send + Sync>;

static LISTENER: OnceLock<Listener> = OnceLock::new();

/// From now on `listener` hears of every file that is moved aside, at once. The first one to ask is the one.
pub fn on_moved_aside(listener: impl Fn(&MovedAside) + Send + Sync + 'static) {
    LISTENER.get_or_init(|| Box::new(listener));
}

/// Reads a file of at most `limit` bytes by `parse`, which says what is wrong with it. One that cannot be understood, or
/// is larger, is moved aside.
///
/// # Errors
/// It cannot be read, is no plain file of ours, or cannot be moved.
pub fn load_by<T>(
    path: &Path,
    limit: u64,
    parse: impl Fn(&[u8]) -> std::result::Result<T, String>,
) -> Result<Loaded<T>> {
    load_or_mend(path, limit, parse, || Ok(None))
}

/// [`load_by`], where `other` may know what it should hold: that takes its place then.
///
/// # Errors
/// As [`load_by`], or what `other` says; then nothing was moved.
pub fn load_or_mend<T, E: From<PersistError>>(
    path: &Path,
    limit: u64,
    parse: impl Fn(&[u8]) -> std::result::Result<T, String>,
    other: impl Fn() -> std::result::Result<Option<Vec<u8>>, E>,
) -> std::result::Result<Loaded<T>, E> {
    loop {
        let Some((file, metadata)) = open_ours(path)? else { return Ok(Loaded::Absent) };
        let why = match read_whole(file, &metadata, limit, path) {
            Ok(bytes) => match parse(&bytes) {
                Ok(value) => return Ok(Loaded::Present(value)),
                Err(why) => why,
            },
            Err(error) if error.source.kind() == io::ErrorKind::FileTooLarge => error.source.to_string(),
            Err(error) => return Err(error.into()),
        };
        if failpoint::leaves_out(Step::Aside) {
            return Ok(Loaded::Absent);
        }
        let known = other()?.and_then(|bytes| Some((parse(&bytes).ok()?, bytes)));
        match known {
            Some((value, bytes)) => {
                if change_places(path, &metadata, why, &bytes)? {
                    return Ok(Loaded::Present(value));
                }
            }
            None => {
                if let Some(moved) = move_aside(path, &metadata, why)? {
                    return Ok(Loaded::MovedAside(moved));
                }
            }
        }
    }
}

/// Moves aside an open file that was found to be useless; `None`: another one has its name by now.
///
/// # Errors
/// It cannot be moved.
pub fn put_aside(path: &Path, file: &File, why: &str) -> Result<Option<MovedAside>> {
    let metadata = file.metadata().map_err(failed("looking at", path))?;
    move_aside(path, &metadata, why.to_owned())
}

fn move_aside(path: &Path, read: &Metadata, why: String) -> Result<Option<MovedAside>> {
    if !lies_at(path, read)? {
        return Ok(None);
    }
    let aside = place_aside(path)?;
    if !take_away(path, &aside, read)? {
        return Ok(None);
    }
    Ok(Some(told(path, aside, why)))
}

/// Moves aside what was read and has `bytes` in its place, in one step. `false`: another file has its name by now, or
/// none.
fn change_places(path: &Path, read: &Metadata, why: String, bytes: &[u8]) -> Result<bool> {
    let aside = place_aside(path)?;
    publish(&aside, bytes)?;
    match exchange(&aside, path) {
        Ok(()) if lies_at(&aside, read)? => {
            sync_dir(parent_of(path))?;
            sync_dir(parent_of(&aside))?;
            told(path, aside, why);
            Ok(true)
        }
        Ok(()) => {
            exchange(&aside, path).map_err(failed("putting back", path))?;
            remove(&aside).map(|_| false)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => remove(&aside).map(|_| false),
        // This file system cannot do it in one step.
        Err(_) => {
            remove(&aside)?;
            let is_moved = move_aside(path, read, why)?.is_some();
            if is_moved {
                publish(path, bytes)?;
            }
            Ok(is_moved)
        }
    }
}

/// A name in `corrupt/` for what lies at `path`.
fn place_aside(path: &Path) -> Result<PathBuf> {
    let dir = parent_of(path).join(CORRUPT);
    make_own_dir(&dir)?;
    let mut name = OsString::from(RestartId::fresh().to_string());
    name.push("-");
    name.push(path.file_name().unwrap_or_default());
    Ok(dir.join(name))
}

fn told(path: &Path, aside: PathBuf, why: String) -> MovedAside {
    let moved = MovedAside { path: path.to_owned(), aside, why };
    if let Some(listener) = LISTENER.get() {
        listener(&moved);
    }
    moved
}

/// Renames `path` to `aside` and looks at what was moved. `false`: it was another file than the one that was read, and
/// that one is back; or there was none.
fn take_away(path: &Path, aside: &Path, read: &Metadata) -> Result<bool> {
    if !rename(path, aside)? {
        return Ok(false);
    }
    if lies_at(aside, read)? {
        return Ok(true);
    }
    match fs_link(aside, path) {
        Ok(()) => remove(aside)?,
        // A yet newer one has its name: this one stays where it is, for nothing is thrown away unread.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => false,
        Err(error) => return Err(failed("putting back", path)(error)),
    };
    Ok(false)
}

/// Whether what has the name is that very file.
fn lies_at(path: &Path, file: &Metadata) -> Result<bool> {
    match fs::symlink_metadata(path) {
        Ok(there) => Ok((there.dev(), there.ino()) == (file.dev(), file.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(failed("looking at", path)(error)),
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::super::replace;
    use super::*;

    fn understood(bytes: &[u8]) -> std::result::Result<String, String> {
        if bytes.starts_with(b"good") {
            Ok(String::from_utf8_lossy(bytes).into_owned())
        } else {
            Err("it is bad".into())
        }
    }

    fn aside_of(path: &Path) -> Vec<String> {
        let entries = fs::read_dir(parent_of(path).join("corrupt")).into_iter().flatten();
        entries.map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap()).collect()
    }

    #[test]
    fn what_came_between_the_reading_and_the_moving_is_read_in_its_turn() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.json");
        for (newer, aside) in [("good", vec![]), ("bad too", vec!["bad too".to_owned()])] {
            replace(&path, b"bad").unwrap();
            let is_first = Cell::new(true);
            let loaded = load_by(&path, 100, |bytes| {
                if is_first.take() {
                    replace(&path, newer.as_bytes()).unwrap();
                }
                understood(bytes)
            });
            assert_eq!(matches!(loaded.unwrap(), Loaded::Present(text) if text == "good"), newer == "good");
            assert_eq!((aside_of(&path), path.exists()), (aside, newer == "good"));
        }
    }

    #[test]
    fn what_came_at_the_last_moment_is_put_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.json");
        replace(&path, b"bad").unwrap();
        // Kept open: else its number is given to the next file.
        let read = File::open(&path).unwrap();
        replace(&path, b"good").unwrap();
        let aside = dir.path().join("aside");
        assert!(!take_away(&path, &aside, &read.metadata().unwrap()).unwrap());
        assert_eq!((fs::read(&path).unwrap(), aside.exists()), (b"good".to_vec(), false));
        fs::remove_file(&path).unwrap();
        assert!(!take_away(&path, &aside, &read.metadata().unwrap()).unwrap());
        assert!(put_aside(&path, &read, "it is bad").unwrap().is_none());
    }

    fn mended(path: &Path, other: impl Fn() -> Result<Option<Vec<u8>>>) -> Option<String> {
        load_or_mend(path, 100, understood, other).unwrap().present()
    }

    #[test]
    fn what_is_known_from_elsewhere_is_there_at_every_moment() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.json");
        replace(&path, b"bad").unwrap();
        let known = || {
            assert_eq!((fs::read(&path).unwrap(), aside_of(&path).len()), (b"bad".to_vec(), 0));
            Ok(Some(b"good".to_vec()))
        };
        assert_eq!(mended(&path, known).unwrap(), "good");
        assert_eq!((fs::read(&path).unwrap(), aside_of(&path)), (b"good".to_vec(), vec!["bad".to_owned()]));
        // What is no better does not take its place.
        replace(&path, b"bad too").unwrap();
        assert_eq!(mended(&path, || Ok(Some(b"bad as well".to_vec()))), None);
        assert!(!path.exists());
    }

    #[test]
    fn what_was_moved_on_meanwhile_is_not_made_again() {
        let dir = tempfile::tempdir().unwrap();
        let (path, further) = (dir.path().join("a.json"), dir.path().join("cur.json"));
        replace(&path, b"bad").unwrap();
        let known = || {
            rename(&path, &further).unwrap();
            Ok(Some(b"good".to_vec()))
        };
        assert_eq!(mended(&path, known), None);
        assert!(!path.exists() && further.exists() && aside_of(&path).is_empty());
        // Another one has come: it stays, and is read in its turn.
        replace(&path, b"bad").unwrap();
        let known = || {
            replace(&path, b"good and newer").unwrap();
            Ok(Some(b"good".to_vec()))
        };
        assert_eq!(mended(&path, known).unwrap(), "good and newer");
        assert_eq!((fs::read(&path).unwrap(), aside_of(&path).len()), (b"good and newer".to_vec(), 0));
    }

    #[test]
    fn two_of_one_name_lie_side_by_side_byte_for_byte() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.json");
        for bytes in ["bad", "bad too", "far too long"] {
            replace(&path, bytes.as_bytes()).unwrap();
            assert!(matches!(load_by(&path, 8, understood).unwrap(), Loaded::MovedAside(_)));
        }
        let mut aside = aside_of(&path);
        aside.sort();
        assert_eq!(aside, ["bad", "bad too", "far too long"]);
    }
}
