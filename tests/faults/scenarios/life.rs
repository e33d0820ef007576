//! Starting and stopping without a restart.

use super::restart::{drafted, of_dead_agents, with_a_dead_profile};
use super::{IN_A_PAIR, UP};
use crate::errand::Errand;
use crate::stage::{Attempt, Scenario, Stage};
use crate::support::tree;
use crate::sweep::{Finding, Harm};

const UP_FIRST: Scenario = Scenario { name: "up-first", prepare: |_| {}, errand: up, uses: 1, ..IN_A_PAIR };

const UP_AFTER_FAILURE: Scenario = Scenario {
    name: "up-after-failure",
    prepare: with_a_dead_profile,
    errand: up_after_failure,
    ..IN_A_PAIR
};

const UP_AFTER_DRAFT: Scenario =
    Scenario { name: "up-after-draft", errand: up_after_draft, check: no_draft_is_left, ..IN_A_PAIR };

const DOWN: Scenario =
    Scenario { name: "down", errand: down, recover: &["down"], check: nothing_runs, ..IN_A_PAIR };

const DOWN_ONE: Scenario = Scenario {
    name: "down-one",
    errand: down_one,
    recover: &["down", "agent1"],
    check: one_runs,
    every: 2,
    ..IN_A_PAIR
};

const DOWN_INSIDE: Scenario = Scenario { name: "down-inside", errand: down_inside, every: 2, ..DOWN };

pub const ALL: &[Scenario] = &[UP_FIRST, UP_AFTER_FAILURE, UP_AFTER_DRAFT, DOWN, DOWN_ONE, DOWN_INSIDE];

pub const PORTABLE: &[Scenario] = &[UP_FIRST, UP_AFTER_FAILURE, UP_AFTER_DRAFT, DOWN, DOWN_INSIDE];

/// Those that are told to end.
pub const ENDED: &[Scenario] = &[UP_FIRST, UP_AFTER_FAILURE, DOWN, DOWN_ONE];

fn up(_: &Stage) -> Errand {
    Errand::of(UP.iter().copied())
}

/// A restart has failed: its hand-over is claimed and its agents are dead.
fn up_after_failure(stage: &Stage) -> Errand {
    let failing = of_dead_agents(stage);
    let ran = stage.world.netsky(&failing.arguments).run();
    assert_ne!(ran.code, 0);
    Errand::of(UP.iter().copied()).with(failing.text.unwrap())
}

/// Whoever wrote it has ended.
fn up_after_draft(stage: &Stage) -> Errand {
    let text = drafted(stage, "agent0");
    stage.world.netsky(["down"]).run().expect(0);
    Errand::of(UP.iter().copied()).with(text)
}

/// Its writer's place is taken: from there nobody would ever be handed it.
fn no_draft_is_left(attempt: &Attempt<'_>) -> Vec<Finding> {
    let Attempt { stage, what, .. } = attempt;
    let draft = stage.world.home.join("handoff/draft/agent0.md");
    if draft.exists() { vec![(Harm::Lost, format!("{what}: the draft is left behind"))] } else { Vec::new() }
}

fn down(stage: &Stage) -> Errand {
    stage.world.netsky(UP.iter().copied()).run().expect(0);
    Errand::of(["down"])
}

/// By an agent, which ends with what it asks for: a supervisor carries it on.
fn down_inside(stage: &Stage) -> Errand {
    let errand = down(stage);
    let generation = stage.world.status()["agents"][0]["generation"].as_str().unwrap().to_owned();
    let marks = [("NETSKY_AGENT", "agent0".to_owned()), ("NETSKY_GENERATION", generation)];
    Errand { environment: marks.into(), ..errand }
}

fn nothing_runs(attempt: &Attempt<'_>) -> Vec<Finding> {
    let Attempt { stage, what, .. } = attempt;
    let (left, servers) = (tree::marked(&stage.world.home), tree::servers(&stage.world.socket()));
    if left.is_empty() && servers.is_empty() {
        return Vec::new();
    }
    vec![(Harm::Other, format!("{what}: {left:?} and the tmux servers {servers:?} live on"))]
}

fn down_one(stage: &Stage) -> Errand {
    stage.world.netsky(UP.iter().copied()).run().expect(0);
    Errand::of(["down", "agent1"])
}

fn one_runs(attempt: &Attempt<'_>) -> Vec<Finding> {
    let Attempt { stage, what, .. } = attempt;
    let status = stage.world.status();
    let running: Vec<&str> =
        status["agents"].as_array().unwrap().iter().filter_map(|agent| agent["name"].as_str()).collect();
    if running == ["agent0"] {
        return Vec::new();
    }
    vec![(Harm::Other, format!("{what}: {running:?} run"))]
}
