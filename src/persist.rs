//! Durable files: the only place that writes, renames, links or unlinks what must outlive a crash.
//!
//! Every write is a temporary file in the same directory, fsync, rename (or link), fsync of the directory. After a
//! kill or a power cut a file is the old one or the new one, whole. Temporary names never end in `.json` and carry
//! the time and the process that made them, so that debris is recognised by name. Names and formats are the callers'.

mod aside;
mod debris;
mod log;
mod volatile;

use std::fs::{self, File, FileType, Metadata, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::failpoint::{self, Step};
use crate::owner;

pub use aside::{Loaded, MovedAside, load_by, load_or_mend, on_moved_aside, put_aside};
pub use debris::{is_debris, momentary_name, sweep_debris, sweep_debris_below};
pub use log::{append_line, turn_over};
pub use volatile::{remove_volatile, rewrite_volatile, write_volatile};

/// What begins the name of every temporary file.
pub const TEMPORARY_PREFIX: &str = ".tmp-";

/// State files are small; one that is larger is not ours.
pub const LARGEST_STATE_FILE: u64 = 16 << 20;

/// The directory, below that of a file, for what could not be understood.
const CORRUPT: &str = "corrupt";

/// A file could not be read or written.
#[derive(Debug, thiserror::Error)]
#[error("{doing} {}", path.display())]
pub struct PersistError {
    /// The step, as in "writing" or "syncing".
    pub doing: &'static str,
    /// The file or directory.
    pub path: PathBuf,
    /// What the system said.
    #[source]
    pub source: io::Error,
}

/// The result of everything here.
pub type Result<T> = std::result::Result<T, PersistError>;

fn failed<'a>(doing: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> PersistError + 'a {
    move |source| PersistError { doing, path: path.to_owned(), source }
}

/// Whether [`publish`] made the file or found one of that name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Published {
    /// The name is new and holds what was given.
    New,
    /// The name was taken; nothing was changed.
    Existed,
}

/// [`make_dir`] for a directory of netsky's own: a link in its place leads to somebody else's, and is refused.
pub fn make_own_dir(dir: &Path) -> Result<()> {
    refuse_link(dir)?;
    make_dir(dir)
}

/// That what lies at `dir` is a directory, or nothing.
///
/// # Errors
/// It is a link or something else.
pub fn prove_own_dir(dir: &Path) -> Result<()> {
    refuse_link(dir)?;
    match fs::symlink_metadata(dir) {
        Ok(metadata) if !metadata.is_dir() => {
            Err(failed("using the directory", dir)(not_wanted(&metadata, owner::DIRECTORY)))
        }
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(failed("looking at", dir)(error)),
    }
}

fn refuse_link(dir: &Path) -> Result<()> {
    match fs::symlink_metadata(dir) {
        Ok(metadata) if metadata.is_symlink() && !failpoint::leaves_out(Step::OwnKind) => {
            Err(failed("using the directory", dir)(not_wanted(&metadata, owner::DIRECTORY)))
        }
        Ok(_) | Err(_) => Ok(()),
    }
}

fn not_wanted(metadata: &Metadata, wanted: &'static str) -> io::Error {
    owner::NotOurs::Kind { found: owner::kind(metadata.file_type()), wanted }.into()
}

/// What has one of our names and is no plain file is somebody else's, and is not written over.
fn refuse_odd(path: &Path) -> Result<()> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if !metadata.is_file() && !failpoint::leaves_out(Step::OwnKind) => {
            Err(failed("replacing", path)(not_wanted(&metadata, owner::FILE)))
        }
        Ok(_) | Err(_) => Ok(()),
    }
}

/// Makes `dir` and what is missing above it, mode 0700, and syncs the parent of each one made.
///
/// # Errors
/// What the system said, or what is there is another user's ([`owner::NotOurs`]).
pub fn make_dir(dir: &Path) -> Result<()> {
    if owner::place(dir).map_err(failed("using the directory", dir))? {
        return Ok(());
    }
    if let Some(parent) = dir.parent().filter(|parent| !parent.is_dir()) {
        make_dir(parent)?;
    }
    failpoint::reach("persist.mkdir");
    match fs::DirBuilder::new().mode(0o700).create(dir) {
        Ok(()) => {}
        // Whoever made it meanwhile may be anybody.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && dir.is_dir() => {
            return owner::place(dir).map(drop).map_err(failed("using the directory", dir));
        }
        Err(error) => return Err(failed("making the directory", dir)(error)),
    }
    match dir.parent() {
        Some(parent) => sync_dir(parent),
        None => Ok(()),
    }
}

