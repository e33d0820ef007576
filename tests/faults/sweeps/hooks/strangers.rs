//! Calls by those who are not the agent: nothing of them is believed, and nothing is told to them.

use std::fs;

use super::{Agent, Point};
use crate::puppet::Puppet;
use crate::sweep::Harm;

pub(super) const POINTS: &[Point] = &[
    ("from another tree of processes", from_elsewhere),
    ("in another generation's name", of_another_generation),
    ("in another agent's name", in_anothers_name),
    ("from a child that left its session", from_a_daemon),
    ("by an agent that was replaced", of_the_last_generation),
    ("with marks that are none", with_odd_marks),
];

const LIE: &str = r#"{"session_id":"lie","last_assistant_message":"agent0 session 9 up, says a stranger"}"#;

fn is_untouched(agent: &Agent, before: &serde_json::Value) {
    let after = agent.beacon();
    agent.must(after == *before, Harm::FalseSuccess, format!("a stranger was believed: {after}"));
}

/// The test itself, with the agent's own marks.
fn from_elsewhere(agent: &Agent) {
    let (before, generation) = (agent.beacon(), agent.generation());
    agent.world.netsky(["send", "agent0", "a secret"]).run().expect(0);
    for event in ["Stop", "SessionStart", "UserPromptSubmit", "PermissionRequest", "SessionEnd"] {
        let call = agent.world.netsky(["hook", event]).env("NETSKY_AGENT", "agent0");
        let ran = call.env("NETSKY_GENERATION", &generation).stdin(LIE).run();
        agent.must(ran.code == 0, Harm::Other, format!("exit {}", ran.code));
        agent.must(ran.stdout.is_empty() && ran.stderr.is_empty(), Harm::Other, format!("it says {ran:?}"));
    }
    is_untouched(agent, &before);
    let [new, shown, taken] = agent.world.envelopes();
    agent.must(new.len() == 1, Harm::Lost, format!("the message moved: {shown:?} {taken:?}"));
}

fn of_another_generation(agent: &Agent) {
    let before = agent.beacon();
    agent.puppet.file("lie", LIE);
    for generation in ["01ARZ3NDEKTSV4RRFFQ69G5FAV", "nonsense", ""] {
        agent.calls(&format!("NETSKY_GENERATION={generation} \"$NETSKY\" hook Stop <lie"));
    }
    is_untouched(agent, &before);
}

/// A clone of the same generation says that it is agent0, and agent0 that it is the clone.
fn in_anothers_name(agent: &Agent) {
    let of_clone = || fs::read(agent.world.home.join("state/beacons/agent1.json")).unwrap();
    let (before, clone) = (agent.beacon(), of_clone());
    agent.puppet.file("lie", LIE);
    agent.calls("NETSKY_AGENT=agent1 \"$NETSKY\" hook Stop <lie");
    agent.must(of_clone() == clone, Harm::FalseSuccess, "agent1 was spoken for by agent0");
    // The other way about, in a window of the clone's session: below its pane, but not below agent0's.
    let other = Puppet::new(&agent.world, "window");
    let line = format!("NETSKY_AGENT=agent0 sh {:?} {:?}", other.dir().join("script"), other.dir());
    agent.world.tmux(&["new-window", "-d", "-t", "=agent1:", &line]).expect(0);
    other.file("lie", LIE);
    other.runs(&format!("NETSKY_GENERATION={} {:?} hook Stop <lie", agent.generation(), agent.world.program));
    is_untouched(agent, &before);
    agent.must(agent.log().contains("does not run below"), Harm::Other, "nobody was told");
}

/// What has left the agent's tree is not the agent any more.
fn from_a_daemon(agent: &Agent) {
    let before = agent.beacon();
    agent.puppet.file("lie", LIE);
    agent.calls(
        "rm -f done; (setsid sh -c 'sleep 0.2; \"$0\" hook Stop <lie; echo >done' \"$NETSKY\" >/dev/null 2>&1 &); \
         until [ -e done ]; do sleep 0.05; done",
    );
    is_untouched(agent, &before);
}

/// Its process lives on in a pane of its own when the next generation is spawned.
fn of_the_last_generation(agent: &Agent) {
    let old = agent.generation();
    agent.world.netsky(["restart", "agent0"]).run().expect(0);
    let before = agent.beacon();
    agent.puppet.file("lie", LIE);
    agent.calls(&format!("NETSKY_GENERATION={old} \"$NETSKY\" hook Stop <lie"));
    is_untouched(agent, &before);
}

fn with_odd_marks(agent: &Agent) {
    let before = agent.beacon();
    agent.puppet.file("lie", LIE);
    for marks in [
        "NETSKY_AGENT=../../agent0",
        "NETSKY_AGENT='agent0 '",
        "NETSKY_AGENT=",
        "NETSKY_AGENT=agent99",
        "NETSKY_HOME=relative",
        "NETSKY_HOME=/nowhere",
        "NETSKY_HOME=/etc",
        "NETSKY_HOME=",
        "NETSKY_GENERATION=$(printf '\\377')",
    ] {
        agent.calls(&format!("{marks} \"$NETSKY\" hook Stop <lie 2>/dev/null"));
    }
    is_untouched(agent, &before);
}
