//! Recovery: what whoever takes the lock does first for commands that were killed.
//!
//! Restarts without an end are recorded as interrupted, and what was claimed and not delivered is delivered. A restart
//! takes the parts, because it has a record and a claim of its own to spare.

use chrono::{DateTime, Utc};

use crate::events::Event;
use crate::handoff::claim::Claim;
use crate::handoff::{self, deliver};
use crate::id::{EnvelopeId, RestartId};
use crate::lock::Lock;
use crate::name::AgentName;
use crate::paths::Home;
use crate::persist::PersistError;
use crate::process::ProcessId;
use crate::state::spawned::Spawned;
use crate::status::Store;

use super::trouble::chain;

/// What became of what earlier commands had claimed.
#[derive(Debug, Default)]
pub struct Recovered {
    /// How many were delivered.
    pub delivered: usize,
    /// Those that were not, each with why: one loud line each, or a hand-over would wait unnoticed.
    pub stuck: Vec<String>,
    /// Those that wait for the next agent0, because the one that was to go lives.
    pub waiting: Vec<EnvelopeId>,
}

/// Everything that earlier commands left. A claim that cannot be delivered is noted and kept.
///
/// # Errors
/// A record could not be closed, or the claims cannot be read at all.
pub fn recover(home: &Home, held: &Lock, now: DateTime<Utc>) -> handoff::Result<Recovered> {
    close_records(home, held, None)?;
    deliver_all_but(home, None, now)
}

/// Restarts that have not ended and never will, but for the holder's own, are interrupted from now on: without this
/// their files would say for ever that they are under way.
///
/// # Errors
/// The records cannot be read or written.
pub fn close_records(home: &Home, held: &Lock, own: Option<RestartId>) -> Result<(), PersistError> {
    for record in Store::of(home, usize::MAX).settle(held, own)? {
        Event::new("restart-interrupted").with("id", record.id).log(home);
    }
    Ok(())
}

/// Delivers what earlier commands claimed, beside a claim that is to be delivered when its time has come, and what a
/// restart claimed for an agent0 that is yet to come.
///
/// # Errors
/// The claims cannot be read at all.
pub fn deliver_all_but(
    home: &Home,
    own: Option<EnvelopeId>,
    now: DateTime<Utc>,
) -> handoff::Result<Recovered> {
    let spawned = Spawned::load(home)?;
    let mut waiting = Vec::new();
    let mut is_due = |claim: &Claim| {
        let waits = is_for_the_next(claim, &spawned);
        let is_own = Some(claim.id()) == own;
        waiting.extend((waits && !is_own).then_some(claim.id()));
        !is_own && !waits
    };
    let replay = deliver::replay(home, &mut is_due)?;
    for delivery in &replay.delivered {
        Event::new("handoff-recovered").with("envelope", delivery.name).with("to", delivery.to).log(home);
    }
    let mut stuck = Vec::new();
    for (claim, error) in &replay.failed {
        let why = chain(error);
        Event::new("handoff-stuck").with("id", claim.id()).with("why", &why).log(home);
        stuck.push(format!(
            "the text {} for {} could not be delivered and is kept: {why}",
            claim.id(),
            claim.to()
        ));
    }
    deliver::sweep(home, now)?;
    Ok(Recovered { delivered: replay.delivered.len(), stuck, waiting })
}

/// Whether a restart that never came to spawn claimed it: then it is not for the agent0 that was to go and still runs.
pub fn is_for_the_next(claim: &Claim, spawned: &Spawned) -> bool {
    let (Some(root), Some(generation)) = (spawned.agents.get(&AgentName::ROOT), claim.generation()) else {
        return false;
    };
    let process = root.pane.as_ref().and_then(|pane| pane.process);
    let was_spawned = spawned.agents.values().any(|spawn| spawn.generation == generation);
    claim.to().is_root()
        && !was_spawned
        && root.generation < generation
        && process.is_some_and(ProcessId::is_alive)
}
