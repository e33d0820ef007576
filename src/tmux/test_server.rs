//! A tmux server of a test's own, in a directory of its own, ended on drop.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Limits, NewSession, ServerSettings, Socket, Spawned, Started, Tmux};
use crate::clock::{Deadline, Instant};
use crate::name::AgentName;
use crate::process::{self, Job, Outcome, ProcessId};

/// For whatever is to succeed, also on a busy machine.
pub(super) const LONG: Limits =
    Limits { read: Duration::from_secs(20), write: Duration::from_secs(20), spawn: Duration::from_secs(20) };

/// For whatever is to be late.
pub(super) const SHORT: Limits = Limits {
    read: Duration::from_millis(700),
    write: Duration::from_millis(700),
    spawn: Duration::from_millis(700),
};

pub(super) struct TestServer {
    pub(super) tmux: Tmux,
    dir: tempfile::TempDir,
    process: std::cell::Cell<Option<ProcessId>>,
    is_frozen: std::cell::Cell<bool>,
}

/// The program under test: `NETSKY_TEST_TMUX`, to try another version, else the one on PATH.
fn program() -> PathBuf {
    std::env::var_os("NETSKY_TEST_TMUX").map_or_else(
        || {
            let path = std::env::var_os("PATH").unwrap_or_default();
            process::find_program("tmux".as_ref(), &path, Path::new("/")).expect("tmux on PATH")
        },
        PathBuf::from,
    )
}

/// An environment as a user inside another tmux has it.
pub(super) fn users_environment() -> BTreeMap<OsString, OsString> {
    [
        ("PATH", std::env::var_os("PATH").unwrap_or_default()),
        ("HOME", "/nonexistent".into()),
        ("TERM", "screen-256color".into()),
        ("TMUX", "/nonexistent/tmux,1,0".into()),
        ("TMUX_PANE", "%0".into()),
        ("NETSKY_HOME", "/elsewhere".into()),
    ]
    .map(|(name, value)| (OsString::from(name), value))
    .into()
}

pub(super) fn session(number: u32, command: &[&str]) -> NewSession {
    NewSession {
        name: AgentName::Numbered(number),
        dir: "/".into(),
        size: (200, 50),
        command: command.iter().map(OsString::from).collect(),
        variables: Vec::new(),
        sets_remain_on_exit: false,
    }
}

/// Waits for something that must come.
pub(super) fn eventually<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    process::poll(Duration::from_millis(10), Deadline::after(Duration::from_secs(20)), look)
        .unwrap_or_else(|| panic!("waiting for {what}"))
}

/// The promise of every call: its limit and a quarter of a second.
pub(super) fn assert_in_time(start: Instant, limit: Duration) {
    let taken = start.elapsed();
    assert!(taken <= limit + Duration::from_millis(250), "{taken:?} with a limit of {limit:?}");
}

