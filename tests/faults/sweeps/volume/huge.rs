//! Single things of a gigabyte, and a screen of 64 MiB: refused by name or passed over, and never held in memory.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use rustix::fs::{CWD, Mode, mkfifoat};

use super::super::verbs::places::{CONFIG, wait_for_idle};
use super::heaps::{envelopes, id_of};
use super::{LIMIT, Point, Site, called, clipped, late_or_failed};
use crate::recovery;
use crate::support::World;
use crate::sweep::{Finding, Harm, Run};

const HUGE: u64 = 1 << 30;

pub const ALL: &[Point] = &[
    Point { name: "an event log whose one line is a gigabyte", check: event_log },
    Point { name: "an envelope of a gigabyte", check: envelope },
    Point { name: "a draft of a gigabyte", check: draft },
    Point { name: "a screen of 64 MiB", check: screen },
];

/// A file of that length which begins so; the rest of it is a hole.
fn huge(path: &Path, begin: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let mut file = fs::File::create(path).unwrap();
    file.write_all(begin.as_bytes()).unwrap();
    file.set_len(HUGE).unwrap();
}

fn all_well(world: &World, verbs: &[&[&str]]) -> Vec<Finding> {
    let call = |words: &&[&str]| late_or_failed(&called(world, words, &[]), words, LIMIT);
    verbs.iter().flat_map(call).collect()
}

fn event_log(run: &Run) -> Vec<Finding> {
    let Site { world, _memory } = &Site::still(run);
    huge(&world.home.join("log/events.jsonl"), "{\"at\":\"2026");
    let mut found =
        all_well(world, &[&["status"], &["history"], &["send", "agent0", "x"], &["handoff", "prune"]]);
    // Whatever is noted next turns it over.
    let marks = [("NETSKY_AGENT", "agent0".to_owned()), ("NETSKY_GENERATION", id_of(0))];
    found.extend(late_or_failed(&called(world, &["hook", "Stop"], &marks), &["hook"], LIMIT));
    let log = fs::metadata(world.home.join("log/events.jsonl"));
    if !log.is_ok_and(|log| (1..HUGE).contains(&log.len())) {
        found.push((Harm::Other, "it goes on growing".to_owned()));
    }
    found
}

/// Beside good ones, in each place.
fn envelope(run: &Run) -> Vec<Finding> {
    let mut found = Vec::new();
    for dir in ["inbox/agent0", "inbox/agent0/cur", "handoff/archive"] {
        let Site { world, _memory } = &Site::still(run);
        envelopes(world, &["handoff/archive", "inbox/agent0"], 1..4);
        let begin = format!(
            "{{\"version\":1,\"id\":\"{}\",\"from\":\"owner\",\"to\":\"agent0\",\"text\":\"",
            id_of(0)
        );
        huge(&world.home.join(dir).join(format!("{}-from-owner.json", id_of(0))), &begin);
        found.extend(all_well(
            world,
            &[&["status"], &["handoff", "list"], &["inbox", "list", "--all"], &["send", "agent0", "x"]],
        ));
        let next = called(world, &["inbox", "next"], &[]);
        found.extend(late_or_failed(&next, &["inbox", "next"], LIMIT));
        if !next.stdout.contains("text number 1;") {
            found.push((
                Harm::Lost,
                format!("{dir}: the oldest good one is not shown: {}", clipped(&next.stdout)),
            ));
        }
    }
    found
}

/// Refused by name before anything is torn down.
fn draft(run: &Run) -> Vec<Finding> {
    let Site { world, _memory } = &Site::bare(run);
    world.configure(CONFIG);
    world.netsky(["up", "0"]).run().expect(0);
    wait_for_idle(world);
    world.netsky(["handoff", "write", "--agent", "agent0", "-"]).stdin("a draft").run().expect(0);
    let living = recovery::living(world);
    let draft = world.home.join("handoff/draft/agent0.md");
    huge(&draft, "a draft");
    let ran = called(world, &["restart", "0"], &[]);
    let is_refused = ran.code == 1 && ran.stderr.contains(draft.to_str().unwrap()) && ran.took < LIMIT;
    let mut found = Vec::new();
    if !is_refused || recovery::living(world) != living {
        found.push((Harm::Other, format!("restart: {ran:?}")));
    }
    // Another one takes its place.
    let write = ["handoff", "write", "--agent", "agent0", "-"];
    found.extend(late_or_failed(&called(world, &write, &[]), &write, LIMIT));
    found
}

/// As much as a terminal keeps, of an agent that goes on living; it is kept when the agent is ended.
fn screen(run: &Run) -> Vec<Finding> {
    let Site { world, _memory } = &Site::bare(run);
    let go = world.work.join("go");
    mkfifoat(CWD, &go, Mode::RUSR | Mode::WUSR).unwrap();
    let script = format!(
        "echo session 1 up; read go <{go:?}; yes \"$(printf '%0160d' 7)\" | head -c 67108864; echo written; \
         exec sleep 1000"
    );
    world.configure(&format!(
        "{CONFIG}[profile.loud]\ncommand = [\"sh\", \"-c\", {script:?}]\nmemory = \"1MiB\"\n"
    ));
    world.netsky(["up", "0", "--agent", "loud"]).run().expect(0);
    fs::write(&go, "go\n").unwrap();
    world.wait("all is written", Duration::from_secs(60), || {
        world.screen("agent0").contains("written").then_some(())
    });
    let mut found = Vec::new();
    for words in [&["status"][..], &["logs", "agent0"], &["logs", "agent0", "-n", "10"], &["down"]] {
        found.extend(late_or_failed(&called(world, words, &[]), words, LIMIT));
    }
    let words = ["logs", "agent0", "--generation", "last"];
    let kept = called(world, &words, &[]);
    found.extend(late_or_failed(&kept, &words, LIMIT));
    if !kept.stdout.contains("written") || kept.stdout.lines().count() < 1_000 {
        found.push((Harm::Lost, format!("{} lines of it are kept", kept.stdout.lines().count())));
    }
    found
}
