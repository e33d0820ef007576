//! Rows of their own: where only one thing may come of it.

use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::super::complaint;
use super::super::verbs::places::{CONFIG, Place, TEXT, lie};
use crate::support::World;
use crate::support::world::Ran;
use crate::sweep::{Finding, Harm, Run};

/// One row.
pub struct Alone {
    pub name: &'static str,
    pub check: fn(&Run, &str) -> Vec<Finding>,
}

macro_rules! alone {
    ($name:literal, $check:expr) => {
        Alone { name: $name, check: $check }
    };
}

pub const ALL: &[Alone] = &[
    alone!("a closed standard input is no hand-over", |run, what| closed_input(
        run,
        &["restart", "--handoff", "-"],
        what
    )),
    alone!("a closed standard input is no text", |run, what| closed_input(
        run,
        &["handoff", "deliver", "-"],
        what
    )),
    alone!("a closed standard input is no message", |run, what| {
        closed_input(run, &["send", "agent0", "--file", "-"], what)
    }),
    alone!("a closed standard input is no draft", |run, what| {
        closed_input(run, &["handoff", "write", "--agent", "agent0", "-"], what)
    }),
    alone!("neither HOME nor NETSKY_HOME", |run, what| homeless(
        run,
        "unset HOME NETSKY_HOME",
        "NETSKY_HOME",
        what
    )),
    alone!("a HOME that cannot be written", |run, what| {
        homeless(run, "unset NETSKY_HOME; export HOME=/proc/nowhere", "/proc/nowhere", what)
    }),
    alone!("a relative NETSKY_HOME", |run, what| homeless(
        run,
        "export NETSKY_HOME=some/home",
        "absolute",
        what
    )),
    alone!("a relative NETSKY_HOME in a directory that is gone", |run, what| {
        homeless(run, "mkdir gone; cd gone; rmdir ../gone; export NETSKY_HOME=some/home", "absolute", what)
    }),
    alone!("a file by its name in a directory that is gone", gone_file),
    alone!("agents have the umask of who asked", umask_of_agents),
    alone!("what the caller has open stays with the caller: up", |run, what| foreign(run, "up", what)),
    alone!("what the caller has open stays with the caller: restart --detach", |run, what| {
        foreign(run, "restart --detach", what)
    }),
    alone!("what the caller has open stays with the caller: down", |run, what| foreign(run, "down", what)),
];

fn shell(world: &World, run: &Run, script: &str, arguments: &[&str]) -> Ran {
    let mut command = Command::new("sh");
    command.args(["-c", script]).arg(run.netsky()).args(arguments);
    world.call(command).run()
}

fn still(run: &Run) -> World {
    Place::Still.build(run.world())
}

fn failed_with(ran: &Ran, code: i32, words: &str, what: &str) -> Vec<Finding> {
    let mut found = complaint::findings(ran, what);
    if ran.code == 0 {
        found.extend(lie(what, &format!("{ran:?}")));
    } else if ran.code != code || !ran.stderr.contains(words) {
        found.push((Harm::Other, format!("{what}: expected {code} and {words:?}, got {ran:?}")));
    }
    found
}

fn closed_input(run: &Run, arguments: &[&str], what: &str) -> Vec<Finding> {
    failed_with(&shell(&still(run), run, r#"exec "$0" "$@" <&-"#, arguments), 1, "it is closed", what)
}

/// Every verb says it, and nothing is made anywhere.
fn homeless(run: &Run, script: &str, words: &str, what: &str) -> Vec<Finding> {
    let world = run.world();
    let script = format!("{script}; exec \"$0\" \"$@\"");
    let verbs: [&[&str]; 7] = [
        &["status"],
        &["restart"],
        &["up"],
        &["history"],
        &["handoff", "list"],
        &["send", "agent0", TEXT],
        &["inbox", "next"],
    ];
    let mut found: Vec<Finding> = verbs
        .iter()
        .flat_map(|verb| {
            failed_with(&shell(&world, run, &script, verb), 78, words, &format!("{what}: {verb:?}"))
        })
        .collect();
    let made: Vec<_> =
        [&world.work, &world.user].iter().flat_map(|dir| fs::read_dir(dir).unwrap().flatten()).collect();
    if !made.is_empty() {
        found.push((Harm::Other, format!("{what}: it made {made:?}")));
    }
    found
}

fn gone_file(run: &Run, what: &str) -> Vec<Finding> {
    let script = r#"mkdir gone; cd gone; rmdir ../gone; exec "$0" "$@""#;
    failed_with(&shell(&still(run), run, script, &["handoff", "deliver", "note.md"]), 1, "note.md", what)
}

fn umask_of_agents(run: &Run, what: &str) -> Vec<Finding> {
    let world = run.world();
    // Not the demo agent, which is netsky.
    world.configure(&format!("{CONFIG}[profile.plain]\ncommand = [\"sh\", \"-c\", \"exec sleep 1000\"]\n"));
    let arguments = ["up", "0", "--agent", "plain", "--no-wait"];
    shell(&world, run, r#"umask 013; exec "$0" "$@""#, &arguments).expect(0);
    let status = world.wait("agent0 sleeps", Duration::from_secs(10), || {
        let status = fs::read_to_string(format!("/proc/{}/status", world.pane_pid("agent0"))).ok()?;
        status.contains("sleep").then_some(status)
    });
    if status.lines().any(|line| line.split_whitespace().eq(["Umask:", "0013"])) {
        return Vec::new();
    }
    vec![(Harm::Other, format!("{what}: {}", status.replace('\n', ", ")))]
}

/// Whoever reads the other end of what the caller had open hears its end when the verb has returned, although agents, a
/// tmux server or a supervisor live on.
fn foreign(run: &Run, verb: &str, what: &str) -> Vec<Finding> {
    let world = run.world();
    world.configure(CONFIG);
    if verb != "up" {
        world.netsky(["up", "0"]).run().expect(0);
    }
    let (mut reader, writer) = std::io::pipe().unwrap();
    // Standard error is passed on by the shell under other numbers, as the caller's own descriptors are.
    let mut command = Command::new("sh");
    let script = format!(r#"exec 7>&1 9>&1 >/dev/null; "$0" {verb}"#);
    command.args(["-c", &script]).arg(run.netsky()).env_clear().envs(&world.environment);
    command.current_dir(&world.work).stdin(std::process::Stdio::null()).stdout(writer);
    let mut child = command.stderr(std::process::Stdio::null()).spawn().unwrap();
    drop(command);
    let code = child.wait().unwrap().code();
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || sender.send(reader.read(&mut [0]).unwrap()));
    match (code, receiver.recv_timeout(Duration::from_secs(5))) {
        (Some(0), Ok(0)) => Vec::new(),
        (code, end) => vec![(
            Harm::Other,
            format!("{what}: exit {code:?}, and who has it open: {}", holders(&world.home, end.is_err())),
        )],
    }
}

/// Processes of this home, if the end was not heard.
fn holders(home: &Path, asks: bool) -> String {
    if asks { format!("{:?}", crate::support::tree::marked(home)) } else { "nobody".to_owned() }
}
