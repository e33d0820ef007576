//! Reading messages and pruning them. They are for agent1, which does not run: so nobody else reads them.

use std::path::Path;

use super::ALONE;
use crate::errand::{Errand, Text};
use crate::stage::{Attempt, Scenario, Stage};
use crate::support::World;
use crate::support::world::files;
use crate::sweep::{Finding, Harm};

const NEXT: Scenario = Scenario { name: "next", errand: next, check: shown_at_least_once, ..ALONE };
const NEXT_DAMAGED: Scenario =
    Scenario { name: "next-damaged", errand: next_damaged, check: mended_and_shown, ..ALONE };
const SHOW_DAMAGED: Scenario =
    Scenario { name: "show-damaged", errand: show_damaged, check: mended_and_shown, ..ALONE };
const DONE: Scenario = Scenario { name: "done", errand: done, check: done_once, ..ALONE };

pub const ALL: &[Scenario] = &[
    NEXT,
    NEXT_DAMAGED,
    SHOW_DAMAGED,
    Scenario { name: "next-part", errand: next_part, check: all_parts_are_shown, ..ALONE },
    DONE,
    Scenario { name: "prune", prepare: keeping_one, errand: prune, check: newest_stays, ..ALONE },
];

pub const PORTABLE: &[Scenario] = &[NEXT, NEXT_DAMAGED, SHOW_DAMAGED, DONE];

fn keeping_one(world: &mut World) {
    world.configure("[constellation]\nclones = 1\nagent = \"demo\"\n[handoff]\nkeep = 1\n");
    world.netsky(["up", "0"]).run().expect(0);
}

/// Sends to agent1, which does not run; the id.
fn sent(world: &World, words: &str) -> String {
    let ran = world.netsky(["send", "agent1", words]).run().expect(0);
    ran.stdout.split_whitespace().next().unwrap().to_owned()
}

/// What was durable before stays, so it must be there as if it lay in a file.
fn text_for_agent1(stage: &Stage, words: String) -> Text {
    Text { words, source: Some(stage.world.work.join("nowhere")), to: &["agent1"] }
}

fn prune(stage: &Stage) -> Errand {
    let world = &stage.world;
    let text = stage.text(None);
    for words in [format!("old, {}", stage.uses), text.words.clone()] {
        let id = sent(world, &words);
        world.netsky(["inbox", "done", "--agent", "agent1", &id]).run().expect(0);
    }
    Errand::of(["handoff", "prune"]).with(text_for_agent1(stage, text.words))
}

fn newest_stays(attempt: &Attempt<'_>) -> Vec<Finding> {
    let Attempt { stage, what, .. } = attempt;
    let again = stage.world.netsky(["handoff", "prune"]).run();
    let kept = files(&stage.world.home.join("handoff/archive")).len();
    if (again.code, kept) == (0, 1) {
        return Vec::new();
    }
    vec![(Harm::Other, format!("{what}: pruned again, {kept} are kept: {}", again.stderr))]
}

fn next(stage: &Stage) -> Errand {
    let text = stage.text(None);
    sent(&stage.world, &text.words);
    Errand::of(["inbox", "next", "--agent", "agent1"]).with(text_for_agent1(stage, text.words))
}

/// What was not printed is printed now; then it is taken.
fn shown_at_least_once(attempt: &Attempt<'_>) -> Vec<Finding> {
    let Attempt { stage, errand, ended, what, .. } = attempt;
    let words = &errand.text.as_ref().unwrap().words;
    let again = stage.world.netsky(&errand.arguments).run();
    let mut found = Vec::new();
    if ![&ended.ran, &again].iter().any(|ran| ran.stdout.contains(words.as_str())) {
        found.push((Harm::Lost, format!("{what}: not shown: {} {}", again.code, again.stdout)));
    }
    take_all(&stage.world);
    found
}

