//! The sweeps, in the order in which they are tried.

mod complaint;
mod errors;
mod frozen;
mod kill;
mod limits;
mod power_cut;
mod racers;
mod tmux;
mod verbs;

use crate::sweep::Sweep;

pub const ALL: &[Sweep] = &[
    kill::RESTART,
    power_cut::POWER_CUT,
    racers::RACERS,
    errors::ERRORS,
    frozen::FROZEN,
    tmux::TMUX,
    limits::LIMITS,
];
