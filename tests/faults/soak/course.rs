//! The run as a whole: a constellation that is restarted again and again, and what is known of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::ops::Range;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use super::bystanders::Bystanders;
use super::census;
use super::dice::Dice;
use super::fault::{Fault, Scope};
use super::home;
use super::mail::{Letter, Mail, Told};
use super::measure::Measure;
use super::round::{Manner, Round, Wish};
use super::sampler::{Sampler, Watched};
use super::underway::{self, Carrier, Ended};
use crate::support::World;
use crate::support::world::wait;
use crate::sweep::{Finding, Harm, Run};

/// How long a run is.
pub struct Size {
    pub agents: usize,
    pub rounds: usize,
    /// Rounds before figures count, and how many make a median.
    pub warm: usize,
    pub window: usize,
    /// Envelopes and records that are kept.
    pub keep: usize,
    /// Rounds in which the tmux server lives on, so that one grows old.
    pub spares_server: Range<usize>,
}

pub struct Course {
    pub(super) sampler: Sampler,
    pub(super) world: World,
    pub(super) program: PathBuf,
    pub(super) seed: u64,
    pub(super) size: Size,
    pub(super) agents: Vec<String>,
    pub(super) mail: Mail,
    /// How long a restart takes here that nothing happens to.
    pub(super) typical: Duration,
    /// Files that were broken on purpose.
    pub(super) broken_files: u64,
    pub(super) findings: Vec<Finding>,
    known: BTreeSet<String>,
    pub(super) measures: Vec<Measure>,
    pub(super) faults: BTreeMap<&'static str, usize>,
    pub(super) outcomes: BTreeMap<i32, usize>,
    /// Commands besides the restarts of the rounds, by their first word.
    pub(super) others: BTreeMap<String, usize>,
    pub(super) points: usize,
    /// Where we are, for whoever reads a finding.
    pub(super) place: String,
}

/// The logs, and how much lies in them at first: they turn over with the first line.
pub(super) const LOGS: [&str; 2] = ["events.jsonl", "supervise.log"];
pub(super) const LOG_BEFORE: usize = (8 << 20) + 3;

impl Course {
    /// A home with all agents up, the bystanders around it, and the sampler at work.
    pub fn begin(run: &Run, size: Size, seed: u64) -> Self {
        let mut world = run.world();
        let bystanders = Bystanders::around(&mut world);
        world.configure("");
        for name in LOGS {
            fs::write(world.home.join("log").join(name), "{}\n".repeat(LOG_BEFORE / 3)).unwrap();
        }
        let watched = Watched::new(&world.home, &world.socket(), bystanders);
        let mut course = Self {
            sampler: Sampler::watch(watched),
            program: run.netsky().to_owned(),
            seed,
            agents: (0..size.agents).map(|number| format!("agent{number}")).collect(),
            size,
            world,
            mail: Mail::default(),
            typical: Duration::ZERO,
            broken_files: 0,
            findings: Vec::new(),
            known: BTreeSet::new(),
            measures: Vec::new(),
            faults: BTreeMap::new(),
            outcomes: BTreeMap::new(),
            others: BTreeMap::new(),
            points: 0,
            place: format!("seed {seed}, before the first round"),
        };
        course.configure(&Fault::Nothing);
        let up = course.must(&["up"], 0);
        course.typical = up.took;
        course
    }

    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// One restart with everything around it.
    pub fn round(&mut self, number: usize) {
        let mut dice = Dice::of(self.seed, "round", number);
        self.place = format!("seed {}, round {number}", self.seed);
        let down: Vec<String> = self.sampler.watched().down().into_iter().collect();
        self.fulfil(Wish::drawn(&mut dice, number, &self.agents, &down));
        let up = self.agents_up();
        let scope = Scope {
            agents: &up,
            spares_server: self.size.spares_server.contains(&number),
            nobody_is_down: up.len() == self.agents.len(),
        };
        let round = Round::drawn(self.seed, number, dice, &scope);
        let (fault, manner, way) = (round.fault.word(), round.manner, round.way);
        write!(self.place, " ({:?}, called {manner:?}, text by {way:?})", round.fault).unwrap();
        *self.faults.entry(fault).or_default() += 1;
        let begun = std::time::Instant::now();
        let restart = self.restart(&round);
        let took = begun.elapsed();
        *self.outcomes.entry(restart.code).or_default() += 1;
        self.recover(&round.fault, restart.code);
        self.settle();
        let is_traced = matches!(round.fault, Fault::DiskError { .. });
        let is_whole = restart.code == 0 && round.manner == Manner::Foreground && !is_traced;
        self.measure(is_whole.then_some(&restart));
        self.points += 1;
        if matches!(round.fault, Fault::Nothing) && is_whole {
            self.typical = restart.took;
        }
        if std::env::var_os("NETSKY_FAULTS_TELL").is_some() {
            let said = restart.stderr.lines().rfind(|line| line.starts_with("netsky:")).unwrap_or_default();
            let (code, whole) = (restart.code, begun.elapsed());
            println!("{}: {code} after {took:.1?}, settled after {whole:.1?}; {said}", self.place);
            println!("{:?}", self.measures.last());
        }
    }

