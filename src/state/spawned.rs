//! `state/agents.json`: what was last spawned, written before and after a spawn.
//!
//! An entry without a pane was about to be spawned, or spawned before the last boot: process and tmux ids of another
//! boot mean nothing and are left out when the file is read. A generation that is revoked is dead whatever a tmux server that
//! was frozen carries out late; what runs under it is ended by the next command that writes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::id::Generation;
use crate::name::AgentName;
use crate::paths::Home;
use crate::persist::{self, PersistError, StateFile};
use crate::process::{self, ProcessId};
use crate::state::desired::DesiredAgent;
use crate::status::ReadyBy;

/// One spawn of one agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spawn {
    /// Its generation.
    pub generation: Generation,
    /// The profile's name.
    #[serde(rename = "type")]
    pub profile: String,
    /// Whether that was asked for on the command line; older versions did not write it.
    #[serde(default)]
    pub from_flag: bool,
    /// The number in its marker.
    pub session_number: u64,
    /// Where it works.
    pub workdir: PathBuf,
    /// When it was asked for.
    #[serde(with = "crate::clock::stamped")]
    pub at: DateTime<Utc>,
    /// What tmux made of it; `None` while that is not known.
    pub pane: Option<SpawnedPane>,
    /// When and by what it was seen up first; `None`: not yet.
    #[serde(default)]
    pub ready: Option<Ready>,
    /// The CLI's own session id, as its hooks reported it.
    #[serde(default)]
    pub cli_session: Option<String>,
}

impl Spawn {
    /// What should run where nobody knows better than that this does.
    pub fn as_desired(&self) -> DesiredAgent {
        DesiredAgent { profile: self.profile.clone(), from_flag: self.from_flag }
    }
}

/// That an agent came up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ready {
    /// When it was seen.
    #[serde(with = "crate::clock::stamped")]
    pub at: DateTime<Utc>,
    /// What proved it.
    pub by: ReadyBy,
}

/// The pane of an agent, by what cannot be mistaken for a namesake.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpawnedPane {
    /// tmux session id, `$3`.
    pub session: String,
    /// tmux pane id, `%7`.
    pub pane: String,
    /// Process id of the tmux server: ids of another server mean nothing.
    pub server: i32,
    /// The pane's process; `None` where it was gone before it could be looked at.
    pub process: Option<ProcessId>,
}

/// All that was last spawned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spawned {
    version: u64,
    /// The last spawn of each agent.
    pub agents: BTreeMap<AgentName, Spawn>,
    /// The tmux server they were last spawned in, if netsky started it: it is found again when its socket is gone.
    #[serde(default)]
    pub server: Option<ProcessId>,
    /// Generations that must not run.
    #[serde(default)]
    pub revoked: BTreeSet<Generation>,
    /// In which boot it was written.
    #[serde(default)]
    boot: Option<String>,
}

impl StateFile for Spawned {}

/// So many revoked generations are remembered.
const REVOKED_KEPT: usize = 64;

impl Default for Spawned {
    fn default() -> Self {
        Self {
            version: Self::VERSION,
            agents: BTreeMap::new(),
            server: None,
            revoked: BTreeSet::new(),
            boot: None,
        }
    }
}

impl Spawned {
    /// Reads it; nothing was spawned where there is no file.
    pub fn load(home: &Home) -> Result<Self, PersistError> {
        let spawned: Self = super::load_or_default(&home.agents())?;
        Ok(spawned.in_boot(process::boot_id()))
    }

    /// The same for who has nobody to tell that it could not be understood: it stays where it is. `None`: there is none
    /// that can be understood.
    pub fn look(home: &Home) -> Option<Self> {
        let spawned: Self = persist::look(&home.agents())?;
        Some(spawned.in_boot(process::boot_id()))
    }

    /// What is left of it in that boot of the machine. A file of an older version does not say of which one it is.
    fn in_boot(mut self, boot: Option<String>) -> Self {
        if self.boot.is_some() && self.boot != boot {
            self.server = None;
            self.agents.values_mut().for_each(|spawn| spawn.pane = None);
        }
        Self { boot, ..self }
    }

    /// Makes it durable.
    pub fn store(&self, home: &Home) -> Result<(), PersistError> {
        persist::store(&home.agents(), self)
    }

    /// The generation that counts for an agent, if one does.
    pub fn generation(&self, name: AgentName) -> Option<Generation> {
        self.agents
            .get(&name)
            .map(|spawn| spawn.generation)
            .filter(|generation| !self.revoked.contains(generation))
    }

    /// The number for the next marker of an agent: counted on for ever.
    pub fn next_session_number(&self, name: AgentName) -> u64 {
        self.agents.get(&name).map_or(1, |spawn| spawn.session_number.saturating_add(1))
    }

