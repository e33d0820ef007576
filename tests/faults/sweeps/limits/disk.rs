//! Homes on a small disk of their own, that is full, out of inodes or read-only while a verb is called.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::super::complaint;
use super::super::verbs::Verb;
use super::super::verbs::places::Place;
use crate::support::World;
use crate::sweep::Finding;

/// What is scarce.
#[derive(Debug, Clone, Copy)]
pub enum Scarcity {
    /// So many pages of 4 KiB are left. Every file with something in it takes one.
    Pages(u64),
    /// So many more files can be made.
    Inodes(u64),
    /// Nothing can be written.
    ReadOnly,
}

impl Scarcity {
    pub const ALL: [Self; 16] = [
        Self::Pages(0),
        Self::Pages(1),
        Self::Pages(2),
        Self::Pages(3),
        Self::Pages(4),
        Self::Pages(5),
        Self::Pages(7),
        Self::Pages(10),
        Self::Inodes(0),
        Self::Inodes(1),
        Self::Inodes(2),
        Self::Inodes(3),
        Self::Inodes(4),
        Self::Inodes(6),
        Self::Inodes(9),
        Self::ReadOnly,
    ];
}

/// Why there are no such disks here.
pub fn obstacle() -> Option<String> {
    let dir = tempfile::tempdir().unwrap();
    let mounted = mount(dir.path()).is_ok_and(|()| unmount(dir.path()));
    assert!(mounted || std::env::var_os("CI").is_none(), "a tmpfs cannot be mounted");
    (!mounted).then(|| "mounting a tmpfs needs root".to_owned())
}

/// A world on a disk of its own. The disk goes first: what lives in the world ends with it.
pub struct Site {
    disk: Mounted,
    pub world: World,
}

struct Mounted(PathBuf);

impl Drop for Mounted {
    fn drop(&mut self) {
        unmount(&self.0);
    }
}

fn mount(dir: &Path) -> std::io::Result<()> {
    let options = "size=8m,nr_inodes=2000,mode=700";
    let status =
        Command::new("mount").args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(dir).output()?.status;
    if status.success() { Ok(()) } else { Err(std::io::ErrorKind::PermissionDenied.into()) }
}

/// Also while something is open on it.
fn unmount(dir: &Path) -> bool {
    Command::new("umount").arg("--lazy").arg(dir).status().is_ok_and(|status| status.success())
}

impl Site {
    /// Home and working directory lie on the disk.
    pub fn new(mut world: World, place: Place) -> Self {
        let dir = world.root().canonicalize().unwrap().join("disk");
        fs::create_dir(&dir).unwrap();
        mount(&dir).unwrap();
        let disk = Mounted(dir.clone());
        (world.home, world.work) = (dir.join("h"), dir.join("work"));
        fs::create_dir(&world.work).unwrap();
        world.set("NETSKY_HOME", dir.join("h"));
        Self { disk, world: place.build(world) }
    }

    /// Calls the verb there, ends the scarcity, and judges.
    pub fn findings(&self, scarcity: Scarcity, verb: &Verb, netsky: &Path) -> Vec<Finding> {
        let what = format!("{}, {scarcity:?}", verb.name);
        let mut command = Command::new(netsky);
        command.args((verb.arguments)(&self.world));
        self.begin(scarcity);
        let ran = self.world.call(command).stdin(verb.stdin).run();
        self.end(scarcity);
        let mut found = complaint::findings(&ran, &what);
        found.extend((verb.judge)(&self.world, &ran, &what));
        found
    }

    fn begin(&self, scarcity: Scarcity) {
        let Mounted(dir) = &self.disk;
        let stat = rustix::fs::statvfs(dir).unwrap();
        match scarcity {
            Scarcity::Pages(left) => {
                // With something in it, for a hole takes no page.
                let size = (stat.f_bavail - left) * stat.f_bsize;
                fs::write(dir.join("filler"), vec![b'x'; usize::try_from(size).unwrap()]).unwrap();
            }
            Scarcity::Inodes(left) => {
                fs::create_dir(dir.join("fillers")).unwrap();
                let taken = stat.f_favail - left - 1;
                (0..taken).for_each(|n| drop(fs::File::create(dir.join(format!("fillers/{n}"))).unwrap()));
            }
            Scarcity::ReadOnly => self.remount("ro"),
        }
    }

    fn end(&self, scarcity: Scarcity) {
        let Mounted(dir) = &self.disk;
        match scarcity {
            Scarcity::Pages(_) => fs::remove_file(dir.join("filler")).unwrap(),
            Scarcity::Inodes(_) => fs::remove_dir_all(dir.join("fillers")).unwrap(),
            Scarcity::ReadOnly => self.remount("rw"),
        }
    }

    fn remount(&self, how: &str) {
        let Mounted(dir) = &self.disk;
        let ran = Command::new("mount").args(["-o", &format!("remount,{how}")]).arg(dir).output().unwrap();
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    }
}
