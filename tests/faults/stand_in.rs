//! A tmux first on the world's PATH that does as the real one, until a test has one of its calls stop or go wrong.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::held::{Held, Stopped};
use crate::support::World;
use crate::support::world;

/// Every client of tmux counts from 0 on from the moment at which the stand-in is armed.
pub struct StandIn {
    dir: PathBuf,
    real: PathBuf,
}

/// After how many of its sends a client stops; 0: before it has begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct At {
    pub client: usize,
    pub sends: usize,
}

impl std::fmt::Display for At {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "client {} after send {}", self.client, self.sends)
    }
}

/// How long a client may take to get where it is to stop.
const REACHED_WITHIN: Duration = Duration::from_secs(20);

impl StandIn {
    /// Puts it on the world's PATH.
    pub fn before(world: &mut World) -> Self {
        let path = world.environment[std::ffi::OsStr::new("PATH")].clone();
        let real = find(&path).expect("there is no tmux");
        let dir = world.root().join("bin");
        fs::create_dir(&dir).unwrap();
        let stand_in = Self { dir: dir.clone(), real };
        let paths = std::iter::once(dir).chain(std::env::split_paths(&path));
        world.set("PATH", std::env::join_paths(paths).unwrap());
        stand_in.restore();
        stand_in
    }

    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The one that it stands before.
    pub fn real(&self) -> &Path {
        &self.real
    }

    /// Does as the real one again.
    pub fn restore(&self) {
        self.replace(&format!(
            "#!/bin/sh\n\
             d={dir:?}\n\
             [ -e \"$d/armed\" ] || exec {real:?} \"$@\"\n\
             n=0\n\
             while ! (set -C; : >\"$d/client.$n\") 2>/dev/null; do n=$((n + 1)); done\n\
             . \"$d/armed\"\n\
             exec {real:?} \"$@\"\n",
            dir = self.dir,
            real = self.real,
        ));
    }

    /// Replaces it by another program.
    pub fn replace(&self, script: &str) {
        let fresh = self.dir.join("fresh");
        write_program(&fresh, script);
        fs::rename(&fresh, self.dir.join("tmux")).unwrap();
    }

    /// Does this, in shell, in every client; `$n` is its number.
    fn arm(&self, script: &str) {
        for path in world::files(&self.dir) {
            if path.file_name().unwrap() != "tmux" {
                fs::remove_file(path).unwrap();
            }
        }
        let fresh = self.dir.join("fresh");
        fs::write(&fresh, script).unwrap();
        fs::rename(&fresh, self.dir.join("armed")).unwrap();
    }

    /// From now on it only does as the real one.
    pub fn disarm(&self) {
        fs::remove_file(self.dir.join("armed")).unwrap();
    }

    /// Counts sends.
    pub fn count(&self) {
        let (dir, real) = (&self.dir, &self.real);
        self.arm(&format!("exec strace -qq -o {dir:?}/trace.$n -etrace=sendmsg {real:?} \"$@\"\n"));
    }

    /// How often each client sent something, by its number.
    pub fn counted(&self) -> Vec<usize> {
        let trace = |client| fs::read_to_string(self.dir.join(format!("trace.{client}"))).ok();
        (0..).map_while(trace).map(|trace| trace.matches("sendmsg(").count()).collect()
    }

    /// One client stops there.
    pub fn hold(&self, at: At) {
        let At { client, sends } = at;
        let (dir, real) = (&self.dir, &self.real);
        let held = match sends {
            0 => "kill -STOP $$".to_owned(),
            _ => format!(
                "exec strace -qq -o {dir:?}/trace -etrace=sendmsg -einject=sendmsg:signal=SIGSTOP:when={sends} \
                 {real:?} \"$@\""
            ),
        };
        self.arm(&format!(
            "if [ $n = {client} ]; then\n\
             echo $$ >\"$d/held.new\" && mv \"$d/held.new\" \"$d/held\"\n\
             {held}\n\
             fi\n"
        ));
    }

    /// One client runs under strace with this done to its calls.
    pub fn inject(&self, client: usize, inject: &str) {
        let (dir, real) = (&self.dir, &self.real);
        self.arm(&format!(
            "[ $n = {client} ] && exec strace -qq -o {dir:?}/trace -e inject={inject} {real:?} \"$@\"\n"
        ));
    }

    /// One client is this shell script, in which `$real` is tmux.
    pub fn instead(&self, client: usize, script: &str) {
        let real = &self.real;
        self.arm(&format!("[ $n = {client} ] && {{ real={real:?}; {script}; }}\n"));
    }

    /// Whether that many clients have begun.
    pub fn has_reached(&self, client: usize) -> bool {
        self.dir.join(format!("client.{client}")).exists()
    }

    /// Waits for the client that is held; `None`: `is_over` came first.
    pub fn wait_for_held(&self, at: At, mut is_over: impl FnMut() -> bool) -> Option<Stopped> {
        let look = || {
            let pid = fs::read_to_string(self.dir.join("held")).ok()?.trim().parse().ok()?;
            match at.sends {
                0 => Stopped::itself(pid),
                _ => Held::by(&self.dir.join("trace"), pid).look(),
            }
        };
        let mut over = false;
        let found = wait_closely(REACHED_WITHIN, &mut || {
            let found = look();
            over = over || (found.is_none() && is_over());
            (found.is_some() || over).then_some(found)
        });
        found.unwrap_or_else(|| panic!("{at} was not reached within {REACHED_WITHIN:?}"))
    }
}

/// Written by a child: were the file ever open for writing here, a child that another worker starts in that moment would
/// hold it open too, and it could not be run ("text file busy").
pub fn write_program(path: &Path, text: &str) {
    let mut command = Command::new("sh");
    command.args(["-c", "cat >\"$0\" && chmod 755 \"$0\""]).arg(path).stdin(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
}

/// Looks again every 2 ms.
pub fn wait_closely<T>(limit: Duration, look: &mut dyn FnMut() -> Option<T>) -> Option<T> {
    let until = std::time::Instant::now() + limit;
    loop {
        if let Some(found) = look() {
            return Some(found);
        }
        if std::time::Instant::now() >= until {
            return None;
        }
        std::thread::park_timeout(Duration::from_millis(2));
    }
}

fn find(path: &std::ffi::OsStr) -> Option<PathBuf> {
    std::env::split_paths(path)
        .map(|dir| dir.join("tmux"))
        .find(|program: &PathBuf| Path::new(program).exists())
}
