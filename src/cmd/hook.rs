//! `netsky hook EVENT`: an agent CLI reports, and is given what its model should know.
//!
//! Invariant: it never blocks or fails the agent. Whatever goes wrong, it answers within [`LIMIT`] and exits 0.

use std::ffi::OsString;
use std::io::{self, Read};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use crate::agent::hook::{self, Call};
use crate::clock;
use crate::events::Event;
use crate::persist;
use crate::process;

use super::{Caller, CommandError, Exit, output};

/// Report an event of an agent (agent CLIs call this)
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The event, as the CLI names it
    #[arg(allow_hyphen_values = true)]
    event: OsString,
}

/// Whether these arguments are a hook's, right or wrong: an exit code of 2 would be an order for the agent.
pub(super) fn is_called(mut arguments: impl Iterator<Item = OsString>) -> bool {
    arguments.nth(1).is_some_and(|verb| verb == "hook")
}

/// After this the hook ends, whatever it is waiting for.
const LIMIT: Duration = Duration::from_secs(2);

/// So much longer it may take to note that it failed.
const LOG_LIMIT: Duration = Duration::from_millis(100);

/// A longer report is none.
const LARGEST_REPORT: u64 = 4 << 20;

pub(super) fn run(args: &Args, caller: &Caller) -> Result<Exit, CommandError> {
    let Some(Ok(generation)) = caller.variable("NETSKY_GENERATION").map(str::parse) else {
        return Ok(Exit::Done);
    };
    let home = match caller.existing_home() {
        Ok(home) => home,
        Err(error) => {
            // There is no log to write it to.
            output::talk(&error.message());
            return Ok(Exit::Done);
        }
    };
    let Some(agent) = caller.agent(&home) else { return Ok(Exit::Done) };
    let of = home.clone();
    persist::on_moved_aside(move |moved| {
        Event::new("moved-aside").with("agent", agent).with("why", moved).log(&of);
    });
    let event = args.event.to_string_lossy().into_owned();
    let lineage = match process::ancestors(rustix::process::getpid().as_raw_nonzero().get()) {
        Ok(lineage) => lineage,
        Err(error) => {
            hook::log_failure(&home, agent, &event, &format!("looking at what called it: {error}"));
            return Ok(Exit::Done);
        }
    };
    let call = Call {
        home,
        agent,
        generation,
        event,
        netsky: caller.netsky.clone(),
        search_path: caller.environment.get(std::ffi::OsStr::new("PATH")).cloned(),
        lineage,
        deadline: clock::Deadline::after(LIMIT),
    };
    let call = Arc::new(call);
    let worker = Arc::clone(&call);
    if let Some(why) = bounded(LIMIT, move || serve(&worker)).unwrap_or_else(Some) {
        // A log that cannot be written now is none.
        bounded(LOG_LIMIT, move || hook::log_failure(&call.home, call.agent, &call.event, &why))
            .unwrap_or_default();
    }
    Ok(Exit::Done)
}

/// What `work` gives within `limit`, or why it gave nothing. It runs on a thread of its own: a pipe that nobody closes or
/// reads, a lock that nobody frees or a full disk must not hold the agent. The process ends at the limit and takes the
/// thread with it; every write of it is whole or absent.
fn bounded<T: Send + 'static>(
    limit: Duration,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, String> {
    let (sender, receiver) = mpsc::channel();
    process::beside(move || sender.send(work())).map_err(|error| format!("starting a thread: {error}"))?;
    receiver.recv_timeout(limit).map_err(|_| "it took too long".to_owned())
}

/// One call from its report to what it leaves behind; gives what went wrong.
fn serve(call: &Call) -> Option<String> {
    let mut report = Vec::new();
    let mut stdin = io::stdin().lock();
    // To its end, also where it is too long: a CLI that cannot get rid of its report may take the hook for broken.
    let read = stdin.by_ref().take(LARGEST_REPORT + 1).read_to_end(&mut report);
    if let Err(error) = read.and_then(|_| io::copy(&mut stdin, &mut io::sink())) {
        return Some(error.to_string());
    }
    if report.len() as u64 > LARGEST_REPORT {
        return Some(format!("the report is longer than {LARGEST_REPORT} bytes"));
    }
    match call.answer(&report) {
        Err(why) => Some(why),
        Ok(context) if context.text.is_empty() => None,
        Ok(context) => match output::shown(&context.text) {
            Ok(()) => call.printed(&context).err(),
            Err(error) => Some(error.message()),
        },
    }
}
