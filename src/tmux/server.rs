//! netsky's own server: started once, never twice, ended by pid.
//!
//! It is set up by a file of ours and says whose it is. A server that answers on the socket is never replaced; one
//! that does not answer but still runs is told to make its socket again, and waited for. Where there is a user manager
//! it is started in a scope of its own, so that a logout does not end it.

mod launch;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use tmux_interface::KillServer;

use crate::clock::Deadline;
use crate::process::{self, ProcessId, Signal};

use super::answer::{Answer, NoAnswer, Refusal, RefusalKind};
use super::batch::Batch;
use super::bond;
use super::client::{Tmux, nonce};
use super::request::Request;
use super::snapshot::ServerFacts;

/// How netsky's own server is to be.
#[derive(Debug, Clone)]
pub struct ServerSettings {
    /// The home that it carries.
    pub home: PathBuf,
    /// Columns and rows of an agent's window.
    pub size: (u16, u16),
    /// The user's own file, read after netsky's settings.
    pub extra_conf: Option<PathBuf>,
    /// Its whole environment, which panes start from; none of netsky's marks belongs in it.
    pub environment: BTreeMap<OsString, OsString>,
    /// The server that was last seen on this very socket.
    pub previous: Option<ProcessId>,
}

/// A server that answers.
#[derive(Debug, Clone)]
pub struct Started {
    /// What it says of itself.
    pub facts: ServerFacts,
    /// Its process.
    pub process: ProcessId,
    /// How it came to answer.
    pub standing: Standing,
    /// What tmux did not like in the user's own file.
    pub complaints: Vec<Refusal>,
}

/// How a server came to answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It ran already.
    Already,
    /// It ran, but its socket was gone and had to be made again.
    Revived,
    /// It was started.
    Fresh,
}

/// When a server is to be ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// Only if it has no session.
    Empty,
    /// In any case.
    Always,
}

/// How long a server may take to make its socket again (seen: under 100 ms).
const REVIVAL: Duration = Duration::from_secs(1);

/// What waiting for a process looks like.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

const STARTING: &str = "starting the tmux server";

impl Tmux {
    /// Makes sure that netsky's server runs.
    ///
    /// # Errors
    /// Besides those of every call: the server belongs to somebody else, or an old one neither answers nor ends.
    pub fn start_server(&self, settings: &ServerSettings) -> Answer<Started> {
        let standing = match self.server_facts() {
            Ok(facts) => return self.ours(facts, Standing::Already, settings),
            Err(error) if error.is_no_server() || error.is_refusal(RefusalKind::ServerExited) => {
                match settings.previous.filter(|previous| previous.is_alive()) {
                    Some(previous) if is_ending(&error, previous) => {
                        self.finish(previous)?;
                        None
                    }
                    Some(previous) => self.revive(previous)?,
                    None => None,
                }
            }
            Err(error) => return Err(error),
        };
        if let Some(facts) = standing {
            return self.ours(facts, Standing::Revived, settings);
        }
        let facts = self.launch(settings)?;
        self.bond.renew(facts.pid);
        let mut started = self.ours(facts, Standing::Fresh, settings)?;
        started.complaints = self.read_extra_conf(settings);
        Ok(started)
    }

    /// Ends that very server and waits until its process is gone. `false`: it has sessions, or another server answers.
    pub fn end_server(&self, server: ProcessId, when: When) -> Answer<bool> {
        let doing = format!("ending the tmux server (pid {})", server.pid);
        let is_it = bond::is_server(server.pid);
        let condition = match when {
            When::Always => is_it,
            When::Empty => format!("#{{&&:{is_it},#{{==:#{{S:x}},}}}}"),
        };
        let otherwise = format!("#{{?{condition},0,1}}");
        let kept = format!("{} kept", nonce());
        let keep = Request::milestone(&kept).only_if(otherwise);
        let kill = Request::from(KillServer::new().build()).only_if(condition);
        let was_told = match self.carry_out(&doing, self.limits.write, &Batch::of([vec![keep, kill]])) {
            Ok(said) if contains_line(&said.stdout, &kept) => return Ok(false),
            // A server that ends does not say so: its process does.
            Ok(_) | Err(NoAnswer::Incomplete { .. }) => true,
            Err(error) if error.is_refusal(RefusalKind::ServerExited) => true,
            Err(error) if error.is_no_server() => false,
            Err(error) => return Err(error),
        };
        if was_told && !gone_within(server, self.limits.write / 2) {
            return self.finish(server).map(|()| true);
        }
        self.see_gone(server).map(|()| true)
    }

