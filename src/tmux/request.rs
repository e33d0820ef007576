//! One command for tmux: the argument vector that tmux_interface builds, plus what it cannot hold (bytes that are no
//! UTF-8, such as paths).

use std::ffi::{OsStr, OsString};

use tmux_interface::{DisplayMessage, TmuxCommand};

use super::quote::{self, NulInArgument};

/// A command and its arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Request {
    words: Vec<OsString>,
    then: Vec<Self>,
    condition: Option<OsString>,
}

impl From<TmuxCommand<'_>> for Request {
    fn from(command: TmuxCommand<'_>) -> Self {
        let words = command.to_vec().into_iter().map(|word| OsString::from(word.into_owned())).collect();
        Self { words, then: Vec::new(), condition: None }
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

    /// Carries it out only where `format` is true when the server reads it. That is no command (`if-shell`, of which tmux
    /// 3.3a keeps 0.35 KB for ever each time), so that it knows no pane but those that the format names.
    #[must_use]
    pub(super) fn only_if(self, format: impl Into<OsString>) -> Self {
        Self { condition: Some(format.into()), ..self }
    }

    /// The name and the arguments.
    pub(super) fn words(&self) -> &[OsString] {
        &self.words
    }

    /// As source: one line, or three with a condition.
    pub(super) fn source(&self) -> Result<Vec<u8>, NulInArgument> {
        let line = self.line()?;
        match &self.condition {
            Some(format) => conditional(format, &line),
            None => Ok(line),
        }
    }

    fn line(&self) -> Result<Vec<u8>, NulInArgument> {
        let mut line = quote::line(&self.words)?;
        for next in &self.then {
            line.pop();
            line.extend(b" ; ");
            line.extend(next.line()?);
        }
        Ok(line)
    }
}

/// Source that the server reads over unless `format` is true.
pub(super) fn conditional(format: &OsStr, source: &[u8]) -> Result<Vec<u8>, NulInArgument> {
    let mut whole = b"%if ".to_vec();
    whole.extend(quote::line(&[format.to_owned()])?);
    whole.extend(source);
    whole.extend(b"%endif\n");
    Ok(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_is_one_of_the_source_and_no_command() {
        let source = |request: Request| String::from_utf8(request.source().unwrap()).unwrap();
        let request = Request::milestone("x").then(Request::milestone("y"));
        let plain = source(request.clone());
        assert_eq!(plain, "\"display-message\" \"-p\" \"x\" ; \"display-message\" \"-p\" \"y\"\n");
        let lines = format!("%if \"\\043\\173pid\\175\"\n{plain}%endif\n");
        assert_eq!(source(request.only_if("#{pid}")), lines);
    }
}
