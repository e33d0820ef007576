//! Claims: a text that netsky has taken and not yet delivered. Step 2 of the protocol.
//!
//! From here on the text has an id and one owner. A claim is made by one rename, so of two racers one wins; where a
//! rename cannot give a file of ours with one link, the text is copied and who unlinks the source wins. Whatever fails
//! leaves either the source where it was and no claim, or the claim and no source. A claim is never delivered here.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use chrono::{DateTime, SubsecRound, Utc};

use super::envelope::EnvelopeName;
use super::record::{self, ClaimRecord, Origin};
use super::source::{self, Opened, Source, Suitable};
use super::{HandoffError, LARGEST_TEXT, Result, is_there};
use crate::id::{EnvelopeId, Generation};
use crate::name::{Actor, AgentName};
use crate::paths::{self, Home};
use crate::persist::{self, PersistError, Published};

/// From whom to whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Address {
    /// The sender.
    pub from: Actor,
    /// Whose inbox.
    pub to: AgentName,
    /// The spawn it is for or by, where one is known.
    pub generation: Option<Generation>,
}

/// A text that is taken and not yet delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    pub(super) name: EnvelopeName,
    pub(super) record: ClaimRecord,
}

impl Claim {
    /// The id of the envelope that it becomes.
    pub fn id(&self) -> EnvelopeId {
        self.name.id
    }
    /// The name of the envelope that it becomes.
    pub fn name(&self) -> EnvelopeName {
        self.name
    }
    /// Whose inbox it is for.
    pub fn to(&self) -> AgentName {
        self.record.to
    }
    /// The spawn that it names.
    pub fn generation(&self) -> Option<Generation> {
        self.record.generation
    }
    /// When it was taken.
    pub fn ts(&self) -> DateTime<Utc> {
        self.record.ts
    }
    /// The file that it was; `None` for standard input and arguments.
    pub fn origin(&self) -> Option<PathBuf> {
        self.record.origin.as_ref().and_then(Origin::path)
    }

    pub(super) fn path(&self, home: &Home) -> PathBuf {
        home.claims().join(self.name.to_string())
    }

    /// Whether the claim is the very file that was given. `false` also where that cannot be told.
    pub(super) fn was_renamed(&self, home: &Home) -> bool {
        let taken = fs::symlink_metadata(self.path(home));
        let origin = self.record.origin.as_ref();
        taken.is_ok_and(|taken| origin.is_some_and(|origin| origin.is_same_file(&taken)))
    }

    /// Its bytes, as the envelope will carry them. One that is empty or too large is moved aside.
    pub(super) fn read(&self, home: &Home) -> Result<Vec<u8>> {
        let path = self.path(home);
        let odd = |why: &str| HandoffError::ClaimOdd { path: path.clone(), why: why.to_owned() };
        let hopeless = |why: &str| self.put_aside(home, why).map_or_else(|error| error, |()| odd(why));
        match source::open(&path, LARGEST_TEXT) {
            Ok(Opened::Suitable(suitable)) => suitable.read(&path, LARGEST_TEXT),
            Ok(Opened::Empty) => Err(hopeless("it is empty")),
            Ok(Opened::Absent) => Err(HandoffError::ClaimGone { id: self.id() }),
            Err(HandoffError::SourceUnreadable { path, source }) => {
                Err(PersistError { doing: "reading the claim", path, source }.into())
            }
            Err(HandoffError::SourceTooLarge { limit, .. }) => {
                Err(hopeless(&format!("it is larger than {limit} bytes")))
            }
            Err(error) => Err(odd(&error.to_string())),
        }
    }

    /// Moves a claim aside that nobody can ever be given, so that it is said once and not with every verb. For the
    /// holder of the claim.
    fn put_aside(&self, home: &Home, why: &str) -> Result<()> {
        let path = self.path(home);
        let came_from = self.origin().map(|origin| format!(", and came from {}", origin.display()));
        let file = persist::open_regular(&path)?;
        persist::put_aside(&path, &file, &format!("{why}{}", came_from.unwrap_or_default()))?;
        persist::remove(&record::path(home, self.name))?;
        Ok(())
    }
}

/// What came of asking for a hand-over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claimed {
    /// There is none.
    None,
    /// It is taken.
    Claimed(Claim),
    /// The file is gone because an earlier command took it and did not get to deliver it; this is its claim.
    Pending(Claim),
}

/// The claims of a home.
#[derive(Debug, Default)]
pub struct Claims {
    /// Oldest first.
    pub claims: Vec<Claim>,
    /// How many entries are neither claims nor their records.
    pub skipped: usize,
}

