//! What is written for a person: the configuration, and commands of agent CLIs.

use std::fs;
use std::path::PathBuf;

use super::ALONE;
use crate::debris;
use crate::errand::Errand;
use crate::stage::{Attempt, Scenario, Stage};
use crate::strike::put_first;
use crate::support::World;
use crate::sweep::{Finding, Harm};

const INIT: Scenario =
    Scenario { name: "init", prepare: with_a_cli, errand: init, check: initialised, uses: 1, ..ALONE };

pub const ALL: &[Scenario] = &[Scenario { name: "trust", errand: trust, check: trusted, ..ALONE }, INIT];

pub const PORTABLE: &[Scenario] = &[INIT];

fn trust(stage: &Stage) -> Errand {
    let dir = trusted_dir(stage, stage.uses);
    fs::create_dir(&dir).unwrap();
    Errand::of(["trust".into(), dir.into_os_string()])
}

fn trusted_dir(stage: &Stage, number: usize) -> PathBuf {
    stage.world.work.join(format!("project-{number}"))
}

/// What was trusted before still is; and the new one, at the latest when it is said once more.
fn trusted(attempt: &Attempt<'_>) -> Vec<Finding> {
    let Attempt { stage, errand, ended, what, .. } = attempt;
    let read = || fs::read_to_string(stage.world.home.join("config.toml")).unwrap_or_default();
    let holds = |number| read().contains(trusted_dir(stage, number).to_str().unwrap());
    let mut found = Vec::new();
    if !(1..stage.uses).all(holds) || !read().contains("clones = 1") {
        found.push((Harm::Lost, format!("{what}: config.toml is {:?}", read())));
    }
    if ended.struck.is_none() && !holds(stage.uses) {
        found.push((Harm::FalseSuccess, format!("{what}: config.toml is {:?}", read())));
    }
    let again = stage.world.netsky(&errand.arguments).run();
    if again.code != 0 || !holds(stage.uses) {
        found.push((Harm::Other, format!("{what}: trusted again: {} {}", again.code, again.stderr)));
    }
    found
}

/// One of the agent CLIs that have commands of the user's own seems to be installed.
fn with_a_cli(world: &mut World) {
    put_first(world, "claude", "#!/bin/sh\n");
}

fn init(_: &Stage) -> Errand {
    Errand::of(["init", "--yes", "--agent", "demo"])
}

/// Said once more it is complete, or was before; and nothing is left lying in the user's own directories.
fn initialised(attempt: &Attempt<'_>) -> Vec<Finding> {
    let Attempt { stage, errand, what, .. } = attempt;
    let world = &stage.world;
    debris::age(&world.user);
    let again = world.netsky(&errand.arguments).run();
    let mut found = debris::findings(&world.user, what);
    let commands = world.user.join(".claude/commands");
    let whole = [world.home.join("config.toml"), commands.join("up.md"), commands.join("down.md")];
    for path in whole.iter().filter(|path| fs::read(path).unwrap_or_default().is_empty()) {
        found.push((Harm::Other, format!("{what}: {} is not there: {}", path.display(), again.stderr)));
    }
    let checked = world.netsky(["config", "check"]).run();
    if checked.code != 0 {
        found.push((Harm::Torn, format!("{what}: {}", checked.stderr)));
    }
    found
}
