//! The directory of records: written by whoever holds the lock, read by everybody.
//!
//! A reader sees a record whose process is gone as interrupted; only the holder of the lock makes that durable. A
//! file that cannot be understood is moved aside.

use std::path::PathBuf;

use super::{Record, RecordName, is_gone, retention};
use crate::failpoint;
use crate::id::RestartId;
use crate::lock::{self, Lock};
use crate::paths::Home;
use crate::persist::{self, PersistError};
use crate::process::{self, ProcessId};

/// A record that was asked for cannot be shown.
#[derive(Debug, thiserror::Error)]
pub enum FindError {
    /// There is none.
    #[error("there is no restart {query:?}")]
    NotFound {
        /// What was asked for.
        query: String,
    },
    /// There are several.
    #[error("{query:?} begins the ids of several restarts: {}", joined(ids))]
    Ambiguous {
        /// What was asked for.
        query: String,
        /// Those that match, newest first.
        ids: Vec<RestartId>,
    },
    /// The directory cannot be read.
    #[error(transparent)]
    Unreadable {
        /// What went wrong.
        #[from]
        source: PersistError,
    },
}

fn joined(ids: &[RestartId]) -> String {
    ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// The records of a home.
#[derive(Debug, Clone)]
pub struct Store {
    dir: PathBuf,
    lock: PathBuf,
    keep: usize,
}

impl Store {
    /// The records of `home`, of which the newest `keep` stay.
    pub fn of(home: &Home, keep: usize) -> Self {
        Self { dir: home.restart_status(), lock: home.restart_lock(), keep }
    }

    /// Writes a record, durably: at each phase, before the next begins. For the holder of the lock.
    ///
    /// # Errors
    /// The write failed; the file is as it was.
    pub fn write(&self, record: &Record) -> Result<(), PersistError> {
        failpoint::reach(record.phase().as_str());
        persist::store(&self.path_of(&RecordName::of(record.id)), record)
    }

    /// The id of the next restart: after all that are known, whatever the clock says. For the holder of the lock.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub fn next_id(&self) -> Result<RestartId, PersistError> {
        Ok(RestartId::fresh_after(self.names()?.first().map(RecordName::id)))
    }

    /// Where a record lies.
    pub fn path_of(&self, name: &RecordName) -> PathBuf {
        self.dir.join(name.as_str())
    }

    /// All records, newest first.
    ///
    /// # Errors
    /// The directory cannot be read, or a broken file cannot be moved aside.
    pub fn list(&self) -> Result<Vec<Record>, PersistError> {
        let mut records = Vec::new();
        for name in self.names()? {
            records.extend(self.see(&name)?);
        }
        Ok(records)
    }

    /// How many entries of the directory are no records.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub fn skipped(&self) -> Result<usize, PersistError> {
        let (names, skipped) = persist::list(&self.dir)?;
        Ok(skipped + names.iter().filter(|name| RecordName::parse(name).is_none()).count())
    }

    /// The newest record.
    ///
    /// # Errors
    /// As [`Store::list`].
    pub fn latest(&self) -> Result<Option<Record>, PersistError> {
        for name in self.names()? {
            if let Some(record) = self.see(&name)? {
                return Ok(Some(record));
            }
        }
        Ok(None)
    }

    /// The one record whose id, or whose file's name, begins so; upper and lower case are alike.
    ///
    /// # Errors
    /// There is none, or there are several.
    pub fn find(&self, query: &str) -> Result<Record, FindError> {
        let wanted = query.trim().to_ascii_uppercase();
        let begins = |name: &RecordName| {
            name.id().to_string().starts_with(&wanted)
                || name.as_str().to_ascii_uppercase().starts_with(&wanted)
        };
        let names: Vec<RecordName> = self.names()?.into_iter().filter(begins).collect();
        let not_found = || FindError::NotFound { query: query.to_owned() };
        match names.as_slice() {
            _ if wanted.is_empty() => Err(not_found()),
            [] => Err(not_found()),
            [name] => self.see(name)?.ok_or_else(not_found),
            several => {
                let ids = several.iter().map(RecordName::id).collect();
                Err(FindError::Ambiguous { query: query.to_owned(), ids })
            }
        }
    }

    /// Makes durable that records without an end were interrupted, and returns them. Whoever holds the lock knows
    /// that no other restart runs; `own` is the one that the holder itself carries.
    ///
    /// # Errors
    /// As [`Store::list`], or a write failed; those before it are settled.
    pub fn settle(&self, _held: &Lock, own: Option<RestartId>) -> Result<Vec<Record>, PersistError> {
        let mut settled = Vec::new();
        for name in self.names()?.into_iter().filter(|name| Some(name.id()) != own) {
            let Some(record) = self.load(&name)? else { continue };
            if !record.phase().is_terminal() {
                let record = record.interrupted();
                persist::store(&self.path_of(&name), &record)?;
                settled.push(record);
            }
        }
        Ok(settled)
    }

    /// Removes the oldest records beyond those that are kept; returns how many. For the holder of the lock.
    ///
    /// # Errors
    /// The directory cannot be read or written.
    pub fn prune(&self, in_flight: Option<RestartId>) -> Result<usize, PersistError> {
        let (names, _) = persist::list(&self.dir)?;
        let mut removed = 0;
        for name in retention::doomed(&names, self.keep, in_flight) {
            removed += usize::from(persist::remove(&self.path_of(&name))?);
        }
        Ok(removed)
    }

    /// Our names, newest first.
    fn names(&self) -> Result<Vec<RecordName>, PersistError> {
        let (names, _) = persist::list(&self.dir)?;
        let mut names: Vec<RecordName> = names.iter().filter_map(|name| RecordName::parse(name)).collect();
        names.sort_unstable_by(|a, b| b.cmp(a));
        Ok(names)
    }

    /// A record as a reader sees it.
    fn see(&self, name: &RecordName) -> Result<Option<Record>, PersistError> {
        let Some(record) = self.load(name)? else { return Ok(None) };
        if !self.is_gone(&record) {
            return Ok(Some(record));
        }
        // It may have said more, or have ended, between the two looks: what it said last counts.
        let again = self.load(name)?;
        Ok(again.map(|again| if again == record { again.interrupted() } else { again }))
    }

    fn is_gone(&self, record: &Record) -> bool {
        let holder = lock::last_holder(&self.lock);
        is_gone(record, holder.as_ref(), ProcessId::is_alive, |pid| process::has_open(pid, &self.lock))
    }

    /// A record as it is on disk. One that was pruned meanwhile is no record.
    fn load(&self, name: &RecordName) -> Result<Option<Record>, PersistError> {
        let its_own = |record: Record| match record.id == name.id() {
            true => Ok(record),
            false => Err(format!("it holds the restart {} begun at {}", record.id, record.started_at())),
        };
        let parse = |bytes: &[u8]| persist::parse(bytes).and_then(its_own);
        Ok(persist::load_by(&self.path_of(name), persist::LARGEST_STATE_FILE, parse)?.present())
    }
}

#[cfg(test)]
mod tests;
