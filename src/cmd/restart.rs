//! `netsky restart`.

use std::path::PathBuf;
use std::time::Duration;

use crate::constellation::plan::Extent;
use crate::constellation::restart::{self, Order, Restart};
use crate::exit::Exit;
use crate::handoff::source::Source;
use crate::id::{Generation, RestartId};
use crate::name::{AgentName, LAST_CLONE};
use crate::status::Record;
use crate::text;

use super::setting::Names;
use super::stage::Stage;
use super::{Caller, CommandError, notify, output, supervise};

/// Restart the constellation, or just the named agents, with a hand-over to the new agent0
///
/// Ends agent0, all its clones and what they left behind, starts them anew, waits until they are up, and gives
/// agent0 the hand-over. Called from inside a session that it would end, it goes on in the background and prints
/// its id.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Number of clones, or the agents to restart [default: what should run now]
    #[arg(value_name = "N | AGENT")]
    which: Vec<String>,
    /// The hand-over: a file, - for standard input, /dev/null for none [default: agent0's draft]
    #[arg(long, value_name = "FILE")]
    handoff: Option<PathBuf>,
    /// The agent type (profile) to start
    #[arg(long, value_name = "TYPE")]
    agent: Option<String>,
    /// Why, for the record
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Go on in the background and print the id
    #[arg(long)]
    detach: bool,
    /// Wait so long for another restart to end
    #[arg(long, value_name = "DUR", value_parser = text::parse_duration)]
    wait_lock: Option<Duration>,
    /// Start although memory does not suffice
    #[arg(long)]
    force: bool,
    /// Print the plan and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Print the final record as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args, caller: &Caller) -> Result<Exit, CommandError> {
    let which = Which::parse(&args.which)?;
    refuse_overseer(&which)?;
    let mut stage = Stage::set(caller, &which.clones(), args.agent.as_deref(), args.dry_run)?;
    let order = |stage: &Stage<'_>, id, generation| -> Result<Order, CommandError> {
        Ok(Order {
            id,
            generation,
            extent: which.extent(stage)?,
            flag: args.agent.clone(),
            reason: args.reason.clone(),
            force: args.force,
            takes_draft: args.handoff.is_none(),
        })
    };
    if args.dry_run {
        let order = order(&stage, RestartId::fresh(), Generation::fresh())?;
        return stage.show_plan(|means| {
            let prepared = restart::prepare(means, &order)?;
            Ok((prepared.plan, prepared.warning))
        });
    }
    let given = given(args, &stage)?;
    let (lock, Names { id, generation }) = stage.lock_for_restart(args.wait_lock)?;
    // What should run is asked for under the lock: who held it may have decided otherwise.
    let order = order(&stage, id, generation)?;
    let mut restart = Restart::begin(stage.means(), order, lock)?;
    let prepared = match restart.preflight(given.as_ref()) {
        Ok(prepared) => prepared,
        Err(trouble) => return ended(args, restart.end(&trouble), Some(trouble.into())),
    };
    if let Some(warning) = &prepared.warning {
        output::talk(&format!("netsky: {warning}"));
    }
    let agent = caller.agent(&stage.settings.home);
    let ends_us = match restart::ends_caller(&prepared.plan, &prepared.scene, agent, &restart.order().extent)
    {
        Ok(ends_us) => ends_us,
        Err(trouble) => {
            let trouble = restart.with_claim(trouble);
            return ended(args, restart.end(&trouble), Some(trouble.into()));
        }
    };
    if args.detach || ends_us {
        return detach(args, caller, &stage, restart, ends_us.then_some(agent).flatten());
    }
    let outcome = stage.perform(async |tell| restart.carry_out(prepared, tell).await);
    match outcome {
        Ok(exit) => {
            let record = restart.over();
            notify::after_restart(&stage, caller, &record);
            report(args, &record, exit)
        }
        Err(trouble) => ended(args, restart.end(&trouble), Some(trouble.into())),
    }
}

/// No restart tears the overseer down: it is what is left when a restart goes wrong.
fn refuse_overseer(which: &Which) -> Result<(), CommandError> {
    match which {
        Which::Agents(names) if names.contains(&AgentName::Overseer) => {
            Err(CommandError::usage("no restart tears down agentinfinity")
                .hint("netsky down agentinfinity && netsky up agentinfinity"))
        }
        _ => Ok(()),
    }
}

/// What was named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Which {
    Default,
    Clones(u32),
    Agents(Vec<AgentName>),
}

