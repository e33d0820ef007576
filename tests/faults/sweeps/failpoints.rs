//! netsky killed at its own named points: the portable form of the kill sweeps, which also reaches its other threads and
//! the processes that carry on what it began.

use std::collections::{BTreeSet, HashMap};
use std::sync::Mutex;

use crate::binaries;
use crate::errand::Errand;
use crate::passage::Passage;
use crate::scenarios;
use crate::stage::nothing_else;
use crate::strike::{self, Strike};
use crate::support::World;
use crate::sweep::{Flaw, Harm, Run, Sweep, Tally, no_obstacle};

pub const NAMED: Sweep = Sweep {
    name: "failpoints",
    promise: "killed at any named point of any verb or of a supervisor, one recovery run is enough, as above",
    flaw: Flaw { without: "archive-first", does: Harm::Lost },
    floor: 280,
    obstacle: no_obstacle,
    run: named,
};

fn named(run: &Run) -> Tally {
    let names = Mutex::new(BTreeSet::new());
    let passage = Passage {
        make: &|| world(run),
        peaceful: Strike::List,
        strikes: &|world, errand| every_point(world, errand).into_iter().filter(is_tried).collect(),
        at_once: &nothing_else,
        met: &|strike, _| {
            if let Strike::Failpoint { point, .. } = strike {
                names.lock().unwrap().insert(point.clone());
            }
        },
        short: 40,
    };
    let tally = passage.through(run, &scenarios::portable());
    let (names, verbs) =
        (names.into_inner().unwrap(), |name: &String| name.split('/').next().unwrap().to_owned());
    let verbs: BTreeSet<String> = names.iter().map(verbs).collect();
    tally.note(format!("{} named points of {}", names.len(), Vec::from_iter(verbs).join(", ")))
}

/// Every name, the first time and every fourth that it is reached: the kill sweeps have all the calls between. In a
/// supervisor, which nothing else reaches as well, every other time.
fn is_tried(strike: &Strike) -> bool {
    let Strike::Failpoint { point, nth, .. } = strike else { return false };
    let every = if point.starts_with("supervise/") { 2 } else { 4 };
    nth % every == 1
}

/// A world with failpoints, also where nothing is left out.
pub fn world(run: &Run) -> World {
    let mut world = World::with(binaries::with_failpoints());
    if let Some(flaw) = run.flaw {
        world.set("FAILPOINT_LEAVES_OUT", flaw.without);
    }
    world
}

/// What was reached by the verb and by those who carry it on; agents reach points of their own beside them.
pub fn every_point(world: &World, errand: &Errand) -> Vec<Strike> {
    let verb = errand.arguments[0].to_str().unwrap();
    let is_ours = |point: &String| point.split('/').next().is_some_and(|by| by == verb || by == "supervise");
    let mut times = HashMap::new();
    let reached = strike::failpoints(world).into_iter().filter(is_ours);
    reached
        .map(|point| {
            let nth = times.entry(point.clone()).or_insert(0);
            *nth += 1;
            Strike::Failpoint { point, nth: *nth, signal: "KILL" }
        })
        .collect()
}
