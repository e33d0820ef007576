//! A process that strace stops right after one of its calls, and that goes on when it is told to.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::strace::Point;
use crate::support::world::{self, signal};

/// What strace writes once the process has stopped.
const STOPPED: &str = "--- stopped by SIGSTOP ---";

/// Where a process is stopped, and by which strace.
#[derive(Debug)]
pub struct Held {
    trace: PathBuf,
    tracer: i32,
}

/// A stopped process. It goes on when this is dropped, or it would hold up its world for ever.
#[derive(Debug)]
#[must_use]
pub struct Stopped {
    pid: i32,
}

/// `program` stopped after that call; its trace goes to `trace`.
pub fn command(trace: &Path, point: &Point, program: &Path) -> Command {
    let Point { call, nth } = point;
    let mut command = Command::new("strace");
    command.args(["-qq", "-o"]).arg(trace).arg(format!("-etrace={call}"));
    command.arg(format!("-einject={call}:signal=SIGSTOP:when={nth}")).arg(program);
    command
}

impl Held {
    /// What that strace holds.
    pub fn by(trace: &Path, tracer: i32) -> Self {
        Self { trace: trace.to_owned(), tracer }
    }

    /// The process, once it stands still; `None` while it does not.
    pub fn look(&self) -> Option<Stopped> {
        fs::read_to_string(&self.trace).ok().filter(|trace| trace.contains(STOPPED))?;
        let path = format!("/proc/{0}/task/{0}/children", self.tracer);
        let pid = fs::read_to_string(path).ok()?.split_whitespace().next()?.parse().ok()?;
        Some(Stopped { pid })
    }
}

impl Stopped {
    /// A process that has stopped itself; `None` while it has not.
    pub fn itself(pid: i32) -> Option<Self> {
        (state_of(pid) == Some('T')).then(|| Self { pid })
    }

    pub fn pid(&self) -> i32 {
        self.pid
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        signal(self.pid, "CONT");
    }
}

/// Stops a process that the test started and waits until it stands still.
pub fn freeze(pid: i32) -> Stopped {
    signal(pid, "STOP");
    let stopped = world::wait(Duration::from_secs(5), &mut || Stopped::itself(pid));
    stopped.unwrap_or_else(|| panic!("process {pid} does not stop: {:?}", state_of(pid)))
}

/// Kills a process that the test started and waits until it is gone.
pub fn kill(pid: i32) {
    signal(pid, "KILL");
    let gone = world::wait(Duration::from_secs(5), &mut || {
        state_of(pid).is_none_or(|state| state == 'Z').then_some(())
    });
    assert!(gone.is_some(), "process {pid} does not end: {:?}", state_of(pid));
}

/// Its letter in proc_pid_stat(5).
fn state_of(pid: i32) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?.1.trim_start().chars().next()
}