    /// What the owner does before.
    fn fulfil(&mut self, wish: Wish) {
        match wish {
            Wish::Nothing => {}
            Wish::Down(agent) => {
                self.must(&["down", &agent], 0);
                self.sampler.watched().is_down(&agent);
            }
            Wish::Up(agent) => {
                self.sampler.watched().may_live(&agent);
                self.must(&["up", &agent], 0);
            }
        }
    }

    /// The agents that are to be up, in order.
    pub(super) fn agents_up(&self) -> Vec<String> {
        let down = self.sampler.watched().down();
        self.agents.iter().filter(|agent| !down.contains(*agent)).cloned().collect()
    }

    /// Gets everything back after a fault: one command, which must do.
    fn recover(&mut self, fault: &Fault, code: i32) {
        self.configure(&Fault::Nothing);
        match fault {
            // Those that run without coming up are not stopped by `up`.
            Fault::AgentsMisbehave { agents, how } if !how.comes_up && code != 0 => {
                let arguments: Vec<&str> =
                    std::iter::once("restart").chain(agents.iter().map(String::as_str)).collect();
                self.must(&arguments, 0);
            }
            Fault::Nothing | Fault::Paused { .. } | Fault::SecondRestart { .. } if code == 0 => {}
            _ => drop(self.must(&["up"], 0)),
        }
        // What was claimed by one that failed before its tear-down is for the agent0 that comes next: here it comes.
        if !home::claims(&self.world.home).is_empty() {
            self.must(&["restart", "agent0"], 0);
        }
        for Letter { text, source, .. } in self.mail.left_lying() {
            let delivered = self.must(&["handoff", "deliver", source.to_str().unwrap()], 0);
            self.mail.tell(&text, if delivered.code == 0 { Told::Taken } else { Told::Nothing });
        }
    }

    /// Everybody lives who should, and every text is where it should be.
    pub(super) fn settle(&mut self) {
        let wanted: BTreeSet<String> = self.agents_up().into_iter().collect();
        let mut alive = BTreeSet::new();
        let all = wait(Duration::from_secs(3), &mut || {
            let marked = census::marked(&self.world.home);
            alive = marked.into_iter().map(|marked| marked.agent).collect();
            (alive == wanted).then_some(())
        });
        if all.is_none() {
            let missing: Vec<&String> = wanted.difference(&alive).collect();
            let extra: Vec<&String> = alive.difference(&wanted).collect();
            self.find(Harm::Lost, format!("missing: {missing:?}, alive without leave: {extra:?}"));
        }
        for (harm, what) in self.mail.settle(&self.world.home, &self.sampler.claimed()) {
            self.find(harm, what);
        }
        self.note_sightings();
    }

    /// What the sampler has seen is a finding.
    pub(super) fn note_sightings(&mut self) {
        for sighting in self.sampler.sightings() {
            self.find(sighting.harm(), format!("{:?}: {}", sighting.invariant, sighting.what));
        }
    }

    /// Notes what went wrong, each thing once.
    pub fn find(&mut self, harm: Harm, what: String) {
        if self.known.insert(what.clone()) {
            self.findings.push((harm, format!("{}: {what}", self.place)));
        }
    }

    fn measure(&mut self, restart: Option<&Ended>) {
        let World { home, user, .. } = &self.world;
        self.measures.push(Measure::of(home, &self.world.socket(), user, restart));
    }

    /// A command that must end so.
    pub(super) fn must(&mut self, arguments: &[&str], code: i32) -> Ended {
        let command = self.netsky(arguments);
        *self.others.entry(arguments[0].to_owned()).or_default() += 1;
        let ended = underway::look_after(vec![Carrier::start(command, None)], Vec::new(), |_| true);
        let ended = ended.into_iter().next().unwrap();
        if ended.code != code {
            let what = format!("netsky {arguments:?} ended with {}: {}", ended.code, ended.stderr);
            self.find(Harm::Other, what);
        }
        ended
    }

    /// The netsky under test, called by the owner.
    pub(super) fn netsky(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(arguments);
        self.at_home(&mut command);
        command
    }

    pub(super) fn at_home(&self, command: &mut Command) {
        command.env_clear().envs(&self.world.environment).current_dir(&self.world.work);
    }
}
