//! Ten thousand of a kind, and every verb that goes through them.

use std::fs;
use std::ops::Range;
use std::time::Duration;

use ulid::Ulid;

use super::{LIMIT, Point, Site, called, late_or_failed};
use crate::support::World;
use crate::sweep::{Finding, Harm, Run};

pub const MANY: usize = 10_000;
const FEW: usize = MANY / 10;

/// Ten times as much may cost so many times as much and this much more: what is searched for once for each costs a
/// hundred times as much.
const GROWTH: u32 = 30;
const SLACK: Duration = Duration::from_millis(200);

pub const ALL: &[Point] = &[
    Point {
        name: "many envelopes in an inbox",
        check: |run| {
            grows(run, &ENVELOPE_VERBS, |world, numbers| {
                envelopes(world, &["handoff/archive", "inbox/agent0"], numbers);
            })
        },
    },
    Point {
        name: "many envelopes that another generation was shown",
        check: |run| {
            grows(run, &ENVELOPE_VERBS, |world, numbers| {
                envelopes(world, &["handoff/archive", "inbox/agent0/cur"], numbers);
            })
        },
    },
    Point {
        name: "many restart records",
        check: |run| {
            grows(run, &[&["status"], &["history"], &["history", "--json"], &["handoff", "prune"]], records)
        },
    },
    Point {
        name: "many kept screens",
        check: |run| grows(run, &[&["logs", "agent0", "--generation", "last"], &["status"]], screens),
    },
    Point { name: "many claims", check: |run| grows(run, &[&["handoff", "list"], &["status"]], claims) },
];

const ENVELOPE_VERBS: [&[&str]; 7] = [
    &["status"],
    &["history"],
    &["inbox", "list"],
    &["inbox", "list", "--json"],
    &["handoff", "list"],
    &["send", "agent0", "one more"],
    &["inbox", "next"],
];

/// Calls the verbs over a tenth of the heap, then over all of it.
fn grows(run: &Run, verbs: &[&[&str]], heap: fn(&World, Range<usize>)) -> Vec<Finding> {
    let Site { world, _memory } = &Site::still(run);
    let mut found = Vec::new();
    heap(world, 0..FEW);
    let over_few: Vec<Duration> = verbs.iter().map(|words| called(world, words, &[]).took).collect();
    heap(world, FEW..MANY);
    for (words, over_few) in verbs.iter().zip(over_few) {
        let ran = called(world, words, &[]);
        found.extend(late_or_failed(&ran, words, LIMIT));
        if ran.took > over_few * GROWTH + SLACK {
            let (what, took) = (words.join(" "), ran.took);
            found.push((Harm::Other, format!("{what}: {over_few:?} over {FEW}, {took:?} over {MANY}")));
        }
    }
    found
}

/// One made every second.
pub fn id_of(number: usize) -> String {
    let ms = 1_790_000_000_000 + 1_000 * number as u64;
    Ulid::from_parts(ms, number as u128).to_string()
}

pub const TEXT_OF: fn(usize) -> String = |number| format!("text number {number};");

/// Envelopes of these numbers for agent0, in each of these directories.
pub fn envelopes(world: &World, dirs: &[&str], numbers: Range<usize>) {
    for dir in dirs.iter().map(|dir| world.home.join(dir)) {
        fs::create_dir_all(&dir).unwrap();
        // A file system lists them by a hash, or the last one first: in the right order by no chance.
        for number in numbers.clone() {
            let (id, text) = (id_of(number), TEXT_OF(number));
            let envelope = format!(
                "{{\"version\":1,\"id\":\"{id}\",\"from\":\"owner\",\"to\":\"agent0\",\"text\":\"{text}\",\
                 \"ts\":\"2026-11-20T19:00:00.000Z\",\"generation\":null}}\n"
            );
            fs::write(dir.join(format!("{id}-from-owner.json")), envelope).unwrap();
        }
    }
}

const RECORD: &str = include_str!("../../../formats/v1/restart-record-complete.json");
const RECORDED: &str = "01KAGPQWR0F4XZV3N6M8T2J5CA";

fn records(world: &World, numbers: Range<usize>) {
    for number in numbers {
        let record = RECORD.replace(RECORDED, &id_of(number));
        let name = format!("20261120T190000Z-{}.json", id_of(number));
        fs::write(world.home.join("state/restart-status").join(name), record).unwrap();
    }
}

fn screens(world: &World, numbers: Range<usize>) {
    for number in numbers {
        let path = world.home.join(format!("log/screens/agent0/{}.txt", id_of(number)));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "a screen\n").unwrap();
    }
}

fn claims(world: &World, numbers: Range<usize>) {
    for number in numbers {
        let path = world.home.join(format!("handoff/claims/{}-from-owner", id_of(number)));
        fs::write(path, TEXT_OF(number)).unwrap();
    }
}
