//! Where a hand-over comes from, and whether it may be taken: step 1 of the protocol.
//!
//! Nothing is followed and nothing is waited for: a link, FIFO, socket, device or directory, a file of somebody else,
//! one that is too large or cannot be read is a named error. Only an empty one, and a draft that is not there, mean
//! that there is no hand-over. Nothing here changes anything.

use std::fs::{self, File, FileType, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::{HandoffError, LARGEST_TEXT, Result};
use crate::owner;
use crate::persist;
use crate::process::Standard;

/// Where the text of a hand-over or message comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A file that somebody named: it must be there. `/dev/null` stands for none.
    Named(PathBuf),
    /// A draft: if it is not there, there is no hand-over.
    Draft(PathBuf),
    /// What was read from standard input or given as an argument.
    Bytes(Vec<u8>),
}

impl Source {
    /// Reads standard input to its end.
    ///
    /// # Errors
    /// It is closed, which is not the same as empty; else it could not be read or is too large.
    pub fn standard_input(limit: u64) -> Result<Self> {
        let unreadable = |source| HandoffError::SourceUnreadable { path: "-".into(), source };
        Standard::Input.was_open().map_err(unreadable)?;
        Self::read_from(io::stdin().lock(), limit)
    }

    /// Reads standard input, or a file that stays where it is, to its end.
    ///
    /// # Errors
    /// It cannot be read, or is larger than `limit` bytes; nothing beyond that is read.
    pub(super) fn read_from(reader: impl Read, limit: u64) -> Result<Self> {
        let path = || PathBuf::from("-");
        let limit = limit.min(LARGEST_TEXT);
        let bytes = read_capped(reader, limit)
            .map_err(|source| HandoffError::SourceUnreadable { path: path(), source })?;
        let bytes = bytes.ok_or_else(|| HandoffError::SourceTooLarge { path: path(), limit })?;
        Ok(Self::Bytes(bytes))
    }

    /// Reads a file that stays where it is (`send --file`), with the checks of a hand-over. Empty where it is empty.
    ///
    /// # Errors
    /// As for a hand-over that is claimed.
    pub fn copy_of(path: &Path, limit: u64) -> Result<Self> {
        match open(path, limit)? {
            Opened::Absent => Err(HandoffError::SourceMissing { path: path.to_owned() }),
            Opened::Empty => Ok(Self::Bytes(Vec::new())),
            Opened::Suitable(suitable) => suitable.read(path, limit).map(Self::Bytes),
        }
    }
}

/// What lies at a path.
#[derive(Debug)]
pub(super) enum Opened {
    /// No such file.
    Absent,
    /// A regular file of ours with nothing in it.
    Empty,
    /// It may be taken.
    Suitable(Suitable),
}

/// An open regular file of ours, 0 < size ≤ limit.
#[derive(Debug)]
pub(super) struct Suitable {
    pub(super) file: File,
    pub(super) metadata: Metadata,
}

/// Opens what lies at `path` and looks at it.
pub(super) fn open(path: &Path, limit: u64) -> Result<Opened> {
    let limit = limit.min(LARGEST_TEXT);
    let unreadable = |source| HandoffError::SourceUnreadable { path: path.to_owned(), source };
    // Looked at by name first: opening a device may already do something.
    match fs::symlink_metadata(path) {
        Ok(metadata) => check_kind(path, &metadata)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Opened::Absent),
        Err(error) => return Err(unreadable(error)),
    }
    let file = match persist::open_regular(path) {
        Ok(file) => file,
        Err(error) if error.source.kind() == io::ErrorKind::NotFound => {
            return Err(HandoffError::SourceChanged { path: path.to_owned() });
        }
        Err(error) => return Err(unreadable(error.source)),
    };
    // And again through the descriptor: the name may stand for something else by now.
    let metadata = file.metadata().map_err(unreadable)?;
    check_kind(path, &metadata)?;
    match metadata.len() {
        0 => Ok(Opened::Empty),
        size if size > limit => Err(HandoffError::SourceTooLarge { path: path.to_owned(), limit }),
        _ => Ok(Opened::Suitable(Suitable { file, metadata })),
    }
}

