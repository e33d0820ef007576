//! What a hook needs and does not find: locks, readers, directories, its netsky.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::time::Duration;

use super::{Agent, Point};
use crate::support::world::wait;
use crate::sweep::Harm;

pub(super) const POINTS: &[Point] = &[
    ("a lock that somebody holds", locked),
    ("a lock that is taken while it prints", locked_late),
    ("a standard output that nobody reads", unread),
    ("a reader that has left", left),
    ("a standard output that is full", full),
    ("a FIFO in the place of its log", a_fifo_as_log),
    ("a FIFO in the place of its lock", a_fifo_as_lock),
    ("a home that is gone", home_gone),
    ("a directory that is gone", directory_gone),
    ("files that are broken", broken_files),
    ("no netsky to call", missing),
    ("nowhere to write", unwritable),
];

const STOP: &[u8] = br#"{"session_id":"s3","last_assistant_message":"well"}"#;
const PROMPT: &[u8] = br#"{"prompt":"x"}"#;

fn lock(agent: &Agent) -> fs::File {
    let path = agent.world.home.join("state/beacons/agent0.lock");
    let file = OpenOptions::new().write(true).create(true).truncate(false).open(path).unwrap();
    file.lock().unwrap();
    file
}

fn locked(agent: &Agent) {
    let before = agent.beacon();
    let held = lock(agent);
    agent.tells("UserPromptSubmit", PROMPT);
    agent.must(agent.beacon() == before, Harm::Torn, "it wrote without its lock");
    drop(held);
    agent.tells("Stop", STOP);
    agent.must_note("Stop");
}

