//! The server killed while netsky stands at one of its calls, under agents that hang-up and TERM do not end and that
//! leave children outside of their session.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use crate::bot;
use crate::held::{self, Held};
use crate::recovery;
use crate::sampler::Sampler;
use crate::stand_in::wait_closely;
use crate::strace::{self, Point};
use crate::support::world::files;
use crate::support::{World, tree};
use crate::sweep::{Finding, Harm, Run, Tally, Trial};

const TEXT: &str = "do not lose me";

/// Every fifth call: each phase has many.
const EVERY: usize = 5;

/// Long beyond every limit.
const ENDS_WITHIN: Duration = Duration::from_secs(60);

/// What is struck.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verb {
    Restart,
    Up,
    UpOneMore,
    Down,
}

impl Verb {
    const ALL: [Self; 4] = [Self::Restart, Self::Up, Self::UpOneMore, Self::Down];

    fn words(self) -> &'static [&'static str] {
        match self {
            Self::Restart => &["restart", "1", "--handoff", "note.md"],
            Self::Up => &["up", "1"],
            Self::UpOneMore => &["up", "2"],
            Self::Down => &["down"],
        }
    }

    /// When it last wrote down what has become of the agents: what happens later it need not know.
    fn last_word(self, world: &World) -> SystemTime {
        let path = match self {
            Self::Restart => files(&world.home.join("state/restart-status")).pop().unwrap(),
            Self::Up | Self::UpOneMore | Self::Down => world.home.join("state/agents.json"),
        };
        path.metadata().unwrap().modified().unwrap()
    }
}

pub fn run(run: &Run) -> Tally {
    let points: Vec<(Verb, Point)> = Verb::ALL.iter().flat_map(|verb| points(run, *verb)).collect();
    let sampler = Sampler::start();
    run.points(&points, 24, 4, |(verb, point)| attempt(run, *verb, point, &sampler))
}

fn prepared(run: &Run, verb: Verb) -> (World, PathBuf) {
    let world = run.world();
    let (netsky, limits) = (run.netsky(), bot::patient());
    world.configure(&format!(
        "[constellation]\nagent = \"tough\"\nroot_agent = \"tough\"\n\
         {limits}[restart]\nstop_grace = \"300ms\"\nup_wait = \"20s\"\n\
         [profile.tough]\nbase = \"demo\"\nmemory = \"1MiB\"\n\
         command = [{netsky:?}, \"demo-agent\", \"--trusted\", \"--fail\", \"trap\", \"--fail\", \"orphan\"]\n"
    ));
    if verb == Verb::Up {
        // Killed before, so that `up` has something to end.
        world.netsky(["up", "1"]).run().expect(0);
        held::kill(world.server_pid().unwrap());
    } else {
        world.netsky(["up", "1"]).run().expect(0);
    }
    let note = world.write("note.md", TEXT);
    (world, note)
}

fn points(run: &Run, verb: Verb) -> Vec<(Verb, Point)> {
    let (world, _) = prepared(run, verb);
    let mut counting = strace::counting(&world, run.netsky());
    counting.args(verb.words());
    world.call(counting).run().expect(0);
    strace::counted(&world).into_iter().step_by(EVERY).map(|point| (verb, point)).collect()
}

/// How a verb ended whose server was killed.
struct Ended {
    code: Option<i32>,
    said: String,
    /// When the server died.
    died: Option<SystemTime>,
}

fn attempt(run: &Run, verb: Verb, point: &Point, sampler: &Sampler) -> Trial {
    let what = format!("{verb:?}: the server killed after {point}");
    let (world, note) = prepared(run, verb);
    let Ended { code, said, died } = struck(&world, run, verb, point);
    // What a verb says after the death is held against it; where nobody died it was not struck.
    let spoke_later = died.is_some_and(|died| verb.last_word(&world) > died);
    let mut found = Vec::new();
    if ![Some(0), Some(1), Some(3), Some(69)].contains(&code) || said.contains("panicked") {
        found.push((Harm::Other, format!("{what}: {code:?} {said}")));
    }
    let is_false = match verb {
        Verb::Down => !tree::marked(&world.home).is_empty(),
        Verb::Restart | Verb::Up | Verb::UpOneMore => spoke_later && world.server_pid().is_none(),
    };
    if code == Some(0) && is_false {
        found.push((Harm::FalseSuccess, format!("{what}: 0, and it is not so: {said}")));
    }
    found.extend(match verb {
        Verb::Restart => recovery::findings_after_up(&world, &note, TEXT, &what),
        Verb::Up | Verb::UpOneMore => then(&world, &["up", "1"], &what),
        Verb::Down => then(&world, &["down"], &what),
    });
    found.extend(sampler.findings(&world.home, &what));
    Trial { came: died.is_some(), findings: found }
}

/// Has the verb stop at its call, kills the server, and lets the verb go on.
fn struck(world: &World, run: &Run, verb: Verb, point: &Point) -> Ended {
    let trace = world.root().join("trace");
    let mut command = held::command(&trace, point, run.netsky());
    command.args(verb.words());
    let mut child = world.call(command).start();
    let held = Held::by(&trace, child.id().cast_signed());
    let mut is_over = false;
    let stopped = wait_closely(ENDS_WITHIN, &mut || {
        let stopped = held.look();
        is_over = is_over || (stopped.is_none() && child.try_wait().unwrap().is_some());
        (stopped.is_some() || is_over).then_some(stopped)
    });
    let died = stopped.flatten().and_then(|stopped| {
        world.server_pid().map(held::kill)?;
        let died = SystemTime::now();
        drop(stopped);
        Some(died)
    });
    if wait_closely(ENDS_WITHIN, &mut || child.try_wait().unwrap()).is_none() {
        child.kill().unwrap();
    }
    let output = child.wait_with_output().unwrap();
    Ended { code: output.status.code(), said: String::from_utf8_lossy(&output.stderr).into_owned(), died }
}

/// The next command does what it says, and leaves nothing that it should not.
fn then(world: &World, verb: &[&str], what: &str) -> Vec<Finding> {
    let mut found = Vec::new();
    let ran = world.netsky(verb.iter().copied()).run();
    if ran.code != 0 {
        found.push((Harm::Other, format!("{what}: then {verb:?}: {} {}", ran.code, ran.stderr)));
    }
    let left = tree::marked(&world.home);
    if verb == ["down"] && !left.is_empty() {
        found.push((Harm::Other, format!("{what}: then {verb:?} leaves {left:?}")));
    }
    found.extend(recovery::generations(world, what));
    found
}
