//! `state/beacons/<agent>.json`: what an agent's hooks last reported, folded into what it is doing.
//!
//! [`fold`] is pure: beacon × report → beacon. A beacon is of one generation; a report of another starts a new one.
//! Written by the hook verb under a lock of its own, because a CLI calls hooks side by side. It is as volatile as
//! the agent: not synced.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::id::Generation;
use crate::name::AgentName;
use crate::paths::Home;
use crate::persist::{self, PersistError, StateFile};
use crate::text;

use super::marker::Marker;
use super::report::{Report, ReportKind};

/// So much of what an agent said is kept.
const SAID_CHARS: usize = 2_000;

/// The folded reports of one agent's generation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Beacon {
    version: u64,
    /// The agent.
    pub agent: AgentName,
    /// The generation that reported.
    pub generation: Generation,
    /// The last event, by the CLI's own name for it.
    pub event: String,
    /// When it came.
    #[serde(with = "crate::clock::stamped")]
    pub at: DateTime<Utc>,
    /// Since when the agent has been doing what it does.
    #[serde(with = "crate::clock::stamped")]
    pub since: DateTime<Utc>,
    /// The CLI's own session id.
    pub cli_session: Option<String>,
    /// How far the startup turn is.
    pub startup: StartupTurn,
    /// What the agent does.
    pub activity: Activity,
    /// The end of what the model said last.
    pub said: Option<String>,
    /// Whether the briefing stands in the present context.
    pub briefed: bool,
}

impl StateFile for Beacon {}

/// How far the startup turn is. Once up, always up, for this generation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum StartupTurn {
    /// It has not ended.
    Running,
    /// It ended with the marker.
    Up {
        /// When.
        #[serde(with = "crate::clock::stamped")]
        at: DateTime<Utc>,
        /// The line.
        marker: String,
    },
    /// It ended, but without the marker.
    EndedWithoutMarker,
}

/// What an agent does, as far as hooks tell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum Activity {
    /// The session began, no turn has.
    Starting,
    /// A turn is under way.
    Busy,
    /// The last turn ended.
    Idle,
    /// A person must answer before the turn goes on.
    AwaitsPerson {
        /// What is asked.
        what: String,
    },
    /// The last turn ended in an error.
    Failed {
        /// What failed.
        what: String,
    },
    /// The account's limit is reached.
    Limited {
        /// What the CLI says of it.
        what: String,
    },
    /// The person ended the agent's session.
    Ended {
        /// Why, in the CLI's words.
        reason: String,
    },
}

/// The beacon after one more report.
pub fn fold(
    before: Option<Beacon>,
    agent: AgentName,
    generation: Generation,
    report: &Report,
    marker: &Marker,
    now: DateTime<Utc>,
) -> Beacon {
    let mut beacon =
        before.filter(|beacon| beacon.generation == generation && beacon.agent == agent).unwrap_or(Beacon {
            version: Beacon::VERSION,
            agent,
            generation,
            event: String::new(),
            at: now,
            since: now,
            cli_session: None,
            startup: StartupTurn::Running,
            activity: Activity::Starting,
            said: None,
            briefed: false,
        });
    beacon.event.clone_from(&report.event);
    beacon.at = now;
    if report.session.is_some() {
        beacon.cli_session.clone_from(&report.session);
    }
    let activity = activity_after(&beacon.activity, &report.kind);
    if activity != beacon.activity {
        beacon.since = now;
        beacon.activity = activity;
    }
    match &report.kind {
        ReportKind::SessionStarted { .. } => beacon.briefed = false,
        ReportKind::TurnEnded { said } => {
            beacon.startup = startup_after(&beacon.startup, said.as_deref(), marker, now);
            beacon.said = said.as_deref().map(|said| tail(said, SAID_CHARS));
        }
        ReportKind::TurnInterrupted => beacon.startup = startup_after(&beacon.startup, None, marker, now),
        _ => {}
    }
    beacon
}

fn activity_after(before: &Activity, report: &ReportKind) -> Activity {
    match report {
        ReportKind::SessionStarted { .. } => match before {
            // A compaction in mid-turn starts a context, not a session.
            Activity::Busy => Activity::Busy,
            Activity::Starting => Activity::Starting,
            _ => Activity::Idle,
        },
        ReportKind::PromptSubmitted | ReportKind::ToolUsed => Activity::Busy,
        ReportKind::TurnEnded { .. } | ReportKind::TurnInterrupted => Activity::Idle,
        ReportKind::TurnFailed { limited: true, what } => Activity::Limited { what: clip(what) },
        ReportKind::TurnFailed { limited: false, what } => Activity::Failed { what: clip(what) },
        ReportKind::PersonAsked { what } => Activity::AwaitsPerson { what: clip(what) },
        ReportKind::SessionEnded { reason, by_person: true } => Activity::Ended { reason: clip(reason) },
        ReportKind::SessionEnded { by_person: false, .. } | ReportKind::Other => before.clone(),
    }
}

fn startup_after(
    before: &StartupTurn,
    said: Option<&str>,
    marker: &Marker,
    now: DateTime<Utc>,
) -> StartupTurn {
    match (before, said.and_then(|said| marker.find(said))) {
        (StartupTurn::Up { .. }, _) => before.clone(),
        (_, Some(line)) => StartupTurn::Up { at: now, marker: clip(line) },
        (_, None) => StartupTurn::EndedWithoutMarker,
    }
}

fn clip(words: &str) -> String {
    text::clipped(&text::one_line(words), 300).into_owned()
}

