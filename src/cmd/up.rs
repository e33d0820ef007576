//! `netsky up`.

use serde::Serialize;

use crate::constellation::restart;
use crate::constellation::up::{self, Order, Raised};
use crate::exit::Exit;
use crate::id::{Generation, RestartId};
use crate::name::AgentName;
use crate::status::{AgentRecord, Failure, Phase};

use super::restart::Which;
use super::stage::Stage;
use super::{Caller, CommandError, attach, notify, output};

/// Make agent0 and its clones run and wait until they are up
///
/// What runs is left alone and never stopped.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Number of clones, or the agents to start [default: what should run, else what is configured]
    #[arg(value_name = "N | AGENT")]
    which: Vec<String>,
    /// The agent type (profile) of those that are started
    #[arg(long, value_name = "TYPE")]
    agent: Option<String>,
    /// Do not wait until they are up
    #[arg(long)]
    no_wait: bool,
    /// Then attach to agent0
    #[arg(long)]
    attach: bool,
    /// Start although memory does not suffice
    #[arg(long)]
    force: bool,
    /// Print the plan and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Print what came of it as JSON
    #[arg(long)]
    json: bool,
}

/// `schemas/up.schema.json`.
#[derive(Debug, Serialize)]
struct Document {
    version: u64,
    exit_code: u8,
    error: Option<Failure>,
    generation: Option<Generation>,
    spawned: Vec<AgentName>,
    left_alone: Vec<AgentName>,
    agents: Vec<AgentRecord>,
}

pub(super) fn run(args: &Args, caller: &Caller) -> Result<Exit, CommandError> {
    let which = Which::parse(&args.which)?;
    let stage = Stage::set(caller, &which.clones(), args.agent.as_deref(), args.dry_run)?;
    let order = || -> Result<Order, CommandError> {
        Ok(Order {
            extent: which.extent(&stage)?,
            flag: args.agent.clone(),
            force: args.force,
            waits: !args.no_wait,
        })
    };
    if args.dry_run {
        let order = order()?;
        return stage.show_plan(|means| {
            let prepared = up::prepare(means, &order)?;
            Ok((prepared.plan, prepared.warning))
        });
    }
    let lock = stage.lock("up", RestartId::fresh(), None)?;
    // Under the lock: who held it may have decided otherwise.
    let order = order()?;
    let prepared = up::prepare(&stage.means(), &order)?;
    if let Some(warning) = &prepared.warning {
        output::talk(&format!("netsky: {warning}"));
    }
    let means = stage.means();
    if restart::ends_caller(&prepared.plan, &prepared.scene, None, &order.extent)? {
        return Err(CommandError::failed(
            "clearing away a dead agent's session: it is the one that this runs in",
        )
        .hint("netsky restart   # it goes on outside"));
    }
    let raised = stage.perform(async |tell| up::carry_out(&means, &order, prepared, &lock, tell).await)?;
    drop(lock);
    let up = raised.agents.iter().filter(|agent| agent.ready_by.is_some()).map(|agent| agent.name);
    notify::waiting(&stage, caller, up);
    let exit = report(args, raised)?;
    if args.attach && exit == Exit::Done {
        return attach::to(caller, AgentName::ROOT, false);
    }
    Ok(exit)
}

fn report(args: &Args, raised: Raised) -> Result<Exit, CommandError> {
    let Raised { generation, spawned, left_alone, heirs, waiting, agents, trouble, exit } = raised;
    for id in waiting {
        output::talk(&format!("netsky: the hand-over {id} waits for the next agent0: netsky restart"));
    }
    if !args.json {
        output::talk(&summary(&spawned, &left_alone, &heirs, args.no_wait));
    }
    if args.json {
        output::json(&Document {
            version: 1,
            exit_code: exit.code(),
            error: trouble.as_ref().map(|trouble| trouble.failure(Phase::UpDetected)),
            generation,
            spawned,
            left_alone,
            agents: agents.clone(),
        })?;
    }
    match (exit, trouble) {
        (Exit::Done, _) | (_, None) => Ok(exit),
        (Exit::Degraded, Some(_)) => {
            let missing: Vec<String> = agents
                .iter()
                .filter_map(|agent| Some(format!("{}: {}", agent.name, agent.error.as_ref()?)))
                .collect();
            Err(CommandError::new(exit, format!("some clones are not up: {}", missing.join("; ")))
                .hint("netsky status && netsky up"))
        }
        (_, Some(trouble)) => Err(trouble.into()),
    }
}

fn summary(spawned: &[AgentName], left_alone: &[AgentName], heirs: &[AgentName], no_wait: bool) -> String {
    let names = |names: &[AgentName]| {
        let count = names.len();
        let shown: Vec<String> = names.iter().take(4).map(ToString::to_string).collect();
        let more = if count > 4 { format!(" and {} more", count - 4) } else { String::new() };
        format!("{}{more}", shown.join(", "))
    };
    let mut parts = Vec::new();
    if !spawned.is_empty() {
        parts.push(format!("started {}{}", names(spawned), if no_wait { " (not waited for)" } else { "" }));
    }
    if !left_alone.is_empty() {
        parts.push(format!("left alone what runs: {}", names(left_alone)));
    }
    if !heirs.is_empty() {
        parts.push(format!("handed on the drafts of the last {}", names(heirs)));
    }
    match parts.is_empty() {
        true => "netsky: nothing to do".to_owned(),
        false => format!("netsky: {}", parts.join("; ")),
    }
}