/// Takes the hand-over that `source` stands for, if there is one, of at most `limit` bytes.
///
/// # Errors
/// It cannot be taken whole, or cannot be taken away from where it is. Then it lies where it was, unless the error is
/// [`HandoffError::Persist`]: then it may be a pending claim instead.
pub fn claim(
    home: &Home,
    source: &Source,
    address: Address,
    limit: u64,
    now: DateTime<Utc>,
) -> Result<Claimed> {
    let (path, named) = match source {
        Source::Bytes(bytes) => return claim_bytes(home, bytes, address, limit, now),
        Source::Named(path) if path == Path::new("/dev/null") => return Ok(Claimed::None),
        Source::Named(path) => (path, true),
        Source::Draft(path) => (path, false),
    };
    match source::open(path, limit)? {
        Opened::Suitable(suitable) => {
            claim_file(home, path, &suitable, address, limit, now).map(Claimed::Claimed)
        }
        Opened::Absent if named => match pending_from(home, path)? {
            Some(claim) => Ok(Claimed::Pending(claim)),
            None => Err(HandoffError::SourceMissing { path: path.clone() }),
        },
        Opened::Absent | Opened::Empty => Ok(Claimed::None),
    }
}

/// All claims that are not yet delivered. One whose record could not be understood goes to agent0.
pub fn pending(home: &Home) -> Result<Claims> {
    let (names, skipped) = persist::list(&home.claims())?;
    let mut found = Claims { skipped, ..Claims::default() };
    for text in &names {
        let stem = text.strip_suffix(".json");
        match stem.unwrap_or(text).parse::<EnvelopeName>() {
            Ok(_) if stem.is_some() => {}
            Ok(name) => {
                let record = ClaimRecord::load(home, name)?;
                found.claims.push(Claim { name, record });
            }
            Err(_) => found.skipped += 1,
        }
    }
    Ok(found)
}

/// The newest spawn that a claim names: what is spawned now comes after it, or the claim would go on waiting for it.
pub fn newest_generation(home: &Home) -> Result<Option<Generation>> {
    Ok(pending(home)?.claims.iter().filter_map(Claim::generation).max())
}

/// The claim of that id; `None` where it is delivered or never was.
pub fn find(home: &Home, id: EnvelopeId) -> Result<Option<Claim>> {
    Ok(pending(home)?.claims.into_iter().find(|claim| claim.id() == id))
}

fn pending_from(home: &Home, path: &Path) -> Result<Option<Claim>> {
    let wanted = Some(record::absolute(path));
    Ok(pending(home)?.claims.into_iter().rfind(|claim| claim.origin() == wanted))
}

fn claim_bytes(
    home: &Home,
    bytes: &[u8],
    address: Address,
    limit: u64,
    now: DateTime<Utc>,
) -> Result<Claimed> {
    let limit = limit.min(LARGEST_TEXT);
    if bytes.is_empty() {
        return Ok(Claimed::None);
    }
    if bytes.len() as u64 > limit {
        return Err(HandoffError::SourceTooLarge { path: "-".into(), limit });
    }
    let claim = announce(home, address, None, now)?;
    match persist::publish(&claim.path(home), bytes) {
        Ok(_) => Ok(Claimed::Claimed(claim)),
        Err(error) => {
            // The caller still has the text and hears that it was not taken.
            drop(withdraw(home, &claim));
            Err(error.into())
        }
    }
}

fn claim_file(
    home: &Home,
    path: &Path,
    suitable: &Suitable,
    address: Address,
    limit: u64,
    now: DateTime<Utc>,
) -> Result<Claim> {
    if paths::is_netskys(&record::absolute(path)) {
        return Err(HandoffError::SourceIsState { path: path.to_owned() });
    }
    persist::sync_file(&suitable.file, path)?;
    let claim = announce(home, address, Some(Origin::new(path, &suitable.metadata)), now)?;
    match take(home, path, suitable, &claim, limit) {
        Ok(()) => Ok(claim),
        Err(error) => {
            // Where this fails too, what is left is a record without a claim, or a claim beside its source. Both are
            // what a crash leaves, and recovered the same way.
            // And what cannot be seen may be the only copy, so it stays.
            let withheld = source_is_there(&claim).unwrap_or(false);
            if withheld || !is_there(&claim.path(home)).unwrap_or(true) {
                drop(withdraw(home, &claim));
            }
            Err(error)
        }
    }
}

