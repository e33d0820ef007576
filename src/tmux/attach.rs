//! Handing a terminal to a session, or a window of the user's own tmux.

use std::ffi::OsString;

use tmux_interface::commands::ClientFlags;
use tmux_interface::{AttachSession, NewWindow};

use super::answer::{Answer, NoAnswer};
use super::batch::Batch;
use super::client::Tmux;
use super::quote::literal;
use super::request::Request;
use super::target::{SessionId, SessionTarget};

impl Tmux {
    /// What the caller's process becomes to show a session. Its environment is the terminal's, without `TMUX` (tmux
    /// would refuse to nest).
    pub fn attach_command(&self, session: SessionTarget, watches_only: bool) -> Vec<OsString> {
        let attach = AttachSession::new().target_session(session.to_string());
        let attach = if watches_only {
            attach.flags(ClientFlags { read_only: Some(true), ignore_size: Some(true), ..Default::default() })
        } else {
            attach
        };
        let mut command = vec![self.program.clone().into_os_string()];
        command.extend(self.arguments());
        command.extend(Request::from(attach.build()).words().iter().cloned());
        command
    }

    /// Opens a window in a session of this server (the user's) in which `command` runs without `TMUX`.
    pub fn open_window(&self, session: SessionId, name: &str, command: &[OsString]) -> Answer<()> {
        // The colon makes it the session's next free window.
        let window = NewWindow::new().target_window(format!("{}:", SessionTarget::Id(session)));
        let request = Request::from(window.build())
            .arguments([OsString::from("-n"), literal(name.as_ref())])
            .arguments(["env", "-u", "TMUX", "-u", "TMUX_PANE"])
            .arguments(command.iter().cloned());
        self.one(format!("opening a window in session {session}"), request)
    }

    fn one(&self, doing: String, request: Request) -> Answer<()> {
        let said = self.carry_out(&doing, self.limits.write, &Batch::of([vec![request]]))?;
        match said.complaints.into_iter().next() {
            None => Ok(()),
            Some(refusal) => Err(NoAnswer::Refused { doing, refusal }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::name::AgentName;
    use crate::tmux::test_server::{self, TestServer, eventually};

    #[test]
    fn a_window_in_the_users_session_shows_the_agent_and_the_size_comes_back() {
        let ours = TestServer::start();
        ours.spawn(&[test_server::session(1, &["sleep", "1000"])]);
        let users = TestServer::start_foreign();
        users.run(&["new-session", "-d", "-x", "80", "-y", "24", "-s", "work", "sleep", "1000"]);
        let session = users.tmux.snapshot().unwrap().panes[0].session;
        let command = ours.tmux.attach_command(SessionTarget::Named(AgentName::Numbered(1)), false);
        users.tmux.open_window(session, "agent1", &command).unwrap();
        let row = || ours.tmux.snapshot().unwrap();
        eventually("the attached client", || (row().people.len() == 1).then_some(()));
        eventually("the size of its window", || (row().panes[0].size.0 == 80).then_some(()));
        let people = row().people;
        let shown = ours.tmux.show_notice(people[0].session, &people, "hello #(x)").unwrap();
        assert!(shown || row().server.version == "3.2a");
        assert!(!people[0].is_read_only);
        ours.run(&["detach-client", "-t", &people[0].name]);
        eventually("the size to come back", || {
            let row = row();
            (row.panes[0].size == (200, 50) && row.people.is_empty()).then_some(())
        });
    }

    #[test]
    fn watching_asks_for_no_size_and_no_keys() {
        let ours = TestServer::start();
        let command = ours.tmux.attach_command(SessionTarget::Ticker, true);
        let words: Vec<_> = command.iter().map(|word| word.to_string_lossy()).collect();
        let tail = words[words.len() - 5..].join(" ");
        assert_eq!(tail, "attach-session -f ignore-size,read-only -t =netsky-ticker");
    }
}
