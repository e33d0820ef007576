//! Frozen while a client of netsky talks to the server: before it has spoken, and after each of its sends.

use std::time::{Duration, Instant};

use crate::bot;
use crate::held;
use crate::recovery;
use crate::stand_in::{At, StandIn, wait_closely};
use crate::support::{World, tree};
use crate::sweep::{Finding, Harm, Run, Tally};

use super::gauge::{Gauge, Try};
use super::scene::Scene;

/// A verb in whose midst the server freezes.
#[derive(Debug, Clone, Copy)]
struct Case {
    /// What ran before: clones of bots, or of demo agents.
    before: Before,
    verb: &'static [&'static str],
    /// Which clients: all, or those that matter here and nowhere else.
    clients: (usize, usize),
    after: After,
    /// How long the verb may rest between two clients.
    rest: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Before {
    Nothing,
    Bots(&'static str),
    Demo,
}

use Before::{Bots, Demo, Nothing};

/// What must hold when the server goes on and the next command has run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum After {
    /// `up 1`, and agents live once.
    Up,
    /// `up 1`, and where what was spawned was given up there are agent0 and agent1 alone.
    UpAlone,
    /// `down`, and nothing is left.
    Down,
    /// Nothing to be done.
    Same,
}

const ALL: (usize, usize) = (0, 9);

const NONE: Duration = Duration::ZERO;

impl Case {
    fn limit(self) -> Duration {
        if self.clients.0 == self.clients.1 { LIMIT_OF_MANY } else { LIMIT }
    }
}

#[rustfmt::skip]
const CASES: [Case; 9] = [
    Case { before: Bots("1"), verb: &["restart", "24"], clients: (3, 3), after: After::UpAlone, rest: NONE },
    Case { before: Bots("1"), verb: &["restart", "1"], clients: ALL, after: After::Up, rest: NONE },
    Case { before: Bots("24"), verb: &["down"], clients: (2, 2), after: After::Down, rest: NONE },
    Case { before: Bots("1"), verb: &["restart", "agent1"], clients: ALL, after: After::Up, rest: NONE },
    Case { before: Bots("1"), verb: &["up", "20"], clients: (1, 1), after: After::UpAlone, rest: NONE },
    Case { before: Bots("1"), verb: &["down"], clients: ALL, after: After::Down, rest: NONE },
    Case { before: Demo, verb: &["send", "agent0", "hello"], clients: ALL, after: After::Same, rest: NONE },
    Case {
        before: Demo, verb: &["logs", "-f", "agent0"], clients: (0, 2), after: After::Same,
        rest: Duration::from_millis(500),
    },
    Case { before: Nothing, verb: &["up", "0", "--agent", "demo"], clients: (4, 5), after: After::Up, rest: NONE },
];

/// How long netsky waits for an answer here; longer where a busy machine takes long for what is asked.
const LIMIT: Duration = Duration::from_millis(800);
const LIMIT_OF_MANY: Duration = Duration::from_millis(2_000);

/// Long beyond every limit.
const ENDS_WITHIN: Duration = Duration::from_secs(30);

/// What may be carried out late, at the most.
const LARGEST_GROUP: usize = 8;

pub fn run(run: &Run, gauge: &Gauge) -> Tally {
    // A broken build is red in the first.
    let cases = if run.is_broken() { &CASES[..1] } else { &CASES[..] };
    let points: Vec<(Case, At)> = cases.iter().flat_map(|case| points(run, *case)).collect();
    run.points(&points, 36, 8, |(case, at)| {
        let what = format!("{:?} frozen at {at}", case.verb);
        gauge.measure(&what, || attempt(run, *case, *at, &what))
    })
}

fn prepared(run: &Run, case: Case) -> (World, StandIn) {
    let mut world = run.world();
    let stand_in = StandIn::before(&mut world);
    bot::prompt(&world, &bot::patient());
    match case.before {
        Nothing => {}
        Bots(clones) => drop(world.netsky(["up", clones]).run().expect(0)),
        Demo => drop(world.netsky(["up", "0", "--agent", "demo"]).run().expect(0)),
    }
    bot::prompt(&world, &bot::limits(case.limit()));
    (world, stand_in)
}

