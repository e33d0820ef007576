//! Carrying out an errand while somebody is struck.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::errand::{Ended, Errand, Struck};
use crate::stage::Victim;
use crate::strace::{self, Point};
use crate::support::World;
use crate::support::world::{self, Ran};
use crate::{hook_caller, recovery};

/// What is done to netsky meanwhile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Strike {
    /// Nothing: its calls are counted.
    Count,
    /// Nothing: its failpoints are listed.
    List,
    /// A signal at a system call, by name.
    Call { point: Point, signal: &'static str },
    /// A signal at the nth time that a failpoint is reached, on a build that has them.
    Failpoint { point: String, nth: usize, signal: &'static str },
}

impl std::fmt::Display for Strike {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Count | Self::List => write!(f, "not struck"),
            Self::Call { point, signal } => write!(f, "SIG{signal} at {point}"),
            Self::Failpoint { point, nth, signal } => write!(f, "{point}:{nth}={signal}"),
        }
    }
}

/// Longer than anything here takes.
const SOON: Duration = Duration::from_secs(30);

impl Strike {
    pub fn signal(&self) -> Option<&'static str> {
        match self {
            Self::Count | Self::List => None,
            Self::Call { signal, .. } | Self::Failpoint { signal, .. } => Some(signal),
        }
    }

    /// The same with another signal.
    #[must_use]
    pub fn by(self, signal: &'static str) -> Self {
        match self {
            Self::Call { point, .. } => Self::Call { point, signal },
            Self::Failpoint { point, nth, .. } => Self::Failpoint { point, nth, signal },
            peaceful => peaceful,
        }
    }

    pub fn nth(&self) -> usize {
        match self {
            Self::Count | Self::List => 0,
            Self::Call { point, .. } => point.nth,
            Self::Failpoint { nth, .. } => *nth,
        }
    }

    /// Has the errand done, and waits for whoever goes on with it.
    pub fn carry_out(&self, world: &World, errand: &Errand, victim: Victim) -> Ended {
        // What is left of the errand before is no trace of this one.
        for path in [failpoint_log(world), world.root().join("trace")] {
            fs::remove_file(path).unwrap_or_default();
        }
        let ran = match (victim, self) {
            (Victim::Hook, _) => {
                hook_caller::run(world, &self.command(world, errand, &["-f"]), &errand.stdin)
            }
            (Victim::Supervisor, Self::Count | Self::Call { .. }) => self.on_supervisor(world, errand),
            _ => {
                let call = world.call(self.command(world, errand, &[])).stdin(&errand.stdin);
                errand.environment.iter().fold(call, |call, (name, value)| call.env(name, value)).run()
            }
        };
        wait_for_supervisor(world);
        let struck = match self {
            Self::Count | Self::List => None,
            Self::Call { .. } => strace::struck(world),
            Self::Failpoint { point, nth, .. } => {
                let times = failpoints(world).iter().filter(|reached| *reached == point).count();
                (times >= *nth).then_some(Struck::Point)
            }
        };
        Ended { ran, struck, record: None }
    }

    fn command(&self, world: &World, errand: &Errand, more: &[&str]) -> Command {
        let more = more.iter().map(|option| (*option).to_owned());
        let mut command = match self {
            Self::List | Self::Failpoint { .. } => {
                let mut command = Command::new("env");
                let mut log = OsString::from("FAILPOINT_LOG=");
                log.push(failpoint_log(world));
                command.arg(log);
                if matches!(self, Self::Failpoint { .. }) {
                    command.arg(format!("FAILPOINT={self}"));
                }
                command.arg(world.program());
                command
            }
            _ => {
                let options: Vec<String> = more.chain(self.options()).collect();
                strace::command(world, &options, world.program())
            }
        };
        command.args(&errand.arguments);
        command
    }

    fn options(&self) -> Vec<String> {
        match self {
            Self::Call { point, signal } => strace::to_strike(point, &format!("signal=SIG{signal}")),
            _ => strace::to_count(),
        }
    }

    /// The supervisor is held at its first look at tmux until strace has hold of it.
    fn on_supervisor(&self, world: &World, errand: &Errand) -> Ran {
        let hold = Hold::of(world);
        fs::write(&hold.asked, "").unwrap();
        let ran = world.netsky(&errand.arguments).stdin(&errand.stdin).run();
        let held = world::wait(SOON, &mut || fs::read_to_string(&hold.held).ok()?.trim().parse().ok());
        let strace = held.map(|pid| strace::attached(world, pid, &self.options()));
        for path in [&hold.asked, &hold.held] {
            fs::remove_file(path).unwrap_or_default();
        }
        match strace {
            Some(mut strace) => drop(strace.wait().unwrap()),
            None => panic!("no supervisor looked at tmux: {ran:?}"),
        }
        ran
    }
}

/// A tmux that waits when it is called by a supervisor and is asked to.
struct Hold {
    asked: PathBuf,
    held: PathBuf,
}

impl Hold {
    fn of(world: &World) -> Self {
        Self { asked: world.root().join("hold"), held: world.root().join("held") }
    }
}

/// Puts a tmux that can be held before the real one, for [`Victim::Supervisor`].
pub fn hold_supervisors(world: &mut World) {
    let path = world.environment.get(OsStr::new("PATH")).unwrap();
    let tmux = std::env::split_paths(path).map(|dir| dir.join("tmux")).find(|path| path.exists()).unwrap();
    let Hold { asked, held } = Hold::of(world);
    let script = format!(
        "#!/bin/sh\nif [ -e {asked:?} ] && grep -qa supervise /proc/$PPID/cmdline; then\n    echo $PPID > {held:?}\n    \
         while [ -e {asked:?} ]; do sleep 0.01; done\nfi\nexec {tmux:?} \"$@\"\n"
    );
    put_first(world, "tmux", &script);
}

/// Puts a program before all others on the path.
pub fn put_first(world: &mut World, name: &str, script: &str) {
    let dir = world.root().join("bin");
    fs::create_dir(&dir).unwrap();
    make_program(&dir.join(name), script);
    let path = world.environment.get(OsStr::new("PATH")).unwrap();
    let paths = std::iter::once(dir).chain(std::env::split_paths(path));
    let paths = std::env::join_paths(paths).unwrap();
    world.set("PATH", paths);
}

pub fn make_program(path: &Path, script: &str) {
    use std::os::unix::fs::PermissionsExt;
    fs::write(path, script).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// What was called may go on without its caller, and holds the lock for so long.
fn wait_for_supervisor(world: &World) {
    world::wait(SOON, &mut || recovery::lock(world, "").is_empty().then_some(()));
}

fn failpoint_log(world: &World) -> PathBuf {
    world.root().join("failpoints")
}

/// The failpoints that were reached, as `VERB/POINT`.
pub fn failpoints(world: &World) -> Vec<String> {
    let log = fs::read_to_string(failpoint_log(world)).unwrap_or_default();
    log.lines().map(str::to_owned).collect()
}
