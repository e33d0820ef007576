//! Which server a command speaks to: the first that answers it, and no other.
//!
//! Ids of sessions and panes mean something in one server alone. Where another one has taken the socket since (its file
//! was removed, the server was killed and a person started one), what was meant for ours would be done to theirs. So
//! every conversation begins with the server's pid, and each group of a batch asks for it once more before it runs.

use std::ffi::OsStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

use tmux_interface::DisplayMessage;

use super::answer::{Answer, NoAnswer};
use super::quote::NulInArgument;
use super::request::{self, Request};

/// The pid of the server, once one has answered; 0 before.
#[derive(Debug, Clone, Default)]
pub(super) struct Bond(Arc<AtomicI32>);

/// What stands before the pid in the line that tells it.
const AT: &str = "at ";

/// Has the server say who it is.
pub(super) fn question(nonce: &str) -> Request {
    DisplayMessage::new().print().message(format!("{nonce} {AT}#{{pid}}")).build().into()
}

impl Bond {
    /// The server that is spoken to.
    pub(super) fn server(&self) -> Option<i32> {
        Some(self.0.load(Ordering::Relaxed)).filter(|pid| *pid != 0)
    }

    /// Speaks to that one from now on: it was just started.
    pub(super) fn renew(&self, pid: i32) {
        self.0.store(pid, Ordering::Relaxed);
    }

    /// Speaks to whoever answers next: that server was ended.
    pub(super) fn loosen(&self) {
        self.0.store(0, Ordering::Relaxed);
    }

    /// Whether this server is the one that is spoken to; the first one is.
    ///
    /// # Errors
    /// It is another one.
    pub(super) fn check(&self, doing: &str, other: i32) -> Answer<()> {
        match self.server() {
            Some(own) if own != other => Err(NoAnswer::OtherServer { doing: doing.to_owned(), other, own }),
            Some(_) => Ok(()),
            None => {
                self.renew(other);
                Ok(())
            }
        }
    }

    /// [`Bond::check`] of who has answered a [`question`].
    pub(super) fn check_answer(&self, doing: &str, answer: &[u8], nonce: &str) -> Answer<()> {
        answer.split(|byte| *byte == b'\n').find_map(|line| pid_in(line, nonce)).map_or_else(
            || {
                Err(NoAnswer::Incomplete {
                    doing: doing.to_owned(),
                    said: "it does not say which server".into(),
                })
            },
            |pid| self.check(doing, pid),
        )
    }

    /// That source, carried out by the server that is spoken to and by no other.
    pub(super) fn guarded(&self, source: Vec<u8>) -> Result<Vec<u8>, NulInArgument> {
        match self.server() {
            None => Ok(source),
            Some(pid) => request::conditional(OsStr::new(&is_server(pid)), &source),
        }
    }
}

/// A format that is true in the server with this pid.
pub(super) fn is_server(pid: i32) -> String {
    format!("#{{==:#{{pid}},{pid}}}")
}

fn pid_in(line: &[u8], nonce: &str) -> Option<i32> {
    let pid = line.strip_prefix(nonce.as_bytes())?.strip_prefix(b" ")?.strip_prefix(AT.as_bytes())?;
    std::str::from_utf8(pid).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tmux::RefusalKind;
    use crate::tmux::test_server::{self, TestServer};

    #[test]
    fn the_first_server_is_the_one_until_it_is_renewed() {
        let bond = Bond::default();
        bond.check("x", 7).unwrap();
        assert!(matches!(bond.check("x", 8), Err(NoAnswer::OtherServer { other: 8, own: 7, .. })));
        bond.renew(8);
        bond.check("x", 8).unwrap();
        bond.loosen();
        bond.check("x", 9).unwrap();
        assert_eq!(pid_in(b"N at 42", "N"), Some(42));
        assert_eq!(pid_in(b"N 42", "N"), None);
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a socket is renamed, no file of ours")]
    fn what_is_meant_for_one_server_is_not_done_in_another() {
        let ours = TestServer::start();
        let made = ours.spawn(&[test_server::session(0, &["sleep", "1000"])]);
        let others = TestServer::start_foreign();
        let before = others.run(&["list-panes", "-a"]);
        // It takes the place of ours, and has a session and a pane with the same ids.
        std::fs::rename(others.socket(), ours.socket()).unwrap();
        let errors = [
            ours.tmux.snapshot().map(drop).unwrap_err(),
            ours.tmux.kill(&[made[0].session]).map(drop).unwrap_err(),
            ours.tmux.paste(made[0].pane, "x").unwrap_err(),
            ours.tmux.spawn(&[test_server::session(1, &["sleep", "1000"])]).map(drop).unwrap_err(),
        ];
        for error in errors {
            assert!(matches!(error, NoAnswer::OtherServer { .. }), "{error}");
            assert!(!error.is_unknown() && !error.is_refusal(RefusalKind::NoSession));
        }
        std::fs::rename(ours.socket(), others.socket()).unwrap();
        assert_eq!(others.run(&["list-panes", "-a"]), before);
        // The server whose place it was makes its socket again.
        ours.process().signal(crate::process::Signal::User1).unwrap();
        test_server::eventually("our server", || ours.tmux.snapshot().ok());
        assert_eq!(ours.session_names(), ["agent0"]);
    }
}
