//! The sweeps, in the order in which they are tried.

mod kill;

use crate::sweep::Sweep;

pub const ALL: &[Sweep] = &[kill::RESTART];
