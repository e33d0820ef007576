//! Where everything lies below the home, and whose the home is.
//!
//! A home that is not empty and has no `home.json` belongs to somebody else and is never written to. Paths are made
//! here and nowhere else.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::id::Generation;
use crate::name::AgentName;
use crate::persist::{self, PersistError, StateFile};

/// A home cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum HomeError {
    /// Neither `NETSKY_HOME` nor `HOME` says where.
    #[error("there is no home: neither NETSKY_HOME nor HOME is set")]
    Nowhere,
    /// `NETSKY_HOME` must not depend on the working directory.
    #[error("the home {} is not an absolute path", path.display())]
    Relative {
        /// As given.
        path: PathBuf,
    },
    /// `-C` takes a plain name.
    #[error("{name:?} is no constellation name (letters, digits, - and _)")]
    InvalidConstellation {
        /// As given.
        name: String,
    },
    /// It is not empty and not netsky's.
    #[error("{} is not empty and holds no home.json: it belongs to something else", path.display())]
    Foreign {
        /// The directory.
        path: PathBuf,
    },
    /// It belongs to another user.
    #[error("{} belongs to uid {owner}", path.display())]
    ForeignOwner {
        /// The directory.
        path: PathBuf,
        /// Its owner.
        owner: u32,
    },
    /// It is a file, a link or the like.
    #[error("{} is not a directory", path.display())]
    NotADirectory {
        /// What was found.
        path: PathBuf,
    },
    /// There is none yet.
    #[error("there is no home at {}", path.display())]
    Missing {
        /// Where it would be.
        path: PathBuf,
    },
    /// Its `home.json` is of another version or broken.
    #[error("{}/home.json cannot be used: {why}", path.display())]
    Unreadable {
        /// The home.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// The system refused.
    #[error("looking at the home {}", path.display())]
    Inaccessible {
        /// The home.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// It could not be written.
    #[error("making the home")]
    Unwritable {
        /// The write that failed.
        #[from]
        source: PersistError,
    },
}

#[derive(Debug, Serialize, Deserialize)]
struct HomeFile {
    version: u64,
}
impl StateFile for HomeFile {}

/// A home, by its path. That it exists and is ours is what [`Home::open`] and [`Home::create`] prove.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Home {
    root: PathBuf,
}

/// The directories of a home, all made by [`Home::create`].
const DIRECTORIES: [&str; 14] = [
    "state",
    "state/beacons",
    "state/restart-status",
    "state/markers",
    "state/prompts",
    "handoff",
    "handoff/draft",
    "handoff/claims",
    "handoff/archive",
    "inbox",
    "log",
    "log/screens",
    "run",
    "run/wake",
];

impl Home {
    /// Where the home is: `NETSKY_HOME`, else `~/.netsky`; below `c/NAME` for a named constellation.
    ///
    /// # Errors
    /// No such variable, a relative path, or a constellation name that is no plain name.
    pub fn locate(
        netsky_home: Option<&Path>,
        user_home: Option<&Path>,
        constellation: Option<&str>,
    ) -> Result<Self, HomeError> {
        let set = |path: Option<&Path>| path.filter(|path| !path.as_os_str().is_empty()).map(Path::to_owned);
        let root = match (set(netsky_home), set(user_home)) {
            (Some(home), _) => home,
            (None, Some(user)) => user.join(".netsky"),
            (None, None) => return Err(HomeError::Nowhere),
        };
        if !root.is_absolute() {
            return Err(HomeError::Relative { path: root });
        }
        match constellation {
            None => Ok(Self { root }),
            Some(name) if is_plain(name) => Ok(Self { root: root.join("c").join(name) }),
            Some(name) => Err(HomeError::InvalidConstellation { name: name.to_owned() }),
        }
    }

    /// Proves that the home exists and is ours; writes nothing.
    pub fn open(&self) -> Result<(), HomeError> {
        match self.look()? {
            Found::Ours => Ok(()),
            Found::Nothing => Err(HomeError::Missing { path: self.root.clone() }),
        }
    }

