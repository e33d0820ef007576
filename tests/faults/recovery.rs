//! What must be so after a fault and one recovery run: nothing lost, nothing twice, nothing half, everything closed.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::debris;
use crate::support::world::files;
use crate::support::{World, tree, world};
use crate::sweep::{Finding, Harm};

/// One `up` after whatever happened to a hand-over of `note` (which held `text`), then everything is looked at.
pub fn findings_after_up(world: &World, note: &Path, text: &str, what: &str) -> Vec<Finding> {
    debris::age(&world.home);
    let ran = world.netsky(["up", "1", "--agent", "demo"]).run();
    let mut found = Vec::new();
    if ran.code != 0 {
        found.push((Harm::Other, format!("{what}: up: {} {}", ran.code, ran.stderr)));
    }
    found.extend(next_agent0(world, what));
    let settled = world::wait(Duration::from_secs(20), &mut || {
        let [new, shown, taken] = world.envelopes();
        (note.exists() || (new.is_empty() && shown.is_empty() && taken.len() == 1)).then_some(())
    });
    if settled.is_none() {
        found.push((Harm::Lost, format!("{what}: not taken, {:?}", world.envelopes())));
    }
    found.extend(hand_over(world, note, text, what));
    found.extend(home(world, what));
    found
}

/// What a restart claimed before it ended the agent0 that was there is for the next one: here it comes. Any other claim
/// is delivered by the recovery run.
pub fn next_agent0(world: &World, what: &str) -> Vec<Finding> {
    let left = claims(world, what);
    if left.is_empty() || !are_for_the_next(world) {
        return left;
    }
    let ran = world.netsky(["restart", "agent0"]).run();
    if ran.code == 0 {
        return Vec::new();
    }
    vec![(Harm::Other, format!("{what}: restart agent0 after the recovery: {} {}", ran.code, ran.stderr))]
}

/// Whether the agent0 that lives was there before all of them. Generations sort by when they were made.
fn are_for_the_next(world: &World) -> bool {
    let read = |path: &Path| -> serde_json::Value {
        fs::read(path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
    };
    let spawned = read(&world.home.join("state/agents.json"));
    let Some(living) = spawned["agents"]["agent0"]["generation"].as_str() else { return false };
    let mut records = files(&world.home.join("handoff/claims")).into_iter().filter(|path| is_json(path));
    let is_later = |path: PathBuf| read(&path)["generation"].as_str().is_some_and(|claim| claim > living);
    records.all(is_later)
}

/// What must be so in every home after one recovery run, whatever was going on before.
pub fn home(world: &World, what: &str) -> Vec<Finding> {
    let mut found = records(world, what);
    found.extend(generations(world, what));
    found.extend(inboxes(world, what));
    found.extend(claims(world, what));
    found.extend(lock(world, what));
    found.extend(moved_aside(&world.home, what));
    found.extend(debris::findings(&world.home, what));
    found
}

/// Envelopes of an agent, wherever they are.
pub fn envelopes_of(world: &World, agent: &str) -> Vec<PathBuf> {
    let inbox = world.home.join("inbox").join(agent);
    let files = [inbox.clone(), inbox.join("cur"), inbox.join("done")].map(|dir| files(&dir));
    files.into_iter().flatten().filter(|path| is_json(path)).collect()
}

fn is_json(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "json")
}

/// The text of an envelope; `None` where it is not whole.
pub fn text_of(path: &Path) -> Option<String> {
    let envelope: serde_json::Value = serde_json::from_slice(&fs::read(path).ok()?).ok()?;
    envelope["text"].as_str().map(str::to_owned)
}

fn id_of(path: &Path) -> String {
    path.file_name().unwrap().to_str().unwrap().split('-').next().unwrap().to_owned()
}

/// The text is where it was or in the inbox once, and archived.
pub fn hand_over(world: &World, note: &Path, text: &str, what: &str) -> Vec<Finding> {
    let mut found = Vec::new();
    let envelopes = envelopes_of(world, "agent0");
    let ids: BTreeSet<String> = envelopes.iter().map(|path| id_of(path)).collect();
    let places = envelopes.len() + usize::from(note.exists());
    if places == 0 {
        found.push((Harm::Lost, format!("{what}: the hand-over is nowhere")));
    }
    if places > 1 {
        found.push((Harm::Doubled, format!("{what}: {envelopes:?}, source there: {}", note.exists())));
    }
    for path in &envelopes {
        if text_of(path).is_none_or(|held| held != text) {
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

/// In every inbox each envelope is whole, there once, and in the archive.
pub fn inboxes(world: &World, what: &str) -> Vec<Finding> {
    let mut found = Vec::new();
    let archived: BTreeSet<String> =
        files(&world.home.join("handoff/archive")).iter().map(|path| id_of(path)).collect();
    for inbox in files(&world.home.join("inbox")) {
        let agent = inbox.file_name().unwrap().to_str().unwrap();
        let mut seen = BTreeSet::new();
        for path in envelopes_of(world, agent) {
            let id = id_of(&path);
            if text_of(&path).is_none() {
                found.push((Harm::Torn, format!("{what}: {}", path.display())));
            }
            if !archived.contains(&id) {
                found.push((Harm::Lost, format!("{what}: {id} of {agent} is not in the archive")));
            }
            if !seen.insert(id) {
                found.push((Harm::Doubled, format!("{what}: a second copy at {}", path.display())));
            }
        }
    }
    found
}

/// Nothing that was claimed still waits to be delivered.
pub fn claims(world: &World, what: &str) -> Vec<Finding> {
    let claims = files(&world.home.join("handoff/claims")).into_iter().filter(|path| path.is_file());
    let left = claims.filter(|path| !path.file_name().unwrap().to_str().unwrap().starts_with(".tmp-"));
    left.map(|path| (Harm::Lost, format!("{what}: not delivered: {}", path.display()))).collect()
}

/// Nobody holds the lock.
pub fn lock(world: &World, what: &str) -> Vec<Finding> {
    let Ok(file) = fs::File::open(world.home.join("state/restart.lock")) else { return Vec::new() };
    // A child that one of its threads was just starting has it too until it becomes its program, and outlives it by that.
    let free = world::wait(Duration::from_secs(1), &mut || file.try_lock().ok());
    match free {
        Some(()) => Vec::new(),
        None => vec![(Harm::Other, format!("{what}: the lock is not free after a second"))],
    }
}

/// No file was found half written.
pub fn moved_aside(dir: &Path, what: &str) -> Vec<Finding> {
    let mut found = Vec::new();
    for path in files(dir).into_iter().filter(|path| path.is_dir() && !path.is_symlink()) {
        if path.ends_with("corrupt") {
            found.extend(files(&path).iter().map(|path| (Harm::Torn, format!("{what}: {}", path.display()))));
        } else {
            found.extend(moved_aside(&path, what));
        }
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
