//! netsky keeps a constellation of AI coding agents running in tmux.
//!
//! The modules in reading order; each layer uses only those below it (ARCHITECTURE.md).

pub mod agent;
pub mod clock;
pub mod cmd;
pub mod config;
pub mod constellation;
pub mod events;
pub mod exit;
pub mod failpoint;
pub mod handoff;
pub mod id;
pub mod lock;
#[cfg(test)]
mod mutation;
pub mod name;
pub mod owner;
pub mod paths;
pub mod persist;
pub mod process;
pub mod state;
pub mod status;
pub mod text;
pub mod tmux;