    /// The same for a server that somebody has told to end who was killed before it had. `false`: none has been told.
    pub fn end_told_server(&self, server: ProcessId) -> Answer<bool> {
        match self.server_facts() {
            Err(error) if is_ending(&error, server) => self.finish(server).map(|()| true),
            Ok(_) | Err(_) => Ok(false),
        }
    }

    /// It waits for its clients; one that hangs must not keep it for ever, and it has no session left.
    fn finish(&self, server: ProcessId) -> Answer<()> {
        for signal in [Signal::Terminate, Signal::Kill] {
            // One that is gone meanwhile is what is wanted.
            if !gone_within(server, REVIVAL) {
                server.signal(signal).unwrap_or_default();
            }
        }
        self.see_gone(server)
    }

    fn see_gone(&self, server: ProcessId) -> Answer<()> {
        match gone_within(server, self.limits.write) {
            true => {
                self.bond.loosen();
                Ok(())
            }
            false => Err(NoAnswer::StillRunning { pid: server.pid, limit: self.limits.write }),
        }
    }

    fn ours(&self, facts: ServerFacts, standing: Standing, settings: &ServerSettings) -> Answer<Started> {
        if facts.home.as_deref() != Some(&settings.home) {
            return Err(NoAnswer::ForeignServer { pid: facts.pid, owner: facts.home });
        }
        let process = facts.process().ok_or_else(|| NoAnswer::Refused {
            doing: STARTING.to_owned(),
            refusal: Refusal { kind: RefusalKind::ServerExited, words: "it ended at once".to_owned() },
        })?;
        self.expect(process);
        Ok(Started { facts, process, standing, complaints: Vec::new() })
    }

    /// A server that runs without answering: its socket was unlinked, or it is about to end. `None`: it has ended.
    fn revive(&self, previous: ProcessId) -> Answer<Option<ServerFacts>> {
        // A pid that is gone, or another user's now, is no server of ours.
        if matches!(previous.signal(Signal::User1), Ok(true)) {
            let answers = || self.server_facts().ok().filter(|facts| facts.pid == previous.pid);
            let is_over = || !previous.is_alive() || self.late().is_some();
            let found = process::poll(LOOK_AGAIN * 5, Deadline::after(REVIVAL), || {
                let facts = answers();
                (facts.is_some() || is_over()).then_some(facts)
            });
            if let Some(facts) = found.flatten() {
                return Ok(Some(facts));
            }
        }
        self.open(STARTING)?;
        self.see_gone(previous).map(|()| None)
    }
}

/// Whether a server has been told to end and waits for its clients: it lives, it turned us away, and no agent lives in it.
/// (One in which agents live has lost its socket to the one that did, or what we called is no tmux.) What cannot be seen
/// is no reason to end a server.
pub fn is_ending(error: &NoAnswer, server: ProcessId) -> bool {
    let lives_elsewhere = |marked: process::Marked| {
        process::ancestors(marked.process.pid).is_ok_and(|above| !above.contains(&server.pid))
    };
    error.is_refusal(RefusalKind::ServerExited)
        && server.is_alive()
        && process::marked().is_ok_and(|all| all.into_iter().all(lives_elsewhere))
}

fn contains_line(stdout: &[u8], line: &str) -> bool {
    stdout.split(|byte| *byte == b'\n').any(|found| found == line.as_bytes())
}

