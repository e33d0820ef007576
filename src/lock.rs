//! One restart at a time: an flock on `state/restart.lock` that ends with its last holder.
//!
//! The file is never unlinked. Who loses writes nothing. The lock can be given to a supervisor without a gap: it
//! travels as the child's standard input, because an flock belongs to the open file, not to the process.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde::{Deserialize, Serialize};

use crate::failpoint::{self, Step};
use crate::persist;
use crate::process::ProcessId;

/// The lock could not be asked for.
#[derive(Debug, thiserror::Error)]
#[error("{doing} the lock {}", path.display())]
pub struct LockError {
    /// The step.
    pub doing: &'static str,
    /// The lock file.
    pub path: PathBuf,
    /// What the system said.
    #[source]
    pub source: io::Error,
}

/// Who holds the lock, as the holder wrote it. Only a hint for messages: the flock itself decides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// Id of the restart, or of the call where the verb is no restart.
    pub id: String,
    /// The verb: `restart`, `up`, `down`, `handoff`.
    pub verb: String,
    /// The process.
    pub process: ProcessId,
    /// When it took the lock.
    #[serde(with = "crate::clock::stamped")]
    pub since: chrono::DateTime<chrono::Utc>,
}

/// The lock, held until dropped by every process that has it.
#[derive(Debug)]
pub struct Lock {
    file: File,
    path: PathBuf,
}

/// What came of asking.
#[derive(Debug)]
pub enum Asked {
    /// It is ours.
    Held(Lock),
    /// Somebody has it; `None` where the holder has not (or not legibly) said who it is.
    Busy(Option<Holder>),
}

/// Asks once, without waiting.
///
/// # Errors
/// The lock file cannot be opened, or is a link, or flock failed other than by being held.
pub fn ask(path: &Path) -> Result<Asked, LockError> {
    let failed = |doing| move |source| LockError { doing, path: path.to_owned(), source };
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::CLOEXEC;
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags(flags.bits().cast_signed())
        .open(path)
        .map_err(failed("opening"))?;
    if failpoint::leaves_out(Step::Lock) {
        return Ok(Asked::Held(Lock { file, path: path.to_owned() }));
    }
    match persist::try_lock(&file).map_err(failed("taking"))? {
        true => Ok(Asked::Held(Lock { file, path: path.to_owned() })),
        false => Ok(Asked::Busy(read_holder(&mut file))),
    }
}

impl Lock {
    /// Writes who we are, for those who lose.
    pub fn name_holder(&mut self, holder: &Holder) -> Result<(), LockError> {
        let path = self.path.clone();
        let failed = move |source| LockError { doing: "naming the holder of", path, source };
        let bytes = persist::to_line(holder, &self.path).map_err(|error| failed.clone()(error.source))?;
        let write = |file: &mut File| {
            file.rewind()?;
            file.set_len(0)?;
            file.write_all(&bytes)
        };
        write(&mut self.file).map_err(failed)
    }

    /// The lock as the standard input of a child that is to hold it too.
    pub fn lend(&self) -> Result<Stdio, LockError> {
        self.file.try_clone().map(Stdio::from).map_err(|source| LockError {
            doing: "handing over",
            path: self.path.clone(),
            source,
        })
    }

    /// Takes over the lock that a parent lent as standard input, and proves that it is this lock file and is held.
    pub fn inherit(path: &Path) -> Result<Self, LockError> {
        let failed = |source| LockError { doing: "taking over", path: path.to_owned(), source };
        let stdin = io::stdin();
        let file = stdin.as_fd().try_clone_to_owned().map(File::from).map_err(failed)?;
        let same = |a: &std::fs::Metadata, b: &std::fs::Metadata| {
            use std::os::unix::fs::MetadataExt;
            a.dev() == b.dev() && a.ino() == b.ino()
        };
        let here = file.metadata().map_err(failed)?;
        let named = std::fs::metadata(path).map_err(failed)?;
        if !same(&here, &named) {
            return Err(failed(io::Error::new(
                io::ErrorKind::InvalidInput,
                "standard input is not the lock",
            )));
        }
        // On the same open file this succeeds whether or not it was locked already.
        match persist::try_lock(&file).map_err(failed)? {
            true => Ok(Self { file, path: path.to_owned() }),
            false => Err(failed(io::ErrorKind::WouldBlock.into())),
        }
    }
}

fn read_holder(file: &mut File) -> Option<Holder> {
    let mut bytes = Vec::new();
    file.rewind().ok()?;
    file.take(4096).read_to_end(&mut bytes).ok()?;
    serde_json::from_slice(&bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loser_learns_who_holds_it_and_the_lock_ends_with_its_holder() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("restart.lock");
        let Asked::Held(mut lock) = ask(&path).unwrap() else { panic!("free") };
        let holder = Holder {
            id: "01".into(),
            verb: "restart".into(),
            process: ProcessId::own().unwrap(),
            since: crate::clock::utc_now(),
        };
        lock.name_holder(&holder).unwrap();
        let Asked::Busy(Some(seen)) = ask(&path).unwrap() else { panic!("held") };
        assert_eq!((seen.id, seen.process), (holder.id, holder.process));
        drop(lock);
        assert!(matches!(ask(&path).unwrap(), Asked::Held(_)));
    }
}
