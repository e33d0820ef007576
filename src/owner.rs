//! Whose a file, a directory, a socket or a process is, and who else may write to it: asked here and nowhere else.
//!
//! What is another user's is refused by name, and never obeyed, written to or followed, whenever it was put there. Modes
//! are looked at when a home is opened: in a directory that is ours alone nobody can plant anything any more. Who may read
//! something is not asked, and neither are the directories above it.

use std::fs::{self, File, FileType, Metadata};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;
use std::sync::OnceLock;

use crate::failpoint::{self, Step};

/// Why something is not used. It travels as the cause of an [`io::Error`]; [`NotOurs::behind`] finds it again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotOurs {
    /// It is another user's.
    #[error("it belongs to uid {owner}")]
    Owner {
        /// Whose it is.
        owner: u32,
    },
    /// It is a link that another user made.
    #[error("it is a symbolic link that belongs to uid {owner}")]
    Link {
        /// Whose it is.
        owner: u32,
    },
    /// Others than its owner may write to it.
    #[error("others may write to it (mode {mode:04o})")]
    Open {
        /// Its permissions.
        mode: u32,
    },
    /// It is something else than what belongs there.
    #[error("it is {found}, not {wanted}")]
    Kind {
        /// What it is.
        found: &'static str,
        /// What belongs there.
        wanted: &'static str,
    },
    /// What is written to it would be written elsewhere too.
    #[error("it is one file with {} other name{}", links - 1, if *links == 2 { "" } else { "s" })]
    Shared {
        /// How many names it has.
        links: u64,
    },
}

impl NotOurs {
    /// The one behind an error of the system's kind.
    pub fn behind(error: &io::Error) -> Option<Self> {
        error.get_ref()?.downcast_ref().copied()
    }
}

impl From<NotOurs> for io::Error {
    fn from(why: NotOurs) -> Self {
        Self::new(io::ErrorKind::PermissionDenied, why)
    }
}

/// What belongs at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    /// A directory of a home: ours, and nobody else writes to it.
    Directory,
    /// A directory of the user's own, with the modes that the user chose.
    Place,
    /// A file that is written to where it lies: ours, and known by one name.
    File,
    /// A file that is only read, or replaced as a whole.
    Replaced,
    /// A file that is obeyed: ours or the administrator's, and nobody else writes to it.
    Setting,
    /// Where a server is spoken to: ours or the administrator's.
    Socket,
    /// A link that is followed: made by us or the administrator.
    Link,
}

/// What was found there.
#[derive(Debug, Clone, Copy)]
struct Seen {
    kind: &'static str,
    owner: u32,
    group: u32,
    mode: u32,
    links: u64,
}

/// Who asks.
#[derive(Debug, Clone, Copy)]
struct Asker {
    user: u32,
    group: u32,
}

/// What [`kind`] calls a directory.
pub const DIRECTORY: &str = "a directory";
/// What [`kind`] calls a regular file.
pub const FILE: &str = "a regular file";
const LINK: &str = "a symbolic link";
const ROOT: u32 = 0;

impl Seen {
    fn of(metadata: &Metadata) -> Self {
        Self {
            kind: kind(metadata.file_type()),
            owner: metadata.uid(),
            group: metadata.gid(),
            mode: metadata.mode() & 0o7777,
            links: metadata.nlink(),
        }
    }
}

/// What kind of thing it is, with its article.
pub fn kind(kind: FileType) -> &'static str {
    match kind {
        kind if kind.is_file() => FILE,
        kind if kind.is_dir() => DIRECTORY,
        kind if kind.is_symlink() => LINK,
        kind if kind.is_fifo() => "a FIFO",
        kind if kind.is_socket() => "a socket",
        _ => "a device",
    }
}

