//! Odd things wherever netsky lists or reads, and in place of what it is handed: skipped and counted, or refused by name.
//!
//! A point is a thing in a place with every verb that looks there, or a source with a verb that takes it. Nothing hangs,
//! nothing of it is read as ours, moved, followed, written over or pruned, and what lies beside it still arrives.

mod crowds;
mod directories;
mod places;
mod sources;
mod things;
mod visits;

use std::sync::Mutex;

use directories::Misplaced;
use sources::Handed;
use things::Thing;
use visits::{Scene, Visit};

use crate::sweep::{Finding, Flaw, Harm, Run, Sweep, Tally, no_obstacle};

pub const ODD_FILES: Sweep = Sweep {
    name: "odd-files",
    promise: "whatever lies where netsky lists or reads, or is handed to it, is skipped and counted or refused by name: \
              no verb hangs, follows, moves, writes over or prunes it, and what lies beside it arrives in its order",
    flaw: Flaw { without: "own-kind", does: Harm::FalseSuccess },
    floor: 220,
    obstacle: no_obstacle,
    run,
};

const WORKERS: usize = 4;

/// So many points the short form tries.
const SHORT: usize = 30;

enum Point {
    Visit(Visit),
    Crowd(&'static places::Place),
    Misplaced(&'static Misplaced),
    Handed(Handed),
}

fn run(run: &Run) -> Tally {
    let no_device = things::no_device();
    let is_possible = |thing: &Thing| *thing != Thing::Device || no_device.is_none();
    let things = || Thing::ALL.into_iter().filter(is_possible);
    let (ours, foreign): (Vec<Thing>, Vec<Thing>) = things().partition(|thing| thing.has_our_name());
    let kinds = ours.into_iter().map(|thing| vec![thing]).chain([foreign]);
    let visits = kinds.flat_map(|things| {
        let others = places::ALL.iter().filter({
            let things = things.clone();
            move |place| place.own.is_none_or(|own| !things.contains(&own))
        });
        others.map(move |place| Point::Visit(Visit { place, things: things.clone() }))
    });
    let handed = Handed::all().into_iter().filter(|handed| !handed.is_device() || no_device.is_none());
    let points: Vec<Point> = visits
        .chain(places::ALL.iter().map(Point::Crowd))
        .chain(directories::ALL.iter().map(Point::Misplaced))
        .chain(handed.map(Point::Handed))
        .collect();
    let scenes = Mutex::new(Vec::new());
    let tally = run.points(&points, SHORT, WORKERS, |point| match point {
        Point::Visit(visit) => in_a_scene(run, &scenes, |scene| visit.findings(scene)),
        Point::Crowd(place) => crowds::findings(run, place, &things().collect::<Vec<_>>()),
        Point::Misplaced(misplaced) => misplaced.findings(run),
        Point::Handed(handed) => handed.findings(run),
    });
    match no_device {
        Some(why) => tally.note(format!("not tried: {why}")),
        None => tally,
    }
}

/// Scenes are used again as long as nothing is wrong in them.
fn in_a_scene(
    run: &Run,
    scenes: &Mutex<Vec<Scene>>,
    attempt: impl Fn(&Scene) -> Vec<Finding>,
) -> Vec<Finding> {
    let used = scenes.lock().unwrap().pop();
    let scene = used.unwrap_or_else(|| Scene::new(run));
    let found = attempt(&scene);
    if found.is_empty() {
        scenes.lock().unwrap().push(scene);
    }
    found
}
