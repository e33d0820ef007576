//! From what an agent does to what a reader of netsky's files sees, with 32 agents on their way.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::Options;
use crate::agent::{self, now_ns};
use crate::table::{Row, Samples};
use crate::world::{NETSKY, World};

const AGENTS: u32 = 32;

/// Milliseconds from each agent's note: of agent0 until `up-detected` could be read, of all until netsky noted them.
struct Seen {
    on_disk: Samples,
    noted: Samples,
}

fn measure(how: &str, profile: &str, runs: usize) -> Seen {
    let world = World::new();
    let notes = world.work.join("notes");
    fs::create_dir(&notes).unwrap();
    let (mut on_disk, mut noted) = (Vec::new(), Vec::new());
    for run in 0..runs {
        // Agents come up 30 ms one after the other; agent0's place among them changes from run to run.
        let turn = u32::try_from(run).unwrap() * 11 % AGENTS;
        world.configure(profile, &agent::command(how, &notes, NETSKY, [1500, 30, turn, AGENTS]));
        let before = world.records();
        let mut child = world.start(&["restart", &(AGENTS - 1).to_string()]);
        let visible = await_phase(&world, &before, "up-detected");
        assert!(child.wait().unwrap().success());
        let spawned = world.json("state/agents.json");
        for (name, spawn) in spawned["agents"].as_object().unwrap() {
            let at = fs::read_to_string(notes.join(name)).unwrap().parse::<u128>().unwrap();
            let ready = spawn["ready"]["at"].as_str().unwrap();
            let ready = chrono::DateTime::parse_from_rfc3339(ready).unwrap().timestamp_millis();
            noted.push(ready as f64 - at as f64 / 1e6);
            if name == "agent0" {
                on_disk.push((visible as f64 - at as f64) / 1e6);
            }
        }
    }
    Seen { on_disk: Samples::of(on_disk), noted: Samples::of(noted) }
}

/// When a new record shows this phase to who reads it; looked at twice a millisecond.
pub(crate) fn await_phase(world: &World, before: &[PathBuf], phase: &str) -> u128 {
    let until = Instant::now() + Duration::from_secs(60);
    let mut path = None;
    let mut known = 0;
    while Instant::now() < until {
        std::thread::sleep(Duration::from_micros(500));
        let Some(record) = &path else {
            path = world.records().into_iter().find(|path| !before.contains(path));
            continue;
        };
        let Ok(metadata) = fs::metadata(record) else { continue };
        if metadata.ino() == known {
            continue;
        }
        let at = now_ns();
        known = metadata.ino();
        let json: Value = serde_json::from_slice(&fs::read(record).unwrap()).unwrap();
        let phases = json["phases"].as_array().unwrap();
        if phases.iter().any(|entered| entered["phase"] == phase) {
            return at;
        }
    }
    panic!("no record shows {phase}: {:?}", path.map(fs::read_to_string))
}

pub(crate) fn marker(options: &Options) -> Vec<Row> {
    let seen = measure("marker", "timed", options.latency_runs);
    let over = (seen.on_disk.median() / 30.0).max(seen.on_disk.worst() / 100.0);
    vec![
        Row::judged(
            "marker on the screen → up-detected on disk, 32 agents",
            seen.on_disk.words("ms"),
            "median ≤ 30 ms, worst ≤ 100 ms",
            over,
        ),
        Row::told("  every agent: marker → seen by netsky", seen.noted.words("ms")),
    ]
}

pub(crate) fn hook(options: &Options) -> Vec<Row> {
    // Claude Code's profile with another program: its hooks are what is measured.
    let seen = measure("hook", "claude", options.latency_runs);
    vec![
        Row::judged(
            "hook event → up-detected on disk, 32 agents",
            seen.on_disk.words("ms"),
            "median ≤ 10 ms",
            seen.on_disk.median() / 10.0,
        ),
        Row::told("  every agent: hook → seen by netsky", seen.noted.words("ms")),
    ]
}
