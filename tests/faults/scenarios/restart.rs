//! Restarts: from every kind of hand-over, of more and of fewer agents, carried by another process, and failing.

use std::ffi::OsString;

use super::{IN_A_PAIR, two_agents};
use crate::errand::{Errand, Text};
use crate::stage::{Scenario, Stage, Victim};
use crate::strike;
use crate::support::World;

const PLAIN: Scenario = Scenario { name: "file", errand: from_file, ..IN_A_PAIR };
const ELSEWHERE: Scenario =
    Scenario { name: "elsewhere", errand: from_another_file_system, every: 2, ..PLAIN };

const THREE: Scenario = Scenario {
    name: "three",
    prepare: four_agents,
    errand: three_clones,
    recover: UP_THREE,
    every: 4,
    ..PLAIN
};

const ERRORED: Scenario = Scenario {
    name: "errored",
    prepare: with_a_dead_profile,
    errand: of_dead_agents,
    // An `up` would wait for those that are about to die.
    recover: &["restart", "1", "--agent", "demo"],
    every: 2,
    ..PLAIN
};

const DETACHED: Scenario = Scenario { name: "detached", errand: detached, every: 2, ..PLAIN };

const SUPERVISED: Scenario = Scenario {
    name: "supervised",
    prepare: with_supervisors_held,
    errand: detached,
    victim: Victim::Supervisor,
    every: 2,
    ..PLAIN
};

pub const ALL: &[Scenario] = &[
    PLAIN,
    Scenario { name: "draft", errand: from_draft, every: 4, ..PLAIN },
    Scenario { name: "clones-draft", errand: from_a_clones_draft, every: 2, ..PLAIN },
    Scenario { name: "stdin", errand: from_standard_input, every: 4, ..PLAIN },
    ELSEWHERE,
    THREE,
    Scenario { name: "named", errand: one_clone, every: 2, ..PLAIN },
    ERRORED,
    DETACHED,
    SUPERVISED,
];

/// Those with points of their own where points have names.
pub const PORTABLE: &[Scenario] = &[PLAIN, ELSEWHERE, ERRORED, DETACHED];

/// Those whose phases have names.
pub const BY_PHASE: &[Scenario] = &[PLAIN, DETACHED];

/// Those that are told to end.
pub const ENDED: &[Scenario] = &[PLAIN, THREE, DETACHED, SUPERVISED];

const UP_THREE: &[&str] = &["up", "3", "--agent", "demo"];

fn four_agents(world: &mut World) {
    world.netsky(UP_THREE.iter().copied()).run().expect(0);
}

/// A restart with the hand-over of a file.
fn handing_over(arguments: &[&str], text: Text) -> Errand {
    let mut errand = Errand::of(arguments.iter().copied());
    let file = text.source.clone().map_or_else(|| OsString::from("-"), OsString::from);
    errand.arguments.extend(["--handoff".into(), file]);
    errand.with(text)
}

fn from_file(stage: &Stage) -> Errand {
    handing_over(&["restart", "1"], stage.note())
}

fn from_draft(stage: &Stage) -> Errand {
    Errand::of(["restart", "1"]).with(drafted(stage, "agent0"))
}

fn from_a_clones_draft(stage: &Stage) -> Errand {
    let text = drafted(stage, "agent1");
    Errand::of(["restart", "agent1"]).with(Text { to: &["agent1"], ..text })
}

/// A draft of an agent, and where it lies.
pub fn drafted(stage: &Stage, agent: &str) -> Text {
    let text = stage.text(None);
    let write = stage.world.netsky(["handoff", "write", "--agent", agent, "-"]);
    write.stdin(&text.words).run().expect(0);
    Text { source: Some(stage.world.home.join(format!("handoff/draft/{agent}.md"))), ..text }
}

fn from_standard_input(stage: &Stage) -> Errand {
    let text = stage.text(None);
    handing_over(&["restart", "1"], text.clone()).reading(text.words)
}

fn from_another_file_system(stage: &Stage) -> Errand {
    handing_over(&["restart", "1"], stage.text(Some(stage.elsewhere.path().join("note.md"))))
}

fn three_clones(stage: &Stage) -> Errand {
    handing_over(&["restart", "3"], stage.note())
}

fn one_clone(stage: &Stage) -> Errand {
    handing_over(&["restart", "agent1"], stage.note())
}

pub fn with_a_dead_profile(world: &mut World) {
    world.configure(
        "[constellation]\nclones = 1\nagent = \"demo\"\nroot_agent = \"demo\"\n\
         [profile.dead]\ncommand = [\"false\"]\nmemory = \"1MiB\"\n",
    );
    two_agents(world);
}

pub fn of_dead_agents(stage: &Stage) -> Errand {
    handing_over(&["restart", "1", "--agent", "dead"], stage.note())
}

fn detached(stage: &Stage) -> Errand {
    handing_over(&["restart", "1", "--detach"], stage.note())
}

/// However long a supervisor is held, its tmux is not late.
fn with_supervisors_held(world: &mut World) {
    strike::hold_supervisors(world);
    world.configure(
        "[constellation]\nclones = 1\nagent = \"demo\"\nroot_agent = \"demo\"\n[tmux]\nread_timeout = \"60s\"\n",
    );
    two_agents(world);
}
