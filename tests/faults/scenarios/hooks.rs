//! Hooks, each event, called below the pane of an agent that is in the midst of a turn.

use super::IN_A_PAIR;
use crate::errand::{Errand, Text};
use crate::hook_caller;
use crate::stage::{Attempt, Scenario, Stage, Victim};
use crate::support::World;
use crate::support::world::Ran;
use crate::sweep::{Finding, Harm};

const PLAIN: Scenario =
    Scenario { prepare, recover: &["up", "0"], victim: Victim::Hook, uses: 60, ..IN_A_PAIR };

const EVENTS: [&str; 8] = [
    "SessionStart",
    "UserPromptSubmit",
    "Stop",
    "StopFailure",
    "PermissionRequest",
    "PostToolUse",
    "SessionEnd",
    "Notification",
];

macro_rules! event {
    ($number:literal) => {
        Scenario {
            name: EVENTS[$number],
            errand: hook::<$number>,
            check: shown_and_taken::<$number>,
            ..PLAIN
        }
    };
}

pub const ALL: &[Scenario] =
    &[event!(0), event!(1), event!(2), event!(3), event!(4), event!(5), event!(6), event!(7)];

/// Those that move messages, and one that only reports.
pub const PORTABLE: &[Scenario] = &[event!(0), event!(1), event!(2), event!(3)];

/// Everything that any event reports.
const REPORT: &str = r#"{"session_id":"s","source":"startup","prompt":"p","last_assistant_message":"agent0 session 1 up",
    "error":"server_error","tool_name":"Bash","tool_input":{"command":"true"},"reason":"other","message":"m"}"#;

fn prepare(world: &mut World) {
    hook_caller::stage(world);
    call(world, "SessionStart");
    call(world, "UserPromptSubmit");
}

fn call(world: &World, event: &str) -> Ran {
    let mut command = std::process::Command::new(world.program());
    command.args(["hook", event]);
    let ran = hook_caller::run(world, &command, REPORT);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "hook {event}");
    ran
}

/// A message waits, and at the end of a turn it has been shown.
fn hook<const EVENT: usize>(stage: &Stage) -> Errand {
    let text = stage.text(None);
    stage.world.netsky(["send", "agent0", &text.words]).run().expect(0);
    if EVENTS[EVENT] == "Stop" {
        assert!(call(&stage.world, "UserPromptSubmit").stdout.contains(&text.words));
    }
    Errand::of(["hook", EVENTS[EVENT]]).reading(REPORT).with(text)
}

/// The turns that follow show the message, unless it was shown, and take it. And the agent's last event is told.
fn shown_and_taken<const EVENT: usize>(attempt: &Attempt<'_>) -> Vec<Finding> {
    let Attempt { stage, errand, ended, what, .. } = attempt;
    let world = &stage.world;
    let Text { words, .. } = errand.text.as_ref().unwrap();
    let mut found = Vec::new();
    let beacon = |event: &str| {
        let held = std::fs::read(world.home.join("state/beacons/agent0.json")).unwrap_or_default();
        let beacon: Option<serde_json::Value> = serde_json::from_slice(&held).ok();
        match beacon {
            None => vec![(Harm::Torn, format!("{what}: the beacon is {:?}", String::from_utf8_lossy(&held)))],
            Some(beacon) if beacon["event"] != event => {
                vec![(Harm::Lost, format!("{what}: after {event} the beacon says {}", beacon["event"]))]
            }
            Some(_) => Vec::new(),
        }
    };
    let again = call(world, "UserPromptSubmit");
    found.extend(beacon("UserPromptSubmit"));
    let is_shown = [&ended.ran, &again].iter().any(|ran| ran.stdout.contains(words.as_str()));
    if !is_shown && EVENTS[EVENT] != "Stop" {
        found.push((Harm::Lost, format!("{what}: a message was never shown")));
    }
    call(world, "Stop");
    found.extend(beacon("Stop"));
    call(world, "UserPromptSubmit");
    found
}
