//! What can go wrong with a hand-over, precise enough for a hint.

use std::io;
use std::path::PathBuf;

use crate::id::EnvelopeId;
use crate::name::AgentName;
use crate::owner::NotOurs;
use crate::persist::PersistError;

/// A hand-over or message could not be taken, kept or read. Every `Source…` is known before anything is changed.
#[derive(Debug, thiserror::Error)]
pub enum HandoffError {
    /// A file that was named is not there, and no pending claim came from it.
    #[error("the hand-over {} does not exist", path.display())]
    SourceMissing {
        /// As given.
        path: PathBuf,
    },
    /// Links are not followed.
    #[error("the hand-over {} is a symbolic link, and links are not followed", path.display())]
    SourceIsLink {
        /// As given.
        path: PathBuf,
    },
    /// A directory, FIFO, socket or device.
    #[error("the hand-over {} is {kind}, not a regular file", path.display())]
    SourceNotRegular {
        /// As given.
        path: PathBuf,
        /// With its article, as in "a FIFO".
        kind: &'static str,
    },
    /// It belongs to another user.
    #[error("the hand-over {} belongs to uid {owner}, not to you", path.display())]
    SourceNotOurs {
        /// As given.
        path: PathBuf,
        /// Its owner.
        owner: u32,
    },
    /// It is an envelope, a claim or the like of this very home; taking it away would break what it belongs to.
    #[error("the hand-over {} is one of netsky's own files", path.display())]
    SourceIsState {
        /// As given.
        path: PathBuf,
    },
    /// The system refused to open or read it.
    #[error("reading the hand-over {}", path.display())]
    SourceUnreadable {
        /// As given, or `-`.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// It exceeds the limit.
    #[error("the hand-over {} is larger than the {limit} bytes allowed", path.display())]
    SourceTooLarge {
        /// As given, or `-`.
        path: PathBuf,
        /// The limit in bytes.
        limit: u64,
    },
    /// It was taken by somebody else, or written to, between being opened and being claimed.
    #[error("the hand-over {} was changed or taken by another process meanwhile", path.display())]
    SourceChanged {
        /// As given.
        path: PathBuf,
    },
    /// It cannot be taken away, so it would be delivered again; it was left where it is and is not claimed.
    #[error("the hand-over {} cannot be removed from where it is", path.display())]
    SourceNotRemovable {
        /// As given.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The claim is neither there nor archived.
    #[error("the claim {id} is gone and was not delivered")]
    ClaimGone {
        /// Its id.
        id: EnvelopeId,
    },
    /// What lies under a claim's name is nothing that can be delivered.
    #[error("the claim {} cannot be delivered: {why}", path.display())]
    ClaimOdd {
        /// The claim.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// An envelope that is not what its name says.
    #[error("the envelope {} cannot be used: {why}", path.display())]
    EnvelopeCorrupt {
        /// The envelope.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// No envelope of that id in that inbox.
    #[error("the inbox of {agent} holds no envelope {id}")]
    NotInInbox {
        /// Whose inbox.
        agent: AgentName,
        /// What was asked for.
        id: EnvelopeId,
    },
    /// No envelope of that id in the archive.
    #[error("the archive holds no envelope {id}")]
    NotInArchive {
        /// What was asked for.
        id: EnvelopeId,
    },
    /// The system refused to look at something.
    #[error("looking at {}", path.display())]
    Unseen {
        /// What was looked at.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A durable write (or read) failed.
    #[error(transparent)]
    Persist(#[from] PersistError),
}

impl HandoffError {
    /// Whether what was to be read is no envelope, whatever its name says: a directory, a link, a socket, somebody
    /// else's file, or text of another kind. Anything else that cannot be read may be one.
    pub fn is_odd(&self) -> bool {
        use rustix::io::Errno;
        match self {
            Self::EnvelopeCorrupt { .. } => true,
            Self::Persist(PersistError { source, .. }) => {
                let is = |odd: &Errno| source.raw_os_error() == Some(odd.raw_os_error());
                let is_too_large = source.kind() == io::ErrorKind::FileTooLarge;
                is_too_large || NotOurs::behind(source).is_some() || [Errno::LOOP, Errno::NXIO].iter().any(is)
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::owner;
    use rustix::io::Errno;

    #[test]
    fn what_the_system_does_not_let_us_read_is_no_oddity() {
        let failed = |source| HandoffError::from(PersistError { doing: "reading", path: "x".into(), source });
        let by_code = |code: Errno| failed(code.into()).is_odd();
        let directory = NotOurs::Kind { found: owner::DIRECTORY, wanted: owner::FILE };
        assert!(by_code(Errno::LOOP) && failed(directory.into()).is_odd());
        assert!(!by_code(Errno::MFILE) && !by_code(Errno::IO));
        // As what makes temporaries reports it: what the system said is inside.
        let full = tempfile::NamedTempFile::new_in("/nowhere").unwrap_err();
        assert!(full.raw_os_error().is_none() && !failed(full).is_odd());
    }
}
