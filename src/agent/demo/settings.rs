//! What a demo agent was started with.

use std::time::Duration;

use sha2::{Digest, Sha256};

use super::dialog::Quirk;
use super::fault::Fault;

/// What it was started with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The working directory, for the screen and for hooks.
    pub dir: String,
    /// What it is asked first; without it, it waits.
    pub prompt: Option<String>,
    /// Whether it asks for no trust.
    pub trusted: bool,
    /// Whether dialogs begin with *No* highlighted.
    pub default_no: bool,
    /// How long it thinks in each turn.
    pub think: Duration,
    /// What goes wrong.
    pub faults: Vec<Fault>,
    /// Said at the end of its startup turn in place of its marker.
    pub markers: Vec<String>,
    /// What its session ids are made from.
    pub seed: String,
}

impl Settings {
    /// Whether this goes wrong.
    pub fn plays(&self, fault: Fault) -> bool {
        self.faults.contains(&fault)
    }

    /// What is odd about its dialogs.
    pub fn quirk(&self) -> Option<Quirk> {
        let quirks = [
            (Fault::LostEnter, Quirk::LosesEnter),
            (Fault::Wandering, Quirk::Wanders),
            (Fault::Stuck, Quirk::Sticks),
        ];
        quirks.into_iter().find(|(fault, _)| self.plays(*fault)).map(|(_, quirk)| quirk)
    }

    /// After what time another dialog takes the place of the first.
    pub fn replaced_after(&self) -> Option<Duration> {
        self.faults.iter().find_map(|fault| match fault {
            Fault::Replaced(time) => Some(*time),
            _ => None,
        })
    }

    /// How long the first turn takes; `None`: for ever.
    pub fn first_thinking(&self) -> Option<Duration> {
        if self.plays(Fault::Hang) {
            return None;
        }
        let slow = self.faults.iter().find_map(|fault| match fault {
            Fault::Slow(time) => Some(*time),
            _ => None,
        });
        Some(slow.unwrap_or(self.think))
    }
}

/// The id of the agent's n-th session, in the form of a UUID.
pub fn session_id(seed: &str, session: u32) -> String {
    let digest = Sha256::digest(format!("{seed}/{session}"));
    let hex: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    let mut id = String::with_capacity(36);
    for (index, digit) in hex.chars().enumerate() {
        if matches!(index, 8 | 12 | 16 | 20) {
            id.push('-');
        }
        // Version 8 and the common variant: a UUID of one's own making (RFC 9562).
        id.push(match index {
            12 => '8',
            16 => 'a',
            _ => digit,
        });
    }
    id
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn session_ids_look_like_uuids_and_differ() {
        let id = session_id("01JD0Q7M3ZJ4V5W6X7Y8Z9A0BC", 1);
        let lengths: Vec<usize> = id.split('-').map(str::len).collect();
        assert_eq!(lengths, [8, 4, 4, 4, 12]);
        assert_eq!(id, session_id("01JD0Q7M3ZJ4V5W6X7Y8Z9A0BC", 1));
        assert_ne!(id, session_id("01JD0Q7M3ZJ4V5W6X7Y8Z9A0BC", 2));
    }
}
