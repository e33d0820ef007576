//! Faults that a hostile reader found: each was seen to go wrong before it was mended.

use std::process::Command;
use std::time::Duration;

use crate::support::world::{NETSKY, signal};
use crate::support::{World, tree};

fn demo(clones: u32) -> World {
    let world = World::new();
    world.netsky(["up", &clones.to_string(), "--agent", "demo"]).run().expect(0);
    world
}

/// netsky below a limit of the shell's.
fn limited(world: &World, limit: &str, arguments: &str) -> crate::support::world::Ran {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("ulimit {limit}; exec {NETSKY} {arguments}")]);
    world.call(command).run()
}

#[test]
fn a_second_server_on_the_socket_is_refused_and_no_agent_lives_twice() {
    let world = demo(1);
    let (own, agent) = (world.server_pid().unwrap(), world.pane_pid("agent0"));
    std::fs::remove_file(world.socket()).unwrap();
    let mut second = Command::new("tmux");
    second.arg("-S").arg(world.socket()).args([
        "-f",
        "/dev/null",
        "new-session",
        "-d",
        "-s",
        "foo",
        "sleep 600",
    ]);
    world.call(second).run().expect(0);
    let other = world.server_pid().unwrap();
    assert_ne!(own, other);
    for verb in ["up", "restart", "down", "status"] {
        world.netsky([verb]).run().expect(78).says(&format!("kill -USR1 {own}"));
    }
    assert_eq!(world.sessions(), ["foo"]);
    assert!(tree::is_alive(agent));
    // The hint works as it is printed.
    signal(own, "USR1");
    world.wait("the server takes its socket back", Duration::from_secs(5), || {
        (world.server_pid() == Some(own)).then_some(())
    });
    world.netsky(["up"]).run().expect(0).says("left alone what runs: agent0, agent1");
    assert_eq!(world.pane_pid("agent0"), agent);
    signal(other, "KILL");
}

#[test]
fn what_was_taken_down_alone_stays_down_until_it_is_asked_for() {
    let world = demo(3);
    world.netsky(["down", "agent2"]).run().expect(0);
    world.netsky(["up"]).run().expect(0);
    assert_eq!(world.sessions(), ["agent0", "agent1", "agent3"]);
    world.netsky(["restart"]).run().expect(0);
    assert_eq!(world.sessions(), ["agent0", "agent1", "agent3"]);
    world.netsky(["restart", "--detach"]).run().expect(0);
    world.wait("the detached restart ends", Duration::from_secs(20), || {
        (world.records().len() == 2 && world.record()["phase"] == "complete").then_some(())
    });
    assert_eq!(world.sessions(), ["agent0", "agent1", "agent3"]);
    world.netsky(["up", "3"]).run().expect(0);
    assert_eq!(world.sessions().len(), 4);
}

#[test]
fn a_dry_run_does_not_even_make_the_home() {
    let world = World::new();
    for verb in ["up", "restart"] {
        world.netsky([verb, "1", "--agent", "demo", "--dry-run"]).run().expect(0).prints("start  agent1");
        assert!(!world.home.exists(), "{verb}");
    }
}

#[test]
fn a_limit_on_file_size_is_an_error_and_no_death() {
    let world = demo(0);
    let note = world.write("note.md", "x".repeat(64 << 10));
    let agent = world.pane_pid("agent0");
    // 512-byte blocks in a POSIX shell, kilobytes in others.
    limited(&world, "-f 1", &format!("restart --handoff {}", note.display()))
        .expect(1)
        .says("File too large");
    assert_eq!(world.pane_pid("agent0"), agent);
    world
        .netsky(["restart", "--handoff"].into_iter().map(Into::into).chain([note.into_os_string()]))
        .run()
        .expect(0);
}

#[test]
fn without_file_descriptors_no_child_is_left_behind() {
    let world = demo(0);
    for most in 6..24 {
        limited(&world, &format!("-n {most}"), "status");
    }
    let strays = tree::naming(&world.socket(), "source-file");
    assert_eq!(strays, Vec::<i32>::new());
    world.netsky(["down"]).run().expect(0);
}

#[test]
fn a_dead_agent_that_was_not_asked_for_is_not_called_running() {
    let world = demo(1);
    signal(world.pane_pid("agent1"), "KILL");
    world.wait("agent1 is dead", Duration::from_secs(5), || {
        (world.state_of("agent1") == "exited").then_some(())
    });
    let raised = world.netsky(["up", "0", "--json"]).run().expect(0).json();
    assert_eq!(raised["left_alone"], serde_json::json!(["agent0"]));
    assert_eq!(raised["agents"].as_array().unwrap().len(), 1);
}

#[test]
fn a_state_file_cannot_speak_to_the_terminal() {
    let world = demo(0);
    let path = world.home.join("state/desired.json");
    let text =
        std::fs::read_to_string(&path).unwrap().replace("\"up\"", "\"up\",\"actor\":\"\\u001b]0;x\\u0007\"");
    std::fs::write(&path, text.replacen("\"actor\":\"owner\"", "\"x\":1", 1)).unwrap();
    let ran = world.netsky(["status"]).run().expect(0).says("could not be understood");
    assert!(!ran.stderr.chars().any(|c| c.is_control() && c != '\n'), "{:?}", ran.stderr);
}

#[test]
fn a_restart_that_fails_after_the_claim_says_that_the_hand_over_is_kept() {
    let world = demo(0);
    let note = world.write("note.md", "keep me");
    let server = world.server_pid().unwrap();
    world.configure("[constellation]\nagent = \"demo\"\n[restart]\nup_wait = \"20s\"\n[profile.slow]\ncommand = [\"sleep\", \"600\"]\nhow = \"paste\"\nmemory = \"1MiB\"\n");
    let running =
        world.netsky(["restart", "0", "--agent", "slow", "--handoff", note.to_str().unwrap()]).start();
    world.wait("the agent is spawned", Duration::from_secs(10), || {
        (world.records().last()?["phase"] == "spawned").then_some(())
    });
    signal(server, "KILL");
    let ended = running.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert!(!ended.status.success() && said.contains("is kept"), "{said}");
}

#[test]
fn an_agent_that_became_a_shell_is_not_called_idle() {
    let world = World::new();
    world.configure(&format!(
        "[constellation]\nclones = 0\nagent = \"gone\"\n[profile.gone]\nbase = \"demo\"\n\
         command = [{NETSKY:?}, \"demo-agent\", \"--fail\", \"shell\"]\n"
    ));
    world.netsky(["up"]).run().expect(0);
    world.wait("the shell is seen", Duration::from_secs(5), || {
        (world.state_of("agent0") == "exited").then_some(())
    });
    let status = world.status();
    // `up` leaves alone what runs in a pane, so that is not what to type.
    assert_eq!(status["blocking"][0]["hint"], "netsky restart agent0", "{status}");
    world.netsky(["restart", "agent0", "--agent", "demo"]).run().expect(0);
    assert_eq!(world.state_of("agent0"), "idle");
}