/// [`make_dir`] where what is there, if it is ours, becomes ours alone: mode 0700. A link stays as its owner made it.
pub fn make_private_dir(dir: &Path) -> Result<()> {
    make_dir(dir)?;
    let is_link = fs::symlink_metadata(dir).map_err(failed("looking at", dir))?.is_symlink();
    if is_link {
        return Ok(());
    }
    let flags = owner::no_follow() | rustix::fs::OFlags::DIRECTORY;
    let opened = OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(dir);
    let opened = opened.map_err(failed("opening the directory", dir))?;
    let metadata = opened.metadata().map_err(failed("looking at", dir))?;
    if metadata.mode() & 0o777 == 0o700 || !owner::is_ours(metadata.uid()) {
        return Ok(());
    }
    opened.set_permissions(fs::Permissions::from_mode(0o700)).map_err(failed("setting the mode of", dir))
}

/// Replaces `path` with `bytes`, atomically and durably.
///
/// # Errors
/// It could not be written, or what lies there is no regular file.
pub fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    refuse_odd(path)?;
    let temporary = written_temporary(path, bytes)?;
    failpoint::reach("persist.rename");
    temporary.persist(path).map_err(|error| failed("renaming into place", path)(error.error))?;
    sync_dir(parent_of(path))
}

/// Makes `path` with `bytes`, atomically and durably, unless the name is taken.
pub fn publish(path: &Path, bytes: &[u8]) -> Result<Published> {
    let temporary = written_temporary(path, bytes)?;
    let outcome = match fs_link(temporary.path(), path) {
        Ok(()) => Published::New,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Published::Existed,
        Err(error) => return Err(failed("linking into place", path)(error)),
    };
    failpoint::reach("persist.unlink");
    temporary.close().map_err(failed("removing the temporary file of", path))?;
    sync_dir(parent_of(path))?;
    Ok(outcome)
}

#[expect(clippy::disallowed_methods, reason = "this is the home of the call")]
fn fs_link(from: &Path, to: &Path) -> io::Result<()> {
    failpoint::reach("persist.link");
    fs::hard_link(from, to)
}

/// Exchanges two names; fails where one is missing or the file system cannot.
#[cfg(target_os = "linux")]
fn exchange(from: &Path, to: &Path) -> io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    failpoint::reach("persist.exchange");
    Ok(renameat_with(CWD, from, CWD, to, RenameFlags::EXCHANGE)?)
}

#[cfg(not(target_os = "linux"))]
fn exchange(_: &Path, _: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Renames `from` to `to` and syncs both directories. `false`: there is no `from`.
#[expect(clippy::disallowed_methods, reason = "this is the home of the call")]
pub fn rename(from: &Path, to: &Path) -> Result<bool> {
    failpoint::reach("persist.rename");
    match fs::rename(from, to) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound && !from.exists() => return Ok(false),
        Err(error) => return Err(failed("renaming", from)(error)),
    }
    sync_dir(parent_of(to))?;
    if parent_of(from) != parent_of(to) {
        sync_dir(parent_of(from))?;
    }
    Ok(true)
}

/// Unlinks `path` and syncs its directory. `false`: there was none.
pub fn remove(path: &Path) -> Result<bool> {
    failpoint::reach("persist.unlink");
    match fs::remove_file(path) {
        Ok(()) => sync_dir(parent_of(path)).map(|()| true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(failed("removing", path)(error)),
    }
}

/// Syncs the data of a file that somebody else wrote.
pub fn sync_file(file: &File, path: &Path) -> Result<()> {
    failpoint::reach("persist.sync");
    if failpoint::leaves_out(Step::Sync) {
        return Ok(());
    }
    heeded(file.sync_all()).map_err(failed("syncing", path))
}

/// Syncs the entries of a directory.
pub fn sync_dir(dir: &Path) -> Result<()> {
    failpoint::reach("persist.sync-dir");
    if failpoint::leaves_out(Step::Sync) {
        return Ok(());
    }
    let opened = File::open(dir).map_err(failed("opening the directory", dir))?;
    heeded(opened.sync_all()).map_err(failed("syncing the directory", dir))
}

/// What a write or a sync reports; all is well to a build that does not care.
fn heeded(reported: io::Result<()>) -> io::Result<()> {
    if failpoint::leaves_out(Step::Errors) { Ok(()) } else { reported }
}

/// Takes a write and an fsync in `dir` and leaves nothing behind: the preflight's question.
pub fn prove_writable(dir: &Path) -> Result<()> {
    make_own_dir(dir)?;
    let probe = dir.join("probe");
    let temporary = written_temporary(&probe, b"probe")?;
    temporary.close().map_err(failed("removing a probe in", dir))
}

/// Locks a file where it is free, once. `false`: somebody else has it.
pub fn try_lock(file: &File) -> io::Result<bool> {
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(true),
            Err(TryLockError::WouldBlock) => return Ok(false),
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
}

/// Holds the lock file at `path`, which is made where there is none, as soon as it is free: for what is done in moments.
///
/// # Errors
/// It cannot be opened (no link is followed, and no FIFO's reader waited for), or flock failed.
pub fn exclusively(path: &Path) -> Result<File> {
    let flags = (owner::no_follow() | rustix::fs::OFlags::NONBLOCK).bits();
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false).mode(0o600).custom_flags(flags.cast_signed());
    let file = options.open(path).map_err(failed("opening the lock", path))?;
    loop {
        match file.lock() {
            Ok(()) => return Ok(file),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(failed("locking", path)(error)),
        }
    }
}

