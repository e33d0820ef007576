//! `netsky launch`: what tmux starts in an agent's pane; it becomes the agent.

use std::path::PathBuf;

use crate::agent::launch;
use crate::id::Generation;
use crate::name::AgentName;
use crate::paths::Home;
use crate::process;

use super::{Caller, CommandError, Exit};

/// Become an agent (netsky starts this in the agent's pane)
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    home: PathBuf,
    agent: AgentName,
    generation: Generation,
}

pub(super) fn run(args: &Args, caller: &Caller) -> Result<Exit, CommandError> {
    let doing = || format!("launching {}", args.agent);
    let home = Home::locate(Some(&args.home), None, None)
        .map_err(|error| CommandError::failed(doing()).because(error))?;
    let replacement = launch::read_order(&home, args.agent, args.generation, &caller.environment)
        .map_err(|error| CommandError::new(Exit::Busy, doing()).because(error))?;
    process::die_first();
    let failed = process::replace_self(&replacement);
    Err(CommandError::new(Exit::Unavailable, doing()).because(failed))
}
