//! Limits of resources and odd surroundings: a full disk, too few descriptors, closed standard output, strange umasks.
//!
//! Each point is a row: what is odd, and which verb is called there. A verb then does its work with the right modes, or
//! says what failed; and when the oddity is over, one `up` makes everything right.

mod alone;
mod disk;
mod oddities;

use std::collections::BTreeMap;
use std::sync::Mutex;

use alone::Alone;
use disk::{Scarcity, Site};
use oddities::Oddity;

use super::verbs::{self, Verb};
use crate::support::World;
use crate::sweep::{Finding, Flaw, Harm, Run, Sweep, Tally, no_obstacle};

pub const LIMITS: Sweep = Sweep {
    name: "limits",
    promise: "where the disk is full or descriptors, standard output or a home are missing, a verb works or says why",
    flaw: Flaw { without: "errors", does: Harm::FalseSuccess },
    floor: 380,
    obstacle: no_obstacle,
    run,
};

const WORKERS: usize = 5;

/// So many points the short form tries.
const SHORT: usize = 70;

/// A point.
enum Row {
    Odd(&'static Oddity, &'static Verb),
    Scarce(Scarcity, &'static Verb),
    Alone(&'static Alone),
}

const VERBS: [&Verb; 9] = [
    &verbs::DELIVER,
    &verbs::RESTART,
    &verbs::SEND,
    &verbs::UP,
    &verbs::STATUS,
    &verbs::HISTORY,
    &verbs::LIST,
    &verbs::WRITE,
    &verbs::NEXT,
];

fn run(run: &Run) -> Tally {
    let hindrance = disk::obstacle();
    let scarcities: &[Scarcity] = if hindrance.is_some() { &[] } else { &Scarcity::ALL };
    // A build that does not heed errors is found out by what it wrote at once, without anybody to wait for.
    let verbs: &[&Verb] = if run.is_broken() { &[&verbs::WRITE] } else { &VERBS };
    let odd = oddities::ALL.iter().flat_map(|oddity| verbs.iter().map(move |verb| Row::Odd(oddity, verb)));
    let scarce =
        scarcities.iter().flat_map(|scarcity| verbs.iter().map(move |verb| Row::Scarce(*scarcity, verb)));
    let rows: Vec<Row> = odd.chain(scarce).chain(alone::ALL.iter().map(Row::Alone)).collect();
    let pools = Pools { run, worlds: Mutex::default(), sites: Mutex::default() };
    let tally = run.points(&rows, SHORT, WORKERS, |row| pools.attempt(row));
    match hindrance {
        Some(why) => tally.note(format!("not tried: full disks, spent inodes, read-only homes: {why}")),
        None => tally,
    }
}

/// Worlds, and worlds on small disks, are used again as long as nothing is wrong in them.
struct Pools<'r> {
    run: &'r Run,
    worlds: Mutex<BTreeMap<&'static str, Vec<World>>>,
    sites: Mutex<BTreeMap<&'static str, Vec<Site>>>,
}

impl Pools<'_> {
    fn attempt(&self, row: &Row) -> Vec<Finding> {
        match row {
            Row::Odd(oddity, verb) => self.odd(oddity, verb),
            Row::Scarce(scarcity, verb) => self.scarce(*scarcity, verb),
            Row::Alone(alone) => (alone.check)(self.run, alone.name),
        }
    }

    fn odd(&self, oddity: &Oddity, verb: &'static Verb) -> Vec<Finding> {
        let used = self.worlds.lock().unwrap().entry(verb.place.name()).or_default().pop();
        let world = used.unwrap_or_else(|| verb.place.build(self.run.world()));
        (verb.begin)(&world);
        let found = oddity.findings(&world, verb, self.run.netsky());
        // A tmux server that was started there lives in the oddity.
        if found.is_empty() && verb.name != verbs::UP.name {
            self.worlds.lock().unwrap().entry(verb.place.name()).or_default().push(world);
        }
        found
    }

    fn scarce(&self, scarcity: Scarcity, verb: &'static Verb) -> Vec<Finding> {
        let used = self.sites.lock().unwrap().entry(verb.place.name()).or_default().pop();
        let site = used.unwrap_or_else(|| Site::new(self.run.world(), verb.place));
        (verb.begin)(&site.world);
        let found = site.findings(scarcity, verb, self.run.netsky());
        if found.is_empty() {
            self.sites.lock().unwrap().entry(verb.place.name()).or_default().push(site);
        }
        found
    }
}
