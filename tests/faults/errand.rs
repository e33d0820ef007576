//! What netsky is called for while it is struck, and what has become of it afterwards.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

use crate::recovery;
use crate::support::world::{self, Ran};
use crate::support::{World, tree, world::files};
use crate::sweep::{Finding, Harm};

/// A call of netsky, and the text that it is to bring somewhere.
#[derive(Debug, Default)]
pub struct Errand {
    pub arguments: Vec<OsString>,
    pub environment: Vec<(&'static str, String)>,
    pub stdin: String,
    pub text: Option<Text>,
    /// The newest restart-status record before.
    pub before: Option<String>,
}

/// A text that no other errand has.
#[derive(Debug, Clone)]
pub struct Text {
    pub words: String,
    /// The file that it is in; `None`: netsky was given it otherwise, and has to have it only once it said so.
    pub source: Option<PathBuf>,
    pub to: &'static [&'static str],
}

/// Where a strike met its victim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Struck {
    /// At the point that was meant.
    Point,
    /// Where one thread wakes another, which nobody else sees: it was not meant, and does not count.
    Poke,
}

/// How a struck call ended.
#[derive(Debug)]
pub struct Ended {
    pub ran: Ran,
    /// What was struck; `None`: it went through.
    pub struck: Option<Struck>,
    /// The record of the restart that it began.
    pub record: Option<Value>,
}

impl Ended {
    /// How far the restart was; `None`: there is no record of it.
    pub fn phase(&self) -> Option<&str> {
        self.record.as_ref()?["phase"].as_str()
    }
}

impl Errand {
    pub fn of<S: Into<OsString>>(arguments: impl IntoIterator<Item = S>) -> Self {
        Self { arguments: arguments.into_iter().map(Into::into).collect(), ..Self::default() }
    }

    /// Whether another process goes on with it, so that its exit code says nothing about its end.
    pub fn is_carried_on(&self) -> bool {
        !self.environment.is_empty() || self.arguments.iter().any(|word| word == "--detach")
    }

    #[must_use]
    pub fn with(self, text: Text) -> Self {
        Self { text: Some(text), ..self }
    }

    #[must_use]
    pub fn reading(self, stdin: impl Into<String>) -> Self {
        Self { stdin: stdin.into(), ..self }
    }

    /// The record that is newer than what was there before; a file that is not whole is no record.
    pub fn record(&self, world: &World) -> Option<Value> {
        let newest = newest_record(world).filter(|name| Some(name) != self.before.as_ref())?;
        let path = world.home.join("state/restart-status").join(newest);
        serde_json::from_slice(&std::fs::read(path).ok()?).ok()
    }

    /// What was claimed to be done, and is not. Asked at once, before anything is repaired.
    pub fn false_success(&self, world: &World, ended: &Ended, what: &str) -> Vec<Finding> {
        let mut found = Vec::new();
        let phase = ended.phase().unwrap_or_default();
        let is_restart = self.arguments.first().is_some_and(|verb| verb == "restart");
        let succeeded = ended.ran.code == 0 && ended.struck.is_none();
        if is_restart && succeeded && phase != "complete" {
            found.push((Harm::FalseSuccess, format!("{what}: exit 0, and its record says {phase:?}")));
        }
        let is_down = self.arguments == ["down"] && ended.ran.code == 0;
        let left = if is_down && (ended.struck.is_none() || !self.is_carried_on()) {
            tree::marked(&world.home)
        } else {
            Vec::new()
        };
        if !left.is_empty() {
            found.push((Harm::FalseSuccess, format!("{what}: exit 0, and {left:?} live on")));
        }
        let says_delivered = ["handoff-delivered", "complete"].contains(&phase);
        let Some(text) = self.text.as_ref().filter(|_| succeeded || says_delivered) else { return found };
        for agent in text.to {
            let is_one = || (copies(world, agent, &text.words) == 1).then_some(());
            // An envelope that its agent takes at this moment is seen in two places or in none.
            if world::wait(Duration::from_secs(1), &mut || is_one()).is_none() {
                let copies = copies(world, agent, &text.words);
                let why = format!("{what}: said to be delivered to {agent}, and {copies} copies are there");
                found.push((Harm::FalseSuccess, why));
            }
        }
        found
    }

    /// Where the text is after one recovery run: where it was, or with everybody it was for, once.
    pub fn findings(&self, world: &World, ended: &Ended, what: &str) -> Vec<Finding> {
        let Some(text) = &self.text else { return Vec::new() };
        // What lay in no file may be gone, unless netsky said that it has it.
        let is_held = ended.record.as_ref().is_some_and(|record| !record["handoff"].is_null());
        let must = text.source.is_some() || is_held || (ended.ran.code == 0 && ended.struck.is_none());
        let mut found = Vec::new();
        let is_back = || {
            text.source
                .as_ref()
                .is_some_and(|path| std::fs::read(path).is_ok_and(|held| held == text.words.as_bytes()))
        };
        for agent in text.to {
            let mut is_settled = || {
                let is_settled = match copies(world, agent, &text.words) {
                    0 => is_back() || !must,
                    _ => is_taken(world, agent, &text.words),
                };
                is_settled.then_some(())
            };
            if world::wait(NUDGED, &mut is_settled).is_none() {
                // A nudge may be queued: what waits is shown with the next prompt then, whoever types it.
                prompt(world, agent);
                world::wait(PROMPTED, &mut is_settled);
            }
            let places = copies(world, agent, &text.words) + usize::from(is_back());
            match places {
                0 if must => found.push((Harm::Lost, format!("{what}: what was for {agent} is nowhere"))),
                0 | 1 if is_back() || places == 0 => {}
                1 if is_taken(world, agent, &text.words) => {}
                1 => found.push((Harm::Other, format!("{what}: {agent} is not told of its envelope"))),
                _ => {
                    found.push((Harm::Doubled, format!("{what}: what was for {agent} is in {places} places")))
                }
            }
        }
        found
    }
}

/// An agent that is nudged has taken what waits by then, as a rule.
const NUDGED: Duration = Duration::from_secs(4);

/// And one that is prompted in any case.
const PROMPTED: Duration = Duration::from_secs(20);

/// A person types something.
fn prompt(world: &World, agent: &str) {
    let pane = format!("={agent}:");
    for keys in ["hello", "Enter"] {
        world.tmux(&["send-keys", "-t", &pane, keys]);
    }
}

/// The file name of the newest record.
pub fn newest_record(world: &World) -> Option<String> {
    let names = files(&world.home.join("state/restart-status"))
        .into_iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"));
    names.max().map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
}

fn copies(world: &World, agent: &str, words: &str) -> usize {
    let envelopes = recovery::envelopes_of(world, agent);
    envelopes.iter().filter(|path| recovery::text_of(path).is_some_and(|text| text == words)).count()
}

fn is_taken(world: &World, agent: &str, words: &str) -> bool {
    let done = files(&world.home.join("inbox").join(agent).join("done"));
    done.iter().any(|path| recovery::text_of(path).is_some_and(|text| text == words))
}
