//! Names of agents and of those who speak to them, parsed once.
//!
//! `agent` followed by digits is an agent session; the overseer and the ticker belong to the constellation but no
//! restart tears them down. A name that is none of these never becomes one.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// An agent of the constellation. Sorts agent0, agent1 … agent10, then the overseer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum AgentName {
    /// agent0 (the root) and its clones.
    Numbered(u32),
    /// `agentinfinity`.
    Overseer,
}

/// The last clone that there can be: more are a mistyped number.
pub const LAST_CLONE: u32 = 999;

/// The session that shows the watchdog; not an agent.
pub const TICKER_SESSION: &str = "netsky-ticker";

/// What was read names no agent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} names no agent (agent0, agent1, … agent999, or agentinfinity)")]
pub struct InvalidName {
    /// What was read.
    pub text: String,
}

impl AgentName {
    /// The root agent.
    pub const ROOT: Self = Self::Numbered(0);

    /// agent0 and `clones` clones, in order.
    pub fn constellation(clones: u32) -> impl Iterator<Item = Self> {
        (0..=clones).map(Self::Numbered)
    }

    /// Whether this is agent0.
    pub fn is_root(self) -> bool {
        self == Self::ROOT
    }

    /// The digits of an agent session, `None` for the overseer.
    pub fn number(self) -> Option<u32> {
        match self {
            Self::Numbered(number) => Some(number),
            Self::Overseer => None,
        }
    }
}

impl fmt::Display for AgentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // `pad` so that `{:<14}` works in tables.
            Self::Numbered(number) => f.pad(&format!("agent{number}")),
            Self::Overseer => f.pad("agentinfinity"),
        }
    }
}

impl FromStr for AgentName {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let invalid = || InvalidName { text: text.to_owned() };
        let rest = text.strip_prefix("agent").ok_or_else(invalid)?;
        if rest == "infinity" {
            return Ok(Self::Overseer);
        }
        let number: u32 = rest.parse().map_err(|_| invalid())?;
        // One agent has one spelling: agent01 and agent+1 are somebody else's sessions.
        let is_one = number <= LAST_CLONE && number.to_string() == rest;
        if is_one { Ok(Self::Numbered(number)) } else { Err(invalid()) }
    }
}

impl TryFrom<String> for AgentName {
    type Error = InvalidName;
    fn try_from(text: String) -> Result<Self, InvalidName> {
        text.parse()
    }
}

impl From<AgentName> for String {
    fn from(name: AgentName) -> Self {
        name.to_string()
    }
}

/// Who gave a command or wrote a message. Set by netsky, never parsed out of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Actor {
    /// A person, or a program of theirs outside the constellation.
    Owner,
    /// From inside an agent's session.
    Agent(AgentName),
    /// The watchdog.
    Watchdog,
}

impl Actor {
    /// Only the owner raises owner epochs.
    pub fn is_owner(self) -> bool {
        self == Self::Owner
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Owner => f.pad("owner"),
            Self::Agent(name) => name.fmt(f),
            Self::Watchdog => f.pad("watchdog"),
        }
    }
}

impl FromStr for Actor {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        match text {
            "owner" => Ok(Self::Owner),
            "watchdog" => Ok(Self::Watchdog),
            name => name.parse().map(Self::Agent),
        }
    }
}

impl TryFrom<String> for Actor {
    type Error = InvalidName;
    fn try_from(text: String) -> Result<Self, InvalidName> {
        text.parse()
    }
}

impl From<Actor> for String {
    fn from(actor: Actor) -> Self {
        actor.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_one_spelling() {
        for (text, expected) in [
            ("agent0", Some(AgentName::ROOT)),
            ("agent10", Some(AgentName::Numbered(10))),
            ("agentinfinity", Some(AgentName::Overseer)),
            ("agent", None),
            ("agent01", None),
            ("agent+1", None),
            ("agent-1", None),
            ("agent1 ", None),
            ("agent1x", None),
            ("Agent1", None),
            ("agent999", Some(AgentName::Numbered(999))),
            ("agent1000", None),
            ("agent99999999999", None),
            ("netsky-ticker", None),
        ] {
            assert_eq!(text.parse::<AgentName>().ok(), expected, "{text:?}");
        }
    }

    #[test]
    fn agents_sort_by_number_with_the_overseer_last() {
        let mut names = vec![AgentName::Overseer, AgentName::Numbered(10), AgentName::Numbered(2)];
        names.sort();
        assert_eq!(names, [AgentName::Numbered(2), AgentName::Numbered(10), AgentName::Overseer]);
    }

    #[test]
    fn actors_survive_their_text_form() {
        for actor in [Actor::Owner, Actor::Watchdog, Actor::Agent(AgentName::Numbered(3))] {
            assert_eq!(actor.to_string().parse(), Ok(actor));
        }
    }

    proptest::proptest! {
        #![proptest_config(crate::mutation::tries(256))]

        #[test]
        fn a_damaged_name_is_refused_or_is_its_own_spelling(
            text in crate::mutation::texts(
                ["agent0", "agent4294967295", "agentinfinity", "owner", "watchdog"].map(|text| text.into()).to_vec(),
            ),
        ) {
            if let Ok(actor) = text.parse::<Actor>() {
                proptest::prop_assert_eq!(actor.to_string(), text);
            }
        }
    }
}
