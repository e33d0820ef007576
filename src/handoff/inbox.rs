//! The inbox of one agent: delivered, shown (`cur/`), taken (`done/`). Step 4 of the protocol.
//!
//! An envelope only ever moves forward, by one rename, and is never deleted here; whoever looks in more than one place
//! looks in that order. Into a context it comes at least once: what is known about showing is written after the
//! showing, so a crash repeats and never skips.

use std::fmt;
use std::path::PathBuf;

use chrono::{DateTime, Utc};

use super::copies;
use super::envelope::{Envelope, EnvelopeName};
use super::fence::Pending;
use super::parts::{self, Part};
use super::shown::{self, Progress, Shown};
use super::{HandoffError, Listing, Result, is_there};
use crate::failpoint::{self, Step};
use crate::id::{EnvelopeId, Generation};
use crate::name::AgentName;
use crate::paths::Home;
use crate::persist;

/// Where an envelope is. Sorts in the order in which it moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// Durable in the inbox and not yet (wholly) shown.
    Delivered,
    /// Shown to some generation.
    Shown,
    /// The turn it was shown in ended with an answer, or it was marked done.
    Taken,
}

impl Place {
    /// All, in the order in which an envelope moves.
    pub const ALL: [Self; 3] = [Self::Delivered, Self::Shown, Self::Taken];
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Delivered => "delivered",
            Self::Shown => "shown",
            Self::Taken => "taken",
        })
    }
}

/// The inbox of one agent. That it exists on disk is not required.
#[derive(Debug, Clone)]
pub struct Inbox {
    home: Home,
    agent: AgentName,
}

/// Envelopes that wait to be shown or taken.
#[derive(Debug, Default)]
pub struct Waiting {
    /// Oldest first.
    pub names: Vec<(EnvelopeName, Place)>,
    /// Entries that are no envelopes.
    pub skipped: usize,
}

/// Envelopes that were read, ready for printing.
#[derive(Debug, Default)]
pub struct Batch {
    /// Oldest first.
    pub pending: Vec<Pending>,
    /// How many wait besides these.
    pub more: usize,
    /// Entries that are no envelopes.
    pub skipped: usize,
    /// Envelopes that cannot be read: not that there are none.
    pub unreadable: Vec<HandoffError>,
}

/// What is to be printed next.
#[derive(Debug, Default)]
pub struct Next {
    /// `None`: nothing waits.
    pub reading: Option<Reading>,
    /// How many envelopes wait besides this one.
    pub more: usize,
    /// Entries that are no envelopes.
    pub skipped: usize,
    /// Envelopes that cannot be read: not that there are none.
    pub unreadable: Vec<HandoffError>,
}

/// A part of an envelope. What is printed is [`super::fence::fenced_part`] of it.
#[derive(Debug)]
pub struct Reading {
    /// The envelope.
    pub pending: Pending,
    /// Which part of it, with its text.
    pub part: Part,
}

impl Inbox {
    /// The inbox of `agent`.
    pub fn of(home: &Home, agent: AgentName) -> Self {
        Self { home: home.clone(), agent }
    }

    /// The agents that have an inbox on disk, in order; and how many entries are no inboxes, links among them.
    pub fn agents(home: &Home) -> Result<(Vec<AgentName>, usize)> {
        let (names, skipped) = persist::list_dirs(&home.inboxes())?;
        let mut agents: Vec<AgentName> = names.iter().filter_map(|name| name.parse().ok()).collect();
        agents.sort_unstable();
        let strangers = names.len() - agents.len();
        Ok((agents, skipped + strangers))
    }

    /// That nothing but a directory lies where its directories are, or will be.
    ///
    /// # Errors
    /// One of them is a link or a file, and which.
    pub fn prove(&self) -> persist::Result<()> {
        persist::prove_own_dir(&self.home.inboxes())?;
        Place::ALL.iter().try_for_each(|place| persist::prove_own_dir(&self.dir(*place)))
    }

    /// Whose it is.
    pub fn agent(&self) -> AgentName {
        self.agent
    }

    pub(super) fn dir(&self, place: Place) -> PathBuf {
        let inbox = self.home.inbox(self.agent);
        match place {
            Place::Delivered => inbox,
            Place::Shown => inbox.join("cur"),
            Place::Taken => inbox.join("done"),
        }
    }

