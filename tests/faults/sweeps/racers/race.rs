//! One race: who enters, how they are hindered, and what must be so when all have arrived.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use crate::held::{self, Held, Stopped};
use crate::sampler::Sampler;
use crate::stand_in::wait_closely;
use crate::strace::Point;
use crate::sweep::{Finding, Harm};

use super::arena::{Arena, Ledger};

/// What an entrant runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    Restart,
    Detached,
    Up,
    Down,
    Deliver,
    Write,
}

/// What is in its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hindrance {
    None,
    /// Held up before a call, so many microseconds.
    Delayed(Point, u32),
    /// Stopped after a call until the others have ended or wait.
    Stopped(Point),
}

#[derive(Debug, Clone)]
pub struct Entrant {
    pub verb: Verb,
    pub hindrance: Hindrance,
}

#[derive(Debug, Clone)]
pub struct Race {
    pub number: usize,
    pub entrants: Vec<Entrant>,
}

/// A loser is told so within this.
const LOSES_WITHIN: Duration = Duration::from_secs(1);

/// Who has not lost by then is at work.
const ALL_BUT_ONE_WITHIN: Duration = Duration::from_secs(4);

/// Who has not arrived by then never will.
const ARRIVES_WITHIN: Duration = Duration::from_secs(10);

/// What came of a race.
pub struct Report {
    pub found: Vec<Finding>,
    /// After how long losers were told so.
    pub lost_after: Vec<Duration>,
    /// How many losers ran while nobody else did anything, so that all that was written would have been theirs.
    pub watched: usize,
}

/// All are off.
struct Start {
    racers: Vec<Racer>,
    found: Vec<Finding>,
    watched: usize,
}

/// An entrant under way.
struct Racer {
    verb: Verb,
    child: Child,
    since: Instant,
    trace: PathBuf,
    arrived: Option<Arrival>,
}

#[derive(Debug)]
struct Arrival {
    code: i32,
    took: Duration,
    said: String,
}

impl Race {
    /// Has it run.
    pub fn run(&self, arena: &Arena, sampler: &Sampler) -> Report {
        let what = format!("race {} {:?}", self.number, self.entrants);
        let text = format!("the hand-over of race {}", self.number);
        let source = arena.world.write(&format!("note-{}.md", self.number), &text);
        let before = arena.ledger();
        arena.gate.close();
        let mut start = self.start(arena, &source, &what);
        let (mut found, mut racers) = (std::mem::take(&mut start.found), start.racers);
        if !until_one_is_left(&mut racers) {
            let waiting: Vec<Verb> =
                racers.iter().filter(|racer| racer.arrived.is_none()).map(|racer| racer.verb).collect();
            found.push((Harm::Doubled, format!("{what}: {waiting:?} are all at work")));
        }
        arena.gate.open();
        let arrivals: Vec<(Verb, Arrival)> = racers.into_iter().map(Racer::arrive).collect();
        if !arena.wait_for_peace() {
            found.push((Harm::Other, format!("{what}: somebody still has the lock")));
        }
        found.extend(judged(&arrivals, &what));
        found.extend(self.books(arena, &arrivals, &before, &what));
        found.extend(self.hand_over(arena, &arrivals, &text, &source, &what));
        found.extend(sampler.findings(&arena.world.home, &what));
        if self.entrants.iter().any(|entrant| entrant.verb == Verb::Up) {
            arena.world.netsky(["down", "agent2"]).run().expect(0);
        }
        let losers = arrivals.iter().filter(|(_, arrival)| arrival.code == 75);
        Report {
            found,
            lost_after: losers.map(|(_, arrival)| arrival.took).collect(),
            watched: start.watched,
        }
    }

    /// Starts all; whoever is stopped comes first, and goes on when the others have ended or wait.
    fn start(&self, arena: &Arena, source: &Path, what: &str) -> Start {
        let mut start = Start { racers: Vec::new(), found: Vec::new(), watched: 0 };
        let Some(stopped) = self.start_first(arena, source, &mut start.racers) else {
            start.racers.extend(self.start_rest(arena, source));
            return start;
        };
        // While the holder stands still whatever is written is a loser's.
        let photograph = (arena.is_locked() && !self.has_writer()).then(|| arena.photograph());
        start.watched = usize::from(photograph.is_some());
        let mut rest = self.start_rest(arena, source);
        let mut are_done = || {
            rest.iter_mut().for_each(Racer::look);
            (rest.iter().all(|racer| racer.arrived.is_some()) || arena.gate.is_awaited()).then_some(())
        };
        if wait_closely(ARRIVES_WITHIN, &mut are_done).is_none() {
            start.found.push((Harm::Other, format!("{what}: who found the lock taken does not end")));
        }
        if let Some(before) = photograph {
            let now = arena.photograph();
            let changed: Vec<_> = now.iter().filter(|(path, held)| before.get(*path) != Some(held)).collect();
            if !changed.is_empty() || now.len() != before.len() {
                start.found.push((Harm::Other, format!("{what}: a loser wrote {changed:?}")));
            }
        }
        drop(stopped);
        if let Some(first) = start.racers.first_mut() {
            first.since = Instant::now();
        }
        start.racers.extend(rest);
        start
    }

