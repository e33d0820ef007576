//! What is reported: the record of each restart, the states of agents, and how both are shown.
//!
//! A record is one file that is replaced at each phase; phases only go forward, and a record whose process is gone
//! is seen as interrupted by every reader. What is decided here is decided about records alone: nothing here looks
//! at tmux or at an agent, and nothing prints.

mod document;
mod entry;
mod file_name;
mod liveness;
mod phase;
mod record;
pub mod render;
pub mod retention;
mod state;
mod store;
mod table;
mod word;

pub use document::{
    AgentStatus, Blocking, Desired, DesiredAgent, HistoryDocument, StatusDocument, TmuxAnswer, TmuxStatus,
};
pub use entry::{AgentRecord, Failure, HandoffRecord, PhaseEntry};
pub use file_name::RecordName;
pub use liveness::is_gone;
pub use phase::{Phase, may_follow};
pub use record::{Beginning, Ending, Record, TransitionError};
pub use state::{AgentState, HandoffState, Proof, ReadyBy};
pub use store::{FindError, Store};
pub use table::{Palette, Screen};

#[cfg(test)]
mod schema_tests;
