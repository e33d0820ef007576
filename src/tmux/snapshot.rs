//! What a server runs, in one look.
//!
//! A line that does not read as tmux prints it makes the whole look incomplete: a pane that was overlooked would be
//! taken for one that is gone.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use tmux_interface::{DisplayMessage, ListClients, ListPanes};

use crate::name::AgentName;
use crate::process::ProcessId;

use super::answer::{Answer, NoAnswer};
use super::client::Tmux;
use super::launch_mark::LaunchMark;
use super::pane::{SCREENS_CAP, capture_request, trimmed};
use super::request::Request;
use super::settings::HOME_OPTION;
use super::target::{PaneId, SessionId};

/// The server, its panes and who is attached.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// The server.
    pub server: ServerFacts,
    /// Every pane of every session; a pane that is linked into two sessions comes twice.
    pub panes: Vec<PaneRow>,
    /// Attached people; netsky's own control clients are left out.
    pub people: Vec<ClientRow>,
}

/// What a server says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerFacts {
    /// Its process.
    pub pid: i32,
    /// Its version, as it prints it.
    pub version: String,
    /// Seconds since the epoch at which it started.
    pub started_at: i64,
    /// The home that it carries; `None` where netsky did not start it.
    pub home: Option<PathBuf>,
}

/// One pane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaneRow {
    /// The session it is in.
    pub session: SessionId,
    /// That session's name, whatever it is.
    pub session_name: String,
    /// Its id.
    pub pane: PaneId,
    /// Its process; of a dead pane, the one that was.
    pub pid: i32,
    /// How its process ended; `None` while tmux thinks that it lives.
    pub dead: Option<Death>,
    /// What it was started as, if netsky started it.
    pub mark: Option<LaunchMark>,
    /// Column and row.
    pub cursor: (u32, u32),
    /// Lines above the screen.
    pub history_size: u32,
    /// The server's second of its last output.
    pub window_activity: i64,
    /// Whether it shows its history or a menu instead of its program.
    pub is_in_mode: bool,
    /// Clients that look at its session, control clients too.
    pub attached: u32,
    /// Columns and rows.
    pub size: (u32, u32),
}

/// How a pane's process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Death {
    /// With this exit code.
    Exited(i32),
    /// By this signal (said by tmux from 3.3).
    Signalled(i32),
    /// tmux does not say, or not yet: look again.
    Unexplained,
}

/// An attached person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientRow {
    /// What the client is called, its terminal as a rule.
    pub name: String,
    /// Which session it shows.
    pub session: SessionId,
    /// The server's second of its last key.
    pub last_activity: i64,
    /// Whether it only watches.
    pub is_read_only: bool,
}

impl PaneRow {
    /// The agent whose session it is in, by the session's name.
    pub fn agent(&self) -> Option<AgentName> {
        self.session_name.parse().ok()
    }
}

impl ServerFacts {
    /// The server's process, if it runs on this machine.
    pub fn process(&self) -> Option<ProcessId> {
        ProcessId::of(self.pid)
    }
}

/// The fields of a pane; what may hold anything comes last.
const PANE_FORMAT: &str = "#{session_id}\t#{session_name}\t#{pane_id}\t#{pane_pid}\t#{pane_dead}\t\
    #{pane_dead_status}\t#{pane_dead_signal}\t#{cursor_x}\t#{cursor_y}\t#{history_size}\t#{window_activity}\t\
    #{pane_in_mode}\t#{session_attached}\t#{pane_width}\t#{pane_height}\t#{pane_start_command}";

const CLIENT_FORMAT: &str =
    "#{client_control_mode}\t#{client_activity}\t#{client_readonly}\t#{session_id}\t#{client_name}";

pub(super) fn list_panes() -> Request {
    ListPanes::new().all().format(PANE_FORMAT).build().into()
}

