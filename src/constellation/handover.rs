//! What an agent is handed when it takes another's place: what was given, or what its predecessor left as a draft.
//!
//! Both are claimed before anything new lives, and delivered from the claim.

use chrono::{DateTime, Utc};

use crate::events::Event;
use crate::handoff::claim::{self, Address, Claim, Claimed};
use crate::handoff::source::Source;
use crate::handoff::{Result, draft, retention};
use crate::id::Generation;
use crate::name::{Actor, AgentName};
use crate::paths::Home;
use crate::state::spawned::Spawned;
use crate::status::{HandoffRecord, HandoffState};

use super::trouble::chain;

/// For whom, and how much.
#[derive(Debug, Clone, Copy)]
pub struct Terms {
    /// The spawn that it is for.
    pub generation: Generation,
    /// Bytes.
    pub limit: u64,
    /// When.
    pub now: DateTime<Utc>,
}

/// Claims what was given for agent0.
///
/// # Errors
/// It cannot be taken whole. Nothing was torn down.
pub fn claim_given(home: &Home, source: &Source, from: Actor, terms: Terms) -> Result<Option<Claim>> {
    claim(home, source, from, AgentName::ROOT, terms)
}

/// Claims what the agent of that name has written for its successor, if it did in the generation that was spawned last.
///
/// # Errors
/// It cannot be taken whole, or cannot be taken away from where it lies.
pub fn claim_draft(home: &Home, spawned: &Spawned, agent: AgentName, terms: Terms) -> Result<Option<Claim>> {
    let ending = spawned.agents.get(&agent).map(|spawn| spawn.generation);
    let Some(draft) = draft::source(home, agent, ending, terms.now)? else { return Ok(None) };
    let claimed = claim(home, &draft, Actor::Agent(agent), agent, terms)?;
    if claimed.is_some() {
        forget(home, agent);
    }
    Ok(claimed)
}

/// Forgets whose a draft was. Where that cannot be, its record goes by what it was of all the same.
fn forget(home: &Home, agent: AgentName) {
    if let Err(error) = draft::forget(home, agent) {
        Event::new("draft-record-left").with("agent", agent).with("why", chain(&error)).log(home);
    }
}

/// What came of the drafts of several agents.
#[derive(Debug, Default)]
pub struct Drafts {
    /// What was claimed.
    pub claims: Vec<Claim>,
    /// What could not be, and stays where it lies: a line each.
    pub left: Vec<String>,
}

/// Claims the drafts of agents that have ended. That one cannot be taken keeps nobody from being spawned.
pub fn claim_drafts(
    home: &Home,
    spawned: &Spawned,
    agents: impl Iterator<Item = AgentName>,
    terms: Terms,
) -> Drafts {
    let mut drafts = Drafts::default();
    for agent in agents {
        match claim_draft(home, spawned, agent, terms) {
            Ok(claim) => drafts.claims.extend(claim),
            Err(error) => {
                let why = chain(&error);
                Event::new("draft-left").with("agent", agent).with("why", &why).log(home);
                // Without a record it is tried again with every change, whoever it was of.
                forget(home, agent);
                drafts.left.push(format!(
                    "the draft of the last {agent} was not handed on and stays where it is: {why}"
                ));
            }
        }
    }
    drafts
}

fn claim(
    home: &Home,
    source: &Source,
    from: Actor,
    to: AgentName,
    Terms { generation, limit, now }: Terms,
) -> Result<Option<Claim>> {
    let address = Address { from, to, generation: Some(generation) };
    Ok(match claim::claim(home, source, address, limit, now)? {
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
