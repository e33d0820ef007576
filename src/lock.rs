//! One restart at a time: an flock on `state/restart.lock` that ends with its last holder.
//!
//! The file is never unlinked. Who loses writes nothing. The lock can be given to a supervisor without a gap: it
//! travels as the child's standard input, because an flock belongs to the open file, not to the process.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, Read, Seek, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use rustix::fs::OFlags;
use serde::{Deserialize, Serialize};

use crate::clock;
use crate::failpoint::{self, Step};
use crate::owner::{self, NotOurs};
use crate::persist;
use crate::process::{self, ProcessId};

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

impl LockError {
    /// Whether the file is none of ours, and so no lock.
    pub fn not_ours(&self) -> Option<NotOurs> {
        NotOurs::behind(&self.source)
    }
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
    /// When it took the lock, by the clock of who reads it: the clocks of two processes may be years apart.
    #[serde(with = "crate::clock::stamped")]
    pub since: chrono::DateTime<chrono::Utc>,
}

/// What is in the file.
#[derive(Debug, Serialize, Deserialize)]
struct Named {
    #[serde(flatten)]
    holder: Holder,
    /// In which boot: process ids of another one mean nothing.
    #[serde(default)]
    boot: Option<String>,
    /// How long that boot had lasted.
    #[serde(default)]
    since_boot_ms: Option<u64>,
}

impl Named {
    fn now(holder: Holder) -> Self {
        let since_boot_ms = clock::since_boot().and_then(|time| u64::try_from(time.as_millis()).ok());
        Self { holder, boot: process::boot_id(), since_boot_ms }
    }

    fn parse(bytes: &[u8]) -> Option<Holder> {
        let Self { mut holder, boot, since_boot_ms } = serde_json::from_slice(bytes).ok()?;
        if boot.is_some() && boot != process::boot_id() {
            return None;
        }
        if let (Some(then), Some(now)) = (since_boot_ms, clock::since_boot()) {
            holder.since = clock::utc_now() - now.saturating_sub(Duration::from_millis(then));
        }
        Some(holder)
    }
}

/// The largest that names a holder.
const LARGEST: u64 = 4096;

