//! `netsky attach`.

use std::ffi::OsString;
use std::path::PathBuf;

use crate::config::Flags;
use crate::constellation::scene;
use crate::constellation::trouble::Trouble;
use crate::exit::Exit;
use crate::name::AgentName;
use crate::process;
use crate::tmux::{SessionId, SessionTarget, Socket};

use super::setting::Settings;
use super::stage::{open_tmux, tmux_at};
use super::{Caller, CommandError, output};

/// Hand the terminal to an agent's session
///
/// Inside tmux a window is opened there instead. Detach with the prefix key and d.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The agent
    #[arg(default_value = "agent0")]
    agent: AgentName,
    /// Only watch, and do not resize
    #[arg(short, long = "read-only")]
    read_only: bool,
}

pub(super) fn run(args: &Args, caller: &Caller) -> Result<Exit, CommandError> {
    to(caller, args.agent, args.read_only)
}

/// Attaches to an agent; returns when that is over, or at once where a window was opened.
pub(super) fn to(caller: &Caller, agent: AgentName, read_only: bool) -> Result<Exit, CommandError> {
    let home = caller.existing_home()?;
    let settings = Settings::load(caller, home, Flags::default())?;
    let tmux = open_tmux(caller, &settings)?;
    let scene = scene::look(&settings.home, &tmux).map_err(Trouble::from)?;
    let Some(there) = scene.present(agent).filter(|there| there.ours) else {
        return Err(
            CommandError::failed(format!("attaching to {agent}: it has no session")).hint("netsky up")
        );
    };
    let command = tmux.attach_command(SessionTarget::Id(there.session), read_only);
    if let Some(here) = caller.variable("TMUX").and_then(Here::read) {
        // A session in a window of its own would draw itself for ever.
        if scene.server() == Some(here.server) && there.session == here.session {
            return Err(CommandError::failed(format!("attaching to {agent}: this is its session"))
                .hint("the prefix key and w chooses another of its windows"));
        }
        return open_window(caller, &settings, &here, agent, &command);
    }
    if !caller.stdin_is_terminal || !caller.stdout_is_terminal {
        return Err(CommandError::failed(format!("attaching to {agent}: there is no terminal"))
            .hint(format!("netsky logs -f {agent}")));
    }
    let failed = process::become_program(&command, &caller.environment, &["TMUX", "TMUX_PANE"]);
    Err(CommandError::new(Exit::Unavailable, format!("attaching to {agent}")).because(failed))
}

/// The session of the user's own tmux that this runs in.
#[derive(Debug, PartialEq, Eq)]
struct Here {
    socket: PathBuf,
    /// Its process id.
    server: i32,
    session: SessionId,
}

impl Here {
    /// `TMUX` holds the socket, the server's process and the number of the session.
    fn read(tmux: &str) -> Option<Self> {
        let mut fields = tmux.rsplitn(3, ',');
        let session = format!("${}", fields.next()?).parse().ok()?;
        let server = fields.next()?.parse().ok()?;
        Some(Self { socket: PathBuf::from(fields.next()?), server, session })
    }
}

/// A window of the user's own tmux; nothing is nested.
fn open_window(
    caller: &Caller,
    settings: &Settings,
    here: &Here,
    agent: AgentName,
    command: &[OsString],
) -> Result<Exit, CommandError> {
    let users = tmux_at(caller, settings, Socket::Path(here.socket.clone()))?;
    users
        .open_window(here.session, &agent.to_string(), command)
        .map_err(|error| CommandError::from(Trouble::from(&error)).hint("outside tmux: netsky attach"))?;
    output::talk(&format!("netsky: {agent} is in a window of this tmux"));
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variable_of_tmux_tells_socket_and_session() {
        let here = Here { socket: "/tmp/tmux-0/a,b".into(), server: 4242, session: "$7".parse().unwrap() };
        assert_eq!(Here::read("/tmp/tmux-0/a,b,4242,7"), Some(here));
        assert_eq!(Here::read("nonsense"), None);
    }
}
