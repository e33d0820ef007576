//! One client of netsky's that gets to the wrong server or to none, or whose answer is lost: each client of each verb.

use std::process::Command;
use std::time::Duration;

use crate::bot;
use crate::held;
use crate::recovery;
use crate::sampler::Sampler;
use crate::stand_in::{At, StandIn, wait_closely};
use crate::support::World;
use crate::support::tree;
use crate::support::world::{self, signal};
use crate::sweep::{Finding, Harm, Run, Tally, Trial};

const TEXT: &str = "do not lose me";

/// What becomes of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// Somebody else's server listens at the socket's path.
    Taken,
    /// The socket is unlinked.
    Unlinked,
    /// Its connection is refused.
    Refused,
    /// It does nothing and says nothing.
    Idle,
    /// It does what it should and dies before it says so.
    Killed,
    /// Only the beginning of what it says arrives.
    CutShort,
}

const FATES: [Fate; 6] =
    [Fate::Taken, Fate::Unlinked, Fate::Refused, Fate::Idle, Fate::Killed, Fate::CutShort];

const VERBS: [&[&str]; 7] = [
    &["restart", "1", "--handoff", "note.md"],
    &["restart", "agent1"],
    &["up", "2"],
    &["down"],
    &["down", "agent1"],
    &["send", "agent0", "hello"],
    &["logs", "agent0"],
];

#[derive(Debug, Clone, Copy)]
struct Point {
    verb: &'static [&'static str],
    client: usize,
    fate: Fate,
}

const ENDS_WITHIN: Duration = Duration::from_secs(60);

pub fn run(run: &Run) -> Tally {
    let points: Vec<Point> = VERBS.iter().flat_map(|verb| points(run, verb)).collect();
    let sampler = Sampler::start();
    run.points(&points, 24, 4, |point| attempt(run, *point, &sampler))
}

fn prepared(run: &Run) -> (World, StandIn) {
    let mut world = run.world();
    let stand_in = StandIn::before(&mut world);
    bot::prompt(&world, &bot::patient());
    world.netsky(["up", "1"]).run().expect(0);
    bot::prompt(&world, &bot::limits(Duration::from_secs(1)));
    world.write("note.md", TEXT);
    (world, stand_in)
}

fn points(run: &Run, verb: &'static [&'static str]) -> Vec<Point> {
    let (world, stand_in) = prepared(run);
    stand_in.count();
    world.netsky(verb.iter().copied()).run().expect(0);
    let clients = 0..stand_in.counted().len();
    // One client meets one half of the fates, the next one the other.
    let meets = |client: usize| {
        FATES.into_iter().enumerate().filter(move |(nth, _)| (client + nth).is_multiple_of(2))
    };
    clients.flat_map(|client| meets(client).map(move |(_, fate)| Point { verb, client, fate })).collect()
}

fn attempt(run: &Run, point: Point, sampler: &Sampler) -> Trial {
    let Point { verb, client, fate } = point;
    let what = format!("{verb:?}: client {client} {fate:?}");
    let (world, stand_in) = prepared(run);
    let own = world.server_pid().unwrap();
    let (code, said, foreign) = suffered(&world, &stand_in, point);
    let came = stand_in.has_reached(client);
    let mut found = Vec::new();
    if ![Some(0), Some(1), Some(3), Some(69), Some(78)].contains(&code) || said.contains("panicked") {
        found.push((Harm::Other, format!("{what}: {code:?} {said}")));
    }
    if let Some(foreign) = foreign {
        found.extend(foreign.harm(&world, &what, code, &said));
        held::kill(foreign.pid);
        signal(own, "USR1");
        world::wait(Duration::from_secs(5), &mut || {
            (!tree::is_alive(own) || world.server_pid() == Some(own)).then_some(())
        });
    }
    bot::prompt(&world, &bot::patient());
    let servers = tree::servers(&world.socket());
    if servers.iter().filter(|pid| tree::is_alive(**pid)).count() > 1 {
        found.push((Harm::Doubled, format!("{what}: servers {servers:?}: {code:?} {said}")));
    }
    if code == Some(0) && matches!(verb[0], "restart" | "up") {
        // A server without its socket makes it again when it is looked at.
        world.netsky(["status"]).run();
        found.extend(missing(&world, Harm::FalseSuccess, &format!("{what}: {said}")));
    }
    found.extend(recovered(&world, verb, code, &what, &said));
    found.extend(sampler.findings(&world.home, &what));
    Trial { came, findings: found }
}

