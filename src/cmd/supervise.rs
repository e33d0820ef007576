//! `netsky supervise`: the process that carries a detached restart, outside every agent and every terminal.
//!
//! The caller lends it the lock as its standard input and waits until it has taken the order away: so neither lock nor
//! claim is ever without an owner that lives. The record it takes over only then, because a caller that calls it off
//! ends the record too.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::agent::beacon::{self, Activity};
use crate::clock::{self, Deadline};
use crate::constellation::plan::Extent;
use crate::constellation::restart::{self, Order, Restart};
use crate::constellation::trouble::Trouble;
use crate::exit::Exit;
use crate::handoff::claim::{self, Claim};
use crate::id::{EnvelopeId, Generation, RestartId};
use crate::lock::{Holder, Lock};
use crate::name::{Actor, AgentName};
use crate::persist::{self, Loaded, StateFile};
use crate::process::{self, ProcessId};
use crate::state::environment::inheritable;
use crate::state::spawned::Spawned;
use crate::status::{Record, Store};

use super::stage::Stage;
use super::{Caller, CommandError, down, notify};

/// Carry a detached restart (netsky starts this)
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    order: PathBuf,
}

/// The caller's turn is waited for no longer than this.
const TURN_WAIT: Duration = Duration::from_secs(60);

/// The supervisor has taken over within this.
const TAKEN_OVER_WITHIN: Duration = Duration::from_millis(900);

/// What the supervisor is to do, on disk for as long as it takes it to read.
#[derive(Debug, Serialize, Deserialize)]
struct OrderFile {
    version: u64,
    task: Task,
    actor: Actor,
    dir: Option<PathBuf>,
    umask: u32,
    /// The agent whose turn is to end first, and the process that called.
    caller_agent: Option<AgentName>,
    caller: ProcessId,
    settings: BTreeMap<String, String>,
}
impl StateFile for OrderFile {}

#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "verb", rename_all = "kebab-case")]
enum Task {
    /// A restart that has passed its preflight.
    Restart {
        id: RestartId,
        generation: Generation,
        /// `None`: these agents.
        clones: Option<u32>,
        /// Those among them that stay down.
        without: BTreeSet<AgentName>,
        agents: Vec<AgentName>,
        flag: Option<String>,
        reason: Option<String>,
        force: bool,
        takes_draft: bool,
        claim: Option<EnvelopeId>,
    },
    /// `None`: everything.
    Down { agents: Option<Vec<AgentName>> },
}

/// Gives lock, claim and record of a restart over to a supervisor.
///
/// # Errors
/// It could not be started, or did not take over in time.
pub(super) fn hand_over(
    caller: &Caller,
    stage: &Stage<'_>,
    restart: &Restart<'_>,
    caller_agent: Option<AgentName>,
) -> Result<(), Trouble> {
    let order = restart.order();
    let (clones, without, agents) = match &order.extent {
        Extent::Whole { clones, without } => (Some(*clones), without.clone(), Vec::new()),
        Extent::Named(names) => (None, BTreeSet::new(), names.clone()),
    };
    let task = Task::Restart {
        id: order.id,
        generation: order.generation,
        clones,
        without,
        agents,
        flag: order.flag.clone(),
        reason: order.reason.clone(),
        force: order.force,
        takes_draft: order.takes_draft,
        claim: restart.claimed().map(Claim::id),
    };
    start(caller, stage, restart.lock(), task, caller_agent)
}

/// Gives a `down` over that would end its caller.
///
/// # Errors
/// The supervisor could not be started, or did not take over in time.
pub(super) fn hand_over_down(
    caller: &Caller,
    stage: &Stage<'_>,
    lock: &Lock,
    agents: Option<&[AgentName]>,
) -> Result<(), Trouble> {
    let task = Task::Down { agents: agents.map(<[AgentName]>::to_vec) };
    start(caller, stage, lock, task, caller.agent(&stage.settings.home))
}

