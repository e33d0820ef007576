//! The only place that talks to tmux.
//!
//! Every call is one bounded conversation of a client that is never attached, and ends in one of three ways: tmux
//! answered, tmux refused, or it is not known whether it did (`NoAnswer::is_unknown`). What creates, types or
//! destroys goes out in fenced groups: killing the client takes back every group that was not under way. After the
//! first late answer nothing more is sent. No agent profile and no hand-over is known here.

mod answer;
mod attach;
mod batch;
mod bond;
mod client;
mod control;
mod expected;
mod keys;
mod launch_mark;
mod looks;
mod pane;
mod quote;
mod reaping;
mod request;
mod server;
mod session;
mod settings;
mod snapshot;
mod target;
mod version;

#[cfg(test)]
mod freeze_tests;
#[cfg(test)]
mod misbehaviour_tests;
#[cfg(test)]
mod test_server;

pub use answer::{Answer, NoAnswer, Refusal, RefusalKind};
pub use client::{Limits, Socket, Tmux};
pub use control::{Conversation, Event, SecondedScreens};
pub use keys::Key;
pub use launch_mark::LaunchMark;
pub use looks::Looks;
pub use pane::{KeptScreen, Screen};
pub use quote::{NulInArgument, literal};
pub use server::{ServerSettings, Standing, Started, When, is_ending};
pub use session::{NewSession, Spawned};
pub use snapshot::{ClientRow, Death, PaneRow, ServerFacts, Snapshot};
pub use target::{InvalidTarget, PaneId, PaneTarget, SessionId, SessionTarget};
pub use version::{OLDEST_SUPPORTED, Version};
