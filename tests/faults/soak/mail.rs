//! The texts that were given to netsky, each another one, and what has become of them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use super::home;
use crate::sweep::{Finding, Harm};

/// How a text is handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// `restart --handoff FILE`.
    File,
    /// `restart --handoff -`.
    Pipe,
    /// agent0's draft, taken by `restart`.
    Draft,
    /// `handoff deliver FILE`, before the restart.
    Deliver,
    /// `send AGENT --file FILE`, while the restart is under way.
    Send,
}

pub const WAYS: [Way; 5] = [Way::File, Way::Pipe, Way::Draft, Way::Deliver, Way::Send];

/// What whoever gave it was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// That it is there.
    Taken,
    /// Nothing that says so.
    Nothing,
}

/// One text.
#[derive(Debug, Clone)]
pub struct Letter {
    pub text: String,
    pub way: Way,
    pub to: String,
    /// Where it lies until it is taken.
    pub source: PathBuf,
    pub told: Told,
}

impl Letter {
    /// Whether it still lies where it was given from.
    pub fn is_with_its_giver(&self) -> bool {
        self.is_taken_away() && fs::read_to_string(&self.source).is_ok_and(|text| text == self.text)
    }

    /// Whether taking it moves it: what came through a pipe is only read.
    fn is_taken_away(&self) -> bool {
        !matches!(self.way, Way::Pipe | Way::Send)
    }
}

#[derive(Debug, Default)]
pub struct Mail {
    /// Those of which it is not known yet that they have arrived.
    open: Vec<Letter>,
    /// All that ever lay in an inbox.
    texts: BTreeMap<String, String>,
    pub given: BTreeMap<Way, usize>,
    pub arrived: usize,
    /// Texts that netsky did not take and whose givers know.
    pub refused: BTreeSet<String>,
}

impl Mail {
    /// Notes a text that is about to be given.
    pub fn give(&mut self, letter: Letter) {
        *self.given.entry(letter.way).or_default() += 1;
        self.open.push(letter);
    }

    /// Forgets an envelope that was only planted.
    pub fn forget(&mut self, id: &str) {
        self.texts.remove(id);
    }

    /// What came of giving it.
    pub fn tell(&mut self, text: &str, told: Told) {
        for letter in self.open.iter_mut().filter(|letter| letter.text == text) {
            letter.told = told;
        }
    }

    /// The draft is about to be written anew: what stood there and was not taken is gone by its writer's will.
    pub fn replaces_draft(&mut self) {
        let lies_there = |letter: &mut Letter| letter.way == Way::Draft && letter.is_with_its_giver();
        self.refused.extend(self.open.extract_if(.., lies_there).map(|letter| letter.text));
    }

    /// The texts that still lie where they were given from, drafts aside: they may be given again.
    pub fn left_lying(&self) -> Vec<Letter> {
        let lying = self.open.iter().filter(|letter| letter.way != Way::Draft && letter.is_with_its_giver());
        lying.cloned().collect()
    }

    /// Looks where everything is, when nothing is under way. `claimed` are the ids ever seen among the claims.
    pub fn settle(&mut self, home: &Path, claimed: &BTreeMap<String, Option<String>>) -> Vec<Finding> {
        let inboxes = home::inboxes(home);
        let mut found = Vec::new();
        for (id, places) in &inboxes {
            if !self.texts.contains_key(id) {
                let read =
                    |places: &[home::Place]| places.iter().find_map(|place| home::text_of(&place.path));
                // An agent that has just answered moves it on: then it is looked for once more.
                let again = || read(home::inboxes(home).get(id)?);
                match read(places).or_else(again) {
                    Some(text) => drop(self.texts.insert(id.clone(), text)),
                    None => found.push((Harm::Torn, format!("{} is no envelope", places[0].path.display()))),
                }
            }
            if places.len() > 1 {
                found.push((Harm::Doubled, format!("{id} is in {places:?}")));
            }
        }
        let archive = Archive::of(home);
        for id in inboxes.keys() {
            if !archive.has_or_had(id) {
                found.push((Harm::Lost, format!("{id} is in an inbox and not in the archive")));
            }
        }
        for id in archive.0.iter().filter(|id| !inboxes.contains_key(*id)) {
            found.push((Harm::Lost, format!("{id} is in the archive and in no inbox")));
        }
        for (id, text) in claimed {
            if !text.as_deref().is_some_and(|text| self.may_be_refused(text)) && !archive.has_or_had(id) {
                found.push((Harm::Lost, format!("{id} was claimed and is not in the archive: {text:?}")));
            }
        }
        for (id, path) in home::claims(home) {
            found.push((Harm::Other, format!("{id} is still a claim: {}", path.display())));
        }
        found.extend(self.judge_letters(&inboxes));
        found
    }

    /// Whether its giver has it still and knows that it was not taken.
    fn may_be_refused(&self, text: &str) -> bool {
        let is_open = |letter: &Letter| !letter.is_taken_away() && letter.told == Told::Nothing;
        self.refused.contains(text) || self.open.iter().any(|letter| letter.text == text && is_open(letter))
    }

    fn judge_letters(&mut self, inboxes: &BTreeMap<String, Vec<home::Place>>) -> Vec<Finding> {
        let mut found = Vec::new();
        let mut ids: BTreeMap<&str, Vec<&String>> = BTreeMap::new();
        for (id, text) in &self.texts {
            ids.entry(text).or_default().push(id);
        }
        for (text, ids) in ids.iter().filter(|(_, ids)| ids.len() > 1) {
            found.push((Harm::Doubled, format!("{text:?} arrived as {ids:?}")));
        }
        let (mut open, mut arrived) = (Vec::new(), 0);
        for letter in &self.open {
            let id = ids.get(letter.text.as_str()).and_then(|ids| ids.first());
            let what = format!("{letter:?}");
            match (id, letter.is_with_its_giver(), letter.told) {
                (Some(_), true, _) => {
                    found.push((Harm::Doubled, format!("it arrived and lies there still: {what}")));
                }
                (Some(id), false, _) => {
                    arrived += 1;
                    let places = inboxes.get(*id).map(Vec::as_slice).unwrap_or_default();
                    if places.iter().any(|place| place.agent != letter.to) {
                        found.push((Harm::Other, format!("it arrived at {places:?}: {what}")));
                    }
                }
                (None, _, Told::Taken) => {
                    found.push((Harm::FalseSuccess, format!("it has not arrived: {what}")));
                }
                (None, true, Told::Nothing) => open.push(letter.clone()),
                (None, false, Told::Nothing) if letter.is_taken_away() => {
                    found.push((Harm::Lost, format!("it is nowhere: {what}")));
                }
                (None, false, Told::Nothing) => drop(self.refused.insert(letter.text.clone())),
            }
        }
        self.open = open;
        self.arrived += arrived;
        found
    }
}

/// The ids that are archived. Older ones than the oldest may have been pruned.
struct Archive(BTreeSet<String>);

impl Archive {
    fn of(home: &Path) -> Self {
        Self(home::archived(home))
    }

    fn has_or_had(&self, id: &str) -> bool {
        self.0.contains(id) || self.0.first().is_some_and(|oldest| id < oldest.as_str())
    }
}
