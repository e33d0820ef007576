//! The parts of a record: a phase reached, an agent, the hand-over, the cause of a failure.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::phase::Phase;
use super::state::{AgentState, HandoffState, ReadyBy};
use crate::id::EnvelopeId;
use crate::name::AgentName;

/// A phase that was reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhaseEntry {
    /// Which.
    pub phase: Phase,
    /// When, by the wall clock.
    #[serde(with = "crate::clock::stamped")]
    pub at: DateTime<Utc>,
    /// Milliseconds since the restart began, by the monotonic clock.
    pub elapsed_ms: u64,
}

/// What became of one agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentRecord {
    /// Which.
    pub name: AgentName,
    /// The name of its profile.
    #[serde(rename = "type")]
    pub profile: String,
    /// What it was doing when last looked at.
    pub state: AgentState,
    /// What proved it up; `None` until it was.
    pub ready_by: Option<ReadyBy>,
    /// Milliseconds from its spawn until it was up.
    pub ready_ms: Option<u64>,
    /// The dialogs that were answered, in order.
    pub dialogs: Vec<String>,
    /// Why it is not up, on one line.
    pub error: Option<String>,
}

impl AgentRecord {
    /// An agent that has just been spawned.
    pub fn starting(name: AgentName, profile: impl Into<String>) -> Self {
        Self {
            name,
            profile: profile.into(),
            state: AgentState::Starting,
            ready_by: None,
            ready_ms: None,
            dialogs: Vec::new(),
            error: None,
        }
    }
}

/// The hand-over of a restart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HandoffRecord {
    /// Its id, fixed when it was claimed.
    pub id: EnvelopeId,
    /// How far it is.
    pub state: HandoffState,
    /// The name of its file in the archive, `<ULID>-from-<from>.json`.
    pub envelope: String,
}

/// Why a restart failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The phase that was not reached or, for the preflight, not left.
    pub step: Phase,
    /// What was being done and to what, then the cause.
    pub message: String,
    /// The agent it is about.
    pub agent: Option<AgentName>,
    /// The last lines of that agent's screen.
    pub screen: Option<Vec<String>>,
    /// What to type.
    pub hint: Option<String>,
}
