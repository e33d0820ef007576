//! netsky told to end, in every phase.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::failpoints;
use super::kill::{BEFORE, PHASES};
use crate::errand::{Ended, Errand};
use crate::passage::Passage;
use crate::scenarios::{life, restart};
use crate::stage::Attempt;
use crate::strike::Strike;
use crate::support::World;
use crate::sweep::{Finding, Flaw, Harm, Run, Sweep, Tally};
use crate::{recovery, strace};

pub const SIGNALS: Sweep = Sweep {
    name: "signals",
    promise: "told to end (INT, TERM, HUP) in any phase of `restart`, `up` or `down`, it ends with 128 + n or with its work \
              done: the record is terminal, the lock free, the claim kept and delivered by the next `up`",
    flaw: Flaw { without: "signals", does: Harm::Other },
    floor: 130,
    obstacle: strace::obstacle,
    run: signals,
};

const ALL: [(&str, i64); 3] = [("INT", 2), ("TERM", 15), ("HUP", 1)];

/// Every so many calls a signal comes.
const STRIDE: usize = 4;

fn signals(run: &Run) -> Tally {
    let spread = spread(run);
    // A broken build needs no more to be seen.
    if run.is_broken() { spread } else { spread.and(at_each_phase(run)) }
}

/// Before each phase goes on record, each signal; by name, so that none is missed by chance.
fn at_each_phase(run: &Run) -> Tally {
    let passage = Passage {
        make: &|| failpoints::world(run),
        peaceful: Strike::List,
        strikes: &before_phases,
        at_once: &ends_in_order,
        met: &|_, _| (),
        short: 12,
    };
    passage.through(run, restart::BY_PHASE)
}

fn before_phases(world: &World, errand: &Errand) -> Vec<Strike> {
    let is_phase = |strike: &Strike| match strike {
        Strike::Failpoint { point, .. } => {
            point.split_once('/').is_some_and(|(_, name)| PHASES.contains(&name))
        }
        _ => false,
    };
    let phases = failpoints::every_point(world, errand).into_iter().filter(is_phase);
    phases.flat_map(|strike| ALL.map(|(signal, _)| strike.clone().by(signal))).collect()
}

/// At system calls, spread over all.
fn spread(run: &Run) -> Tally {
    let seen = Mutex::new(BTreeMap::<(String, &str), usize>::new());
    let ended_by_it = AtomicUsize::new(0);
    let passage = Passage {
        make: &|| run.world(),
        peaceful: Strike::Count,
        strikes: &in_turns,
        at_once: &ends_in_order,
        met: &|strike, ended| {
            let Strike::Call { signal, .. } = strike else { return };
            *seen.lock().unwrap().entry((reached(ended).to_owned(), signal)).or_default() += 1;
            ended_by_it.fetch_add(usize::from(said_code(ended) > 128), Ordering::Relaxed);
        },
        short: 24,
    };
    let scenarios = [restart::ENDED, life::ENDED].concat();
    let tally = passage.through(run, &scenarios);
    if run.is_broken() {
        return tally;
    }
    let (points, ended_by_it) = (tally.points, ended_by_it.into_inner());
    let tally = tally
        .note(format!("{ended_by_it} of {points} ended by their signal, the others had done their work"));
    let seen = seen.into_inner().unwrap();
    let by_phase = PHASES.iter().filter_map(|phase| {
        let counts =
            ALL.map(|(signal, _)| seen.get(&((*phase).to_owned(), signal)).copied().unwrap_or_default());
        let [interrupt, terminate, hang_up] = counts;
        (counts != [0; 3]).then(|| format!("{interrupt}/{terminate}/{hang_up} {phase}"))
    });
    tally.note(format!(
        "INT/TERM/HUP by the last phase before the end: {}",
        by_phase.collect::<Vec<_>>().join(", ")
    ))
}

/// The phase in which the signal came: the last one but the end.
fn reached(ended: &Ended) -> &str {
    let phases = ended.record.as_ref().and_then(|record| record["phases"].as_array());
    let mut names = phases.into_iter().flatten().filter_map(|entry| entry["phase"].as_str());
    names.rfind(|phase| *phase != "errored").unwrap_or(BEFORE)
}

/// Spread over all calls, the signals by turns that stay turns however the points are thinned.
fn in_turns(world: &World, _: &Errand) -> Vec<Strike> {
    let turn = |number: usize| (0..8).map(|digit| number / 3_usize.pow(digit)).sum::<usize>() % 3;
    let points = strace::counted(world).into_iter().step_by(STRIDE).enumerate();
    points.map(|(number, point)| Strike::Call { point, signal: ALL[turn(number)].0 }).collect()
}

/// The exit code. Nobody hears that of one that carries on what was called for: its record holds it.
fn said_code(ended: &Ended) -> i64 {
    match &ended.record {
        Some(record) => record["exit_code"].as_i64().unwrap_or(-1),
        None => ended.ran.code.into(),
    }
}

/// Its exit code, its record, its lock, and the agents that it leaves, before anything is repaired.
fn ends_in_order(attempt: &Attempt<'_>) -> Vec<Finding> {
    let Attempt { stage, errand, strike, ended, what } = attempt;
    let mut found = recovery::records(&stage.world, what);
    found.extend(recovery::lock(&stage.world, what));
    found.extend(recovery::generations(&stage.world, what));
    let number = ALL.iter().find(|(name, _)| strike.signal() == Some(name)).map(|(_, number)| *number);
    let code = said_code(ended);
    let is_told = [Some(0), number.map(|number| 128 + number)].contains(&Some(code));
    let is_honest = (ended.record.is_some() && errand.is_carried_on()) || i64::from(ended.ran.code) == code;
    if !is_told || !is_honest {
        let Ended { ran, .. } = ended;
        let harm = if ran.code == 0 { Harm::FalseSuccess } else { Harm::Other };
        found.push((harm, format!("{what}: exit {}, on record {code}: {}", ran.code, ran.stderr)));
    }
    found
}
