//! What went wrong, as a record holds it and a person reads it (pure).
//!
//! Every error of the layers below becomes one of these in one place, with the exit code that is part of the
//! contract and a line that can be pasted.

use std::error::Error;
use std::path::Path;

use crate::agent::attach::shell_word;
use crate::exit::Exit;
use crate::handoff::HandoffError;
use crate::name::AgentName;
use crate::persist::PersistError;
use crate::status::{Failure, Phase, TransitionError};
use crate::text;
use crate::tmux::{NoAnswer, RefusalKind};

use super::preflight::PreflightError;
use super::ready::{Settled, WaitError};
use super::scene::SceneError;
use super::spawn::SpawnError;
use super::teardown::TeardownError;
use super::watch::Outcome;

/// Something went wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// The exit code.
    pub exit: Exit,
    /// What was being done and to what, then the cause.
    pub message: String,
    /// The agent it is about.
    pub agent: Option<AgentName>,
    /// The last lines of its screen.
    pub screen: Vec<String>,
    /// What to type.
    pub hint: Option<String>,
}

impl Trouble {
    fn from_error(exit: Exit, error: &dyn Error, hint: Option<&str>) -> Self {
        Self { exit, message: chain(error), agent: None, screen: Vec::new(), hint: hint.map(str::to_owned) }
    }

    /// The system would not.
    pub fn system(doing: &str, error: &dyn Error) -> Self {
        Self::internal(&format!("{doing}: {}", chain(error)))
    }

    /// Something that no hint helps against.
    pub fn internal(message: &str) -> Self {
        Self {
            exit: Exit::Failed,
            message: text::one_line(message),
            agent: None,
            screen: Vec::new(),
            hint: None,
        }
    }

    /// The process was told to end.
    pub fn signalled(signal: u8) -> Self {
        let message = format!("ended by signal {signal}");
        let hint = Some("netsky up".to_owned());
        Self { exit: Exit::Signal(signal), message, agent: None, screen: Vec::new(), hint }
    }

    /// As the record of a restart holds it, which failed in `step`.
    pub fn failure(&self, step: Phase) -> Failure {
        Failure {
            step,
            message: self.message.clone(),
            agent: self.agent,
            screen: (!self.screen.is_empty()).then(|| self.screen.clone()),
            hint: self.hint.clone(),
        }
    }

    /// Adds something that the reader should know too.
    #[must_use]
    pub fn and(mut self, more: &str) -> Self {
        self.message = format!("{}; {more}", self.message);
        self
    }
}

/// An error and its causes on one line.
pub fn chain(error: &dyn Error) -> String {
    let mut words = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        words = format!("{words}: {cause}");
        source = cause.source();
    }
    text::one_line(&words)
}

/// Why an agent that is needed is not up; `None`: it is.
pub fn of_settled(settled: &Settled) -> Option<Trouble> {
    let name = settled.name;
    let (exit, what, hint) = match &settled.outcome {
        Outcome::Up { .. } => return None,
        Outcome::Blocked { why, hint } => (
            Exit::Blocked,
            format!("{name} waits for a person: {why}"),
            hint.clone().unwrap_or(attach_to(name)),
        ),
        Outcome::Limited { why } => {
            (Exit::Blocked, format!("{name} has reached its usage limit: {why}"), attach_to(name))
        }
        Outcome::Exited { how } => {
            (Exit::Failed, format!("{name} ended before it was up: {how}"), format!("netsky logs {name}"))
        }
        Outcome::Late { limit } => (
            Exit::Unavailable,
            format!("{name} was not up within {}", text::duration(*limit)),
            attach_to(name),
        ),
    };
    Some(Trouble { exit, message: what, agent: Some(name), screen: settled.screen.clone(), hint: Some(hint) })
}

/// An agent that was up is gone.
pub fn of_fallen(name: AgentName, how: &str) -> Trouble {
    Trouble {
        exit: Exit::Failed,
        message: format!("{name} came up and is gone: {how}"),
        agent: Some(name),
        screen: Vec::new(),
        hint: Some("netsky up".to_owned()),
    }
}

fn attach_to(name: AgentName) -> String {
    format!("netsky attach {name}")
}

