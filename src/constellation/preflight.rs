//! What must hold before anything is torn down: tmux, the commands, the directories, the memory, and nobody in the
//! way.
//!
//! Everything here only looks, but for a probe file that proves the disk.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use crate::agent::profile::{Profile, ProfileError};
use crate::config::Config;
use crate::handoff::inbox::Inbox;
use crate::name::AgentName;
use crate::paths::Home;
use crate::persist::{self, PersistError};
use crate::process;
use crate::state::environment::OwnerSurroundings;
use crate::text;
use crate::tmux::{NoAnswer, Tmux};

use super::plan::{Plan, Wish};

/// Something does not hold; the running constellation was not touched.
#[derive(Debug, thiserror::Error)]
pub enum PreflightError {
    /// tmux is missing, too old or silent.
    #[error("asking tmux")]
    Tmux {
        /// What came back.
        #[from]
        source: NoAnswer,
    },
    /// There is no tmux.
    #[error("there is no tmux on PATH")]
    NoTmux,
    /// A profile cannot be used.
    #[error("resolving the profile of {agent}")]
    Profile {
        /// Whose.
        agent: AgentName,
        /// Why.
        source: ProfileError,
    },
    /// Agent CLIs are told of netsky in settings and arguments that are UTF-8.
    #[error("no agent can be told of netsky at {}: its path is not UTF-8", path.display())]
    Unspeakable {
        /// Where this netsky lies.
        path: PathBuf,
    },
    /// The agent's command is not there.
    #[error("{agent} cannot start: there is no {program} on PATH (profile {profile})")]
    NoProgram {
        /// Whose.
        agent: AgentName,
        /// The profile.
        profile: String,
        /// The command.
        program: String,
    },
    /// The work directory is not there.
    #[error("{agent} cannot work in {}: it is no directory", dir.display())]
    NoDirectory {
        /// Whose.
        agent: AgentName,
        /// The directory.
        dir: PathBuf,
    },
    /// The state cannot be written.
    #[error("the home takes no writes")]
    Unwritable {
        /// The write that failed.
        #[from]
        source: PersistError,
    },
    /// Somebody else's sessions have our names.
    #[error("{} on this tmux server {} not netsky's", joined(agents), if agents.len() == 1 { "is" } else { "are" })]
    Foreign {
        /// Which.
        agents: Vec<AgentName>,
    },
    /// The agents do not fit into memory.
    #[error("the agents need {} of memory ({sum}), {} can be had", text::size(*needed), text::size(*available))]
    NoMemory {
        /// Bytes.
        needed: u64,
        /// Bytes.
        available: u64,
        /// How the sum comes about.
        sum: String,
    },
}

fn joined(agents: &[AgentName]) -> String {
    agents.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// The tmux program on the caller's `PATH`.
pub fn find_tmux(path: Option<&OsStr>) -> Result<PathBuf, PreflightError> {
    path.and_then(|path| process::find_program(OsStr::new("tmux"), path, Path::new("/")))
        .ok_or(PreflightError::NoTmux)
}

/// The profiles of all wishes, by name.
pub fn profiles(
    wishes: &[Wish],
    config: &Config,
    netsky: &Path,
) -> Result<BTreeMap<String, Profile>, PreflightError> {
    if netsky.to_str().is_none() {
        return Err(PreflightError::Unspeakable { path: netsky.to_owned() });
    }
    let mut profiles = BTreeMap::new();
    for wish in wishes {
        if !profiles.contains_key(&wish.profile) {
            let profile = Profile::resolve(&wish.profile, &config.profiles, netsky)
                .map_err(|source| PreflightError::Profile { agent: wish.name, source })?;
            profiles.insert(wish.profile.clone(), profile);
        }
    }
    Ok(profiles)
}

/// What the checks look at.
#[derive(Debug)]
pub struct Preflight<'a> {
    /// The home.
    pub home: &'a Home,
    /// tmux.
    pub tmux: &'a Tmux,
    /// What is to be done.
    pub plan: &'a Plan,
    /// The profiles of the plan.
    pub profiles: &'a BTreeMap<String, Profile>,
    /// What the agents will inherit.
    pub surroundings: &'a OwnerSurroundings,
    /// `--force`: memory does not matter.
    pub force: bool,
    /// Whether nothing is to be written: then the disk is not proved.
    pub rehearses: bool,
    /// Whether a server runs, whose version its snapshot told.
    pub server_runs: bool,
}

