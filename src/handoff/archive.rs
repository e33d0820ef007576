//! The archive: every envelope that was delivered, until retention takes the oldest.
//!
//! It is only read here; `deliver` writes and `retention` prunes.

use super::envelope::Envelope;
use super::{HandoffError, Listing, Result};
use crate::id::EnvelopeId;
use crate::paths::Home;

/// All envelopes, newest first.
pub fn list(home: &Home) -> Result<Listing> {
    let mut listing = Listing::of(&home.archive(), &[])?;
    listing.names.reverse();
    Ok(listing)
}

/// The envelope of that id.
///
/// # Errors
/// There is none (any more), or it is not what its name says.
pub fn read(home: &Home, id: EnvelopeId) -> Result<Envelope> {
    let missing = || HandoffError::NotInArchive { id };
    let name = list(home)?.names.into_iter().find(|name| name.id == id).ok_or_else(missing)?;
    Envelope::load(&home.archive(), name)?.ok_or_else(missing)
}
