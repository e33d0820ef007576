//! One odd thing in one place, and every verb that lists or reads there, in a home where nobody runs.

use std::process::Command;
use std::time::Duration;

use super::super::complaint;
use super::super::verbs::places::{Place as Where, wipe};
use super::super::verbs::{self};
use super::places::Place;
use super::things::{Planted, Thing};
use crate::support::World;
use crate::support::world::Ran;
use crate::sweep::{Finding, Harm, Run};

/// No verb waits for anybody here: one that takes so long hangs.
pub const LIMIT: Duration = Duration::from_secs(20);

/// kB of memory that a verb may have of its own, by `ulimit -d`: what takes more is ended by the failed allocation.
const MEMORY: &str = "65536";

/// Whatever lists or reads, and recovers.
const LOOKS: [&[&str]; 6] = [
    &["status"],
    &["history"],
    &["handoff", "list"],
    &["inbox", "list", "--all"],
    &["logs", "agent0", "--generation", "last"],
    &["handoff", "prune"],
];

/// What is there, and where.
pub struct Visit {
    pub place: &'static Place,
    /// Several only where each has a name of its own, so that what is done to one is known.
    pub things: Vec<Thing>,
}

/// A home where nobody runs, and what links in it lead to.
pub struct Scene {
    pub world: World,
    elsewhere: tempfile::TempDir,
}

impl Scene {
    pub fn new(run: &Run) -> Self {
        let mut world = run.world();
        // Little is kept, so that there is always something to prune.
        world.set("NETSKY_HANDOFF_KEEP", "1");
        let world = Where::Still.build(world);
        Self { world, elsewhere: tempfile::tempdir().unwrap() }
    }
}

/// Calls netsky with bounded memory.
pub fn call(world: &World, words: &[&str], marks: &[(&'static str, String)]) -> Ran {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("ulimit -d {MEMORY}; exec \"$0\" \"$@\"")]).arg(world.program()).args(words);
    let call = world.call(command).within(LIMIT).stdin("{}");
    marks.iter().fold(call, |call, (name, value)| call.env(name, value)).run()
}

impl Visit {
    pub fn name(&self) -> String {
        format!("{:?} in {}", self.things, self.place.dir)
    }

    pub fn findings(&self, Scene { world, elsewhere }: &Scene) -> Vec<Finding> {
        wipe(world);
        let what = self.name();
        let dir = self.place.path(world);
        let plant = |thing: &Thing| {
            let ours = self.place.names[usize::from(thing.is_file_of_ours())];
            thing.plant(&dir, ours, &elsewhere.path().join(format!("{thing:?}")))
        };
        let planted: Vec<Planted> = self.things.iter().map(plant).collect();
        let mut found = Vec::new();
        let mut said = Vec::new();
        let mut verb = |words: &[&str], marks: &[(&'static str, String)]| {
            let ran = call(world, words, marks);
            let what = format!("{what}: {}", words.join(" "));
            found.extend(complaint::findings(&ran, &what));
            if ran.code != 0 {
                found.push((Harm::Other, format!("{what}: {} {}", ran.code, ran.stderr.trim())));
            }
            let harmed = planted.iter().filter_map(|planted| Some((planted.thing, planted.harm()?)));
            found.extend(harmed.map(|(thing, harm)| (Harm::Other, format!("{what}: {thing:?}: {harm}"))));
            said.push((words.join(" "), ran.stderr.clone()));
            ran
        };
        verb(&["send", "agent0", "the first"], &[]);
        verb(&["send", "agent0", "the second"], &[]);
        LOOKS.iter().for_each(|words| drop(verb(words, &[])));
        let shown = ["the first", "the second"].map(|text| {
            let printed = verb(&["inbox", "next"], &[]).stdout;
            (text, printed.contains(&format!("\n{text}\n")), printed)
        });
        verb(&["send", "agent0", "the third"], &[]);
        let hooked = verb(&["hook", "UserPromptSubmit"], &(verbs::HOOK.marks)(world));
        for (text, is_shown, printed) in shown {
            if !is_shown {
                found.push((Harm::Lost, format!("{what}: {text} is due and this is shown: {printed}")));
            }
        }
        if !hooked.stdout.contains("the third") {
            found.push((Harm::Lost, format!("{what}: the hook does not show the third: {hooked:?}")));
        }
        found.extend(self.unsaid(&planted, &said, &what));
        planted.into_iter().for_each(Planted::remove);
        found
    }

    /// Who lists the place says that something was passed over, or that a file was moved aside.
    fn unsaid(&self, planted: &[Planted], said: &[(String, String)], what: &str) -> Option<Finding> {
        let lister = self.place.lister?.join(" ");
        let is_told = |(words, stderr): &(String, String)| {
            let is_passed_over = *words == lister && stderr.contains("passed over");
            is_passed_over
                || ["could not be understood", "could not be delivered", "left out"]
                    .iter()
                    .any(|words| stderr.contains(words))
        };
        let lies_aside = planted.iter().any(|planted| planted.aside().is_some());
        if said.iter().any(is_told) || lies_aside {
            return None;
        }
        Some((Harm::FalseSuccess, format!("{what}: {lister} says nothing of it: {said:?}")))
    }
}
