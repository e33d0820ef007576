//! netsky killed before every call that outlives it.

use std::collections::BTreeMap;
use std::sync::Mutex;

use crate::errand::Errand;
use crate::passage::Passage;
use crate::scenarios;
use crate::stage::{Scenario, nothing_else};
use crate::strace;
use crate::strike::Strike;
use crate::support::World;
use crate::sweep::{Flaw, Harm, Run, Sweep, Tally};

pub const RESTART: Sweep = Sweep {
    name: "kill-restart",
    promise: "killed before any call of `restart` on real tmux, one recovery run is enough: the hand-over is there once, \
              every record has ended, nothing is left lying",
    flaw: Flaw { without: "archive-first", does: Harm::Lost },
    floor: 450,
    obstacle: strace::obstacle,
    run: restart,
};

/// Every phase in which a restart can be struck, in order.
pub const PHASES: [&str; 9] = [
    BEFORE,
    "preflight",
    "tearing-down",
    "spawned",
    "up-detected",
    "handoff-delivered",
    "complete",
    "degraded",
    "errored",
];

/// It had not begun its record, or makes none.
pub const BEFORE: &str = "without a record";

fn restart(run: &Run) -> Tally {
    let phases = Mutex::new(BTreeMap::<String, usize>::new());
    let tally = killed(run, scenarios::restart::ALL, 40, |phase| {
        *phases.lock().unwrap().entry(phase.to_owned()).or_default() += 1;
    });
    let phases = phases.into_inner().unwrap();
    let counts = PHASES.iter().filter_map(|phase| Some(format!("{} {phase}", phases.get(*phase)?)));
    tally.note(format!("struck by phase: {}", counts.collect::<Vec<_>>().join(", ")))
}

/// Kills at every call of every scenario; `in_phase` hears in which phase a restart was struck.
pub fn killed(run: &Run, scenarios: &[Scenario], short: usize, in_phase: impl Fn(&str) + Sync) -> Tally {
    let passage = Passage {
        make: &|| run.world(),
        peaceful: Strike::Count,
        strikes: &every_call,
        at_once: &nothing_else,
        met: &|_, ended| in_phase(ended.phase().unwrap_or(BEFORE)),
        short,
    };
    passage.through(run, scenarios)
}

fn every_call(world: &World, _: &Errand) -> Vec<Strike> {
    strace::counted(world).into_iter().map(|point| Strike::Call { point, signal: "KILL" }).collect()
}
