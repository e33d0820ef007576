//! What lies in a home is the intruder's, or leads to him or to what he chose: from when the home was open to him.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::ground::{Afoot, Ground, INTRUDER, remove, set_mode};
use super::witness::Witness;
use super::{Place, Row, row};
use crate::support::world;
use crate::sweep::{Finding, Harm};

const DIRECTORIES: [&str; 19] = [
    "state",
    "state/beacons",
    "state/restart-status",
    "state/markers",
    "state/prompts",
    "state/shown",
    "state/shown/agent0",
    "handoff",
    "handoff/draft",
    "handoff/claims",
    "handoff/archive",
    "inbox",
    "inbox/agent0",
    "inbox/agent0/cur",
    "log",
    "log/screens",
    "log/screens/agent0",
    "run",
    "run/wake",
];

/// Written to where they lie.
const WRITTEN: [&str; 2] = ["state/restart.lock", "log/events.jsonl"];

const REPLACED: [&str; 6] = [
    "home.json",
    "config.toml",
    "state/agents.json",
    "state/desired.json",
    "state/owner-epochs.json",
    "state/environment.json",
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Plant {
    HisDirectory,
    HisLinkToHisDirectory,
    HisLinkToTheOwnersDirectory,
    DirectoryOpenToOthers,
    HisFile,
    HisFileThatHeHoldsLocked,
    HisLinkToTheOwnersFile,
    HisFifo,
}

pub fn rows() -> Vec<Row> {
    use Plant::{
        DirectoryOpenToOthers, HisDirectory, HisFifo, HisFile, HisFileThatHeHoldsLocked,
        HisLinkToHisDirectory, HisLinkToTheOwnersDirectory, HisLinkToTheOwnersFile,
    };
    let directories: &[Plant] =
        &[HisDirectory, HisLinkToHisDirectory, HisLinkToTheOwnersDirectory, DirectoryOpenToOthers];
    let written: &[Plant] = &[HisFile, HisFileThatHeHoldsLocked, HisLinkToTheOwnersFile, HisFifo];
    let replaced: &[Plant] = &[HisFile, HisLinkToTheOwnersFile, HisFifo];
    let mut rows = Vec::new();
    for (places, plants) in [(&WRITTEN[..], written), (&DIRECTORIES, directories), (&REPLACED, replaced)] {
        for place in places {
            for plant in plants {
                let (place, plant) = (*place, *plant);
                let name = format!("{plant:?} in place of {place}");
                rows.push(row(name, Place::Running, move |ground| refused(ground, place, plant)));
            }
        }
    }
    for place in WRITTEN {
        let name = format!("the owner's file has a second name, {place}");
        rows.push(row(name, Place::Running, move |ground| second_name(ground, place)));
    }
    rows.push(row("a lock file that others may hold", Place::Running, |ground| lock_open_to_others(ground)));
    rows
}

const VERBS: &[&[&str]] =
    &[&["send", "agent0", "x"], &["restart", "0"], &["status"], &["up", "0"], &["down"]];

fn refused(ground: &Ground, place: &str, plant: Plant) -> Vec<Finding> {
    let pid = ground.world.pane_pid("agent0");
    let path = ground.world.home.join(place);
    let aside = Aside::of(&path, ground);
    let held = planted(ground, &path, plant);
    let (witness, there) = (ground.witness(), Witness::of(&[&path]));
    let mut found = ground.refuses(VERBS, 78, &path);
    found.extend(witness.changes());
    found.extend(there.changes());
    drop(held);
    drop(aside);
    if found.is_empty() {
        clear(&ground.lair);
        found.extend(ground.up_works());
        if ground.world.pane_pid("agent0") != pid {
            found.push((Harm::Other, "agent0 is another one".to_owned()));
        }
    }
    found
}

/// Who looks and who sends writes to no lock, and an event log begins anew: the file that was linked is as it was.
fn second_name(ground: &Ground, place: &str) -> Vec<Finding> {
    let path = ground.world.home.join(place);
    let aside = Aside::of(&path, ground);
    let key = ground.private.join("key");
    let read = || fs::read(&key).unwrap();
    let before = read();
    hard_link(&key, &path);
    let mut found = Vec::new();
    let is_lock = place == "state/restart.lock";
    if is_lock {
        found.extend(ground.refuses(&[&["restart", "0"], &["up", "0"], &["down"]], 78, &path));
    } else {
        // What is delivered in somebody's stead is logged.
        let claim = ground.world.home.join("handoff/claims/01JD0Q7M3ZJ4V5W6X7Y8Z9A0BC-from-owner");
        ground.owners_file(&claim, "left behind");
    }
    let written: &[&str] = if is_lock { &["status"] } else { &["restart", "0"] };
    for verb in [written, &["send", "agent0", "x"]] {
        let ran = ground.world.netsky(verb.iter().copied()).run();
        if ran.code != 0 {
            found.push((Harm::Other, format!("{verb:?}: {ran:?}")));
        }
    }
    if read() != before {
        found.push((Harm::Other, "it was written to".to_owned()));
    }
    let links = path.symlink_metadata().map(|metadata| metadata.nlink()).unwrap_or_default();
    if !is_lock && links != 1 {
        found.push((Harm::Other, format!("the event log has {links} names")));
    }
    remove(&path.with_extension("jsonl.1"));
    drop(aside);
    found.extend(ground.up_works());
    found
}

/// The thing itself, out of the way until this is dropped.
struct Aside {
    path: PathBuf,
    kept: Option<PathBuf>,
}

impl Aside {
    fn of(path: &Path, ground: &Ground) -> Self {
        let parent = path.parent().unwrap();
        if !parent.exists() {
            fs::create_dir(parent).unwrap();
            set_mode(parent, 0o700);
            ground.give(parent, ground.who.uid());
        }
        let kept = ground.root().join("aside");
        let kept = path.symlink_metadata().is_ok().then(|| {
            move_to(path, &kept);
            kept
        });
        Self { path: path.to_owned(), kept }
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        remove(&self.path);
        if let Some(kept) = &self.kept {
            move_to(kept, &self.path);
        }
    }
}

fn move_to(from: &Path, to: &Path) {
    fs::rename(from, to).unwrap();
}

fn clear(dir: &Path) {
    world::files(dir).iter().for_each(|path| remove(path));
}

fn planted(ground: &Ground, path: &Path, plant: Plant) -> Option<Afoot> {
    let his = ground.lair.join("his");
    let link = |target: &Path| {
        std::os::unix::fs::symlink(target, path).unwrap();
        ground.give(path, INTRUDER);
    };
    let dir = |at: &Path, owner: u32| {
        fs::create_dir(at).unwrap();
        set_mode(at, 0o777);
        ground.give(at, owner);
    };
    match plant {
        Plant::HisDirectory => dir(path, INTRUDER),
        Plant::DirectoryOpenToOthers => dir(path, ground.who.uid()),
        Plant::HisLinkToHisDirectory => {
            dir(&his, INTRUDER);
            link(&his);
        }
        Plant::HisLinkToTheOwnersDirectory => link(&ground.private),
        Plant::HisFile => ground.his_file(path, fine(path)),
        Plant::HisLinkToTheOwnersFile => link(&ground.private.join("key")),
        Plant::HisFifo => {
            let made = Command::new("mkfifo").args(["-m", "666"]).arg(path).status().unwrap();
            assert!(made.success());
            ground.give(path, INTRUDER);
        }
        Plant::HisFileThatHeHoldsLocked => {
            ground.his_file(&his, "");
            hard_link(&his, path);
            return Some(holding(ground, &his));
        }
    }
    None
}

/// Root may, whatever the kernel protects.
fn hard_link(from: &Path, to: &Path) {
    let made = Command::new("ln").arg(from).arg(to).status().unwrap();
    assert!(made.success());
}

/// The intruder holds the lock on that file.
fn holding(ground: &Ground, file: &Path) -> Afoot {
    let held = ground.lair.join("held");
    let script = format!("exec 9>>{} && flock 9 && : >{} && exec sleep 600", file.display(), held.display());
    let holder = ground.his_process(&script, &[]);
    ground.world.wait("the lock is held", Duration::from_secs(10), || held.exists().then_some(()));
    holder
}

/// What would be believed if it were the owner's.
fn fine(path: &Path) -> &'static str {
    match path.file_name().unwrap().to_str().unwrap() {
        "config.toml" => "[constellation]\nagent = \"demo\"\nroot_agent = \"demo\"\nclones = 0\n",
        "restart.lock" | "events.jsonl" => "",
        _ => "{\"version\":1}\n",
    }
}

/// It is the owner's, and the next command closes it.
fn lock_open_to_others(ground: &Ground) -> Vec<Finding> {
    let lock = ground.world.home.join("state/restart.lock");
    set_mode(&lock, 0o666);
    let mut found = ground.up_works();
    let mode = fs::metadata(&lock).unwrap().permissions().mode() & 0o777;
    if mode != 0o600 {
        found.push((Harm::Other, format!("it is left with mode {mode:o}")));
    }
    found
}
