//! What lives beside the constellation: the user's own tmux, and agents whose names begin alike.

use std::process::Command;

use crate::bot;
use crate::held;
use crate::support::{World, tree};
use crate::sweep::{Finding, Harm, Run, Tally};

/// Who lives beside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Neighbour {
    /// The user's own server; netsky is called from within it.
    UsersTmux,
    /// agent10 and agent11, where agent1 is dead.
    Namesakes,
}

const BESIDE_TMUX: [&[&str]; 13] = [
    &["up", "2"],
    &["status"],
    &["restart", "1", "--handoff", "note.md"],
    &["restart", "agent1"],
    &["restart", "--detach"],
    &["down"],
    &["down", "agent0"],
    &["send", "all", "hello"],
    &["logs", "agent0"],
    &["history"],
    &["handoff", "deliver", "note.md"],
    &["inbox", "list"],
    &["attach", "agent9"],
];

const ABOUT_AGENT1: [&[&str]; 9] = [
    &["down", "agent1"],
    &["restart", "agent1"],
    &["up", "agent1"],
    &["up", "1"],
    &["logs", "agent1"],
    &["attach", "agent1"],
    &["send", "agent1", "hello"],
    &["status"],
    &["handoff", "deliver", "note.md"],
];

pub fn run(run: &Run) -> Tally {
    let points: Vec<(Neighbour, &[&str])> = BESIDE_TMUX
        .iter()
        .map(|verb| (Neighbour::UsersTmux, *verb))
        .chain(ABOUT_AGENT1.iter().map(|verb| (Neighbour::Namesakes, *verb)))
        .collect();
    run.points(&points, 8, 3, |(neighbour, verb)| match neighbour {
        Neighbour::UsersTmux => beside_users_tmux(run, verb),
        Neighbour::Namesakes => beside_namesakes(run, verb),
    })
}

fn demo(run: &Run) -> World {
    let world = run.world();
    world.configure(&format!("[constellation]\nagent = \"demo\"\nroot_agent = \"demo\"\n{}", bot::patient()));
    world
}

fn beside_users_tmux(run: &Run, verb: &[&str]) -> Vec<Finding> {
    let what = format!("{verb:?} from within the user's own tmux");
    let mut world = demo(run);
    let users = UsersTmux::start(&world);
    // A caller in one of its panes.
    world.set("TMUX", format!("{},{},0", users.socket.display(), users.pid));
    world.set("TMUX_PANE", "%0");
    world.netsky(["up", "1", "--agent", "demo"]).run().expect(0);
    world.write("note.md", "the note");
    let before = users.listed(&world);
    world.netsky(verb.iter().copied()).run();
    if verb.contains(&"--detach") {
        world.wait("the detached restart ends", std::time::Duration::from_secs(20), || {
            world.records().last().filter(|record| record["phase"] == "complete").map(drop)
        });
    }
    world.netsky(["down"]).run().expect(0);
    let now = users.listed(&world);
    match now == before {
        true => Vec::new(),
        false => vec![(Harm::Other, format!("{what}: it was\n{before}and is\n{now}"))],
    }
}

/// A server of the user's, at their default socket, with sessions that are called like agents.
struct UsersTmux {
    socket: std::path::PathBuf,
    pid: i32,
}

impl Drop for UsersTmux {
    fn drop(&mut self) {
        if self.pid != 0 {
            held::kill(self.pid);
        }
    }
}

impl UsersTmux {
    fn start(world: &World) -> Self {
        let socket = world.root().join("users.sock");
        let mut users = Self { socket, pid: 0 };
        for name in ["agent0", "agent1", "work"] {
            users.tmux(world, &["-f", "/dev/null", "new-session", "-d", "-s", name, "sleep 600"]);
        }
        users.pid = users.tmux(world, &["display-message", "-p", "#{pid}"]).trim().parse().unwrap();
        users
    }

    fn tmux(&self, world: &World, arguments: &[&str]) -> String {
        let mut command = Command::new("tmux");
        command.arg("-S").arg(&self.socket).args(arguments);
        world.call(command).without("NETSKY_HOME").without("TMUX").run().expect(0).stdout
    }

    fn listed(&self, world: &World) -> String {
        let windows =
            "#{session_id} #{session_name} #{window_id} #{pane_id} #{pane_pid} #{history_size} #{cursor_x}";
        let sessions = self.tmux(world, &["list-sessions"]);
        let panes = self.tmux(world, &["list-panes", "-a", "-F", windows]);
        let options = self.tmux(world, &["show-options", "-g"]);
        format!("{sessions}{panes}{options}")
    }
}

fn beside_namesakes(run: &Run, verb: &[&str]) -> Vec<Finding> {
    let what = format!("{verb:?} beside agent10, with agent1 dead");
    let world = demo(run);
    world.netsky(["up", "agent0", "agent1", "agent10", "agent11", "--agent", "demo"]).run().expect(0);
    world.write("note.md", "the note");
    let agent1 = world.pane_pid("agent1");
    held::kill(agent1);
    let seen = |name: &str| {
        let status = world.status();
        let agents = status["agents"].as_array().unwrap().clone();
        let agent = agents.into_iter().find(|agent| agent["name"] == name).unwrap_or_default();
        (world.pane_pid(name), agent["generation"].clone(), world.screen(name))
    };
    let before = ["agent10", "agent11"].map(seen);
    world.netsky(verb.iter().copied()).run();
    let now = ["agent10", "agent11"].map(seen);
    let mut found = Vec::new();
    if before != now {
        found.push((Harm::Other, format!("{what}: it was {before:?} and is {now:?}")));
    }
    if ["agent10", "agent11"].iter().any(|name| world.home.join("inbox").join(name).exists()) {
        found.push((Harm::Other, format!("{what}: they have got mail")));
    }
    world.netsky(["down"]).run().expect(0);
    if !tree::marked(&world.home).is_empty() {
        found.push((Harm::Other, format!("{what}: down leaves {:?}", tree::marked(&world.home))));
    }
    found
}
