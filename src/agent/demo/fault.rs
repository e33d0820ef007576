//! The faults that the demo agent plays for tests: `--fail KIND`, as often as wanted.

use std::str::FromStr;
use std::time::Duration;

/// One fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Exits 3 at once.
    Exit,
    /// Exits 3 when its startup turn has ended.
    ExitLater,
    /// Becomes a shell when its startup turn has ended.
    Shell,
    /// The first turn ends without a login.
    Login,
    /// The first turn ends at the usage limit.
    Limit,
    /// The first turn ends in an overloaded service.
    Overloaded,
    /// The first turn asks for a permission.
    Permission,
    /// The startup turn ends without its marker.
    NoMarker,
    /// The marker bears another number than the one it was told.
    WrongNumber,
    /// The startup turn shows what only looks like a marker.
    ForgedMarker,
    /// The end of a turn is never reported.
    NoStop,
    /// The first turn never ends.
    Hang,
    /// After its startup turn it reads no key any more.
    Deaf,
    /// The first turn takes so long.
    Slow(Duration),
    /// Ignores hang-up and TERM.
    Trap,
    /// Leaves a child in a session of its own.
    Orphan,
    /// A second dialog after trust.
    TwoDialogs,
    /// A dialog that no table knows.
    UnknownDialog,
    /// A dialog when the startup turn has ended.
    DialogAfterUp,
    /// The startup answer quotes a dialog.
    DialogWords,
    /// The first Return in each dialog is lost.
    LostEnter,
    /// A dialog shows what a key did only 700 ms later.
    SlowRedraw,
    /// Arrow keys move a highlight the other way, around the ends.
    Wandering,
    /// Arrow keys move no highlight.
    Stuck,
    /// Another dialog, with *No* highlighted, takes the place of the first so long after that came up.
    Replaced(Duration),
    /// What is pasted brings a dialog up.
    DialogOnPaste,
    /// Hooks are given what is no JSON.
    GarbageHooks,
}

/// Every fault that takes no value, with its name.
const NAMED: [(&str, Fault); 25] = [
    ("exit", Fault::Exit),
    ("exit-later", Fault::ExitLater),
    ("shell", Fault::Shell),
    ("login", Fault::Login),
    ("limit", Fault::Limit),
    ("overloaded", Fault::Overloaded),
    ("permission", Fault::Permission),
    ("no-marker", Fault::NoMarker),
    ("wrong-number", Fault::WrongNumber),
    ("forged-marker", Fault::ForgedMarker),
    ("no-stop", Fault::NoStop),
    ("hang", Fault::Hang),
    ("deaf", Fault::Deaf),
    ("trap", Fault::Trap),
    ("orphan", Fault::Orphan),
    ("two-dialogs", Fault::TwoDialogs),
    ("unknown-dialog", Fault::UnknownDialog),
    ("dialog-after-up", Fault::DialogAfterUp),
    ("dialog-words", Fault::DialogWords),
    ("lost-enter", Fault::LostEnter),
    ("slow-redraw", Fault::SlowRedraw),
    ("wandering", Fault::Wandering),
    ("stuck", Fault::Stuck),
    ("dialog-on-paste", Fault::DialogOnPaste),
    ("garbage-hooks", Fault::GarbageHooks),
];

/// What was read names no fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no fault (slow:SECONDS, replaced:SECONDS, {})", NAMED.map(|(name, _)| name).join(", "))]
pub struct UnknownFault {
    /// What was read.
    pub text: String,
}

impl FromStr for Fault {
    type Err = UnknownFault;

    fn from_str(text: &str) -> Result<Self, UnknownFault> {
        let unknown = || UnknownFault { text: text.to_owned() };
        let timed = |text: &str| {
            let time = text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
            time.ok_or_else(unknown)
        };
        if let Some(seconds) = text.strip_prefix("slow:") {
            return timed(seconds).map(Self::Slow);
        }
        if let Some(seconds) = text.strip_prefix("replaced:") {
            return timed(seconds).map(Self::Replaced);
        }
        NAMED.iter().find(|(name, _)| *name == text).map(|(_, fault)| *fault).ok_or_else(unknown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_read_by_name() {
        for (text, expected) in [
            ("exit", Some(Fault::Exit)),
            ("dialog-after-up", Some(Fault::DialogAfterUp)),
            ("slow:2", Some(Fault::Slow(Duration::from_secs(2)))),
            ("slow:0.25", Some(Fault::Slow(Duration::from_millis(250)))),
            ("replaced:0.1", Some(Fault::Replaced(Duration::from_millis(100)))),
            ("slow:-1", None),
            ("slow:NaN", None),
            ("slow", None),
            ("", None),
            ("Exit", None),
        ] {
            assert_eq!(text.parse::<Fault>().ok(), expected, "{text:?}");
        }
        assert!("x".parse::<Fault>().unwrap_err().to_string().contains("replaced:SECONDS, exit, exit-later"));
    }
}
