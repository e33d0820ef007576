//! The hand-over of a restart: which one it is, its claim before anything is torn down, its delivery once agent0 is
//! up.

use chrono::{DateTime, Utc};

use crate::events::Event;
use crate::handoff::claim::{self, Address, Claim, Claimed};
use crate::handoff::source::Source;
use crate::handoff::{Result, deliver, draft, retention};
use crate::id::{EnvelopeId, Generation};
use crate::name::{Actor, AgentName};
use crate::paths::Home;
use crate::process::ProcessId;
use crate::state::spawned::Spawned;
use crate::status::{HandoffRecord, HandoffState};

/// What was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// What was given: a file, standard input, or expressly none.
    Given(Source),
    /// agent0's draft, if it was written in the generation that ends.
    Draft,
}

/// Claims the hand-over of a restart. `ending` is the generation of the agent0 that is about to be torn down.
///
/// # Errors
/// It was named and cannot be taken whole. Nothing was torn down.
pub fn claim(
    home: &Home,
    wanted: &Wanted,
    actor: Actor,
    ending: Option<Generation>,
    generation: Generation,
    limit: u64,
    now: DateTime<Utc>,
) -> Result<Option<Claim>> {
    let (source, from) = match wanted {
        Wanted::Given(source) => (source.clone(), actor),
        Wanted::Draft => {
            let draft =
                ending.map(|ending| draft::source(home, AgentName::ROOT, ending)).transpose()?.flatten();
            let Some(draft) = draft else { return Ok(None) };
            (draft, Actor::Agent(AgentName::ROOT))
        }
    };
    let address = Address { from, to: AgentName::ROOT, generation: Some(generation) };
    Ok(match claim::claim(home, &source, address, limit, now)? {
        Claimed::None => None,
        Claimed::Claimed(claim) => Some(claim),
        Claimed::Pending(claim) => {
            Event::new("handoff-pending").with("id", claim.id()).log(home);
            Some(claim)
        }
    })
}

/// A claim as the record of a restart holds it.
pub fn record(claim: &Claim, state: HandoffState) -> HandoffRecord {
    HandoffRecord { id: claim.id(), state, envelope: claim.name().file() }
}

/// Delivers what earlier commands claimed and did not get to deliver. What fails is noted and kept, and so is what a
/// restart claimed for an agent0 that is yet to come.
///
/// # Errors
/// The claims cannot be read at all.
pub fn recover(home: &Home, now: DateTime<Utc>) -> Result<usize> {
    recover_all_but(home, None, now)
}

/// [`recover`] beside a claim that is to be delivered when its time has come.
///
/// # Errors
/// As [`recover`].
pub fn recover_all_but(home: &Home, own: Option<EnvelopeId>, now: DateTime<Utc>) -> Result<usize> {
    let (spawned, _) = Spawned::load(home)?;
    let mut is_due = |claim: &Claim| Some(claim.id()) != own && !is_for_the_next(claim, &spawned);
    let replay = deliver::replay(home, &mut is_due)?;
    for delivery in &replay.delivered {
        Event::new("handoff-recovered").with("envelope", delivery.name).with("to", delivery.to).log(home);
    }
    for (claim, error) in &replay.failed {
        Event::new("handoff-stuck").with("id", claim.id()).with("why", error).log(home);
    }
    for moved in &replay.moved_aside {
        Event::new("moved-aside").with("why", moved).log(home);
    }
    deliver::sweep(home, now)?;
    Ok(replay.delivered.len())
}

/// Whether a restart that never came to spawn claimed it: then it is not for the agent0 that was to go and still runs.
fn is_for_the_next(claim: &Claim, spawned: &Spawned) -> bool {
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

/// Prunes the archive and what was taken. That it fails loses nothing.
pub fn prune(home: &Home, keep: usize) {
    if let Err(error) = retention::prune(home, keep) {
        Event::new("prune-failed").with("why", error).log(home);
    }
}