impl Preflight<'_> {
    /// Checks everything; what is only tight comes back as a warning.
    ///
    /// # Errors
    /// The first thing that does not hold.
    pub fn check(&self) -> Result<Option<String>, PreflightError> {
        if !self.plan.foreign.is_empty() {
            return Err(PreflightError::Foreign { agents: self.plan.foreign.clone() });
        }
        if !self.server_runs {
            self.tmux.version()?;
        }
        for wish in &self.plan.spawn {
            self.check_wish(wish)?;
        }
        if !self.rehearses {
            self.prove_disk()?;
        }
        self.check_memory()
    }

    fn prove_disk(&self) -> Result<(), PreflightError> {
        for dir in
            [self.home.root().join("state"), self.home.claims(), self.home.archive(), self.home.inboxes()]
        {
            persist::prove_writable(&dir)?;
        }
        for wish in &self.plan.spawn {
            Inbox::of(self.home, wish.name).prove()?;
        }
        Ok(())
    }

    fn check_wish(&self, wish: &Wish) -> Result<(), PreflightError> {
        if !wish.workdir.is_dir() {
            return Err(PreflightError::NoDirectory { agent: wish.name, dir: wish.workdir.clone() });
        }
        let Some(profile) = self.profiles.get(&wish.profile) else { return Ok(()) };
        let program = profile.command.first().map_or("", String::as_str);
        let path = self.surroundings.environment.get(OsStr::new("PATH"));
        let path = path.map_or(OsStr::new("/usr/bin:/bin"), std::ffi::OsString::as_os_str);
        match process::find_program(OsStr::new(program), path, &wish.workdir) {
            Some(_) => Ok(()),
            None => Err(PreflightError::NoProgram {
                agent: wish.name,
                profile: wish.profile.clone(),
                program: program.to_owned(),
            }),
        }
    }

    fn check_memory(&self) -> Result<Option<String>, PreflightError> {
        let Some(available) = process::available_memory() else { return Ok(None) };
        let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
        for wish in &self.plan.spawn {
            *counts.entry(wish.profile.as_str()).or_default() += 1;
        }
        let memory = |name: &str| self.profiles.get(name).map_or(0, |profile| profile.memory);
        let needed: u64 = counts.iter().map(|(name, count)| count * memory(name)).sum();
        // What is torn down gives its memory back.
        let freed: u64 = self.plan.tear_down.iter().map(|there| process::resident_memory(there.pid)).sum();
        let sum = counts
            .iter()
            .map(|(name, count)| format!("{count} × {} {name}", text::size(memory(name))))
            .collect::<Vec<_>>()
            .join(" + ");
        match judge_memory(needed, available.saturating_add(freed)) {
            Memory::Fits => Ok(None),
            Memory::Tight => Ok(Some(format!(
                "memory is tight: the agents need {} ({sum}), {} can be had",
                text::size(needed),
                text::size(available)
            ))),
            Memory::DoesNotFit if self.force => {
                Ok(Some(format!("--force: the agents need {} ({sum})", text::size(needed))))
            }
            Memory::DoesNotFit => {
                Err(PreflightError::NoMemory { needed, available: available.saturating_add(freed), sum })
            }
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Memory {
    Fits,
    Tight,
    DoesNotFit,
}

/// Tight: less than a tenth would be left.
fn judge_memory(needed: u64, available: u64) -> Memory {
    match needed {
        needed if needed > available => Memory::DoesNotFit,
        needed if needed > available / 10 * 9 => Memory::Tight,
        _ => Memory::Fits,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_judged_by_what_would_be_left() {
        for (needed, available, expected) in [
            (0, 0, Memory::Fits),
            (10, 100, Memory::Fits),
            (91, 100, Memory::Tight),
            (100, 100, Memory::Tight),
            (101, 100, Memory::DoesNotFit),
        ] {
            assert_eq!(judge_memory(needed, available), expected, "{needed} of {available}");
        }
    }
}
