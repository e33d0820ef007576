//! The marker: the line that ends a startup turn.
//!
//! Decoration, an optional agent name, the profile's core (usually `session 3`), then the end or more words, on a
//! line of its own. A line that begins with a prompt sign is somebody's typing. Any name and number count: freshness
//! comes from the new pane and the generation. No text that netsky itself sends holds a line that matches
//! (`briefing` pins that).

use regex::Regex;

use crate::failpoint::{self, Step};

/// A profile's marker.
#[derive(Debug, Clone)]
pub struct Marker {
    core: String,
    line: Regex,
}

/// The core of every built-in profile.
pub const DEFAULT_CORE: &str = r"session \d+";

impl Marker {
    /// The marker with this core.
    ///
    /// # Errors
    /// The core is no regular expression.
    pub fn new(core: &str) -> Result<Self, regex::Error> {
        // On its own first: "a)(b" must not close our group.
        Regex::new(core)?;
        let line = format!(r"^[●•⏺*\s]*(?:agent(?:\d+|infinity)\s+)?(?:{core})(?:\s.*)?$");
        Regex::new(&line).map(|line| Self { core: core.to_owned(), line })
    }

    /// The core, as configured.
    pub fn core(&self) -> &str {
        &self.core
    }

    /// The first line of `text` that is a marker, without its decoration.
    pub fn find<'t>(&self, text: &'t str) -> Option<&'t str> {
        if failpoint::leaves_out(Step::MarkerLine) {
            let core = Regex::new(&self.core).ok()?;
            return text.lines().find(|line| core.is_match(line));
        }
        text.lines()
            .find(|line| self.line.is_match(line.trim_end()))
            .map(|line| line.trim().trim_start_matches(['●', '•', '⏺', '*', ' ', '\u{a0}']))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marker_stands_on_a_line_of_its_own() {
        let marker = Marker::new(DEFAULT_CORE).unwrap();
        for (text, expected) in [
            ("agent0 session 3 up", Some("agent0 session 3 up")),
            ("● agent0 session 3 up", Some("agent0 session 3 up")),
            ("  • session 12", Some("session 12")),
            (
                "done.\n⏺ agentinfinity session 1 up and well  \nmore",
                Some("agentinfinity session 1 up and well"),
            ),
            ("* session 7 up", Some("session 7 up")),
            ("❯ agent0 session 3 up", None),
            ("› agent0 session 3 up", None),
            ("> agent0 session 3 up", None),
            ("I am agent0 session 3 up", None),
            ("agent0 session three up", None),
            ("agent0 session 3up", None),
            ("agent0: session 3 up", None),
            ("sessions 3", None),
            ("", None),
        ] {
            assert_eq!(marker.find(text), expected, "{text:?}");
        }
    }

    #[test]
    fn a_core_cannot_break_out_of_its_group() {
        assert!(Marker::new("a)(b").is_err());
        assert!(Marker::new("x|y").unwrap().find("prefix x").is_none());
    }
}
