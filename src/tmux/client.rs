//! The client: how a tmux program is run, once a conversation, and when it is run no more.
//!
//! It is never attached, never starts a server (`-N`) and sees none of the caller's `TMUX`. The first answer that
//! comes too late shuts the value: whatever is asked of it afterwards is unknown at once and nothing is sent. The first
//! server that answers is the only one that is spoken to.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::id::RestartId;
use crate::owner::{self, NotOurs};
use crate::process::{Job, Outcome};

use super::answer::{self, Answer, NoAnswer, Said};
use super::batch::{self, Batch, LaidOut, LayError};
use super::bond::{self, Bond};
use super::expected::Expected;
use super::request::Request;
use super::version::Version;

/// Which server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Socket {
    /// The one at this path (`-S`).
    Path(PathBuf),
    /// The one of that name in the user's own directory of sockets (`-L`).
    Name(String),
    /// The user's own.
    Default,
}

/// How long is waited for an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Looking.
    pub read: Duration,
    /// Typing, setting, stopping.
    pub write: Duration,
    /// Creating.
    pub spawn: Duration,
}

/// The variables of the caller's environment that a tmux client gets; above all none that marks it as sitting in tmux.
const CLIENT_VARIABLES: [&str; 9] =
    ["PATH", "HOME", "USER", "LOGNAME", "SHELL", "TERM", "LANG", "LC_ALL", "TMUX_TMPDIR"];

/// More than any answer but screens.
const ANSWER_CAP: usize = 8 << 20;

/// One tmux server, as one command of netsky talks to it.
#[derive(Debug, Clone)]
pub struct Tmux {
    pub(super) program: PathBuf,
    pub(super) socket: Socket,
    pub(super) limits: Limits,
    pub(super) run_dir: PathBuf,
    pub(super) environment: BTreeMap<OsString, OsString>,
    pub(super) late: Arc<OnceLock<Duration>>,
    pub(super) expected: Expected,
    pub(super) bond: Bond,
}

/// What was asked, request by request.
pub(super) struct Asked {
    /// What each request printed; `None`: it was beyond the cap.
    pub(super) sections: Vec<Option<Vec<u8>>>,
    /// What was refused.
    pub(super) complaints: Vec<super::Refusal>,
}

impl Tmux {
    /// `program` is the tmux to run, `run_dir` a private directory of ours, `environment` the caller's.
    pub fn new(
        program: PathBuf,
        socket: Socket,
        limits: Limits,
        run_dir: PathBuf,
        environment: &BTreeMap<OsString, OsString>,
    ) -> Self {
        let environment = CLIENT_VARIABLES
            .iter()
            .filter_map(|name| environment.get_key_value(OsStr::new(name)))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        let (late, expected, bond) = (Arc::default(), Expected::default(), Bond::default());
        Self { program, socket, limits, run_dir, environment, late, expected, bond }
    }

    /// The same socket for another command: what was late before and who answered is forgotten.
    #[must_use]
    pub fn afresh(&self) -> Self {
        Self { bond: Bond::default(), ..self.patient() }
    }

    /// The same server, with what was late before forgotten.
    pub(super) fn patient(&self) -> Self {
        Self { late: Arc::default(), ..self.clone() }
    }

    /// Which server.
    pub fn socket(&self) -> &Socket {
        &self.socket
    }

    /// The limit that was passed, once an answer was late.
    pub fn late(&self) -> Option<Duration> {
        self.late.get().copied()
    }

    /// What the program says it is.
    ///
    /// # Errors
    /// Besides those of every call: it is older than 3.2a.
    pub fn version(&self) -> Answer<Version> {
        let doing = "asking tmux for its version";
        let job = Job::new(&self.program, self.limits.read).args(["-V"]);
        // Its program alone is asked, no server: being late here says nothing about the server.
        let output = match self.start(doing, job.cap(4096))? {
            Outcome::Exited(output) => output,
            Outcome::Late(_) => {
                return Err(NoAnswer::Unknown { doing: doing.to_owned(), limit: self.limits.read });
            }
        };
        let version: Version = output.stdout_text().parse().map_err(|_| NoAnswer::Incomplete {
            doing: doing.to_owned(),
            said: crate::text::clipped(&crate::text::one_line(&output.stdout_text()), 200).into_owned(),
        })?;
        if version.is_supported() { Ok(version) } else { Err(NoAnswer::TooOld { found: version }) }
    }

    /// Takes back what processes that were killed had begun to ask; returns how many batches. For the holder of the lock,
    /// before it looks: else more is made or ended after the look.
    ///
    /// # Errors
    /// The directory could not be read or a batch not removed.
    pub fn take_back(&self) -> std::io::Result<usize> {
        batch::take_back(&self.run_dir)
    }

    /// Removes the batches that killed processes left more than an hour ago; returns how many.
    ///
    /// # Errors
    /// The directory could not be read or a batch not removed.
    pub fn sweep_debris(&self, now: DateTime<Utc>) -> std::io::Result<usize> {
        batch::sweep(&self.run_dir, now)
    }

    /// The arguments that come before a command: which server, and never a new one.
    pub(super) fn arguments(&self) -> Vec<OsString> {
        let mut arguments = self.server_arguments();
        arguments.push("-N".into());
        arguments
    }

