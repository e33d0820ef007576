//! What can be wrong with a configuration. All of it is reported at once, never only the first.

use std::io;
use std::path::PathBuf;

use super::Source;

/// One thing that is wrong.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// The file is there and cannot be read.
    #[error("reading the configuration {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The file was named and is not there.
    #[error("there is no configuration at {}, where {variable} says it is", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
        /// The variable that names it.
        variable: &'static str,
    },
    /// The file is no TOML.
    #[error("{}:{line}: {message}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Where it stops to be TOML, from 1.
        line: usize,
        /// What the parser said.
        message: String,
    },
    /// There is no such setting.
    #[error("{place}: unknown key {key}")]
    UnknownKey {
        /// The whole key, as in `constellation.clones`.
        key: String,
        /// Where it stands.
        place: Source,
        /// The known key that was probably meant.
        nearest: Option<String>,
    },
    /// The setting cannot have this value.
    #[error("{place}: {key}: {what}")]
    Invalid {
        /// The whole key.
        key: String,
        /// Where the value stands.
        place: Source,
        /// What is wrong with it.
        what: String,
        /// What would be right.
        hint: Option<String>,
    },
}

impl Problem {
    /// What would be right, for a line of its own.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::UnknownKey { nearest, .. } => {
                nearest.as_ref().map(|nearest| format!("did you mean `{nearest}`?"))
            }
            Self::Invalid { hint, .. } => hint.clone(),
            Self::Missing { path, .. } => Some(format!("write {} or unset the variable", path.display())),
            Self::Unreadable { .. } | Self::Syntax { .. } => None,
        }
    }
}

/// Everything that is wrong with a configuration; never empty.
#[derive(Debug, thiserror::Error)]
#[error("the configuration has {}", counted(problems.len()))]
pub struct ConfigErrors {
    /// In the order of the file.
    pub problems: Vec<Problem>,
}

fn counted(count: usize) -> String {
    if count == 1 { "an error".to_owned() } else { format!("{count} errors") }
}