/// Opens a regular file without following links and without waiting for a FIFO's writer. Whose it is, the caller asks.
///
/// # Errors
/// [`owner::NotOurs`] for anything that is no regular file; what the system said otherwise (`ELOOP` for a link).
pub fn open_regular(path: &Path) -> Result<File> {
    use rustix::fs::OFlags;
    let flags = (owner::no_follow() | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY).bits();
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(flags.cast_signed())
        .open(path)
        .map_err(failed("opening", path))?;
    let metadata = file.metadata().map_err(failed("looking at", path))?;
    if !metadata.is_file() {
        return Err(failed("opening", path)(not_wanted(&metadata, owner::FILE)));
    }
    Ok(file)
}

/// Reads at most `limit` bytes of a regular file that is ours; `None` when there is none.
pub fn read(path: &Path, limit: u64) -> Result<Option<Vec<u8>>> {
    let Some((file, metadata)) = open_ours(path)? else { return Ok(None) };
    read_whole(file, &metadata, limit, path).map(Some)
}

/// Opens a regular file that is ours; `None` when there is none.
fn open_ours(path: &Path) -> Result<Option<(File, Metadata)>> {
    let file = match open_regular(path) {
        Ok(file) => file,
        Err(error) if error.source.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let metadata = file.metadata().map_err(failed("looking at", path))?;
    if !owner::is_ours(metadata.uid()) {
        let owner = metadata.uid();
        return Err(failed("reading", path)(owner::NotOurs::Owner { owner }.into()));
    }
    Ok(Some((file, metadata)))
}

/// All of an open file. One that is larger than `limit` is refused without being read.
fn read_whole(file: File, metadata: &Metadata, limit: u64, path: &Path) -> Result<Vec<u8>> {
    let too_large = || {
        let error = io::Error::new(io::ErrorKind::FileTooLarge, format!("it is larger than {limit} bytes"));
        failed("reading", path)(error)
    };
    // Asked first, so that something huge is refused without being read.
    if metadata.len() > limit {
        return Err(too_large());
    }
    // Room for one more, so that the end is seen without growing.
    let mut bytes = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or_default().saturating_add(1));
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(failed("reading", path))?;
    if bytes.len() as u64 > limit { Err(too_large()) } else { Ok(bytes) }
}

/// A JSON state file: an object whose `version` is known. Unknown fields are tolerated.
pub trait StateFile: Serialize + DeserializeOwned {
    /// The one version that is understood.
    const VERSION: u64 = 1;
}

/// Reads a state file. One that is corrupt or of another version is moved to `corrupt/` beside it, never read as
/// empty.
pub fn load<T: StateFile>(path: &Path) -> Result<Loaded<T>> {
    load_by(path, LARGEST_STATE_FILE, parse)
}

/// [`load`], where `instead` takes the place of one that is moved aside. `None`: there is none.
pub fn load_or<T: StateFile>(path: &Path, instead: impl Fn() -> T) -> Result<Option<T>> {
    let other = || to_line(&instead(), path).map(Some);
    load_or_mend(path, LARGEST_STATE_FILE, parse, other).map(Loaded::present)
}

/// Reads a state file and moves nothing; `None`: there is none that can be understood.
pub fn look<T: StateFile>(path: &Path) -> Option<T> {
    parse(&read(path, LARGEST_STATE_FILE).ok()??).ok()
}