/// The copy in the inbox is cut short.
fn next_damaged(stage: &Stage) -> Errand {
    let errand = next(stage);
    cut_short(&stage.world.home.join("inbox/agent1"));
    errand
}

/// The copy in the archive is cut short.
fn show_damaged(stage: &Stage) -> Errand {
    let text = stage.text(None);
    let id = sent(&stage.world, &text.words);
    cut_short(&stage.world.home.join("handoff/archive"));
    Errand::of(["handoff", "show", &id]).with(text_for_agent1(stage, text.words))
}

/// Halves the newest envelope of a directory.
fn cut_short(dir: &Path) {
    let envelopes = files(dir).into_iter().filter(|path| path.is_file());
    let newest = envelopes.max().unwrap();
    let whole = std::fs::read(&newest).unwrap();
    std::fs::write(newest, &whole[..whole.len() / 2]).unwrap();
}

/// The other copy stands in its place, and what was damaged lies aside.
fn mended_and_shown(attempt: &Attempt<'_>) -> Vec<Finding> {
    let Attempt { stage, what, .. } = attempt;
    let found = shown_at_least_once(attempt);
    let asides = ["inbox/agent1/corrupt", "handoff/archive/corrupt"].map(|dir| stage.world.home.join(dir));
    if asides.iter().all(|dir| files(dir).is_empty()) {
        return vec![(Harm::Lost, format!("{what}: what was damaged is nowhere"))];
    }
    for dir in asides {
        // The next one of this home is not to find it.
        std::fs::remove_dir_all(dir).ok();
    }
    found
}

fn take_all(world: &World) {
    let list = world.netsky(["inbox", "list", "--agent", "agent1", "--json"]).run().expect(0);
    for envelope in list.json()["envelopes"].as_array().unwrap() {
        let id = envelope["id"].as_str().unwrap();
        world.netsky(["inbox", "done", "--agent", "agent1", id]).run().expect(0);
    }
}

/// Three parts, of which one was printed.
fn next_part(stage: &Stage) -> Errand {
    let world = &stage.world;
    let words =
        (0..).map(|line| format!("line {line} of number {}", stage.uses)).take(1000).collect::<Vec<_>>();
    let words = words.join("\n");
    let file = world.write("long.md", &words);
    world.netsky(["send", "agent1", "--file", file.to_str().unwrap()]).run().expect(0);
    world.netsky(["inbox", "next", "--agent", "agent1"]).run().expect(0);
    Errand::of(["inbox", "next", "--agent", "agent1"]).with(text_for_agent1(stage, words))
}

fn all_parts_are_shown(attempt: &Attempt<'_>) -> Vec<Finding> {
    let Attempt { stage, errand, ended, what, .. } = attempt;
    let mut printed = ended.ran.stdout.clone();
    for _ in 0..4 {
        printed.push_str(&stage.world.netsky(&errand.arguments).run().stdout);
    }
    let lines = [400, 600, 800, 999].map(|line| format!("line {line} of number {}", stage.uses));
    let skipped = lines.iter().filter(|line| !printed.contains(line.as_str()));
    let found = skipped.map(|line| (Harm::Lost, format!("{what}: never printed: {line}"))).collect();
    take_all(&stage.world);
    found
}

fn done(stage: &Stage) -> Errand {
    let text = stage.text(None);
    let id = sent(&stage.world, &text.words);
    stage.world.netsky(["inbox", "next", "--agent", "agent1"]).run().expect(0);
    Errand::of(["inbox", "done", "--agent", "agent1", &id]).with(text_for_agent1(stage, text.words))
}

fn done_once(attempt: &Attempt<'_>) -> Vec<Finding> {
    let Attempt { stage, errand, what, .. } = attempt;
    let again = stage.world.netsky(&errand.arguments).run();
    match again.code {
        0 => Vec::new(),
        code => vec![(Harm::Other, format!("{what}: done again: {code} {}", again.stderr))],
    }
}
