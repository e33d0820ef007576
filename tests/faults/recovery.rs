//! What must be so after a fault and one recovery run: nothing lost, nothing twice, nothing half, everything closed.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::support::world::files;
use crate::support::{World, tree, world};
use crate::sweep::{Finding, Harm};

/// One `up` after whatever happened to a hand-over of `note` (which held `text`), then everything is looked at.
pub fn findings_after_up(world: &World, note: &Path, text: &str, what: &str) -> Vec<Finding> {
    let ran = world.netsky(["up", "1", "--agent", "demo"]).run();
    let mut found = Vec::new();
    if ran.code != 0 {
        found.push((Harm::Other, format!("{what}: up: {} {}", ran.code, ran.stderr)));
    }
    // What was claimed for an agent0 that never came is for the next one.
    if !files(&world.home.join("handoff/claims")).is_empty() {
        let ran = world.netsky(["restart", "1", "--agent", "demo"]).run();
        if ran.code != 0 {
            found.push((Harm::Other, format!("{what}: restart after up: {} {}", ran.code, ran.stderr)));
        }
    }
    let settled = world::wait(Duration::from_secs(20), &mut || {
        let [new, shown, taken] = world.envelopes();
        (note.exists() || (new.is_empty() && shown.is_empty() && taken.len() == 1)).then_some(())
    });
    if settled.is_none() {
        found.push((Harm::Lost, format!("{what}: not taken, {:?}", world.envelopes())));
    }
    found.extend(hand_over(world, note, text, what));
    found.extend(records(world, what));
    found.extend(generations(world, what));
    found
}

fn id_of(path: &Path) -> String {
    path.file_name().unwrap().to_str().unwrap().split('-').next().unwrap().to_owned()
}

/// The text is where it was or in the inbox once, and archived.
pub fn hand_over(world: &World, note: &Path, text: &str, what: &str) -> Vec<Finding> {
    let mut found = Vec::new();
    let inbox = world.home.join("inbox/agent0");
    let envelopes: Vec<_> = [inbox.clone(), inbox.join("cur"), inbox.join("done")]
        .iter()
        .flat_map(|dir| files(dir))
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .collect();
    let ids: BTreeSet<String> = envelopes.iter().map(|path| id_of(path)).collect();
    let places = envelopes.len() + usize::from(note.exists());
    if places == 0 {
        found.push((Harm::Lost, format!("{what}: the hand-over is nowhere")));
    }
    if places > 1 {
        found.push((Harm::Doubled, format!("{what}: {envelopes:?}, source there: {}", note.exists())));
    }
    for path in &envelopes {
        let held =
            fs::read(path).ok().and_then(|bytes| serde_json::from_slice::<serde_json::Value>(&bytes).ok());
        if held.is_none_or(|envelope| envelope["text"] != text) {
            found.push((Harm::Torn, format!("{what}: {}", path.display())));
        }
    }
    let archived: BTreeSet<String> =
        files(&world.home.join("handoff/archive")).iter().map(|path| id_of(path)).collect();
    for id in ids.difference(&archived) {
        found.push((Harm::Lost, format!("{what}: {id} is not in the archive")));
    }
    found
}

/// Every restart-status record is whole and has ended.
pub fn records(world: &World, what: &str) -> Vec<Finding> {
    let mut found = Vec::new();
    for path in files(&world.home.join("state/restart-status")) {
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let record: Option<serde_json::Value> =
            fs::read(&path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
        match record {
            None => found.push((Harm::Torn, format!("{what}: {}", path.display()))),
            Some(record) => {
                let phase = record["phase"].as_str().unwrap_or_default();
                if !["complete", "degraded", "errored", "interrupted"].contains(&phase) {
                    found.push((Harm::Other, format!("{what}: a record says {phase:?} for ever")));
                }
            }
        }
    }
    found
}

/// The agents that live, each with its generation.
pub fn living(world: &World) -> BTreeSet<(String, String)> {
    let mut alive = BTreeSet::new();
    for pid in tree::marked(&world.home) {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        let environment = String::from_utf8_lossy(&environment).into_owned();
        let value = |name: &str| {
            environment.split('\0').find_map(|entry| entry.strip_prefix(name)).unwrap_or_default().to_owned()
        };
        let agent = value("NETSKY_AGENT=");
        if !agent.is_empty() {
            alive.insert((agent, value("NETSKY_GENERATION=")));
        }
    }
    alive
}

/// At most one generation of each agent lives.
pub fn generations(world: &World, what: &str) -> Vec<Finding> {
    let alive = living(world);
    let agents: BTreeSet<&String> = alive.iter().map(|(agent, _)| agent).collect();
    if alive.len() == agents.len() {
        return Vec::new();
    }
    vec![(Harm::Doubled, format!("{what}: more than one generation lives: {alive:?}"))]
}
