//! The dialogs that the demo agent shows, and its odd ones.

use std::time::Duration;

use netsky::agent::demo::keys::{Key, Keyboard};

use super::Scene;
use super::stage::{Acts, DEEP, End, Keys, Part, Stage, UP};
use crate::support::world::wait;
use crate::sweep::{Finding, Harm, Run};

const SETTINGS: &str = "[restart]\nup_wait = \"12s\"\nstop_grace = \"1s\"";

pub(super) fn scenes() -> Vec<Scene> {
    vec![
        // First, because an Enter that is not looked at shows here.
        (plain().len(), Box::new(|run| together(run, &plain(), SETTINGS))),
        (changing().len(), Box::new(|run| together(run, &changing(), SETTINGS))),
        (
            low().len(),
            Box::new(|run| together(run, &low(), &format!("{SETTINGS}\n[tmux]\nsize = \"80x11\""))),
        ),
        (
            narrow().len(),
            Box::new(|run| {
                together(run, &narrow(), &format!("{DEEP}\n{SETTINGS}\n[tmux]\nsize = \"40x10\""))
            }),
        ),
        (3, Box::new(after_up)),
    ]
}

fn together(run: &Run, parts: &[Part], settings: &str) -> Vec<Finding> {
    let mut stage = Stage::set(run, parts, settings);
    stage.play(parts);
    stage.found
}

fn exactly(keys: impl Into<String>) -> Keys {
    Keys::Exactly(keys.into())
}

fn plain() -> Vec<Part> {
    let up = |arguments: &str, keys: &str| Part::demo(arguments, End::Up, exactly(keys));
    let blocked = |arguments: &str, keys: &str| Part::demo(arguments, End::Blocked, exactly(keys));
    vec![
        up("--default-no", &format!("{UP}\r")),
        up("--think 10ms", "\r"),
        up("--fail two-dialogs", "\r\r"),
        up("--default-no --fail two-dialogs", &format!("{UP}\r{UP}\r")),
        up("--fail lost-enter", "\r\r"),
        up("--default-no --fail wandering", &format!("{UP}\r")),
        up("--fail dialog-words", "\r"),
        blocked("--trusted --fail unknown-dialog", ""),
        blocked("--fail unknown-dialog", "\r"),
        blocked("--trusted --default-no --fail unknown-dialog", ""),
        blocked("--default-no --fail stuck", &UP.repeat(3)),
        blocked("--trusted --fail permission", ""),
        blocked("--trusted --default-no --fail permission", ""),
        blocked("--trusted --fail login", ""),
        blocked("--trusted --fail overloaded", ""),
        Part::demo("--trusted --fail limit", End::Limited, exactly("")),
        Part { acts: Acts::Asked("--trusted".into()), ..Part::demo("asked by a paste", End::Up, Keys::Any) },
    ]
}

/// Dialogs that are not what they were when the key arrives.
fn changing() -> Vec<Part> {
    let asked = "--trusted --default-no --fail dialog-on-paste";
    vec![
        // An Enter that is under way when a dialog changes cannot be called back: these change well before and after.
        Part::demo("--fail replaced:0.02", End::Up, Keys::Any),
        Part::demo("--fail replaced:1.5", End::Up, Keys::Any),
        Part::demo("--fail slow-redraw", End::Up, Keys::Any),
        Part::demo("--default-no --fail slow-redraw", End::Up, Keys::Any),
        Part {
            acts: Acts::Asked(asked.into()),
            ..Part::demo("a dialog on the question", End::Up, Keys::Any)
        },
    ]
}

/// As low as a pane may be with the dialog whole.
fn low() -> Vec<Part> {
    vec![
        Part::demo("--default-no", End::Up, exactly(format!("{UP}\r"))),
        Part::demo("--default-no --fail two-dialogs", End::Up, exactly(format!("{UP}\r{UP}\r"))),
        Part::demo("--trusted --fail unknown-dialog", End::Blocked, exactly("")),
    ]
}

/// So narrow and low that the words of the dialog have scrolled away: nobody knows what it asks.
fn narrow() -> Vec<Part> {
    vec![
        Part::demo("--default-no", End::Blocked, exactly("")),
        Part::demo("--think 10ms", End::Blocked, exactly("")),
        Part::demo("--trusted --fail unknown-dialog", End::Blocked, exactly("")),
    ]
}

/// What comes up when agents are up is told, and typed into by nobody.
fn after_up(run: &Run) -> Vec<Finding> {
    let parts = [
        Part::demo("--trusted --fail dialog-after-up", End::Up, exactly("")),
        Part::demo("--trusted --fail dialog-words", End::Up, exactly("")),
        Part::demo("--trusted --fail dialog-on-paste", End::Up, exactly("")),
    ];
    let mut stage = Stage::set(run, &parts, SETTINGS);
    stage.play(&parts);
    for (agent, expected) in [("agent1", "blocked"), ("agent2", "idle")] {
        let state = wait(Duration::from_secs(3), &mut || {
            Some(stage.world.state_of(agent)).filter(|state| state == expected)
        });
        if state.is_none() {
            let seen = stage.world.state_of(agent);
            stage.find(Harm::FalseSuccess, format!("{agent} is {seen}, not {expected}"));
        }
    }
    for (number, expected) in [(1, "queued"), (2, "typed"), (3, "queued")] {
        let sent = stage.world.netsky(["send", &format!("agent{number}"), "hello", "--json"]).run().json();
        let nudge = &sent["deliveries"][0]["nudge"];
        if nudge != expected {
            stage.find(Harm::Other, format!("agent{number}: the nudge was {nudge}, not {expected}"));
        }
        let returns = returns(&stage.typed(number));
        let wanted = usize::from(expected == "typed");
        if returns != wanted {
            let typed = stage.typed(number);
            stage.find(Harm::Other, format!("agent{number}: {returns} Returns, not {wanted}: {typed:?}"));
        }
    }
    stage.found
}

/// Returns outside of pastes.
fn returns(typed: &str) -> usize {
    Keyboard::default().feed(typed.as_bytes()).iter().filter(|key| **key == Key::Enter).count()
}
