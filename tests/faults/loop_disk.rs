//! A small disk of its own: ext4 in a file, so that its power can be cut.
//!
//! What the file holds is what the disk was given. ext4 commits its journal every hour here, and data that nobody syncs
//! after half a minute: so a copy of the file, mounted, is the disk after a power cut. [`Disk::commit`] has the journal
//! written by a sync of something else, as any other program may: names that nobody synced are there then, and what was
//! written under them is not. Unmounted and detached when dropped.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use crate::support::world::wait;

const SIZE: u64 = 16 << 20;

/// An ext4 in a file, mounted.
pub struct Disk {
    dir: tempfile::TempDir,
    /// Where it is mounted.
    pub at: PathBuf,
}

/// The bytes of a disk at one moment.
#[derive(Clone)]
pub struct Image {
    path: PathBuf,
    /// Its own place, where it outlives the disk that it was taken from.
    _dir: Option<Arc<tempfile::TempDir>>,
}

impl Disk {
    /// An empty disk.
    pub fn blank() -> Self {
        Self::of(&Image::empty().unwrap())
    }

    /// A disk that holds what `image` holds.
    pub fn of(image: &Image) -> Self {
        let dir = place();
        let at = dir.path().join("m");
        fs::create_dir(&at).unwrap();
        let disk = Self { dir, at };
        let own = image.copied_to(disk.image());
        mounted(&losetup(&own).unwrap(), &disk.at).unwrap();
        disk
    }

    /// Has the journal committed, without a sync of anything that the test is about.
    pub fn commit(&self) {
        let mut file = File::create(self.at.join("something-else")).unwrap();
        file.write_all(b"x").unwrap();
        file.sync_all().unwrap();
    }

    /// What the disk was given so far, and nothing more.
    pub fn cut(&self, name: &str) -> Image {
        Image { path: self.image(), _dir: None }.copied_to(self.dir.path().join(name))
    }

    /// All of it, for another disk to begin with.
    pub fn template(&self) -> Image {
        done(&["sync".into(), "-f".into(), self.at.display().to_string()]).unwrap();
        let dir = place();
        let copy = Image { path: self.image(), _dir: None }.copied_to(dir.path().join("image"));
        Image { _dir: Some(Arc::new(dir)), ..copy }
    }

    /// Puts another disk in the place of this one: the same path, and another device, as after a boot.
    pub fn put(&self, image: &Image) {
        // Copied and attached before the old one is let go, or it might get its number.
        let own = image.copied_to(self.dir.path().join("next"));
        let device = losetup(&own).unwrap();
        self.unmount().unwrap();
        mounted(&device, &self.at).unwrap();
        fs::rename(&own.path, self.image()).unwrap();
    }

    fn image(&self) -> PathBuf {
        self.dir.path().join("image")
    }

    /// At once for everybody who looks; a process that still stands in it keeps it for itself.
    fn unmount(&self) -> Result<(), String> {
        done(&["umount".into(), "-l".into(), self.at.display().to_string()])
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if let Err(error) = self.unmount() {
            eprintln!("a disk is left: {error}");
        }
    }
}

impl Image {
    /// With nothing in it.
    fn empty() -> Result<Self, String> {
        let dir = place();
        let path = dir.path().join("image");
        File::create(&path).and_then(|file| file.set_len(SIZE)).map_err(|error| error.to_string())?;
        let words = ["mkfs.ext4", "-q", "-F", "-b", "4096", "-N", "1024", "-J", "size=4", "-m", "0"];
        // Nothing is left to be written in the background.
        let at_once = ["-E", "lazy_itable_init=0,lazy_journal_init=0"];
        let words = words.iter().chain(&at_once).map(|word| (*word).to_owned());
        done(&words.chain([path.display().to_string()]).collect::<Vec<_>>())?;
        Ok(Self { path, _dir: Some(Arc::new(dir)) })
    }

    fn copied_to(&self, path: PathBuf) -> Self {
        let [from, to] = [&self.path, &path].map(|path| path.display().to_string());
        done(&["cp".into(), "--sparse=always".into(), from, to]).unwrap();
        Self { path, _dir: None }
    }
}

/// Memory where there is such a place: there a sync costs nothing, and the page cache of the file is the file.
pub fn place() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    let base = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
    tempfile::Builder::new().prefix("nsk-").tempdir_in(base).unwrap()
}

/// Why there can be no such disk here.
pub fn obstacle() -> Option<String> {
    if !rustix::process::geteuid().is_root() {
        return Some("only root mounts disks".to_owned());
    }
    let dir = place();
    let tried = Image::empty().and_then(|image| {
        mounted(&losetup(&image)?, dir.path())?;
        done(&["umount".into(), dir.path().display().to_string()])
    });
    assert!(tried.is_ok() || std::env::var_os("CI").is_none(), "no disk can be made of a file: {tried:?}");
    tried.err().map(|why| format!("no disk can be made of a file: {why}"))
}

fn losetup(image: &Image) -> Result<String, String> {
    // Somebody else may have taken the same free device in this moment.
    let mut last = String::new();
    let found = wait(std::time::Duration::from_secs(5), &mut || {
        let output = Command::new("losetup").args(["--find", "--show"]).arg(&image.path).output().unwrap();
        last = String::from_utf8_lossy(&output.stderr).into_owned();
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    });
    found.ok_or(last)
}

fn mounted(device: &str, at: &Path) -> Result<(), String> {
    let words = ["mount", "-t", "ext4", "-o", "commit=3600", device].map(str::to_owned);
    let result = done(&words.into_iter().chain([at.display().to_string()]).collect::<Vec<_>>());
    // In use, it goes when it is unmounted.
    done(&["losetup".into(), "--detach".into(), device.to_owned()])?;
    result
}

fn done(words: &[String]) -> Result<(), String> {
    let output = Command::new(&words[0])
        .args(&words[1..])
        .output()
        .map_err(|error| format!("{}: {error}", words[0]))?;
    match output.status.success() {
        true => Ok(()),
        false => Err(format!("{words:?}: {}", String::from_utf8_lossy(&output.stderr).trim())),
    }
}
