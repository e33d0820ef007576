//! Telling agents that something waits in their inbox.
//!
//! What waits is durable before anybody is told, so nothing here can lose it; that an agent is busy, down or not to be
//! disturbed is no failure.

use std::path::Path;
use std::time::Duration;

use crate::agent::briefing;
use crate::agent::hook::spoken_name;
use crate::agent::profile::Profile;
use crate::clock::Deadline;
use crate::constellation::nudge::{Nudged, Target};
use crate::constellation::scene::{self, Scene, SceneError};
use crate::constellation::trouble::chain;
use crate::events::Event;
use crate::handoff::inbox::Inbox;
use crate::name::AgentName;
use crate::state::spawned::Spawned;
use crate::status::Record;
use crate::tmux::Tmux;

use super::Caller;
use super::setting::Settings;
use super::stage::{Stage, open_tmux};

/// A verb that has done its work goes on telling for so long.
const TOLD_WITHIN: Duration = Duration::from_secs(5);

/// What came of telling one agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Notified {
    /// The nudge was typed and taken.
    Typed,
    /// Nothing was typed: its next prompt, or its next start, shows what waits.
    Queued,
    /// It was typed; whether it was taken is not known.
    Unverified,
    /// tmux did not answer: what waits is shown all the same, later.
    NoAnswer {
        /// What came back instead.
        why: String,
    },
}

impl Notified {
    /// As documents spell it; `None` where tmux did not answer.
    pub(super) fn word(&self) -> Option<&'static str> {
        match self {
            Self::Typed => Some("typed"),
            Self::Queued => Some("queued"),
            Self::Unverified => Some("unverified"),
            Self::NoAnswer { .. } => None,
        }
    }
}

/// Tells one agent.
pub(super) fn agent(settings: &Settings, caller: &Caller, name: AgentName) -> Notified {
    agents(settings, caller, &[name]).pop().unwrap_or(Notified::Queued)
}

/// Tells those of the agents that have something in their inbox that they were not shown: what was claimed earlier and
/// delivered only now, or sent while they came up.
/// Whom there is no time for, or who was not told when a signal came, is shown it with the next prompt.
pub(super) fn waiting(stage: &Stage<'_>, caller: &Caller, up: impl Iterator<Item = AgentName>) {
    let settings = &stage.settings;
    let spawned = Spawned::load(&settings.home).unwrap_or_default();
    let has_mail = |name: &AgentName| {
        let waiting = Inbox::of(&settings.home, *name).not_shown_to(spawned.generation(*name));
        waiting.is_ok_and(|waiting| !waiting.names.is_empty())
    };
    let waiting: Vec<AgentName> = up.filter(has_mail).collect();
    if waiting.is_empty() {
        return;
    }
    let teller = Teller::new(settings, caller);
    let limit = Deadline::after(TOLD_WITHIN);
    let told = in_turn(&waiting, |name| match &teller {
        Ok(_) if limit.is_past() || stage.means().interrupts.pending().is_some() => Notified::Queued,
        Ok(teller) => teller.tell(name),
        Err(notified) => notified.clone(),
    });
    for (name, told) in waiting.iter().zip(told).filter(|(_, told)| *told != Notified::Typed) {
        let result = told.word().unwrap_or("no-answer");
        Event::new("not-nudged").with("agent", *name).with("result", result).log(&settings.home);
    }
}

/// The agents that a restart has brought up and not told of anything yet, and agent0 where it stayed and was handed
/// something.
pub(super) fn after_restart(stage: &Stage<'_>, caller: &Caller, record: &Record) {
    let stays = record.agents().iter().all(|agent| !agent.name.is_root());
    let was_told = |name: AgentName| name.is_root() && record.handoff().is_some();
    let up = record.agents().iter().filter(|agent| agent.ready_by.is_some()).map(|agent| agent.name);
    let root = Some(AgentName::ROOT).filter(|_| stays && record.handoff().is_some());
    waiting(stage, caller, up.filter(|name| !was_told(*name)).chain(root));
}

/// Looks once at what tmux has, then nudges.
struct Teller<'a> {
    settings: &'a Settings,
    netsky: &'a Path,
    tmux: Tmux,
    scene: Scene,
    line: String,
}

impl<'a> Teller<'a> {
    fn new(settings: &'a Settings, caller: &'a Caller) -> Result<Self, Notified> {
        let silent = |why: String| Notified::NoAnswer { why };
        let tmux = open_tmux(caller, settings).map_err(|error| silent(error.message()))?;
        let scene = match scene::look(&settings.home, &tmux) {
            Ok(scene) => scene,
            Err(error @ SceneError::Tmux { .. }) => return Err(silent(chain(&error))),
            // What cannot be looked at is not typed into.
            Err(_) => return Err(Notified::Queued),
        };
        let path = caller.environment.get(std::ffi::OsStr::new("PATH")).map(std::ffi::OsString::as_os_str);
        let line = briefing::nudge(&spoken_name(&caller.netsky, path));
        Ok(Self { settings, netsky: &caller.netsky, tmux, scene, line })
    }

    fn tell(&self, name: AgentName) -> Notified {
        let target = || {
            let there =
                self.scene.present(name).filter(|there| there.ours && there.alive && there.current)?;
            let spawn = self.scene.spawned.agents.get(&name)?;
            let profile =
                Profile::resolve(&spawn.profile, &self.settings.config().profiles, self.netsky).ok()?;
            Some((there.pane, spawn.generation, profile, self.scene.snapshot.as_ref()?))
        };
        let Some((pane, generation, profile, seen)) = target() else { return Notified::Queued };
        let target = Target {
            home: &self.settings.home,
            tmux: &self.tmux,
            agent: name,
            generation,
            pane,
            profile: &profile,
        };
        match target.nudge(&self.line, seen) {
            Ok(Nudged::Typed) => Notified::Typed,
            Ok(Nudged::Queued) => Notified::Queued,
            Ok(Nudged::Unverified) => Notified::Unverified,
            Err(error) => Notified::NoAnswer { why: chain(&error) },
        }
    }
}

/// Tells several agents, in order. After the first late answer of tmux nothing more is asked of it.
pub(super) fn agents(settings: &Settings, caller: &Caller, names: &[AgentName]) -> Vec<Notified> {
    match Teller::new(settings, caller) {
        Ok(teller) => in_turn(names, |name| teller.tell(name)),
        Err(notified) => names.iter().map(|_| notified.clone()).collect(),
    }
}

fn in_turn(names: &[AgentName], mut tell: impl FnMut(AgentName) -> Notified) -> Vec<Notified> {
    let mut late: Option<Notified> = None;
    let mut told = Vec::with_capacity(names.len());
    for name in names {
        let notified = late.clone().unwrap_or_else(|| tell(*name));
        if matches!(notified, Notified::NoAnswer { .. }) {
            late = Some(notified.clone());
        }
        told.push(notified);
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_a_late_answer_nobody_else_is_asked() {
        let mut asked = Vec::new();
        let names: Vec<AgentName> = AgentName::constellation(3).collect();
        let told = in_turn(&names, |name| {
            asked.push(name);
            if name.is_root() { Notified::Typed } else { Notified::NoAnswer { why: "late".into() } }
        });
        assert_eq!(asked, [AgentName::ROOT, AgentName::Numbered(1)]);
        let words: Vec<_> = told.iter().map(Notified::word).collect();
        assert_eq!(words, [Some("typed"), None, None, None]);
    }
}
