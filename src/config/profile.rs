//! What a configuration says about profiles: only what it overrides.
//!
//! The built-in profiles themselves are data of the agent layer; here only their names are known.

use std::collections::BTreeMap;

/// The name of a profile.
pub type ProfileName = String;

/// The profiles that exist without a line of configuration.
pub const BUILT_IN_PROFILES: [&str; 5] = ["claude", "codex", "gemini", "opencode", "demo"];

/// How an agent is asked its first turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StartupHow {
    /// As the last element of the argument vector.
    Argument,
    /// Pasted into the pane.
    Paste,
}

impl StartupHow {
    /// As the configuration spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Argument => "argument",
            Self::Paste => "paste",
        }
    }
}

/// One `[profile.NAME]`: a new profile, or what it changes of a built-in one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProfileOverrides {
    /// The built-in profile that a new one starts from; without it `command` is there.
    pub base: Option<ProfileName>,
    /// Program and arguments; never empty.
    pub command: Option<Vec<String>>,
    /// Variables for the agent.
    pub env: BTreeMap<String, String>,
    /// The first thing that is asked.
    pub startup: Option<String>,
    /// How it is asked.
    pub how: Option<StartupHow>,
    /// Regular expression of the marker's core; compiles.
    pub marker: Option<String>,
    /// What one agent takes, in bytes, for the preflight.
    pub memory: Option<u64>,
}
