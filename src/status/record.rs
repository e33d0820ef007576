//! The record of one restart. Its transitions are methods that refuse to go back or to claim too much.
//!
//! An ended record is frozen. `complete` is refused while an agent of it is not up. How long things took is measured
//! by the monotonic clock of the caller and never shrinks.

use std::time::Duration;

use chrono::{DateTime, SubsecRound, Utc};
use serde::{Deserialize, Serialize};

use super::entry::{AgentRecord, Failure, HandoffRecord, PhaseEntry};
use super::phase::{Phase, may_follow};
use crate::id::{Generation, RestartId};
use crate::name::{Actor, AgentName};
use crate::persist::StateFile;

/// One restart, as its file holds it. Every key is always there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    version: u64,
    /// Names the restart.
    pub id: RestartId,
    /// The process that carries it; another one after a hand-over to a supervisor.
    pub pid: i32,
    #[serde(with = "crate::clock::stamped")]
    started_at: DateTime<Utc>,
    #[serde(with = "crate::clock::stamped")]
    updated_at: DateTime<Utc>,
    phase: Phase,
    exit_code: Option<u8>,
    error: Option<Failure>,
    /// Who asked for it.
    pub actor: Actor,
    /// Why, in their words.
    pub reason: Option<String>,
    /// What the new agents prove themselves by.
    pub generation: Generation,
    /// Agents besides agent0.
    pub clones: u32,
    phases: Vec<PhaseEntry>,
    agents: Vec<AgentRecord>,
    handoff: Option<HandoffRecord>,
}

impl StateFile for Record {}

/// What is known when a restart begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beginning {
    /// Names the restart.
    pub id: RestartId,
    /// The process that carries it.
    pub pid: i32,
    /// When.
    pub at: DateTime<Utc>,
    /// Who asked.
    pub actor: Actor,
    /// Why.
    pub reason: Option<String>,
    /// What the new agents prove themselves by.
    pub generation: Generation,
    /// Agents besides agent0.
    pub clones: u32,
}

/// How a restart ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// Every agent is up: exit code 0.
    Complete,
    /// agent0 is up, some clones are not: exit code 3.
    Degraded,
    /// It failed.
    Errored {
        /// Where and why.
        failure: Failure,
        /// 1, 4, 69 … or 128 + the signal.
        exit_code: u8,
    },
}

/// A record cannot be changed so.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TransitionError {
    /// Phases only go forward.
    #[error("restart {id}: {to} cannot come after {from}")]
    OutOfOrder {
        /// The restart.
        id: RestartId,
        /// Its phase.
        from: Phase,
        /// The phase that was asked for.
        to: Phase,
    },
    /// An ended record is frozen.
    #[error("restart {id} has ended with {phase}")]
    Ended {
        /// The restart.
        id: RestartId,
        /// How it ended.
        phase: Phase,
    },
    /// An end needs its exit code and its cause.
    #[error("restart {id}: {phase} is an end, not a step")]
    NotAStep {
        /// The restart.
        id: RestartId,
        /// The phase that was asked for.
        phase: Phase,
    },
    /// A restart is never green with an agent missing.
    #[error("restart {id} is not complete: {} not up", names(agents))]
    NotUp {
        /// The restart.
        id: RestartId,
        /// Those that are not up.
        agents: Vec<AgentName>,
    },
}

fn names(agents: &[AgentName]) -> String {
    let names: Vec<String> = agents.iter().map(ToString::to_string).collect();
    format!("{} {}", names.join(", "), if names.len() == 1 { "is" } else { "are" })
}

impl Record {
    /// The record of a restart that enters its preflight.
    pub fn begin(beginning: Beginning) -> Self {
        let Beginning { id, pid, at, actor, reason, generation, clones } = beginning;
        // As files hold it, so that what was written and what is read are equal.
        let at = at.trunc_subsecs(3);
        Self {
            version: Self::VERSION,
            id,
            pid,
            started_at: at,
            updated_at: at,
            phase: Phase::Preflight,
            exit_code: None,
            error: None,
            actor,
            reason,
            generation,
            clones,
            phases: vec![PhaseEntry { phase: Phase::Preflight, at, elapsed_ms: 0 }],
            agents: Vec::new(),
            handoff: None,
        }
    }

    /// Enters the next phase. `elapsed` is since the restart began.
    ///
    /// # Errors
    /// The phase does not come next, or is an end.
    pub fn advance(
        &mut self,
        to: Phase,
        at: DateTime<Utc>,
        elapsed: Duration,
    ) -> Result<(), TransitionError> {
        self.refuse_if_ended()?;
        if to.is_terminal() {
            return Err(TransitionError::NotAStep { id: self.id, phase: to });
        }
        self.enter(to, at, elapsed)
    }