    /// What is in one place, oldest first.
    pub fn list(&self, place: Place) -> Result<Listing> {
        persist::prove_own_dir(&self.home.inboxes())?;
        let below: &[&str] = if place == Place::Delivered { &["cur", "done"] } else { &[] };
        Listing::of(&self.dir(place), below)
    }

    /// Where the envelope of that id is, and its name.
    pub fn find(&self, id: EnvelopeId) -> Result<Option<(EnvelopeName, Place)>> {
        for place in Place::ALL {
            if let Some(name) = self.list(place)?.names.into_iter().find(|name| name.id == id) {
                return Ok(Some((name, place)));
            }
        }
        Ok(None)
    }

    /// Where the envelope of that id is.
    pub fn place_of(&self, id: EnvelopeId) -> Result<Option<Place>> {
        Ok(self.find(id)?.map(|(_, place)| place))
    }

    /// Where the envelope of that name is. Asked in the order in which it moves, so that it cannot slip past; and by
    /// its name alone, which costs the same however many there are.
    pub(super) fn place_of_name(&self, name: EnvelopeName) -> Result<Option<Place>> {
        for place in Place::ALL {
            if is_there(&self.dir(place).join(name.file()))? {
                return Ok(Some(place));
            }
        }
        Ok(None)
    }

    /// Reads an envelope wherever it is.
    ///
    /// # Errors
    /// There is none of that id, or it is not what its name says.
    pub fn read(&self, id: EnvelopeId) -> Result<Envelope> {
        let missing = || HandoffError::NotInInbox { agent: self.agent, id };
        let (name, _) = self.find(id)?.ok_or_else(missing)?;
        self.load(name)?.ok_or_else(missing)
    }

    fn load(&self, name: EnvelopeName) -> Result<Option<Envelope>> {
        for place in Place::ALL {
            if let Some(envelope) = copies::in_inbox(&self.home, &self.dir(place), name)? {
                return Ok(Some(envelope));
            }
        }
        Ok(None)
    }

    /// Everything that is not taken: what a fresh context (start, clear, compact) is shown.
    pub fn not_taken(&self) -> Result<Waiting> {
        let Listing { names, skipped } = self.list(Place::Delivered)?;
        let mut waiting = Waiting { skipped, ..Waiting::default() };
        waiting.names.extend(names.into_iter().map(|name| (name, Place::Delivered)));
        let shown = self.list(Place::Shown)?;
        waiting.skipped += shown.skipped;
        waiting.names.extend(shown.names.into_iter().map(|name| (name, Place::Shown)));
        // One that moved in between was seen in both places.
        if !failpoint::leaves_out(Step::Order) {
            waiting.names.sort_unstable();
        }
        waiting.names.dedup_by_key(|(name, _)| *name);
        Ok(waiting)
    }

    /// What is not taken and was not wholly shown to `reader`: what is due at a prompt.
    pub fn not_shown_to(&self, reader: Option<Generation>) -> Result<Waiting> {
        let mut waiting = self.not_taken()?;
        let mut due = Vec::with_capacity(waiting.names.len());
        for (name, place) in std::mem::take(&mut waiting.names) {
            if place == Place::Delivered || !self.is_shown_to(name.id, reader)? {
                due.push((name, place));
            }
        }
        waiting.names = due;
        Ok(waiting)
    }

    fn is_shown_to(&self, id: EnvelopeId, reader: Option<Generation>) -> Result<bool> {
        let shown = shown::load(&self.home, self.agent, id)?;
        Ok(shown.is_some_and(|shown| shown.is_whole_for(reader)))
    }

    /// Reads the oldest `most` of what waits. What cannot be understood is moved aside, what cannot be read is
    /// reported: neither keeps the others waiting.
    pub fn open(&self, waiting: Waiting, most: usize) -> Result<Batch> {
        let Waiting { names, skipped } = waiting;
        let mut batch = Batch { skipped, ..Batch::default() };
        let mut names = names.into_iter();
        while batch.pending.len() < most {
            let Some((name, place)) = names.next() else { break };
            match self.load(name) {
                Ok(Some(envelope)) => batch.pending.push(self.pending(envelope, place)),
                // It lies aside, or was taken meanwhile and retention was quick.
                Ok(None) => {}
                Err(error) if error.is_odd() => batch.skipped += 1,
                Err(error) => batch.unreadable.push(error),
            }
        }
        batch.more = names.len();
        Ok(batch)
    }