pub(super) fn server_facts() -> Request {
    let format = format!("#{{pid}}\t#{{version}}\t#{{start_time}}\t#{{{HOME_OPTION}}}");
    DisplayMessage::new().print().message(format).build().into()
}

const LOOKING: &str = "looking at the tmux server";

const SNAPSHOT_SECTIONS: usize = 3;

fn snapshot_requests() -> [Request; SNAPSHOT_SECTIONS] {
    [server_facts(), list_panes(), ListClients::new().format(CLIENT_FORMAT).build().into()]
}

fn read_snapshot(doing: &str, sections: Vec<Option<Vec<u8>>>) -> Answer<Snapshot> {
    let [server, panes, clients] = sections.as_slice() else {
        return Err(incomplete(doing, b"sections are missing"));
    };
    Ok(Snapshot {
        server: read_server(doing, server.as_deref().unwrap_or_default())?,
        panes: read_panes(doing, panes.as_deref().unwrap_or_default())?,
        people: read_people(doing, clients.as_deref().unwrap_or_default())?,
    })
}

impl Tmux {
    /// Looks at everything.
    pub fn snapshot(&self) -> Answer<Snapshot> {
        self.read_snapshot(self.ask(LOOKING, &snapshot_requests())?.sections)
    }

    /// The same with these screens, in one conversation: those that are there and fit into it.
    pub fn snapshot_with_screens(&self, panes: &[PaneId]) -> Answer<(Snapshot, BTreeMap<PaneId, String>)> {
        let mut requests = snapshot_requests().to_vec();
        requests.extend(panes.iter().map(|pane| capture_request(*pane, 0)));
        let mut asked = self.ask_for_beginning(LOOKING, &requests, SCREENS_CAP)?;
        let screens = asked.sections.split_off(SNAPSHOT_SECTIONS.min(asked.sections.len()));
        let is_refused =
            |pane: PaneId| asked.complaints.iter().any(|refusal| refusal.is_about(&pane.to_string()));
        let screens = panes
            .iter()
            .zip(screens)
            .filter(|(pane, _)| !is_refused(**pane))
            .filter_map(|(pane, screen)| {
                Some((*pane, String::from_utf8_lossy(&trimmed(&screen?)).into_owned()))
            })
            .collect();
        Ok((self.read_snapshot(asked.sections)?, screens))
    }

    fn read_snapshot(&self, sections: Vec<Option<Vec<u8>>>) -> Answer<Snapshot> {
        let snapshot = read_snapshot(LOOKING, sections)?;
        self.have_reaped(&snapshot.panes);
        Ok(snapshot)
    }

    /// Asks whose the server is.
    pub fn server_facts(&self) -> Answer<ServerFacts> {
        let doing = "asking the tmux server whose it is";
        let asked = self.ask(doing, &[server_facts()])?;
        let section = asked.sections.into_iter().next().flatten().unwrap_or_default();
        read_server(doing, &section)
    }
}

pub(super) fn incomplete(doing: &str, line: &[u8]) -> NoAnswer {
    let said = crate::text::one_line(&String::from_utf8_lossy(line));
    NoAnswer::Incomplete { doing: doing.to_owned(), said: crate::text::clipped(&said, 200).into_owned() }
}

/// The home is last and may hold newlines.
pub(super) fn read_server(doing: &str, section: &[u8]) -> Answer<ServerFacts> {
    let read = || {
        let mut fields = section.strip_suffix(b"\n")?.splitn(4, |byte| *byte == b'\t');
        let pid = text(fields.next()?)?.parse().ok()?;
        let version = text(fields.next()?)?.to_owned();
        let started_at = text(fields.next()?)?.parse().ok()?;
        let home = fields.next()?;
        let home = (!home.is_empty()).then(|| PathBuf::from(OsString::from_vec(home.to_vec())));
        Some(ServerFacts { pid, version, started_at, home })
    };
    read().ok_or_else(|| incomplete(doing, section))
}

