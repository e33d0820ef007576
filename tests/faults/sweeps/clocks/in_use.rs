//! What a process is about to need, while another one with another clock clears away what killed ones left.

use std::process::Child;
use std::time::Duration;

use super::configured;
use crate::clock::{self, Jump};
use crate::strace::{self, Point};
use crate::support::World;
use crate::support::world::files;
use crate::sweep::{Finding, Harm, Run};

/// A temporary file that is written and not yet in its place.
pub fn temporaries(run: &Run, jump: Jump) -> Vec<Finding> {
    let is_temporary = |name: &str| name.starts_with(".tmp-");
    cleared_beside(run, jump, &Point { call: "linkat".to_owned(), nth: 1 }, is_temporary)
}

/// A claim that is announced and not yet there: without its record it would go to agent0.
pub fn claimant(run: &Run, jump: Jump) -> Vec<Finding> {
    let is_record = |name: &str| name.ends_with(".json");
    cleared_beside(run, jump, &Point { call: "linkat".to_owned(), nth: 2 }, is_record)
}

/// `send` pauses before `point`, where a file that `is_in_use` lies among the claims, and a recovery comes by.
fn cleared_beside(run: &Run, jump: Jump, point: &Point, is_in_use: fn(&str) -> bool) -> Vec<Finding> {
    let world = configured(run, "[handoff]\nkeep = 100\n");
    let send = paused(&world, run, point);
    let claims = world.home.join("handoff/claims");
    world.wait("it pauses", Duration::from_secs(10), || {
        let there = files(&claims);
        there.iter().any(|path| is_in_use(&path.file_name().unwrap().to_string_lossy())).then_some(())
    });
    let mut found = Vec::new();
    let cleared = clock::under(world.netsky(["handoff", "prune"]), Some(jump)).run();
    if cleared.code != 0 {
        found.push((Harm::Other, format!("recovery: {} {}", cleared.code, cleared.stderr)));
    }
    let output = send.wait_with_output().unwrap();
    if output.status.code() != Some(0) {
        found.push((Harm::Other, format!("send: {}", String::from_utf8_lossy(&output.stderr))));
    }
    let [right, wrong] = ["agent1", "agent0"].map(|agent| envelopes(&world, agent));
    if (right, wrong) != (1, 0) {
        found.push((Harm::Lost, format!("agent1 got it {right} times, agent0 {wrong} times")));
    }
    found
}

fn paused(world: &World, run: &Run, point: &Point) -> Child {
    let mut command = strace::striking(world, point, "delay_enter=800000", run.netsky());
    command.args(["send", "agent1", "for agent1 alone"]);
    world.call(command).start()
}

fn envelopes(world: &World, agent: &str) -> usize {
    let there = files(&world.home.join("inbox").join(agent));
    there.iter().filter(|path| path.extension().is_some_and(|extension| extension == "json")).count()
}
