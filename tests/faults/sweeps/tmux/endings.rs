//! Agents that end at once, later, or not at all when they should: what is said of them is so, and they leave nothing.

use std::time::Duration;

use crate::bot;
use crate::recovery;
use crate::sampler::Sampler;
use crate::support::{World, tree};
use crate::sweep::{Finding, Harm, Run, Tally};

/// What an agent does, what a verb that waits for it may say, and what `status` says in the end.
const ENDINGS: [(&str, &[i32], &str); 8] = [
    ("trap orphan", &[0], "idle"),
    ("exit", &[1], "exited"),
    // It may be gone before the verb has ended.
    ("exit-later", &[0, 1], "exited"),
    ("exit-later orphan", &[0, 1], "exited"),
    ("shell", &[0], "exited"),
    ("shell trap orphan", &[0], "exited"),
    ("hang", &[69], "starting"),
    ("deaf orphan", &[0], "idle"),
];

const VERBS: [&str; 2] = ["up", "restart"];

pub fn run(run: &Run) -> Tally {
    let points: Vec<_> = ENDINGS.iter().flat_map(|ending| VERBS.map(|verb| (*ending, verb))).collect();
    let sampler = Sampler::start();
    run.points(&points, 6, 3, |((faults, codes, state), verb)| {
        let what = format!("{verb} with agents that do {faults}");
        let world = prepared(run, faults);
        let mut found = Vec::new();
        let ran = world.netsky([*verb, "0"]).run();
        if !codes.contains(&ran.code) {
            found.push((Harm::Other, format!("{what}: {} {}", ran.code, ran.stderr)));
        }
        let mut last = String::new();
        let is_told = crate::support::world::wait(Duration::from_secs(10), &mut || {
            last = world.state_of("agent0");
            (last == *state).then_some(())
        });
        if is_told.is_none() {
            found.push((Harm::FalseSuccess, format!("{what}: it is said to be {last}, not {state}")));
        }
        found.extend(anew(&world, &what));
        found.extend(sampler.findings(&world.home, &what));
        found
    })
}

fn prepared(run: &Run, faults: &str) -> World {
    let world = run.world();
    let mut command = vec![run.netsky().to_str().unwrap(), "demo-agent", "--trusted"];
    faults.split(' ').for_each(|fault| command.extend(["--fail", fault]));
    // Only who never comes up is not to be waited for.
    let up_wait = if faults == "hang" { 1_500 } else { 20_000 };
    let limits = bot::patient();
    world.configure(&format!(
        "[constellation]\nclones = 0\nagent = \"odd\"\nroot_agent = \"odd\"\n\
         {limits}[restart]\nstop_grace = \"300ms\"\nup_wait = \"{up_wait}ms\"\n\
         [profile.odd]\nbase = \"demo\"\nmemory = \"1MiB\"\ncommand = {command:?}\n"
    ));
    world
}

/// A restart with sound agents ends everything of the odd ones, and `down` everything.
fn anew(world: &World, what: &str) -> Vec<Finding> {
    let mut found = Vec::new();
    let old = tree::marked(&world.home);
    // The sound ones get their usual time.
    world.configure(&format!(
        "[constellation]\nclones = 0\nagent = \"demo\"\nroot_agent = \"demo\"\n\
         {}[restart]\nstop_grace = \"300ms\"\n",
        bot::patient()
    ));
    let ran = world.netsky(["restart", "0", "--agent", "demo"]).run();
    if ran.code != 0 {
        found.push((Harm::Other, format!("{what}: then restart: {} {}", ran.code, ran.stderr)));
    }
    let left: Vec<i32> = old.into_iter().filter(|pid| tree::is_alive(*pid)).collect();
    if !left.is_empty() {
        found.push((Harm::Doubled, format!("{what}: after a restart {left:?} live on")));
    }
    found.extend(recovery::records(world, what));
    found.extend(recovery::generations(world, what));
    world.netsky(["down"]).run().expect(0);
    if !tree::marked(&world.home).is_empty() {
        found.push((Harm::Other, format!("{what}: down leaves {:?}", tree::marked(&world.home))));
    }
    found
}
