//! Who called and from where: read once, at the start, and handed down.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::agent::attach::shell_word;
use crate::name::{Actor, AgentName};
use crate::owner::NotOurs;
use crate::paths::{Home, HomeError};
use crate::state::environment::{Environment, OwnerSurroundings, inheritable};

use super::error::CommandError;
use crate::exit::Exit;

/// The surroundings of this call.
#[derive(Debug)]
pub struct Caller {
    /// The environment as it was.
    pub environment: Environment,
    /// The umask as it was.
    pub umask: u32,
    /// The working directory; `None` where it is gone.
    pub dir: Option<PathBuf>,
    /// This binary.
    pub netsky: PathBuf,
    /// Whether standard output is a terminal.
    pub stdout_is_terminal: bool,
    /// Whether standard error is a terminal.
    pub stderr_is_terminal: bool,
    /// Whether standard input is a terminal.
    pub stdin_is_terminal: bool,
    /// `-C`.
    pub constellation: Option<String>,
}

/// The width that is assumed where there is no terminal.
const DEFAULT_WIDTH: usize = 80;

impl Caller {
    /// Looks around, and makes every file from now on private.
    pub fn look_around() -> Self {
        let umask = rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
        Self {
            environment: std::env::vars_os().collect(),
            umask: umask.as_raw_mode(),
            dir: std::env::current_dir().ok(),
            netsky: std::env::current_exe().unwrap_or_else(|_| PathBuf::from("netsky")),
            stdout_is_terminal: std::io::stdout().is_terminal(),
            stderr_is_terminal: std::io::stderr().is_terminal(),
            stdin_is_terminal: std::io::stdin().is_terminal(),
            constellation: None,
        }
    }

    /// A variable that is set, not empty and UTF-8.
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.environment.get(std::ffi::OsStr::new(name))?.to_str().filter(|value| !value.is_empty())
    }

    /// A variable as a path.
    pub fn path_variable(&self, name: &str) -> Option<&Path> {
        self.environment
            .get(std::ffi::OsStr::new(name))
            .map(Path::new)
            .filter(|path| !path.as_os_str().is_empty())
    }

    /// Where the home is; nothing is made or proved yet.
    pub fn home(&self) -> Result<Home, CommandError> {
        Home::locate(
            self.path_variable("NETSKY_HOME"),
            self.path_variable("HOME"),
            self.constellation.as_deref(),
        )
        .map_err(home_error)
    }

    /// The home, which must exist.
    pub fn existing_home(&self) -> Result<Home, CommandError> {
        let home = self.home()?;
        home.open().map_err(home_error)?;
        Ok(home)
    }

    /// The home, made where there is none.
    pub fn made_home(&self) -> Result<Home, CommandError> {
        let home = self.home()?;
        home.create().map_err(home_error)?;
        Ok(home)
    }

    /// The agent in whose session this runs, by its marks and its home.
    pub fn agent(&self, home: &Home) -> Option<AgentName> {
        let marked_home = self.path_variable("NETSKY_HOME")?;
        (home.is_called(marked_home) && self.variable("NETSKY_GENERATION").is_some())
            .then(|| AgentName::from_str(self.variable("NETSKY_AGENT")?).ok())?
    }

    /// Who gives this command.
    pub fn actor(&self, home: &Home) -> Actor {
        self.agent(home).map_or(Actor::Owner, Actor::Agent)
    }

    /// What an agent that this caller starts may inherit.
    pub fn surroundings(&self) -> OwnerSurroundings {
        OwnerSurroundings { environment: inheritable(&self.environment), umask: self.umask }
    }

    /// Columns of the terminal that output goes to.
    pub fn width(&self) -> usize {
        let columns = |size: rustix::termios::Winsize| usize::from(size.ws_col);
        rustix::termios::tcgetwinsize(std::io::stdout())
            .ok()
            .map(columns)
            .filter(|width| *width >= 20)
            .unwrap_or(DEFAULT_WIDTH)
    }

    /// Columns and rows of the terminal that talk goes to.
    pub fn stderr_size(&self) -> (usize, usize) {
        match rustix::termios::tcgetwinsize(std::io::stderr()) {
            Ok(size) if size.ws_col >= 20 => (usize::from(size.ws_col), usize::from(size.ws_row).max(4)),
            Ok(_) | Err(_) => (DEFAULT_WIDTH, 24),
        }
    }

    /// Whether colour may be used on standard output.
    pub fn colour(&self) -> bool {
        self.stdout_is_terminal
            && self.variable("NO_COLOR").is_none()
            && self.variable("TERM") != Some("dumb")
    }
}

pub(super) fn home_error(error: HomeError) -> CommandError {
    if let HomeError::NotOurs { path, why } = &error {
        let hint = remedy(path, *why);
        return CommandError::new(Exit::Configuration, "opening the home").because(error).hint(hint);
    }
    let repair;
    let hint = match &error {
        HomeError::Nowhere => "export NETSKY_HOME=/a/directory/of/your/own",
        HomeError::Relative { .. } => "export NETSKY_HOME=\"$PWD/netsky-home\"",
        HomeError::InvalidConstellation { .. } => "netsky -C work up",
        HomeError::Foreign { .. } | HomeError::NotADirectory { .. } | HomeError::NotOurs { .. } => {
            "NETSKY_HOME=\"$HOME/.netsky-home\" netsky up   # a directory that does not exist yet, or is empty"
        }
        HomeError::Missing { .. } => "netsky up --agent demo",
        HomeError::OtherVersion { .. } => {
            "NETSKY_HOME=\"$HOME/.netsky-home\" netsky up   # or the netsky that made this home"
        }
        HomeError::Unreadable { path, .. } => {
            repair = repair_of(&path.join("home.json"));
            &repair
        }
        HomeError::Inaccessible { .. } | HomeError::Unwritable { .. } => {
            "NETSKY_HOME=/a/directory/you/may/write netsky up"
        }
    };
    CommandError::new(Exit::Configuration, "opening the home").because(error).hint(hint)
}

/// What to type about something that is not ours alone.
pub(super) fn remedy(path: &Path, why: NotOurs) -> String {
    let shown = shell_word(&path.display().to_string());
    match why {
        NotOurs::Owner { .. } | NotOurs::Link { .. } | NotOurs::Kind { .. } => {
            format!("ls -ld {shown}   # look whose it is; netsky goes on once it is moved away")
        }
        NotOurs::Open { .. } => format!("chmod -R go-w {shown}   # after a look at what others put there"),
        NotOurs::Shared { .. } => {
            format!("find / -xdev -samefile {shown}   # remove its other names; a backup has to copy")
        }
    }
}

/// Whose the directory is, a person has to say; nothing else is lost with the file.
fn repair_of(file: &Path) -> String {
    let [old, new] = [file.with_extension("json.corrupt"), file.to_owned()]
        .map(|path| shell_word(&path.display().to_string()));
    format!("mv {new} {old} && echo '{{\"version\":1}}' > {new}   # if that home is netsky's")
}
