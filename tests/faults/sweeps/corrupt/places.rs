//! Where a file is made useless, and what must be so there before and afterwards.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use crate::recovery;
use crate::support::World;
use crate::support::world::files;
use crate::sweep::{Finding, Harm};

/// Where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// agent0 and agent1 run, by a word on the command line: the configuration would have neither.
    Running,
    /// agent0 and agent1 run because the configuration says so.
    Configured,
    /// Nobody runs.
    Still,
    /// As running, with agents that think for a while before they are up.
    Slow,
}

pub const TEXT: &str = "do not lose me";

/// What is configured is not what runs, so that who falls back on it is seen.
pub const CONFIG: &str = "# mine\n[constellation]\nclones = 0\nagent = \"claude\"\nroot_agent = \"claude\"\n\
                          [restart]\nup_wait = \"20s\"\nstop_grace = \"2s\"\n";

pub const RAISE: &[&str] = &["up", "1", "--agent", "demo"];

impl Place {
    pub fn build(self, world: World) -> World {
        world.configure(CONFIG);
        if self == Self::Configured {
            world.configure(&CONFIG.replace("claude", "demo").replace("clones = 0", "clones = 1"));
        }
        if self == Self::Slow {
            let command = format!("[{:?}, \"demo-agent\", \"--think\", \"700ms\"]", world.program());
            world.configure(&format!("{CONFIG}[profile.demo]\ncommand = {command}\n"));
        }
        let raise = if self == Self::Configured { &RAISE[..1] } else { RAISE };
        world.netsky(raise.iter().copied()).run().expect(0);
        world.netsky(["restart"]).run().expect(0);
        if self == Self::Still {
            world.netsky(["down"]).run().expect(0);
        }
        let [record] = &files(&world.home.join("state/restart-status"))[..] else { panic!("not one record") };
        fs::copy(record, world.root().join(record.file_name().unwrap())).unwrap();
        world
    }
}

/// The agents that live, with their generations.
pub fn living(world: &World) -> BTreeSet<(String, String)> {
    recovery::living(world)
}

pub fn names(living: &BTreeSet<(String, String)>) -> Vec<&str> {
    living.iter().map(|(agent, _)| agent.as_str()).collect()
}

/// Takes away what the last point left; its messages, drafts and records are not this one's.
pub fn wipe(world: &World) {
    let inbox = world.home.join("inbox/agent0");
    let inboxes = [inbox.clone(), inbox.join("cur"), inbox.join("done")];
    let others =
        ["handoff/archive", "handoff/claims", "handoff/draft", "state/shown/agent0", "state/restart-status"]
            .map(|dir| world.home.join(dir));
    let left = inboxes.iter().chain(&others).flat_map(|dir| files(dir)).filter(|path| path.is_file());
    left.for_each(|path| fs::remove_file(path).unwrap());
    let record = kept_record(world);
    fs::copy(&record, world.home.join("state/restart-status").join(record.file_name().unwrap())).unwrap();
}

/// A record that had ended well when the world was made.
pub fn kept_record(world: &World) -> PathBuf {
    let is_record = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "json");
    files(world.root()).into_iter().find(is_record).unwrap()
}

/// An agent at work takes what it is sent at its next prompt, and reports in between.
pub fn wait_for_idle(world: &World) {
    for (agent, _) in living(world) {
        let beacon = world.home.join(format!("state/beacons/{agent}.json"));
        let is_idle = || {
            let bytes = fs::read(&beacon).unwrap_or_default();
            serde_json::from_slice::<Value>(&bytes).is_ok_and(|beacon| beacon["activity"]["state"] == "idle")
        };
        world.wait(&format!("{agent} is idle"), Duration::from_secs(20), || is_idle().then_some(()));
    }
}

/// The id of what an earlier command took and did not get to deliver.
pub const CLAIMED: &str = "01JD0Q7M3ZJ4V5W6X7Y8Z9A0BC";

/// Leaves a claim with its record, for agent0.
pub fn claim(world: &World, bytes: &[u8]) {
    let claim = world.home.join(format!("handoff/claims/{CLAIMED}-from-owner"));
    let record =
        r#"{"version":1,"to":"agent0","generation":null,"ts":"2026-11-20T19:00:00.000Z","origin":null}"#;
    fs::write(claim.with_extension("json"), record).unwrap();
    fs::write(claim, bytes).unwrap();
}

pub fn begin(world: &World) {
    wait_for_idle(world);
    wipe(world);
}

/// agent0 and agent1 run, and nobody else.
pub fn both_run(world: &World, what: &str) -> Vec<Finding> {
    let living = living(world);
    if names(&living) == ["agent0", "agent1"] {
        return Vec::new();
    }
    vec![(Harm::Lost, format!("{what}: there live {living:?}"))]
}

/// What must be so in every home, but that something lies aside in this one.
pub fn home(world: &World, what: &str) -> Vec<Finding> {
    let mut found = recovery::records(world, what);
    found.extend(recovery::generations(world, what));
    found.extend(recovery::inboxes(world, what));
    found.extend(recovery::claims(world, what));
    found.extend(recovery::lock(world, what));
    found
}

/// The one envelope of agent0 that waits, is shown or is taken.
pub fn envelope(world: &World, place: &str) -> PathBuf {
    let dir = world.home.join("inbox/agent0").join(place);
    let mut found = files(&dir).into_iter().filter(|path| path.is_file());
    found.next().unwrap_or_else(|| panic!("no envelope in {}", dir.display()))
}

/// The marks of agent0's own session.
pub fn marks(world: &World) -> Vec<(&'static str, OsString)> {
    let living = living(world);
    let (_, generation) = living.iter().find(|(agent, _)| agent == "agent0").unwrap();
    vec![("NETSKY_AGENT", "agent0".into()), ("NETSKY_GENERATION", generation.into())]
}

/// What lies aside beside `path`, by name.
pub fn aside(path: &Path) -> Vec<PathBuf> {
    let of_it = |aside: &PathBuf| {
        let (aside, name) = (aside.file_name().unwrap().to_string_lossy(), path.file_name().unwrap());
        aside.ends_with(&*name.to_string_lossy())
    };
    files(&path.parent().unwrap().join("corrupt")).into_iter().filter(of_it).collect()
}
