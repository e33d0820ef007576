//! What an agent is: its CLI as data, how it is launched, what its hooks report and what its screen says.
//!
//! Nothing here talks to tmux: a screen comes in as text, a key goes out as a wish.

pub mod attach;
pub mod beacon;
pub mod briefing;
pub mod demo;
pub mod dialog;
pub mod hook;
pub mod launch;
pub mod marker;
pub mod profile;
mod profiles;
pub mod report;
pub mod role;
pub mod screen;
pub mod wake;
