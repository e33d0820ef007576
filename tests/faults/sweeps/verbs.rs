//! The verbs that are tried: where each begins, what it is called with, and what must be so when it has ended.

pub mod places;
pub mod running;
mod still;

use std::ffi::OsString;

use places::Place;
pub use running::{DELIVER, DETACH, DOWN, RESTART, RESTART_OVER_SURVIVOR, SEND, STATUS, UP};
pub use still::{DONE, HISTORY, HOOK, INIT, LIST, NEXT, SHOW, TRUST, WRITE};

use crate::support::World;
use crate::support::world::Ran;
use crate::sweep::Finding;

/// A verb.
pub struct Verb {
    pub name: &'static str,
    pub place: Place,
    /// Whether its threads are struck too; not where it starts what lives on.
    pub follow: bool,
    /// Whether calls that only look are struck too.
    pub reads: bool,
    /// Whether standard output is what it is called for.
    pub prints: bool,
    /// Whether it changes nothing.
    pub only_looks: bool,
    pub begin: fn(&World),
    pub arguments: fn(&World) -> Vec<OsString>,
    pub stdin: &'static str,
    /// Variables beside the world's.
    pub marks: fn(&World) -> Vec<(&'static str, String)>,
    /// Judges what came of it, recovers, and judges again. Nothing found: the world can be used again.
    pub judge: fn(&World, &Ran, &str) -> Vec<Finding>,
}

/// What a run is called in which nothing goes wrong.
pub const UNTOUCHED: &str = "untouched";

/// In the order in which they are tried: a build that does not heed errors is found out by the first.
pub const ALL: &[Verb] = &[
    DELIVER, RESTART, DETACH, SEND, UP, DOWN, NEXT, DONE, HOOK, WRITE, TRUST, SHOW, INIT, STATUS, HISTORY,
    LIST,
];
