//! Ids: ULIDs, each kind a type of its own, so that a restart is never taken for an envelope.
//!
//! An id sorts by the time it was made, and where that matters after all that are known: a clock that was set back does
//! not make the newest the oldest. Retention relies on that and on nothing else.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use ulid::Ulid;

use crate::failpoint::{self, Step};

/// The last millisecond whose year has four digits: no id is made after one beyond it.
const LAST_MS: u64 = 253_402_300_799_999;

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

            /// A new id that sorts after `known`, the newest that there is, whatever the clock says.
            pub fn fresh_after(known: Option<Self>) -> Self {
                Self::fresh().moved_after(known)
            }

            fn moved_after(self, known: Option<Self>) -> Self {
                if failpoint::leaves_out(Step::Succession) {
                    return self;
                }
                match known.filter(|known| *known >= self).map(|known| known.made_at_ms().saturating_add(1)) {
                    Some(ms) if ms <= LAST_MS => Self(Ulid::from_parts(ms, self.0.random())),
                    _ => self,
                }
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
    fn a_new_id_comes_after_all_that_are_known_whatever_the_clock_says() {
        let id = |ms| Generation(Ulid::from_parts(ms, 7));
        let fresh = id(1_000);
        for (known, expected) in [
            (None, 1_000),
            (Some(999), 1_000),
            (Some(1_000), 1_001),
            (Some(5_000), 5_001),
            (Some(LAST_MS - 1), LAST_MS),
            // There is no later one.
            (Some(LAST_MS), 1_000),
            (Some(u64::MAX >> 16), 1_000),
        ] {
            assert_eq!(fresh.moved_after(known.map(id)), id(expected), "{known:?}");
        }
        let (one, two) = (Generation::fresh(), Generation::fresh());
        assert_ne!(one.moved_after(Some(id(LAST_MS - 1))), two.moved_after(Some(id(LAST_MS - 1))));
    }

    #[test]
    fn lower_case_and_path_tricks_are_refused() {
        for text in ["", "01jd0q7m3zj4v5w6x7y8z9a0bc", "../../etc/passwd", "8ZZZZZZZZZZZZZZZZZZZZZZZZZ"] {
            assert!(text.parse::<EnvelopeId>().is_err(), "{text:?}");
        }
    }

    proptest::proptest! {
        #![proptest_config(crate::mutation::tries(256))]

        #[test]
        fn ids_sort_as_their_spellings_do(one: u128, other: u128) {
            let (one, other) = (EnvelopeId(Ulid(one)), EnvelopeId(Ulid(other)));
            proptest::prop_assert_eq!(one.cmp(&other), one.to_string().cmp(&other.to_string()));
            proptest::prop_assert_eq!(one.to_string().parse(), Ok(one));
        }

        #[test]
        fn a_damaged_id_is_refused_or_is_its_own_spelling(
            text in crate::mutation::texts(vec![b"01JD0Q7M3ZJ4V5W6X7Y8Z9A0BC".to_vec()]),
        ) {
            if let Ok(id) = text.parse::<EnvelopeId>() {
                proptest::prop_assert_eq!(id.to_string(), text);
            }
        }
    }
}
