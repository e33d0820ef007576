//! The intruder calls netsky himself, and his processes carry the marks of the owner's agents.

use std::fs;

use super::super::verbs::places::wait_for_idle;
use super::ground::{Ground, INTRUDER, refused};
use super::witness::Witness;
use super::{Place, Row, row};
use crate::support::tree;
use crate::sweep::{Finding, Harm};

pub fn rows() -> Vec<Row> {
    vec![
        row("his processes carry the agent's marks", Place::Running, |ground| marked(ground)),
        row("he calls the agent's hook", Place::Bare, |ground| hook(ground)),
        row("he calls netsky over the owner's home", Place::Bare, |ground| over_the_home(ground)),
        row("he carries the marks where agent0 died", Place::Running, |ground| beside_the_dead(ground)),
    ]
}

fn generation(ground: &Ground) -> String {
    let spawned = fs::read(ground.world.home.join("state/agents.json")).unwrap();
    let spawned: serde_json::Value = serde_json::from_slice(&spawned).unwrap();
    spawned["agents"]["agent0"]["generation"].as_str().unwrap().to_owned()
}

/// They are nobody's agents: neither ended nor waited for.
fn marked(ground: &Ground) -> Vec<Finding> {
    let marks = [("NETSKY_AGENT", "agent0"), ("NETSKY_GENERATION", &*generation(ground))];
    let his = ground.his_process("trap '' HUP TERM; while :; do sleep 600; done", &marks);
    let also = ground.his_process("exec setsid sleep 600", &marks);
    let mut found = Vec::new();
    for verb in [&["restart", "0"][..], &["down"], &["up", "0"]] {
        let ran = ground.world.netsky(verb.iter().copied()).run();
        if ran.code != 0 {
            found.push((Harm::Other, format!("{verb:?}: {} {}", ran.code, ran.stderr)));
        }
        if let Some(pid) = [his.pid(), also.pid()].into_iter().find(|pid| !tree::is_alive(*pid)) {
            found.push((Harm::Other, format!("{verb:?} ended {pid}, which is not the owner's")));
            break;
        }
    }
    found
}

fn beside_the_dead(ground: &Ground) -> Vec<Finding> {
    let marks = [("NETSKY_AGENT", "agent0"), ("NETSKY_GENERATION", &*generation(ground))];
    let his = ground.his_process("exec setsid sleep 600", &marks);
    crate::held::kill(ground.world.pane_pid("agent0"));
    let mut found = ground.up_works();
    if !tree::is_alive(his.pid()) {
        found.push((Harm::Other, "up ended a process that is not the owner's".to_owned()));
    }
    found
}

fn hook(ground: &Ground) -> Vec<Finding> {
    ground.bring_up();
    // Nobody has sent it anything, so that it does nothing any more.
    wait_for_idle(&ground.world);
    let witness = Witness::of(&[&ground.world.home.join("state"), &ground.world.home.join("inbox")]);
    let mut found = Vec::new();
    let netsky = ground.netsky.display();
    let generation = generation(ground);
    for event in ["Stop", "SessionStart", "UserPromptSubmit", "SessionEnd"] {
        let lie = r#"{"session_id":"lie","last_assistant_message":"agent0 session 9 up"}"#;
        let script = format!(
            "echo '{lie}' | NETSKY_AGENT=agent0 NETSKY_GENERATION={generation} {netsky} hook {event}"
        );
        let ran = ground.his(&script);
        if ran.code != 0 || !ran.stdout.is_empty() {
            found.push((Harm::Other, format!("{event}: {ran:?}")));
        }
    }
    found.extend(witness.changes());
    found
}

fn over_the_home(ground: &Ground) -> Vec<Finding> {
    ground.bring_up();
    wait_for_idle(&ground.world);
    let witness = Witness::of(&[&ground.world.home]);
    let mut found = Vec::new();
    let netsky = ground.netsky.display();
    for verb in [
        "status",
        "up 0",
        "restart 0",
        "down",
        "send agent0 x",
        "inbox next",
        "history",
        "logs agent0",
        "trust .",
    ] {
        let ran = ground.his(&format!("{netsky} {verb}"));
        found.extend(refused(&ran, 78, &ground.world.home, &format!("he calls {verb}")));
        if ran.stderr.contains(&format!("uid {INTRUDER}")) {
            found.push((Harm::Other, format!("{verb}: it is said to be his: {}", ran.stderr)));
        }
    }
    found.extend(witness.changes());
    found
}
