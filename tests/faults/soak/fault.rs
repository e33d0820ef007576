//! What is done to a restart, to its server, its agents and its files.

use super::dice::Dice;

/// When: before the restart, or after this part of the time that one takes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum When {
    Before,
    At(f64),
}

/// How a file is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Breakage {
    Empty,
    Half,
    Zeros,
    Nonsense,
}

/// What an agent does that should come up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Misbehaviour {
    /// As `demo-agent --fail` calls it.
    pub name: &'static str,
    /// Whether it comes up all the same.
    pub comes_up: bool,
}

#[derive(Debug, Clone)]
pub enum Fault {
    Nothing,
    /// netsky is sent this signal.
    Signalled {
        signal: &'static str,
        at: f64,
    },
    /// netsky stands still for a while.
    Paused {
        at: f64,
        millis: u64,
    },
    ServerKilled {
        when: When,
    },
    ServerFrozen {
        at: f64,
        millis: u64,
    },
    SocketUnlinked {
        when: When,
    },
    AgentsKilled {
        agents: Vec<String>,
        when: When,
    },
    AgentsMisbehave {
        agents: Vec<String>,
        how: Misbehaviour,
    },
    /// Another restart, with a hand-over of its own.
    SecondRestart {
        at: f64,
    },
    /// A file below the home.
    FileBroken {
        path: &'static str,
        how: Breakage,
    },
    /// The nth call of that name in netsky.
    DiskError {
        call: &'static str,
        nth: usize,
        error: &'static str,
    },
}

/// What chance may choose from.
pub struct Scope<'a> {
    pub agents: &'a [String],
    /// Whether the tmux server is to live on.
    pub spares_server: bool,
    /// Whether nobody is down who should not be forgotten.
    pub nobody_is_down: bool,
}

