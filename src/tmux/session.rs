//! Sessions: made many at a time in one conversation, ended by id.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use tmux_interface::{KillSession, NewSession as NewSessionCommand, SetOption};

use crate::name::AgentName;

use super::answer::{Answer, Refusal, RefusalKind, Said};
use super::batch::Batch;
use super::client::Tmux;
use super::quote::literal;
use super::request::Request;
use super::target::{PaneId, PaneTarget, SessionId, SessionTarget};

/// A session to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSession {
    /// Whose.
    pub name: AgentName,
    /// Where its program starts. tmux takes another directory without a word where this one is missing.
    pub dir: PathBuf,
    /// Columns and rows.
    pub size: (u16, u16),
    /// Variables for whatever else is started in the session, a person's window above all; nothing secret.
    pub variables: Vec<(String, OsString)>,
    /// The program and its arguments; no shell sees them.
    pub command: Vec<OsString>,
    /// Whether the window must be told to keep a dead pane: on a server that netsky did not set up.
    pub sets_remain_on_exit: bool,
}

/// A session that was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spawned {
    /// Its id.
    pub session: SessionId,
    /// The id of its pane.
    pub pane: PaneId,
    /// The pane's process.
    pub pid: i32,
}

const SPAWNED_FORMAT: &str = "#{session_name}\t#{session_id}\t#{pane_id}\t#{pane_pid}";

impl NewSession {
    fn requests(&self) -> Vec<Request> {
        let command = NewSessionCommand::new()
            .detached()
            .not_update_env()
            .print()
            .format(SPAWNED_FORMAT)
            .session_name(self.name.to_string())
            .width(self.size.0.into())
            .height(self.size.1.into());
        let mut requests = vec![
            Request::from(command.build())
                .arguments([OsString::from("-c"), literal(self.dir.as_os_str())])
                .arguments(self.variables.iter().flat_map(|(name, value)| {
                    let mut pair = OsString::from(format!("{name}="));
                    pair.push(value);
                    [OsString::from("-e"), pair]
                }))
                .arguments(self.command.iter().cloned()),
        ];
        if self.sets_remain_on_exit {
            let target = PaneTarget::Named(self.name).to_string();
            let keep = SetOption::new().window().target_pane(target).option("remain-on-exit").value("on");
            requests.push(keep.build().into());
        }
        requests
    }
}

impl Tmux {
    /// Makes sessions, in one conversation, each with what became of it.
    pub fn spawn(&self, sessions: &[NewSession]) -> Answer<Vec<(AgentName, Result<Spawned, Refusal>)>> {
        let batch = Batch::of(sessions.iter().map(NewSession::requests));
        let doing = format!("creating {}", named(sessions.iter().map(|session| session.name)));
        let said = self.carry_out(&doing, self.limits.spawn, &batch)?;
        let mut rows = spawned_rows(&said);
        Ok(sessions
            .iter()
            .map(|session| {
                let made = rows.remove(&session.name);
                (session.name, made.ok_or_else(|| refusal_about(&said.complaints, &session.name.to_string())))
            })
            .collect())
    }

    /// Ends sessions, in one conversation; one that is gone already is refused as `NoSession`.
    pub fn kill(&self, sessions: &[SessionId]) -> Answer<Vec<(SessionId, Result<(), Refusal>)>> {
        let batch = Batch::of(sessions.iter().map(|session| {
            let target = SessionTarget::Id(*session).to_string();
            vec![KillSession::new().target_session(target).build().into()]
        }));
        let doing = format!("ending the sessions {}", named(sessions.iter()));
        let said = self.carry_out(&doing, self.limits.write, &batch)?;
        Ok(sessions
            .iter()
            .map(|session| {
                let target = session.to_string();
                let refusal = said.complaints.iter().find(|refusal| refusal.is_about(&target));
                (*session, refusal.cloned().map_or(Ok(()), Err))
            })
            .collect())
    }
}

/// A few names, and how many more.
fn named<T: std::fmt::Display>(names: impl ExactSizeIterator<Item = T>) -> String {
    const SHOWN: usize = 4;
    let more = names.len().saturating_sub(SHOWN);
    let shown: Vec<String> = names.take(SHOWN).map(|name| name.to_string()).collect();
    let shown = shown.join(", ");
    if more == 0 { shown } else { format!("{shown} and {more} more") }
}

fn spawned_rows(said: &Said) -> BTreeMap<AgentName, Spawned> {
    String::from_utf8_lossy(&said.stdout).lines().filter_map(spawned_row).collect()
}

fn spawned_row(line: &str) -> Option<(AgentName, Spawned)> {
    let fields: Vec<&str> = line.split('\t').collect();
    let [name, session, pane, pid] = fields.as_slice() else { return None };
    let spawned =
        Spawned { session: session.parse().ok()?, pane: pane.parse().ok()?, pid: pid.parse().ok()? };
    Some((name.parse().ok()?, spawned))
}

