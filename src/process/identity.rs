//! A process by pid and start time, and signals that cannot hit another one.

use std::fmt;
use std::io;
use std::str::FromStr;
use std::sync::OnceLock;

use rustix::process::Pid;
use serde::{Deserialize, Serialize};

use crate::failpoint;

/// One process: a reused pid has another start time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ProcessId {
    /// The pid.
    pub pid: i32,
    /// Linux: clock ticks after boot (proc(5), field 22). Elsewhere: seconds since the epoch.
    pub started: u64,
}

/// What can be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Signal {
    /// SIGHUP.
    HangUp,
    /// SIGTERM.
    Terminate,
    /// SIGKILL.
    Kill,
    /// SIGUSR1: a tmux server makes its unlinked socket again.
    User1,
    /// SIGCHLD: a tmux server looks which of its children have ended.
    Child,
}

impl Signal {
    fn raw(self) -> rustix::process::Signal {
        match self {
            Self::HangUp => rustix::process::Signal::HUP,
            Self::Terminate => rustix::process::Signal::TERM,
            Self::Kill => rustix::process::Signal::KILL,
            Self::User1 => rustix::process::Signal::USR1,
            Self::Child => rustix::process::Signal::CHILD,
        }
    }
}

impl ProcessId {
    /// This process.
    pub fn own() -> Option<Self> {
        static OWN: OnceLock<Option<ProcessId>> = OnceLock::new();
        *OWN.get_or_init(|| Self::of(rustix::process::getpid().as_raw_nonzero().get()))
    }

    /// The process that has this pid now; `None` where there is none or it is a zombie (or it cannot be looked at).
    pub fn of(pid: i32) -> Option<Self> {
        Self::look(pid).ok().flatten()
    }

    /// The process that has this pid now; `None` where there is none or it is a zombie.
    ///
    /// # Errors
    /// It cannot be looked at: it may be there or not.
    pub fn look(pid: i32) -> io::Result<Option<Self>> {
        Ok(super::census::started(pid)?.map(|started| Self { pid, started }))
    }

    /// Whether this very process still runs (a zombie does not). One that cannot be looked at runs as long as there is
    /// anything of its pid.
    pub fn is_alive(self) -> bool {
        match Self::look(self.pid) {
            Ok(found) => found == Some(self),
            Err(_) => Pid::from_raw(self.pid)
                .is_some_and(|pid| rustix::process::test_kill_process(pid) != Err(rustix::io::Errno::SRCH)),
        }
    }

    /// Signals this very process; `false` where it is gone.
    ///
    /// # Errors
    /// The system refused (another user's process).
    #[cfg(target_os = "linux")]
    pub fn signal(self, signal: Signal) -> io::Result<bool> {
        use rustix::process::{PidfdFlags, pidfd_open, pidfd_send_signal};
        failpoint::reach("process.signal");
        let Some(pid) = Pid::from_raw(self.pid) else { return Ok(false) };
        // Open first, compare then: what the descriptor names cannot change any more.
        let sent = match pidfd_open(pid, PidfdFlags::empty()) {
            Ok(_) if !self.is_alive() => return Ok(false),
            Ok(descriptor) => pidfd_send_signal(descriptor, signal.raw()),
            Err(rustix::io::Errno::NOSYS) if self.is_alive() => {
                rustix::process::kill_process(pid, signal.raw())
            }
            Err(error) => Err(error),
        };
        gone_is_false(sent)
    }

    /// Signals this very process; `false` where it is gone.
    ///
    /// # Errors
    /// The system refused (another user's process).
    #[cfg(not(target_os = "linux"))]
    pub fn signal(self, signal: Signal) -> io::Result<bool> {
        match Pid::from_raw(self.pid) {
            Some(pid) if self.is_alive() => gone_is_false(rustix::process::kill_process(pid, signal.raw())),
            _ => Ok(false),
        }
    }
}

/// As it stands in the names of what a process made: `4242.1795201`.
impl fmt::Display for ProcessId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.pid, self.started)
    }
}

/// A text names no process.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} names no process")]
pub struct NoProcess {
    text: String,
}

impl FromStr for ProcessId {
    type Err = NoProcess;

    fn from_str(text: &str) -> Result<Self, NoProcess> {
        let parts =
            text.split_once('.').and_then(|(pid, started)| Some((pid.parse().ok()?, started.parse().ok()?)));
        // It is a part of names, and one process has one name: +42.7 and 042.7 are somebody else's.
        parts
            .map(|(pid, started)| Self { pid, started })
            .filter(|process| process.to_string() == text)
            .ok_or_else(|| NoProcess { text: text.to_owned() })
    }
}

fn gone_is_false(sent: Result<(), rustix::io::Errno>) -> io::Result<bool> {
    match sent {
        Ok(()) => Ok(true),
        Err(rustix::io::Errno::SRCH) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Names this boot of the machine; start times of another boot mean nothing. `None` where the system does not say.
pub fn boot_id() -> Option<String> {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok().map(|text| text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_survives_its_text_form() {
        let own = ProcessId::own().unwrap();
        assert_eq!(own.to_string().parse(), Ok(own));
        for other in ["", "1", "1.", ".1", "1.x", "aB3dE9"] {
            assert!(other.parse::<ProcessId>().is_err(), "{other:?}");
        }
    }

    #[test]
    fn a_reused_pid_is_another_process_and_is_not_signalled() {
        let own = ProcessId::own().unwrap();
        assert!(own.is_alive());
        let reused = ProcessId { started: own.started + 1, ..own };
        assert!(!reused.is_alive());
        assert!(!reused.signal(Signal::Kill).unwrap());
    }

    proptest::proptest! {
        #[test]
        fn a_process_has_one_spelling(text in "[-+0-9]{1,12}\\.[-+0-9]{1,22}") {
            if let Ok(process) = text.parse::<ProcessId>() {
                proptest::prop_assert_eq!(process.to_string(), text);
            }
        }
    }
}
