//! Ids: ULIDs, each kind a type of its own, so that a restart is never taken for an envelope.
//!
//! An id sorts by the time it was made; retention relies on that and on nothing else.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use ulid::Ulid;

/// What was read is no ULID.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a ULID (26 characters such as 01JD0Q7M3ZJ4V5W6X7Y8Z9A0BC)")]
pub struct InvalidId {
    /// What was read.
    pub text: String,
}

macro_rules! id_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Ulid);

        impl $name {
            /// A new id, made now.
            #[expect(clippy::disallowed_methods, reason = "this is the home of the call")]
            pub fn fresh() -> Self {
                Self(Ulid::generate())
            }

            /// Milliseconds since the epoch at which the id was made.
            pub fn made_at_ms(self) -> u64 {
                self.0.timestamp_ms()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}", self.0)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                // The upper-case form alone: an id is a file name too, and one id has one spelling.
                match Ulid::from_string(text) {
                    Ok(ulid) if ulid.to_string() == text => Ok(Self(ulid)),
                    _ => Err(InvalidId { text: text.to_owned() }),
                }
            }
        }
    };
}

id_type! {
    /// Names one spawn. What an agent proves, it proves for one generation.
    Generation
}
id_type! {
    /// Names one restart and its status record.
    RestartId
}
id_type! {
    /// Names one envelope, from its claim to the archive.
    EnvelopeId
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_survives_its_text_form() {
        let id = Generation::fresh();
        assert_eq!(id.to_string().parse::<Generation>(), Ok(id));
    }

    #[test]
    fn lower_case_and_path_tricks_are_refused() {
        for text in ["", "01jd0q7m3zj4v5w6x7y8z9a0bc", "../../etc/passwd", "8ZZZZZZZZZZZZZZZZZZZZZZZZZ"] {
            assert!(text.parse::<EnvelopeId>().is_err(), "{text:?}");
        }
    }
}
