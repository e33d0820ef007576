//! Servers and homes that were lost, moved, renamed or left behind, through the binary: nobody is made a second time.

use std::time::Duration;

use crate::constellation::{bot, demo};
use crate::support::world::signal;
use crate::support::{World, tree};

const SOON: Duration = Duration::from_secs(20);

#[test]
fn a_restart_takes_back_what_a_killed_one_had_begun_to_make() {
    let world = World::new();
    bot(&world, "echo 'session 1 up'; exec sleep 600");
    world.netsky(["up", "0"]).run().expect(0);
    let server = world.server_pid().unwrap();
    let mut child = world.netsky(["up", "60"]).start();
    world.wait("some are made", SOON, || (world.sessions().len() > 4).then_some(()));
    signal(server, "STOP");
    child.kill().unwrap();
    child.wait().unwrap();
    signal(server, "CONT");
    world.netsky(["restart", "60"]).run().expect(0);
    assert_eq!(world.sessions().len(), 61);
}

#[test]
fn agents_in_a_server_that_is_configured_no_more_are_not_made_a_second_time() {
    let world = World::new();
    let other = world.root().join("other.sock");
    let tmux = |words: &[&str]| {
        let mut tmux = std::process::Command::new("tmux");
        tmux.arg("-S").arg(&other).args(["-f", "/dev/null"]).args(words);
        world.call(tmux).without("NETSKY_HOME").run().expect(0)
    };
    tmux(&["new-session", "-d", "-s", "mine", "sleep 600"]);
    let there = |words: &[&str]| {
        world.netsky(words.iter().copied()).env("NETSKY_TMUX_SOCKET", other.clone().into_os_string()).run()
    };
    there(&["up", "1", "--agent", "demo"]).expect(0);
    for verb in [&["restart"][..], &["up"], &["down"], &["status"]] {
        let ran = world.netsky(verb.iter().copied()).run().expect(78);
        assert!(ran.stderr.contains("another tmux server"), "{verb:?}: {}", ran.stderr);
    }
    there(&["down"]).expect(0);
    world.netsky(["restart", "1", "--agent", "demo"]).run().expect(0);
    assert_eq!(world.sessions(), ["agent0", "agent1"]);
    tmux(&["kill-server"]);
}

#[test]
fn a_server_that_was_told_to_end_and_waits_for_a_hung_client_is_ended_by_the_next_command() {
    let world = demo(1);
    let server = world.server_pid().unwrap();
    let mut attach = std::process::Command::new("tmux");
    attach.arg("-S").arg(world.socket()).args(["-C", "attach-session", "-t", "=agent1"]);
    let mut client = attach
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let clients = || world.tmux(&["list-clients", "-F", "#{client_pid}"]).stdout;
    let pid = client.id().to_string();
    world.wait("it is attached", SOON, || clients().lines().any(|line| line == pid).then_some(()));
    signal(client.id().cast_signed(), "STOP");
    let mut down = world.netsky(["down"]).start();
    // In the end it waits for the server, and the server for its client.
    world.wait("the server turns away", SOON, || (world.tmux(&["list-sessions"]).code != 0).then_some(()));
    down.kill().unwrap();
    down.wait().unwrap();
    assert!(tree::is_alive(server));
    world.netsky(["status"]).run().expect(0);
    world.netsky(["up", "1", "--agent", "demo"]).run().expect(0);
    assert!(!tree::is_alive(server));
    client.kill().unwrap();
    client.wait().unwrap();
}

#[test]
fn agents_of_a_home_that_was_lost_are_not_made_a_second_time() {
    let world = demo(1);
    let server = world.server_pid().unwrap();
    let pids = ["agent0", "agent1"].map(|agent| world.pane_pid(agent));
    std::fs::remove_dir_all(&world.home).unwrap();
    world.netsky(["init"]).run().expect(0);
    world.netsky(["down"]).run().expect(78).says(&format!("kill -USR1 {server}"));
    let ran = world.netsky(["up", "1", "--agent", "demo"]).run().expect(78);
    assert!(ran.stderr.contains(&format!("kill -USR1 {server}")), "{}", ran.stderr);
    assert_eq!(tree::marked(&world.home).len(), 2);
    signal(server, "USR1");
    world.wait("the server has its socket again", SOON, || world.server_pid());
    world.netsky(["up", "1", "--agent", "demo"]).run().expect(0);
    assert_eq!(["agent0", "agent1"].map(|agent| world.pane_pid(agent)), pids);
}

#[test]
fn a_home_is_the_same_by_every_name() {
    let world = demo(1);
    let link = world.root().join("link");
    std::os::unix::fs::symlink(&world.home, &link).unwrap();
    let slashes = std::path::PathBuf::from(format!("{}//", world.home.display()));
    let pids = ["agent0", "agent1"].map(|agent| world.pane_pid(agent));
    for name in [slashes, link] {
        let called = |words: &[&str]| {
            world.netsky(words.iter().copied()).env("NETSKY_HOME", name.clone().into_os_string()).run()
        };
        called(&["status"]).expect(0);
        called(&["up"]).expect(0);
        assert_eq!(["agent0", "agent1"].map(|agent| world.pane_pid(agent)), pids);
    }
    let called = world.netsky(["down"]).env("NETSKY_HOME", world.root().join("link").into_os_string());
    called.run().expect(0);
    assert!(world.server_pid().is_none());
}

#[test]
fn what_an_agent_runs_under_another_tmux_server_is_spared() {
    let world = demo(0);
    let socket = world.root().join("other.sock");
    let tmux = |arguments: &[&str]| {
        let mut command = std::process::Command::new("tmux");
        command.arg("-f").arg("/dev/null").arg("-S").arg(&socket).args(arguments);
        world
            .call(command)
            .env("NETSKY_AGENT", "agent0")
            .env("NETSKY_GENERATION", "01ARZ3NDEKTSV4RRFFQ69G5FAV")
            .run()
    };
    tmux(&["new-session", "-d", "-s", "builds", "sleep 600"]).expect(0);
    let pid: i32 = tmux(&["list-panes", "-a", "-F", "#{pane_pid}"]).stdout.trim().parse().unwrap();
    assert!(tree::marked(&world.home).contains(&pid), "it carries the agent's marks");
    world.netsky(["restart", "0"]).run().expect(0);
    world.netsky(["down"]).run().expect(0);
    assert!(tree::is_alive(pid));
    tmux(&["kill-server"]);
}

#[test]
fn running_agents_are_not_forgotten_when_the_file_of_what_was_spawned_is_lost() {
    let world = demo(1);
    let before = world.pane_pid("agent0");
    std::fs::write(world.home.join("state/agents.json"), "{").unwrap();
    world.netsky(["up", "1"]).run().expect(0);
    assert_eq!((world.pane_pid("agent0"), world.state_of("agent0")), (before, "idle".to_owned()));
    world.netsky(["send", "agent0", "hello"]).run().expect(0);
    world.wait("the message is taken", SOON, || (world.envelopes()[2].len() == 1).then_some(()));
    // Nor is their server: it has its socket made again instead of getting a second one beside it.
    let server = world.server_pid();
    std::fs::remove_file(world.socket()).unwrap();
    world.netsky(["up", "1"]).run().expect(0);
    assert_eq!((world.server_pid(), world.pane_pid("agent0")), (server, before));
}