/// What was said about this name; all that was said where nothing names it.
fn refusal_about(complaints: &[Refusal], name: &str) -> Refusal {
    if let Some(refusal) = complaints.iter().find(|refusal| refusal.is_about(name)) {
        return refusal.clone();
    }
    let words: Vec<&str> = complaints.iter().map(|refusal| refusal.words.as_str()).take(3).collect();
    let words = if words.is_empty() { "tmux did not say why".to_owned() } else { words.join("; ") };
    Refusal { kind: RefusalKind::Other, words }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tmux::test_server::{self, TestServer};

    fn sleeping(name: u32) -> NewSession {
        test_server::session(name, &["sleep", "1000"])
    }

    #[test]
    fn many_sessions_are_made_in_one_conversation_and_ended_by_id() {
        let server = TestServer::start();
        let sessions: Vec<_> = (0..20).map(sleeping).collect();
        let made = server.tmux.spawn(&sessions).unwrap();
        let ids: Vec<_> = made.iter().map(|(_, made)| made.as_ref().unwrap().session).collect();
        assert_eq!(server.session_names().len(), 20);
        let ended = server.tmux.kill(&ids).unwrap();
        assert!(ended.iter().all(|(_, ended)| ended.is_ok()), "{ended:?}");
        assert!(server.session_names().is_empty());
        let again = server.tmux.kill(&ids[..1]).unwrap();
        assert_eq!(again[0].1.as_ref().unwrap_err().kind, RefusalKind::NoSession);
    }

    #[test]
    fn a_name_that_is_taken_is_refused_and_the_others_are_made() {
        let server = TestServer::start();
        server.spawn(&[sleeping(1)]);
        let made = server.tmux.spawn(&[sleeping(0), sleeping(1), sleeping(10), sleeping(2)]).unwrap();
        let refused: Vec<_> =
            made.iter().filter_map(|(name, made)| Some((*name, made.clone().err()?.kind))).collect();
        assert_eq!(refused, [(AgentName::Numbered(1), RefusalKind::Duplicate)]);
        assert_eq!(server.session_names(), ["agent0", "agent1", "agent10", "agent2"]);
    }

    #[test]
    fn arguments_reach_the_program_byte_for_byte() {
        use std::os::unix::ffi::OsStringExt;
        let server = TestServer::start();
        let out = server.dir().join("argv");
        let odd =
            [b"a;b".as_slice(), b";", b"#(touch x)", b"$HOME '\"", b"two\nlines", b"\xff", b"", b"{", b"~"];
        let mut session = sleeping(1);
        session.dir = server.dir().join("odd #[x] #(id) dir");
        std::fs::create_dir(&session.dir).unwrap();
        let script =
            "printf '%s\\0' \"$@\" >\"$0.tmp\"; pwd >>\"$0.tmp\"; mv \"$0.tmp\" \"$0\"; exec sleep 1000";
        session.command = vec!["sh".into(), "-c".into(), script.into(), out.clone().into()];
        session.command.extend(odd.iter().map(|word| OsString::from_vec(word.to_vec())));
        server.spawn(&[session.clone()]);
        let written = test_server::eventually("the program's arguments", || std::fs::read(&out).ok());
        let mut parts: Vec<&[u8]> = written.split(|byte| *byte == 0).collect();
        let dir = parts.pop().unwrap();
        assert_eq!(parts, odd);
        assert_eq!(String::from_utf8_lossy(dir).trim_end(), session.dir.to_str().unwrap());
    }

    #[test]
    fn agents_that_exit_at_once_are_kept_with_their_status_also_on_a_foreign_server() {
        for foreign in [false, true] {
            let server = if foreign { TestServer::start_foreign() } else { TestServer::start() };
            let sessions: Vec<_> = (0..20)
                .map(|number| NewSession {
                    sets_remain_on_exit: foreign,
                    ..test_server::session(number, &["sh", "-c", "exit 7"])
                })
                .collect();
            server.spawn(&sessions);
            test_server::eventually("all to be dead", || {
                let snapshot = server.tmux.snapshot().unwrap();
                let dead =
                    snapshot.panes.iter().filter(|pane| pane.dead == Some(crate::tmux::Death::Exited(7)));
                (dead.count() == 20).then_some(())
            });
        }
    }

    #[test]
    fn only_that_very_agent_is_ended() {
        let server = TestServer::start();
        server.spawn(&[sleeping(10)]);
        let panes = server.tmux.snapshot().unwrap().panes;
        assert!(panes.iter().all(|pane| pane.agent() != Some(AgentName::Numbered(1))));
        let named = SessionTarget::Named(AgentName::Numbered(1)).to_string();
        let kill = vec![KillSession::new().target_session(named).build().into()];
        let said = server.tmux.carry_out("x", server.tmux.limits.write, &Batch::of([kill])).unwrap();
        assert_eq!(said.complaints[0].kind, RefusalKind::NoSession);
        assert_eq!(server.session_names(), ["agent10"]);
    }
}