    /// Ends the restart and freezes the record.
    ///
    /// # Errors
    /// It has ended already, or is not far enough for this end, or would be green with an agent missing.
    pub fn finish(
        &mut self,
        ending: Ending,
        at: DateTime<Utc>,
        elapsed: Duration,
    ) -> Result<(), TransitionError> {
        self.refuse_if_ended()?;
        let (phase, exit_code, error) = match ending {
            Ending::Complete => {
                let agents = self.not_up();
                if !agents.is_empty() {
                    return Err(TransitionError::NotUp { id: self.id, agents });
                }
                (Phase::Complete, 0, None)
            }
            Ending::Degraded => (Phase::Degraded, 3, None),
            Ending::Errored { failure, exit_code } => (Phase::Errored, exit_code, Some(failure)),
        };
        self.enter(phase, at, elapsed)?;
        self.exit_code = Some(exit_code);
        self.error = error;
        Ok(())
    }

    /// Notes what is known of an agent; agents stay in numeric order.
    ///
    /// # Errors
    /// The restart has ended.
    pub fn note_agent(&mut self, agent: AgentRecord) -> Result<(), TransitionError> {
        self.refuse_if_ended()?;
        match self.agents.binary_search_by_key(&agent.name, |known| known.name) {
            Ok(at) => self.agents.splice(at..=at, [agent]).for_each(drop),
            Err(at) => self.agents.insert(at, agent),
        }
        Ok(())
    }

    /// Notes how far the hand-over is.
    ///
    /// # Errors
    /// The restart has ended.
    pub fn note_handoff(&mut self, handoff: HandoffRecord) -> Result<(), TransitionError> {
        self.refuse_if_ended()?;
        self.handoff = Some(handoff);
        Ok(())
    }

    /// The record as it is once its process is gone; an ended one is as it was. Nobody knows when or why the process
    /// ended: the time is that of its last word, and there is no exit code.
    #[must_use]
    pub fn interrupted(mut self) -> Self {
        if self.phase.is_terminal() {
            return self;
        }
        self.error = Some(Failure {
            step: self.phase,
            message: format!("process {} was gone before the restart ended", self.pid),
            agent: None,
            screen: None,
            hint: Some("netsky restart".to_owned()),
        });
        let last =
            PhaseEntry { phase: Phase::Interrupted, at: self.updated_at, elapsed_ms: self.elapsed_ms() };
        self.phase = Phase::Interrupted;
        self.phases.push(last);
        self
    }

    /// The record as it is shown once its envelope is there: a record is frozen when its restart ends, an envelope
    /// moves on.
    #[must_use]
    pub fn with_handoff_at(mut self, state: super::HandoffState) -> Self {
        if let Some(handoff) = &mut self.handoff {
            handoff.state = state;
        }
        self
    }

    /// When it began.
    pub fn started_at(&self) -> DateTime<Utc> {
        self.started_at
    }
    /// When it last said something.
    pub fn updated_at(&self) -> DateTime<Utc> {
        self.updated_at
    }
    /// How far it is.
    pub fn phase(&self) -> Phase {
        self.phase
    }
    /// The phases so far, in order.
    pub fn phases(&self) -> &[PhaseEntry] {
        &self.phases
    }
    /// `None` until it has ended, and where its process was gone before it could say.
    pub fn exit_code(&self) -> Option<u8> {
        self.exit_code
    }
    /// Why it failed.
    pub fn error(&self) -> Option<&Failure> {
        self.error.as_ref()
    }
    /// The agents, in numeric order.
    pub fn agents(&self) -> &[AgentRecord] {
        &self.agents
    }
    /// The hand-over, where there is one.
    pub fn handoff(&self) -> Option<&HandoffRecord> {
        self.handoff.as_ref()
    }
    /// Milliseconds from its begin to its last phase.
    pub fn elapsed_ms(&self) -> u64 {
        self.phases.last().map_or(0, |entry| entry.elapsed_ms)
    }
    /// The agents that are not up, or were never proved to be.
    pub fn not_up(&self) -> Vec<AgentName> {
        let is_up = |agent: &&AgentRecord| agent.state.is_up() && agent.ready_by.is_some();
        self.agents.iter().filter(|agent| !is_up(agent)).map(|agent| agent.name).collect()
    }

    fn enter(&mut self, to: Phase, at: DateTime<Utc>, elapsed: Duration) -> Result<(), TransitionError> {
        if !may_follow(self.phase, to) {
            return Err(TransitionError::OutOfOrder { id: self.id, from: self.phase, to });
        }
        let at = at.trunc_subsecs(3);
        let elapsed_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX).max(self.elapsed_ms());
        self.phase = to;
        self.updated_at = at;
        self.phases.push(PhaseEntry { phase: to, at, elapsed_ms });
        Ok(())
    }

    fn refuse_if_ended(&self) -> Result<(), TransitionError> {
        if self.phase.is_terminal() {
            return Err(TransitionError::Ended { id: self.id, phase: self.phase });
        }
        Ok(())
    }
}

#[cfg(test)]
pub(super) mod tests;
