//! Those who are none of netsky's business and look as if they were: the user's own tmux server with sessions of our
//! agents' names, and processes whose environment is nearly an agent's. Ended when dropped.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::census::Process;
use crate::support::World;
use crate::support::world::{signal, wait};

/// A generation that nobody ever spawned.
pub const STRANGE_GENERATION: &str = "01ARZ3NDEKTSV4RRFFQ69G5FAV";

pub struct Bystanders {
    /// Where the user's own server has its socket.
    tmux_dir: PathBuf,
    /// The server, the processes of its panes, and the rest.
    processes: Vec<(String, Process)>,
    children: Vec<Child>,
    /// What the server said of itself at first.
    listing: String,
}

/// Sessions, and the processes of their panes.
const LIST: [&str; 4] =
    ["list-panes", "-a", "-F", "#{session_id} #{session_name} #{session_created} #{pane_id} #{pane_pid}"];

impl Bystanders {
    /// Puts them there, and has the whole world run as if in a session of the user's own server.
    pub fn around(world: &mut World) -> Self {
        let tmux_dir = world.root().join("t");
        fs::create_dir(&tmux_dir).unwrap();
        world.set("TMUX_TMPDIR", &tmux_dir);
        let mut around =
            Self { tmux_dir, processes: Vec::new(), children: Vec::new(), listing: String::new() };
        for agent in ["agent0", "agent1", "work"] {
            let made = around.tmux(&["new-session", "-d", "-s", agent, "sleep 10000"]);
            assert!(made.is_some(), "the user's own tmux server does not start");
        }
        let server = around.tmux(&["display-message", "-p", "#{pid} #{socket_path}"]).unwrap();
        let (pid, socket) = server.trim().split_once(' ').unwrap();
        world.set("TMUX", format!("{socket},{pid},0"));
        around.listing = around.tmux(&LIST).unwrap();
        let panes = around.listing.lines().map(|line| line.rsplit_once(' ').unwrap().1.to_owned());
        for (what, pid) in std::iter::once(("the user's tmux server", pid.to_owned()))
            .chain(panes.map(|pid| ("a pane of the user's server", pid)))
        {
            around.processes.push((what.to_owned(), alive(pid.parse().unwrap())));
        }
        let home = world.home.display();
        for environment in [
            // A home whose name begins as ours does.
            vec![("NETSKY_HOME", format!("{home}2")), ("NETSKY_AGENT", "agent0".to_owned())],
            // A shell of a person's who speaks of our home.
            vec![("NETSKY_HOME", home.to_string())],
            // What other tools might call theirs.
            vec![("NETSKY_HOME", home.to_string()), ("NETSKY_AGENT", "agent0-notes".to_owned())],
        ] {
            around.start(environment);
        }
        around
    }

    fn start(&mut self, environment: Vec<(&str, String)>) {
        let mut command = Command::new("sleep");
        command.arg("10000").env_clear().envs(environment.iter().map(|(name, value)| (name, value)));
        command.env("NETSKY_GENERATION", STRANGE_GENERATION).process_group(0).stdin(Stdio::null());
        let child = command.spawn().unwrap();
        let pid = child.id().cast_signed();
        self.children.push(child);
        self.processes.push((format!("a bystander with {environment:?}"), alive(pid)));
    }

    fn tmux(&self, arguments: &[&str]) -> Option<String> {
        let mut command = Command::new("tmux");
        command.args(arguments).env_clear().env("TMUX_TMPDIR", &self.tmux_dir).env("LANG", "C.UTF-8");
        command.envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
        let output = command.stdin(Stdio::null()).output().unwrap();
        output.status.success().then(|| String::from_utf8(output.stdout).unwrap())
    }

    /// Who is gone.
    pub fn gone(&self) -> Vec<String> {
        let gone = self.processes.iter().filter(|(_, process)| !process.lives());
        gone.map(|(what, process)| format!("{what} (process {}) is gone", process.pid)).collect()
    }

    /// What is different in the user's own server.
    pub fn difference(&self) -> Option<String> {
        let now = self.tmux(&LIST);
        (now.as_ref() != Some(&self.listing)).then(|| format!("{:?} became {now:?}", self.listing))
    }

    pub fn are(&self, process: Process) -> bool {
        self.processes.iter().any(|(_, known)| *known == process)
    }

    /// Ends the session `work` of the user's own server.
    pub fn end_one(&self) {
        self.tmux(&["kill-session", "-t", "=work"]).unwrap();
    }
}

fn alive(pid: i32) -> Process {
    wait(Duration::from_secs(5), &mut || Process::of(pid)).expect("it ended at once")
}

impl Drop for Bystanders {
    fn drop(&mut self) {
        for (_, process) in self.processes.iter().filter(|(_, process)| process.lives()) {
            signal(process.pid, "KILL");
        }
        for child in &mut self.children {
            // Killed above, or gone before.
            child.wait().unwrap();
        }
    }
}
