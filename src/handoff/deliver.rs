//! From a claim to the inbox, and recovery: step 3 of the protocol.
//!
//! Each step can be done again after a crash without doing harm: the archive never changes what it has, and the inbox
//! is asked in the order in which an envelope moves. One process at a time delivers a claim; nobody waits for another.

use chrono::{DateTime, TimeDelta, Utc};

use super::claim::{self, Claim};
use super::envelope::{Envelope, EnvelopeName};
use super::inbox::{Inbox, Place};
use super::record::{self, ClaimRecord};
use super::{HandoffError, Result, is_there};
use crate::failpoint::{self, Step as Left};
use crate::name::AgentName;
use crate::paths::Home;
use crate::persist::{self, Loaded, Published};
use crate::process::ProcessId;

/// A claim that was delivered.
#[derive(Debug)]
pub struct Delivery {
    /// The name of the envelope.
    pub name: EnvelopeName,
    /// Whose inbox it is in.
    pub to: AgentName,
    /// What was left to do.
    pub outcome: Outcome,
}

/// How a delivery ended. In each case the text is durable and will be, or is, in the inbox once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It is in the inbox now.
    Delivered,
    /// It was there already: an earlier delivery was cut short after that.
    Already(Place),
    /// Another process is at it, or has done it.
    ByAnother,
}

/// What recovery did.
#[derive(Debug, Default)]
pub struct Replay {
    /// What was delivered, oldest first.
    pub delivered: Vec<Delivery>,
    /// Claims that may not be delivered yet.
    pub kept: Vec<Claim>,
    /// Claims that could not be delivered.
    pub failed: Vec<(Claim, HandoffError)>,
    /// Entries that are no claims.
    pub skipped: usize,
}

/// The steps, in order. After each one a crash loses nothing and doubles nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Unlink what was copied, in case the claimant did not get to it.
    RemoveSource,
    Archive,
    Inbox,
    RemoveClaim,
    RemoveRecord,
}

pub(super) const STEPS: [Step; 5] =
    [Step::RemoveSource, Step::Archive, Step::Inbox, Step::RemoveClaim, Step::RemoveRecord];

/// Delivers one claim.
///
/// # Errors
/// A step failed; the claim stays for the next replay. After [`HandoffError::SourceNotRemovable`] it is withdrawn:
/// its text lies where it came from.
pub fn deliver(home: &Home, claim: &Claim) -> Result<Delivery> {
    let mut work = Work::new(home, claim);
    let Some(_hold) = record::hold(home, claim)? else {
        return work.by_another();
    };
    if failpoint::leaves_out(Left::ArchiveFirst) {
        return work.archive_last();
    }
    for step in STEPS {
        failpoint::reach("deliver.step");
        work.perform(step)?;
    }
    Ok(work.delivery)
}

/// Delivers all claims that `may_deliver` allows, oldest first: crash recovery.
///
/// # Errors
/// The claims cannot be listed. What fails for one claim is in [`Replay::failed`].
pub fn replay(home: &Home, may_deliver: &mut dyn FnMut(&Claim) -> bool) -> Result<Replay> {
    let found = claim::pending(home)?;
    let mut replay = Replay { skipped: found.skipped, ..Replay::default() };
    for claim in found.claims {
        if !may_deliver(&claim) {
            replay.kept.push(claim);
            continue;
        }
        match deliver(home, &claim) {
            Ok(delivery) => replay.delivered.push(delivery),
            Err(error) => replay.failed.push((claim, error)),
        }
    }
    Ok(replay)
}

/// Removes what killed processes left more than an hour ago: temporaries, and records whose claim never came.
/// Returns how many.
pub fn sweep(home: &Home, now: DateTime<Utc>) -> Result<usize> {
    sweep_beside(home, now, ProcessId::is_alive)
}

/// [`sweep`] beside those claimants that live.
fn sweep_beside(home: &Home, now: DateTime<Utc>, is_alive: fn(ProcessId) -> bool) -> Result<usize> {
    let removed = orphaned_records(home, now, is_alive)?;
    let handed_over = persist::sweep_debris_below(&home.handoff(), now)?;
    Ok(removed + handed_over + persist::sweep_debris_below(&home.inboxes(), now)?)
}

