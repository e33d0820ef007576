//! Hand-overs without a restart, messages and drafts.

use std::fs;

use super::IN_A_PAIR;
use crate::errand::{Errand, Text};
use crate::stage::{Attempt, Scenario, Stage};
use crate::sweep::{Finding, Harm};

const DELIVER: Scenario = Scenario { name: "deliver", errand: deliver, ..IN_A_PAIR };
const SEND: Scenario = Scenario { name: "send", errand: send, ..IN_A_PAIR };
const WRITE: Scenario = Scenario { name: "write", errand: write, check: draft_is_whole, ..IN_A_PAIR };

pub const ALL: &[Scenario] = &[
    DELIVER,
    Scenario { name: "deliver-elsewhere", errand: deliver_from_another_file_system, every: 2, ..IN_A_PAIR },
    Scenario { name: "deliver-stdin", errand: deliver_standard_input, every: 2, ..IN_A_PAIR },
    SEND,
    Scenario { name: "send-all", errand: send_to_all, every: 2, ..IN_A_PAIR },
    WRITE,
];

pub const PORTABLE: &[Scenario] = &[DELIVER, SEND, WRITE];

fn deliver(stage: &Stage) -> Errand {
    delivering(stage.note())
}

fn deliver_from_another_file_system(stage: &Stage) -> Errand {
    delivering(stage.text(Some(stage.elsewhere.path().join("note.md"))))
}

fn delivering(text: Text) -> Errand {
    Errand::of(["handoff".into(), "deliver".into(), text.source.clone().unwrap().into_os_string()]).with(text)
}

fn deliver_standard_input(stage: &Stage) -> Errand {
    let text = stage.text(None);
    Errand::of(["handoff", "deliver", "-"]).reading(&text.words).with(text)
}

fn send(stage: &Stage) -> Errand {
    let text = stage.text(None);
    Errand::of(["send", "agent0", &text.words]).with(text)
}

fn send_to_all(stage: &Stage) -> Errand {
    let text = Text { to: &["agent0", "agent1"], ..stage.text(None) };
    Errand::of(["send", "all", "--file", "-"]).reading(&text.words).with(text)
}

fn write(stage: &Stage) -> Errand {
    Errand::of(["handoff", "write", "--agent", "agent0", "-"]).reading(draft(stage.uses))
}

fn draft(number: usize) -> String {
    format!("draft number {number}")
}

/// The draft is the old one or the new one, and can be written again.
fn draft_is_whole(attempt: &Attempt<'_>) -> Vec<Finding> {
    let Attempt { stage, errand, ended, what, .. } = attempt;
    let path = stage.world.home.join("handoff/draft/agent0.md");
    let held = || fs::read_to_string(&path).unwrap_or_default();
    let (old, new) = (if stage.uses == 1 { String::new() } else { draft(stage.uses - 1) }, draft(stage.uses));
    let found = held();
    let harm = match (&found, ended.struck.is_none()) {
        (found, _) if *found == new => None,
        (found, false) if *found == old => None,
        (_, true) => Some(Harm::FalseSuccess),
        (_, false) => Some(Harm::Torn),
    };
    let again = stage.world.netsky(&errand.arguments).stdin(&errand.stdin).run();
    let is_written = again.code == 0 && held() == new;
    let again = (!is_written).then(|| (Harm::Other, format!("{what}: not written again: {}", again.stderr)));
    harm.map(|harm| (harm, format!("{what}: the draft is {found:?}"))).into_iter().chain(again).collect()
}