impl From<&NoAnswer> for Exit {
    fn from(error: &NoAnswer) -> Self {
        match error {
            NoAnswer::Unknown { .. }
            | NoAnswer::Incomplete { .. }
            | NoAnswer::Program { .. }
            | NoAnswer::TooOld { .. }
            | NoAnswer::StillRunning { .. } => Self::Unavailable,
            NoAnswer::ForeignServer { .. }
            | NoAnswer::ForeignSocket { .. }
            | NoAnswer::OtherServer { .. } => Self::Configuration,
            NoAnswer::Refused { refusal, .. } => match refusal.kind {
                RefusalKind::SocketPathTooLong | RefusalKind::AccessDenied => Self::Configuration,
                RefusalKind::NoServer | RefusalKind::ServerExited | RefusalKind::VersionMismatch => {
                    Self::Unavailable
                }
                _ => Self::Failed,
            },
            NoAnswer::Unwritable { .. } | NoAnswer::Argument { .. } => Self::Failed,
        }
    }
}

fn tmux_hint(error: &NoAnswer) -> Option<&'static str> {
    match error {
        NoAnswer::Unknown { .. } => {
            Some("ps -o stat,pid,args -C 'tmux: server'   # T: stopped, D: waits for a disk")
        }
        NoAnswer::StillRunning { .. } => Some(
            "ps -o stat,pid,args -C 'tmux: server'   # T: stopped, D: waits for a disk; \
             else give [tmux] the socket of before",
        ),
        NoAnswer::TooOld { .. } => Some("install tmux 3.2a or newer and put it first on PATH"),
        NoAnswer::Program { source, .. } if source.source.kind() == std::io::ErrorKind::NotFound => {
            Some(INSTALL_TMUX)
        }
        NoAnswer::OtherServer { .. } => Some("netsky status   # it tells what to do about the other server"),
        NoAnswer::ForeignServer { .. } | NoAnswer::ForeignSocket { .. } => {
            Some("give this constellation a server of its own: in config.toml, [tmux] without socket")
        }
        NoAnswer::Refused { refusal, .. } if refusal.kind == RefusalKind::AccessDenied => {
            Some("give this constellation a server of its own: in config.toml, [tmux] without socket")
        }
        NoAnswer::Refused { refusal, .. } if refusal.kind == RefusalKind::SocketPathTooLong => {
            Some("use a shorter NETSKY_HOME, or in config.toml: [tmux] socket = \"netsky\"")
        }
        _ => None,
    }
}

const INSTALL_TMUX: &str = "sudo apt-get install tmux   # macOS: brew install tmux";

impl From<&NoAnswer> for Trouble {
    fn from(error: &NoAnswer) -> Self {
        Self::from_error(error.into(), error, tmux_hint(error))
    }
}

impl From<PersistError> for Trouble {
    fn from(error: PersistError) -> Self {
        Self::from_error(Exit::Failed, &error, Some("df -h   # then run it again"))
    }
}

impl From<TransitionError> for Trouble {
    fn from(error: TransitionError) -> Self {
        Self::from_error(Exit::Failed, &error, None)
    }
}

impl From<SceneError> for Trouble {
    fn from(error: SceneError) -> Self {
        match &error {
            SceneError::Unreadable { .. } => Self::from_error(Exit::Failed, &error, None),
            SceneError::Tmux { source } => Self::from_error(source.into(), &error, tmux_hint(source)),
            SceneError::ForeignServer { .. } => Self::from_error(
                Exit::Configuration,
                &error,
                Some("give this constellation another server: in config.toml, [tmux] without socket"),
            ),
            SceneError::ConfiguredAnew { server, .. } => {
                let hint = format!(
                    "give [tmux] the socket of before, then netsky down, then change it; \
                     where it was removed: kill -USR1 {server}"
                );
                Self::from_error(Exit::Configuration, &error, Some(&hint))
            }
            // A server that is told so takes its socket back.
            SceneError::SecondServer { own, .. } => {
                let hint = format!("kill -USR1 {own}   # or give [tmux] the socket of before");
                Self::from_error(Exit::Configuration, &error, Some(&hint))
            }
        }
    }
}

