//! netsky killed in the middle of a restart, at system calls chosen over its whole course; then one `up`.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::support::world::{NETSKY, files};
use crate::support::{World, tree};

/// Calls that change something that outlives the process.
const CALLS: [&str; 7] = ["rename", "renameat", "linkat", "unlink", "fsync", "sendto", "clone3"];

fn has_strace() -> bool {
    let has = Command::new("strace").arg("-V").output().is_ok_and(|output| output.status.success());
    assert!(has || std::env::var_os("CI").is_none(), "strace is missing: scripts/setup test");
    if !has {
        eprintln!("skipped: strace is missing");
    }
    has
}

fn traced(world: &World, options: &[String], note: &Path) -> i32 {
    let mut command = Command::new("strace");
    command.args(["-qq", "-o"]).arg(world.root().join("trace")).args(options);
    command.arg(NETSKY).args(["restart", "1", "--handoff"]).arg(note);
    world.call(command).run().code
}

fn prepared() -> (World, std::path::PathBuf) {
    let world = World::new();
    world.netsky(["up", "1", "--agent", "demo"]).run().expect(0);
    let note = world.write("note.md", "do not lose me");
    (world, note)
}

/// How often each call is made by the process that restarts, in a run that nothing disturbs.
fn counted() -> Vec<(&'static str, usize)> {
    let (world, note) = prepared();
    assert_eq!(traced(&world, &[format!("-etrace={}", CALLS.join(","))], &note), 0);
    let trace = std::fs::read_to_string(world.root().join("trace")).unwrap();
    CALLS
        .map(|call| (call, trace.lines().filter(|line| line.starts_with(&format!("{call}("))).count()))
        .into()
}

/// After a kill: one `up`; then the hand-over is there once, wherever it is, and everything is closed.
fn recovers(world: &World, note: &Path, what: &str) {
    world.netsky(["up", "1", "--agent", "demo"]).run().expect(0);
    let id_of = |name: &String| name.split('-').next().unwrap().to_owned();
    world.wait(
        &format!("{what}: the hand-over is taken, or was never claimed"),
        Duration::from_secs(20),
        || {
            let [new, shown, taken] = world.envelopes();
            (note.exists() || (new.is_empty() && shown.is_empty() && taken.len() == 1)).then_some(())
        },
    );
    let [new, shown, taken] = world.envelopes();
    let in_inbox: Vec<String> = new.iter().chain(&shown).chain(&taken).map(id_of).collect();
    let ids: BTreeSet<&String> = in_inbox.iter().collect();
    assert_eq!(ids.len(), in_inbox.len(), "{what}: twice in the inbox");
    assert_eq!(in_inbox.len() + usize::from(note.exists()), 1, "{what}: lost or doubled");
    let archived = files(&world.home.join("handoff/archive"));
    let archived: BTreeSet<String> =
        archived.iter().map(|path| id_of(&path.file_name().unwrap().to_str().unwrap().to_owned())).collect();
    assert!(in_inbox.iter().all(|id| archived.contains(id)), "{what}: not archived");
    let status = world.status();
    for agent in ["agent0", "agent1"] {
        assert!(["idle", "busy", "up"].contains(&world.state_of(agent).as_str()), "{what}: {status}");
    }
    let last = status["last_restart"]["phase"].as_str().map(str::to_owned);
    assert!(
        last.is_none_or(|phase| ["interrupted", "complete", "errored"].contains(&phase.as_str())),
        "{what}"
    );
    let mut generations: Vec<(String, String)> = Vec::new();
    for pid in tree::marked(&world.home) {
        let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        let environment = String::from_utf8_lossy(&environment).into_owned();
        let value = |name: &str| {
            environment.split('\0').find_map(|entry| entry.strip_prefix(name)).unwrap_or_default().to_owned()
        };
        if !value("NETSKY_AGENT=").is_empty() {
            generations.push((value("NETSKY_AGENT="), value("NETSKY_GENERATION=")));
        }
    }
    generations.sort();
    generations.dedup();
    assert!(generations.len() <= 2, "{what}: more than one generation of an agent lives: {generations:?}");
}

#[test]
fn killed_at_any_point_of_a_restart_one_up_recovers_and_the_hand_over_is_there_once() {
    if !has_strace() {
        return;
    }
    let counts = counted();
    let total: usize = counts.iter().map(|(_, count)| count).sum();
    assert!(total > 60, "{counts:?}");
    let points: Vec<(&str, usize)> =
        counts.iter().flat_map(|(call, count)| (1..=*count).map(move |nth| (*call, nth))).collect();
    // Every point takes a second; the whole sweep is a command of its own.
    let step =
        if std::env::var_os("NETSKY_TEST_FULL_SWEEP").is_some() { 1 } else { points.len().div_ceil(24) };
    let mut tried = 0;
    for (call, nth) in points.iter().step_by(step) {
        let what = format!("killed before {call} number {nth}");
        let (world, note) = prepared();
        let options = [format!("-etrace={call}"), format!("-einject={call}:signal=SIGKILL:when={nth}")];
        let code = traced(&world, &options, &note);
        assert!(code == 137 || code == 0, "{what}: {code}");
        recovers(&world, &note, &what);
        tried += 1;
    }
    println!("{tried} of {} points tried ({counts:?})", points.len());
}
