//! Making agents: what they need on disk first, then all sessions in one conversation with tmux.
//!
//! The generation is durable before tmux is asked; ids and processes are durable before the phase is. If tmux does
//! not answer, the generation is revoked: what it carries out late ends at once, and the next command clears it away.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::agent::briefing::{self, Facts};
use crate::agent::hook::{HookTerms, spoken_name};
use crate::agent::launch::{self, LaunchOrder};
use crate::agent::profile::Profile;
use crate::clock;
use crate::config::{self, Config};
use crate::id::Generation;
use crate::name::AgentName;
use crate::paths::Home;
use crate::persist::{self, PersistError};
use crate::process::ProcessId;
use crate::state::environment::OwnerSurroundings;
use crate::state::spawned::{Spawn, Spawned, SpawnedPane};
use crate::tmux::{NewSession, NoAnswer, Refusal, Tmux};

use super::plan::Wish;

/// Agents could not be spawned.
#[derive(Debug, thiserror::Error)]
pub enum SpawnError {
    /// What they need could not be written.
    #[error("preparing {agent}")]
    Unprepared {
        /// Which.
        agent: AgentName,
        /// The write that failed.
        source: PersistError,
    },
    /// What was or is to be spawned could not be recorded.
    #[error("recording the spawn")]
    Unrecorded {
        /// The write that failed.
        #[from]
        source: PersistError,
    },
    /// tmux did not make them, or did not say; then the generation is revoked.
    #[error("making {count} sessions")]
    Tmux {
        /// How many.
        count: usize,
        /// What came back.
        source: NoAnswer,
    },
    /// tmux refused one.
    #[error("making the session of {agent}: tmux said: {}", refusal.words)]
    Refused {
        /// Whose, the first one.
        agent: AgentName,
        /// What it said.
        refusal: Refusal,
    },
}

/// What all spawns of one command share.
#[derive(Debug)]
pub struct Spawner<'a> {
    /// The home.
    pub home: &'a Home,
    /// The server.
    pub tmux: &'a Tmux,
    /// Its process.
    pub server: i32,
    /// Whether netsky set the server up.
    pub owns_server: bool,
    /// The settings.
    pub config: &'a Config,
    /// The profiles of all wishes, by name.
    pub profiles: &'a BTreeMap<String, Profile>,
    /// The owner's environment and umask.
    pub surroundings: &'a OwnerSurroundings,
    /// This binary.
    pub netsky: &'a Path,
    /// What these spawns are called.
    pub generation: Generation,
    /// How many clones the constellation has, for the briefings.
    pub clones: u32,
}

impl Spawner<'_> {
    /// Makes the generation durable, and everything the agents find when they start.
    pub fn prepare(&self, wishes: &[Wish], spawned: &mut Spawned) -> Result<(), SpawnError> {
        for wish in wishes {
            let spawn = Spawn {
                generation: self.generation,
                profile: wish.profile.clone(),
                from_flag: wish.from_flag,
                session_number: spawned.next_session_number(wish.name),
                workdir: wish.workdir.clone(),
                at: clock::utc_now(),
                pane: None,
                ready: None,
                cli_session: None,
            };
            spawned.agents.insert(wish.name, spawn);
        }
        spawned.store(self.home)?;
        let (spoken, trust) = (self.spoken_name(), config::resolved_trust(&self.config.constellation.trust));
        for wish in wishes {
            let number = spawned.agents.get(&wish.name).map_or(1, |spawn| spawn.session_number);
            self.prepare_one(wish, number, &spoken, &trust)
                .map_err(|source| SpawnError::Unprepared { agent: wish.name, source })?;
        }
        Ok(())
    }

    fn prepare_one(
        &self,
        wish: &Wish,
        number: u64,
        netsky: &str,
        trust: &[PathBuf],
    ) -> Result<(), PersistError> {
        let Some(profile) = self.profiles.get(&wish.profile) else { return Ok(()) };
        let draft = self.home.draft(wish.name);
        let facts =
            Facts { agent: wish.name, number, clones: self.clones, role: &wish.role, netsky, draft: &draft };
        persist::rewrite_volatile(&self.home.briefing(wish.name), briefing::briefing(&facts).as_bytes())?;
        HookTerms::of(profile, wish.from_flag, self.generation).write(self.home, wish.name)?;
        // CLIs know a directory by its path without links.
        let dir = wish.workdir.canonicalize().unwrap_or_else(|_| wish.workdir.clone());
        let order = LaunchOrder {
            home: self.home,
            agent: wish.name,
            generation: self.generation,
            profile,
            permissions: self.config.constellation.permissions,
            trusted: config::is_trusted(&dir, trust),
            workdir: &dir,
            startup: &startup_text(profile, &facts),
            surroundings: self.surroundings,
            netsky: self.netsky,
        };
        order.write()
    }

    /// How the agents call netsky.
    pub fn spoken_name(&self) -> String {
        let path = self.surroundings.environment.get(std::ffi::OsStr::new("PATH"));
        spoken_name(self.netsky, path.map(std::ffi::OsString::as_os_str))
    }

    /// Makes the sessions of prepared wishes and records what tmux made.
    pub fn create(&self, wishes: &[Wish], spawned: &mut Spawned) -> Result<(), SpawnError> {
        let sessions: Vec<NewSession> = wishes
            .iter()
            .map(|wish| NewSession {
                name: wish.name,
                dir: wish.workdir.clone(),
                size: self.config.tmux.size,
                // So that a person who opens a window beside the agent speaks of the same home.
                variables: vec![("NETSKY_HOME".to_owned(), self.home.root().into())],
                command: launch::pane_command(self.netsky, self.home, wish.name, self.generation),
                sets_remain_on_exit: !self.owns_server,
            })
            .collect();
        let made = match self.tmux.spawn(&sessions) {
            Ok(made) => made,
            Err(source) => {
                if source.is_unknown() {
                    // First of all: whatever tmux still makes of it must find that it is unwanted.
                    let names: Vec<AgentName> = wishes.iter().map(|wish| wish.name).collect();
                    spawned.give_up(self.generation, &names);
                    spawned.store(self.home)?;
                    for wish in wishes {
                        launch::withdraw(self.home, wish.name)?;
                    }
                }
                return Err(SpawnError::Tmux { count: sessions.len(), source });
            }
        };
        let mut refused = None;
        for (name, outcome) in made {
            match outcome {
                Ok(pane) => {
                    let pane = SpawnedPane {
                        session: pane.session.to_string(),
                        pane: pane.pane.to_string(),
                        server: self.server,
                        process: ProcessId::of(pane.pid),
                    };
                    if let Some(spawn) = spawned.agents.get_mut(&name) {
                        spawn.pane = Some(pane);
                    }
                }
                Err(refusal) => {
                    refused.get_or_insert(SpawnError::Refused { agent: name, refusal });
                }
            }
        }
        spawned.store(self.home)?;
        refused.map_or(Ok(()), Err)
    }
}

/// The first thing asked of an agent.
pub fn startup_text(profile: &Profile, facts: &Facts<'_>) -> String {
    profile.startup.clone().unwrap_or_else(|| briefing::startup(facts))
}