    fn pending(&self, envelope: Envelope, place: Place) -> Pending {
        let archived = self.home.archive().join(envelope.name().file());
        // The archive is pruned by count; what still waits here is not.
        let path = if archived.exists() { archived } else { self.dir(place).join(envelope.name().file()) };
        Pending { envelope, path, shown_before: place == Place::Shown }
    }

    /// The part that `reader` is to be printed next: of the oldest envelope that it was not wholly shown, the first
    /// part that it was not printed. Follow the printing with [`Inbox::printed`].
    pub fn next(&self, reader: Option<Generation>, part_bytes: usize) -> Result<Next> {
        let Batch { mut pending, more, skipped, unreadable } = self.open(self.not_shown_to(reader)?, 1)?;
        let mut next = Next { reading: None, more, skipped, unreadable };
        let Some(pending) = pending.pop() else { return Ok(next) };
        let parts = parts::split(&parts::visible(&pending.envelope), part_bytes);
        let shown = shown::load(&self.home, self.agent, pending.envelope.id)?;
        // Parts of another size are other parts.
        let progress = shown.and_then(|shown| shown.of(reader)).filter(|progress| progress.of == parts.len());
        let printed = progress.map_or(0, |progress| progress.printed);
        let last = parts.len().saturating_sub(1);
        let part = parts.into_iter().nth(printed.min(last));
        next.reading = part.map(|part| Reading { pending, part });
        Ok(next)
    }

    /// Remembers that a part was printed; after the last one the envelope counts as shown.
    pub fn printed(&self, reading: &Reading, reader: Option<Generation>, now: DateTime<Utc>) -> Result<()> {
        let Reading { pending, part } = reading;
        let progress = Progress { printed: part.number, of: part.of };
        self.remember(pending.envelope.name(), reader, progress, now)
    }

    /// Remembers that an envelope was printed whole. One that is taken stays taken.
    ///
    /// # Errors
    /// There is none of that name, or the system refused.
    pub fn mark_shown(
        &self,
        name: EnvelopeName,
        reader: Option<Generation>,
        now: DateTime<Utc>,
    ) -> Result<()> {
        self.remember(name, reader, Progress { printed: 1, of: 1 }, now)
    }

    fn remember(
        &self,
        name: EnvelopeName,
        reader: Option<Generation>,
        progress: Progress,
        now: DateTime<Utc>,
    ) -> Result<()> {
        let missing = || HandoffError::NotInInbox { agent: self.agent, id: name.id };
        let place = self.place_of_name(name)?.ok_or_else(missing)?;
        if place == Place::Taken {
            return Ok(());
        }
        let before = shown::load(&self.home, self.agent, name.id)?;
        let shown = Shown::after(before, reader, progress, now);
        shown::store(&self.home, self.agent, name.id, &shown)?;
        if place == Place::Delivered && progress.is_whole() {
            self.shift(name, Place::Delivered, Place::Shown)?;
        }
        Ok(())
    }

    /// Marks an envelope taken, whether or not it was shown. Twice is once.
    ///
    /// # Errors
    /// There is none of that id, or the system refused.
    pub fn mark_taken(&self, id: EnvelopeId) -> Result<()> {
        let missing = || HandoffError::NotInInbox { agent: self.agent, id };
        let (name, _) = self.find(id)?.ok_or_else(missing)?;
        self.take(name)
    }

    fn take(&self, name: EnvelopeName) -> Result<()> {
        // From where it was found it may have moved on, so each place is tried in its order.
        for from in [Place::Delivered, Place::Shown] {
            if self.shift(name, from, Place::Taken)? {
                break;
            }
        }
        shown::forget(&self.home, self.agent, name.id)
    }

    /// The turn of `reader` ended with an answer: what it was shown is taken. Returns what moved.
    pub fn take_shown(&self, reader: Option<Generation>) -> Result<Vec<EnvelopeName>> {
        let mut taken = Vec::new();
        for name in self.list(Place::Shown)?.names {
            if self.is_shown_to(name.id, reader)? {
                self.take(name)?;
                taken.push(name);
            }
        }
        Ok(taken)
    }

    fn shift(&self, name: EnvelopeName, from: Place, to: Place) -> Result<bool> {
        let target = self.dir(to);
        persist::make_own_dir(&target)?;
        Ok(persist::rename(&self.dir(from).join(name.file()), &target.join(name.file()))?)
    }
}

#[cfg(test)]
mod tests;
