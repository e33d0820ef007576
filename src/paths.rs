//! Where everything lies below the home, and whose the home is.
//!
//! A home that is not empty and has no `home.json` belongs to somebody else and is never written to. Neither is one of
//! which any directory, or a file that netsky keeps, is another user's or a link of theirs, or open to others: each is
//! looked at whenever a home is opened, before anything in it is read. Paths are made here and nowhere else.

mod error;

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::id::Generation;
use crate::name::AgentName;
use crate::owner::{self, NotOurs};
use crate::persist::{self, StateFile};

pub use error::HomeError;

#[derive(Debug, Serialize, Deserialize)]
struct HomeFile {
    version: u64,
}
impl StateFile for HomeFile {}

/// A home, by its path. That it exists and is ours is what [`Home::open`] and [`Home::create`] prove.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Home {
    /// Without links: what is marked with it is known again however the home is called.
    root: PathBuf,
    /// As it was called.
    called: PathBuf,
    /// What a named constellation lies in: the home without a name, and its `c`.
    above: Vec<PathBuf>,
}

/// The directories of a home, all made by [`Home::create`].
const DIRECTORIES: [&str; 15] = [
    "state",
    "state/beacons",
    "state/restart-status",
    "state/markers",
    "state/prompts",
    "state/shown",
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

/// The files of a home that have one name for ever.
const FILES: [&str; 8] = [
    "home.json",
    "log/events.jsonl",
    "state/restart.lock",
    "state/config.lock",
    "state/owner-epochs.json",
    "state/desired.json",
    "state/agents.json",
    "state/environment.json",
];

/// So many bytes may the path of a socket have (107 on Linux, 103 elsewhere).
const LONGEST_SOCKET: usize = 103;

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
        // Without slashes and dots that say nothing.
        let root: PathBuf = root.components().collect();
        if !root.is_absolute() {
            return Err(HomeError::Relative { path: root });
        }
        match constellation {
            None => Ok(Self::at(root, Vec::new())),
            Some(name) if is_plain(name) => {
                let all = root.join("c");
                Ok(Self::at(all.join(name), vec![root, all]))
            }
            Some(name) => Err(HomeError::InvalidConstellation { name: name.to_owned() }),
        }
    }

    fn at(called: PathBuf, above: Vec<PathBuf>) -> Self {
        let real = Self { root: without_links(&called), called: called.clone(), above };
        // A link may be there just because the path without it is too long for a socket.
        if real.tmux_socket().as_os_str().len() > LONGEST_SOCKET {
            Self { root: called, ..real }
        } else {
            real
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
        let mut found = self.look()?;
        if matches!(found, Found::Nothing) {
            persist::make_private_dir(&self.called)?;
            // What a link leads to may be open to others still.
            self.checked(&self.root, owner::directory)?;
            // Until then others may have put something into it.
            found = self.look()?;
        }
        for directory in DIRECTORIES {
            make_below(self.root.join(directory))?;
        }
        if matches!(found, Found::Nothing) {
            // Last, so that a home that is half made is made again instead of refused.
            persist::store(&self.root.join("home.json"), &HomeFile { version: 1 })?;
        }
        Ok(())
    }

    fn look(&self) -> Result<Found, HomeError> {
        let path = self.root.clone();
        for directory in &self.above {
            self.checked(directory, owner::directory)?;
        }
        if self.called != self.root {
            // Whose link it is.
            self.checked(&self.called, owner::place)?;
        }
        match self.checked(&path, owner::directory) {
            Ok(true) => {}
            Ok(false) => return Ok(Found::Nothing),
            // Nobody has put anything into it yet, and it will be ours alone before anything is.
            Err(HomeError::NotOurs { why: NotOurs::Open { .. }, .. }) if self.is_empty()? => {
                return Ok(Found::Nothing);
            }
            Err(error) => return Err(error),
        }
        self.look_below()?;
        match persist::read(&path.join("home.json"), 4096) {
            Ok(Some(bytes)) => match persist::parse::<HomeFile>(&bytes) {
                Ok(_) => Ok(Found::Ours),
                Err(why) => Err(match persist::version_of(&bytes) {
                    Some(version) if version != HomeFile::VERSION => {
                        HomeError::OtherVersion { path, version }
                    }
                    _ => HomeError::Unreadable { path, why },
                }),
            },
            Ok(None) if self.is_unfinished()? => Ok(Found::Nothing),
            Ok(None) => Err(HomeError::Foreign { path }),
            Err(error) => Err(HomeError::Unreadable { path, why: error.source.to_string() }),
        }
    }

    /// Whether something is there; an error if it is not ours.
    fn checked(&self, path: &Path, ask: fn(&Path) -> io::Result<bool>) -> Result<bool, HomeError> {
        ask(path).map_err(|source| match NotOurs::behind(&source) {
            Some(NotOurs::Kind { .. }) if self.is_called(path) => {
                HomeError::NotADirectory { path: path.to_owned() }
            }
            Some(why) => HomeError::NotOurs { path: path.to_owned(), why },
            None if source.kind() == io::ErrorKind::NotADirectory => {
                HomeError::NotADirectory { path: path.to_owned() }
            }
            None => HomeError::Inaccessible { path: path.to_owned(), source },
        })
    }

    /// Nothing in it that netsky makes, lists or writes to is another user's, or open to others.
    fn look_below(&self) -> Result<(), HomeError> {
        for directory in DIRECTORIES {
            self.not_anothers(&self.root.join(directory), owner::directory)?;
        }
        for agent in agents_below(&self.inboxes()) {
            for directory in [agent.clone(), agent.join("cur"), agent.join("done")] {
                self.not_anothers(&directory, owner::directory)?;
            }
        }
        for of_agents in [self.screens_root(), self.shown_root()] {
            for agent in agents_below(&of_agents) {
                self.not_anothers(&agent, owner::directory)?;
            }
        }
        for file in FILES {
            self.not_anothers(&self.root.join(file), owner::file)?;
        }
        Ok(())
    }

    /// What is of the wrong kind and our own, or cannot be looked at, is for the verb that needs it to complain of.
    fn not_anothers(&self, path: &Path, ask: fn(&Path) -> io::Result<bool>) -> Result<(), HomeError> {
        match self.checked(path, ask) {
            Err(error @ HomeError::NotOurs { .. }) if !error.is_about_kind() => Err(error),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    fn is_empty(&self) -> Result<bool, HomeError> {
        Ok(self.entries()?.is_empty())
    }

    fn entries(&self) -> Result<Vec<fs::DirEntry>, HomeError> {
        let inaccessible = |error: persist::PersistError| HomeError::Inaccessible {
            path: self.root.clone(),
            source: error.source,
        };
        persist::everything_in(&self.root).map_err(inaccessible)
    }

    /// Whether all that lies in it is what [`Home::create`] makes before `home.json` (or named constellations).
    fn is_unfinished(&self) -> Result<bool, HomeError> {
        let inaccessible = |source| HomeError::Inaccessible { path: self.root.clone(), source };
        for entry in self.entries()? {
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

    /// Whether the home may be called that.
    pub fn is_called(&self, path: &Path) -> bool {
        path == self.root || path == self.called
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
    /// Who edits the configuration holds this.
    pub fn config_lock(&self) -> PathBuf {
        self.root.join("state/config.lock")
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
    /// What each agent was shown, a directory for each.
    pub fn shown_root(&self) -> PathBuf {
        self.root.join("state/shown")
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

/// The same place by a path without links, as far as there is one already. Where a link leads nowhere, or that cannot be
/// seen, it stays what it is called.
fn without_links(path: &Path) -> PathBuf {
    let mut there = path;
    let mut missing = Vec::new();
    loop {
        match there.canonicalize() {
            Ok(real) => return missing.iter().rev().fold(real, |path, name| path.join(name)),
            Err(_) if fs::symlink_metadata(there).is_ok() => return path.to_owned(),
            Err(_) => {}
        }
        let (Some(above), Some(name)) = (there.parent(), there.file_name()) else { return path.to_owned() };
        missing.push(name);
        there = above;
    }
}

/// Whether a path without links is one of netsky's own things, in whichever home, and so no text to be handed over. A
/// draft is one.
pub fn is_netskys(path: &Path) -> bool {
    const OWN: [&str; 8] =
        ["home.json", "config.toml", "state", "log", "run", "inbox", "handoff/claims", "handoff/archive"];
    let is_home = |dir: &&Path| fs::symlink_metadata(dir.join("home.json")).is_ok();
    path.ancestors()
        .skip(1)
        .filter(is_home)
        .any(|home| OWN.iter().any(|own| path.starts_with(home.join(own))))
}

fn make_below(path: PathBuf) -> Result<(), HomeError> {
    persist::make_own_dir(&path).map_err(|error| match NotOurs::behind(&error.source) {
        Some(why) => HomeError::NotOurs { path, why },
        None => error.into(),
    })
}

/// What lies there by the name of an agent. What cannot be listed, whoever lists it complains of.
fn agents_below(dir: &Path) -> Vec<PathBuf> {
    let is_named = |entry: &fs::DirEntry| {
        entry.file_name().to_str().is_some_and(|name| name.parse::<AgentName>().is_ok())
    };
    let entries = persist::everything_in(dir).unwrap_or_default();
    entries.iter().filter(|entry| is_named(entry)).map(fs::DirEntry::path).collect()
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
mod tests;