/// Every client of a case, before it speaks and after each of its sends.
fn points(run: &Run, case: Case) -> Vec<(Case, At)> {
    let (world, stand_in) = prepared(run, case);
    stand_in.count();
    if case.verb.contains(&"-f") {
        let mut child = world.netsky(case.verb.iter().copied()).start();
        world.wait("it follows", Duration::from_secs(20), || stand_in.has_reached(4).then_some(()));
        child.kill().unwrap();
        child.wait().unwrap();
    } else {
        world.netsky(case.verb.iter().copied()).run().expect(0);
    }
    let (first, last) = case.clients;
    let clients = stand_in.counted().into_iter().enumerate().skip(first).take(last - first + 1);
    clients.flat_map(|(client, sends)| (0..=sends).map(move |sends| (case, At { client, sends }))).collect()
}

/// `None`: the client did not come there this time.
fn attempt(run: &Run, case: Case, at: At, what: &str) -> Option<Try> {
    let (world, stand_in) = prepared(run, case);
    stand_in.hold(at);
    let mut child = world.netsky(case.verb.iter().copied()).start();
    // How often a client sends differs a little: one that follows is beyond it with the next client.
    let follows = case.verb.contains(&"-f");
    let held = stand_in.wait_for_held(at, || {
        child.try_wait().unwrap().is_some() || (follows && stand_in.has_reached(at.client + 1))
    });
    let Some(held) = held else {
        child.kill().unwrap();
        child.wait().unwrap();
        return None;
    };
    stand_in.disarm();
    // Screens of bots that come up change by themselves.
    let before = Scene::look(&world, at.sends == 0 && matches!(case.before, Demo | Nothing));
    // `None`: it was told to end, and has.
    let Some(server) = world.server_pid() else {
        drop(held);
        child.wait().unwrap();
        return None;
    };
    let frozen = held::freeze(server);
    let since = Instant::now();
    drop(held);
    let ended = wait_closely(ENDS_WITHIN, &mut || child.try_wait().unwrap());
    let took = since.elapsed();
    if ended.is_none() {
        child.kill().unwrap();
    }
    let output = child.wait_with_output().unwrap();
    drop(frozen);
    let (code, said) = (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned());
    let changed = before.until_now(&world);
    let mut done = Try { before_it_spoke: at.sends == 0, ..Try::default() };
    match code {
        Some(69) => done.overrun = Some(took.saturating_sub(case.limit() + case.rest)),
        Some(0) => done.findings.extend(truth(&world, case, what)),
        code => done.findings.push((Harm::Other, format!("{what}: {code:?} {said}"))),
    }
    if code == Some(69) && !said.contains("did not answer") {
        done.findings.push((Harm::Other, format!("{what}: 69 without its reason: {said}")));
    }
    // Who had not spoken has asked for nothing that is under way.
    if at.sends == 0 || changed > LARGEST_GROUP {
        done.late = changed;
    } else {
        done.group = changed;
    }
    if done.late > 0 {
        done.findings.push((Harm::Doubled, format!("{what}: {changed} commands were carried out late")));
    }
    // Sessions of which netsky knows that they were made are not given up.
    let gave_up = said.contains("making ");
    done.findings.extend(after(&world, case, gave_up, what));
    Some(done)
}

/// It said that it was done.
fn truth(world: &World, case: Case, what: &str) -> Vec<Finding> {
    let is_so = match case.after {
        After::Down => tree::marked(&world.home).is_empty(),
        After::Same => true,
        After::Up | After::UpAlone => world.sessions().iter().any(|name| name == "agent0"),
    };
    match is_so {
        true => Vec::new(),
        false => vec![(Harm::FalseSuccess, format!("{what}: 0, and there is {:?}", world.sessions()))],
    }
}

/// The next command ends what was made late.
fn after(world: &World, case: Case, gave_up: bool, what: &str) -> Vec<Finding> {
    let mut found = Vec::new();
    let next: &[&str] = match case.after {
        After::Up | After::UpAlone => &["up", "1"],
        After::Down => &["down"],
        After::Same => &["status"],
    };
    bot::prompt(world, &bot::patient());
    let ran = world.netsky(next.iter().copied()).run();
    if ran.code != 0 {
        found.push((Harm::Other, format!("{what}: then {next:?}: {} {}", ran.code, ran.stderr)));
    }
    found.extend(recovery::records(world, what));
    found.extend(recovery::generations(world, what));
    let sessions = world.sessions();
    match case.after {
        After::UpAlone if gave_up && sessions != ["agent0", "agent1"] => {
            found.push((Harm::Other, format!("{what}: then {next:?} leaves {sessions:?}")));
        }
        After::Down if !tree::marked(&world.home).is_empty() => {
            found.push((Harm::Other, format!("{what}: then {next:?} leaves processes, and {sessions:?}")));
        }
        _ => {}
    }
    found
}
