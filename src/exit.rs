//! Exit codes, part of the contract: scripts and cron read them.

use std::process::ExitCode;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Done,
    /// Failed.
    Failed,
    /// Wrong usage.
    Usage,
    /// agent0 is up, some clones are not.
    Degraded,
    /// agent0, or a named agent, waits for a person.
    Blocked,
    /// tmux or the agent CLI is not available or did not answer in time.
    Unavailable,
    /// Another restart is in flight.
    Busy,
    /// The configuration or the home cannot be used.
    Configuration,
    /// Ended by this signal.
    Signal(u8),
}

impl Exit {
    /// The number the process ends with.
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Degraded => 3,
            Self::Blocked => 4,
            Self::Unavailable => 69,
            Self::Busy => 75,
            Self::Configuration => 78,
            Self::Signal(signal) => 128u8.saturating_add(signal),
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::Exit;

    #[test]
    fn exit_codes_are_pinned() {
        let all = [
            Exit::Done,
            Exit::Failed,
            Exit::Usage,
            Exit::Degraded,
            Exit::Blocked,
            Exit::Unavailable,
            Exit::Busy,
            Exit::Configuration,
            Exit::Signal(2),
            Exit::Signal(15),
        ];
        assert_eq!(all.map(Exit::code), [0, 1, 2, 3, 4, 69, 75, 78, 130, 143]);
    }
}
