//! Restarts and their records, whatever time it is.

use std::fs;
use std::process::Child;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use ulid::Ulid;

use super::{absurd, configured};
use crate::clock::{self, Jump};
use crate::recovery;
use crate::support::World;
use crate::sweep::{Finding, Harm, Run};

const KEEP: &str = "[restart]\nstatus_keep = 2\n";

/// By turns under the jump and without it: the last one made is the last one shown, and the newest are kept.
pub fn successive(run: &Run, scene: Jump) -> Vec<Finding> {
    let world = configured(run, KEEP);
    world.netsky(["up", "0"]).run().expect(0);
    let mut made = Vec::new();
    let mut found = Vec::new();
    for jump in [Some(scene), None, Some(scene), None] {
        found.extend(one_more(&world, jump, scene, &mut made));
    }
    found
}

/// Records of other times lie there: more than are kept.
pub fn after_records_of(run: &Run, jump: Jump) -> Vec<Finding> {
    let world = configured(run, KEEP);
    world.netsky(["up", "0"]).run().expect(0);
    world.netsky(["restart", "0"]).run().expect(0);
    let record = world.record();
    let begun: DateTime<Utc> = record["started_at"].as_str().unwrap().parse().unwrap();
    for second in 1..=4 {
        let at = begun + jump.offset() + TimeDelta::seconds(second);
        let id = Ulid::from_parts(at.timestamp_millis().unsigned_abs(), 7).to_string();
        let mut other = record.clone();
        other["id"] = id.clone().into();
        other["started_at"] = at.format("%Y-%m-%dT%H:%M:%SZ").to_string().into();
        let name = format!("{}-{id}.json", at.format("%Y%m%dT%H%M%SZ"));
        fs::write(world.home.join("state/restart-status").join(name), other.to_string()).unwrap();
    }
    let (mut made, mut found) = (Vec::new(), Vec::new());
    for _ in 0..3 {
        found.extend(one_more(&world, None, jump, &mut made));
    }
    found
}

/// A restart under `jump`; then everything that tells of it is asked, under the clock of the scene and without it.
fn one_more(world: &World, jump: Option<Jump>, scene: Jump, made: &mut Vec<Value>) -> Vec<Finding> {
    let ran = clock::under(world.netsky(["restart", "0", "--json"]), jump).run();
    if ran.code != 0 {
        return vec![(Harm::Other, format!("restart: {} {}", ran.code, ran.stderr))];
    }
    let before = made.last().map(|record: &Value| record["generation"].clone());
    made.push(ran.json());
    prove_the_rig(&made[made.len() - 1], jump);
    let mut found = Vec::new();
    let newest: Vec<Value> = made.iter().rev().take(2).map(|record| record["id"].clone()).collect();
    let newest_of = |records: &[Value]| -> Vec<Value> {
        records.iter().map(|record| record["id"].clone()).take(newest.len()).collect()
    };
    for seen_under in [Some(scene), None] {
        let see =
            |verb: &str| clock::under(world.netsky([verb, "--json"]), seen_under).run().expect(0).json();
        let listed = newest_of(see("history")["restarts"].as_array().unwrap());
        if listed != newest {
            found.push((Harm::Lost, format!("made {newest:?}, history says {listed:?}")));
        }
        let status = see("status");
        let last = &status["last_restart"];
        let [phase, state] = [&last["phase"], &status["agents"][0]["state"]];
        if last["id"] != newest[0] || phase != "complete" || (state != "idle" && state != "up") {
            found.push((Harm::Lost, format!("made {}, status says {status}", newest[0])));
        }
    }
    // Who reads the directory goes by names.
    let names = newest_of(&world.records().into_iter().rev().collect::<Vec<_>>());
    if names != newest {
        found.push((Harm::Lost, format!("made {newest:?}, the directory says {names:?}")));
    }
    if let Some(before) = before {
        let kept = world.netsky(["logs", "agent0", "--generation", "last", "--json"]).run().expect(0).json();
        if kept["generation"] != before {
            found.push((Harm::Lost, format!("the last screen kept is {}, not {before}", kept["generation"])));
        }
    }
    for verb in ["status", "history"] {
        found.extend(absurd(&world.netsky([verb]).run().expect(0).stdout, verb, !scene.is_back()));
    }
    found.extend(recovery::records(world, "after it"));
    found
}

/// A clock that nobody looks at would prove nothing.
fn prove_the_rig(record: &Value, jump: Option<Jump>) {
    let begun: DateTime<Utc> = record["started_at"].as_str().unwrap().parse().unwrap();
    let is_off = begun - Utc::now() - jump.map_or(TimeDelta::zero(), Jump::offset);
    assert!(is_off.abs() < TimeDelta::minutes(1), "{jump:?} and it began at {begun}");
}

/// Agents that think for a while.
pub fn slow(run: &Run) -> String {
    format!("[profile.demo]\ncommand = [{:?}, \"demo-agent\", \"--think\", \"700ms\"]\n", run.netsky())
}

/// Everything is under the clock, and it jumps while agent0 comes up.
pub fn jump_in_the_midst(run: &Run, jump: Jump) -> Vec<Finding> {
    let mut world = configured(run, &slow(run));
    clock::install(&mut world);
    world.netsky(["up", "0"]).run().expect(0);
    let note = world.write("note.md", "do not lose me");
    let restart = world.netsky(["restart", "0", "--handoff", "note.md"]).start();
    await_spawned(&world);
    clock::set(&world, Some(jump));
    let mut found = in_flight(&world);
    found.extend(ended(&world, restart));
    clock::set(&world, None);
    let status = world.status();
    if status["last_restart"]["phase"] != "complete" {
        found.push((Harm::Other, format!("afterwards status says {}", status["last_restart"])));
    }
    for verb in ["status", "history"] {
        found.extend(absurd(&world.netsky([verb]).run().expect(0).stdout, verb, !jump.is_back()));
    }
    found.extend(recovery::findings_after_up(&world, &note, "do not lose me", "afterwards"));
    found
}

/// From here on it waits for its agent, if it is not done.
pub fn await_spawned(world: &World) {
    let has_spawned = |record: &Value| {
        let phases = record["phases"].as_array();
        phases.is_some_and(|phases| phases.iter().any(|entry| entry["phase"] == "spawned"))
    };
    world
        .wait("it spawns", Duration::from_secs(20), || world.records().iter().any(has_spawned).then_some(()));
}

fn in_flight(world: &World) -> Vec<Finding> {
    let mut found = Vec::new();
    let phase = world.status()["last_restart"]["phase"].clone();
    if !["spawned", "up-detected", "handoff-delivered", "complete"]
        .contains(&phase.as_str().unwrap_or_default())
    {
        found.push((Harm::Other, format!("in its midst status says {phase}")));
    }
    let other = world.netsky(["up", "0"]).run();
    match other.code {
        75 => found.extend(absurd(&other.stderr, "who finds it in flight", true)),
        // It had ended by then.
        0 => {}
        code => found.push((Harm::Other, format!("up in its midst: {code} {}", other.stderr))),
    }
    found
}

fn ended(world: &World, restart: Child) -> Vec<Finding> {
    let output = restart.wait_with_output().unwrap();
    let mut found = Vec::new();
    if output.status.code() != Some(0) {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        found.push((Harm::Other, format!("{:?}: {said}", output.status)));
    }
    let record = world.record();
    let phases = record["phases"].as_array().unwrap();
    if phases.iter().any(|entry| entry["elapsed_ms"].as_u64().unwrap() > 60_000) {
        found.push((Harm::Other, format!("it took {phases:?}")));
    }
    found
}
