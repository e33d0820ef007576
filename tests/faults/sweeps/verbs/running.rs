//! The verbs that are called while agents run, or that make them run.

use std::ffi::OsString;
use std::fs;
use std::time::Duration;

use serde_json::Value;

use super::Verb;
use super::places::*;
use crate::recovery;
use crate::support::world::{self, Ran};
use crate::support::{World, tree};
use crate::sweep::{Finding, Harm};

pub const DELIVER: Verb = Verb {
    name: "deliver",
    place: Place::Running,
    follow: false,
    reads: true,
    prints: true,
    only_looks: false,
    begin: begin_with_note,
    arguments: |world| words(&["handoff", "deliver"], &note(world)),
    stdin: "",
    marks: unmarked,
    judge: |world, ran, what| {
        let found = if ran.code == 0 { not_delivered(world, what) } else { Vec::new() };
        recovered(found, world, what)
    },
};

pub const RESTART: Verb = Verb {
    name: "restart",
    prints: false,
    arguments: |world| words(&["restart", "1", "--handoff"], &note(world)),
    judge: restarted,
    ..DELIVER
};

pub const DETACH: Verb = Verb {
    name: "restart --detach",
    reads: false,
    arguments: |world| words(&["restart", "1", "--detach", "--handoff"], &note(world)),
    judge: |world, ran, what| {
        // Whoever carries it on must come to an end before anybody looks.
        let lock = fs::File::open(world.home.join("state/restart.lock")).unwrap();
        match world::wait(Duration::from_secs(30), &mut || lock.try_lock().ok()) {
            Some(()) => {
                lock.unlock().unwrap();
                restarted(world, ran, what)
            }
            None => vec![(Harm::Other, format!("{what}: it does not end: {:?}", newest_record(world)))],
        }
    },
    ..DELIVER
};

/// A restart that has a survivor to end.
pub const RESTART_OVER_SURVIVOR: Verb = Verb {
    name: "restart over a survivor",
    begin: |world| {
        begin_with_note(world);
        leave_survivor(world);
    },
    judge: |world, ran, what| {
        let lives = tree::is_alive(survivor(world));
        if lives {
            world::signal(survivor(world), "KILL");
        }
        if ran.code == 0 && lives { lie(what, "the survivor lives") } else { restarted(world, ran, what) }
    },
    ..RESTART
};

pub const SEND: Verb = Verb {
    name: "send",
    begin: |world| {
        wipe(world);
        wait_for_idle(world);
    },
    arguments: |_| ["send", "agent0", TEXT].map(OsString::from).into(),
    judge: sent,
    ..DELIVER
};

pub const STATUS: Verb = Verb {
    name: "status",
    only_looks: true,
    begin: wipe,
    arguments: |_| ["status", "--json"].map(OsString::from).into(),
    judge: |_, ran, what| {
        if ran.code != 0 {
            return Vec::new();
        }
        let Ok(status) = serde_json::from_str::<Value>(&ran.stdout) else {
            return vec![(Harm::Torn, format!("{what}: {}", ran.stdout))];
        };
        let agents = status["agents"].as_array().unwrap();
        let is_true = |agent: &Value| {
            ["up", "idle", "busy", "unknown"].contains(&agent["state"].as_str().unwrap_or_default())
        };
        if agents.len() == 2 && agents.iter().all(is_true) {
            return Vec::new();
        }
        lie(what, &format!("two agents run, and it says {agents:?}"))
    },
    ..DELIVER
};

/// The id of what an earlier command took and did not get to deliver.
const LEFT: &str = "01JD0Q7M3ZJ4V5W6X7Y8Z9A0BC";

pub const UP: Verb = Verb {
    name: "up",
    prints: false,
    reads: false,
    begin: |world| {
        wipe(world);
        world.netsky(["down"]).run().expect(0);
        let claim = world.home.join(format!("handoff/claims/{LEFT}-from-owner"));
        fs::write(claim, TEXT).unwrap();
    },
    arguments: |_| ["up", "1"].map(OsString::from).into(),
    judge: |world, ran, what| {
        let mut found = Vec::new();
        if ran.code == 0 {
            found.extend(not_running(world, what));
            if !ran.stderr.contains(LEFT) {
                found.extend(not_delivered(world, what));
            }
        }
        recovered(found, world, what)
    },
    ..DELIVER
};