    /// The same for a client that may start the server.
    pub(super) fn server_arguments(&self) -> Vec<OsString> {
        let base = tmux_interface::Tmux::new().force_utf8();
        let base = match &self.socket {
            Socket::Name(name) => base.socket_name(name.as_str()),
            Socket::Default => base.socket_name("default"),
            Socket::Path(_) => base,
        };
        let mut arguments = Request::from(base.build()).words().to_vec();
        // The first word is the program, which need not be UTF-8 and is known already.
        arguments.remove(0);
        if let Socket::Path(path) = &self.socket {
            arguments.extend(["-S".into(), path.clone().into_os_string()]);
        }
        arguments
    }

    pub(super) fn environment(&self) -> &BTreeMap<OsString, OsString> {
        &self.environment
    }

    /// Asks for what changes nothing.
    pub(super) fn ask(&self, doing: &str, requests: &[Request]) -> Answer<Asked> {
        self.ask_for(doing, requests, ANSWER_CAP, answer::judge)
    }

    /// [`Tmux::ask`] where only the first `cap` bytes are wanted.
    pub(super) fn ask_for_beginning(&self, doing: &str, requests: &[Request], cap: usize) -> Answer<Asked> {
        self.ask_for(doing, requests, cap, answer::judge_beginning)
    }

    fn ask_for(&self, doing: &str, requests: &[Request], cap: usize, judge: Judge) -> Answer<Asked> {
        let argument = |source| NoAnswer::Argument { doing: doing.to_owned(), source };
        let nonce = nonce();
        let mut input = bond::question(&nonce).source().map_err(argument)?;
        for (number, request) in requests.iter().enumerate() {
            input.extend(Request::milestone(&format!("{nonce} {number}")).source().map_err(argument)?);
            input.extend(request.source().map_err(argument)?);
        }
        input.extend(Request::milestone(&end_of(&nonce)).source().map_err(argument)?);
        let limit = self.limits.read;
        let said = self.found(|| {
            let job = self.conversation(limit, input.clone(), Path::new("/")).cap(cap);
            self.hold(doing, limit, job, &nonce, judge)
        })?;
        self.bond.check_answer(doing, &said.stdout, &nonce)?;
        let sections = answer::sections(&said, &nonce, requests.len());
        Ok(Asked { sections, complaints: said.complaints })
    }

    /// Has a batch carried out.
    ///
    /// # Errors
    /// Besides those of every call: a group was not reached.
    pub(super) fn carry_out(&self, doing: &str, limit: Duration, batch: &Batch) -> Answer<Said> {
        self.open(doing)?;
        let nonce = nonce();
        let laid = LaidOut::lay(batch, &self.run_dir, &nonce, &self.bond).map_err(|error| match error {
            LayError::Argument(source) => NoAnswer::Argument { doing: doing.to_owned(), source },
            LayError::Io(source) => {
                NoAnswer::Unwritable { doing: doing.to_owned(), path: self.run_dir.clone(), source }
            }
        })?;
        let said = self.found(|| {
            let job = self.conversation(limit, laid.input.clone(), laid.dir()).cap(ANSWER_CAP);
            self.hold(doing, limit, job, &nonce, answer::judge)
        })?;
        self.bond.check_answer(doing, &said.stdout, &nonce)?;
        let reached = answer::sections(&said, &nonce, batch.len());
        match reached.iter().position(Option::is_none) {
            None => Ok(said),
            Some(group) => {
                let why =
                    said.complaints.first().map_or_else(|| said.first_stray(&nonce), |no| no.words.clone());
                let said = format!("group {group} of {} was not carried out: {why}", batch.len());
                Err(NoAnswer::Incomplete { doing: doing.to_owned(), said })
            }
        }
    }

    fn conversation(&self, limit: Duration, input: Vec<u8>, dir: &Path) -> Job {
        Job::new(&self.program, limit)
            .args(self.arguments())
            .args(["source-file", "-"])
            .environment(&self.environment)
            .dir(dir)
            .input(input)
    }

    /// Runs a client whose answer ends with a line of this nonce.
    pub(super) fn hold(
        &self,
        doing: &str,
        limit: Duration,
        job: Job,
        nonce: &str,
        judge: Judge,
    ) -> Answer<Said> {
        self.open(doing)?;
        let answer = judge(doing, limit, self.start(doing, job)?, &end_of(nonce));
        if matches!(answer, Err(NoAnswer::Unknown { .. })) {
            self.shut(limit);
        }
        answer
    }

    /// Whether anything may still be sent, and to a socket of ours. (Those with a name are looked at by tmux itself.)
    pub(super) fn open(&self, doing: &str) -> Answer<()> {
        if let Some(limit) = self.late() {
            return Err(NoAnswer::Unknown { doing: doing.to_owned(), limit });
        }
        let Socket::Path(path) = &self.socket else { return Ok(()) };
        match owner::socket(path) {
            Err(source) if NotOurs::behind(&source).is_some() => {
                Err(NoAnswer::ForeignSocket { doing: doing.to_owned(), path: path.clone(), source })
            }
            // What cannot be looked at, tmux cannot connect to either, and says why.
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// Sends nothing more.
    pub(super) fn shut(&self, limit: Duration) {
        // Whoever came first has the say.
        self.late.get_or_init(|| limit);
    }

    fn start(&self, doing: &str, job: Job) -> Answer<Outcome> {
        job.run().map_err(|source| NoAnswer::Program { doing: doing.to_owned(), source })
    }
}

pub(super) type Judge = fn(&str, Duration, Outcome, &str) -> Answer<Said>;

/// What nobody else can print: it is made for one conversation.
pub(super) fn nonce() -> String {
    RestartId::fresh().to_string()
}

/// The last line of a whole answer.
pub(super) fn end_of(nonce: &str) -> String {
    format!("{nonce} end")
}
