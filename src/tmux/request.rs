//! One command for tmux: the argument vector that tmux_interface builds, plus what it cannot hold (bytes that are no
//! UTF-8, such as paths).

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use tmux_interface::{DisplayMessage, TmuxCommand};

use super::quote::{self, NulInArgument};

/// A command and its arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Request {
    words: Vec<OsString>,
    then: Vec<Self>,
}

impl From<TmuxCommand<'_>> for Request {
    fn from(command: TmuxCommand<'_>) -> Self {
        let words = command.to_vec().into_iter().map(|word| OsString::from(word.into_owned())).collect();
        Self { words, then: Vec::new() }
    }
}

impl Request {
    /// Prints one line that nobody else can print, so that one knows what was reached.
    pub(super) fn milestone(text: &str) -> Self {
        DisplayMessage::new().print().message(text).build().into()
    }

    /// Adds arguments, byte for byte.
    #[must_use]
    pub(super) fn arguments<S: Into<OsString>>(mut self, more: impl IntoIterator<Item = S>) -> Self {
        self.words.extend(more.into_iter().map(Into::into));
        self
    }

    /// Adds a command that is carried out only if this one was.
    #[must_use]
    pub(super) fn then(mut self, next: impl Into<Self>) -> Self {
        self.then.push(next.into());
        self
    }

    /// The name and the arguments.
    pub(super) fn words(&self) -> &[OsString] {
        &self.words
    }

    /// As the argument of another one.
    pub(super) fn as_argument(&self) -> Result<OsString, NulInArgument> {
        let mut line = self.line()?;
        line.pop();
        Ok(OsString::from_vec(line))
    }

    /// As one source line.
    pub(super) fn line(&self) -> Result<Vec<u8>, NulInArgument> {
        let mut line = quote::line(&self.words)?;
        for next in &self.then {
            line.pop();
            line.extend(b" ; ");
            line.extend(next.line()?);
        }
        Ok(line)
    }
}
