//! `state/owner-epochs.json`: counters that end every stale marker.
//!
//! An owner's verb raises them as its first durable write; nobody else does. They never go down.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::name::AgentName;
use crate::paths::Home;
use crate::persist::{self, MovedAside, PersistError, StateFile};

/// One counter for all agents and one for each.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnerEpochs {
    version: u64,
    /// Raised by verbs on the whole constellation.
    pub all: u64,
    /// Raised by verbs that name the agent.
    pub agents: BTreeMap<AgentName, u64>,
}

impl StateFile for OwnerEpochs {}

impl Default for OwnerEpochs {
    fn default() -> Self {
        Self { version: Self::VERSION, all: 0, agents: BTreeMap::new() }
    }
}

/// What an owner's verb speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope<'a> {
    /// The whole constellation.
    All,
    /// These agents.
    Agents(&'a [AgentName]),
}

impl OwnerEpochs {
    /// Reads them; all zero where there is no file.
    pub fn load(home: &Home) -> Result<(Self, Option<MovedAside>), PersistError> {
        super::load_or_default(&home.owner_epochs())
    }

    /// Raises the counters of `scope` and makes that durable.
    pub fn raise(home: &Home, scope: Scope<'_>) -> Result<Option<MovedAside>, PersistError> {
        let (epochs, moved) = Self::load(home)?;
        persist::store(&home.owner_epochs(), &epochs.raised(scope))?;
        Ok(moved)
    }

    fn raised(mut self, scope: Scope<'_>) -> Self {
        match scope {
            Scope::All => self.all = self.all.saturating_add(1),
            Scope::Agents(names) => {
                for name in names {
                    let counter = self.agents.entry(*name).or_default();
                    *counter = counter.saturating_add(1);
                }
            }
        }
        self
    }

    /// The epoch of one agent: it grows with either counter.
    pub fn of(&self, name: AgentName) -> u64 {
        self.all.saturating_add(self.agents.get(&name).copied().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_verb_raises_the_epochs_of_those_it_names_and_of_no_other() {
        let (one, two) = (AgentName::Numbered(1), AgentName::Numbered(2));
        let epochs = OwnerEpochs::default().raised(Scope::Agents(&[one]));
        assert_eq!((epochs.of(one), epochs.of(two)), (1, 0));
        let epochs = epochs.raised(Scope::All);
        assert_eq!((epochs.of(one), epochs.of(two)), (2, 1));
    }
}
