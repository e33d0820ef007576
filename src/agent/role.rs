//! What an agent is for, in the words its briefing uses.

use crate::name::AgentName;

/// The role of an agent: from its name, unless the configuration names one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Role {
    /// agent0.
    Root,
    /// agent1 and on.
    Clone,
    /// agentinfinity.
    Overseer,
    /// A role of the owner's own.
    Named(String),
}

impl Role {
    /// The role of `name`; `configured` is the owner's word for it.
    pub fn of(name: AgentName, configured: Option<&str>) -> Self {
        match (configured, name) {
            (Some(role), _) => Self::Named(role.to_owned()),
            (None, AgentName::ROOT) => Self::Root,
            (None, AgentName::Numbered(_)) => Self::Clone,
            (None, AgentName::Overseer) => Self::Overseer,
        }
    }

    /// One sentence for the briefing.
    pub fn sentence(&self) -> String {
        match self {
            Self::Root => {
                "You are the root agent: you receive the hand-over, plan the work and give it to the clones."
                    .to_owned()
            }
            Self::Clone => {
                "You are a clone: you do the work that the root agent or the owner sends to your inbox."
                    .to_owned()
            }
            Self::Overseer => {
                "You are the overseer: you watch the other agents and tell the owner what is wrong."
                    .to_owned()
            }
            Self::Named(role) => format!("Your role: {role}."),
        }
    }
}
