//! The phases of a restart and the order they come in. Their strings are part of the contract.

use super::word::words;

words! {
    /// How far a restart is. Each is written before the next begins.
    Phase {
        /// Lock, checks, claim of the hand-over; nothing is torn down yet.
        Preflight = "preflight",
        /// Agents are asked for what they would lose.
        Draining = "draining",
        /// Sessions and processes are being ended.
        TearingDown = "tearing-down",
        /// All new sessions exist.
        Spawned = "spawned",
        /// agent0 is up.
        UpDetected = "up-detected",
        /// The hand-over is archived and in agent0's inbox.
        HandoffDelivered = "handoff-delivered",
        /// Every agent is up.
        Complete = "complete",
        /// agent0 is up, some clones are not.
        Degraded = "degraded",
        /// It failed; the record says where and why.
        Errored = "errored",
        /// Its process was gone before it could say how it ended.
        Interrupted = "interrupted",
    }
}

impl Phase {
    /// Whether a restart ends in this phase.
    pub fn is_terminal(self) -> bool {
        matches!(self, Self::Complete | Self::Degraded | Self::Errored | Self::Interrupted)
    }
}

/// Whether `next` may come right after `before`. Phases only go forward; only draining and the hand-over may be
/// absent, and only a restart that has not ended can fail.
pub fn may_follow(before: Phase, next: Phase) -> bool {
    use Phase::{
        Complete, Degraded, Draining, Errored, HandoffDelivered, Interrupted, Preflight, Spawned,
        TearingDown, UpDetected,
    };
    match (before, next) {
        (before, Errored | Interrupted) => !before.is_terminal(),
        (Preflight, Draining | TearingDown) | (Draining, TearingDown) => true,
        (TearingDown, Spawned) | (Spawned, UpDetected) => true,
        (UpDetected, HandoffDelivered | Complete | Degraded) => true,
        (HandoffDelivered, Complete | Degraded) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phase_strings_are_pinned() {
        let strings: Vec<String> =
            Phase::ALL.iter().map(|phase| serde_json::to_string(phase).unwrap()).collect();
        assert_eq!(
            strings,
            [
                "\"preflight\"",
                "\"draining\"",
                "\"tearing-down\"",
                "\"spawned\"",
                "\"up-detected\"",
                "\"handoff-delivered\"",
                "\"complete\"",
                "\"degraded\"",
                "\"errored\"",
                "\"interrupted\"",
            ]
        );
        for phase in Phase::ALL {
            assert_eq!(serde_json::to_string(phase).unwrap(), format!("\"{phase}\""));
        }
    }

    #[test]
    fn phases_only_go_forward() {
        let position = |phase| Phase::ALL.iter().position(|other| *other == phase).unwrap();
        for before in Phase::ALL {
            for next in Phase::ALL {
                if may_follow(*before, *next) {
                    assert!(position(*next) > position(*before), "{before} then {next}");
                    assert!(!before.is_terminal(), "{before} then {next}");
                }
            }
        }
    }

    #[test]
    fn a_restart_is_not_green_before_the_root_is_up() {
        for before in [Phase::Preflight, Phase::Draining, Phase::TearingDown, Phase::Spawned] {
            assert!(!may_follow(before, Phase::Complete) && !may_follow(before, Phase::Degraded), "{before}");
            assert!(may_follow(before, Phase::Errored) && may_follow(before, Phase::Interrupted), "{before}");
        }
    }

    #[test]
    fn every_phase_leads_to_an_end() {
        for phase in Phase::ALL {
            let leads_on = Phase::ALL.iter().any(|next| may_follow(*phase, *next));
            assert_eq!(leads_on, !phase.is_terminal(), "{phase}");
        }
    }
}