/// Who had the lock last in this boot, as far as that can be read; it may be gone. Does not ask for the lock: who held
/// it for a moment would turn a restart away.
pub fn last_holder(path: &Path) -> Option<Holder> {
    Named::parse(&persist::read(path, LARGEST).ok()??)
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
/// The lock file cannot be opened, or flock failed other than by being held; or it is a link, a FIFO, another user's or
/// has a second name: whoever planted that could hold the lock for ever, or have something else written to.
pub fn ask(path: &Path) -> Result<Asked, LockError> {
    let failed = |doing| move |source| LockError { doing, path: path.to_owned(), source };
    let flags = owner::no_follow() | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags(flags.bits().cast_signed())
        .open(path)
        .map_err(failed("opening"))?;
    make_own(&file).map_err(failed("using"))?;
    if failpoint::leaves_out(Step::Lock) {
        return Ok(Asked::Held(Lock { file, path: path.to_owned() }));
    }
    match persist::try_lock(&file).map_err(failed("taking"))? {
        true => Ok(Asked::Held(Lock { file, path: path.to_owned() })),
        false => Ok(Asked::Busy(read_holder(&mut file))),
    }
}

/// Proves that the file is ours, and sees to it that nobody else can hold it from now on.
fn make_own(file: &File) -> io::Result<()> {
    owner::opened(file)?;
    match file.metadata()?.mode() & 0o077 {
        0 => Ok(()),
        _ => file.set_permissions(Permissions::from_mode(0o600)),
    }
}

impl Lock {
    /// Writes who we are, for those who lose.
    pub fn name_holder(&mut self, holder: &Holder) -> Result<(), LockError> {
        let path = self.path.clone();
        let failed = move |source| LockError { doing: "naming the holder of", path, source };
        let named = Named::now(holder.clone());
        let bytes = persist::to_line(&named, &self.path).map_err(|error| failed.clone()(error.source))?;
        let write = |file: &mut File| {
            file.rewind()?;
            failpoint::reach("lock.empty");
            file.set_len(0)?;
            failpoint::reach("lock.name");
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
        let same = |a: &std::fs::Metadata, b: &std::fs::Metadata| a.dev() == b.dev() && a.ino() == b.ino();
        let here = file.metadata().map_err(failed)?;
        let named = std::fs::symlink_metadata(path).map_err(failed)?;
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
    file.take(LARGEST).read_to_end(&mut bytes).ok()?;
    Named::parse(&bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loser_learns_who_holds_it_and_the_lock_ends_with_its_holder() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("restart.lock");
        let Asked::Held(mut lock) = ask(&path).unwrap() else { panic!("free") };
        let holder = holder();
        lock.name_holder(&holder).unwrap();
        let Asked::Busy(Some(seen)) = ask(&path).unwrap() else { panic!("held") };
        assert_eq!((seen.id, seen.process), (holder.id, holder.process));
        drop(lock);
        assert!(matches!(ask(&path).unwrap(), Asked::Held(_)));
        assert_eq!(last_holder(&path).unwrap().process, holder.process);
    }

    fn holder() -> Holder {
        let process = ProcessId::own().unwrap();
        Holder { id: "01".into(), verb: "restart".into(), process, since: clock::utc_now() }
    }

    #[test]
    fn a_holder_of_another_boot_is_nobody_and_one_of_an_older_version_is_believed() {
        let named = Named { boot: Some("another".to_owned()), ..Named::now(holder()) };
        assert_eq!(Named::parse(&serde_json::to_vec(&named).unwrap()), None);
        let older = serde_json::to_vec(&holder()).unwrap();
        assert_eq!(Named::parse(&older).unwrap().process, holder().process);
    }

    #[test]
    fn what_is_no_file_of_ours_alone_is_no_lock_and_is_not_written_to() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        persist::replace(&at("mine"), b"mine").unwrap();
        std::os::unix::fs::symlink(at("mine"), at("link")).unwrap();
        rustix::fs::mkfifoat(rustix::fs::CWD, at("fifo"), rustix::fs::Mode::RWXU).unwrap();
        for name in ["link", "fifo"] {
            ask(&at(name)).unwrap_err();
        }
        rustix::fs::linkat(
            rustix::fs::CWD,
            at("mine"),
            rustix::fs::CWD,
            at("second"),
            rustix::fs::AtFlags::empty(),
        )
        .unwrap();
        assert_eq!(ask(&at("second")).unwrap_err().not_ours(), Some(NotOurs::Shared { links: 2 }));
        assert_eq!(std::fs::read(at("mine")).unwrap(), b"mine");
    }

    #[test]
    fn a_lock_that_others_could_hold_is_closed_to_them() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("restart.lock");
        persist::replace(&path, b"").unwrap();
        std::fs::set_permissions(&path, Permissions::from_mode(0o666)).unwrap();
        assert!(matches!(ask(&path).unwrap(), Asked::Held(_)));
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn how_long_it_is_held_is_not_told_by_the_wall_clock() {
        let ahead = Holder { since: clock::utc_now() + chrono::Duration::days(3650), ..holder() };
        let read = Named::parse(&serde_json::to_vec(&Named::now(ahead)).unwrap()).unwrap();
        assert!((clock::utc_now() - read.since).num_seconds().abs() < 60, "{read:?}");
    }

    proptest::proptest! {
        #![proptest_config(crate::mutation::tries(128))]

        #[test]
        fn a_damaged_holder_is_nobody_or_reads_back(
            bytes in serde_json::to_vec(&Named::now(holder())).map(|bytes| crate::mutation::mutants(vec![bytes])).unwrap(),
        ) {
            if let Some(holder) = Named::parse(&bytes) {
                let again = Named::parse(&serde_json::to_vec(&holder).unwrap()).unwrap();
                proptest::prop_assert_eq!(again.process, holder.process);
                proptest::prop_assert_eq!(again.id, holder.id);
            }
        }
    }
}