/// Has the verb meet its fate; its exit code, what it said, and the server that took the socket.
fn suffered(world: &World, stand_in: &StandIn, point: Point) -> (Option<i32>, String, Option<Foreign>) {
    let Point { verb, client, fate } = point;
    let at = At { client, sends: 0 };
    match fate {
        Fate::Refused => stand_in.inject(client, "connect:error=ECONNREFUSED"),
        Fate::Unlinked | Fate::Taken => stand_in.hold(at),
        Fate::Idle => stand_in.instead(client, "exit 0"),
        Fate::Killed => stand_in.instead(client, "\"$real\" \"$@\" >/dev/null; kill -9 $$"),
        Fate::CutShort => stand_in.instead(client, "\"$real\" \"$@\" | head -c 90; exit 0"),
    }
    let mut child = world.netsky(verb.iter().copied()).start();
    let mut foreign = None;
    if matches!(fate, Fate::Unlinked | Fate::Taken)
        && let Some(held) = stand_in.wait_for_held(at, || child.try_wait().unwrap().is_some())
    {
        stand_in.disarm();
        std::fs::remove_file(world.socket()).unwrap();
        foreign = (fate == Fate::Taken).then(|| Foreign::start(world));
        drop(held);
    }
    if wait_closely(ENDS_WITHIN, &mut || child.try_wait().unwrap()).is_none() {
        child.kill().unwrap();
    }
    let output = child.wait_with_output().unwrap();
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned(), foreign)
}

/// The next command works, on the one server.
fn recovered(world: &World, verb: &[&str], code: Option<i32>, what: &str, said: &str) -> Vec<Finding> {
    let mut found = Vec::new();
    if verb == ["down"] {
        if code == Some(0) && !tree::marked(&world.home).is_empty() {
            found.push((Harm::FalseSuccess, format!("{what}: down, and agents live: {said}")));
        }
        let again = world.netsky(["down"]).run();
        if again.code != 0 || !tree::marked(&world.home).is_empty() {
            found.push((Harm::Other, format!("{what}: then down: {} {}", again.code, again.stderr)));
        }
        return found;
    }
    let again = world.netsky(["up", "1"]).run();
    if again.code != 0 {
        found.push((Harm::Other, format!("{what}: then up: {} {}", again.code, again.stderr)));
    }
    found.extend(missing(world, Harm::Lost, &format!("{what}: then up")));
    // One that failed in its preflight keeps what it claimed for the agent0 that comes next.
    found.extend(recovery::next_agent0(world, what));
    if verb.contains(&"--handoff") {
        found.extend(recovery::hand_over(world, &world.work.join("note.md"), TEXT, what));
    }
    found.extend(recovery::records(world, what));
    found.extend(recovery::generations(world, what));
    found
}

/// The agents that should be there and are not.
fn missing(world: &World, harm: Harm, what: &str) -> Option<Finding> {
    let sessions = world.sessions();
    let is_there = |name: &&str| sessions.iter().any(|session| session == name);
    (!["agent0", "agent1"].iter().all(is_there)).then(|| (harm, format!("{what}: there is {sessions:?}")))
}

/// Somebody else's server at the path of ours, with sessions that have our ids and names.
struct Foreign {
    pid: i32,
    before: String,
}

impl Foreign {
    fn start(world: &World) -> Self {
        for (number, name) in ["agent0", "agent1", "work", "agent2"].iter().enumerate() {
            let mut command = Command::new("tmux");
            command.arg("-S").arg(world.socket());
            if number == 0 {
                command.args(["-f", "/dev/null"]);
            }
            command.args(["new-session", "-d", "-s", name, "sleep 600"]);
            world.call(command).without("NETSKY_HOME").run().expect(0);
        }
        Self { pid: world.server_pid().unwrap(), before: listed(world) }
    }

    /// It is as it was, and nothing was done in it.
    fn harm(&self, world: &World, what: &str, code: Option<i32>, said: &str) -> Vec<Finding> {
        let now = listed(world);
        if now == self.before && world.server_pid() == Some(self.pid) {
            return Vec::new();
        }
        vec![(Harm::Other, format!("{what}: {code:?}: it was\n{}and is\n{now}{said}", self.before))]
    }
}

fn listed(world: &World) -> String {
    let format =
        "#{session_id} #{session_name} #{pane_id} #{pane_pid} #{pane_dead} #{history_size} #{cursor_x}";
    world.tmux(&["list-panes", "-a", "-F", format]).stdout
}