impl From<PreflightError> for Trouble {
    fn from(error: PreflightError) -> Self {
        let (exit, hint): (Exit, Option<String>) = match &error {
            PreflightError::Tmux { source } => (source.into(), tmux_hint(source).map(str::to_owned)),
            PreflightError::NoTmux => (Exit::Unavailable, Some(INSTALL_TMUX.to_owned())),
            PreflightError::Profile { .. } => (Exit::Configuration, Some("netsky config check".to_owned())),
            PreflightError::Unspeakable { .. } => {
                (Exit::Configuration, Some("install it elsewhere: scripts/install".to_owned()))
            }
            PreflightError::NoProgram { profile, .. } => (Exit::Unavailable, Some(install_hint(profile))),
            PreflightError::NoDirectory { dir, .. } => {
                (Exit::Configuration, Some(format!("mkdir -p {}", shell_word(&dir.display().to_string()))))
            }
            PreflightError::Unwritable { .. } => {
                (Exit::Failed, Some("df -h   # then run it again".to_owned()))
            }
            PreflightError::Foreign { .. } => (
                Exit::Configuration,
                Some("rename those sessions, or in config.toml: [tmux] without socket".to_owned()),
            ),
            PreflightError::NoMemory { .. } => {
                (Exit::Failed, Some("start fewer agents, or add --force".to_owned()))
            }
        };
        Self::from_error(exit, &error, hint.as_deref())
    }
}

fn install_hint(profile: &str) -> String {
    let package = match profile {
        "claude" => "@anthropic-ai/claude-code",
        "codex" => "@openai/codex",
        "gemini" => "@google/gemini-cli",
        "opencode" => "opencode-ai",
        _ => return format!("set command in config.toml: [profile.{profile}]"),
    };
    format!("npm install -g {package}   # or without any account: --agent demo")
}

impl From<HandoffError> for Trouble {
    fn from(error: HandoffError) -> Self {
        Self::from_error(Exit::Failed, &error, handoff_hint(&error).as_deref())
    }
}

/// What to type where a hand-over cannot be taken; every `Source…` is known before anything is torn down.
fn handoff_hint(error: &HandoffError) -> Option<String> {
    let shell = |path: &Path| shell_word(&path.display().to_string());
    match error {
        HandoffError::SourceIsLink { path } => Some(format!(
            "netsky restart --handoff \"$(readlink -f {})\"   # nothing was torn down",
            shell(path)
        )),
        HandoffError::SourceNotRegular { path, kind: "a FIFO" }
        | HandoffError::SourceNotOurs { path, .. }
        | HandoffError::SourceNotRemovable { path, .. } => {
            Some(format!("netsky restart --handoff - < {}   # nothing was torn down", shell(path)))
        }
        HandoffError::SourceTooLarge { .. } => {
            Some("netsky config show   # handoff.max_bytes is the limit; nothing was torn down".to_owned())
        }
        HandoffError::SourceMissing { .. }
        | HandoffError::SourceNotRegular { .. }
        | HandoffError::SourceIsState { .. }
        | HandoffError::SourceUnreadable { .. }
        | HandoffError::SourceChanged { .. } => Some(
            "netsky restart --handoff /dev/null   # without a hand-over; nothing was torn down".to_owned(),
        ),
        HandoffError::Persist(_) | HandoffError::Unseen { .. } => {
            Some("df -h   # then run it again".to_owned())
        }
        _ => Some("netsky handoff list".to_owned()),
    }
}

impl From<TeardownError> for Trouble {
    fn from(error: TeardownError) -> Self {
        match &error {
            TeardownError::Tmux { source, .. } => Self::from_error(source.into(), &error, tmux_hint(source)),
            TeardownError::Unseen { .. } => Self::from_error(Exit::Failed, &error, None),
            TeardownError::Elsewhere { server, .. } => {
                // A server that is told so makes its socket again.
                let hint = format!("kill -USR1 {server}   # then run it again");
                Self::from_error(Exit::Configuration, &error, Some(&hint))
            }
            TeardownError::Survivors { survivors } => {
                let pids: Vec<String> = survivors.iter().map(|found| found.process.pid.to_string()).collect();
                let hint = format!("ps -o pid,stat,args -p {}", pids.join(","));
                Self::from_error(Exit::Failed, &error, Some(&hint))
            }
        }
    }
}

impl From<SpawnError> for Trouble {
    fn from(error: SpawnError) -> Self {
        match &error {
            SpawnError::Tmux { source, .. } => Self::from_error(source.into(), &error, tmux_hint(source)),
            SpawnError::Unprepared { .. } | SpawnError::Unrecorded { .. } | SpawnError::Refused { .. } => {
                Self::from_error(Exit::Failed, &error, None)
            }
        }
    }
}

impl From<WaitError> for Trouble {
    fn from(error: WaitError) -> Self {
        match &error {
            WaitError::Tmux { source } => Self::from_error(source.into(), &error, tmux_hint(source)),
            WaitError::System { .. } => Self::from_error(Exit::Failed, &error, None),
        }
    }
}