pub const DOWN: Verb = Verb {
    name: "down",
    prints: false,
    reads: false,
    begin: wipe,
    arguments: |_| vec!["down".into()],
    judge: |world, ran, what| {
        let mut found = Vec::new();
        if ran.code == 0 {
            let left = tree::marked(&world.home);
            if !left.is_empty() || !tree::servers(&world.socket()).is_empty() || !desired(world).is_empty() {
                found = lie(what, &format!("down, and there are {left:?}, desired {:?}", desired(world)));
            }
        }
        let up = world.netsky(["up", "1", "--agent", "demo"]).run();
        if up.code != 0 {
            found.push((Harm::Other, format!("{what}: up: {} {}", up.code, up.stderr)));
        }
        found.extend(not_running(world, what));
        found.extend(recovery::generations(world, what));
        found
    },
    ..DELIVER
};

fn restarted(world: &World, ran: &Ran, what: &str) -> Vec<Finding> {
    let mut found = Vec::new();
    let record = newest_record(world);
    if ran.code == 75 {
        let nobody = format!("{what}: nobody else restarts, and it says: {}", ran.stderr.trim());
        found.push((Harm::Other, nobody));
    }
    if ran.code == 0 {
        let is_complete = record.as_ref().is_some_and(|record| {
            record["phase"] == "complete"
                && record["handoff"]["state"] == "delivered"
                && record["exit_code"] == 0
        });
        if !is_complete {
            found.extend(lie(what, &format!("{record:?}")));
        }
        found.extend(not_running(world, what));
        found.extend(not_delivered(world, what));
    } else if !has_torn_down(record.as_ref()) && remembered(world) != format!("{:?}", recovery::living(world))
    {
        found.push((Harm::Other, format!("{what}: it failed before its tear-down and touched what ran")));
    }
    recovered(found, world, what)
}

fn has_torn_down(record: Option<&Value>) -> bool {
    let phases = record.and_then(|record| record["phases"].as_array());
    phases.is_some_and(|phases| phases.iter().any(|phase| phase["phase"] == "tearing-down"))
}

/// The message is there exactly where netsky has it, or has said that it keeps it.
fn sent(world: &World, ran: &Ran, what: &str) -> Vec<Finding> {
    let is_kept = ran.code == 0 || ran.stderr.contains("kept");
    let mut found = if ran.code == 0 { not_delivered(world, what) } else { Vec::new() };
    let up = world.netsky(["up", "1", "--agent", "demo"]).run();
    if up.code != 0 {
        found.push((Harm::Other, format!("{what}: up: {} {}", up.code, up.stderr)));
    }
    let settled = world::wait(Duration::from_secs(if is_kept { 20 } else { 0 }), &mut || {
        let [new, shown, taken] = world.envelopes().map(|names| names.len());
        (new + shown == 0 && taken == usize::from(is_kept)).then_some(())
    });
    match settled {
        Some(()) if is_kept => found.extend(recovery::hand_over(world, &note(world), TEXT, what)),
        Some(()) => {}
        None if is_kept => found.push((Harm::Lost, format!("{what}: not taken: {:?}", world.envelopes()))),
        None => {
            let why =
                format!("{what}: it failed, said nothing of keeping it, and sent it: {}", ran.stderr.trim());
            found.push((Harm::Doubled, why));
        }
    }
    found
}

fn not_running(world: &World, what: &str) -> Vec<Finding> {
    let living: Vec<String> = recovery::living(world).into_iter().map(|(agent, _)| agent).collect();
    let (wanted, desired) = (["agent0", "agent1"], desired(world));
    if living == wanted && desired == wanted {
        return Vec::new();
    }
    lie(what, &format!("{living:?} run, {desired:?} should"))
}
