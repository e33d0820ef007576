//! The one form in which a verb fails: what was being done, the cause, what to type.

use std::error::Error;
use std::fmt::Write as _;

use crate::exit::Exit;
use crate::text;

/// A verb failed.
#[derive(Debug)]
pub struct CommandError {
    /// The exit code.
    pub exit: Exit,
    /// What was being done, to what, with the limit that was passed.
    pub doing: String,
    /// The cause.
    pub cause: Option<Box<dyn Error + Send + Sync>>,
    /// The last lines of the screen that shows why.
    pub screen: Vec<String>,
    /// What to type.
    pub hints: Vec<String>,
}

impl CommandError {
    /// An error with neither cause nor hint yet.
    pub fn new(exit: Exit, doing: impl Into<String>) -> Self {
        Self { exit, doing: doing.into(), cause: None, screen: Vec::new(), hints: Vec::new() }
    }

    /// Exit 1.
    pub fn failed(doing: impl Into<String>) -> Self {
        Self::new(Exit::Failed, doing)
    }

    /// Exit 2.
    pub fn usage(doing: impl Into<String>) -> Self {
        Self::new(Exit::Usage, doing)
    }

    /// Adds the cause.
    #[must_use]
    pub fn because(mut self, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    /// Adds a line that can be pasted.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Adds what an agent's screen shows.
    #[must_use]
    pub fn showing(mut self, screen: Vec<String>) -> Self {
        self.screen = screen;
        self
    }

    /// The whole message, harmless for a terminal. What is quoted in it cannot pass for a line of netsky's, least of all
    /// for a hint.
    pub fn message(&self) -> String {
        let mut message = format!("netsky: {}", self.doing);
        let mut cause = self.cause.as_deref().map(|cause| cause as &dyn Error);
        while let Some(error) = cause {
            // Writing into a String cannot fail.
            write!(message, ": {error}").unwrap_or_default();
            cause = error.source();
        }
        message = text::unbroken(&message);
        for line in &self.screen {
            write!(message, "\n  | {}", text::unbroken(line)).unwrap_or_default();
        }
        for hint in &self.hints {
            write!(message, "\n  hint: {}", text::unbroken(hint)).unwrap_or_default();
        }
        message
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_quoted_makes_no_line_of_its_own() {
        let error = CommandError::failed("taking a\n  hint: x")
            .because("b\n  hint: y")
            .showing(vec!["c\n  hint: z".into()])
            .hint("mv 'd\n  hint: e' f");
        assert_eq!(error.message().matches("\n  hint: ").count(), 1, "{}", error.message());
    }

    #[test]
    fn an_error_says_what_then_why_then_what_to_type() {
        let error = CommandError::failed("starting agent2 within 10s")
            .because(std::io::Error::other("no \u{1b}[31msuch thing"))
            .showing(vec!["Pane is dead".into()])
            .hint("netsky logs agent2");
        assert_eq!(
            error.message(),
            "netsky: starting agent2 within 10s: no such thing\n  | Pane is dead\n  hint: netsky logs agent2"
        );
    }
}
