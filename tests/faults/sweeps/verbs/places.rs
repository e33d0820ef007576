//! Where a verb is called, how the place is made ready for the next attempt, and what is looked at in it.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::recovery;
use crate::support::World;
use crate::support::world::files;
use crate::sweep::{Finding, Harm};

/// Where a verb is called.
#[derive(Clone, Copy)]
pub enum Place {
    /// agent0 and agent1 are up.
    Running,
    /// Nobody runs; this very process is on record as agent0's.
    Still,
    /// There is no home.
    Bare,
}

pub const TEXT: &str = "do not lose me";

pub const CONFIG: &str = "# mine\n[constellation]\nclones = 1\nagent = \"demo\"\nroot_agent = \"demo\"\n\
                          [restart]\nup_wait = \"8s\"\nstop_grace = \"2s\"\n";

impl Place {
    pub fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Still => "still",
            Self::Bare => "bare",
        }
    }

    /// Builds it in a new world.
    pub fn build(self, world: World) -> World {
        match self {
            Self::Bare => {}
            Self::Running => {
                world.configure(CONFIG);
                world.netsky(["up", "1"]).run().expect(0);
            }
            Self::Still => {
                world.configure(CONFIG);
                world.netsky(["up", "0"]).run().expect(0);
                world.netsky(["down"]).run().expect(0);
                let path = world.home.join("state/agents.json");
                let mut spawned = read_json(&path);
                spawned["agents"]["agent0"]["pane"]["process"] = this_process();
                fs::write(path, spawned.to_string()).unwrap();
            }
        }
        world
    }
}

fn this_process() -> Value {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let (_, fields) = stat.rsplit_once(") ").unwrap();
    let started: u64 = fields.split(' ').nth(19).unwrap().parse().unwrap();
    serde_json::json!({"pid": std::process::id(), "started": started})
}

/// Takes away what the last attempt left, and remembers who lives.
pub fn wipe(world: &World) {
    let inbox = world.home.join("inbox/agent0");
    let dirs = [inbox.clone(), inbox.join("cur"), inbox.join("done")];
    let others =
        ["handoff/archive", "handoff/claims", "state/restart-status"].map(|dir| world.home.join(dir));
    let left = dirs.iter().chain(&others).flat_map(|dir| files(dir)).filter(|path| path.is_file());
    left.chain([note(world)]).filter(|path| path.exists()).for_each(|path| fs::remove_file(path).unwrap());
    fs::write(world.root().join("living"), format!("{:?}", recovery::living(world))).unwrap();
}

pub fn remembered(world: &World) -> String {
    fs::read_to_string(world.root().join("living")).unwrap()
}

pub fn begin_with_note(world: &World) {
    wipe(world);
    wait_for_idle(world);
    world.write("note.md", TEXT);
}

/// Who is at work is not nudged, and would take what it is sent at its next prompt.
pub fn wait_for_idle(world: &World) {
    let beacon = world.home.join("state/beacons/agent0.json");
    let is_idle = || {
        let bytes = fs::read(&beacon).unwrap_or_default();
        serde_json::from_slice::<Value>(&bytes).is_ok_and(|beacon| beacon["activity"]["state"] == "idle")
    };
    if recovery::living(world).iter().any(|(agent, _)| agent == "agent0") {
        world.wait("agent0 is idle", Duration::from_secs(20), || is_idle().then_some(()));
    }
}

/// One message waits, and no hook has reported yet.
pub fn begin_with_mail(world: &World) {
    wipe(world);
    for file in ["state/beacons/agent0.json", "log/events.jsonl"].map(|file| world.home.join(file)) {
        if file.exists() {
            fs::remove_file(file).unwrap();
        }
    }
    world.netsky(["send", "agent0", TEXT]).run().expect(0);
}

/// One `up` and a look at everything, unless something is wrong already.
pub fn recovered(found: Vec<Finding>, world: &World, what: &str) -> Vec<Finding> {
    if found.is_empty() { recovery::findings_after_up(world, &note(world), TEXT, what) } else { found }
}

pub fn not_delivered(world: &World, what: &str) -> Vec<Finding> {
    // An agent may be moving it on while this looks, so that it is seen in two places; the archive stands still.
    let envelopes: BTreeSet<String> = world.envelopes().concat().into_iter().collect();
    let archived = files(&world.home.join("handoff/archive"));
    let is_archived = |name: &String| {
        let path = archived.iter().find(|path| path.ends_with(name));
        path.is_some_and(|path| fs::read(path).is_ok_and(|bytes| holds_text(&bytes)))
    };
    if envelopes.len() == 1 && envelopes.iter().all(is_archived) && !note(world).exists() {
        return Vec::new();
    }
    lie(what, &format!("in the inbox is {envelopes:?}, in the archive {archived:?}"))
}

fn holds_text(envelope: &[u8]) -> bool {
    serde_json::from_slice::<Value>(envelope).is_ok_and(|envelope| envelope["text"] == TEXT)
}

pub fn desired(world: &World) -> Vec<String> {
    let desired = read_json(&world.home.join("state/desired.json"));
    desired["agents"].as_object().unwrap().keys().cloned().collect()
}

pub fn newest_record(world: &World) -> Option<Value> {
    world.records().pop()
}

pub fn read_json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

pub fn note(world: &World) -> PathBuf {
    world.work.join("note.md")
}

pub fn words(words: &[&str], last: &Path) -> Vec<OsString> {
    words.iter().map(OsString::from).chain([last.into()]).collect()
}

pub fn unmarked(_: &World) -> Vec<(&'static str, String)> {
    Vec::new()
}

pub fn lie(what: &str, why: &str) -> Vec<Finding> {
    vec![(Harm::FalseSuccess, format!("{what}: {why}"))]
}

/// The calls that strace has struck in the last run, but for those that cannot fail.
pub fn struck(world: &World) -> Vec<String> {
    injected(world).into_iter().filter(|line| !is_beyond(line)).collect()
}

/// All calls that strace has struck in the last run.
pub fn injected(world: &World) -> Vec<String> {
    let trace = fs::read_to_string(world.root().join("trace")).unwrap_or_default();
    let injected = trace.lines().filter(|line| line.contains("(INJECTED)"));
    injected.map(|line| line.chars().take(150).collect()).collect()
}

/// What cannot fail: the table of processes, and the counters with which a runtime wakes itself.
pub fn is_beyond(call: &str) -> bool {
    call.contains("/proc/") || call.contains("[eventfd]")
}

/// Starts a process that a tear-down of agent0 has to find by its environment alone.
pub fn leave_survivor(world: &World) {
    let spawned = read_json(&world.home.join("state/agents.json"));
    let generation = spawned["agents"]["agent0"]["generation"].as_str().unwrap();
    let mut command = Command::new("setsid");
    command.args(["--fork", "sh", "-c", "echo $$ >survivor.new; mv survivor.new survivor; exec sleep 1000"]);
    command.env_clear().envs(&world.environment).current_dir(world.root());
    command.env("NETSKY_AGENT", "agent0").env("NETSKY_GENERATION", generation);
    let file = world.root().join("survivor");
    fs::remove_file(&file).unwrap_or_default();
    assert!(command.status().unwrap().success());
    world.wait("the survivor lives", Duration::from_secs(10), || file.exists().then_some(()));
}

/// Its pid.
pub fn survivor(world: &World) -> i32 {
    fs::read_to_string(world.root().join("survivor")).unwrap().trim().parse().unwrap()
}