fn start(
    caller: &Caller,
    stage: &Stage<'_>,
    lock: &Lock,
    task: Task,
    caller_agent: Option<AgentName>,
) -> Result<(), Trouble> {
    let home = &stage.settings.home;
    let own = ProcessId::own().ok_or_else(|| Trouble::internal("this process cannot be named"))?;
    let file = OrderFile {
        version: OrderFile::VERSION,
        task,
        actor: stage.means().actor,
        dir: caller.dir.clone(),
        umask: caller.umask,
        caller_agent,
        caller: own,
        settings: settings_of(caller),
    };
    // By the name of a temporary: what a killed caller leaves is swept as one.
    let path = home.run().join(format!("{}order", persist::momentary_name(persist::TEMPORARY_PREFIX)));
    persist::store(&path, &file)?;
    let stdin = lock.lend().map_err(|error| Trouble::system("lending the lock", &error))?;
    let arguments: Vec<OsString> = vec!["supervise".into(), path.clone().into()];
    let log = home.root().join("log/supervise.log");
    // That it stays long stops nothing.
    drop(persist::turn_over(&log));
    let before = std::fs::metadata(&log).map_or(0, |log| log.len());
    let supervisor =
        process::spawn_detached(&caller.netsky, &arguments, &inheritable(&caller.environment), stdin, &log)
            .map_err(|error| Trouble::system("starting the supervisor", &error))?;
    // It removes its order when it can go on by itself.
    let taken = process::poll(Duration::from_millis(5), Deadline::after(TAKEN_OVER_WITHIN), || {
        (!path.exists() || !supervisor.is_alive()).then_some(())
    });
    // Who removes the order has the work: a supervisor that comes too late finds that it was called off.
    if (taken.is_some() && !path.exists()) || !persist::remove(&path)? {
        return Ok(());
    }
    let log = std::fs::read(&log).unwrap_or_default();
    // What earlier ones have said says nothing about this one.
    let said = usize::try_from(before).ok().and_then(|before| log.get(before..)).unwrap_or_default();
    let said = String::from_utf8_lossy(said);
    let said = said.lines().last().unwrap_or("it said nothing");
    Err(Trouble::internal(&format!("the supervisor (process {}) did not take over: {said}", supervisor.pid)))
}

/// Variables of netsky's own that settings come from; they travel in the order, because a supervisor carries no mark.
const SETTINGS: [&str; 4] = ["NETSKY_CONFIG", "NETSKY_TMUX_SOCKET", "NETSKY_HANDOFF_KEEP", "NETSKY_LOG"];

fn settings_of(caller: &Caller) -> BTreeMap<String, String> {
    SETTINGS.iter().filter_map(|name| Some(((*name).to_owned(), caller.variable(name)?.to_owned()))).collect()
}

/// The caller as it was, as far as the restart needs it.
fn as_caller(caller: &Caller, file: &OrderFile, home: &Path) -> Caller {
    let mut environment = caller.environment.clone();
    environment.extend(file.settings.iter().map(|(name, value)| (name.into(), value.into())));
    environment.insert("NETSKY_HOME".into(), home.into());
    Caller {
        dir: file.dir.clone(),
        umask: file.umask,
        environment,
        netsky: caller.netsky.clone(),
        stdout_is_terminal: false,
        stderr_is_terminal: false,
        stdin_is_terminal: false,
        constellation: None,
    }
}

pub(super) fn run(args: &Args, caller: &Caller) -> Result<Exit, CommandError> {
    // First of all: out of the session, and of reach of the terminal, of who called.
    rustix::process::setsid()
        .map_err(|error| CommandError::failed("leaving the caller's session").because(error))?;
    let file = match persist::load::<OrderFile>(&args.order) {
        Ok(Loaded::Present(file)) => file,
        Ok(_) => return Err(CommandError::failed("reading the order: there is none")),
        Err(error) => return Err(CommandError::failed("reading the order").because(error)),
    };
    // The order lies in <home>/run.
    let home = args.order.parent().and_then(Path::parent).unwrap_or(Path::new("/"));
    let as_caller = as_caller(caller, &file, home);
    let (clones, flag) = match &file.task {
        Task::Restart { clones, flag, .. } => (*clones, flag.clone()),
        Task::Down { .. } => (None, None),
    };
    let stage = Stage::with_actor(&as_caller, &clones, flag.as_deref(), file.actor)?;
    let lock = inherit_lock(&stage, &file.task)?;
    match &file.task {
        Task::Down { agents } => {
            accept(&args.order)?;
            wait_for_turn(&stage, &file);
            down::carry_out_detached(&stage, agents.as_deref(), &lock)
        }
        Task::Restart { .. } => {
            let begun = begun(&stage, &file.task)?;
            // Before anything is written: who has called it off has ended the record too.
            accept(&args.order)?;
            let Begun { order, record, claim } = begun;
            let restart = Restart::take_over(stage.means(), order, lock, record, claim)?;
            wait_for_turn(&stage, &file);
            carry_out(&stage, &as_caller, restart)
        }
    }
}

