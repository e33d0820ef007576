//! Many envelopes, made as netsky makes them: read oldest first and pruned oldest first.

use std::fs;

use super::super::verbs::HOOK;
use super::heaps::{MANY, TEXT_OF, envelopes, id_of};
use super::{LIMIT, Point, Site, called, late_or_failed};
use crate::support::World;
use crate::support::world::files;
use crate::sweep::{Finding, Harm, Run};

pub const ALL: &[Point] = &[
    Point { name: "the oldest of many is shown first", check: next },
    Point { name: "a prompt with many waiting", check: prompt },
    Point { name: "many shown in one turn are taken at its end", check: turn },
    Point { name: "retention of many", check: retention },
];

fn next(run: &Run) -> Vec<Finding> {
    let Site { world, _memory } = &Site::still(run);
    envelopes(world, &["handoff/archive", "inbox/agent0"], 0..MANY);
    let mut found = Vec::new();
    for number in 0..3 {
        let ran = called(world, &["inbox", "next"], &[]);
        found.extend(late_or_failed(&ran, &["inbox", "next"], LIMIT));
        if !ran.stdout.contains(&TEXT_OF(number)) {
            found.push((Harm::Lost, format!("{} is due and this is shown: {}", TEXT_OF(number), ran.stdout)));
        }
    }
    found
}

/// The hook answers within its limit with the oldest, and what it printed is noted before that is over.
fn prompt(run: &Run) -> Vec<Finding> {
    let Site { world, _memory } = &Site::still(run);
    envelopes(world, &["handoff/archive", "inbox/agent0"], 0..MANY);
    let mut found = Vec::new();
    let mut number = 0;
    for _ in 0..3 {
        let ran = called(world, &["hook", "UserPromptSubmit"], &(HOOK.marks)(world));
        found.extend(late_or_failed(&ran, &["hook"], LIMIT));
        let shown = in_order(&ran.stdout, number);
        if shown == 0 {
            found.push((Harm::Lost, format!("{} is due and this is shown: {}", TEXT_OF(number), ran.stdout)));
        }
        number += shown;
    }
    let noted = files(&world.home.join("inbox/agent0/cur")).len();
    if noted != number {
        let log = fs::read_to_string(world.home.join("log/events.jsonl")).unwrap_or_default();
        found.push((Harm::Other, format!("{number} were printed and {noted} count as shown: {log}")));
    }
    found
}

/// How many texts stand there one after the other, from that number on.
fn in_order(printed: &str, from: usize) -> usize {
    let mut rest = printed;
    let mut shown = 0;
    while let Some((_, after)) = rest.split_once(&TEXT_OF(from + shown)) {
        rest = after;
        shown += 1;
    }
    shown
}

/// All that a turn was shown is taken by the ends of some turns, and each of them is over in time.
fn turn(run: &Run) -> Vec<Finding> {
    let Site { world, _memory } = &Site::still(run);
    const SHOWN: usize = 500;
    envelopes(world, &["handoff/archive", "inbox/agent0"], SHOWN..MANY);
    envelopes(world, &["handoff/archive", "inbox/agent0/cur"], 0..SHOWN);
    let marks = (HOOK.marks)(world);
    let generation = &marks[1].1;
    let shown = world.home.join("state/shown/agent0");
    fs::create_dir_all(&shown).unwrap();
    for number in 0..SHOWN {
        let record = format!(
            "{{\"version\":1,\"reader\":{generation:?},\"printed\":1,\"of\":1,\"at\":\"2026-11-20T19:00:00.000Z\"}}\n"
        );
        fs::write(shown.join(format!("{}.json", id_of(number))), record).unwrap();
    }
    let mut found = Vec::new();
    let left = |world: &World| files(&world.home.join("inbox/agent0/cur")).len();
    for _ in 0..10 {
        let ran = called(world, &["hook", "Stop"], &marks);
        found.extend(late_or_failed(&ran, &["hook"], LIMIT));
    }
    if left(world) > 0 {
        found.push((Harm::Lost, format!("{} of {SHOWN} are not taken after ten turns", left(world))));
    }
    found
}

/// The archive comes down to what is kept; what waits stays, and of what was taken the newest.
fn retention(run: &Run) -> Vec<Finding> {
    let Site { world, _memory } = &Site::still(run);
    let half = MANY / 2;
    envelopes(world, &["handoff/archive", "inbox/agent0/done"], 0..half);
    envelopes(world, &["handoff/archive", "inbox/agent0"], half..MANY);
    let ran = called(world, &["handoff", "prune"], &[]);
    let mut found = late_or_failed(&ran, &["handoff", "prune"], LIMIT * 2);
    let names = |dir: &str| -> Vec<String> {
        let names = files(&world.home.join(dir)).into_iter().filter(|path| path.is_file());
        names.map(|path| path.file_name().unwrap().to_str().unwrap()[..26].to_owned()).collect()
    };
    let expected = |numbers: std::ops::Range<usize>| -> Vec<String> { numbers.map(id_of).collect() };
    for (dir, numbers) in [
        ("handoff/archive", MANY - 100..MANY),
        ("inbox/agent0/done", half - 100..half),
        ("inbox/agent0", half..MANY),
    ] {
        let (left, expected) = (names(dir), expected(numbers));
        if left != expected {
            let ends = (left.first(), left.last(), left.len());
            found.push((Harm::Lost, format!("{dir} holds {ends:?}, not the {} expected", expected.len())));
        }
    }
    found
}
