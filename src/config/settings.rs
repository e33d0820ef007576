//! The resolved settings and their defaults.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::{BUILT_IN_PROFILES, ProfileName, ProfileOverrides};
use crate::name::AgentName;

/// Everything that can be configured, resolved.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Config {
    /// Who runs, where, and what they may do.
    pub constellation: Constellation,
    /// How tmux is spoken to.
    pub tmux: Tmux,
    /// Limits of a restart.
    pub restart: Restart,
    /// Limits of hand-overs.
    pub handoff: Handoff,
    /// By name; built-in profiles are here only where something of theirs is overridden.
    pub profiles: BTreeMap<ProfileName, ProfileOverrides>,
    /// What goes to the event log; set by `NETSKY_LOG` alone.
    pub log: LogLevel,
    /// Whether colour may be used at all; `NO_COLOR` forbids it.
    pub color: Color,
}

impl Config {
    /// The names of all profiles: the built-in ones, then the configured ones.
    pub fn profile_names(&self) -> impl Iterator<Item = &str> {
        let configured = self.profiles.keys().map(String::as_str);
        BUILT_IN_PROFILES.into_iter().chain(configured.filter(|name| !BUILT_IN_PROFILES.contains(name)))
    }

    /// The profile of an agent: its own, else that of the root or of all.
    pub fn profile_of(&self, agent: AgentName) -> &str {
        let own = self.constellation.agents.get(&agent).and_then(|own| own.profile.as_deref());
        match own {
            Some(profile) => profile,
            None if agent.is_root() => &self.constellation.root_agent,
            None => &self.constellation.agent,
        }
    }
}

/// `[constellation]` and `[agent.NAME]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Constellation {
    /// Agents besides agent0.
    pub clones: u32,
    /// Profile of every agent.
    pub agent: ProfileName,
    /// Profile of agent0; that of the others where nothing was said.
    pub root_agent: ProfileName,
    /// Where agents work; `None`: where the verb was called.
    pub workdir: Option<PathBuf>,
    /// What agents may do without a person.
    pub permissions: Permissions,
    /// Directories whose trust dialog may be answered.
    pub trust: Vec<PathBuf>,
    /// What is different for one agent.
    pub agents: BTreeMap<AgentName, AgentOverrides>,
}

impl Default for Constellation {
    fn default() -> Self {
        Self {
            clones: 2,
            agent: "claude".to_owned(),
            root_agent: "claude".to_owned(),
            workdir: None,
            permissions: Permissions::Ask,
            trust: Vec::new(),
            agents: BTreeMap::new(),
        }
    }
}

/// `[agent.NAME]`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AgentOverrides {
    /// Where it works.
    pub workdir: Option<PathBuf>,
    /// Its profile.
    pub profile: Option<ProfileName>,
    /// What it is for, as in `reviewer`.
    pub role: Option<String>,
}

/// What agents may do without a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Permissions {
    /// Ask for everything.
    #[default]
    Ask,
    /// Edit files without asking.
    Edits,
    /// Do anything without asking. Chosen, never a default.
    Bypass,
}

impl Permissions {
    /// As the configuration spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ask => "ask",
            Self::Edits => "edits",
            Self::Bypass => "bypass",
        }
    }
}

/// `[tmux]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tmux {
    /// Which server.
    pub socket: Socket,
    /// Columns and rows of every session.
    pub size: (u16, u16),
    /// Limit of a call that only looks.
    pub read_timeout: Duration,
    /// Limit of a call that changes something.
    pub write_timeout: Duration,
    /// Limit of a call that spawns.
    pub spawn_timeout: Duration,
    /// A tmux file to source after netsky's own settings.
    pub conf: Option<PathBuf>,
}

impl Default for Tmux {
    fn default() -> Self {
        Self {
            socket: Socket::OwnHome,
            size: (200, 50),
            read_timeout: Duration::from_secs(2),
            write_timeout: Duration::from_secs(5),
            spawn_timeout: Duration::from_secs(10),
            conf: None,
        }
    }
}

/// Which tmux server the constellation lives in.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Socket {
    /// `run/tmux.sock` of the home.
    #[default]
    OwnHome,
    /// A plain name, as for `tmux -L`.
    Name(String),
    /// An absolute path, as for `tmux -S`.
    Path(PathBuf),
    /// The user's own server.
    UserDefault,
}

/// `[restart]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restart {
    /// For each agent's startup turn, from its own start.
    pub up_wait: Duration,
    /// For the dialogs before it.
    pub prompt_wait: Duration,
    /// Between asking processes to end and ending them.
    pub stop_grace: Duration,
    /// How many may be starting at once; 0: all.
    pub start_parallel: u32,
    /// Status records kept, and screens of each agent.
    pub status_keep: usize,
}

impl Default for Restart {
    fn default() -> Self {
        Self {
            up_wait: Duration::from_secs(90),
            prompt_wait: Duration::from_secs(30),
            stop_grace: Duration::from_secs(5),
            start_parallel: 0,
            status_keep: 20,
        }
    }
}

/// `[handoff]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handoff {
    /// Envelopes kept in the archive.
    pub keep: usize,
    /// Largest hand-over, in bytes.
    pub max_bytes: u64,
}

impl Default for Handoff {
    fn default() -> Self {
        Self { keep: 100, max_bytes: 1 << 20 }
    }
}

/// What goes to the event log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum LogLevel {
    /// Only what failed.
    Error,
    /// What may matter later, too.
    Warn,
    /// What was done, too.
    #[default]
    Info,
    /// How it was done, too.
    Debug,
}

impl LogLevel {
    /// As `NETSKY_LOG` spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
        }
    }
}

/// Whether colour may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Color {
    /// On a terminal.
    #[default]
    Auto,
    /// Nowhere.
    Never,
}

impl Color {
    /// As `netsky config show` spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Never => "never",
        }
    }
}