fn gone_within(process: ProcessId, limit: Duration) -> bool {
    process::poll(LOOK_AGAIN, Deadline::after(limit), || (!process.is_alive()).then_some(())).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tmux::test_server::{self, TestServer, eventually};

    #[test]
    fn a_server_is_started_once_and_says_whose_it_is() {
        let server = TestServer::start();
        let again = server.tmux.start_server(&server.settings()).unwrap();
        assert_eq!((again.standing, again.process), (Standing::Already, server.process()));
        assert_eq!(again.facts.home.as_deref(), Some(server.home().as_path()));
        for (option, expected) in [
            ("remain-on-exit", "on"),
            ("history-limit", "50000"),
            ("mouse", "1"),
            ("escape-time", "10"),
            ("exit-empty", "0"),
            ("allow-rename", "0"),
            ("update-environment", ""),
            ("default-size", "200x50"),
        ] {
            let shown = server.run(&["display-message", "-p", &format!("#{{{option}}}")]);
            assert_eq!(shown.trim(), expected, "{option}");
        }
    }

    #[test]
    fn another_homes_server_and_a_strangers_are_refused() {
        let server = TestServer::start();
        let settings = ServerSettings { home: "/other".into(), ..server.settings() };
        let error = server.tmux.start_server(&settings).unwrap_err();
        assert!(
            matches!(&error, NoAnswer::ForeignServer { owner: Some(home), .. } if *home == server.home()),
            "{error}"
        );
        let strangers = TestServer::start_foreign();
        let error = strangers.tmux.start_server(&strangers.settings()).unwrap_err();
        assert!(matches!(error, NoAnswer::ForeignServer { owner: None, .. }), "{error}");
    }

    #[test]
    fn an_unlinked_socket_is_made_again_by_the_same_server() {
        let server = TestServer::start();
        server.spawn(&[test_server::session(1, &["sleep", "1000"])]);
        std::fs::remove_file(server.socket()).unwrap();
        let unsuspecting = server.stranger();
        assert!(unsuspecting.snapshot().unwrap_err().is_no_server());
        let settings = ServerSettings { previous: Some(server.process()), ..server.settings() };
        let revived = unsuspecting.start_server(&settings).unwrap();
        assert_eq!((revived.standing, revived.process), (Standing::Revived, server.process()));
        assert_eq!(server.session_names(), ["agent1"]);
    }

    #[test]
    fn a_stale_socket_is_no_hindrance() {
        let mut server = TestServer::start();
        assert!(server.process().signal(Signal::Kill).unwrap());
        assert!(gone_within(server.process(), Duration::from_secs(5)));
        assert!(server.socket().exists());
        let settings = ServerSettings { previous: Some(server.process()), ..server.settings() };
        let fresh = server.tmux.start_server(&settings).unwrap();
        assert_eq!(fresh.standing, Standing::Fresh);
        server.adopt(fresh.process);
    }

    #[test]
    fn a_server_that_runs_and_does_not_answer_is_never_doubled() {
        let server = TestServer::start_with_limits(test_server::SHORT);
        std::fs::remove_file(server.socket()).unwrap();
        server.freeze();
        let settings = ServerSettings { previous: Some(server.process()), ..server.settings() };
        let error = server.tmux.start_server(&settings).unwrap_err();
        assert!(matches!(error, NoAnswer::StillRunning { .. }), "{error}");
        server.thaw();
        eventually("the socket to come back", || server.tmux.afresh().server_facts().ok());
        assert!(server.process().is_alive());
    }

    #[test]
    fn a_server_is_ended_by_pid_and_only_when_empty_if_so_wished() {
        let server = TestServer::start();
        let made = server.spawn(&[test_server::session(1, &["sleep", "1000"])]);
        assert!(!server.tmux.end_server(server.process(), When::Empty).unwrap());
        let other = ProcessId { pid: 1, started: 1 };
        assert!(!server.tmux.end_server(other, When::Always).unwrap());
        server.tmux.kill(&[made[0].session]).unwrap();
        assert!(server.tmux.end_server(server.process(), When::Empty).unwrap());
        assert!(!server.process().is_alive());
        // At once again: the pid was waited for.
        for _ in 0..5 {
            let fresh = server.tmux.start_server(&server.settings()).unwrap();
            assert_eq!(fresh.standing, Standing::Fresh);
            assert!(server.tmux.end_server(fresh.process, When::Always).unwrap());
        }
    }
}