type Draw = fn(&mut Dice, &Scope<'_>) -> Fault;

/// The faults, one way to draw each. SIGKILL and signals stand here more often than the others.
pub const FAULTS: [Draw; 14] = [
    |_, _| Fault::Nothing,
    killed,
    killed,
    |dice, _| Fault::Signalled { signal: dice.one_of(&["TERM", "INT", "HUP"]), at: dice.fraction() },
    |dice, _| Fault::Paused { at: dice.fraction(), millis: dice.number(50, 600) as u64 },
    |dice, scope| match scope.spares_server {
        true => Fault::AgentsKilled { agents: scope.agents.to_vec(), when: when(dice) },
        false => Fault::ServerKilled { when: when(dice) },
    },
    |dice, _| Fault::ServerFrozen { at: dice.fraction(), millis: dice.number(50, 500) as u64 },
    |dice, _| Fault::ServerFrozen { at: dice.fraction(), millis: dice.number(1_200, 2_000) as u64 },
    |dice, _| Fault::SocketUnlinked { when: when(dice) },
    |dice, scope| Fault::AgentsKilled { agents: dice.some_of(scope.agents, 8), when: when(dice) },
    |dice, scope| {
        let how = dice.one_of(&MISBEHAVIOURS);
        Fault::AgentsMisbehave { agents: dice.some_of(scope.agents, 4), how }
    },
    |dice, _| Fault::SecondRestart { at: if dice.once_in(2) { 0.0 } else { dice.fraction() } },
    broken,
    |dice, _| Fault::DiskError {
        call: dice.one_of(&["fsync", "fsync", "write", "rename", "linkat"]),
        nth: dice.number(1, 25),
        error: dice.one_of(&["EIO", "ENOSPC"]),
    },
];

const MISBEHAVIOURS: [Misbehaviour; 10] = [
    Misbehaviour { name: "exit", comes_up: false },
    Misbehaviour { name: "login", comes_up: false },
    Misbehaviour { name: "limit", comes_up: false },
    Misbehaviour { name: "permission", comes_up: false },
    Misbehaviour { name: "hang", comes_up: false },
    Misbehaviour { name: "trap", comes_up: true },
    Misbehaviour { name: "shell", comes_up: true },
    Misbehaviour { name: "deaf", comes_up: true },
    Misbehaviour { name: "exit-later", comes_up: true },
    Misbehaviour { name: "garbage-hooks", comes_up: true },
];

const BROKEN: [&str; 8] = [
    "state/agents.json",
    "state/owner-epochs.json",
    "state/environment.json",
    "state/beacons/agent0.json",
    "state/restart.lock",
    "handoff/draft/agent0.json",
    // The newest of them.
    "state/restart-status",
    "config.toml",
];

fn killed(dice: &mut Dice, _: &Scope<'_>) -> Fault {
    Fault::Signalled { signal: "KILL", at: dice.fraction() }
}

fn when(dice: &mut Dice) -> When {
    if dice.once_in(3) { When::Before } else { When::At(dice.fraction()) }
}

fn broken(dice: &mut Dice, scope: &Scope<'_>) -> Fault {
    // What should run is known to this file alone: while a clone is down it is left as it is.
    let path = match scope.nobody_is_down && dice.once_in(6) {
        true => "state/desired.json",
        false => dice.one_of(&BROKEN),
    };
    let how = dice.one_of(&[Breakage::Empty, Breakage::Half, Breakage::Zeros, Breakage::Nonsense]);
    Fault::FileBroken { path, how }
}

impl Fault {
    /// One word for a table.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Signalled { signal: "KILL", .. } => "netsky killed",
            Self::Signalled { .. } => "netsky told to end",
            Self::Paused { .. } => "netsky stopped for a while",
            Self::ServerKilled { .. } => "server killed",
            Self::ServerFrozen { millis: ..1_000, .. } => "server frozen for a moment",
            Self::ServerFrozen { .. } => "server frozen beyond all limits",
            Self::SocketUnlinked { .. } => "socket unlinked",
            Self::AgentsKilled { .. } => "agents killed",
            Self::AgentsMisbehave { .. } => "agents misbehave",
            Self::SecondRestart { .. } => "second restart",
            Self::FileBroken { .. } => "file broken",
            Self::DiskError { .. } => "disk error",
        }
    }

    /// Whether limits have to be short for it to show.
    pub fn needs_short_limits(&self) -> bool {
        matches!(self, Self::ServerFrozen { millis: 1_000.., .. })
    }

    /// Whether the restart may end so.
    pub fn may_end_with(&self, code: i32) -> bool {
        let allowed: &[i32] = match self {
            Self::Nothing | Self::Paused { .. } => &[0],
            Self::Signalled { signal: "KILL", .. } => &[0, 137],
            Self::Signalled { signal: "TERM", .. } => &[0, 143],
            Self::Signalled { signal: "INT", .. } => &[0, 130],
            Self::Signalled { .. } => &[0, 129],
            // It is errored or has recovered, and says which.
            Self::ServerKilled { when: When::Before } | Self::SocketUnlinked { .. } => &[0],
            Self::ServerKilled { .. } => &[0, 1, 3, 69],
            Self::ServerFrozen { millis: ..1_000, .. } => &[0],
            Self::ServerFrozen { .. } => &[0, 3, 69],
            Self::AgentsKilled { when: When::Before, .. } => &[0],
            Self::AgentsKilled { .. } => &[0, 1, 3],
            Self::AgentsMisbehave { how: Misbehaviour { name: "exit-later", .. }, .. } => &[0, 1, 3],
            Self::AgentsMisbehave { how: Misbehaviour { comes_up: true, .. }, .. } => &[0],
            Self::AgentsMisbehave { agents, .. } if agents.iter().any(|agent| agent == "agent0") => {
                &[1, 4, 69]
            }
            Self::AgentsMisbehave { .. } => &[3],
            Self::SecondRestart { .. } => &[0, 75],
            Self::FileBroken { path: "config.toml", .. } => &[0, 78],
            Self::FileBroken { .. } => &[0],
            Self::DiskError { .. } => &[0, 1, 3, 69],
        };
        allowed.contains(&code)
    }
}