/// The pure part of [`load`].
pub fn parse<T: StateFile>(bytes: &[u8]) -> std::result::Result<T, String> {
    // What netsky wrote itself begins with its version and need not be read twice.
    if !bytes.starts_with(format!("{{\"version\":{},", T::VERSION).as_bytes()) {
        let Versioned { version } = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        if version != T::VERSION {
            return Err(format!("its version is {version}, this netsky knows {}", T::VERSION));
        }
    }
    serde_json::from_slice(bytes).map_err(|error| error.to_string())
}

/// The version of a state file, whatever else it holds; `None` where it does not say one.
pub fn version_of(bytes: &[u8]) -> Option<u64> {
    serde_json::from_slice::<Versioned>(bytes).ok().map(|versioned| versioned.version)
}

#[derive(serde::Deserialize)]
struct Versioned {
    version: u64,
}

/// Replaces a state file, durably.
pub fn store<T: StateFile>(path: &Path, value: &T) -> Result<()> {
    replace(path, &to_line(value, path)?)
}

/// One line of JSON with a newline.
pub fn to_line<T: Serialize>(value: &T, path: &Path) -> Result<Vec<u8>> {
    let mut bytes = serde_json::to_vec(value).map_err(|error| failed("encoding", path)(error.into()))?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// The names of the plain files in `dir` that are UTF-8 and no temporaries, sorted; empty where there is no such
/// directory. The second value counts what is neither.
///
/// # Errors
/// It cannot be listed, or is a link.
pub fn list(dir: &Path) -> Result<(Vec<String>, usize)> {
    list_beside(dir, &[])
}

/// [`list`], where the directories of these names are netsky's as well and are not counted.
pub fn list_beside(dir: &Path, below: &[&str]) -> Result<(Vec<String>, usize)> {
    let is_ours_below = |name: &str| name == CORRUPT || below.contains(&name);
    listed(dir, |kind| kind.is_file(), |kind, name| kind.is_dir() && is_ours_below(name))
}

/// The names of the directories in `dir`, as [`list`] gives those of files.
///
/// # Errors
/// As [`list`].
pub fn list_dirs(dir: &Path) -> Result<(Vec<String>, usize)> {
    listed(dir, |kind| kind.is_dir(), |_, _| false)
}

/// Names of what is wanted, sorted, and how many entries are neither that nor known. The directory itself tells of what
/// kind they are: nothing is opened.
fn listed(
    dir: &Path,
    is_wanted: impl Fn(FileType) -> bool,
    is_known: impl Fn(FileType, &str) -> bool,
) -> Result<(Vec<String>, usize)> {
    refuse_link(dir)?;
    let entries = match entries_of(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((Vec::new(), 0)),
        Err(error) => return Err(failed("listing", dir)(error)),
    };
    let mut names = Vec::new();
    let mut skipped = 0;
    for entry in entries {
        // One that is gone by now was never there.
        let Ok(kind) = entry.file_type() else { continue };
        match entry.file_name().into_string() {
            Ok(name) if name.starts_with(TEMPORARY_PREFIX) && kind.is_file() => {}
            Ok(name) if is_known(kind, &name) => {}
            Ok(name) if is_wanted(kind) || failpoint::leaves_out(Step::OwnKind) => names.push(name),
            _ => skipped += 1,
        }
    }
    if !failpoint::leaves_out(Step::Order) {
        names.sort_unstable();
    }
    Ok((names, skipped))
}

/// All that is in a directory; a listing that a signal cut short is begun again.
fn entries_of(dir: &Path) -> io::Result<Vec<fs::DirEntry>> {
    loop {
        match fs::read_dir(dir).and_then(Iterator::collect) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            listed => return listed,
        }
    }
}

/// Whatever lies in `dir`; nothing where there is no such directory.
///
/// # Errors
/// It could not be listed.
pub fn everything_in(dir: &Path) -> Result<Vec<fs::DirEntry>> {
    match entries_of(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        listed => listed.map_err(failed("listing", dir)),
    }
}

/// The directory of a file.
pub fn parent_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

fn temporary_beside(path: &Path) -> Result<tempfile::NamedTempFile> {
    tempfile::Builder::new()
        .prefix(&debris::momentary_name(TEMPORARY_PREFIX))
        .tempfile_in(parent_of(path))
        .map_err(failed("making a temporary file for", path))
}

fn written_temporary(path: &Path, bytes: &[u8]) -> Result<tempfile::NamedTempFile> {
    failpoint::reach("persist.write");
    let mut temporary = temporary_beside(path)?;
    heeded(temporary.write_all(bytes)).map_err(failed("writing", path))?;
    sync_file(temporary.as_file(), path)?;
    Ok(temporary)
}

#[cfg(test)]
pub(crate) mod tests;