pub(super) fn read_panes(doing: &str, section: &[u8]) -> Answer<Vec<PaneRow>> {
    lines(section).map(|line| read_pane(line).ok_or_else(|| incomplete(doing, line))).collect()
}

fn read_people(doing: &str, section: &[u8]) -> Answer<Vec<ClientRow>> {
    let mut people = Vec::new();
    for line in lines(section) {
        people.extend(read_client(line).ok_or_else(|| incomplete(doing, line))?);
    }
    Ok(people)
}

fn lines(section: &[u8]) -> impl Iterator<Item = &[u8]> {
    section.split(|byte| *byte == b'\n').filter(|line| !line.is_empty())
}

fn text(field: &[u8]) -> Option<&str> {
    std::str::from_utf8(field).ok()
}

fn read_pane(line: &[u8]) -> Option<PaneRow> {
    let mut fields = line.splitn(16, |byte| *byte == b'\t');
    let mut next = || fields.next();
    let session = text(next()?)?.parse().ok()?;
    let session_name = String::from_utf8_lossy(next()?).into_owned();
    let pane = text(next()?)?.parse().ok()?;
    let pid = text(next()?)?.parse().ok()?;
    let is_dead = flag(next()?)?;
    let (status, signal) = (text(next()?)?.parse().ok(), text(next()?)?.parse().ok());
    let cursor = (text(next()?)?.parse().ok()?, text(next()?)?.parse().ok()?);
    let history_size = text(next()?)?.parse().ok()?;
    let window_activity = text(next()?)?.parse().ok()?;
    let is_in_mode = flag(next()?)?;
    let attached = text(next()?)?.parse().ok()?;
    let size = (text(next()?)?.parse().ok()?, text(next()?)?.parse().ok()?);
    let mark = LaunchMark::read(next()?);
    let death = match (signal, status) {
        (Some(signal), _) => Death::Signalled(signal),
        (None, Some(status)) => Death::Exited(status),
        (None, None) => Death::Unexplained,
    };
    let dead = is_dead.then_some(death);
    Some(PaneRow {
        session,
        session_name,
        pane,
        pid,
        dead,
        mark,
        cursor,
        history_size,
        window_activity,
        is_in_mode,
        attached,
        size,
    })
}

/// `Some(None)` for a client that is no person.
fn read_client(line: &[u8]) -> Option<Option<ClientRow>> {
    let mut fields = line.splitn(5, |byte| *byte == b'\t');
    let mut next = || fields.next();
    let is_control = flag(next()?)?;
    let last_activity = text(next()?)?.parse().ok()?;
    let is_read_only = flag(next()?)?;
    let session = text(next()?)?.parse().ok()?;
    let name = String::from_utf8_lossy(next()?).into_owned();
    Some((!is_control).then_some(ClientRow { name, session, last_activity, is_read_only }))
}

