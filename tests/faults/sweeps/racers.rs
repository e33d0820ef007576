//! Two (or three) netskys at once: one wins, the others say so in under a second and leave no trace.

mod arena;
mod race;

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::sampler::Sampler;
use crate::strace::{self, Point};
use crate::sweep::{Flaw, Harm, Run, Sweep, Tally};

use arena::{Arena, Arenas};
use race::{Entrant, Hindrance, Race, Verb};

pub const RACERS: Sweep = Sweep {
    name: "racers",
    promise: "of racing restarts one wins; a loser exits 75 in under a second and writes nothing; at no sampled moment \
              do two generations live, and the hand-over of both arrives once",
    flaw: Flaw { without: "lock", does: Harm::Doubled },
    floor: 400,
    obstacle: strace::obstacle,
    run,
};

/// How many races there are: in a good half of them restarts race with nothing but restarts.
const RACES: usize = 420;

/// A racer that is delayed is so for this long, in microseconds.
const DELAY: u32 = 150_000;

fn run(run: &Run) -> Tally {
    let points = calls_of_a_restart(run);
    let races: Vec<Race> = (0..RACES).map(|number| race(number, &points)).collect();
    let arenas = Arenas::default();
    let sampler = Sampler::start();
    let (losses, watched) = (Mutex::new(Vec::new()), AtomicUsize::new(0));
    let tally = run.points(&races, 40, 3, |race| {
        let arena = arenas.take(run);
        let report = race.run(&arena, &sampler);
        losses.lock().unwrap().extend(report.lost_after);
        watched.fetch_add(report.watched, Ordering::Relaxed);
        if report.found.is_empty() {
            arenas.give_back(arena);
        }
        report.found
    });
    let (losses, watched) = (times(losses.into_inner().unwrap()), watched.into_inner());
    tally
        .note(format!("{losses}; {watched} of them while the holder stood still and every file was compared"))
        .note(format!("{} moments sampled", sampler.moments()))
}

/// Every call of a restart that could be struck, and those around the lock.
fn calls_of_a_restart(run: &Run) -> Vec<Point> {
    let arena = Arena::new(run);
    let calls = [&strace::CALLS[..], &["flock", "openat", "setsid", "umask"]].concat();
    let mut counting = strace::command(&arena.world, &[format!("-etrace={}", calls.join(","))], run.netsky());
    counting.args(["restart", "1"]);
    arena.gate.open();
    arena.world.call(counting).run().expect(0);
    strace::counted_of(&arena.world, &calls)
}

/// The kinds take turns, and what is hindered goes through the calls.
fn race(number: usize, points: &[Point]) -> Race {
    let round = number / 10;
    // Shifted each time, so that every kind is also among each fifth race.
    let kind = (number + round) % 10;
    // Spread over all calls, and other ones in each kind.
    let spread = (round * points.len() * 10 / RACES + kind * 7) % points.len();
    let point = points[spread].clone();
    let free = |verb| Entrant { verb, hindrance: Hindrance::None };
    let stopped = |verb| Entrant { verb, hindrance: Hindrance::Stopped(point.clone()) };
    let delayed = |verb| Entrant { verb, hindrance: Hindrance::Delayed(point.clone(), DELAY) };
    let others = [Verb::Restart, Verb::Up, Verb::Down, Verb::Deliver, Verb::Write, Verb::Detached];
    let mut entrants = match kind {
        0 => vec![free(Verb::Restart), free(Verb::Restart)],
        1 => vec![delayed(Verb::Restart), free(Verb::Restart)],
        2 => vec![stopped(Verb::Restart), free(Verb::Restart)],
        3 => vec![free(Verb::Restart), free(Verb::Up)],
        4 => vec![free(Verb::Restart), free(Verb::Down)],
        5 => vec![free(Verb::Restart), free(Verb::Detached)],
        6 => vec![free(Verb::Restart), free(Verb::Deliver)],
        7 => vec![free(Verb::Restart), free(Verb::Write)],
        8 => vec![free(Verb::Restart), free(Verb::Restart), free(Verb::Restart)],
        _ => vec![stopped(Verb::Restart), free(others[round % others.len()])],
    };
    if round % 2 == 1 && !matches!(kind, 2 | 9) {
        entrants.reverse();
    }
    Race { number, entrants }
}

fn times(mut losses: Vec<Duration>) -> String {
    losses.sort_unstable();
    let (Some(median), Some(worst)) = (losses.get(losses.len() / 2), losses.last()) else {
        return "nobody lost".to_owned();
    };
    format!("{} losers, after {median:.0?} in the median and {worst:.0?} at worst", losses.len())
}
