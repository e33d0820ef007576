//! What netsky remembers of the constellation between two commands.
//!
//! What should run ([`desired`]) is kept apart from what was last spawned ([`spawned`]); neither says what *is*:
//! only tmux and the process table do.

pub mod desired;
pub mod environment;
pub mod epochs;
pub mod spawned;

use crate::persist::{self, Loaded, MovedAside, PersistError, StateFile};
use std::path::Path;

/// A state file's value, its default where there is none, and what had to be moved aside.
pub(crate) fn load_or_default<T: StateFile + Default>(
    path: &Path,
) -> Result<(T, Option<MovedAside>), PersistError> {
    Ok(match persist::load::<T>(path)? {
        Loaded::Absent => (T::default(), None),
        Loaded::Present(value) => (value, None),
        Loaded::MovedAside(moved) => (T::default(), Some(moved)),
    })
}