/// From here on the caller may go.
fn accept(order: &Path) -> Result<(), CommandError> {
    match persist::remove(order) {
        Ok(true) => Ok(()),
        Ok(false) => Err(CommandError::failed("taking over: the caller has called it off")),
        // Gone is gone: the caller goes by that.
        Err(_) if !order.exists() => Ok(()),
        Err(error) => Err(CommandError::failed("removing the order").because(error)),
    }
}

fn inherit_lock(stage: &Stage<'_>, task: &Task) -> Result<Lock, CommandError> {
    let mut lock = Lock::inherit(&stage.settings.home.restart_lock())
        .map_err(|error| CommandError::failed("taking over the lock").because(error))?;
    let process = ProcessId::own().ok_or_else(|| CommandError::failed("this process cannot be named"))?;
    let (id, verb) = match task {
        Task::Restart { id, .. } => (id.to_string(), "restart"),
        Task::Down { .. } => (RestartId::fresh().to_string(), "down"),
    };
    let holder = Holder { id, verb: verb.to_owned(), process, since: clock::utc_now() };
    lock.name_holder(&holder)
        .map_err(|error| CommandError::failed("naming the lock's holder").because(error))?;
    Ok(lock)
}

/// What the caller has begun.
struct Begun {
    order: Order,
    record: Record,
    claim: Option<Claim>,
}

fn begun(stage: &Stage<'_>, task: &Task) -> Result<Begun, CommandError> {
    let Task::Restart { id, generation, clones, without, agents, flag, reason, force, takes_draft, claim } =
        task
    else {
        return Err(CommandError::failed("taking over: it is no restart"));
    };
    let home = &stage.settings.home;
    let store = Store::of(home, stage.settings.loaded.config.restart.status_keep);
    let record = store
        .find(&id.to_string())
        .map_err(|error| CommandError::failed("reading the record").because(error))?;
    let claim = match claim {
        Some(id) => claim::find(home, *id)
            .map_err(|error| CommandError::failed("finding the hand-over").because(error))?,
        None => None,
    };
    let extent = match clones {
        Some(clones) => Extent::Whole { clones: *clones, without: without.clone() },
        None => Extent::Named(agents.clone()),
    };
    let order = Order {
        id: *id,
        generation: *generation,
        extent,
        flag: flag.clone(),
        reason: reason.clone(),
        force: *force,
        takes_draft: *takes_draft,
    };
    Ok(Begun { order, record, claim })
}

/// The agent that asked may end its turn first, so that its last words are kept.
fn wait_for_turn(stage: &Stage<'_>, file: &OrderFile) {
    let home = &stage.settings.home;
    let limit = Deadline::after(TURN_WAIT);
    let Some(agent) = file.caller_agent else { return };
    let spawned = Spawned::load(home).unwrap_or_default();
    let generation = spawned.generation(agent);
    let process = spawned.agents.get(&agent).and_then(|spawn| spawn.pane.as_ref()?.process);
    process::poll(Duration::from_millis(25), limit, || {
        // The turn of one that is dead does not end.
        let is_dead = process.is_some_and(|process| !process.is_alive());
        if is_dead || stage.means().interrupts.pending().is_some() {
            return Some(());
        }
        let beacon = beacon::load(home, agent).ok().flatten();
        let is_busy = match beacon.filter(|beacon| Some(beacon.generation) == generation) {
            Some(beacon) => matches!(beacon.activity, Activity::Busy | Activity::AwaitsPerson { .. }),
            // Without hooks: until who called is gone.
            None => file.caller.is_alive(),
        };
        (!is_busy).then_some(())
    });
}

fn carry_out(stage: &Stage<'_>, caller: &Caller, mut restart: Restart<'_>) -> Result<Exit, CommandError> {
    // Looked at again: time has passed.
    let outcome = match restart::prepare(&stage.means(), restart.order()) {
        Ok(prepared) => stage.perform(async |tell| restart.carry_out(prepared, tell).await),
        Err(trouble) => Err(restart.with_claim(trouble)),
    };
    match outcome {
        Ok(exit) => {
            notify::after_restart(stage, caller, &restart.over());
            Ok(exit)
        }
        Err(trouble) => {
            restart.end(&trouble);
            Err(trouble.into())
        }
    }
}