impl TestServer {
    pub(super) fn prepare(limits: Limits) -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("run")).unwrap();
        let socket = Socket::Path(dir.path().join("run/tmux.sock"));
        let tmux = Tmux::new(program(), socket, limits, dir.path().join("run"), &users_environment());
        Self { tmux, dir, process: None.into(), is_frozen: false.into() }
    }

    pub(super) fn start() -> Self {
        Self::start_with_limits(LONG)
    }

    pub(super) fn start_with_limits(limits: Limits) -> Self {
        let mut server = Self::prepare(limits);
        let patient = Tmux { limits: LONG, ..server.tmux.clone() };
        let impatient = std::mem::replace(&mut server.tmux, patient);
        server.start_now(&server.settings());
        server.tmux = impatient;
        server
    }

    /// Somebody who speaks with it and does not know that it should be there.
    pub(super) fn stranger(&self) -> Tmux {
        Tmux { expected: Default::default(), ..self.tmux.clone() }
    }

    pub(super) fn start_now(&self, settings: &ServerSettings) -> Started {
        let started = self.tmux.start_server(settings).unwrap();
        self.process.set(Some(started.process));
        started
    }

    /// A server that somebody else started, with one session of theirs.
    pub(super) fn start_foreign() -> Self {
        let server = Self::prepare(LONG);
        let socket = server.socket();
        let job = Job::new(program(), LONG.spawn).args(["-u", "-f", "/dev/null", "-S"]).args([&socket]);
        let job = job.args(["new-session", "-d", "-s", "mine", "sleep", "1000"]);
        let outcome = job.environment(server.settings().environment).run().unwrap();
        assert!(matches!(outcome, Outcome::Exited(output) if output.status.success()));
        server.process.set(server.tmux.server_facts().unwrap().process());
        server
    }

    pub(super) fn settings(&self) -> ServerSettings {
        let environment =
            [("PATH", std::env::var_os("PATH").unwrap_or_default()), ("HOME", "/nonexistent".into())];
        ServerSettings {
            home: self.home(),
            size: (200, 50),
            extra_conf: None,
            environment: environment.map(|(name, value)| (OsString::from(name), value)).into(),
            previous: None,
        }
    }

    pub(super) fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub(super) fn home(&self) -> PathBuf {
        self.dir.path().join("home #{pid} 'x")
    }

    pub(super) fn socket(&self) -> PathBuf {
        self.dir.path().join("run/tmux.sock")
    }

    pub(super) fn process(&self) -> ProcessId {
        self.process.get().unwrap()
    }

    pub(super) fn adopt(&mut self, process: ProcessId) {
        self.process.set(Some(process));
    }

    pub(super) fn spawn(&self, sessions: &[NewSession]) -> Vec<Spawned> {
        let patient = Tmux { limits: LONG, ..self.tmux.clone() };
        patient.spawn(sessions).unwrap().into_iter().map(|(_, made)| made.unwrap()).collect()
    }

    pub(super) fn session_names(&self) -> Vec<String> {
        let mut names: Vec<String> =
            self.run(&["list-sessions", "-F", "#{session_name}"]).lines().map(str::to_owned).collect();
        names.sort();
        names
    }

    /// Runs a plain tmux command; what it prints, nothing where it was refused.
    pub(super) fn run(&self, arguments: &[&str]) -> String {
        let socket = self.socket();
        let job = Job::new(program(), LONG.read).args(["-u", "-N", "-S"]).args([&socket]).args(arguments);
        match job.environment(self.tmux.environment()).run().unwrap() {
            Outcome::Exited(output) => output.stdout_text(),
            Outcome::Late(_) => panic!("{arguments:?} was late"),
        }
    }

    pub(super) fn program_in_odd_dir(&self, script: &str) -> PathBuf {
        let dir = self.dir.path().join("my bin #'\"$x;~{é");
        std::fs::create_dir(&dir).unwrap();
        let path = dir.join("netsky");
        write_program(&path, script);
        path
    }

    pub(super) fn freeze(&self) {
        self.is_frozen.set(true);
        send(self.process(), rustix::process::Signal::STOP);
    }

    pub(super) fn thaw(&self) {
        self.is_frozen.set(false);
        send(self.process(), rustix::process::Signal::CONT);
    }
}

/// Written by a child: were the file ever open for writing here, a child that another test starts in that moment
/// would hold it open too, and it could not be run ("text file busy").
pub(super) fn write_program(path: &Path, text: &str) {
    let job =
        Job::new("sh", LONG.read).args(["-c", "cat >\"$0\" && chmod 755 \"$0\""]).args([path]).input(text);
    let outcome = job.run().unwrap();
    assert!(matches!(outcome, Outcome::Exited(output) if output.status.success()));
}

fn send(process: ProcessId, signal: rustix::process::Signal) {
    assert!(process.is_alive());
    let pid = rustix::process::Pid::from_raw(process.pid).unwrap();
    rustix::process::kill_process(pid, signal).unwrap();
}

impl Drop for TestServer {
    fn drop(&mut self) {
        let Some(process) = self.process.get().filter(|process| process.is_alive()) else { return };
        if self.is_frozen.get() {
            self.thaw();
        }
        if self.tmux.afresh().end_server(process, super::When::Always).is_err() {
            drop(process.signal(process::Signal::Kill));
        }
    }
}
