//! The record of a claim: what must survive a crash besides the bytes, and the lock of its delivery.
//!
//! It lies beside the claim as `<claim>.json` from before the claim is there until after it is gone. A claim without
//! one goes to agent0. Who delivers holds an flock on it; that needs no file of the user's to be locked.

use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::claim::Claim;
use super::envelope::{Encoding, EnvelopeName, decode, encode};
use super::{HandoffError, Result};
use crate::id::Generation;
use crate::name::AgentName;
use crate::paths::Home;
use crate::persist::{self, PersistError, StateFile};
use crate::process::ProcessId;

/// What is on disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ClaimRecord {
    version: u64,
    pub(super) to: AgentName,
    pub(super) generation: Option<Generation>,
    #[serde(with = "crate::clock::stamped")]
    pub(super) ts: DateTime<Utc>,
    pub(super) origin: Option<Origin>,
    /// Who claims: while it lives and there is no claim yet, the claim is about to come.
    #[serde(default)]
    pub(super) claimant: Option<ProcessId>,
}

impl StateFile for ClaimRecord {}

/// The very file that was claimed: its path alone would hit a newer one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Origin {
    path: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    encoding: Option<Encoding>,
    dev: u64,
    ino: u64,
    size: u64,
    mtime: i64,
    mtime_nsec: i64,
}

impl Origin {
    pub(super) fn new(path: &Path, metadata: &Metadata) -> Self {
        let (path, encoding) = encode(absolute(path).as_os_str().as_bytes());
        Self {
            path,
            encoding,
            dev: metadata.dev(),
            ino: metadata.ino(),
            size: metadata.len(),
            mtime: metadata.mtime(),
            mtime_nsec: metadata.mtime_nsec(),
        }
    }

    /// Where it came from; `None` where the record does not tell.
    pub(super) fn path(&self) -> Option<PathBuf> {
        let bytes = decode(&self.path, self.encoding).ok()?;
        Some(PathBuf::from(std::ffi::OsString::from_vec(bytes)))
    }

    /// Whether `metadata` is of the file that was claimed, whatever was written to it since.
    pub(super) fn is_same_file(&self, metadata: &Metadata) -> bool {
        (self.dev, self.ino) == (metadata.dev(), metadata.ino()) || self.is(metadata)
    }

    /// Whether `metadata` is of the file that was claimed, as it was then. A disk may have another device number after
    /// a boot; inode, size and time to the nanosecond are as they were.
    pub(super) fn is(&self, metadata: &Metadata) -> bool {
        let then = (self.ino, self.size, self.mtime, self.mtime_nsec);
        let now = (metadata.ino(), metadata.len(), metadata.mtime(), metadata.mtime_nsec());
        metadata.is_file() && then == now
    }
}

/// One spelling of a path whose last part may be missing (and is never followed).
pub(super) fn absolute(path: &Path) -> PathBuf {
    let canonical = || Some(fs::canonicalize(persist::parent_of(path)).ok()?.join(path.file_name()?));
    canonical().or_else(|| std::path::absolute(path).ok()).unwrap_or_else(|| path.to_owned())
}

impl ClaimRecord {
    pub(super) fn new(
        to: AgentName,
        generation: Option<Generation>,
        ts: DateTime<Utc>,
        origin: Option<Origin>,
    ) -> Self {
        Self { version: 1, to, generation, ts, origin, claimant: None }
    }

    /// The same in the name of this process.
    pub(super) fn ours(self) -> Self {
        Self { claimant: ProcessId::own(), ..self }
    }

    /// What is assumed of a claim whose record is lost: the root agent gets every text that nobody else can.
    fn assumed(name: EnvelopeName) -> Self {
        let made_at = i64::try_from(name.id.made_at_ms()).ok().and_then(DateTime::from_timestamp_millis);
        Self::new(AgentName::ROOT, None, made_at.unwrap_or(DateTime::UNIX_EPOCH), None)
    }

