//! What netsky remembers of the constellation between two commands.
//!
//! What should run ([`desired`]) is kept apart from what was last spawned ([`spawned`]); neither says what *is*:
//! only tmux and the process table do.

pub mod desired;
pub mod environment;
pub mod epochs;
pub mod spawned;

use crate::persist::{self, PersistError, StateFile};
use std::path::Path;

/// A state file's value; its default where there is none, or none that could be understood.
pub(crate) fn load_or_default<T: StateFile + Default>(path: &Path) -> Result<T, PersistError> {
    Ok(persist::load::<T>(path)?.present().unwrap_or_default())
}
