//! The power cut at every call that writes: what is on the disk then, and what netsky makes of it.
//!
//! netsky is killed before the call, and its disk is looked at as it would be after a boot: once with nothing on it but
//! what netsky itself had synced, and once after somebody else's sync had the journal committed. The first shows what
//! was reported too early, the second shows names whose content never came.

mod delivery;
mod restart;
mod success;

use std::fs;
use std::path::{Path, PathBuf};

use crate::loop_disk::{self, Disk, Image};
use crate::strace::{self, Point};
use crate::support::{World, tree, world};
use crate::sweep::{Finding, Flaw, Harm, Run, Sweep};

pub const POWER_CUT: Sweep = Sweep {
    name: "power-cut",
    promise: "after a power cut at any call that writes, of a delivery, of reading it or of a restart, nothing is torn or \
              lost, and what was reported done is done",
    flaw: Flaw { without: "sync", does: Harm::Torn },
    floor: 200,
    obstacle: || strace::obstacle().or_else(loop_disk::obstacle),
    run: |run| {
        prove_the_rig();
        let tally = delivery::run(run).and(restart::run(run));
        // The verbs' reports rest on the same syncs.
        if run.is_broken() { tally } else { tally.and(success::run(run)) }
    },
};

const TEXT: &str = "do not lose me";

/// Calls that change a file or a directory, or make a change durable.
const CALLS: [&str; 15] = [
    "write",
    "writev",
    "pwrite64",
    "rename",
    "renameat",
    "renameat2",
    "link",
    "linkat",
    "unlink",
    "unlinkat",
    "fsync",
    "fdatasync",
    "ftruncate",
    "mkdir",
    "mkdirat",
];

/// Directories of what a crash may lose: nobody relies on it after a boot.
const VOLATILE: [&str; 4] = ["/h/run/", "/h/log/", "/h/state/prompts/", "/h/state/beacons/"];

/// A world whose home lies on a disk of its own.
struct Powered {
    // The order in which they go: first who runs, then the disk.
    world: World,
    disk: Disk,
}

/// What is on the disk after the cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cut {
    /// What netsky synced.
    Bare,
    /// And what somebody else's sync had committed.
    Committed,
}

/// A disk on which nothing can go wrong would prove nothing.
fn prove_the_rig() {
    let disk = Disk::blank();
    let [synced, unsynced] = ["synced", "unsynced"].map(|name| disk.at.join(name));
    fs::write(&synced, TEXT).unwrap();
    fs::File::open(&synced).unwrap().sync_all().unwrap();
    fs::write(&unsynced, TEXT).unwrap();
    let bare = disk.cut("bare");
    disk.commit();
    let committed = disk.cut("committed");
    let lengths = [bare, committed].map(|image| {
        disk.put(&image);
        [&synced, &unsynced].map(|path| fs::read(path).ok().map(|bytes| bytes.len()))
    });
    assert_eq!(
        lengths,
        [[Some(TEXT.len()), None], [Some(TEXT.len()), Some(0)]],
        "this disk loses something else"
    );
}

impl Powered {
    fn on(run: &Run, disk: Disk) -> Self {
        let mut world = run.world();
        world.home = disk.at.join("h");
        world.set("NETSKY_HOME", world.home.clone());
        Self { world, disk }
    }

    fn of(run: &Run, image: &Image) -> Self {
        Self::on(run, Disk::of(image))
    }

    /// A disk with a home on it and what `prepare` adds.
    fn template(run: &Run, prepare: impl FnOnce(&Self)) -> Image {
        let powered = Self::on(run, Disk::blank());
        let init = ["init", "--yes", "--agent", "demo", "--no-commands"];
        powered.world.netsky(init).run().expect(0);
        prepare(&powered);
        powered.disk.template()
    }

    /// Everything that runs here is gone at once, as it is when the power goes.
    fn end_all(&self) {
        let running = || {
            let servers = tree::servers(&self.world.socket());
            servers.into_iter().chain(tree::marked(&self.world.home)).collect::<Vec<_>>()
        };
        let gone = world::wait(std::time::Duration::from_secs(10), &mut || {
            let left = running();
            left.iter().for_each(|pid| world::signal(*pid, "KILL"));
            left.is_empty().then_some(())
        });
        gone.unwrap_or_else(|| panic!("they do not end: {:?}", running()));
    }

    /// The points that a run under [`counting`] went through: those on a disk, and what it told the caller.
    fn points(&self) -> Vec<Point> {
        let trace = fs::read_to_string(self.world.root().join("trace")).unwrap();
        let mut seen = std::collections::HashMap::new();
        let mut points = Vec::new();
        for line in trace.lines() {
            let Some((call, rest)) = line.split_once('(').filter(|(call, _)| CALLS.contains(call)) else {
                continue;
            };
            let nth = seen.entry(call).or_insert(0);
            *nth += 1;
            let is_durable = !VOLATILE.iter().any(|dir| rest.contains(dir));
            if rest.starts_with("1<") || rest.contains("/nsk-") && rest.contains("/m/") && is_durable {
                points.push(Point { call: call.to_owned(), nth: *nth });
            }
        }
        points
    }

    fn counting(&self, program: &Path) -> std::process::Command {
        strace::command(&self.world, &[format!("-etrace={}", CALLS.join(",")), "-y".to_owned()], program)
    }

    fn kill_at(&self, point: &Point, program: &Path) -> std::process::Command {
        strace::striking(&self.world, point, "signal=SIGKILL", program)
    }

    /// What lies in the home, whole or not.
    fn torn(&self, what: &str) -> Vec<Finding> {
        let mut found = Vec::new();
        for path in durable_files(&self.world.home) {
            let bytes = fs::read(&path).unwrap();
            let is_whole = match path.extension() {
                Some(json) if json == "json" => serde_json::from_slice::<serde_json::Value>(&bytes).is_ok(),
                // A claim is the text itself.
                _ if path.parent().is_some_and(|dir| dir.ends_with("handoff/claims")) => {
                    bytes == TEXT.as_bytes()
                }
                _ => true,
            };
            if !is_whole {
                let held = String::from_utf8_lossy(&bytes).into_owned();
                found.push((Harm::Torn, format!("{what}: {} holds {held:?}", path.display())));
            }
        }
        found
    }

    fn json(&self, path: &str) -> serde_json::Value {
        let bytes = fs::read(self.world.home.join(path)).unwrap_or_default();
        serde_json::from_slice(&bytes).unwrap_or_default()
    }
}

/// Files that outlive a boot. What a killed process was writing is none.
fn durable_files(dir: &Path) -> Vec<PathBuf> {
    let is_volatile = |path: &Path| VOLATILE.iter().any(|dir| format!("{}/", path.display()).ends_with(dir));
    let mut found = Vec::new();
    for path in world::files(dir) {
        let is_temporary = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(".tmp-"));
        if path.is_dir() {
            if !is_volatile(&path) {
                found.extend(durable_files(&path));
            }
        } else if !is_temporary {
            found.push(path);
        }
    }
    found
}

/// Killed, or done before the point came.
fn unexpected_end(ran: &world::Ran, what: &str) -> Option<Finding> {
    let is_expected = ran.code == 137 || ran.code == 0;
    (!is_expected).then(|| (Harm::Other, format!("{what}: {} {}", ran.code, ran.stderr)))
}