    /// The record of a claim; the assumed one where there is none, or none that could be understood.
    pub(super) fn load(home: &Home, name: EnvelopeName) -> Result<Self> {
        match persist::load(&path(home, name)) {
            Ok(loaded) => Ok(loaded.present().unwrap_or_else(|| Self::assumed(name))),
            // Something else has its name: this claim cannot be held, which is said of it alone.
            Err(error) => match HandoffError::from(error) {
                error if error.is_odd() => Ok(Self::assumed(name)),
                error => Err(error),
            },
        }
    }

    /// Writes it, unless there is one.
    pub(super) fn publish(&self, home: &Home, name: EnvelopeName) -> Result<persist::Published> {
        let path = path(home, name);
        Ok(persist::publish(&path, &persist::to_line(self, &path)?)?)
    }
}

/// Where the record of a claim lies.
pub(super) fn path(home: &Home, name: EnvelopeName) -> PathBuf {
    home.claims().join(name.file())
}

/// The right to deliver a claim, until dropped.
#[derive(Debug)]
pub(super) struct Hold {
    _locked: File,
}

/// Asks for the right to deliver `claim`. `None`: somebody else has it, or the claim is gone.
pub(super) fn hold(home: &Home, claim: &Claim) -> Result<Option<Hold>> {
    let path = path(home, claim.name);
    let failed = |doing| {
        let path = path.clone();
        move |source| HandoffError::Persist(PersistError { doing, path, source })
    };
    let file = match open(&path)? {
        Some(file) => file,
        None => {
            claim.record.publish(home, claim.name)?;
            // Gone again: another deliverer finished in this moment and removed it with the claim.
            let Some(file) = open(&path)? else { return Ok(None) };
            file
        }
    };
    if !persist::try_lock(&file).map_err(failed("locking"))? {
        return Ok(None);
    }
    // A claim goes before its record does, so who holds the record of a claim that is there holds the claim.
    match fs::symlink_metadata(home.claims().join(claim.name.to_string())) {
        Ok(_) => Ok(Some(Hold { _locked: file })),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            persist::remove(&path)?;
            Ok(None)
        }
        Err(error) => Err(failed("looking for the claim of")(error)),
    }
}

fn open(path: &Path) -> Result<Option<File>> {
    match persist::open_regular(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.source.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checked_in_record_loads() {
        let bytes = include_bytes!("../../tests/formats/v1/claim-record.json");
        let record: ClaimRecord = persist::parse(bytes).unwrap();
        assert_eq!(record.to, AgentName::Numbered(3));
        assert_eq!(record.origin.unwrap().path(), Some(PathBuf::from("/home/me/project/handoff.md")));
    }

    #[test]
    fn a_file_is_known_again_on_a_disk_that_has_another_number_after_a_boot() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("note.md");
        persist::replace(&path, b"x").unwrap();
        let metadata = fs::metadata(&path).unwrap();
        let before_the_boot = Origin { dev: metadata.dev() + 1, ..Origin::new(&path, &metadata) };
        assert!(before_the_boot.is(&metadata) && before_the_boot.is_same_file(&metadata));
        persist::replace(&path, b"y").unwrap();
        let another = fs::metadata(&path).unwrap();
        assert!(!before_the_boot.is(&another) && !before_the_boot.is_same_file(&another));
    }

    #[test]
    fn a_path_that_is_no_utf8_is_remembered() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(std::ffi::OsStr::from_bytes(b"\xff.md"));
        persist::replace(&path, b"x").unwrap();
        let origin = Origin::new(&path, &fs::metadata(&path).unwrap());
        let json = serde_json::to_vec(&origin).unwrap();
        let read: Origin = serde_json::from_slice(&json).unwrap();
        assert_eq!(read.path(), Some(absolute(&path)));
        assert!(read.is(&fs::metadata(&path).unwrap()));
    }

    proptest::proptest! {
        #![proptest_config(crate::mutation::tries(128))]

        #[test]
        fn a_damaged_record_is_refused_or_reads_back(
            bytes in crate::mutation::mutants(vec![crate::mutation::format("claim-record.json")]),
        ) {
            persist::tests::reads_back::<ClaimRecord>(&bytes)?;
        }
    }
}