fn tail(said: &str, limit: usize) -> String {
    let excess = said.chars().count().saturating_sub(limit);
    text::printable(&said.chars().skip(excess).collect::<String>()).into_owned()
}

/// Reads an agent's beacon; `None` where no hook has reported (or what it wrote cannot be understood).
pub fn load(home: &Home, agent: AgentName) -> Result<Option<Beacon>, PersistError> {
    Ok(persist::load(&home.beacon(agent))?.present())
}

/// Changes an agent's beacon under its lock.
///
/// # Errors
/// The lock or the file cannot be used.
pub fn update(
    home: &Home,
    agent: AgentName,
    change: impl FnOnce(Option<Beacon>) -> Beacon,
) -> Result<Beacon, PersistError> {
    let path = home.beacon(agent);
    // Every holder ends within the hook's own limit.
    let _held = persist::exclusively(&path.with_extension("lock"))?;
    let beacon = change(load(home, agent)?);
    let bytes = persist::to_line(&beacon, &path)?;
    persist::write_volatile(&path, &bytes)?;
    Ok(beacon)
}

/// Notes that the briefing stands in the context of this generation's agent.
pub fn brief(home: &Home, agent: AgentName, generation: Generation) -> Result<(), PersistError> {
    let path = home.beacon(agent);
    let _held = persist::exclusively(&path.with_extension("lock"))?;
    match load(home, agent)? {
        Some(beacon) if beacon.generation == generation => {
            let bytes = persist::to_line(&Beacon { briefed: true, ..beacon }, &path)?;
            persist::write_volatile(&path, &bytes)
        }
        Some(_) | None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::marker::DEFAULT_CORE;

    fn after(kinds: &[ReportKind]) -> Beacon {
        let marker = Marker::new(DEFAULT_CORE).unwrap();
        let generation = Generation::fresh();
        kinds
            .iter()
            .fold(None, |beacon, kind| {
                let report = Report { event: "E".into(), session: None, kind: kind.clone() };
                Some(fold(beacon, AgentName::ROOT, generation, &report, &marker, crate::clock::utc_now()))
            })
            .unwrap()
    }

    fn ended(said: &str) -> ReportKind {
        ReportKind::TurnEnded { said: Some(said.into()) }
    }

    #[test]
    fn an_agent_is_up_when_its_startup_turn_ended_with_the_marker() {
        let started = ReportKind::SessionStarted { fresh_context: true };
        let prompt = ReportKind::PromptSubmitted;
        assert_eq!(after(std::slice::from_ref(&started)).startup, StartupTurn::Running);
        assert_eq!(after(&[started.clone(), prompt.clone()]).activity, Activity::Busy);
        let up = after(&[started.clone(), prompt.clone(), ended("ready\nagent0 session 3 up")]);
        assert!(matches!(&up.startup, StartupTurn::Up { marker, .. } if marker == "agent0 session 3 up"));
        assert_eq!(up.activity, Activity::Idle);
        assert_eq!(after(&[started, prompt, ended("no")]).startup, StartupTurn::EndedWithoutMarker);
    }

    #[test]
    fn once_up_always_up_and_a_late_marker_counts() {
        assert!(matches!(after(&[ended("session 1"), ended("other")]).startup, StartupTurn::Up { .. }));
        assert!(matches!(after(&[ended("other"), ended("session 1")]).startup, StartupTurn::Up { .. }));
    }

    #[test]
    fn a_failed_turn_proves_nothing_and_says_why() {
        let failed = ReportKind::TurnFailed { what: "overloaded".into(), limited: false };
        let beacon = after(&[ReportKind::PromptSubmitted, failed]);
        assert_eq!(
            (beacon.activity, beacon.startup),
            (Activity::Failed { what: "overloaded".into() }, StartupTurn::Running)
        );
    }

    #[test]
    fn an_interrupted_turn_is_over_and_brought_no_marker() {
        let interrupted = after(&[ReportKind::PromptSubmitted, ReportKind::TurnInterrupted]);
        assert_eq!(
            (interrupted.activity, interrupted.startup),
            (Activity::Idle, StartupTurn::EndedWithoutMarker)
        );
        let later = after(&[ended("session 1"), ReportKind::PromptSubmitted, ReportKind::TurnInterrupted]);
        assert!(matches!(later.startup, StartupTurn::Up { .. }));
    }

    #[test]
    fn a_permission_question_ends_when_the_tool_was_used() {
        let asked = ReportKind::PersonAsked { what: "Bash: ls".into() };
        assert!(matches!(after(std::slice::from_ref(&asked)).activity, Activity::AwaitsPerson { .. }));
        assert_eq!(after(&[asked, ReportKind::ToolUsed]).activity, Activity::Busy);
    }

    #[test]
    fn a_cleared_context_is_no_exit_and_wants_its_briefing_again() {
        let cleared = [
            ended("session 1"),
            ReportKind::SessionEnded { reason: "clear".into(), by_person: false },
            ReportKind::SessionStarted { fresh_context: true },
        ];
        let beacon = after(&cleared);
        assert_eq!((beacon.activity, beacon.briefed), (Activity::Idle, false));
    }

    #[test]
    fn another_generation_starts_afresh() {
        let marker = Marker::new(DEFAULT_CORE).unwrap();
        let now = crate::clock::utc_now();
        let up = after(&[ended("session 1")]);
        let report = Report { event: "E".into(), session: None, kind: ReportKind::PromptSubmitted };
        let next = fold(Some(up), AgentName::ROOT, Generation::fresh(), &report, &marker, now);
        assert_eq!(next.startup, StartupTurn::Running);
    }
}
