//! Odd things: how each is made, and what it is like, so that it can be seen to be the same afterwards.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FileType, Mode, makedev, mkfifoat, mknodat};

/// What lies in a directory of netsky's without being netsky's, or with a name of netsky's without being a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Thing {
    Directory,
    Fifo,
    Socket,
    Device,
    LinkToAFile,
    LinkToItself,
    DanglingLink,
    LinkToADirectory,
    Empty,
    Sparse,
    NotUtf8,
    LongName,
    HostileName,
    Closed,
    OthersTemporary,
    Notes,
    DsStore,
    Readme,
    Backup,
    Swap,
}

impl Thing {
    /// The first ones are what a build that does not ask of what kind a thing is touches.
    pub const ALL: [Self; 20] = [
        Self::Fifo,
        Self::LinkToAFile,
        Self::DanglingLink,
        Self::Directory,
        Self::Socket,
        Self::Device,
        Self::LinkToItself,
        Self::LinkToADirectory,
        Self::Empty,
        Self::Sparse,
        Self::NotUtf8,
        Self::LongName,
        Self::HostileName,
        Self::Closed,
        Self::OthersTemporary,
        Self::Notes,
        Self::DsStore,
        Self::Readme,
        Self::Backup,
        Self::Swap,
    ];

    /// A plain file with a name of netsky's: what it holds is for netsky to judge, and may be moved aside whole.
    pub fn is_file_of_ours(self) -> bool {
        matches!(self, Self::Empty | Self::Sparse)
    }

    /// Whether it has a name of netsky's.
    pub fn has_our_name(self) -> bool {
        self.foreign_name().is_none()
    }

    fn foreign_name(self) -> Option<OsString> {
        Some(match self {
            Self::NotUtf8 => OsString::from_vec(b"01KAHA6G\xff\xfe-from-owner.json".to_vec()),
            Self::LongName => "l".repeat(255).into(),
            Self::HostileName => OsStr::from_bytes(b"a\n\x1b]0;owned\x07\x1b[2J.json").to_owned(),
            Self::Closed => "closed.json".into(),
            Self::OthersTemporary => ".tmp-somebody-elses".into(),
            Self::Notes => "notes.txt".into(),
            Self::DsStore => ".DS_Store".into(),
            Self::Readme => "README.md".into(),
            Self::Backup => "x.json~".into(),
            Self::Swap => "x.json.swp".into(),
            _ => return None,
        })
    }

    /// Makes it in `dir`, under `ours` where it takes a name of netsky's. What links lead to lies in `elsewhere`.
    pub fn plant(self, dir: &Path, ours: &str, elsewhere: &Path) -> Planted {
        let path = dir.join(self.foreign_name().unwrap_or_else(|| ours.into()));
        let target = elsewhere.join("theirs");
        fs::create_dir_all(&target).unwrap();
        fs::write(target.join("file"), "theirs\n").unwrap();
        match self {
            Self::Directory => {
                fs::create_dir(&path).unwrap();
                fs::write(path.join("inside"), "kept").unwrap();
            }
            Self::Fifo => mkfifoat(CWD, &path, Mode::RUSR | Mode::WUSR).unwrap(),
            // Nobody listens on it any more.
            Self::Socket => drop(bound(&path)),
            Self::Device => device(&path).unwrap(),
            Self::LinkToAFile => symlink(target.join("file"), &path).unwrap(),
            Self::LinkToItself => symlink(&path, &path).unwrap(),
            Self::DanglingLink => symlink(target.join("nothing"), &path).unwrap(),
            Self::LinkToADirectory => symlink(&target, &path).unwrap(),
            Self::Sparse => fs::File::create(&path).unwrap().set_len(1 << 30).unwrap(),
            Self::Empty => fs::write(&path, "").unwrap(),
            _ => fs::write(&path, "somebody else's\n").unwrap(),
        }
        if self == Self::Closed {
            fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).unwrap();
        }
        let (print, theirs) = (Print::of(&path), everything(&target));
        Planted { thing: self, path, target, print, theirs }
    }
}

/// By a short path: that of a socket may have 107 bytes.
fn bound(path: &Path) -> UnixDatagram {
    let dir = fs::File::open(path.parent().unwrap()).unwrap();
    let fd = std::os::fd::AsRawFd::as_raw_fd(&dir);
    UnixDatagram::bind(Path::new(&format!("/proc/self/fd/{fd}")).join(path.file_name().unwrap())).unwrap()
}

/// One that never ends to be read.
fn device(path: &Path) -> rustix::io::Result<()> {
    mknodat(CWD, path, FileType::CharacterDevice, Mode::RUSR | Mode::WUSR, makedev(1, 5))
}

/// Why no device can be made here.
pub fn no_device() -> Option<String> {
    let dir = tempfile::tempdir().unwrap();
    let made = device(&dir.path().join("zero"));
    assert!(made.is_ok() || std::env::var_os("CI").is_none(), "a device cannot be made: {made:?}");
    made.err().map(|error| format!("devices, which only root can make: {error}"))
}

/// A thing that lies there.
pub struct Planted {
    pub thing: Thing,
    pub path: PathBuf,
    target: PathBuf,
    print: Print,
    theirs: Vec<(PathBuf, Print)>,
}

impl Planted {
    /// What was done to it, or to what it leads to. A plain file with a name of ours may lie in `corrupt/`, whole.
    pub fn harm(&self) -> Option<String> {
        if everything(&self.target) != self.theirs {
            return Some("what it leads to was touched".to_owned());
        }
        let now = Print::of(&self.path);
        let is_aside = self.thing.is_file_of_ours() && self.aside().is_some();
        (now != self.print && !is_aside).then(|| format!("it was {:?} and is {now:?}", self.print))
    }

    /// Where it was moved to as something that cannot be understood.
    pub fn aside(&self) -> Option<PathBuf> {
        let corrupt = self.path.with_file_name("corrupt");
        let mut aside = crate::support::world::files(&corrupt).into_iter();
        aside.find(|path| Print::of(path) == self.print)
    }

    pub fn remove(self) {
        match fs::symlink_metadata(&self.path) {
            Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(&self.path).unwrap(),
            Ok(_) => fs::remove_file(&self.path).unwrap(),
            Err(_) => {}
        }
        if self.aside().is_some() {
            fs::remove_dir_all(self.path.with_file_name("corrupt")).unwrap();
        }
    }
}

/// What a thing itself is like: kind and mode, inode, device, size, time of the last change, and where it leads.
#[derive(Debug, PartialEq, Eq)]
pub struct Print(Option<Facts>);

type Facts = (u32, u64, u64, u64, (i64, i64), Option<PathBuf>);

impl Print {
    pub fn of(path: &Path) -> Self {
        Self(fs::symlink_metadata(path).ok().map(|metadata| {
            let changed = (metadata.mtime(), metadata.mtime_nsec());
            let leads = fs::read_link(path).ok();
            (metadata.mode(), metadata.ino(), metadata.rdev(), metadata.len(), changed, leads)
        }))
    }
}

/// All that lies below a directory, with what it holds.
pub fn everything(dir: &Path) -> Vec<(PathBuf, Print)> {
    let mut found = vec![(dir.to_owned(), Print::of(dir))];
    for path in crate::support::world::files(dir) {
        match path.is_dir() && !path.is_symlink() {
            true => found.extend(everything(&path)),
            false => found.push((path.clone(), Print::of(&path))),
        }
    }
    found
}