    /// A new generation, after all that are known and the newest that something was `claimed` for, whatever the clock says.
    pub fn next_generation(&self, claimed: Option<Generation>) -> Generation {
        let spawned = self.agents.values().map(|spawn| spawn.generation);
        Generation::fresh_after(spawned.chain(self.revoked.iter().copied()).chain(claimed).max())
    }

    /// Has nothing count that may still be made of these agents in that generation. Where others of it live, those go on
    /// to: what is given up gets a generation of which nothing is made.
    pub fn give_up(&mut self, generation: Generation, agents: &[AgentName]) {
        let lives = self.agents.iter().any(|(name, spawn)| {
            spawn.generation == generation && spawn.pane.is_some() && !agents.contains(name)
        });
        if !lives {
            self.revoke(generation);
            return;
        }
        let unused = self.next_generation(None);
        for (_, spawn) in self.agents.iter_mut().filter(|(name, _)| agents.contains(name)) {
            spawn.generation = unused;
        }
    }

    /// Ends a generation on paper; the oldest revocations are forgotten.
    pub fn revoke(&mut self, generation: Generation) {
        self.revoked.insert(generation);
        while self.revoked.len() > REVOKED_KEPT {
            self.revoked.pop_first();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spawn(generation: Generation, pane: Option<SpawnedPane>) -> Spawn {
        Spawn {
            generation,
            profile: "demo".into(),
            from_flag: false,
            session_number: 3,
            workdir: "/".into(),
            at: crate::clock::utc_now(),
            pane,
            ready: None,
            cli_session: None,
        }
    }

    #[test]
    fn what_is_given_up_counts_no_more_and_those_of_its_generation_that_live_do() {
        let generation = Generation::fresh();
        let (up, next, last) = (AgentName::ROOT, AgentName::Numbered(1), AgentName::Numbered(2));
        let pane = SpawnedPane { session: "$1".into(), pane: "%1".into(), server: 1, process: None };
        let mut spawned = Spawned::default();
        spawned.agents.insert(up, spawn(generation, Some(pane)));
        spawned.agents.extend([next, last].map(|name| (name, spawn(generation, None))));
        spawned.give_up(generation, &[next, last]);
        assert_eq!(spawned.generation(up), Some(generation));
        assert!([next, last].iter().all(|name| spawned.generation(*name) > Some(generation)));
        spawned.give_up(generation, &[up]);
        assert_eq!(spawned.generation(up), None);
    }

    #[test]
    fn a_revoked_generation_counts_for_nobody_and_numbers_go_on() {
        let generation = Generation::fresh();
        let spawn = spawn(generation, None);
        let mut spawned = Spawned::default();
        assert_eq!(spawned.next_session_number(AgentName::ROOT), 1);
        spawned.agents.insert(AgentName::ROOT, spawn);
        assert_eq!(spawned.generation(AgentName::ROOT), Some(generation));
        spawned.revoke(generation);
        assert_eq!(spawned.generation(AgentName::ROOT), None);
        assert_eq!(spawned.next_session_number(AgentName::ROOT), 4);
    }

    #[test]
    fn only_so_many_revocations_are_remembered_and_the_newest_stay() {
        let mut spawned = Spawned::default();
        let last = (0..=REVOKED_KEPT).map(|_| Generation::fresh()).max().unwrap();
        spawned.revoke(last);
        for _ in 0..REVOKED_KEPT {
            spawned.revoke("01ARZ3NDEKTSV4RRFFQ69G5FAV".parse().unwrap());
        }
        assert!(spawned.revoked.contains(&last));
    }

    #[test]
    fn a_file_of_the_first_version_loads() {
        let text = include_bytes!("../../tests/formats/v1/agents.json");
        let spawned: Spawned = persist::parse(text).unwrap();
        assert!(spawned.agents[&AgentName::ROOT].pane.is_some());
        assert!(spawned.in_boot(Some("x".into())).agents[&AgentName::ROOT].pane.is_some());
    }

    #[test]
    fn processes_of_another_boot_are_nobodys() {
        let text = include_bytes!("../../tests/formats/v1/agents.json");
        let spawned: Spawned = persist::parse(text).unwrap();
        let generation = spawned.generation(AgentName::ROOT);
        let server = ProcessId::own();
        let spawned = Spawned { server, boot: Some("one".to_owned()), ..spawned };
        assert_eq!(spawned.clone().in_boot(Some("one".to_owned())), spawned);
        let after = spawned.in_boot(Some("two".to_owned()));
        assert_eq!((after.server, after.agents[&AgentName::ROOT].pane.clone()), (None, None));
        assert_eq!((after.generation(AgentName::ROOT), after.boot.as_deref()), (generation, Some("two")));
    }

    #[test]
    fn the_next_generation_comes_after_those_that_ran_and_those_that_must_not() {
        let mut spawned = Spawned::default();
        let later: Generation = "03KQ4DHK000000000000000000".parse().unwrap();
        spawned.revoke(later);
        assert!(spawned.next_generation(None) > later);
        assert!(Spawned::default().next_generation(Some(later)) > later);
    }
}
