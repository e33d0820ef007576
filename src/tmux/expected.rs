//! The server that should be there: one that runs and is not found has lost its socket.
//!
//! It is told to make it again (SIGUSR1) and asked once more, whatever was being done: who found nobody on the socket has
//! asked nothing yet. Never another server, and never what may have been heard.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::clock::Deadline;
use crate::process::{self, ProcessId, Signal};

use super::answer::{Answer, NoAnswer};
use super::client::Tmux;

/// A server makes its socket again in so long (seen: under 100 ms).
const SOCKET_WAIT: Duration = Duration::from_secs(1);

/// Shared by all who speak with the same server.
#[derive(Debug, Clone, Default)]
pub(super) struct Expected(Arc<Mutex<Option<ProcessId>>>);

impl Tmux {
    /// Says which server of ours is on this socket.
    pub fn expect(&self, server: ProcessId) {
        *self.expected.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(server);
    }

    /// Asks; and again where nobody was found although the server that is expected runs.
    ///
    /// # Errors
    /// Besides those of the question: the server runs and does not make its socket again.
    pub(super) fn found<T>(&self, ask: impl Fn() -> Answer<T>) -> Answer<T> {
        let answer = ask();
        if !answer.as_ref().is_err_and(NoAnswer::is_no_server) {
            return answer;
        }
        let expected = *self.expected.0.lock().unwrap_or_else(PoisonError::into_inner);
        // One that is gone, or whose pid is another user's now, is no server of ours.
        let told = |server: &ProcessId| matches!(server.signal(Signal::User1), Ok(true));
        let Some(server) = expected.filter(told) else { return answer };
        let found = process::poll(Duration::from_millis(25), Deadline::after(SOCKET_WAIT), || match ask() {
            Err(error) if error.is_no_server() && server.is_alive() => None,
            again => Some(again),
        });
        found.unwrap_or(Err(NoAnswer::StillRunning { pid: server.pid, limit: SOCKET_WAIT }))
    }
}

#[cfg(test)]
mod tests {
    use crate::tmux::test_server::{self, TestServer};

    #[test]
    fn whatever_is_asked_of_a_server_that_lost_its_socket_is_done_once() {
        let server = TestServer::start();
        let made = server.spawn(&[test_server::session(1, &["cat"])]);
        let lose_socket = || std::fs::remove_file(server.socket()).unwrap();
        lose_socket();
        assert_eq!(server.tmux.snapshot().unwrap().server.pid, server.process().pid);
        lose_socket();
        server.spawn(&[test_server::session(2, &["sleep", "1000"])]);
        lose_socket();
        server.tmux.paste(made[0].pane, "once").unwrap();
        let shown = || server.run(&["capture-pane", "-p", "-t", "=agent1:"]);
        let screen =
            test_server::eventually("the text", || Some(shown()).filter(|shown| shown.contains("once")));
        assert_eq!(screen.matches("once").count(), 1, "{screen}");
        lose_socket();
        server.tmux.kill(&[made[0].session]).unwrap();
        assert_eq!(server.session_names(), ["agent2"]);
    }

    #[test]
    fn a_server_that_has_ended_is_not_waited_for() {
        let mut server = TestServer::start();
        assert!(server.process().signal(crate::process::Signal::Kill).unwrap());
        test_server::eventually("its end", || (!server.process().is_alive()).then_some(()));
        let start = crate::clock::monotonic_now();
        assert!(server.tmux.snapshot().unwrap_err().is_no_server());
        test_server::assert_in_time(start, std::time::Duration::ZERO);
        let fresh = server.start_now(&server.settings());
        server.adopt(fresh.process);
    }
}
