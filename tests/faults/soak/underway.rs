//! netsky commands under way, what is done to them meanwhile, and what they took of memory and files.

use std::fs::File;
use std::io::{Read, Seek};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::census;

/// How often a command is looked at.
const EVERY: Duration = Duration::from_millis(4);

/// No command may take longer.
const LIMIT: Duration = Duration::from_secs(60);

/// A command under way.
pub struct Carrier {
    child: Child,
    is_send: bool,
    /// What it prints, in files: a pipe may be kept open by somebody who lives on.
    said: [File; 2],
    begun: Instant,
    peak: u64,
    files: u64,
    code: Option<i32>,
    took: Duration,
}

/// A command that has ended.
#[derive(Debug, Clone)]
pub struct Ended {
    /// Whether it is a message, and no restart.
    pub is_send: bool,
    /// 128 and the signal, where one ended it.
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
    pub took: Duration,
    /// The most memory that it had, in KiB.
    pub peak: u64,
    /// The most files that it had open.
    pub files: u64,
}

impl Carrier {
    /// Starts it in a process group of its own.
    pub fn start(mut command: Command, stdin: Option<File>) -> Self {
        let said = [(); 2].map(|()| tempfile::tempfile().unwrap());
        let [stdout, stderr] = said.each_ref().map(|file| file.try_clone().unwrap());
        command.stdin(stdin.map_or_else(Stdio::null, Stdio::from)).stdout(stdout).stderr(stderr);
        let is_send = command.get_args().next().is_some_and(|verb| verb == "send");
        let child = command.process_group(0).spawn().unwrap();
        Self {
            child,
            is_send,
            said,
            begun: Instant::now(),
            peak: 0,
            files: 0,
            code: None,
            took: Duration::ZERO,
        }
    }

    pub fn pid(&self) -> i32 {
        self.child.id().cast_signed()
    }

    pub fn has_ended(&self) -> bool {
        self.code.is_some()
    }

    /// Since when.
    pub fn begun(&self) -> Instant {
        self.begun
    }

    /// Looks whether it has ended, and how large it is.
    pub fn look(&mut self) {
        if self.code.is_some() {
            return;
        }
        if let Some(status) = self.child.try_wait().unwrap() {
            self.code = Some(status.code().unwrap_or_else(|| 128 + status.signal().unwrap()));
            self.took = self.begun.elapsed();
            return;
        }
        self.peak = self.peak.max(census::kilobytes(self.pid(), "VmHWM").unwrap_or_default());
        self.files = self.files.max(census::open_files(self.pid()).unwrap_or_default());
        if self.begun.elapsed() > LIMIT {
            self.child.kill().unwrap();
        }
    }

    /// What it said and how it ended.
    pub fn ended(self) -> Ended {
        let Self { is_send, said, code, peak, files, took, .. } = self;
        let [stdout, stderr] = said.map(|mut file| {
            let mut bytes = Vec::new();
            file.rewind().unwrap();
            file.read_to_end(&mut bytes).unwrap();
            String::from_utf8_lossy(&bytes).into_owned()
        });
        Ended { is_send, code: code.expect("it is under way"), stdout, stderr, took, peak, files }
    }
}

/// What is done; it may start another command.
pub type Act<'a> = Box<dyn FnOnce(&mut Vec<Carrier>) + 'a>;

/// Something that is done at a time.
pub struct Strike<'a> {
    pub at: Duration,
    pub act: Act<'a>,
}

/// Looks after commands until all have ended and `is_over`, striking when it is time. What is not due by then is done at
/// the end: a frozen server thaws whatever came of the restart.
pub fn look_after(
    mut carriers: Vec<Carrier>,
    mut strikes: Vec<Strike<'_>>,
    is_over: impl Fn(&[Carrier]) -> bool,
) -> Vec<Ended> {
    let begun = carriers[0].begun();
    strikes.sort_by_key(|strike| std::cmp::Reverse(strike.at));
    loop {
        carriers.iter_mut().for_each(Carrier::look);
        let all_ended = carriers.iter().all(Carrier::has_ended) && is_over(&carriers);
        while strikes.last().is_some_and(|strike| all_ended || strike.at <= begun.elapsed()) {
            let strike = strikes.pop().unwrap();
            (strike.act)(&mut carriers);
        }
        if carriers.iter().all(Carrier::has_ended) && all_ended {
            return carriers.into_iter().map(Carrier::ended).collect();
        }
        std::thread::park_timeout(EVERY);
    }
}
