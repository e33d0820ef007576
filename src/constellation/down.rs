//! The story of `down`: agents end, and what should run no longer says that they should.

use std::collections::BTreeSet;

use crate::clock;
use crate::lock::Lock;
use crate::name::AgentName;
use crate::process;
use crate::state::epochs::{OwnerEpochs, Scope};
use crate::tmux::When;

use super::means::Means;
use super::plan::{self, Plan};
use super::recovery;
use super::scene::{self, Scene};
use super::trouble::Trouble;

/// What is to be done.
#[derive(Debug)]
pub struct Prepared {
    /// What is there.
    pub scene: Scene,
    /// What ends.
    pub plan: Plan,
    /// The agents that are to be down, whether or not they run.
    pub agents: BTreeSet<AgentName>,
}

/// What came of it.
#[derive(Debug)]
pub struct Lowered {
    /// Whose sessions ended.
    pub ended: Vec<AgentName>,
    /// Whether the tmux server ended too.
    pub server_ended: bool,
    /// What earlier commands took and nobody got yet, one line each.
    pub stuck: Vec<String>,
}

/// Looks and decides; also what `--dry-run` shows. `names` `None`: everything.
///
/// # Errors
/// tmux did not answer, or a session that was named is somebody else's.
pub fn prepare(means: &Means<'_>, names: Option<&[AgentName]>) -> Result<Prepared, Trouble> {
    let scene = scene::look(means.home, means.tmux)?;
    let plan = plan::down(names, &scene.present);
    if !plan.foreign.is_empty() {
        return Err(super::preflight::PreflightError::Foreign { agents: plan.foreign }.into());
    }
    let agents = match names {
        Some(names) => names.iter().copied().collect(),
        None => {
            let marked =
                process::marked().map_err(|error| Trouble::system("looking at what runs", &error))?;
            // Where the home was lost, nothing else tells of them.
            let living = marked
                .iter()
                .filter(|found| found.mark.is_of(means.home.root()))
                .map(|found| found.mark.agent);
            let known = scene.spawned.agents.keys().chain(scene.desired.agents.keys()).copied();
            known.chain(plan.tear_down.iter().map(|there| there.name)).chain(living).collect()
        }
    };
    Ok(Prepared { scene, plan, agents })
}

/// Carries it out, under the lock that is `held`.
///
/// # Errors
/// Sessions or processes are left.
pub fn carry_out(
    means: &Means<'_>,
    names: Option<&[AgentName]>,
    prepared: &Prepared,
    held: &Lock,
) -> Result<Lowered, Trouble> {
    let Prepared { scene, plan, agents } = prepared;
    if means.actor.is_owner() {
        let scope = names.map_or(Scope::All, Scope::Agents);
        OwnerEpochs::raise(means.home, scope, clock::utc_now())?;
    }
    // First of all, so that nothing revives what is being ended.
    means.desire("down", scene, |desired| desired.retain(|name, _| !agents.contains(name)))?;
    means.tidy();
    let recovered = recovery::recover(means.home, held, clock::utc_now())?;
    means.tear_down(plan, agents.clone(), scene, None)?;
    let server_ended = match &scene.snapshot {
        Some(snapshot) if names.is_none() && snapshot.server.home.is_some() => {
            let process = snapshot.server.process();
            match process {
                Some(process) => {
                    means.tmux.end_server(process, When::Empty).map_err(|error| Trouble::from(&error))?
                }
                None => true,
            }
        }
        // A `down` that was killed may have told it already.
        None if names.is_none() => match scene.spawned.server {
            Some(server) => means.tmux.end_told_server(server).map_err(|error| Trouble::from(&error))?,
            None => false,
        },
        _ => false,
    };
    let ended = plan.tear_down.iter().map(|there| there.name).collect();
    Ok(Lowered { ended, server_ended, stuck: recovered.stuck })
}
