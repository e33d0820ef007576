//! The archive: every envelope that was delivered, until retention takes the oldest.
//!
//! It is only read here; `deliver` writes, `copies` mends and `retention` prunes.

use super::copies;
use super::envelope::{Envelope, EnvelopeName};
use super::{HandoffError, Listing, Result};
use crate::id::EnvelopeId;
use crate::paths::Home;

/// All envelopes, newest first.
pub fn list(home: &Home) -> Result<Listing> {
    let mut listing = Listing::of(&home.archive(), &[])?;
    listing.names.reverse();
    Ok(listing)
}

/// The envelope of that name; `None` where it was pruned, or cannot be understood and is in no inbox either.
///
/// # Errors
/// It is no plain file of ours, or the system refused.
pub fn load(home: &Home, name: EnvelopeName) -> Result<Option<Envelope>> {
    copies::in_archive(home, name)
}

/// The envelope of that id.
///
/// # Errors
/// There is none (any more), or it is not what its name says.
pub fn read(home: &Home, id: EnvelopeId) -> Result<Envelope> {
    let missing = || HandoffError::NotInArchive { id };
    let name = list(home)?.names.into_iter().find(|name| name.id == id).ok_or_else(missing)?;
    load(home, name)?.ok_or_else(missing)
}
