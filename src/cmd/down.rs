//! `netsky down`.

use serde::Serialize;

use crate::constellation::down::{self, Lowered};
use crate::constellation::plan::Extent;
use crate::exit::Exit;
use crate::id::RestartId;
use crate::lock::Lock;
use crate::name::AgentName;

use super::stage::Stage;
use super::{Caller, CommandError, output, setting, supervise};

/// Stop agents and leave no process of theirs behind
///
/// Without names all of them, and the tmux server if it is netsky's and empty. What is down stays down.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The agents to stop [default: all]
    #[arg(value_name = "AGENT")]
    agents: Vec<AgentName>,
    /// Print the plan and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Print what came of it as JSON
    #[arg(long)]
    json: bool,
}

/// `schemas/down.schema.json`.
#[derive(Debug, Serialize)]
struct Document {
    version: u64,
    exit_code: u8,
    stopped: Vec<AgentName>,
    /// Always empty where the verb succeeded: survivors are an error.
    survivors: Vec<serde_json::Value>,
    server_ended: bool,
}

pub(super) fn run(args: &Args, caller: &Caller) -> Result<Exit, CommandError> {
    caller.existing_home()?;
    let stage = Stage::set(caller, &None, None, args.dry_run)?;
    let names = (!args.agents.is_empty()).then_some(args.agents.as_slice());
    if args.dry_run {
        return stage.show_plan(|means| Ok((down::prepare(means, names)?.plan, None)));
    }
    let lock = stage.lock("down", RestartId::fresh(), None)?;
    let means = stage.means();
    let prepared = down::prepare(&means, names)?;
    let extent = match names {
        Some(names) => Extent::Named(names.to_vec()),
        None => Extent::whole(0),
    };
    let agent = caller.agent(&stage.settings.home);
    if crate::constellation::restart::ends_caller(&prepared.plan, &prepared.scene, agent, &extent)? {
        supervise::hand_over_down(caller, &stage, &lock, names)?;
        output::talk("netsky: this session ends too, outside of it: end your turn now");
        return Ok(Exit::Done);
    }
    let lowered = down::carry_out(&means, names, &prepared, &lock)?;
    report(args, lowered)
}

fn report(args: &Args, Lowered { ended, server_ended, stuck }: Lowered) -> Result<Exit, CommandError> {
    setting::say_stuck(&stuck);
    if args.json {
        output::json(&Document {
            version: 1,
            exit_code: Exit::Done.code(),
            stopped: ended,
            survivors: Vec::new(),
            server_ended,
        })?;
        return Ok(Exit::Done);
    }
    let server = if server_ended { ", the tmux server too" } else { "" };
    match ended.len() {
        0 => output::talk(&format!("netsky: nothing ran{server}")),
        1 => output::talk(&format!(
            "netsky: {} is down{server}",
            ended.first().map_or(AgentName::ROOT, |name| *name)
        )),
        count => output::talk(&format!("netsky: {count} agents are down{server}")),
    }
    Ok(Exit::Done)
}

/// What the supervisor does for somebody who would end with it.
pub(super) fn carry_out_detached(
    stage: &Stage<'_>,
    names: Option<&[AgentName]>,
    held: &Lock,
) -> Result<Exit, CommandError> {
    let means = stage.means();
    let prepared = down::prepare(&means, names)?;
    down::carry_out(&means, names, &prepared, held)?;
    Ok(Exit::Done)
}