/// The agent's standard output is a pipe without room, so that the hook waits there; meanwhile the lock is taken. A
/// message that was not remembered as shown is shown again.
fn locked_late(agent: &Agent) {
    agent.world.netsky(["send", "agent0", "read me"]).run().expect(0);
    agent.puppet.file("report", br#"{"source":"startup"}"#);
    let begun = std::time::Instant::now();
    agent.puppet.begins(&format!(
        "mkfifo -m 600 full; exec 8<>full; head -c 65536 /dev/zero >&8; {:?} hook SessionStart <report >&8 & wait $!",
        agent.world.program
    ));
    wait(Duration::from_secs(5), &mut || (agent.beacon()["event"] == "SessionStart").then_some(()));
    let held = lock(agent);
    let mut drain = Command::new("head");
    drain
        .args(["-c", "65536"])
        .stdin(OpenOptions::new().read(true).write(true).open(agent.puppet.dir().join("full")).unwrap());
    drain.output().unwrap();
    let ended = agent.puppet.ends(Duration::from_secs(20));
    let took = begun.elapsed();
    agent.must(
        ended == Some(0) && took < super::LIMIT + super::MARGIN,
        Harm::Other,
        format!("{ended:?} after {took:?}"),
    );
    drop(held);
    agent.puppet.runs("exec 8>&-");
    let printed = agent.tells("SessionStart", br#"{"source":"startup"}"#);
    agent.must(printed.contains("# Briefing"), Harm::Lost, "it is not briefed again");
}

/// The hook gives up within its limit, and what nobody read is shown again.
fn unread(agent: &Agent) {
    agent.world.netsky(["send", "agent0", "read me"]).run().expect(0);
    agent.puppet.file("report", PROMPT);
    agent.calls("mkfifo -m 600 full; exec 8<>full; head -c 65536 /dev/zero >&8; \"$NETSKY\" hook UserPromptSubmit <report >&8; exec 8>&-");
    shown_again(agent);
}

fn left(agent: &Agent) {
    agent.world.netsky(["send", "agent0", "read me"]).run().expect(0);
    agent.puppet.file("report", PROMPT);
    // The reader is gone before the hook has read its report.
    agent.calls("{ sleep 0.3; cat report; } | \"$NETSKY\" hook UserPromptSubmit | true");
    shown_again(agent);
}

fn full(agent: &Agent) {
    agent.world.netsky(["send", "agent0", "read me"]).run().expect(0);
    agent.puppet.file("report", PROMPT);
    agent.calls("\"$NETSKY\" hook UserPromptSubmit <report >/dev/full");
    shown_again(agent);
}

fn shown_again(agent: &Agent) {
    let [new, ..] = agent.world.envelopes();
    agent.must(new.len() == 1, Harm::Lost, "a message that nobody read counts as shown");
    // Nor does the end of the turn mark it taken.
    agent.tells("Stop", STOP);
    let [_, _, taken] = agent.world.envelopes();
    agent.must(taken.is_empty(), Harm::Lost, "a message that nobody read counts as taken");
    let printed = agent.tells("UserPromptSubmit", PROMPT);
    agent.must(printed.contains("read me"), Harm::Lost, format!("it is not shown again: {printed}"));
    agent.tells("Stop", STOP);
    let [_, _, taken] = agent.world.envelopes();
    agent.must(taken.len() == 1, Harm::Lost, "what was read is not taken");
}

fn fifo(agent: &Agent, name: &str) -> std::path::PathBuf {
    let path = agent.world.home.join(name);
    if path.exists() {
        fs::remove_file(&path).unwrap();
    }
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    path
}

fn a_fifo_as_log(agent: &Agent) {
    let path = fifo(agent, "log/events.jsonl");
    agent.tells("Stop", b"garbage, so that there is something to log");
    agent.tells("Stop", STOP);
    agent.must_note("Stop");
    fs::remove_file(path).unwrap();
}

fn a_fifo_as_lock(agent: &Agent) {
    let before = agent.beacon();
    let path = fifo(agent, "state/beacons/agent0.lock");
    agent.tells("UserPromptSubmit", PROMPT);
    agent.must(agent.beacon() == before, Harm::Torn, "it wrote without its lock");
    fs::remove_file(path).unwrap();
    agent.tells("Stop", STOP);
    agent.must_note("Stop");
}

fn home_gone(agent: &Agent) {
    agent.puppet.file("report", STOP);
    let aside = agent.world.home.with_extension("aside");
    fs::rename(&agent.world.home, &aside).unwrap();
    agent.calls("\"$NETSKY\" hook Stop <report 2>/dev/null");
    agent.must(!agent.world.home.exists(), Harm::Other, "a home was made");
    fs::rename(&aside, &agent.world.home).unwrap();
    for marks in ["-u HOME", "-u PATH", "-i", "HOME=/nowhere"] {
        agent.calls(&format!("env {marks} \"$NETSKY\" hook Stop <report"));
    }
    agent.tells("Stop", STOP);
    agent.must_note("Stop");
}

fn directory_gone(agent: &Agent) {
    agent.puppet.file("report", STOP);
    agent.tells("UserPromptSubmit", PROMPT);
    agent.calls("mkdir gone; (cd gone; rmdir ../gone; \"$NETSKY\" hook Stop <\"$1/report\" || exit 1)");
    agent.must_note("Stop");
}

/// What cannot be understood is moved aside or left; the agent does not hear of it.
fn broken_files(agent: &Agent) {
    for (name, is_believed) in [
        ("state/beacons/agent0.json", true),
        ("state/prompts/agent0.hook.json", false),
        ("state/agents.json", false),
    ] {
        let path = agent.world.home.join(name);
        let before = fs::read(&path).unwrap();
        for broken in [b"".as_slice(), b"{", &[0; 100], b"{\"version\":99}"] {
            fs::write(&path, broken).unwrap();
            agent.tells("UserPromptSubmit", PROMPT);
            let noted = agent.beacon()["event"] == "UserPromptSubmit";
            agent.must(
                noted == is_believed,
                Harm::Other,
                format!("{name} as {broken:?}: {}", agent.beacon()),
            );
            fs::write(&path, &before).unwrap();
            agent.tells("Stop", STOP);
            agent.must_note("Stop");
        }
    }
}

/// Without a netsky to call the agent comes up all the same, by its screen, and is sent to.
fn missing(agent: &Agent) {
    let own = agent.world.root().join("own");
    fs::create_dir(&own).unwrap();
    let program = own.join("netsky");
    assert!(Command::new("cp").arg(&agent.world.program).arg(&program).status().unwrap().success());
    let text = fs::read_to_string(agent.world.home.join("config.toml")).unwrap();
    let profile = format!(
        "[profile.orphaned]\nbase = \"demo\"\ncommand = [{program:?}, \"demo-agent\", \"--trusted\", \"--think\", \"700ms\"]\n"
    );
    agent.world.configure(&format!("{text}{profile}"));
    let child = agent.world.netsky(["restart", "agent1", "--agent", "orphaned"]).start();
    wait(Duration::from_secs(10), &mut || {
        fs::read_to_string(agent.world.home.join("state/beacons/agent1.json"))
            .ok()
            .filter(|text| text.contains("Start"))
    });
    fs::remove_file(&program).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    agent.must(output.status.code() == Some(0), Harm::Other, said);
    agent.must(agent.world.state_of("agent1") != "exited", Harm::Other, agent.world.state_of("agent1"));
}

fn unwritable(agent: &Agent) {
    let beacons = agent.world.home.join("state/beacons");
    let aside = agent.world.home.join("state/aside");
    fs::rename(&beacons, &aside).unwrap();
    agent.tells("Stop", STOP);
    fs::write(&beacons, "a file").unwrap();
    agent.tells("Stop", STOP);
    fs::remove_file(&beacons).unwrap();
    fs::rename(&aside, &beacons).unwrap();
    fs::set_permissions(&beacons, fs::Permissions::from_mode(0o700)).unwrap();
    agent.tells("Stop", STOP);
    agent.must_note("Stop");
}