impl Suitable {
    /// All of it.
    ///
    /// # Errors
    /// It cannot be read, or it is not (or no longer) as it was when it was opened.
    pub(super) fn read(&self, path: &Path, limit: u64) -> Result<Vec<u8>> {
        let unreadable = |source| HandoffError::SourceUnreadable { path: path.to_owned(), source };
        let bytes = read_capped(&self.file, limit.min(LARGEST_TEXT)).map_err(unreadable)?;
        match bytes {
            Some(bytes) if bytes.len() as u64 == self.metadata.len() => Ok(bytes),
            _ => Err(HandoffError::SourceChanged { path: path.to_owned() }),
        }
    }
}

fn check_kind(path: &Path, metadata: &Metadata) -> Result<()> {
    let path = || path.to_owned();
    if metadata.is_symlink() {
        return Err(HandoffError::SourceIsLink { path: path() });
    }
    if let Some(kind) = irregular(metadata.file_type()) {
        return Err(HandoffError::SourceNotRegular { path: path(), kind });
    }
    if !owner::is_ours(metadata.uid()) {
        return Err(HandoffError::SourceNotOurs { path: path(), owner: metadata.uid() });
    }
    Ok(())
}

fn irregular(kind: FileType) -> Option<&'static str> {
    (!kind.is_file()).then(|| owner::kind(kind))
}

/// `None`: there is more than `limit`.
fn read_capped(reader: impl Read, limit: u64) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    reader.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    Ok((bytes.len() as u64 <= limit).then_some(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind_of(path: &Path) -> String {
        match open(path, 100) {
            Ok(Opened::Absent) => "absent".into(),
            Ok(Opened::Empty) => "empty".into(),
            Ok(Opened::Suitable(_)) => "suitable".into(),
            Err(error) => error.to_string().replace(&path.display().to_string(), "PATH"),
        }
    }

    #[test]
    fn what_is_no_plain_file_of_ours_is_refused_by_name() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        persist::replace(&at("plain"), b"x").unwrap();
        persist::replace(&at("empty"), b"").unwrap();
        std::os::unix::fs::symlink(at("plain"), at("link")).unwrap();
        std::os::unix::fs::symlink(at("nowhere"), at("dangling")).unwrap();
        rustix::fs::mkfifoat(rustix::fs::CWD, at("fifo"), rustix::fs::Mode::RWXU).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
        File::create(at("sparse")).unwrap().set_len(1 << 30).unwrap();
        for (name, expected) in [
            ("plain", "suitable"),
            ("empty", "empty"),
            ("nowhere", "absent"),
            ("link", "the hand-over PATH is a symbolic link, and links are not followed"),
            ("dangling", "the hand-over PATH is a symbolic link, and links are not followed"),
            ("fifo", "the hand-over PATH is a FIFO, not a regular file"),
            ("socket", "the hand-over PATH is a socket, not a regular file"),
            ("", "the hand-over PATH is a directory, not a regular file"),
            ("sparse", "the hand-over PATH is larger than the 100 bytes allowed"),
            ("plain/below", "reading the hand-over PATH"),
        ] {
            assert_eq!(kind_of(&at(name)), expected, "{name}");
        }
        assert_eq!(kind_of(Path::new("/dev/zero")), "the hand-over PATH is a device, not a regular file");
    }

    #[test]
    fn somebody_elses_file_is_refused() {
        // Root may give files away; without that right a file of root's is at hand.
        let dir = tempfile::tempdir().unwrap();
        let given = dir.path().join("given");
        persist::replace(&given, b"x").unwrap();
        let path = match std::os::unix::fs::chown(&given, Some(12345), None) {
            Ok(()) => given.as_path(),
            Err(_) => Path::new("/etc/passwd"),
        };
        assert!(matches!(open(path, 1 << 20), Err(HandoffError::SourceNotOurs { .. })));
    }

    #[test]
    fn standard_input_is_capped() {
        assert_eq!(Source::read_from(&b"abc"[..], 3).unwrap(), Source::Bytes(b"abc".to_vec()));
        let endless = Source::read_from(io::repeat(b'x'), 1000);
        assert!(matches!(endless, Err(HandoffError::SourceTooLarge { limit: 1000, .. })));
    }

    #[test]
    fn a_file_that_grows_while_it_is_read_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("growing");
        persist::replace(&path, b"x").unwrap();
        let Opened::Suitable(suitable) = open(&path, 100).unwrap() else { panic!("suitable") };
        persist::append_line(&path, "more").unwrap();
        assert!(matches!(suitable.read(&path, 100), Err(HandoffError::SourceChanged { .. })));
    }
}