    fn has_writer(&self) -> bool {
        self.entrants.iter().any(|entrant| entrant.verb == Verb::Write)
    }

    /// Starts the first; it, once it stands still, if it is to be stopped.
    fn start_first(&self, arena: &Arena, source: &Path, racers: &mut Vec<Racer>) -> Option<Stopped> {
        let mut first = self.start_one(arena, source, 0);
        let is_to_stop = matches!(self.entrants[0].hindrance, Hindrance::Stopped(_));
        let stopped = is_to_stop.then(|| first.wait_for_stop(arena)).flatten();
        racers.push(first);
        stopped
    }

    fn start_rest(&self, arena: &Arena, source: &Path) -> Vec<Racer> {
        (1..self.entrants.len()).map(|number| self.start_one(arena, source, number)).collect()
    }

    fn start_one(&self, arena: &Arena, source: &Path, number: usize) -> Racer {
        let Entrant { verb, hindrance } = &self.entrants[number];
        // Of its own: what an earlier race left there must not be read.
        let trace = arena.world.root().join(format!("trace-{}-{number}", self.number));
        let mut command = match hindrance {
            Hindrance::None => Command::new(&arena.netsky),
            Hindrance::Delayed(point, delay) => delayed(&trace, point, *delay, &arena.netsky),
            Hindrance::Stopped(point) => held::command(&trace, point, &arena.netsky),
        };
        command.args(arguments(*verb, source, self.has_writer()));
        let child = arena.world.call(command).start();
        Racer { verb: *verb, child, since: Instant::now(), trace, arrived: None }
    }

    /// Who won began one record and raised the epochs once; who lost did neither.
    fn books(
        &self,
        arena: &Arena,
        arrivals: &[(Verb, Arrival)],
        before: &Ledger,
        what: &str,
    ) -> Vec<Finding> {
        let count = |verbs: &[Verb]| {
            arrivals.iter().filter(|(verb, arrival)| verbs.contains(verb) && arrival.code != 75).count()
        };
        let records = count(&[Verb::Restart, Verb::Detached]);
        let raised = count(&[Verb::Restart, Verb::Detached, Verb::Up, Verb::Down]);
        let expected = Ledger { records: before.records + records, epochs: before.epochs + raised as u64 };
        let now = arena.ledger();
        if now == expected {
            return Vec::new();
        }
        vec![(Harm::Other, format!("{what}: {now:?}, where {expected:?} was expected: {arrivals:?}"))]
    }

    /// Both were given the same text: it arrives once, or stays where it is.
    fn hand_over(
        &self,
        arena: &Arena,
        arrivals: &[(Verb, Arrival)],
        text: &str,
        source: &Path,
        what: &str,
    ) -> Vec<Finding> {
        let has_writer = self.has_writer();
        let draft = arena.world.home.join("handoff/draft/agent0.md");
        let seen = arena.whereabouts(text, if has_writer { &draft } else { source });
        let mut found = Vec::new();
        match seen.envelopes + seen.claims + usize::from(seen.is_at_source) {
            0 => found.push((Harm::Lost, format!("{what}: the hand-over is nowhere: {seen:?}"))),
            1 => {}
            // A draft stays where it was written until the next one replaces it.
            2 if has_writer && seen.envelopes == 1 => {}
            _ => found.push((Harm::Doubled, format!("{what}: {seen:?}"))),
        }
        if seen.archived < seen.envelopes {
            found.push((Harm::Lost, format!("{what}: not archived: {seen:?}")));
        }
        if seen.claims != 0 {
            found.push((Harm::Other, format!("{what}: a claim is left: {seen:?}")));
        }
        let takes = |verb: Verb| matches!(verb, Verb::Restart | Verb::Detached | Verb::Deliver);
        let delivers = arrivals.iter().any(|(verb, arrival)| takes(*verb) && arrival.code == 0);
        if delivers && !has_writer && seen.envelopes == 0 {
            found.push((Harm::FalseSuccess, format!("{what}: it was not delivered: {seen:?}")));
        }
        found
    }
}

