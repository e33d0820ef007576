//! `state/owner-epochs.json`: counters that end every stale marker.
//!
//! An owner's verb raises them as its first durable write; nobody else does. They never go down.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::name::AgentName;
use crate::paths::Home;
use crate::persist::{self, PersistError, StateFile};

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
    /// Raises the counters of `scope` and makes that durable. Counters that were lost begin again above all that can
    /// have been counted, so that no marker from before is newer.
    pub fn raise(home: &Home, scope: Scope<'_>, now: DateTime<Utc>) -> Result<(), PersistError> {
        let epochs = persist::load_or(&home.owner_epochs(), || Self::after_a_loss(now))?;
        persist::store(&home.owner_epochs(), &epochs.unwrap_or_default().raised(scope))
    }

    fn after_a_loss(now: DateTime<Utc>) -> Self {
        Self { all: now.timestamp_millis().unsigned_abs(), ..Self::default() }
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

    #[test]
    fn epochs_that_were_lost_do_not_begin_again_at_zero() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::locate(Some(&dir.path().join("h")), None, None).unwrap();
        home.create().unwrap();
        let read = || persist::load::<OwnerEpochs>(&home.owner_epochs()).unwrap();
        let (mut last, mut now) = (0, crate::clock::utc_now());
        for lost in [false, true, false, true] {
            if lost {
                persist::replace(&home.owner_epochs(), b"{").unwrap();
            }
            now += chrono::TimeDelta::seconds(1);
            OwnerEpochs::raise(&home, Scope::All, now).unwrap();
            let epochs = read().present().unwrap();
            assert!(epochs.of(AgentName::ROOT) > last, "{epochs:?} after {last}");
            last = epochs.of(AgentName::ROOT);
        }
    }
}
