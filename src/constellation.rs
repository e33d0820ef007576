//! The constellation as a whole: what is there, what is to be done, and doing it.
//!
//! A restart reads top to bottom in [`restart`]; [`plan`] and [`watch`] decide without touching anything.

pub mod down;
mod fallen;
pub mod handover;
pub mod means;
pub mod nudge;
pub mod observe;
pub mod plan;
pub mod preflight;
mod queue;
pub mod ready;
pub mod recovery;
pub mod restart;
pub mod scene;
pub mod screens;
pub mod spawn;
pub mod teardown;
pub mod trouble;
pub mod up;
pub mod watch;
