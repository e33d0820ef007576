//! One-shot children with a limit: own process group, fed and drained while it runs, capped, killed and reaped when
//! late.
//!
//! What a child said before its end is taken whole, however late our own threads run. One that leaves its output pipe
//! to a grandchild does not hold us: what the pipe gave until shortly after the child's end is what counts.

use std::ffi::{OsStr, OsString};
use std::io::{self, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use wait_timeout::ChildExt;

use crate::clock::Deadline;
use crate::failpoint;

use super::tap::Tap;
use super::{beside, room_for};

/// How long the pipes are still read after the child ended: a grandchild may hold them open for ever.
const DRAIN_AFTER_END: Duration = Duration::from_millis(200);

/// The same for a late child. A stopped tmux server holds the pipes of each client that it has not looked at, and a
/// call promises to be back a quarter of a second after its limit.
const DRAIN_AFTER_KILL: Duration = Duration::from_millis(50);

/// Output beyond this is read and thrown away, unless the job says otherwise.
const OUTPUT_CAP: usize = 16 << 20;

/// A child takes three pipes, and waiting for it two pairs of sockets, of which `wait-timeout` cannot do without one.
const DESCRIPTORS: usize = 12;

/// What to run, for how long.
#[derive(Debug)]
pub struct Job {
    program: OsString,
    command: Command,
    input: Vec<u8>,
    limit: Duration,
    cap: usize,
}

/// The child could not be run at all.
#[derive(Debug, thiserror::Error)]
#[error("starting {program}")]
pub struct JobError {
    /// The program.
    pub program: String,
    /// What the system said.
    #[source]
    pub source: io::Error,
}

/// How it went.
#[derive(Debug)]
pub enum Outcome {
    /// It ended within its limit.
    Exited(Output),
    /// It did not; it and its process group were killed. What it had said until then.
    Late(Output),
}

/// What a child said.
#[derive(Debug)]
pub struct Output {
    /// Exit code or signal.
    pub status: ExitStatus,
    /// Standard output, up to the cap.
    pub stdout: Vec<u8>,
    /// Standard error, up to the cap.
    pub stderr: Vec<u8>,
    /// Whether either was longer than the cap.
    pub capped: bool,
}

impl Output {
    /// Standard output as text.
    pub fn stdout_text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// Standard error as text.
    pub fn stderr_text(&self) -> String {
        String::from_utf8_lossy(&self.stderr).into_owned()
    }

    /// The exit code, or 128 plus the signal.
    pub fn code(&self) -> i32 {
        self.status.code().or(self.status.signal().map(|signal| 128 + signal)).unwrap_or(-1)
    }
}

impl Job {
    /// `program` with nothing on its standard input and at most `limit` to run.
    #[expect(clippy::disallowed_methods, reason = "this is the home of the call")]
    pub fn new(program: impl AsRef<OsStr>, limit: Duration) -> Self {
        Self::from_command(Command::new(program), limit)
    }

    /// A command that a library has built.
    pub fn from_command(mut command: Command, limit: Duration) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        Self { program: command.get_program().to_owned(), command, input: Vec::new(), limit, cap: OUTPUT_CAP }
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<S: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = S>) -> Self {
        self.command.args(arguments);
        self
    }

    /// Sets one variable.
    #[must_use]
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Gives exactly this environment.
    #[must_use]
    pub fn environment<K: AsRef<OsStr>, V: AsRef<OsStr>>(
        mut self,
        all: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        self.command.env_clear().envs(all);
        self
    }

    /// Runs in this directory.
    #[must_use]
    pub fn dir(mut self, dir: &std::path::Path) -> Self {
        self.command.current_dir(dir);
        self
    }

    /// What it reads on standard input.
    #[must_use]
    pub fn input(mut self, input: impl Into<Vec<u8>>) -> Self {
        self.input = input.into();
        self
    }

    /// How much of each output is kept.
    #[must_use]
    pub fn cap(mut self, bytes: usize) -> Self {
        self.cap = bytes;
        self
    }

    /// Runs it to its end or its limit.
    pub fn run(mut self) -> Result<Outcome, JobError> {
        let program = self.program.to_string_lossy().into_owned();
        let failed = &|source| JobError { program: program.clone(), source };
        let deadline = Deadline::after(self.limit);
        room_for(DESCRIPTORS).map_err(failed)?;
        failpoint::reach("process.spawn");
        let mut child = self.command.spawn().map_err(failed)?;
        let (stdout, stderr) = match self.connect(&mut child) {
            Ok(taps) => taps,
            Err(error) => {
                kill_and_reap(&mut child).map_err(failed)?;
                return Err(failed(error));
            }
        };
        let (status, late) = match child.wait_timeout(deadline.remaining()) {
            Ok(Some(status)) => (status, false),
            // It runs, and cannot be waited for (no file descriptors, say): what it did is not known, as if it were late.
            Ok(None) | Err(_) => (kill_and_reap(&mut child).map_err(failed)?, true),
        };
        let rest = Deadline::after(if late { DRAIN_AFTER_KILL } else { DRAIN_AFTER_END });
        let (stdout, more_out) = stdout.close(rest);
        let (stderr, more_err) = stderr.close(rest);
        let output = Output { status, stdout, stderr, capped: more_out || more_err };
        Ok(if late { Outcome::Late(output) } else { Outcome::Exited(output) })
    }

    /// Fed last: a child whose output cannot be taken was told nothing.
    fn connect(&mut self, child: &mut Child) -> io::Result<(Tap, Tap)> {
        let taps = (Tap::open(child.stdout.take(), self.cap)?, Tap::open(child.stderr.take(), self.cap)?);
        feed(child, std::mem::take(&mut self.input))?;
        Ok(taps)
    }
}

