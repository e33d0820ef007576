//! What of the past may go: step 5 of the protocol.
//!
//! The decision is pure and goes by id order alone, never by a file's time; an envelope with a live claim stays, and so
//! does whatever has a name that is not ours. What is not taken is never touched.

use std::collections::BTreeSet;

use super::envelope::EnvelopeName;
use super::inbox::{Inbox, Place};
use super::{Result, archive, claim, shown};
use crate::id::EnvelopeId;
use crate::name::AgentName;
use crate::paths::Home;
use crate::persist;

/// What is to be pruned, or was.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pruned {
    /// From the archive.
    pub archive: Vec<EnvelopeName>,
    /// From what an agent has taken.
    pub taken: Vec<(AgentName, EnvelopeName)>,
}

/// All but the newest `keep`, less those with a live claim, oldest first.
pub fn to_prune(names: &[EnvelopeName], live: &BTreeSet<EnvelopeId>, keep: usize) -> Vec<EnvelopeName> {
    let mut names = names.to_vec();
    names.sort_unstable();
    let surplus = names.len().saturating_sub(keep);
    names.into_iter().take(surplus).filter(|name| !live.contains(&name.id)).collect()
}

/// What [`prune`] would do; writes nothing.
pub fn plan(home: &Home, keep: usize) -> Result<Pruned> {
    let archived = archive::list(home)?.names;
    let mut taken = Vec::new();
    for agent in Inbox::agents(home)?.0 {
        taken.push((agent, Inbox::of(home, agent).list(Place::Taken)?.names));
    }
    // The claims last: whatever is listed above had its claim before.
    let live: BTreeSet<EnvelopeId> = claim::pending(home)?.claims.iter().map(claim::Claim::id).collect();
    let of_agent = |(agent, names): (AgentName, Vec<EnvelopeName>)| {
        to_prune(&names, &live, keep).into_iter().map(move |name| (agent, name))
    };
    Ok(Pruned {
        archive: to_prune(&archived, &live, keep),
        taken: taken.into_iter().flat_map(of_agent).collect(),
    })
}

/// Prunes the archive and what was taken to `keep` envelopes each; returns what it removed.
pub fn prune(home: &Home, keep: usize) -> Result<Pruned> {
    let plan = plan(home, keep)?;
    // What was taken goes first, so that the archive has all that an inbox has.
    for (agent, name) in &plan.taken {
        persist::remove(&Inbox::of(home, *agent).dir(Place::Taken).join(name.file()))?;
    }
    for name in &plan.archive {
        persist::remove(&home.archive().join(name.file()))?;
    }
    for agent in Inbox::agents(home)?.0 {
        forget_what_is_gone(home, agent)?;
    }
    Ok(plan)
}

/// A reader killed between taking an envelope and forgetting what it was shown leaves a record.
fn forget_what_is_gone(home: &Home, agent: AgentName) -> Result<()> {
    let known = shown::list(home, agent)?;
    let waiting: BTreeSet<EnvelopeId> =
        Inbox::of(home, agent).not_taken()?.names.into_iter().map(|(name, _)| name.id).collect();
    for id in known.into_iter().filter(|id| !waiting.contains(id)) {
        shown::forget(home, agent, id)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
