//! The end of a run: everything arrives, what was planted is seen, figures are flat, and nothing is left.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use super::course::{Course, LOG_BEFORE, LOGS, Size};
use super::figures;
use super::mail::Mail;
use super::{census, home, plants};
use crate::recovery;
use crate::support::World;
use crate::support::world::wait;
use crate::sweep::{Harm, Tally};

/// After this something that should happen soon has not happened.
const SOON: Duration = Duration::from_secs(15);

impl Course {
    /// In the middle of it: what was found is enough.
    pub fn stop(self) -> Tally {
        self.told(&[])
    }

    /// After the last round: everything arrives, the sampler is shown to see, figures are flat, and it ends clean.
    pub fn end(mut self) -> Tally {
        self.place = format!("seed {}, after the last round", self.seed);
        self.all_is_read();
        self.points += plants::all(&mut self);
        let figures = self.compared();
        self.debris_is_swept();
        self.logs_turned_over();
        self.leaves_nothing();
        self.note_sightings();
        self.points += plants::last(&mut self);
        self.told(&figures)
    }

    /// Figures that are flat, a line each; one round alone has nothing to be compared with.
    fn compared(&mut self) -> Vec<String> {
        if self.measures.len() < self.size.rounds {
            return Vec::new();
        }
        let mut series = figures::series(&self.measures, self.size.agents);
        let mut of_one = figures::series(&figures::longest_life(&self.measures), self.size.agents);
        of_one.retain(|series| series.name.contains("tmux server"));
        for series in &mut of_one {
            series.name = match series.unit {
                "KiB" => "memory of the one that lived longest",
                _ => "open files of the one that lived longest",
            };
        }
        series.extend(of_one);
        let (found, figures) = figures::judge(&series, self.size.warm, self.size.window);
        self.points += figures.len();
        for (harm, what) in found {
            self.find(harm, what);
        }
        figures
    }

    /// A restart shows what was not read yet, and whoever is up reads it.
    fn all_is_read(&mut self) {
        self.must(&["restart", "--handoff", "/dev/null"], 0);
        let mut unread = Vec::new();
        let up = self.agents_up();
        let all = wait(SOON, &mut || {
            let places = home::inboxes(&self.world.home).into_values().flatten();
            unread = places
                .filter(|place| up.contains(&place.agent) && !place.path.parent().unwrap().ends_with("done"))
                .collect();
            unread.is_empty().then_some(())
        });
        if all.is_none() {
            self.find(Harm::Lost, format!("not read by those who are up: {unread:?}"));
        }
        self.settle();
    }

    /// What killed processes left goes once it is old, and what was moved aside is what we broke.
    fn debris_is_swept(&mut self) {
        let aged = home::age_debris(&self.world.home);
        self.must(&["up"], 0);
        let size = home::size(&self.world.home);
        if size.debris > 0 {
            self.find(Harm::Other, format!("{} of {aged} old temporaries are left", size.debris));
        }
        if size.aside > self.broken_files {
            let (aside, broken) = (size.aside, self.broken_files);
            self.find(Harm::Other, format!("{aside} files were moved aside, and {broken} were broken"));
        }
    }

    /// What was full at first was put aside, unless nothing at all was logged.
    fn logs_turned_over(&mut self) {
        for name in LOGS {
            let log = self.world.home.join("log").join(name);
            let now = fs::metadata(&log).map_or(0, |metadata| metadata.len());
            if now > LOG_BEFORE as u64 && !log.with_file_name(format!("{name}.1")).exists() {
                self.find(Harm::Other, format!("{name} has {now} bytes, and none was put aside"));
            }
        }
    }

    /// One `down`, and nothing of the home is left but its files.
    fn leaves_nothing(&mut self) {
        self.must(&["down"], 0);
        self.sampler.looks_again();
        let World { home, user, .. } = &self.world;
        let (home, socket) = (home.clone(), self.world.socket());
        let mut left = census::with_entry("HOME", user);
        left.extend(census::with_entry("NETSKY_HOME", &home));
        left.retain(|process| process.lives() && !self.sampler.watched().bystanders.are(*process));
        let servers = census::servers(&socket);
        let claims = home::claims(&home);
        let lock = fs::File::open(home.join("state/restart.lock")).unwrap();
        for what in [
            (!left.is_empty()).then(|| format!("processes are left: {left:?}")),
            (!servers.is_empty()).then(|| format!("servers are left: {servers:?}")),
            (!claims.is_empty()).then(|| format!("claims are left: {claims:?}")),
            lock.try_lock().is_err().then(|| "somebody holds the lock".to_owned()),
        ] {
            what.into_iter().for_each(|what| self.find(Harm::Other, what));
        }
        for (harm, what) in recovery::records(&self.world, "at the end") {
            self.find(harm, what);
        }
    }

    fn told(self, figures: &[String]) -> Tally {
        let (samples, longest) = self.sampler.figures();
        let Size { agents, rounds, .. } = self.size;
        let Mail { given, arrived, refused, .. } = &self.mail;
        let sum: usize = given.values().sum();
        let debris = self.measures.iter().map(|measure| measure.debris).max().unwrap_or_default();
        let tally = Tally { points: self.points, findings: self.findings, ..Tally::default() };
        let tally = tally
            .note(format!(
                "seed {}: {rounds} restarts of {agents} agents, besides {:?}",
                self.seed, self.others
            ))
            .note(format!("faults: {}", listed(&self.faults)))
            .note(format!("exit codes: {}", listed(&self.outcomes)))
            .note(format!(
                "texts: {sum} given ({given:?}), {arrived} arrived, {} refused and known so by their givers",
                refused.len()
            ))
            .note(format!(
                "{samples} samples, at most {longest:.0?} apart; at most {debris} temporaries at a time"
            ));
        figures.iter().fold(tally, |tally, figure| tally.note(figure.clone()))
    }
}

fn listed<K: std::fmt::Display>(counts: &BTreeMap<K, usize>) -> String {
    let counts: Vec<String> = counts.iter().map(|(what, count)| format!("{what} {count}")).collect();
    counts.join(", ")
}