fn kill_and_reap(child: &mut Child) -> io::Result<ExitStatus> {
    if let Some(group) = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw) {
        // The group may be gone already; the child itself is killed below in any case.
        match rustix::process::kill_process_group(group, rustix::process::Signal::KILL) {
            Ok(()) | Err(_) => {}
        }
    }
    child.kill()?;
    child.wait()
}

fn feed(child: &mut Child, input: Vec<u8>) -> io::Result<()> {
    let Some(mut stdin) = child.stdin.take().filter(|_| !input.is_empty()) else { return Ok(()) };
    // On a thread: a child that writes before it reads must not lock both of us. A child that does not read what
    // it is given (EPIPE) says the rest by its exit code.
    let write = move || {
        failpoint::reach("process.feed");
        match stdin.write_all(&input) {
            Ok(()) | Err(_) => {}
        }
    };
    beside(write).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, limit_ms: u64) -> Job {
        Job::new("sh", Duration::from_millis(limit_ms)).args(["-c", script])
    }

    #[test]
    fn input_and_outputs_pass_whole() {
        let big = vec![b'x'; 300_000];
        let Outcome::Exited(output) =
            shell("cat; echo e >&2; exit 3", 10_000).input(big.clone()).run().unwrap()
        else {
            panic!("late")
        };
        assert_eq!(
            (output.code(), output.stdout.len(), output.stderr_text().as_str()),
            (3, big.len(), "e\n")
        );
        assert!(!output.capped);
    }

    #[test]
    fn a_late_child_is_killed_with_its_group_and_reaped() {
        let start = crate::clock::monotonic_now();
        let outcome = shell("trap '' TERM; echo said; sleep 60 & sleep 60", 200).run().unwrap();
        let Outcome::Late(output) = outcome else { panic!("not late") };
        assert_eq!(output.stdout_text(), "said\n");
        assert!(start.elapsed() < Duration::from_secs(5));
    }

    #[test]
    fn a_long_answer_comes_whole() {
        let outcome = shell("head -c 12000000 /dev/zero", 20_000).run().unwrap();
        let Outcome::Exited(output) = outcome else { panic!("late") };
        assert_eq!(output.stdout.len(), 12_000_000);
    }

    #[test]
    fn a_flood_is_capped() {
        let Outcome::Exited(output) = shell("head -c 5000000 /dev/zero", 10_000).cap(1000).run().unwrap()
        else {
            panic!("late")
        };
        assert!(output.capped && output.stdout.len() == 1000);
    }

    #[test]
    fn a_grandchild_that_keeps_the_pipe_does_not_hold_us() {
        let start = crate::clock::monotonic_now();
        let outcome = shell("echo said; setsid sleep 3 &", 10_000).run().unwrap();
        let Outcome::Exited(output) = outcome else { panic!("late") };
        assert_eq!(output.stdout_text(), "said\n");
        assert!(start.elapsed() < Duration::from_millis(2500));
    }
}
