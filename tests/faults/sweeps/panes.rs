//! Hostile and odd panes: what looks like a marker and is none, and dialogs that must get the right key or none.

mod captured;
mod dialogs;
mod markers;
mod stage;

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::sweep::{Finding, Flaw, Harm, Run, Sweep, Tally, no_obstacle};

pub const MARKERS: Sweep = Sweep {
    name: "panes-markers",
    promise: "an agent is up by a marker on a line of its own and by nothing that only looks like one",
    flaw: Flaw { without: "marker-line", does: Harm::FalseSuccess },
    floor: 41,
    obstacle: no_obstacle,
    run: markers,
};

pub const DIALOGS: Sweep = Sweep {
    name: "panes-dialogs",
    promise: "a dialog gets the right keys, or none and is named; no Enter is pressed blindly",
    flaw: Flaw { without: "highlight", does: Harm::Other },
    floor: 250,
    obstacle: no_obstacle,
    run: dialogs,
};

/// A world with its panes; a pane is a point.
type Scene = (usize, Box<dyn Fn(&Run) -> Vec<Finding> + Sync>);

fn markers(run: &Run) -> Tally {
    play(run, markers::scenes(), 4)
}

fn dialogs(run: &Run) -> Tally {
    let mut scenes = dialogs::scenes();
    scenes.extend(captured::scenes());
    play(run, scenes, 7)
}

/// Panes wait most of the time: more worlds than processors.
const WORKERS: usize = 4;

fn play(run: &Run, scenes: Vec<Scene>, short: usize) -> Tally {
    let panes = AtomicUsize::new(0);
    let mut tally = run.points(&scenes, short, WORKERS, |(count, scene)| {
        panes.fetch_add(*count, Ordering::Relaxed);
        scene(run)
    });
    tally.points = panes.into_inner();
    tally
}