fn orphaned_records(home: &Home, now: DateTime<Utc>, is_alive: fn(ProcessId) -> bool) -> Result<usize> {
    let (names, _) = persist::list(&home.claims())?;
    let mut removed = 0;
    for name in names.iter().filter_map(|name| name.strip_suffix(".json")?.parse::<EnvelopeName>().ok()) {
        if names.binary_search(&name.to_string()).is_ok() {
            continue;
        }
        // One that is young may belong to a claimant at work, and one whose claimant lives does: a wall clock that was
        // set makes it young or old by years.
        let record = ClaimRecord::load(home, name)?;
        if (now - record.ts).abs() > TimeDelta::hours(1) && !record.claimant.is_some_and(is_alive) {
            removed += usize::from(persist::remove(&record::path(home, name))?);
        }
    }
    Ok(removed)
}

/// One delivery under way.
pub(super) struct Work<'a> {
    home: &'a Home,
    claim: &'a Claim,
    /// Known from the archive step on.
    envelope: Vec<u8>,
    delivery: Delivery,
}

impl<'a> Work<'a> {
    pub(super) fn new(home: &'a Home, claim: &'a Claim) -> Self {
        let outcome = Outcome::Delivered;
        let delivery = Delivery { name: claim.name, to: claim.to(), outcome };
        Self { home, claim, envelope: Vec::new(), delivery }
    }

    pub(super) fn perform(&mut self, step: Step) -> Result<()> {
        match step {
            Step::RemoveSource => self.remove_source(),
            Step::Archive => self.archive(),
            Step::Inbox => self.inbox(),
            Step::RemoveClaim => persist::remove(&self.claim.path(self.home)).map(drop).map_err(Into::into),
            Step::RemoveRecord => {
                persist::remove(&record::path(self.home, self.claim.name)).map(drop).map_err(Into::into)
            }
        }
    }

    /// The order of a deliberately broken build: a kill before the last step loses what the archive is for.
    fn archive_last(mut self) -> Result<Delivery> {
        self.remove_source()?;
        self.envelope = self.composed()?;
        for step in [Step::Inbox, Step::RemoveClaim, Step::RemoveRecord] {
            failpoint::reach("deliver.step");
            self.perform(step)?;
        }
        failpoint::reach("deliver.step");
        persist::publish(&self.archived(), &self.envelope)?;
        Ok(self.delivery)
    }

    fn by_another(mut self) -> Result<Delivery> {
        self.delivery.outcome = Outcome::ByAnother;
        // The claim is asked first: it goes after the archive has the envelope.
        if is_there(&self.claim.path(self.home))? || is_there(&self.archived())? {
            Ok(self.delivery)
        } else {
            Err(HandoffError::ClaimGone { id: self.claim.id() })
        }
    }

    fn archived(&self) -> std::path::PathBuf {
        self.home.archive().join(self.claim.name.file())
    }

    fn remove_source(&self) -> Result<()> {
        // Once archived it is delivered whatever happens, so it is not withdrawn any more; and what was renamed left
        // nothing behind, whatever has become of the place where it lay.
        if is_there(&self.archived())? || self.claim.was_renamed(self.home) {
            return Ok(());
        }
        match claim::remove_source(self.claim) {
            Ok(_) => Ok(()),
            Err(error @ HandoffError::SourceNotRemovable { .. }) => {
                claim::withdraw(self.home, self.claim)?;
                Err(error)
            }
            Err(error) => Err(error),
        }
    }

    fn archive(&mut self) -> Result<()> {
        let path = self.archived();
        // The archive is believed before the claim: a writer may still have had the claimed file open.
        if let Loaded::Present(bytes) = Envelope::load_bytes(&self.home.archive(), self.claim.name)? {
            self.envelope = bytes;
            return Ok(());
        }
        self.envelope = self.composed()?;
        match persist::publish(&path, &self.envelope)? {
            Published::New => Ok(()),
            Published::Existed => {
                let why = "it appeared while it was written".to_owned();
                Err(HandoffError::EnvelopeCorrupt { path, why })
            }
        }
    }

    fn composed(&self) -> Result<Vec<u8>> {
        let Claim { name, record } = self.claim;
        let content = self.claim.read(self.home)?;
        let envelope = Envelope::new(name.id, name.from, record.to, &content, record.generation, record.ts);
        Ok(persist::to_line(&envelope, &self.archived())?)
    }

    fn inbox(&mut self) -> Result<()> {
        let inbox = Inbox::of(self.home, self.claim.to());
        inbox.prove()?;
        if let Some(place) = inbox.place_of_name(self.claim.name)? {
            self.delivery.outcome = Outcome::Already(place);
            return Ok(());
        }
        let dir = inbox.dir(Place::Delivered);
        persist::make_own_dir(&dir)?;
        if persist::publish(&dir.join(self.claim.name.file()), &self.envelope)? == Published::Existed {
            self.delivery.outcome = Outcome::Already(Place::Delivered);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
