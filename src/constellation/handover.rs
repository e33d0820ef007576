//! The hand-over of a restart: which one it is, its claim before anything is torn down, its delivery once agent0 is
//! up.

use chrono::{DateTime, Utc};

use crate::events::Event;
use crate::handoff::claim::{self, Address, Claim, Claimed};
use crate::handoff::source::Source;
use crate::handoff::{Result, draft, retention};
use crate::id::Generation;
use crate::name::{Actor, AgentName};
use crate::paths::Home;
use crate::status::{HandoffRecord, HandoffState};

/// What was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// What was given: a file, standard input, or expressly none.
    Given(Source),
    /// agent0's draft, if it was written in the generation that ends.
    Draft,
}

/// Claims the hand-over of a restart. `ending` is the generation of the agent0 that runs before it, `generation` that of
/// the one it is for.
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
                ending.map(|ending| draft::source(home, AgentName::ROOT, ending, now)).transpose()?.flatten();
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

/// Prunes the archive and what was taken. That it fails loses nothing.
pub fn prune(home: &Home, keep: usize) {
    if let Err(error) = retention::prune(home, keep) {
        Event::new("prune-failed").with("why", error).log(home);
    }
}
