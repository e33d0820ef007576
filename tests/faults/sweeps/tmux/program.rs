//! A program called tmux that is none, in front of a constellation that runs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::bot;
use crate::recovery;
use crate::stand_in::{StandIn, wait_closely};
use crate::support::{World, tree};
use crate::sweep::{Finding, Harm, Run, Tally};

const TEXT: &str = "do not lose me";

/// What stands in tmux's place.
#[derive(Debug, Clone, Copy)]
enum Program {
    /// Nothing.
    Missing,
    /// A file that cannot be run.
    NotExecutable,
    /// A shell script.
    Script(&'static str),
}

/// With how long an answer is waited for: most are never done, and some are to be heard to their end.
const PROGRAMS: [(Program, Duration); 17] = [
    (Program::Missing, SHORT),
    (Program::NotExecutable, SHORT),
    (Program::Script("echo 'tmux 3.0a'"), SHORT),
    (Program::Script("echo 'tmux 3.3a'"), SHORT),
    (Program::Script("printf '\\033]0;x\\007\\000\\377 garbage\\n'"), SHORT),
    (Program::Script("printf 'garbage' >&2; exit 1"), SHORT),
    (Program::Script("printf 'half a li'"), SHORT),
    (Program::Script("exit 0"), SHORT),
    (Program::Script("exit 3"), SHORT),
    (Program::Script("kill -9 $$"), SHORT),
    (Program::Script("echo 'no server running on /x' >&2; exit 1"), SHORT),
    (Program::Script("exec head -c 1073741824 /dev/zero"), LONG),
    (Program::Script("exec head -c 1073741824 /dev/zero >&2"), LONG),
    (Program::Script("exec cat /dev/zero"), SHORT),
    (Program::Script("exec sleep 1000"), SHORT),
    (Program::Script("trap '' TERM HUP INT; while :; do sleep 1; done"), SHORT),
    (Program::Script("(sleep 20) & exit 3"), SHORT),
];

const SHORT: Duration = Duration::from_millis(400);

const LONG: Duration = Duration::from_secs(20);

const VERBS: [&[&str]; 10] = [
    &["restart", "1", "--handoff", "note.md"],
    &["restart", "agent1"],
    &["up", "2"],
    &["down"],
    &["down", "agent1"],
    &["status"],
    &["send", "agent0", "hello"],
    &["logs", "agent0"],
    &["attach"],
    &["handoff", "deliver", "note.md"],
];

/// A server of which nothing is heard but that runs is waited for a little.
const SOCKET_WAIT: Duration = Duration::from_secs(1);

/// What a verb may take besides waiting, on a busy machine.
const SLACK: Duration = Duration::from_secs(2);

/// So much memory netsky may use, in kB.
const MEMORY: u64 = 64 << 10;

type Point = (Program, Duration, &'static [&'static str]);

pub fn run(run: &Run) -> Tally {
    // What takes long is tried by few.
    let verbs =
        |limit: Duration| if limit == LONG { VERBS.iter().step_by(5) } else { VERBS.iter().step_by(1) };
    let points: Vec<Point> = PROGRAMS
        .iter()
        .flat_map(|(program, limit)| verbs(*limit).map(|verb| (*program, *limit, *verb)))
        .collect();
    let largest = Mutex::new(0);
    let tally = run.points(&points, 20, 4, |point| attempt(run, *point, &largest));
    let largest = largest.into_inner().unwrap();
    tally.note(format!("beside programs that are no tmux netsky used {} MiB at most", largest >> 10))
}

