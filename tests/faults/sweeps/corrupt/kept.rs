//! A file that netsky keeps and reads again, and what must come of it when it is made useless.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use super::course::{self, Call, call};
use super::kinds::Kind;
use super::places::{self, Place, RAISE, aside, both_run, living, names};
use crate::support::{World, tree};
use crate::sweep::{Finding, Harm};

/// A file, or several that are lost together.
pub struct Kept {
    pub name: &'static str,
    pub place: Place,
    /// Makes the place ready, and the files with it.
    pub begin: fn(&World),
    pub files: fn(&World) -> Vec<PathBuf>,
    pub kinds: &'static [Kind],
    pub course: &'static [Call],
    /// Whether they lie aside afterwards; what is written anew with every spawn, or is a hint, does not.
    pub lies_aside: bool,
    /// What becomes of those who live.
    pub lives: Lives,
    /// What else must be so.
    pub check: fn(&World, &str) -> Vec<Finding>,
}

/// What becomes of those who live when the course has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lives {
    /// The same generations.
    On,
    /// Others of the same names.
    Anew,
    /// agent0 alone.
    Root,
    /// Nobody.
    Ended,
}

impl Kept {
    pub fn attempt(&self, world: &World, kind: Kind, what: &str) -> Vec<Finding> {
        (self.begin)(world);
        let before = living(world);
        let paths = (self.files)(world);
        let broken: Vec<Broken> = paths.into_iter().map(|path| Broken::make(path, kind)).collect();
        let (mut found, mut stderr) = (Vec::new(), String::new());
        for call in self.course {
            let ran = call.run(world);
            found.extend(call.findings(&ran, what));
            stderr.push_str(&ran.stderr);
        }
        found.extend(self.living(world, &before, what));
        for broken in &broken {
            found.extend(broken.findings(self.lies_aside, &stderr, what));
        }
        if found.is_empty() {
            found = put_right(self.place, self.lives, world, what);
        }
        if found.is_empty() {
            found = (self.check)(world, what);
        }
        if found.is_empty() {
            found = places::home(world, what);
        }
        broken.iter().for_each(Broken::undo);
        found
    }

    fn living(&self, world: &World, before: &BTreeSet<(String, String)>, what: &str) -> Vec<Finding> {
        let after = living(world);
        let is_right = match self.lives {
            Lives::On => after == *before,
            Lives::Anew => names(&after) == names(before) && after.is_disjoint(before),
            Lives::Root => names(&after) == ["agent0"] && after.is_subset(before),
            Lives::Ended => after.is_empty() && tree::servers(&world.socket()).is_empty(),
        };
        if is_right {
            return Vec::new();
        }
        vec![(Harm::Lost, format!("{what}: there lived {before:?}, and now {after:?}"))]
    }
}

/// One `up`. Who was taken down stays down, until somebody wants them again.
fn put_right(place: Place, lives: Lives, world: &World, what: &str) -> Vec<Finding> {
    if place == Place::Still {
        return Vec::new();
    }
    if matches!(lives, Lives::On | Lives::Anew | Lives::Root) {
        let before = living(world);
        let up = call(&["up"]);
        let mut found = up.findings(&up.run(world), what);
        if living(world) != before {
            found.push((
                Harm::Doubled,
                format!("{what}: there lived {before:?}, and after up {:?}", living(world)),
            ));
        }
        if !found.is_empty() || lives != Lives::Root {
            return found;
        }
    }
    if lives == Lives::Root || lives == Lives::Ended {
        let raise = call(RAISE);
        return [raise.findings(&raise.run(world), what), both_run(world, what)].concat();
    }
    Vec::new()
}

/// A file that was made useless.
pub struct Broken {
    path: PathBuf,
    whole: Vec<u8>,
    bytes: Vec<u8>,
    /// What lay aside before, with what was in it.
    earlier: Vec<(PathBuf, Vec<u8>)>,
}

impl Broken {
    pub fn make(path: PathBuf, kind: Kind) -> Self {
        let whole = fs::read(&path).unwrap_or_else(|error| panic!("{kind:?} of {}: {error}", path.display()));
        let bytes = kind.of(&whole);
        fs::write(&path, &bytes).unwrap();
        Self { earlier: contents(aside(&path)), path, whole, bytes }
    }

    /// It lies aside once, byte for byte, beside those that lay there, and that was said once; or it lies where it was.
    pub fn findings(&self, lies_aside: bool, stderr: &str, what: &str) -> Vec<Finding> {
        let now = contents(aside(&self.path));
        let path = self.path.display();
        let mut found = Vec::new();
        let new: Vec<_> = now.iter().filter(|one| !self.earlier.contains(one)).collect();
        if !self.earlier.iter().all(|one| now.contains(one)) {
            found.push((Harm::Lost, format!("{what}: what lay aside of {path} is not as it was")));
        }
        let is_kept = matches!(new[..], [(_, bytes)] if *bytes == self.bytes);
        if lies_aside && !is_kept {
            let sizes: Vec<usize> = new.iter().map(|(_, bytes)| bytes.len()).collect();
            found.push((Harm::Lost, format!("{what}: {path} does not lie aside: {sizes:?}")));
        }
        let said = course::said(stderr, &self.path);
        if said != usize::from(lies_aside) || new.len() != said {
            let stderr = stderr.trim();
            found.push((Harm::Other, format!("{what}: {path} was said to be moved {said} times: {stderr}")));
        }
        // Nobody needs ten of the large ones.
        let large = now.iter().filter(|(_, bytes)| bytes.len() > 1 << 20);
        large.for_each(|(path, _)| fs::remove_file(path).unwrap());
        found
    }

    /// As it was, where nobody has written it anew: for the next one who wants to break it.
    fn undo(&self) {
        if fs::read(&self.path).map_or(true, |bytes| bytes == self.bytes) {
            fs::write(&self.path, &self.whole).unwrap();
        }
    }
}

fn contents(paths: Vec<PathBuf>) -> Vec<(PathBuf, Vec<u8>)> {
    paths.into_iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}
