//! What can be said of an agent and of a hand-over, and by what it was proved.

use super::word::words;

words! {
    /// What an agent is doing, as far as that is known.
    AgentState {
        /// There is no such session.
        Missing = "missing",
        /// Spawned, and its startup turn has not ended.
        Starting = "starting",
        /// It waits for a person.
        Blocked = "blocked",
        /// Its account has reached a usage limit.
        Limited = "limited",
        /// Its startup turn ended with the marker; nothing later is known.
        Up = "up",
        /// In a turn.
        Busy = "busy",
        /// Up, and waiting for the next prompt.
        Idle = "idle",
        /// Its process has ended.
        Exited = "exited",
        /// Work is expected of it and nothing has moved for too long.
        Hung = "hung",
        /// The look at it failed. Nothing is ever killed, revived or given up on this.
        Unknown = "unknown",
    }
}

impl AgentState {
    /// Whether a restart that leaves the agent so is a success.
    pub fn is_up(self) -> bool {
        matches!(self, Self::Up | Self::Busy | Self::Idle)
    }
}

words! {
    /// What proved that an agent is up.
    ReadyBy {
        /// Its CLI's own hook reported the marker.
        Hook = "hook",
        /// The marker stood on its screen.
        Marker = "marker",
    }
}

words! {
    /// What proves an agent's state.
    Proof {
        /// An event of its CLI's hook.
        Hook = "hook",
        /// What stands on its screen.
        Marker = "marker",
        /// That its process runs, or has ended.
        Process = "process",
    }
}

words! {
    /// How far a hand-over is. A record knows the first two; where the envelope lies tells the others.
    HandoffState {
        /// Claimed from its source, under its id.
        Claimed = "claimed",
        /// Durable in the archive and in the inbox.
        Delivered = "delivered",
        /// Printed into the agent's context.
        Shown = "shown",
        /// The turn it was shown in was answered.
        Taken = "taken",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_pinned() {
        let join = |words: &[&str]| words.join(" ");
        assert_eq!(
            join(&AgentState::ALL.iter().map(|state| state.as_str()).collect::<Vec<_>>()),
            "missing starting blocked limited up busy idle exited hung unknown"
        );
        assert_eq!(join(&ReadyBy::ALL.iter().map(|by| by.as_str()).collect::<Vec<_>>()), "hook marker");
        assert_eq!(join(&Proof::ALL.iter().map(|by| by.as_str()).collect::<Vec<_>>()), "hook marker process");
        assert_eq!(
            join(&HandoffState::ALL.iter().map(|state| state.as_str()).collect::<Vec<_>>()),
            "claimed delivered shown taken"
        );
    }

    #[test]
    fn only_a_working_agent_is_up() {
        let up: Vec<_> = AgentState::ALL.iter().filter(|state| state.is_up()).collect();
        assert_eq!(up, [&AgentState::Up, &AgentState::Busy, &AgentState::Idle]);
    }
}