    /// Whether there is a home; writes nothing.
    ///
    /// # Errors
    /// What is there is not ours.
    pub fn exists(&self) -> Result<bool, HomeError> {
        self.look().map(|found| matches!(found, Found::Ours))
    }

    /// [`Home::open`], making the home where there is none.
    pub fn create(&self) -> Result<(), HomeError> {
        let found = self.look()?;
        for directory in DIRECTORIES {
            persist::make_own_dir(&self.root.join(directory))?;
        }
        if matches!(found, Found::Nothing) {
            // Last, so that a home that is half made is made again instead of refused.
            persist::store(&self.root.join("home.json"), &HomeFile { version: 1 })?;
        }
        Ok(())
    }

    fn look(&self) -> Result<Found, HomeError> {
        let path = self.root.clone();
        let metadata = match fs::metadata(&path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Found::Nothing),
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
                return Err(HomeError::NotADirectory { path });
            }
            Err(source) => return Err(HomeError::Inaccessible { path, source }),
        };
        if !metadata.is_dir() {
            return Err(HomeError::NotADirectory { path });
        }
        if metadata.uid() != rustix::process::geteuid().as_raw() {
            return Err(HomeError::ForeignOwner { path, owner: metadata.uid() });
        }
        match persist::read(&path.join("home.json"), 4096) {
            Ok(Some(bytes)) => match persist::parse::<HomeFile>(&bytes) {
                Ok(_) => Ok(Found::Ours),
                Err(why) => Err(HomeError::Unreadable { path, why }),
            },
            Ok(None) if self.is_unfinished()? => Ok(Found::Nothing),
            Ok(None) => Err(HomeError::Foreign { path }),
            Err(error) => Err(HomeError::Unreadable { path, why: error.source.to_string() }),
        }
    }

    /// Whether all that lies in it is what [`Home::create`] makes before `home.json` (or named constellations).
    fn is_unfinished(&self) -> Result<bool, HomeError> {
        let inaccessible = |source| HomeError::Inaccessible { path: self.root.clone(), source };
        for entry in fs::read_dir(&self.root).map_err(inaccessible)? {
            let entry = entry.map_err(inaccessible)?;
            let name = entry.file_name();
            let made_here = name.to_str().is_some_and(|name| {
                name == "c" || name.starts_with(persist::TEMPORARY_PREFIX) || DIRECTORIES.contains(&name)
            });
            let mode = entry.metadata().map_err(inaccessible)?.permissions().mode();
            if !made_here || mode & 0o077 != 0 {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The directory itself.
    pub fn root(&self) -> &Path {
        &self.root
    }
    /// `config.toml`, unless `NETSKY_CONFIG` names another.
    pub fn config(&self) -> PathBuf {
        self.root.join("config.toml")
    }
    /// The lock of up, down, restart and replay.
    pub fn restart_lock(&self) -> PathBuf {
        self.root.join("state/restart.lock")
    }
    /// The owner epochs.
    pub fn owner_epochs(&self) -> PathBuf {
        self.root.join("state/owner-epochs.json")
    }
    /// What should run.
    pub fn desired(&self) -> PathBuf {
        self.root.join("state/desired.json")
    }
    /// What was last spawned.
    pub fn agents(&self) -> PathBuf {
        self.root.join("state/agents.json")
    }
    /// The owner's environment.
    pub fn environment(&self) -> PathBuf {
        self.root.join("state/environment.json")
    }
    /// The directory of beacons.
    pub fn beacons(&self) -> PathBuf {
        self.root.join("state/beacons")
    }
    /// The last event of one agent.
    pub fn beacon(&self, agent: AgentName) -> PathBuf {
        self.beacons().join(format!("{agent}.json"))
    }
    /// The status records.
    pub fn restart_status(&self) -> PathBuf {
        self.root.join("state/restart-status")
    }
    /// The markers of the watchdog.
    pub fn markers(&self) -> PathBuf {
        self.root.join("state/markers")
    }
    /// The rendered briefings, hook settings and launch files of the agents.
    pub fn prompts(&self) -> PathBuf {
        self.root.join("state/prompts")
    }
    /// The rendered briefing of one agent.
    pub fn briefing(&self, agent: AgentName) -> PathBuf {
        self.prompts().join(format!("{agent}.md"))
    }
    /// What an agent has written for its successor so far.
    pub fn draft(&self, agent: AgentName) -> PathBuf {
        self.root.join(format!("handoff/draft/{agent}.md"))
    }
    /// Everything that is handed over, but for the inboxes.
    pub fn handoff(&self) -> PathBuf {
        self.root.join("handoff")
    }
    /// Claimed hand-overs that are not yet delivered.
    pub fn claims(&self) -> PathBuf {
        self.root.join("handoff/claims")
    }
    /// Every envelope that was ever delivered, pruned by count.
    pub fn archive(&self) -> PathBuf {
        self.root.join("handoff/archive")
    }
    /// All inboxes.
    pub fn inboxes(&self) -> PathBuf {
        self.root.join("inbox")
    }
    /// New envelopes of one agent; `cur/` and `done/` lie below.
    pub fn inbox(&self, agent: AgentName) -> PathBuf {
        self.inboxes().join(agent.to_string())
    }
    /// The event log.
    pub fn events(&self) -> PathBuf {
        self.root.join("log/events.jsonl")
    }
    /// Kept screens, a directory for each agent.
    pub fn screens_root(&self) -> PathBuf {
        self.root.join("log/screens")
    }
    /// Kept screens of one agent.
    pub fn screens(&self, agent: AgentName) -> PathBuf {
        self.screens_root().join(agent.to_string())
    }
    /// The kept screen of one generation.
    pub fn screen(&self, agent: AgentName, generation: Generation) -> PathBuf {
        self.screens(agent).join(format!("{generation}.txt"))
    }
    /// What lives as long as the tmux server.
    pub fn run(&self) -> PathBuf {
        self.root.join("run")
    }
    /// The constellation's own tmux server.
    pub fn tmux_socket(&self) -> PathBuf {
        self.root.join("run/tmux.sock")
    }
    /// Sockets of those who wait for beacons.
    pub fn wake(&self) -> PathBuf {
        self.root.join("run/wake")
    }
}

enum Found {
    Nothing,
    Ours,
}

fn is_plain(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 64
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_home_is_found_by_variable_then_by_user() {
        let check = |netsky: Option<&str>, user: Option<&str>, name: Option<&str>| {
            Home::locate(netsky.map(Path::new), user.map(Path::new), name)
                .map(|home| home.root.display().to_string())
                .map_err(|error| error.to_string())
        };
        assert_eq!(check(Some("/n"), Some("/u"), None).unwrap(), "/n");
        assert_eq!(check(None, Some("/u"), Some("two")).unwrap(), "/u/.netsky/c/two");
        assert!(check(None, None, None).is_err());
        assert!(check(Some("n"), None, None).is_err());
        assert!(check(Some("/n"), None, Some("../x")).is_err());
    }

    #[test]
    fn somebody_elses_directory_is_refused_and_untouched() {
        let dir = tempfile::tempdir().unwrap();
        persist::append_line(&dir.path().join("thesis.tex"), "x").unwrap();
        let home = Home { root: dir.path().to_owned() };
        assert!(matches!(home.create(), Err(HomeError::Foreign { .. })));
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_home_that_was_half_made_is_made_again() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home { root: dir.path().join("h") };
        assert!(matches!(home.open(), Err(HomeError::Missing { .. })));
        persist::make_dir(&home.root.join("state/beacons")).unwrap();
        home.create().unwrap();
        home.open().unwrap();
        assert_eq!(fs::metadata(home.beacons()).unwrap().permissions().mode() & 0o777, 0o700);
    }
}
