//! The sweeps, in the order in which they are tried.

mod clocks;
mod complaint;
mod corrupt;
mod errors;
mod failpoints;
mod frozen;
mod hooks;
mod intruder;
mod kill;
mod kill_verbs;
mod limits;
mod odd_files;
mod panes;
mod parsers;
mod power_cut;
mod racers;
mod signals;
mod soak;
mod text;
mod tmux;
mod verbs;
mod volume;

use crate::sweep::Sweep;

pub const ALL: &[Sweep] = &[
    kill::RESTART,
    power_cut::POWER_CUT,
    racers::RACERS,
    errors::ERRORS,
    frozen::FROZEN,
    tmux::TMUX,
    limits::LIMITS,
    kill_verbs::VERBS,
    failpoints::NAMED,
    signals::SIGNALS,
    clocks::CLOCKS,
    text::TEXT,
    panes::MARKERS,
    panes::DIALOGS,
    hooks::HOOKS,
    soak::SOAK,
    intruder::INTRUDER,
    corrupt::CORRUPT,
    parsers::PARSERS,
    odd_files::ODD_FILES,
    volume::VOLUME,
];