/// The decision (pure): `me` asks.
fn judge(seen: Seen, wanted: Wanted, me: Asker) -> Result<(), NotOurs> {
    let Seen { kind, owner, group, mode, links } = seen;
    let is_trusted = match wanted {
        Wanted::Setting | Wanted::Socket | Wanted::Link => owner == me.user || owner == ROOT,
        Wanted::Directory | Wanted::Place | Wanted::File | Wanted::Replaced => owner == me.user,
    };
    // Where every user has a group of their own, of the same number, files are made with umask 002.
    let others = if group == me.group && me.group == me.user { 0o002 } else { 0o022 };
    let expected = match wanted {
        Wanted::Directory | Wanted::Place => Some(DIRECTORY),
        Wanted::File | Wanted::Replaced => Some(FILE),
        // What kind of thing it is, is for whoever reads it to complain of.
        Wanted::Setting | Wanted::Socket | Wanted::Link => None,
    };
    match (wanted, expected) {
        (Wanted::Link, _) if !is_trusted => Err(NotOurs::Link { owner }),
        _ if !is_trusted => Err(NotOurs::Owner { owner }),
        (_, Some(wanted)) if kind != wanted => Err(NotOurs::Kind { found: kind, wanted }),
        (Wanted::Directory, _) if mode & 0o022 != 0 => Err(NotOurs::Open { mode }),
        (Wanted::Setting, _) if kind == FILE && mode & others != 0 => Err(NotOurs::Open { mode }),
        (Wanted::File, _) if links > 1 => Err(NotOurs::Shared { links }),
        _ => Ok(()),
    }
}

fn ask(metadata: &Metadata, wanted: Wanted) -> io::Result<()> {
    if failpoint::leaves_out(Step::Ownership) {
        return Ok(());
    }
    Ok(judge(Seen::of(metadata), wanted, me())?)
}

#[expect(clippy::disallowed_methods, reason = "this is the home of the call")]
fn me() -> Asker {
    static ME: OnceLock<Asker> = OnceLock::new();
    let ask =
        || Asker { user: rustix::process::geteuid().as_raw(), group: rustix::process::getegid().as_raw() };
    *ME.get_or_init(ask)
}

/// Whether what belongs to `uid` is ours.
pub fn is_ours(uid: u32) -> bool {
    uid == me().user || failpoint::leaves_out(Step::Ownership)
}

/// What a link is not followed by, among the flags of an open file.
pub fn no_follow() -> rustix::fs::OFlags {
    use rustix::fs::OFlags;
    if failpoint::leaves_out(Step::Ownership) { OFlags::empty() } else { OFlags::NOFOLLOW }
}

/// Whether there is a directory that belongs into a home, at the end of a link of ours if need be.
///
/// # Errors
/// [`NotOurs`], or it cannot be looked at.
pub fn directory(path: &Path) -> io::Result<bool> {
    follow(path, Wanted::Directory)
}

/// Whether there is a directory of the user's own, whatever its mode.
///
/// # Errors
/// [`NotOurs`], or it cannot be looked at.
pub fn place(path: &Path) -> io::Result<bool> {
    follow(path, Wanted::Place)
}

/// Whether something is spoken to by that name: a server of ours or of the administrator's.
///
/// # Errors
/// [`NotOurs`], or it cannot be looked at.
pub fn socket(path: &Path) -> io::Result<bool> {
    follow(path, Wanted::Socket)
}

/// Looks at a file of a home, without following a link; who writes to it where it lies asks [`opened`] too. `false`:
/// there is none.
///
/// # Errors
/// [`NotOurs`], or it cannot be looked at.
pub fn file(path: &Path) -> io::Result<bool> {
    look(path, Wanted::Replaced)
}

/// An open file that is about to be written to: the name may stand for something else since it was looked at.
///
/// # Errors
/// [`NotOurs`], or it cannot be looked at.
pub fn opened(file: &File) -> io::Result<()> {
    ask(&file.metadata()?, Wanted::File)
}

/// Whether there is a file that may be obeyed, at the end of a link of ours if need be.
///
/// # Errors
/// [`NotOurs`], or it cannot be looked at.
pub fn setting(path: &Path) -> io::Result<bool> {
    follow(path, Wanted::Setting)
}

