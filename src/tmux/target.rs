//! Whom a request is for. There is no target that is a bare string: tmux takes one for a prefix, and with only
//! agent10 alive `agent1` means agent10.
//!
//! Ids cannot hit a namesake that was made later; they are what destroys and types.

use std::fmt;
use std::str::FromStr;

use crate::name::{AgentName, TICKER_SESSION};

/// What was read is no id of tmux.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no tmux {what} (such as {example})")]
pub struct InvalidTarget {
    /// What was read.
    pub text: String,
    /// "session id" or "pane id".
    pub what: &'static str,
    /// How one looks.
    pub example: &'static str,
}

macro_rules! id_type {
    ($(#[$doc:meta])* $name:ident, $sign:literal, $what:literal, $example:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(u32);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&format!(concat!($sign, "{}"), self.0))
            }
        }

        impl FromStr for $name {
            type Err = InvalidTarget;

            fn from_str(text: &str) -> Result<Self, InvalidTarget> {
                text.strip_prefix($sign)
                    .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))
                    .and_then(|digits| digits.parse().ok())
                    .map(Self)
                    .ok_or_else(|| InvalidTarget { text: text.to_owned(), what: $what, example: $example })
            }
        }
    };
}

id_type! {
    /// A session of one server, `$3`.
    SessionId, "$", "session id", "$3"
}
id_type! {
    /// A pane of one server, `%7`.
    PaneId, "%", "pane id", "%7"
}

/// A session, exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionTarget {
    /// The session of an agent.
    Named(AgentName),
    /// The session that shows the watchdog.
    Ticker,
    /// That very session.
    Id(SessionId),
}

impl fmt::Display for SessionTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(name) => write!(f, "={name}"),
            Self::Ticker => write!(f, "={TICKER_SESSION}"),
            Self::Id(id) => write!(f, "{id}"),
        }
    }
}

/// A pane, exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PaneTarget {
    /// The active pane of an agent's session.
    Named(AgentName),
    /// That very pane.
    Id(PaneId),
}

impl fmt::Display for PaneTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // Without the colon tmux looks for a pane of that name and finds none.
            Self::Named(name) => write!(f, "={name}:"),
            Self::Id(id) => write!(f, "{id}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_parsed_exactly() {
        for (text, expected) in [
            ("%7", Some("%7")),
            ("%0", Some("%0")),
            ("%", None),
            ("7", None),
            ("$7", None),
            ("%+7", None),
            ("%7 ", None),
            ("%99999999999", None),
            ("%agent1", None),
        ] {
            let read = text.parse::<PaneId>().ok().map(|id| id.to_string());
            assert_eq!(read.as_deref(), expected, "{text:?}");
        }
        assert_eq!("$12".parse::<SessionId>().map(|id| id.to_string()), Ok("$12".to_owned()));
    }

    #[test]
    fn named_targets_are_exact() {
        let name = AgentName::Numbered(1);
        assert_eq!(SessionTarget::Named(name).to_string(), "=agent1");
        assert_eq!(PaneTarget::Named(name).to_string(), "=agent1:");
        assert_eq!(SessionTarget::Ticker.to_string(), "=netsky-ticker");
    }
}
