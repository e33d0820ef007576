//! What must be so at every moment. Pure: a sample comes in, with what was seen before in memory, and what is wrong goes
//! out.

use std::collections::{BTreeMap, BTreeSet};

use super::census::{self, Marked, Process};
use super::home::Place;
use super::records::Reading;
use crate::sweep::Harm;

/// A promise that is watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Invariant {
    /// At most one live generation an agent, at most one server on the socket.
    OneLives,
    /// Phases only go forward, and a record is whole.
    PhasesGoForward,
    /// An envelope is in one place.
    OneCopy,
    /// What was claimed is archived and arrives once: judged when a round has settled.
    NothingLost,
    /// Nothing outside the recorded server is touched.
    OthersUntouched,
    /// What the owner took down stays down.
    StaysDown,
}

/// A promise seen broken.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sighting {
    pub invariant: Invariant,
    pub what: String,
}

impl Sighting {
    pub fn harm(&self) -> Harm {
        match self.invariant {
            Invariant::OneLives | Invariant::OneCopy | Invariant::StaysDown => Harm::Doubled,
            Invariant::NothingLost => Harm::Lost,
            Invariant::PhasesGoForward | Invariant::OthersUntouched => Harm::Other,
        }
    }
}

/// What one look found.
#[derive(Debug, Default)]
pub struct Sample {
    /// Alive at one moment.
    pub agents: Vec<Marked>,
    pub servers: Vec<Process>,
    /// Agents that were to be down before the look began and still are after it.
    pub down: BTreeSet<String>,
    /// Records that are new or changed; `None`: no whole record.
    pub records: Vec<(String, Option<Reading>)>,
    pub inboxes: BTreeMap<String, Vec<Place>>,
    /// What became of those who are none of our business.
    pub harmed: Vec<String>,
}

/// What earlier looks found.
#[derive(Debug, Default)]
pub struct Memory {
    records: BTreeMap<String, Reading>,
}

impl Memory {
    /// What is wrong.
    pub fn judge(&mut self, sample: Sample) -> Vec<Sighting> {
        let mut wrong = Vec::new();
        let mut see = |invariant, what| wrong.push(Sighting { invariant, what });
        for (agent, alive) in census::generations(&sample.agents) {
            if alive.len() > 1 {
                see(Invariant::OneLives, format!("{agent} lives in the generations {alive:?}"));
            }
            if sample.down.contains(agent) {
                see(Invariant::StaysDown, format!("{agent} was taken down and lives ({alive:?})"));
            }
        }
        if sample.servers.len() > 1 {
            see(Invariant::OneLives, format!("tmux servers on one socket: {:?}", sample.servers));
        }
        for (id, places) in &sample.inboxes {
            if places.len() > 1 {
                see(Invariant::OneCopy, format!("{id} is in {places:?}"));
            }
        }
        for what in sample.harmed {
            see(Invariant::OthersUntouched, what);
        }
        for (name, reading) in sample.records {
            let Some(reading) = reading else {
                see(Invariant::PhasesGoForward, format!("{name} is no whole record"));
                continue;
            };
            if let Some(what) = reading.step_back_from(self.records.get(&name)) {
                see(Invariant::PhasesGoForward, format!("{name}: {what}"));
            }
            self.records.insert(name, reading);
        }
        wrong
    }
}
