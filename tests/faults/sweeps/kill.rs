//! netsky killed before every call that outlives it.

use std::path::PathBuf;

use crate::recovery;
use crate::strace::{self, Point};
use crate::support::World;
use crate::sweep::{Finding, Harm, Run, Sweep, Tally};

pub const RESTART: Sweep = Sweep {
    name: "kill-restart",
    promise: "killed before any call of `restart` on real tmux, one `up` recovers and the hand-over is there once",
    red_without: "archive-first",
    obstacle: strace::obstacle,
    run: restart,
};

const TEXT: &str = "do not lose me";

fn prepared(run: &Run) -> (World, PathBuf) {
    let world = run.world();
    world.netsky(["up", "1", "--agent", "demo"]).run().expect(0);
    let note = world.write("note.md", TEXT);
    (world, note)
}

fn restart(run: &Run) -> Tally {
    let (world, note) = prepared(run);
    let mut counting = strace::counting(&world, run.netsky());
    counting.args(["restart", "1", "--handoff"]).arg(&note);
    world.call(counting).run().expect(0);
    let points = strace::counted(&world);
    run.points(&points, 24, 3, |point| killed(run, point))
}

fn killed(run: &Run, point: &Point) -> Vec<Finding> {
    let what = format!("killed before {point}");
    let (world, note) = prepared(run);
    let mut command = strace::striking(&world, point, "signal=SIGKILL", run.netsky());
    command.args(["restart", "1", "--handoff"]).arg(&note);
    let ran = world.call(command).run();
    let mut found = Vec::new();
    if ran.code != 137 && ran.code != 0 {
        found.push((Harm::Other, format!("{what}: {} {}", ran.code, ran.stderr)));
    }
    found.extend(recovery::findings_after_up(&world, &note, TEXT, &what));
    found
}
