//! Status records as they were at one look, and whether the next look goes forward from there.

use serde_json::Value;

/// The phases in the order in which they come. The last four are ends.
const PHASES: [&str; 10] = [
    "preflight",
    "draining",
    "tearing-down",
    "spawned",
    "up-detected",
    "handoff-delivered",
    "complete",
    "degraded",
    "errored",
    "interrupted",
];
const FIRST_END: usize = 6;

/// What a record said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    pub phase: String,
    /// The phases that it went through.
    pub phases: Vec<String>,
    pub pid: i32,
    /// Null until it has ended.
    pub exit_code: Option<i32>,
}

impl Reading {
    /// None: it is no record.
    pub fn of(bytes: &[u8]) -> Option<Self> {
        let record: Value = serde_json::from_slice(bytes).ok()?;
        let phases = record["phases"].as_array()?.iter();
        Some(Self {
            phase: record["phase"].as_str()?.to_owned(),
            phases: phases.map(|entry| entry["phase"].as_str().unwrap_or_default().to_owned()).collect(),
            pid: record["pid"].as_i64()?.try_into().ok()?,
            exit_code: record["exit_code"].as_i64().and_then(|code| code.try_into().ok()),
        })
    }

    pub fn has_ended(&self) -> bool {
        position(&self.phase).is_none_or(|position| position >= FIRST_END)
    }

    /// What is wrong with it after `before` was read.
    pub fn step_back_from(&self, before: Option<&Self>) -> Option<String> {
        let Some(here) = position(&self.phase) else { return Some(format!("the phase {:?}", self.phase)) };
        let steps: Vec<Option<usize>> = self.phases.iter().map(|phase| position(phase)).collect();
        if !steps.is_sorted_by(|earlier, later| earlier < later) {
            return Some(format!("its phases are {:?}", self.phases));
        }
        let before = before?;
        let (was, went) = (&before.phase, &before.phases);
        if before.has_ended() && self.phase != *was {
            return Some(format!("it had ended as {was} and is {} now", self.phase));
        }
        if position(was).is_some_and(|was| was > here) || !self.phases.starts_with(went) {
            return Some(format!("from {was} ({went:?}) to {} ({:?})", self.phase, self.phases));
        }
        None
    }
}

fn position(phase: &str) -> Option<usize> {
    PHASES.iter().position(|known| *known == phase)
}