impl Which {
    pub(super) fn parse(words: &[String]) -> Result<Self, CommandError> {
        match words {
            [] => Ok(Self::Default),
            [number] if !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()) => {
                number.parse().ok().filter(|clones| *clones <= LAST_CLONE).map(Self::Clones).ok_or_else(
                    || {
                        CommandError::usage(format!("{number} clones are too many (at most {LAST_CLONE})"))
                            .hint("netsky up 4")
                    },
                )
            }
            names => {
                let mut agents = Vec::new();
                for name in names {
                    agents.push(name.parse().map_err(|error| {
                        CommandError::usage("reading which agents are meant").because(error).hint(
                            "a number of clones (netsky restart 2), or names (netsky restart agent1 agent2)",
                        )
                    })?);
                }
                agents.sort_unstable();
                agents.dedup();
                Ok(Self::Agents(agents))
            }
        }
    }

    pub(super) fn clones(&self) -> Option<u32> {
        match self {
            Self::Clones(clones) => Some(*clones),
            Self::Default | Self::Agents(_) => None,
        }
    }

    pub(super) fn extent(&self, stage: &Stage<'_>) -> Result<Extent, CommandError> {
        Ok(match self {
            Self::Clones(clones) => Extent::whole(*clones),
            Self::Default => stage.default_extent()?,
            Self::Agents(names) => Extent::Named(names.clone()),
        })
    }
}

/// The hand-over that was given: a file, standard input, or expressly none.
fn given(args: &Args, stage: &Stage<'_>) -> Result<Option<Source>, CommandError> {
    let limit = stage.settings.loaded.config.handoff.max_bytes;
    Ok(match &args.handoff {
        None => None,
        Some(file) if file.as_os_str() == "-" => Some(Source::standard_input(limit).map_err(|error| {
            CommandError::failed("reading the hand-over from standard input").because(error)
        })?),
        Some(file) => Some(Source::Named(stage.absolute(file))),
    })
}

fn detach(
    args: &Args,
    caller: &Caller,
    stage: &Stage<'_>,
    restart: Restart<'_>,
    agent: Option<AgentName>,
) -> Result<Exit, CommandError> {
    let id = restart.record().id;
    match supervise::hand_over(caller, stage, &restart, agent) {
        Ok(()) if args.json => output::json(restart.record()).map(|()| Exit::Done),
        Ok(()) => {
            output::text(&id.to_string())?;
            output::talk(match agent {
                Some(_) => "netsky: the restart goes on outside this session: end your turn now",
                None => "netsky: the restart goes on in the background: netsky history --follow",
            });
            Ok(Exit::Done)
        }
        Err(trouble) => {
            let trouble = restart.with_claim(trouble);
            ended(args, restart.end(&trouble), Some(trouble.into()))
        }
    }
}

fn report(args: &Args, record: &Record, exit: Exit) -> Result<Exit, CommandError> {
    if args.json {
        output::json(record)?;
    }
    if exit == Exit::Degraded {
        let missing: Vec<String> = record
            .agents()
            .iter()
            .filter(|agent| agent.ready_by.is_none())
            .map(|agent| format!("{}: {}", agent.name, agent.error.as_deref().unwrap_or("not up")))
            .collect();
        return Err(CommandError::new(exit, format!("some clones are not up: {}", missing.join("; ")))
            .hint("netsky status && netsky up"));
    }
    if !args.json {
        let agents = record.agents().len();
        let handoff =
            record.handoff().map_or(String::new(), |handoff| format!(", hand-over {} delivered", handoff.id));
        let up = if agents == 1 { "1 agent is up".to_owned() } else { format!("{agents} agents are up") };
        output::talk(&format!("netsky: {up}{handoff}"));
    }
    Ok(exit)
}

fn ended(args: &Args, record: Record, error: Option<CommandError>) -> Result<Exit, CommandError> {
    if args.json {
        output::json(&record)?;
    }
    error.map_or(Ok(Exit::Done), Err)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_means_clones_and_names_mean_agents() {
        let parse = |words: &[&str]| {
            Which::parse(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>()).ok()
        };
        assert_eq!(parse(&[]), Some(Which::Default));
        assert_eq!(parse(&["3"]), Some(Which::Clones(3)));
        assert_eq!(
            parse(&["agent2", "agent1", "agent2"]),
            Some(Which::Agents(vec![AgentName::Numbered(1), AgentName::Numbered(2)]))
        );
        for wrong in [&["-1"][..], &["1000"], &["two"], &["2", "agent1"], &[""], &["agent01"]] {
            assert_eq!(parse(wrong), None, "{wrong:?}");
        }
    }
}
