//! Short commands, where starting is most of the work.

use std::time::Duration;

use crate::Options;
use crate::table::{Row, Samples};
use crate::world::{World, timed};

const RUNS: usize = 41;

pub(crate) fn status(options: &Options) -> Vec<Row> {
    let world = World::new();
    world.configure("instant", &world.instant_agent());
    world.run(&["up", &options.agents.to_string()]);
    let (mut ours, mut floor) = (Vec::new(), Vec::new());
    let (socket, stderr) = (world.home.join("run/tmux.sock"), world.work.join("stderr"));
    for _ in 0..RUNS {
        ours.push(world.run(&["status", "--json"]));
        let mut list = world.command("tmux");
        list.arg("-NS").arg(&socket).args(["list-panes", "-a"]);
        floor.push(timed(&mut list, &stderr));
    }
    let (ours, floor) = (Samples::of_durations(ours), Samples::of_durations(floor));
    let ratio = ours.median() / floor.median();
    let what = format!("status --json, {} agents; floor: tmux list-panes -a", options.agents);
    vec![Row::judged(what, ours.words("ms"), "≤ 3 × floor", ratio / 3.0).with_floor(floor.words("ms"), ratio)]
}

pub(crate) fn version(_: &Options) -> Vec<Row> {
    let world = World::new();
    let stderr = world.work.join("stderr");
    let (mut ours, mut floor): (Vec<Duration>, Vec<Duration>) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        ours.push(world.run(&["--version"]));
        floor.push(timed(&mut world.command("true"), &stderr));
    }
    let (ours, floor) = (Samples::of_durations(ours), Samples::of_durations(floor));
    let ratio = ours.median() / floor.median();
    let row = Row::judged("--version; floor: true", ours.words("ms"), "≤ 3 ms", ours.median() / 3.0);
    vec![row.with_floor(floor.words("ms"), ratio)]
}