/// Fixes the id and writes the record; the claim itself is not there yet.
pub(super) fn announce(
    home: &Home,
    Address { from, to, generation }: Address,
    origin: Option<Origin>,
    now: DateTime<Utc>,
) -> Result<Claim> {
    // As precise as the file, so that the claim in hand is the claim on disk.
    let record = ClaimRecord::new(to, generation, now.trunc_subsecs(3), origin).ours();
    loop {
        let name = EnvelopeName { id: next_id(home)?, from };
        if record.publish(home, name)? == Published::New {
            return Ok(Claim { name, record });
        }
    }
}

fn take(home: &Home, path: &Path, suitable: &Suitable, claim: &Claim, limit: u64) -> Result<()> {
    if suitable.metadata.nlink() == 1 && rename_in(home, path, claim, limit)? {
        return Ok(());
    }
    copy_in(home, path, suitable, claim, limit)?;
    match remove_source(claim)? {
        true => Ok(()),
        false => {
            // Who unlinked it has it.
            withdraw(home, claim)?;
            Err(HandoffError::SourceChanged { path: path.to_owned() })
        }
    }
}

/// Moves the source to its claim. `false`: it lies on another file system.
pub(super) fn rename_in(home: &Home, path: &Path, claim: &Claim, limit: u64) -> Result<bool> {
    let taken = claim.path(home);
    match persist::rename(path, &taken) {
        Ok(true) => {}
        Ok(false) => return Err(HandoffError::SourceChanged { path: path.to_owned() }),
        Err(error) => {
            return match error.source.kind() {
                io::ErrorKind::CrossesDevices => Ok(false),
                io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                    Err(HandoffError::SourceNotRemovable { path: path.to_owned(), source: error.source })
                }
                _ => Err(error.into()),
            };
        }
    }
    // What was moved may be another file than the one that was looked at, so it is looked at again.
    match source::open(&taken, limit) {
        Ok(Opened::Suitable(moved)) if moved.metadata.nlink() == 1 => {
            let doing = "setting the mode of";
            let private = moved.file.set_permissions(Permissions::from_mode(0o600));
            private.map_err(|source| PersistError { doing, path: taken.clone(), source })?;
            persist::sync_file(&moved.file, &taken)?;
            Ok(true)
        }
        _ => {
            if !is_there(path)? {
                persist::rename(&taken, path)?;
            }
            Err(HandoffError::SourceChanged { path: path.to_owned() })
        }
    }
}

/// Copies the source to its claim; the source stays.
pub(super) fn copy_in(
    home: &Home,
    path: &Path,
    suitable: &Suitable,
    claim: &Claim,
    limit: u64,
) -> Result<()> {
    let bytes = suitable.read(path, limit)?;
    persist::publish(&claim.path(home), &bytes)?;
    Ok(())
}

/// Unlinks the source of a claim that was copied. `false`: that very file is not there any more.
///
/// # Errors
/// It is still there.
pub(super) fn remove_source(claim: &Claim) -> Result<bool> {
    let Some(path) = claim.origin() else { return Ok(false) };
    if !source_is_there(claim)? {
        return Ok(false);
    }
    match persist::remove(&path) {
        Ok(removed) => Ok(removed),
        Err(error) if source_is_there(claim)? => {
            Err(HandoffError::SourceNotRemovable { path, source: error.source })
        }
        Err(error) => Err(error.into()),
    }
}

fn source_is_there(claim: &Claim) -> Result<bool> {
    let Some((origin, path)) = claim.record.origin.as_ref().and_then(|origin| Some((origin, origin.path()?)))
    else {
        return Ok(false);
    };
    match fs::symlink_metadata(&path) {
        Ok(metadata) => Ok(origin.is(&metadata)),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            Ok(false)
        }
        Err(source) => Err(HandoffError::Unseen { path, source }),
    }
}

/// Undoes a claim whose text is still with its giver.
pub(super) fn withdraw(home: &Home, claim: &Claim) -> Result<()> {
    persist::remove(&claim.path(home))?;
    persist::remove(&record::path(home, claim.name))?;
    Ok(())
}

/// A fresh id that sorts after all that are known, also when the wall clock was set back: what is newest must be
/// shown last and pruned last.
fn next_id(home: &Home) -> Result<EnvelopeId> {
    let newest = |names: Vec<String>| names.iter().rev().find_map(|name| name.get(..26)?.parse().ok());
    let known: Option<EnvelopeId> =
        newest(persist::list(&home.claims())?.0).max(newest(persist::list(&home.archive())?.0));
    Ok(EnvelopeId::fresh_after(known))
}

#[cfg(test)]
mod tests;
