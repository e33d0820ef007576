//! How the screens of one CLI read, as data.

use crate::agent::dialog::DialogRow;

/// Everything that is known about one CLI's screens.
#[derive(Debug)]
pub struct ScreenTable {
    /// The signs before the highlighted option of a dialog.
    pub highlights: &'static [char],
    /// The known dialogs.
    pub dialogs: &'static [DialogRow],
    /// Where a person types; `None`: unknown.
    pub composer: Option<ComposerShape>,
    /// How a submitted prompt begins in the transcript; further lines of it are indented. Empty: unknown.
    pub echo: &'static str,
    /// What stands before what the agent says, beside what every marker may be decorated with.
    pub says: &'static str,
    /// What begins a block of the transcript though it is indented.
    pub heads: &'static [&'static str],
    /// What shows the agent's situation, in the order in which it is asked for.
    pub signs: &'static [Sign],
    /// Whether a composer alone, without a sign of readiness, shows an idle agent.
    pub composer_is_idle: bool,
}

/// Where a person types.
#[derive(Debug)]
pub struct ComposerShape {
    /// How its first line begins.
    pub sign: &'static str,
    /// What tells it from a line of the transcript.
    pub standing: Standing,
    /// What stands in it while it is empty.
    pub placeholders: &'static [&'static str],
}

/// What tells a composer from a line of the transcript that begins alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// A rule above and a rule below.
    BetweenRules,
    /// Nothing stands below it.
    Last,
    /// Somewhere below it a line begins with one of these.
    Over(&'static [&'static str]),
}

/// One thing that shows a situation.
#[derive(Debug)]
pub struct Sign {
    /// Where it stands.
    pub place: Place,
    /// What stands there.
    pub words: Words,
    /// What it shows.
    pub shows: Shows,
}

/// Where a sign stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// On a line below the composer.
    Footer,
    /// On the first line of the last turn's last block that is not skipped.
    Block,
    /// On any line.
    Anywhere,
    /// On any line of a screen without a composer.
    Bare,
}

/// How a line reads, without the blanks before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Words {
    /// It begins so.
    Begins(&'static str),
    /// It holds this.
    Holds(&'static str),
    /// One of the characters of the first, a blank, and a rest that holds the second.
    Marked(&'static str, &'static str),
}

/// What a sign shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shows {
    /// Nothing: the block above it counts.
    Skip,
    /// A turn is under way.
    Busy,
    /// A turn is under way and its request is repeated.
    Retrying,
    /// It waits for a prompt.
    Ready,
    /// The last turn ended without a login.
    Login,
    /// The last turn ended in an error.
    Failed,
    /// The last turn ended at the account's usage limit.
    Limited,
}

impl Words {
    /// Whether a line reads so.
    pub(super) fn fit(self, line: &str) -> bool {
        let line = line.trim_start();
        match self {
            Self::Begins(words) => line.starts_with(words),
            Self::Holds(words) => line.contains(words),
            Self::Marked(marks, words) => {
                let mut rest = line.chars();
                rest.next().is_some_and(|mark| marks.contains(mark))
                    && rest.next() == Some(' ')
                    && rest.as_str().contains(words)
            }
        }
    }
}
