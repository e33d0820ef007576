//! Why a home cannot be used.

use std::io;
use std::path::PathBuf;

use crate::owner::NotOurs;
use crate::persist::{PersistError, StateFile};

use super::HomeFile;

/// A home cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum HomeError {
    /// Neither `NETSKY_HOME` nor `HOME` says where.
    #[error("there is no home: neither NETSKY_HOME nor HOME is set")]
    Nowhere,
    /// `NETSKY_HOME` must not depend on the working directory.
    #[error("the home {} is not an absolute path", path.display())]
    Relative {
        /// As given.
        path: PathBuf,
    },
    /// `-C` takes a plain name.
    #[error("{name:?} is no constellation name (letters, digits, - and _)")]
    InvalidConstellation {
        /// As given.
        name: String,
    },
    /// It is not empty and not netsky's.
    #[error("{} is not empty and holds no home.json: it belongs to something else", path.display())]
    Foreign {
        /// The directory.
        path: PathBuf,
    },
    /// The home, or something in it, is not ours alone.
    #[error("{} cannot be used", path.display())]
    NotOurs {
        /// What was looked at.
        path: PathBuf,
        /// Whose it is, or who else may write to it.
        #[source]
        why: NotOurs,
    },
    /// It is a file, a link or the like.
    #[error("{} is not a directory", path.display())]
    NotADirectory {
        /// What was found.
        path: PathBuf,
    },
    /// There is none yet.
    #[error("there is no home at {}", path.display())]
    Missing {
        /// Where it would be.
        path: PathBuf,
    },
    /// Its `home.json` is of another version.
    #[error("{}/home.json is of version {version}, this netsky knows {}", path.display(), HomeFile::VERSION)]
    OtherVersion {
        /// The home.
        path: PathBuf,
        /// What it says.
        version: u64,
    },
    /// Its `home.json` is broken.
    #[error("{}/home.json cannot be used: {why}", path.display())]
    Unreadable {
        /// The home.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// The system refused.
    #[error("looking at the home {}", path.display())]
    Inaccessible {
        /// The home.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// It could not be written.
    #[error("making the home")]
    Unwritable {
        /// The write that failed.
        #[from]
        source: PersistError,
    },
}

impl HomeError {
    /// Whether something is only of another kind than what belongs there.
    pub(super) fn is_about_kind(&self) -> bool {
        matches!(self, Self::NotOurs { why: NotOurs::Kind { .. }, .. })
    }
}
