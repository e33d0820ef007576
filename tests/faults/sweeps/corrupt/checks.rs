//! What must be so when a course has ended and one `up` was called.

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use super::places::{CONFIG, TEXT, envelope};
use crate::recovery;
use crate::support::World;
use crate::support::world;
use crate::sweep::{Finding, Harm};

const PATIENCE: Duration = Duration::from_secs(20);

pub fn nothing_else(_: &World, _: &str) -> Vec<Finding> {
    Vec::new()
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap_or_default()).unwrap_or_default()
}

/// Unless `holds`, `harm` was done.
fn unless(holds: bool, harm: Harm, why: String) -> Vec<Finding> {
    if holds { Vec::new() } else { vec![(harm, why)] }
}

/// Epochs never go down: what a test counts by hand is far below what begins anew.
pub fn counted_on(world: &World, what: &str) -> Vec<Finding> {
    let epochs = json(&world.home.join("state/owner-epochs.json"));
    let is_later = epochs["all"].as_u64().is_some_and(|all| all > 1_000_000);
    unless(is_later, Harm::Lost, format!("{what}: they began again: {epochs}"))
}

/// Both agents are on record with the generations that live, and should run as what they are.
pub fn remembered(world: &World, what: &str) -> Vec<Finding> {
    let [desired, spawned] =
        ["state/desired.json", "state/agents.json"].map(|path| json(&world.home.join(path)));
    let mut found = Vec::new();
    for (agent, generation) in recovery::living(world) {
        let (spawn, wish) = (&spawned["agents"][&agent], &desired["agents"][&agent]);
        let is_on_record = spawn["generation"] == generation.as_str() && spawn["type"] == "demo";
        let why = format!("{what}: of {agent} {generation} is on record {spawn}, and desired {wish}");
        found.extend(unless(is_on_record && wish["type"] == "demo", Harm::Lost, why));
    }
    let status = world.status();
    let is_well =
        |agent: &Value| ["up", "idle", "busy"].contains(&agent["state"].as_str().unwrap_or_default());
    let are_well =
        status["agents"].as_array().is_some_and(|agents| agents.len() == 2 && agents.iter().all(is_well));
    found.extend(unless(are_well, Harm::Other, format!("{what}: status says {}", status["agents"])));
    found
}

/// What the configuration decided goes on being decided there: another agent type, one that is not installed here.
pub fn follows(world: &World, what: &str) -> Vec<Finding> {
    let path = world.home.join("config.toml");
    let before = fs::read(&path).unwrap();
    world.configure(CONFIG);
    let mut found = Vec::new();
    for agent in ["agent0", "agent1"] {
        let ran = world.netsky(["restart", agent, "--dry-run"]).run();
        let is_told = ran.code == 69 && ran.stderr.contains("(profile claude)");
        let why = format!("{what}: {agent}: config.toml is passed over: {} {}", ran.stdout, ran.stderr);
        found.extend(unless(is_told, Harm::Other, why));
    }
    fs::write(&path, before).unwrap();
    found.extend(remembered(world, what));
    found
}

/// The environment is written again by the next verb of the owner's.
pub fn environment(world: &World, what: &str) -> Vec<Finding> {
    let variables = &json(&world.home.join("state/environment.json"))["variables"];
    unless(variables["HOME"].is_string(), Harm::Lost, format!("{what}: it is not written again"))
}

/// The agent is seen well, though it has not reported since.
pub fn seen(world: &World, what: &str) -> Vec<Finding> {
    let state = world.state_of("agent0");
    unless(["up", "idle"].contains(&state.as_str()), Harm::Other, format!("{what}: it is {state}"))
}

/// And its next report makes a beacon again.
pub fn stirs(world: &World, what: &str) -> Vec<Finding> {
    let mut found = seen(world, what);
    found.extend(hears(world, what));
    let beacon = json(&world.home.join("state/beacons/agent0.json"));
    found.extend(unless(
        beacon["activity"].is_object(),
        Harm::Lost,
        format!("{what}: its beacon is {beacon}"),
    ));
    found
}

/// The terms of agent0's hooks are those of the generation that lives.
pub fn terms(world: &World, what: &str) -> Vec<Finding> {
    let terms = json(&world.home.join("state/prompts/agent0.hook.json"));
    let is_its_own = |(agent, generation): &(String, String)| {
        agent == "agent0" && terms["generation"] == generation.as_str()
    };
    let are_back = terms["type"] == "demo" && recovery::living(world).iter().any(is_its_own);
    unless(are_back, Harm::Lost, format!("{what}: {terms}"))
}

/// A message reaches the agent by its hooks and is taken.
pub fn hears(world: &World, what: &str) -> Vec<Finding> {
    let ran = world.netsky(["send", "agent0", TEXT]).run();
    let mut found = unless(ran.code == 0, Harm::Other, format!("{what}: send: {ran:?}"));
    found.extend(taken(world, what));
    found
}

/// The text was taken by agent0, once, and is in the archive.
pub fn taken(world: &World, what: &str) -> Vec<Finding> {
    let is_taken = || {
        let [new, shown, taken] = world.envelopes();
        (new.is_empty() && shown.is_empty() && taken.len() == 1).then_some(())
    };
    if world::wait(PATIENCE, &mut || is_taken()).is_none() {
        let why = format!("{what}: not taken: {:?} {}", world.envelopes(), world.status()["agents"]);
        return vec![(Harm::Lost, why)];
    }
    [held(world, "done", what), archived(world, what)].concat()
}

/// The envelope in that place of agent0's inbox is whole.
pub fn held(world: &World, place: &str, what: &str) -> Vec<Finding> {
    let path = envelope(world, place);
    let text = recovery::text_of(&path);
    unless(text.as_deref() == Some(TEXT), Harm::Torn, format!("{what}: {} holds {text:?}", path.display()))
}

/// Every envelope of agent0 is in the archive byte for byte.
pub fn archived(world: &World, what: &str) -> Vec<Finding> {
    let differs = |path: &&std::path::PathBuf| {
        let archived = world.home.join("handoff/archive").join(path.file_name().unwrap());
        fs::read(path).unwrap() != fs::read(archived).unwrap_or_default()
    };
    let envelopes = recovery::envelopes_of(world, "agent0");
    let found = envelopes.iter().filter(differs);
    found.map(|path| (Harm::Lost, format!("{what}: {} is not archived as it is", path.display()))).collect()
}

/// The one after it was shown.
pub fn next_one(world: &World, what: &str) -> Vec<Finding> {
    let text = recovery::text_of(&envelope(world, "cur"));
    unless(text.as_deref() == Some("the next one"), Harm::Lost, format!("{what}: shown was {text:?}"))
}