fn attempt(run: &Run, (program, limit, verb): Point, largest: &Mutex<u64>) -> Vec<Finding> {
    let what = format!("{verb:?} with {program:?} as tmux");
    let (world, stand_in) = prepared(run, limit);
    let note = world.write("note.md", TEXT);
    let (before, pids) = (listed(&world), world.root().join("pids"));
    let path = program.put(&world, &stand_in, &pids);
    let mut child = world.netsky(verb.iter().copied()).env("PATH", path).start();
    let (code, took, memory) = watched(&mut child);
    let output = child.wait_with_output().unwrap();
    stand_in.restore();
    note_largest(largest, memory);
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    let mut found = Vec::new();
    let mut expect = |is_so: bool, words: String| {
        if !is_so {
            found.push((Harm::Other, format!("{what}: {words}")));
        }
    };
    let is_named = said.contains("tmux") && !said.contains("panicked");
    expect(matches!(code, Some(1 | 69 | 78)) && is_named, format!("{code:?} {said}"));
    let is_plain = said.chars().all(|c| c == '\n' || !c.is_control());
    expect(is_plain, format!("it printed control characters: {said:?}"));
    expect(took <= limit + SOCKET_WAIT + SLACK, format!("it took {took:?}"));
    expect(memory <= MEMORY, format!("it used {memory} kB"));
    let left: Vec<i32> = lines(&pids).into_iter().filter(|pid| tree::is_alive(*pid)).collect();
    expect(left.is_empty(), format!("{left:?} were left"));
    let now = listed(&world);
    expect(now == before, format!("it was\n{before}and is\n{now}{said}"));
    found.extend(recovered(&world, verb, &note, &what));
    found
}

fn note_largest(largest: &Mutex<u64>, memory: u64) {
    let mut largest = largest.lock().unwrap();
    *largest = memory.max(*largest);
}

fn prepared(run: &Run, limit: Duration) -> (World, StandIn) {
    let mut world = run.world();
    let stand_in = StandIn::before(&mut world);
    bot::prompt(&world, &bot::patient());
    world.netsky(["up", "1"]).run().expect(0);
    bot::prompt(&world, &bot::limits(limit));
    (world, stand_in)
}

impl Program {
    /// Puts it in tmux's place; the PATH on which it stands. Scripts write their pids down.
    fn put(self, world: &World, stand_in: &StandIn, pids: &Path) -> PathBuf {
        let dull = world.root().join("dull");
        match self {
            Self::Missing => dull,
            Self::NotExecutable => {
                fs::create_dir(&dull).unwrap();
                fs::write(dull.join("tmux"), "").unwrap();
                dull
            }
            Self::Script(script) => {
                stand_in.replace(&format!("#!/bin/sh\nPATH=/usr/bin:/bin\necho $$ >>{pids:?}\n{script}\n"));
                stand_in.dir().to_owned()
            }
        }
    }
}

/// With tmux in its place again everything goes on, and no text is lost.
fn recovered(world: &World, verb: &[&str], note: &Path, what: &str) -> Vec<Finding> {
    let mut found = Vec::new();
    bot::prompt(world, &bot::patient());
    let ran = world.netsky(["up", "1"]).run();
    if ran.code != 0 || !ran.stderr.contains("left alone what runs: agent0, agent1") {
        found.push((Harm::Other, format!("{what}: then up: {} {}", ran.code, ran.stderr)));
    }
    if verb.contains(&"note.md") {
        found.extend(recovery::hand_over(world, note, TEXT, what));
    }
    if verb.contains(&"send") && world.envelopes()[0].len() != 1 {
        found.push((Harm::Lost, format!("{what}: it was not kept: {:?}", world.envelopes())));
    }
    found.extend(recovery::records(world, what));
    found
}

fn listed(world: &World) -> String {
    world
        .tmux(&[
            "list-panes",
            "-a",
            "-F",
            "#{session_id} #{session_name} #{pane_id} #{pane_pid} #{pane_dead}",
        ])
        .stdout
}

fn lines(path: &Path) -> Vec<i32> {
    fs::read_to_string(path).unwrap_or_default().lines().filter_map(|line| line.parse().ok()).collect()
}

/// Its exit code, how long it took, and the most memory that it was seen to have, in kB.
fn watched(child: &mut Child) -> (Option<i32>, Duration, u64) {
    let begun = Instant::now();
    let status = format!("/proc/{}/status", child.id());
    let mut memory = 0;
    let ended = wait_closely(Duration::from_secs(60), &mut || {
        let status = fs::read_to_string(&status).unwrap_or_default();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        memory = peak
            .and_then(|peak| peak.trim().strip_suffix("kB")?.trim().parse().ok())
            .unwrap_or(0)
            .max(memory);
        child.try_wait().unwrap()
    });
    if ended.is_none() {
        child.kill().unwrap();
    }
    (ended.and_then(|status| status.code()), begun.elapsed(), memory)
}
