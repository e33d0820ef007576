//! What `status --json` and `history --json` print. The schemas under `schemas/` describe these and nothing more.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::entry::AgentRecord;
use super::record::Record;
use super::state::Proof;
use super::word::words;
use crate::id::Generation;
use crate::name::{Actor, AgentName};

/// The constellation and its last restart.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StatusDocument {
    /// 1.
    pub version: u64,
    /// The home.
    pub home: String,
    /// The server.
    pub tmux: TmuxStatus,
    /// What should run; `None` before the first `up`.
    pub desired: Option<Desired>,
    /// What runs, in numeric order.
    pub agents: Vec<AgentStatus>,
    /// The newest record.
    pub last_restart: Option<Record>,
    /// What keeps netsky from acting.
    pub blocking: Vec<Blocking>,
}

/// The tmux server of the constellation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TmuxStatus {
    /// The path of its socket.
    pub socket: String,
    /// Its process, where it answered.
    pub server_pid: Option<i32>,
    /// What came of asking.
    pub answer: TmuxAnswer,
}

words! {
    /// What came of asking tmux.
    TmuxAnswer {
        /// It answered.
        Ok = "ok",
        /// There is no server on the socket.
        NoServer = "no-server",
        /// No answer in time, or one that was not understood: every agent is unknown.
        Unknown = "unknown",
    }
}

/// What should run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Desired {
    /// Agents besides agent0.
    pub clones: u32,
    /// Those that should run, in numeric order; none: the constellation is down by the owner's will.
    pub agents: Vec<DesiredAgent>,
    /// Since when.
    #[serde(with = "crate::clock::stamped")]
    pub since: DateTime<Utc>,
    /// By which verb.
    pub verb: String,
    /// By whom.
    pub actor: Actor,
}

/// An agent that should run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DesiredAgent {
    /// Which.
    pub name: AgentName,
    /// The name of its profile.
    #[serde(rename = "type")]
    pub profile: String,
}

/// One agent as it is now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AgentStatus {
    /// The same as in a record.
    #[serde(flatten)]
    pub record: AgentRecord,
    /// The process of its pane.
    pub pid: Option<i32>,
    /// Since when it is in this state.
    #[serde(with = "crate::clock::stamped_option")]
    pub since: Option<DateTime<Utc>>,
    /// What it proves itself by.
    pub generation: Option<Generation>,
    /// What proves its state; `None` where nothing does.
    pub proof: Option<Proof>,
    /// How often it was spawned.
    pub session_number: Option<u64>,
    /// The CLI's own session id, from its hooks.
    pub cli_session: Option<String>,
    /// Where it works.
    pub workdir: Option<String>,
    /// When its usage limit ends, where it is limited and says so.
    #[serde(with = "crate::clock::stamped_option")]
    pub limited_until: Option<DateTime<Utc>>,
    /// What it last did or said, on one line.
    pub last: Option<String>,
}

/// Something that keeps netsky from acting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Blocking {
    /// The agent it is about.
    pub agent: Option<AgentName>,
    /// What is the matter.
    pub what: String,
    /// What to type.
    pub hint: Option<String>,
}

/// The records, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HistoryDocument {
    /// 1.
    pub version: u64,
    /// Those that are kept.
    pub restarts: Vec<Record>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_tmux_are_pinned() {
        let words: Vec<_> = TmuxAnswer::ALL.iter().map(|answer| answer.as_str()).collect();
        assert_eq!(words, ["ok", "no-server", "unknown"]);
    }
}
