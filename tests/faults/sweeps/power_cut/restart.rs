//! A restart on a real tmux, and the power goes: its record, the epochs, what should run, what was spawned.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{Cut, Powered, TEXT, unexpected_end};
use crate::loop_disk::Image;
use crate::recovery;
use crate::strace::Point;
use crate::support::World;
use crate::support::world::files;
use crate::sweep::{Finding, Harm, Run, Tally};

pub fn run(run: &Run) -> Tally {
    let template =
        Powered::template(run, |powered| fs::write(powered.disk.at.join("note.md"), TEXT).unwrap());
    let (powered, note) = prepared(run, &template);
    let mut counting = powered.counting(run.netsky());
    counting.args(["restart", "1", "--handoff"]).arg(&note);
    powered.world.call(counting).run().expect(0);
    let points = powered.points();
    let tally = run.points(&points, 8, 3, |point| restarted(run, &template, point));
    tally.note(format!("{} points of a restart", points.len()))
}

fn prepared(run: &Run, template: &Image) -> (Powered, PathBuf) {
    let powered = Powered::of(run, template);
    powered.world.netsky(["up", "1", "--agent", "demo"]).run().expect(0);
    let note = powered.disk.at.join("note.md");
    (powered, note)
}

fn restarted(run: &Run, template: &Image, point: &Point) -> Vec<Finding> {
    let (powered, note) = prepared(run, template);
    let world = &powered.world;
    let mut command = powered.kill_at(point, run.netsky());
    command.args(["restart", "1", "--handoff"]).arg(&note);
    let ran = world.call(command).run();
    let mut found: Vec<Finding> =
        unexpected_end(&ran, &format!("a restart, cut before {point}")).into_iter().collect();
    powered.end_all();
    let said = last_record(world);
    let bare = powered.disk.cut("bare");
    powered.disk.commit();
    let committed = powered.disk.cut("committed");
    for (cut, image) in [(Cut::Bare, bare), (Cut::Committed, committed)] {
        let what = format!("a restart, cut before {point}: {cut:?}");
        powered.disk.put(&image);
        found.extend(powered.torn(&what));
        found.extend(behind(&powered, said.as_ref(), ran.code == 0, &what));
        found.extend(nowhere(&powered, &note, &what));
    }
    // The last that was put is what a boot finds after all; one `up` has to make everything good.
    let what = format!("a restart, cut before {point}");
    let after = recovery::findings_after_up(world, &note, TEXT, &what);
    // Beacons are not synced: one that the cut left half is put aside, and the agent that wrote it is gone with the boot.
    found.extend(after.into_iter().filter(|(_, what)| !what.contains("/state/beacons/corrupt/")));
    found
}

/// The text is where it was given from, among the claims or in the inbox.
fn nowhere(powered: &Powered, note: &Path, what: &str) -> Option<Finding> {
    let holds = |path: &Path| fs::read(path).is_ok_and(|bytes| bytes == TEXT.as_bytes());
    let is_claimed = files(&powered.world.home.join("handoff/claims")).iter().any(|path| holds(path));
    let envelopes = recovery::envelopes_of(&powered.world, "agent0");
    let has_arrived = envelopes.iter().any(|path| recovery::text_of(path).as_deref() == Some(TEXT));
    let is_somewhere = holds(note) || is_claimed || has_arrived;
    (!is_somewhere).then(|| (Harm::Lost, format!("{what}: the hand-over is nowhere")))
}

fn last_record(world: &World) -> Option<Value> {
    world.records().pop()
}

fn phases(record: &Value) -> Vec<&str> {
    let entries = record["phases"].as_array().map(Vec::as_slice).unwrap_or_default();
    entries.iter().filter_map(|entry| entry["phase"].as_str()).collect()
}

/// The disk knows all that was said before the write that was under way, and each file was written before what rests
/// on it.
fn behind(powered: &Powered, said: Option<&Value>, is_reported: bool, what: &str) -> Vec<Finding> {
    let world = &powered.world;
    // A torn one has been named already.
    let Ok(kept) = std::panic::catch_unwind(|| last_record(world)) else { return Vec::new() };
    let mut found = Vec::new();
    let (said, kept) = (said.cloned().unwrap_or_default(), kept.unwrap_or_default());
    let (told, held) = (phases(&said), phases(&kept));
    if !told.starts_with(&held) || held.len() + 1 < told.len() {
        found.push((
            Harm::Lost,
            format!("{what}: it was said to be at {told:?}, on the disk it is at {held:?}"),
        ));
    }
    if is_reported && kept["phase"] != "complete" {
        found.push((Harm::FalseSuccess, format!("{what}: it ended well, on the disk it is at {held:?}")));
    }
    let mut rests_on = |phase: &str, is_there: bool, why: &str| {
        if held.contains(&phase) && !is_there {
            found.push((Harm::Lost, format!("{what}: it is at {held:?}, and {why}")));
        }
    };
    // `up` raised it to one.
    let epochs = powered.json("state/owner-epochs.json");
    rests_on("preflight", epochs["all"] == 2, "the owner's epoch is not raised");
    let desired = powered.json("state/desired.json");
    rests_on("tearing-down", desired["verb"] == "restart", "what should run is not decided");
    let spawned = &powered.json("state/agents.json")["agents"]["agent0"];
    let is_recorded = spawned["generation"] == kept["generation"] && spawned["pane"].is_object();
    rests_on("spawned", is_recorded, "what was spawned is not on record");
    let id = kept["handoff"]["id"].as_str().unwrap_or("none").to_owned();
    let lies_in = |dir: &str| {
        files(&world.home.join(dir))
            .iter()
            .any(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&id)))
    };
    rests_on(
        "tearing-down",
        lies_in("handoff/claims") || lies_in("handoff/archive"),
        "the hand-over is not claimed",
    );
    let is_delivered = ["inbox/agent0", "inbox/agent0/cur", "inbox/agent0/done"].map(lies_in).contains(&true);
    rests_on(
        "handoff-delivered",
        lies_in("handoff/archive") && is_delivered,
        "the hand-over is not delivered",
    );
    found
}
