//! `tmux -V`, and whether that is new enough.

use std::fmt;
use std::str::FromStr;

/// What a tmux says it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Version {
    /// `3.3a`, or `next-3.4` on its way there.
    Release {
        /// 3 of 3.3a.
        major: u32,
        /// 3 of 3.3a.
        minor: u32,
        /// `a` of 3.3a; empty, or `-rc2`, for others.
        suffix: String,
    },
    /// `master` or `openbsd-7.4`: newer than any release netsky has to refuse.
    Rolling(String),
}

/// Ubuntu 22.04 has it. Older ones lack `-N`, `source-file -`, the control client's flags and more.
pub const OLDEST_SUPPORTED: &str = "3.2a";

/// What `tmux -V` printed is no version of tmux.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no version of tmux")]
pub struct InvalidVersion {
    /// What was read, clipped.
    pub text: String,
}

impl Version {
    /// Whether netsky can work with it.
    pub fn is_supported(&self) -> bool {
        match self {
            Self::Rolling(_) => true,
            Self::Release { major: 3, minor: 2, suffix } => {
                suffix.starts_with(|c: char| c.is_ascii_lowercase())
            }
            Self::Release { major, minor, .. } => (*major, *minor) > (3, 2),
        }
    }
}

impl Version {
    /// Whether its server never frees a screen that it has given a control client (before 3.6).
    pub(super) fn hoards_captures(&self) -> bool {
        matches!(self, Self::Release { major, minor, .. } if (*major, *minor) < (3, 6))
    }
}

impl FromStr for Version {
    type Err = InvalidVersion;

    /// Reads `tmux 3.3a` and also `tmux-3.2a 3.2a`: the program's name comes first, whatever it is.
    fn from_str(text: &str) -> Result<Self, InvalidVersion> {
        let invalid = || InvalidVersion { text: crate::text::clipped(text.trim(), 80).into_owned() };
        let word = match text.split_whitespace().collect::<Vec<_>>().as_slice() {
            [word] | [_, word] => *word,
            _ => return Err(invalid()),
        };
        // It is shown to people: a program that calls itself something else is no tmux.
        let is_openbsd = word.strip_prefix("openbsd-").is_some_and(|release| {
            release.len() <= 8 && release.chars().all(|c| c.is_ascii_digit() || c == '.')
        });
        if word == "master" || is_openbsd {
            return Ok(Self::Rolling(word.to_owned()));
        }
        let release = word.strip_prefix("next-").unwrap_or(word);
        let (major, rest) = release.split_once('.').ok_or_else(invalid)?;
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let (minor, suffix) = rest.split_at_checked(digits).ok_or_else(invalid)?;
        let plain = suffix.len() <= 8 && suffix.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        match (major.parse(), minor.parse(), plain) {
            (Ok(major), Ok(minor), true) => Ok(Self::Release { major, minor, suffix: suffix.to_owned() }),
            _ => Err(invalid()),
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Release { major, minor, suffix } => write!(f, "{major}.{minor}{suffix}"),
            Self::Rolling(name) => f.write_str(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_and_judged() {
        for (text, expected) in [
            ("tmux 3.3a\n", Some(("3.3a", true))),
            ("tmux-3.2a 3.2a", Some(("3.2a", true))),
            ("3.7c", Some(("3.7c", true))),
            ("tmux 3.2", Some(("3.2", false))),
            ("tmux 3.2-rc3", Some(("3.2-rc3", false))),
            ("tmux 3.0a", Some(("3.0a", false))),
            ("tmux 2.9", Some(("2.9", false))),
            ("tmux 3.3-rc", Some(("3.3-rc", true))),
            ("tmux 3.10", Some(("3.10", true))),
            ("tmux 4.0", Some(("4.0", true))),
            ("tmux next-3.4", Some(("3.4", true))),
            ("tmux next-3.2", Some(("3.2", false))),
            ("tmux master", Some(("master", true))),
            ("tmux openbsd-7.4", Some(("openbsd-7.4", true))),
            ("", None),
            ("tmux", None),
            ("tmux 3", None),
            ("tmux 3.x", None),
            ("not a version", None),
            ("tmux 3.3\u{1b}[31m", None),
            ("tmux 99999999999.1", None),
            ("tmux openbsd-7.4\u{1b}[31m", None),
            ("tmux openbsd-999999999999999999999999", None),
        ] {
            let read =
                text.parse::<Version>().ok().map(|version| (version.to_string(), version.is_supported()));
            assert_eq!(read, expected.map(|(shown, supported)| (shown.to_owned(), supported)), "{text:?}");
        }
    }

    #[test]
    fn servers_before_3_6_keep_what_they_capture_for_a_control_client() {
        for (text, hoards) in
            [("3.2a", true), ("3.5a", true), ("3.6", false), ("3.10", false), ("master", false)]
        {
            assert_eq!(text.parse::<Version>().unwrap().hoards_captures(), hoards, "{text}");
        }
    }

    proptest::proptest! {
        #![proptest_config(crate::mutation::tries(256))]

        #[test]
        fn a_damaged_version_is_refused_or_reads_back(
            text in crate::mutation::texts(
                ["tmux 3.3a\n", "tmux next-3.4", "tmux openbsd-7.4", "tmux-3.2a 3.2a"].map(|text| text.into()).to_vec(),
            ),
        ) {
            match text.parse::<Version>() {
                Ok(version) => {
                    proptest::prop_assert!(!version.to_string().contains(|c: char| c.is_control()));
                    proptest::prop_assert_eq!(version.to_string().parse(), Ok(version));
                }
                Err(InvalidVersion { text }) => proptest::prop_assert!(text.chars().count() <= 80),
            }
        }
    }
}
