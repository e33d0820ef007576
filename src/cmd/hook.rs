//! `netsky hook EVENT`: an agent CLI reports, and is given what its model should know.
//!
//! Invariant: it never blocks or fails the agent. Whatever goes wrong, it answers within [`LIMIT`] and exits 0.

use std::io::Read;
use std::sync::mpsc;
use std::time::Duration;

use crate::agent::hook::{self, Call};
use crate::clock;
use crate::process;

use super::{Caller, CommandError, Exit, output};

/// Report an event of an agent (agent CLIs call this)
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The event, as the CLI names it
    event: String,
}

/// After this the hook ends, whatever it is waiting for.
const LIMIT: Duration = Duration::from_secs(2);

/// No report is longer; what is beyond is not read.
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
    let call = Call {
        home: home.clone(),
        agent,
        generation,
        event: args.event.clone(),
        netsky: caller.netsky.clone(),
        search_path: caller.environment.get(std::ffi::OsStr::new("PATH")).cloned(),
        lineage: process::ancestors(rustix::process::getpid().as_raw_nonzero().get()),
        deadline: clock::Deadline::after(LIMIT),
    };
    let call = std::sync::Arc::new(call);
    let (sender, receiver) = mpsc::channel();
    // On a thread of its own: a pipe that nobody closes, a lock that nobody frees or a full disk must not hold the
    // agent. The process ends at the limit and takes the thread with it; every write of it is whole or absent.
    let caller = std::sync::Arc::clone(&call);
    let begun = process::beside(move || {
        let mut report = Vec::new();
        let read = std::io::stdin().lock().take(LARGEST_REPORT).read_to_end(&mut report);
        let answer = read.map_err(|error| error.to_string()).and_then(|_| caller.answer(&report));
        sender.send(answer)
    });
    let failure = match begun.map(|_| receiver.recv_timeout(LIMIT)) {
        Err(error) => Some(format!("starting a thread: {error}")),
        Ok(answer) => match answer {
            Ok(Ok(context)) if context.text.is_empty() => None,
            Ok(Ok(context)) => match output::data(context.text.as_bytes()) {
                Ok(()) => call.printed(&context).err(),
                Err(error) => Some(error.message()),
            },
            Ok(Err(why)) => Some(why),
            Err(_) => Some("it took too long".to_owned()),
        },
    };
    if let Some(why) = failure {
        hook::log_failure(&home, agent, &args.event, &why);
    }
    Ok(Exit::Done)
}
