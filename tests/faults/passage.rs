//! Going through scenarios: each is done once in peace to learn its points, and then once for every point.

use std::cmp::Reverse;
use std::sync::Mutex;

use crate::errand::{Ended, Errand, Struck};
use crate::stage::{Attempt, Pool, Scenario, Victim};
use crate::strace;
use crate::strike::Strike;
use crate::support::World;
use crate::sweep::{Finding, Run, Tally, Trial};

/// How scenarios are gone through.
pub struct Passage<'p> {
    /// A world with the netsky under test.
    pub make: &'p (dyn Fn() -> World + Sync),
    /// How the points are learnt.
    pub peaceful: Strike,
    /// The strikes, from what was learnt in a peaceful run.
    pub strikes: &'p (dyn Fn(&World, &Errand) -> Vec<Strike> + Sync),
    /// What must be so before anything is repaired.
    pub at_once: &'p (dyn Fn(&Attempt<'_>) -> Vec<Finding> + Sync),
    /// Hears of every strike that met its point.
    pub met: &'p (dyn Fn(&Strike, &Ended) + Sync),
    /// So many points are tried in the short form, about.
    pub short: usize,
}

const WORKERS: usize = 4;

impl Passage<'_> {
    pub fn through(&self, run: &Run, scenarios: &[Scenario]) -> Tally {
        // What a broken build does wrong shows in the first.
        let scenarios = if run.is_broken() { &scenarios[..1] } else { scenarios };
        let obstacle = strace::no_attaching();
        let is_possible = |scenario: &&Scenario| scenario.victim != Victim::Supervisor || obstacle.is_none();
        let possible = scenarios.iter().filter(is_possible);
        let pools: Vec<Pool<'_>> = possible.map(|scenario| Pool::new(scenario, self.make)).collect();
        let skipped = scenarios.len() - pools.len();
        let (points, peaceful) = self.learn(run, &pools);
        let tally = run.points(&points, self.short, WORKERS, |(pool, strike)| {
            let (ended, findings) = pool.attempt(strike, self.at_once);
            // One that met its point between two threads is no point either.
            let came = matches!(ended.struck, Some(Struck::Point));
            if came {
                (self.met)(strike, &ended);
            }
            Trial { came, findings }
        });
        let tally = tally.and(peaceful);
        match obstacle.filter(|_| skipped > 0) {
            Some(why) => tally.note(format!("supervisors are struck by failpoints alone: {why}")),
            None => tally,
        }
    }

    /// The points of all scenarios, in the order of the scenarios and of their calls. A peaceful run must be sound too.
    fn learn<'s>(&self, run: &Run, pools: &'s [Pool<'s>]) -> (Vec<(&'s Pool<'s>, Strike)>, Tally) {
        let learnt = Mutex::new(Vec::new());
        let numbers: Vec<usize> = (0..pools.len()).collect();
        let tally = run.points(&numbers, numbers.len(), WORKERS, |number| {
            let note = |attempt: &Attempt<'_>| {
                let strikes = (self.strikes)(&attempt.stage.world, attempt.errand);
                learnt.lock().unwrap().push((*number, strikes));
                Vec::new()
            };
            pools[*number].attempt(&self.peaceful, &note).1
        });
        let mut learnt = learnt.into_inner().unwrap();
        learnt.sort_by_key(|(number, _)| *number);
        let mut points: Vec<_> = learnt
            .into_iter()
            .flat_map(|(number, strikes)| {
                let pool = &pools[number];
                strikes.into_iter().step_by(pool.scenario().every).map(move |strike| (pool, strike))
            })
            .collect();
        if run.is_broken() {
            points.sort_by_key(|(_, strike)| (!is_link(strike), Reverse(strike.nth())));
        }
        (points, Tally { points: 0, ..tally })
    }
}

/// A build that archives last loses what it is killed before it links.
fn is_link(strike: &Strike) -> bool {
    match strike {
        Strike::Call { point, .. } => point.call == "linkat",
        Strike::Failpoint { point, .. } => point.ends_with("persist.link"),
        Strike::Count | Strike::List => false,
    }
}