/// An open file that is about to be obeyed: the name may stand for something else since it was looked at.
///
/// # Errors
/// [`NotOurs`], or it cannot be looked at.
pub fn opened_setting(file: &File) -> io::Result<()> {
    ask(&file.metadata()?, Wanted::Setting)
}

fn look(path: &Path, wanted: Wanted) -> io::Result<bool> {
    match fs::symlink_metadata(path) {
        Ok(metadata) => ask(&metadata, wanted).map(|()| true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

fn follow(path: &Path, wanted: Wanted) -> io::Result<bool> {
    let found = match fs::symlink_metadata(path) {
        Ok(named) if named.is_symlink() => {
            ask(&named, Wanted::Link)?;
            fs::metadata(path)
        }
        found => found,
    };
    match found {
        Ok(metadata) => ask(&metadata, wanted).map(|()| true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ME: u32 = 1000;
    const OTHER: u32 = 1001;
    const OWN_GROUP: u32 = 1000;
    const USERS: u32 = 100;

    fn check(kind: &'static str, owner: u32, mode: u32, links: u64, refused: &[Wanted]) {
        check_of(USERS, kind, owner, mode, links, refused);
    }

    fn check_of(group: u32, kind: &'static str, owner: u32, mode: u32, links: u64, refused: &[Wanted]) {
        let seen = Seen { kind, owner, group, mode, links };
        for wanted in [
            Wanted::Directory,
            Wanted::Place,
            Wanted::File,
            Wanted::Replaced,
            Wanted::Setting,
            Wanted::Socket,
            Wanted::Link,
        ] {
            let judged = judge(seen, wanted, Asker { user: ME, group: OWN_GROUP });
            assert_eq!(judged.is_err(), refused.contains(&wanted), "{seen:?} as {wanted:?}: {judged:?}");
        }
    }

    #[test]
    fn what_is_another_users_is_nothing_to_us() {
        use Wanted::{Directory, File, Link, Place, Replaced, Setting, Socket};
        let all = [Directory, Place, File, Replaced, Setting, Socket, Link];
        for kind in [DIRECTORY, FILE, LINK, "a FIFO", "a socket"] {
            check(kind, OTHER, 0o700, 1, &all);
        }
        check(FILE, ROOT, 0o644, 1, &[Directory, Place, File, Replaced]);
        check("a socket", ROOT, 0o777, 1, &[Directory, Place, File, Replaced]);
    }

    #[test]
    fn what_is_ours_is_used_if_it_is_of_the_right_kind_and_ours_alone() {
        use Wanted::{Directory, File, Place, Replaced, Setting};
        check(DIRECTORY, ME, 0o700, 5, &[File, Replaced]);
        check(DIRECTORY, ME, 0o755, 5, &[File, Replaced]);
        check(DIRECTORY, ME, 0o775, 5, &[Directory, File, Replaced]);
        check(DIRECTORY, ME, 0o1777, 5, &[Directory, File, Replaced]);
        check(FILE, ME, 0o600, 1, &[Directory, Place]);
        check(FILE, ME, 0o600, 2, &[Directory, Place, File]);
        check(FILE, ME, 0o646, 1, &[Directory, Place, Setting]);
        check(FILE, ME, 0o664, 1, &[Directory, Place, Setting]);
        check_of(OWN_GROUP, FILE, ME, 0o664, 1, &[Directory, Place]);
        check_of(OWN_GROUP, FILE, ME, 0o666, 1, &[Directory, Place, Setting]);
        check("a FIFO", ME, 0o600, 1, &[Directory, Place, File, Replaced]);
        check(LINK, ME, 0o777, 1, &[Directory, Place, File, Replaced]);
        check("a device", ROOT, 0o666, 1, &[Directory, Place, File, Replaced]);
    }

    #[test]
    fn the_cause_is_found_again_behind_an_error_of_the_system() {
        let why = NotOurs::Shared { links: 3 };
        assert_eq!(NotOurs::behind(&why.into()), Some(why));
        assert_eq!(why.to_string(), "it is one file with 2 other names");
        assert_eq!(NotOurs::behind(&io::ErrorKind::NotFound.into()), None);
    }
}
