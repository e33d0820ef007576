//! The floor: the same work done by plain tmux calls in as few invocations as there can be, three.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::world::World;

/// A tmux server that is set up like netsky's.
pub(crate) struct Plain<'w> {
    world: &'w World,
    socket: PathBuf,
    agent: Vec<String>,
}

const SETTINGS: &str = "set -s exit-empty off\nset -s escape-time 10\nset -g history-limit 50000\nset -g mouse on\n\
     set -g default-size 200x50\nset -wg remain-on-exit on\nset -wg allow-rename off\nset -wg allow-passthrough off\n";

impl<'w> Plain<'w> {
    pub(crate) fn start(world: &'w World, agent: Vec<String>) -> Self {
        let conf = world.work.join("plain.conf");
        std::fs::write(&conf, SETTINGS).unwrap();
        let socket = world.work.join("plain.sock");
        let mut command = world.command("tmux");
        command.arg("-u").arg("-f").arg(conf).arg("-S").arg(&socket).arg("start-server");
        assert!(command.status().unwrap().success());
        Self { world, socket, agent }
    }

    /// Ends agent0 … agentN where they run, makes them anew, and reads their screens until all are up.
    pub(crate) fn restart(&self, clones: u32) -> Duration {
        let each = |request: &dyn Fn(u32) -> String| (0..=clones).map(request).collect::<String>();
        let begun = Instant::now();
        self.say(&each(&|number| format!("kill-session -t =agent{number}\n")));
        self.say(&each(&|number| self.creation(number)));
        let look = each(&|number| format!("capture-pane -p -t =agent{number}:\n"));
        loop {
            let up = self.say(&look).lines().filter(|line| *line == "session 1 up").count();
            if up == clones as usize + 1 {
                return begun.elapsed();
            }
            assert!(begun.elapsed() < Duration::from_secs(60), "only {up} are up");
        }
    }

    /// Makes one agent by an invocation of its own.
    pub(crate) fn spawn(&self, number: u32) {
        self.say(&self.creation(number));
    }

    fn creation(&self, number: u32) -> String {
        let mut line = format!("new-session -d -s agent{number} -x 200 -y 50");
        for word in self.agent.iter().map(String::as_str).chain(["begin"]) {
            write!(line, " \"{word}\"").unwrap();
        }
        line + "\n"
    }

    /// One invocation of tmux that carries out all lines.
    pub(crate) fn say(&self, lines: &str) -> String {
        let mut command = self.world.command("tmux");
        command.arg("-N").arg("-S").arg(&self.socket).args(["source-file", "-"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
        String::from_utf8_lossy(&child.wait_with_output().unwrap().stdout).into_owned()
    }
}
