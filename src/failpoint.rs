//! Named points at which a test strikes netsky, and steps that a test has it leave out.
//!
//! Compiled only with the feature `failpoints`, which no build that ships has; without it every call here is nothing.
//! A point is named where something is about to outlive the process, so that the phases of a restart can be swept where
//! system calls cannot be. A step left out makes the deliberately broken builds on which each sweep has to go red.
//!
//! Set by the environment: `FAILPOINT=VERB/POINT:NTH=SIGNAL` strikes (as in `restart/persist.rename:3=KILL`; VERB may be
//! `*`), `FAILPOINT_LOG=FILE` lists the points that are reached, `FAILPOINT_LEAVES_OUT=STEP` leaves out.

/// A step that a broken build leaves out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Syncing files and directories.
    Sync,
    /// Archiving a hand-over before it is in the inbox: the claim goes first, the archive is written last.
    ArchiveFirst,
    /// Taking the lock of restarts.
    Lock,
    /// Keeping what tmux is asked for out of its reach until the group before is done.
    Fence,
    /// Looking for processes that outlived their pane.
    Survivors,
    /// Heeding what a write or a sync reports.
    Errors,
    /// Taking out of foreign text what speaks to a terminal.
    Stripping,
    /// Asking that a marker stands on a line of its own.
    MarkerLine,
    /// Looking which option of a dialog is highlighted before it is confirmed.
    Highlight,
    /// Asking whose hook it is that calls.
    Belief,
    /// Making ids that come after all that are known, whatever the clock says.
    Succession,
    /// Noting signals instead of ending by them.
    Signals,
    /// Asking whose a file, a directory, a socket or a process is, and following no link of another's.
    Ownership,
    /// Moving aside what cannot be understood: it is read as empty and written over.
    Aside,
    /// Asking of what kind a thing with one of our names is before it is read, moved, written over or pruned.
    OwnKind,
    /// Sorting what a directory lists, and what waits in an inbox.
    Order,
}

impl Step {
    /// The word for the environment.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Sync => "sync",
            Self::ArchiveFirst => "archive-first",
            Self::Lock => "lock",
            Self::Fence => "fence",
            Self::Survivors => "survivors",
            Self::Errors => "errors",
            Self::Stripping => "stripping",
            Self::MarkerLine => "marker-line",
            Self::Highlight => "highlight",
            Self::Belief => "belief",
            Self::Succession => "succession",
            Self::Signals => "signals",
            Self::Ownership => "ownership",
            Self::Aside => "aside",
            Self::OwnKind => "own-kind",
            Self::Order => "order",
        }
    }
}

#[cfg(not(feature = "failpoints"))]
mod off {
    use super::Step;

    /// Nothing.
    #[inline(always)]
    pub const fn reach(_point: &str) {}

    /// No step is left out.
    #[inline(always)]
    pub const fn leaves_out(_step: Step) -> bool {
        false
    }
}
#[cfg(not(feature = "failpoints"))]
pub use off::{leaves_out, reach};

#[cfg(feature = "failpoints")]
mod on {
    use std::collections::HashMap;
    use std::fs::OpenOptions;
    use std::io::Write;
    use std::sync::{Mutex, OnceLock, PoisonError};

    use rustix::process::Signal;

    use super::Step;

    /// Where to strike, and with what.
    struct Strike {
        point: String,
        nth: usize,
        signal: Signal,
    }

    /// Says that `point` is reached, and strikes if it is the one.
    pub fn reach(point: &str) {
        static REACHED: OnceLock<Mutex<HashMap<String, usize>>> = OnceLock::new();
        let mut reached = REACHED.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner);
        let times = reached.entry(point.to_owned()).or_default();
        *times += 1;
        log(point);
        if let Some(strike) = strike()
            && strike.point == point
            && strike.nth == *times
        {
            // A signal that is noted and not obeyed lets the process go on from here.
            rustix::process::kill_process(rustix::process::getpid(), strike.signal).unwrap_or_default();
        }
    }

    /// Whether the environment leaves out `step`.
    pub fn leaves_out(step: Step) -> bool {
        std::env::var("FAILPOINT_LEAVES_OUT").is_ok_and(|word| word == step.word())
    }

    fn verb() -> String {
        std::env::args().nth(1).unwrap_or_default()
    }

    fn strike() -> Option<&'static Strike> {
        static STRIKE: OnceLock<Option<Strike>> = OnceLock::new();
        STRIKE.get_or_init(|| parsed(&std::env::var("FAILPOINT").ok()?)).as_ref()
    }

    fn parsed(text: &str) -> Option<Strike> {
        let (place, signal) = text.split_once('=')?;
        let (place, nth) = place.rsplit_once(':')?;
        let (wanted, point) = place.split_once('/')?;
        let signal = match signal {
            "KILL" => Signal::KILL,
            "STOP" => Signal::STOP,
            "INT" => Signal::INT,
            "TERM" => Signal::TERM,
            "HUP" => Signal::HUP,
            _ => return None,
        };
        let is_ours = wanted == "*" || wanted == verb();
        is_ours.then(|| Strike { point: point.to_owned(), nth: nth.parse().unwrap_or(1), signal })
    }

    /// One line, written at once: several processes share the file.
    fn log(point: &str) {
        if let Some(path) = std::env::var_os("FAILPOINT_LOG")
            && let Ok(mut file) = OpenOptions::new().append(true).create(true).open(path)
        {
            file.write_all(format!("{}/{point}\n", verb()).as_bytes()).unwrap_or_default();
        }
    }
}
#[cfg(feature = "failpoints")]
pub use on::{leaves_out, reach};
