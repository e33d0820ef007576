//! Verbs that reported success, and the power goes in that moment: what they reported is there.

use std::fs;
use std::path::PathBuf;

use super::{Powered, TEXT};
use crate::loop_disk::Image;
use crate::support::world::files;
use crate::sweep::{Finding, Harm, Run, Tally};

/// A verb, what comes before it, and what has to be so after it.
struct Report {
    before: &'static [&'static [&'static str]],
    verb: &'static [&'static str],
    stdin: &'static str,
    holds: fn(&Powered) -> bool,
}

const UP: &[&str] = &["up", "1", "--agent", "demo"];
const GIVEN: &[&str] = &["send", "agent0", TEXT];

const REPORTS: &[Report] = &[
    Report { before: &[], verb: UP, stdin: "", holds: |disk| runs(disk, "up") && epoch(disk) == 1 },
    Report {
        before: &[UP],
        verb: &["restart", "1", "--handoff", "-"],
        stdin: TEXT,
        holds: |disk| {
            let record = disk.world.records().pop().unwrap_or_default();
            let is_ended = record["phase"] == "complete" && record["exit_code"] == 0;
            is_ended && runs(disk, "restart") && epoch(disk) == 2 && texts(disk, "handoff/archive") == 1
        },
    },
    Report {
        before: &[UP],
        verb: &["down"],
        stdin: "",
        holds: |disk| {
            let desired = disk.json("state/desired.json");
            desired["verb"] == "down" && desired["agents"].as_object().is_some_and(|agents| agents.is_empty())
        },
    },
    Report {
        before: &[],
        verb: &["handoff", "deliver", "-"],
        stdin: TEXT,
        holds: |disk| texts(disk, "handoff/archive") == 1 && texts(disk, "inbox/agent0") == 1,
    },
    Report { before: &[], verb: GIVEN, stdin: "", holds: |disk| texts(disk, "inbox/agent0") == 1 },
    Report {
        before: &[],
        verb: &["send", "agent2", "--file", "-"],
        stdin: TEXT,
        holds: |disk| texts(disk, "inbox/agent2") == 1,
    },
    Report {
        before: &[GIVEN],
        verb: &["inbox", "next"],
        stdin: "",
        holds: |disk| texts(disk, "inbox/agent0/cur") == 1 && texts(disk, "inbox/agent0") == 0,
    },
    Report {
        before: &[GIVEN],
        verb: &["inbox", "done", "0"],
        stdin: "",
        holds: |disk| texts(disk, "inbox/agent0/done") == 1 && texts(disk, "inbox/agent0") == 0,
    },
    Report {
        before: &[],
        verb: &["handoff", "write", "--agent", "agent0", "-"],
        stdin: TEXT,
        holds: |disk| {
            let draft = fs::read_to_string(disk.world.home.join("handoff/draft/agent0.md"));
            draft.is_ok_and(|text| text == TEXT) && disk.json("handoff/draft/agent0.json").is_object()
        },
    },
    Report {
        before: &[],
        verb: &["trust", "/usr"],
        stdin: "",
        holds: |disk| {
            let config = fs::read_to_string(disk.world.home.join("config.toml"));
            config.is_ok_and(|text| text.contains("\"/usr\""))
        },
    },
];

fn runs(disk: &Powered, verb: &str) -> bool {
    let spawned = &disk.json("state/agents.json")["agents"]["agent0"];
    let desired = disk.json("state/desired.json");
    desired["verb"] == verb && desired["agents"]["agent0"].is_object() && spawned["ready"].is_object()
}

fn epoch(disk: &Powered) -> u64 {
    disk.json("state/owner-epochs.json")["all"].as_u64().unwrap_or_default()
}

/// How many files there hold the text.
fn texts(disk: &Powered, dir: &str) -> usize {
    let holds = |path: &PathBuf| fs::read_to_string(path).is_ok_and(|held| held.contains(TEXT));
    files(&disk.world.home.join(dir)).iter().filter(|path| holds(path)).count()
}

pub fn run(run: &Run) -> Tally {
    let template = Powered::template(run, |_| {});
    run.points(REPORTS, REPORTS.len(), 3, |report| reported(run, &template, report))
}

fn reported(run: &Run, template: &Image, report: &Report) -> Vec<Finding> {
    let Report { before, verb, stdin, holds } = report;
    let powered = Powered::of(run, template);
    for verb in *before {
        powered.world.netsky(verb.iter().copied()).run().expect(0);
    }
    powered.world.netsky(verb.iter().copied()).stdin(stdin).run().expect(0);
    powered.end_all();
    powered.disk.put(&powered.disk.cut("bare"));
    let what = format!("{verb:?} ended well and the power went");
    let mut found = powered.torn(&what);
    if !holds(&powered) {
        found.push((Harm::FalseSuccess, what));
    }
    found
}