/// Exit codes and times.
fn judged(arrivals: &[(Verb, Arrival)], what: &str) -> Vec<Finding> {
    let mut found = Vec::new();
    let all_rival =
        arrivals.iter().all(|(verb, _)| matches!(verb, Verb::Restart | Verb::Detached | Verb::Up));
    let winners = arrivals.iter().filter(|(_, arrival)| arrival.code == 0).count();
    if winners == 0 || (all_rival && winners > 1) {
        let harm = if winners > 1 { Harm::Doubled } else { Harm::Other };
        found.push((harm, format!("{what}: {winners} won: {arrivals:?}")));
    }
    let delivers = arrivals.iter().any(|(verb, _)| *verb == Verb::Deliver);
    for (verb, arrival) in arrivals {
        let is_allowed = match arrival.code {
            0 => true,
            75 => *verb != Verb::Write,
            // The file that it was to take is gone by then, and nothing was torn down.
            1 => *verb == Verb::Restart && delivers && arrival.said.contains("does not exist"),
            _ => false,
        };
        if !is_allowed {
            found.push((Harm::Other, format!("{what}: {verb:?}: {arrival:?}")));
        }
        if arrival.code == 75 && arrival.took >= LOSES_WITHIN {
            found.push((Harm::Other, format!("{what}: {verb:?} lost only after {:?}", arrival.took)));
        }
    }
    found
}

fn arguments(verb: Verb, source: &Path, has_writer: bool) -> Vec<std::ffi::OsString> {
    let words: &[&str] = match verb {
        Verb::Restart if has_writer => return vec!["restart".into(), "1".into()],
        Verb::Restart => &["restart", "1", "--handoff"],
        Verb::Detached => &["restart", "1", "--detach", "--handoff"],
        Verb::Up => return vec!["up".into(), "2".into()],
        Verb::Down => return vec!["down".into()],
        Verb::Deliver => &["handoff", "deliver"],
        Verb::Write => &["handoff", "write", "--agent", "agent0"],
    };
    words.iter().map(Into::into).chain([source.into()]).collect()
}

/// `program` held up before a call.
fn delayed(trace: &Path, point: &Point, delay: u32, program: &Path) -> Command {
    let Point { call, nth } = point;
    let mut command = Command::new("strace");
    command.args(["-qq", "-o"]).arg(trace).arg(format!("-etrace={call}"));
    command.arg(format!("-einject={call}:delay_enter={delay}:when={nth}")).arg(program);
    command
}

/// Waits until all but one have arrived.
fn until_one_is_left(racers: &mut [Racer]) -> bool {
    let mut look = || {
        racers.iter_mut().for_each(Racer::look);
        (racers.iter().filter(|racer| racer.arrived.is_none()).count() <= 1).then_some(())
    };
    wait_closely(ALL_BUT_ONE_WITHIN, &mut look).is_some()
}

impl Racer {
    fn look(&mut self) {
        if self.arrived.is_none() && self.child.try_wait().unwrap().is_some() {
            self.arrived = Some(self.read());
        }
    }

    fn read(&mut self) -> Arrival {
        use std::os::unix::process::ExitStatusExt;
        let took = self.since.elapsed();
        let status = self.child.wait().unwrap();
        let mut said = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        Arrival { code: status.code().unwrap_or_else(|| 128 + status.signal().unwrap()), took, said }
    }

    /// Waits for the end.
    fn arrive(mut self) -> (Verb, Arrival) {
        let held = Held::by(&self.trace, self.child.id().cast_signed());
        let mut look = || {
            self.look();
            // Who was to be stopped after the gate has come there only now.
            drop(held.look());
            self.arrived.take()
        };
        let arrival = wait_closely(ARRIVES_WITHIN, &mut look);
        let arrival = arrival.unwrap_or_else(|| {
            let pid = self.child.id().cast_signed();
            crate::support::world::signal(pid, "KILL");
            self.read()
        });
        (self.verb, arrival)
    }

    /// Waits until it stands still, has ended, or waits for its agents.
    fn wait_for_stop(&mut self, arena: &Arena) -> Option<Stopped> {
        let held = Held::by(&self.trace, self.child.id().cast_signed());
        let mut look = || {
            self.look();
            let stopped = held.look();
            (stopped.is_some() || self.arrived.is_some() || arena.gate.is_awaited()).then_some(stopped)
        };
        wait_closely(ARRIVES_WITHIN, &mut look).flatten()
    }
}