/// `0` or nothing is no; `1`, and for nested modes more, is yes.
fn flag(field: &[u8]) -> Option<bool> {
    match text(field)? {
        "" | "0" => Some(false),
        number => number.parse::<u32>().ok().map(|_| true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Generation;
    use crate::tmux::test_server::{self, TestServer};
    use proptest::prelude::*;

    const ROW: &str = "$3\tagent0\t%7\t4242\t1\t7\t\t0\t12\t345\t1795201200\t0\t1\t200\t50\tsleep 1000";

    #[test]
    fn a_row_is_read_and_a_broken_one_is_an_error() {
        let rows = read_panes("x", format!("{ROW}\n").as_bytes()).unwrap();
        assert_eq!(rows[0].dead, Some(Death::Exited(7)));
        assert_eq!((rows[0].cursor, rows[0].history_size, rows[0].size), ((0, 12), 345, (200, 50)));
        assert_eq!(rows[0].agent(), Some(AgentName::ROOT));
        for broken in [
            ROW.split_at(20).0,
            "junk",
            "$x\t",
            &ROW.replace("%7", "7"),
            &ROW.replace("\t1\t7\t\t", "\tyes\t7\t\t"),
            "\u{1b}[31m\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t",
        ] {
            assert!(read_panes("x", format!("{ROW}\n{broken}\n").as_bytes()).is_err(), "{broken}");
        }
    }

    #[test]
    fn deaths_are_told_apart() {
        for (fields, expected) in [
            ("\t0\t\t\t", None),
            ("\t1\t0\t\t", Some(Death::Exited(0))),
            ("\t1\t\t9\t", Some(Death::Signalled(9))),
            ("\t1\t\t\t", Some(Death::Unexplained)),
        ] {
            let row = ROW.replace("\t1\t7\t\t", fields);
            assert_eq!(read_panes("x", row.as_bytes()).unwrap()[0].dead, expected, "{fields:?}");
        }
    }

    #[test]
    fn a_home_may_hold_anything_but_a_nul() {
        let facts = read_server("x", b"12\t3.3a\t1795201200\t/a\tb\nc\n").unwrap();
        assert_eq!(facts.home, Some(PathBuf::from("/a\tb\nc")));
        assert_eq!(read_server("x", b"12\t3.3a\t1795201200\t\n").unwrap().home, None);
        assert!(read_server("x", b"12\t3.3a\n").is_err());
    }

    proptest! {
        #[test]
        fn garbage_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let as_panes = read_panes("x", &bytes).is_ok();
            let as_people = read_people("x", &bytes).is_ok();
            let only_empty_lines = bytes.iter().all(|byte| *byte == b'\n');
            prop_assert!(only_empty_lines || !(as_panes && as_people));
        }
    }

    #[test]
    fn a_live_server_is_seen_whole_with_its_marks() {
        let server = TestServer::start();
        let generation = Generation::fresh();
        let mark = LaunchMark { home: "/a b#'\"$x;~/é".into(), agent: AgentName::Numbered(3), generation };
        let mut session = test_server::session(3, &[]);
        let program = server.program_in_odd_dir("#!/bin/sh\nexec sleep 1000\n");
        session.command = mark.command(&program);
        server.spawn(&[session, test_server::session(0, &["sleep", "1000"])]);
        let snapshot = server.tmux.snapshot().unwrap();
        assert_eq!(snapshot.server.home.as_deref(), Some(server.home().as_path()));
        assert!(snapshot.server.process().is_some());
        let marks: Vec<_> = snapshot.panes.iter().filter_map(|pane| pane.mark.clone()).collect();
        assert_eq!(marks, [mark]);
        assert_eq!(snapshot.panes.len(), 2);
        assert!(snapshot.panes.iter().all(|pane| pane.size == (200, 50) && pane.dead.is_none()));
        assert!(snapshot.people.is_empty());
    }

    proptest! {
        #![proptest_config(crate::mutation::tries(256))]

        #[test]
        fn a_damaged_list_is_refused_or_every_line_of_it_is_a_pane(
            list in crate::mutation::mutants(vec![format!("{ROW}\n").repeat(3).into_bytes()]),
        ) {
            let rows = read_panes("x", &list);
            let count = lines(&list).count();
            prop_assert!(rows.as_ref().map_or(true, |rows| rows.len() == count));
            let is_read = |line: &[u8]| read_pane(line).is_some();
            prop_assert_eq!(rows.is_ok(), lines(&list).all(is_read));
        }

        #[test]
        fn damaged_facts_of_a_server_are_refused_or_read(
            facts in crate::mutation::mutants(vec![b"12\t3.3a\t1795201200\t/home/me/.netsky\n".to_vec()]),
        ) {
            match read_server("x", &facts) {
                Ok(read) => prop_assert!(read.home.is_none_or(|home| home.as_os_str().len() < facts.len())),
                Err(error) => prop_assert!(!error.to_string().contains(|c: char| c.is_control())),
            }
        }
    }
}
