//! A world that goes from point to point: what one point left was put right, or the world is given up.

use std::path::PathBuf;
use std::sync::Mutex;

use crate::debris;
use crate::errand::{Ended, Errand, Text, newest_record};
use crate::recovery;
use crate::strike::Strike;
use crate::support::World;
use crate::support::world::Ran;
use crate::sweep::{Finding, Harm};

/// A way of calling netsky, over and over.
#[derive(Debug, Clone, Copy)]
pub struct Scenario {
    pub name: &'static str,
    /// Makes a world ready for the first errand.
    pub prepare: fn(&mut World),
    /// The next errand.
    pub errand: fn(&Stage) -> Errand,
    /// The one recovery run, after which everything must be well.
    pub recover: &'static [&'static str],
    /// What else must be so then.
    pub check: fn(&Attempt<'_>) -> Vec<Finding>,
    /// Who is struck.
    pub victim: Victim,
    /// A world is used for so many errands.
    pub uses: usize,
    /// Of its points one in so many is tried: 1 where no other scenario has the like.
    pub every: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Victim {
    /// The netsky that is called.
    Caller,
    /// The one that carries on what was called for, once the call is over.
    Supervisor,
    /// A hook, called in the pane of an agent that does what it is told.
    Hook,
}

/// Nothing else.
pub fn nothing_else(_: &Attempt<'_>) -> Vec<Finding> {
    Vec::new()
}

/// One errand, how it was struck and how that ended.
#[derive(Clone, Copy)]
pub struct Attempt<'a> {
    pub stage: &'a Stage,
    pub errand: &'a Errand,
    pub strike: &'a Strike,
    pub ended: &'a Ended,
    /// For findings: enough to try it again.
    pub what: &'a str,
}

/// A world, and how often it was used.
pub struct Stage {
    pub world: World,
    /// A directory of another file system.
    pub elsewhere: tempfile::TempDir,
    pub uses: usize,
}

impl Stage {
    /// A new text for agent0 in a file.
    pub fn note(&self) -> Text {
        self.text(Some(self.world.work.join("note.md")))
    }

    /// A new text, in that file if there is one.
    pub fn text(&self, source: Option<PathBuf>) -> Text {
        let words = format!("do not lose number {}", self.uses);
        if let Some(path) = &source {
            std::fs::write(path, &words).unwrap();
        }
        Text { words, source, to: &["agent0"] }
    }
}

/// The worlds of one scenario that wait for their next errand.
pub struct Pool<'p> {
    scenario: &'p Scenario,
    make: &'p (dyn Fn() -> World + Sync),
    waiting: Mutex<Vec<Stage>>,
}

impl<'p> Pool<'p> {
    pub fn new(scenario: &'p Scenario, make: &'p (dyn Fn() -> World + Sync)) -> Self {
        Self { scenario, make, waiting: Mutex::default() }
    }

    pub fn scenario(&self) -> &'p Scenario {
        self.scenario
    }

    fn take(&self) -> Stage {
        let waiting = self.waiting.lock().unwrap().pop();
        waiting.unwrap_or_else(|| {
            let mut world = (self.make)();
            (self.scenario.prepare)(&mut world);
            Stage { world, elsewhere: tempfile::tempdir_in("/dev/shm").unwrap(), uses: 0 }
        })
    }

    /// Strikes, then recovers and looks at everything. `at_once` looks before anything is repaired.
    pub fn attempt(
        &self,
        strike: &Strike,
        at_once: &dyn Fn(&Attempt<'_>) -> Vec<Finding>,
    ) -> (Ended, Vec<Finding>) {
        let mut stage = self.take();
        stage.uses += 1;
        let what = &format!("{}: {strike}", self.scenario.name);
        let mut errand = (self.scenario.errand)(&stage);
        errand.before = newest_record(&stage.world);
        let mut ended = strike.carry_out(&stage.world, &errand, self.scenario.victim);
        ended.record = errand.record(&stage.world);
        let attempt = Attempt { stage: &stage, errand: &errand, strike, ended: &ended, what };
        let mut found = errand.false_success(&stage.world, &ended, what);
        found.extend(at_once(&attempt));
        found.extend(recovered(&stage, self.scenario, what));
        found.extend((self.scenario.check)(&attempt));
        found.extend(errand.findings(&stage.world, &ended, what));
        found.extend(recovery::home(&stage.world, what));
        if found.is_empty() && stage.uses < self.scenario.uses {
            self.waiting.lock().unwrap().push(stage);
        }
        (ended, found)
    }
}

fn recovered(stage: &Stage, scenario: &Scenario, what: &str) -> Vec<Finding> {
    debris::age(&stage.world.home);
    let verb = scenario.recover.join(" ");
    let Ran { code, stderr, .. } = stage.world.netsky(scenario.recover.iter().copied()).run();
    if code != 0 {
        return vec![(Harm::Other, format!("{what}: {verb}: {code} {stderr}"))];
    }
    let found = match scenario.recover {
        ["up" | "restart", ..] => recovery::next_agent0(&stage.world, what),
        _ => Vec::new(),
    };
    if !found.is_empty() {
        return found;
    }
    let runs = match scenario.recover {
        ["up" | "restart", clones, ..] => 0..=clones.parse::<usize>().unwrap(),
        _ => return Vec::new(),
    };
    let sessions = stage.world.sessions();
    let missing = runs.map(|number| format!("agent{number}")).filter(|agent| !sessions.contains(agent));
    missing.map(|agent| (Harm::FalseSuccess, format!("{what}: {verb}: {agent} is not there"))).collect()
}
