//! Hand-overs and messages: nothing lost, nothing twice.
//!
//! The protocol, each step durable before the next begins:
//! 1. `source`: open without following links; a regular file of ours, not empty, within the limit.
//! 2. `claim`: write the claim's record, then move the source to `handoff/claims/` by one rename (or copy it and then
//!    unlink it). The id is fixed here for ever.
//! 3. `deliver`: archive the envelope, put the same bytes into the inbox unless the id is there already, remove the
//!    claim, remove its record. Doing that again for what a crash left *is* the recovery (`deliver::replay`).
//! 4. `inbox`: the reader moves it from delivered to shown (`cur/`) to taken (`done/`) and never deletes.
//! 5. `retention`: the oldest ids go, never one with a live claim.
//!
//! It knows no tmux, no agent CLI and nothing of restarts: when a claim may be delivered is the caller's decision.

pub mod archive;
pub mod claim;
pub mod compose;
mod copies;
pub mod deliver;
pub mod draft;
pub mod envelope;
mod error;
pub mod fence;
pub mod inbox;
pub mod parts;
mod record;
pub mod retention;
#[cfg(test)]
mod scene;
mod shown;
pub mod source;

pub use envelope::{Envelope, EnvelopeName};
pub use error::HandoffError;

/// The result of everything here that touches a disk.
pub type Result<T> = std::result::Result<T, HandoffError>;

/// The largest text that any configuration can allow. What a reader allocates is bounded by it.
pub const LARGEST_TEXT: u64 = 8 << 20;

/// JSON may need six bytes for one byte of text; the rest is room for the other fields.
pub const LARGEST_ENVELOPE: u64 = 6 * LARGEST_TEXT + (64 << 10);

/// Whether anything lies at `path`, a dangling link included. What cannot be seen is neither there nor not.
fn is_there(path: &std::path::Path) -> Result<bool> {
    match std::fs::symlink_metadata(path) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(source) => Err(HandoffError::Unseen { path: path.to_owned(), source }),
    }
}

/// Names of envelopes found in a directory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listing {
    /// In id order, oldest first.
    pub names: Vec<EnvelopeName>,
    /// How many entries are no envelope's.
    pub skipped: usize,
}

impl Listing {
    /// What `dir` holds, beside the directories named `below`. Names and kinds alone are looked at, so ten thousand
    /// cost one pass over the directory.
    fn of(dir: &std::path::Path, below: &[&str]) -> Result<Self> {
        let (names, mut skipped) = crate::persist::list_beside(dir, below)?;
        let mut listing = Self::default();
        for name in &names {
            match name.strip_suffix(".json").and_then(|stem| stem.parse().ok()) {
                Some(name) => listing.names.push(name),
                None => skipped += 1,
            }
        }
        listing.skipped = skipped;
        Ok(listing)
    }
}
