//! Starting what outlives a call: the conversation with tmux, the supervisor, and the agent a pane becomes.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::failpoint;

use super::ProcessId;

/// A program could not be started.
#[derive(Debug, thiserror::Error)]
#[error("starting {program}")]
pub struct LaunchError {
    /// The program.
    pub program: String,
    /// What the system said.
    #[source]
    pub source: io::Error,
}

/// What a process turns itself into.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replacement {
    /// Program and arguments; never empty.
    pub command: Vec<OsString>,
    /// The whole environment.
    pub environment: BTreeMap<OsString, OsString>,
    /// The working directory.
    pub dir: PathBuf,
    /// The file mode creation mask of the one who asked.
    pub umask: u32,
}

/// Asks the kernel to take this process and its children first when memory runs out, before the tmux server and
/// before netsky. Linux only; that it cannot be had is no reason not to start an agent.
pub fn die_first() {
    if let Ok(mut file) = fs::OpenOptions::new().write(true).open("/proc/self/oom_score_adj") {
        std::io::Write::write_all(&mut file, b"500").unwrap_or_default();
    }
}

/// Becomes another program under the same pid. Returns only when that failed.
pub fn replace_self(replacement: &Replacement) -> LaunchError {
    let Some((program, arguments)) = replacement.command.split_first() else {
        let source = io::Error::new(io::ErrorKind::InvalidInput, "the command is empty");
        return LaunchError { program: String::new(), source };
    };
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(replacement.umask));
    failpoint::reach("process.replace");
    let source = command(program)
        .args(arguments)
        .env_clear()
        .envs(&replacement.environment)
        .current_dir(&replacement.dir)
        .exec();
    LaunchError { program: program.to_string_lossy().into_owned(), source }
}

/// Becomes a program that a person uses from now on, in their environment less `without`. Returns only when that failed.
pub fn become_program(
    command_line: &[OsString],
    environment: &BTreeMap<OsString, OsString>,
    without: &[&str],
) -> LaunchError {
    let Some((program, arguments)) = command_line.split_first() else {
        let source = io::Error::new(io::ErrorKind::InvalidInput, "the command is empty");
        return LaunchError { program: String::new(), source };
    };
    let kept = environment.iter().filter(|(name, _)| !without.iter().any(|out| *name == *out));
    let source = command(program).args(arguments).env_clear().envs(kept).exec();
    LaunchError { program: program.to_string_lossy().into_owned(), source }
}

/// Starts a process that lives on by itself, with `stdin` as given and its outputs appended to `log`.
///
/// It shares our session until it makes its own (`setsid`), which it must do first.
pub fn spawn_detached(
    program: &Path,
    arguments: &[OsString],
    environment: &BTreeMap<OsString, OsString>,
    stdin: Stdio,
    log: &Path,
) -> Result<ProcessId, LaunchError> {
    use std::os::unix::fs::OpenOptionsExt;
    let failed = |source| LaunchError { program: program.to_string_lossy().into_owned(), source };
    let out = fs::OpenOptions::new().append(true).create(true).mode(0o600).open(log).map_err(failed)?;
    let err = out.try_clone().map_err(failed)?;
    failpoint::reach("process.spawn");
    let child = command(program.as_os_str())
        .args(arguments)
        .env_clear()
        .envs(environment)
        .stdin(stdin)
        .stdout(out)
        .stderr(err)
        .current_dir("/")
        .spawn()
        .map_err(failed)?;
    let pid = i32::try_from(child.id()).unwrap_or_default();
    ProcessId::of(pid).ok_or_else(|| failed(io::Error::other("it ended at once")))
}

/// Starts a child that is spoken with over its pipes while other things are awaited; it is killed when dropped.
///
/// Needs a tokio runtime.
pub fn start_conversation(mut command: Command) -> Result<tokio::process::Child, LaunchError> {
    let program = command.get_program().to_string_lossy().into_owned();
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).process_group(0);
    failpoint::reach("process.converse");
    tokio::process::Command::from(command)
        .kill_on_drop(true)
        .spawn()
        .map_err(|source| LaunchError { program, source })
}

/// The program a name stands for on `path` (a `PATH` value), from `dir` for relative parts; `None`: there is none.
pub fn find_program(name: &OsStr, path: &OsStr, dir: &Path) -> Option<PathBuf> {
    let is_program = |file: &PathBuf| {
        fs::metadata(file)
            .is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
    };
    if name.is_empty() {
        return None;
    }
    if name.to_string_lossy().contains('/') {
        return Some(dir.join(name)).filter(is_program);
    }
    std::env::split_paths(path).map(|part| dir.join(part).join(name)).find(is_program)
}

#[expect(clippy::disallowed_methods, reason = "this is the home of the call")]
fn command(program: &OsStr) -> Command {
    Command::new(program)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_found_on_the_path_that_is_given() {
        let path = OsStr::new("/nowhere:/bin:/usr/bin");
        let root = Path::new("/");
        assert!(find_program(OsStr::new("sh"), path, root).is_some());
        assert!(find_program(OsStr::new("no-such-program"), path, root).is_none());
        assert!(find_program(OsStr::new("bin/sh"), OsStr::new(""), root).is_some());
        assert!(find_program(OsStr::new("/etc/passwd"), path, root).is_none());
        assert!(find_program(OsStr::new(""), path, root).is_none());
    }
}
