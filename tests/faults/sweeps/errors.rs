//! System calls that fail under every verb: the disk is full or broken, nothing may be opened or started any more.
//!
//! One call of one run is struck; then the verb has either said what failed, or all is as if nothing had happened. And
//! one recovery run makes everything right. Interrupted calls (EINTR) must not be noticed at all, so many of them are
//! struck in each run.

mod shots;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use shots::{Shot, Traced};

use super::complaint;
use super::verbs::{self, Verb};
use crate::strace;
use crate::support::World;
use crate::support::world::Ran;
use crate::sweep::{Finding, Flaw, Harm, Run, Sweep, Tally};

pub const ERRORS: Sweep = Sweep {
    name: "errors",
    promise: "whatever call fails, a verb says what failed or has done all of it; one `up` recovers, nothing is lost",
    flaw: Flaw { without: "errors", does: Harm::Torn },
    floor: 900,
    obstacle: strace::obstacle,
    run,
};

/// Many points wait for agents, so there are more workers than cores.
const WORKERS: usize = 5;

/// So many points the short form tries.
const SHORT: usize = 110;

/// A verb and what goes wrong in it.
struct Attempt {
    verb: &'static Verb,
    shot: Shot,
}

fn run(run: &Run) -> Tally {
    let campaign = Campaign {
        run,
        worlds: Mutex::default(),
        interrupted: AtomicUsize::new(0),
        struck: Mutex::default(),
    };
    // A build that does not heed errors is found out by the first verb.
    let verbs = if run.is_broken() { &verbs::ALL[..1] } else { verbs::ALL };
    let mut attempts: Vec<Attempt> = std::thread::scope(|scope| {
        let begin = |(turn, verb)| {
            scope.spawn({
                let campaign = &campaign;
                move || campaign.attempts(verb, turn)
            })
        };
        let counting: Vec<_> = verbs.iter().enumerate().map(begin).collect();
        counting.into_iter().flat_map(|counted| counted.join().unwrap()).collect()
    });
    let blindnesses = Shot::blindnesses().into_iter();
    attempts.extend(blindnesses.map(|shot| Attempt { verb: &verbs::RESTART_OVER_SURVIVOR, shot }));
    let tally = run.points(&attempts, SHORT, WORKERS, |attempt| campaign.attempt(attempt));
    campaign.account(tally)
}

/// Worlds are used again as long as nothing is wrong in them: coming up costs more than all that is tried.
struct Campaign<'r> {
    run: &'r Run,
    worlds: Mutex<BTreeMap<&'static str, Vec<World>>>,
    /// Calls that were interrupted.
    interrupted: AtomicUsize,
    /// Points that were struck, by the name of their verb, in which the call outlives the process or not.
    struck: Mutex<BTreeMap<(&'static str, bool), usize>>,
}

impl Campaign<'_> {
    /// A world in which the verb can be called.
    fn world(&self, verb: &Verb) -> World {
        let used = self.worlds.lock().unwrap().entry(verb.place.name()).or_default().pop();
        let world = used.unwrap_or_else(|| verb.place.build(self.run.world()));
        (verb.begin)(&world);
        world
    }

    fn leave(&self, verb: &Verb, world: World) {
        self.worlds.lock().unwrap().entry(verb.place.name()).or_default().push(world);
    }

    /// What can go wrong in a verb, as two runs in which nothing did show: by the second one a home has what netsky
    /// keeps for the next time.
    fn attempts(&self, verb: &'static Verb, turn: usize) -> Vec<Attempt> {
        let mut traced = Traced::default();
        for _ in 0..2 {
            let world = self.world(verb);
            let ran = self.called(verb, &world, &[format!("-etrace={}", shots::traced())]).expect(0);
            traced = Traced::read(&world);
            let found = (verb.judge)(&world, &ran, verbs::UNTOUCHED);
            assert!(found.is_empty(), "{} without any error: {found:?}", verb.name);
            self.leave(verb, world);
        }
        traced.shots(verb.reads, turn).into_iter().map(|shot| Attempt { verb, shot }).collect()
    }

    fn called(&self, verb: &Verb, world: &World, options: &[String]) -> Ran {
        let follow = verb.follow.then(|| "-f".to_owned());
        let options: Vec<String> =
            ["-y".to_owned()].into_iter().chain(follow).chain(options.iter().cloned()).collect();
        let mut command = strace::command(world, &options, self.run.netsky());
        command.args((verb.arguments)(world));
        let mut call = world.call(command).stdin(verb.stdin);
        for (name, value) in (verb.marks)(world) {
            call = call.env(name, value);
        }
        call.run()
    }

    /// `None`: its call did not come in this run.
    fn attempt(&self, Attempt { verb, shot }: &Attempt) -> Option<Vec<Finding>> {
        let world = self.world(verb);
        let ran = self.called(verb, &world, &shot.options(&world));
        let struck = shot.struck(&world);
        let Some(first) = struck.first() else {
            self.leave(verb, world);
            return None;
        };
        let what = format!("{}: {shot}: {first}", verb.name);
        let mut found = complaint::findings(&ran, &what);
        if shot.is_interruption() {
            self.interrupted.fetch_add(struck.len(), Ordering::Relaxed);
            found.extend(complaint::unchanged(&ran, &what));
        }
        *self.struck.lock().unwrap().entry((verb.name, shot.outlives())).or_default() += 1;
        found.extend((verb.judge)(&world, &ran, &what));
        if found.is_empty() {
            self.leave(verb, world);
        }
        Some(found)
    }

    /// Says what was struck.
    fn account(&self, tally: Tally) -> Tally {
        let struck = self.struck.lock().unwrap();
        let outliving: usize =
            struck.iter().filter(|((_, outlives), _)| *outlives).map(|(_, count)| count).sum();
        let restart: usize =
            struck.iter().filter(|((verb, _), _)| *verb == "restart").map(|(_, count)| count).sum();
        let by_verb: BTreeMap<&str, usize> =
            struck.iter().fold(BTreeMap::new(), |mut sums, ((verb, _), count)| {
                *sums.entry(verb).or_default() += count;
                sums
            });
        let interrupted = self.interrupted.load(Ordering::Relaxed);
        tally.note(format!(
            "{outliving} points in calls that write, rename, link, sync, spawn, connect or send; {restart} in restart; \
             {interrupted} calls interrupted; {by_verb:?}"
        ))
    }
}
