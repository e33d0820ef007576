//! `state/desired.json`: what should run, since when, by which verb and whose.
//!
//! An owner's `down` empties it, so nothing revives what the owner took down. It never says what does run.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::name::{Actor, AgentName};
use crate::paths::Home;
use crate::persist::{self, PersistError, StateFile};

/// What should run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Desired {
    version: u64,
    /// The agents that should run.
    pub agents: BTreeMap<AgentName, DesiredAgent>,
    /// When this was decided; `None`: nobody has decided yet.
    #[serde(with = "crate::clock::stamped_option")]
    pub since: Option<DateTime<Utc>>,
    /// The verb that decided it: `up`, `restart`, `down`.
    pub verb: Option<String>,
    /// Whose decision it was.
    pub actor: Option<Actor>,
}

/// One agent that should run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DesiredAgent {
    /// The profile's name.
    #[serde(rename = "type")]
    pub profile: String,
    /// Whether it was asked for on the command line: then it holds until another is asked for there; else the
    /// configuration decides anew each time.
    pub from_flag: bool,
}

impl StateFile for Desired {}

impl Default for Desired {
    fn default() -> Self {
        Self { version: Self::VERSION, agents: BTreeMap::new(), since: None, verb: None, actor: None }
    }
}

impl Desired {
    /// Reads it; nothing is desired where there is no file.
    pub fn load(home: &Home) -> Result<Self, PersistError> {
        super::load_or_default(&home.desired())
    }

    /// Makes it durable.
    pub fn store(&self, home: &Home) -> Result<(), PersistError> {
        persist::store(&home.desired(), self)
    }

    /// The number of the last clone that should run; `None` where nothing should.
    pub fn clones(&self) -> Option<u32> {
        self.agents.keys().filter_map(|name| name.number()).max()
    }

    /// Notes who decided, with which verb, when.
    pub fn decided(mut self, verb: &str, actor: Actor, now: DateTime<Utc>) -> Self {
        self.since = Some(now);
        self.verb = Some(verb.to_owned());
        self.actor = Some(actor);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_are_counted_by_the_highest_number_and_absent_when_nothing_should_run() {
        let mut desired = Desired::default();
        assert_eq!(desired.clones(), None);
        for number in [0, 1, 3] {
            let agent = DesiredAgent { profile: "demo".into(), from_flag: true };
            desired.agents.insert(AgentName::Numbered(number), agent);
        }
        assert_eq!(desired.clones(), Some(3));
    }

    #[test]
    fn a_file_of_the_first_version_loads() {
        let text = include_bytes!("../../tests/formats/v1/desired.json");
        let desired: Desired = persist::parse(text).unwrap();
        assert_eq!(desired.agents.len(), 3);
    }
}
