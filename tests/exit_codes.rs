//! Every exit code through the binary, each with its message and its hint; and a newcomer's mistakes.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::support::World;

fn program(world: &World, name: &str, script: &str) -> PathBuf {
    let dir = world.root().join("bin");
    fs::create_dir_all(&dir).unwrap();
    let path = dir.join(name);
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

/// A PATH with these programs of the system alone.
fn path_with(world: &World, names: &[&str]) -> PathBuf {
    let dir = world.root().join("path");
    fs::create_dir_all(&dir).unwrap();
    for name in names {
        let real = ["/usr/bin", "/bin"]
            .iter()
            .map(|bin| Path::new(bin).join(name))
            .find(|path| path.exists())
            .unwrap();
        std::os::unix::fs::symlink(real, dir.join(name)).unwrap();
    }
    dir
}

#[test]
fn zero_is_done() {
    let world = World::new();
    world.netsky(["--version"]).run().expect(0).prints("netsky 0.1.0");
    world.netsky(["--help"]).run().expect(0).prints("restart");
}

#[test]
fn without_a_home_three_lines_end_in_what_to_type() {
    let world = World::new();
    let ran = world.netsky::<&str>([]).run().expect(0);
    let lines: Vec<&str> = ran.stdout.lines().collect();
    assert_eq!((lines.len(), lines.last().copied()), (3, Some("netsky up --agent demo")));
    assert!(!world.home.exists(), "looking makes nothing");
}

#[test]
fn one_is_failed() {
    let world = World::new();
    world.netsky(["up", "0", "--agent", "demo"]).run().expect(0);
    world.netsky(["restart", "--handoff", "nowhere.md"]).run().expect(1).says("nowhere.md").says("hint:");
}

#[test]
fn two_is_wrong_usage() {
    let world = World::new();
    world.netsky(["restrat"]).run().expect(2).says("restart");
    world.netsky(["up", "many"]).run().expect(2).says("hint:");
    world.netsky(["up", "-1"]).run().expect(2);
    world.netsky(["up", "100000"]).run().expect(2).says("999");
}

#[test]
fn four_is_blocked_with_the_reason_and_the_screen() {
    let world = World::new();
    world.configure("[profile.asks]\nbase = \"demo\"\ncommand = [\"netsky\"]\n");
    let netsky = crate::support::world::NETSKY;
    for (fault, words) in [
        ("login", "Not logged in"),
        ("overloaded", "Overloaded"),
        ("permission", "permission"),
        ("no-marker", "without the marker"),
        ("unknown-dialog", "unknown dialog"),
    ] {
        world.configure(&format!(
            "[profile.asks]\nbase = \"demo\"\ncommand = [{netsky:?}, \"demo-agent\", \"--fail\", \"{fault}\"]\n"
        ));
        let ran = world
            .netsky(["restart", "0", "--agent", "asks"])
            .run()
            .expect(4)
            .says(words)
            .says("netsky attach agent0");
        assert!(ran.took.as_secs() < 10, "{fault}: {:?}", ran.took);
        let record = world.record();
        assert_eq!(
            (record["phase"].as_str(), record["exit_code"].as_u64()),
            (Some("errored"), Some(4)),
            "{fault}"
        );
        assert_eq!(record["error"]["agent"], "agent0");
        assert!(world.sessions().contains(&"agent0".to_owned()), "{fault}: the session is left alive");
    }
}

#[test]
fn sixty_nine_without_tmux_or_with_an_old_one_or_without_the_agent() {
    let mut world = World::new();
    let path = path_with(&world, &["sh", "env", "sleep"]);
    world.set("PATH", &path);
    world.netsky(["up", "--agent", "demo"]).run().expect(69).says("no tmux").says("apt-get install tmux");
    program(&world, "tmux", "echo tmux 2.9a");
    world.set("PATH", world.root().join("bin"));
    world.netsky(["up", "--agent", "demo"]).run().expect(69).says("too old").says("3.2a");
    let path = path_with(&World::new(), &["sh"]);
    drop(path);
}

#[test]
fn sixty_nine_when_the_agent_is_not_installed() {
    let mut world = World::new();
    let path = path_with(&world, &["sh", "env", "tmux", "sleep"]);
    world.set("PATH", path);
    world
        .netsky(["up"])
        .run()
        .expect(69)
        .says("no claude on PATH")
        .says("npm install -g @anthropic-ai/claude-code");
}

#[test]
fn seventy_eight_names_key_file_and_line() {
    let world = World::new();
    world.configure("[constellation]\nclone = 3\n");
    world.netsky(["up"]).run().expect(78).says("clone").says("config.toml").says("clones");
    world.configure("[constellation]\nagent = \"claud\"\n");
    world.netsky(["up"]).run().expect(78).says("claud");
    world.configure("[tmux]\nread_timeout = \"2\"\n");
    world.netsky(["status"]).run().expect(78).says("read_timeout");
    world.netsky(["config", "check"]).run().expect(78).says("read_timeout");
}

#[test]
fn seventy_eight_for_homes_that_cannot_be_ours() {
    let mut world = World::new();
    let foreign = world.root().join("thesis");
    fs::create_dir(&foreign).unwrap();
    fs::write(foreign.join("thesis.tex"), "x").unwrap();
    world.set("NETSKY_HOME", &foreign);
    world.netsky(["up", "--agent", "demo"]).run().expect(78).says("belongs to something else").says("hint:");
    assert_eq!(fs::read_dir(&foreign).unwrap().count(), 1);
    world.set("NETSKY_HOME", "relative/home");
    world.netsky(["up"]).run().expect(78).says("absolute");
    world.set("NETSKY_HOME", "/proc/nowhere/home");
    world.netsky(["up"]).run().expect(78).says("hint:");
    let no_home = world.netsky(["up"]).without("NETSKY_HOME").without("HOME").run();
    no_home.expect(78).says("neither NETSKY_HOME nor HOME");
}

#[test]
fn a_foreign_agent_session_on_a_shared_server_is_named_and_left_alone() {
    let world = World::new();
    let socket = world.root().join("shared.sock");
    let tmux = |arguments: &[&str]| {
        let mut command = std::process::Command::new("tmux");
        command.arg("-f").arg("/dev/null").arg("-S").arg(&socket).args(arguments);
        world.call(command).run()
    };
    tmux(&["new-session", "-d", "-s", "agent0", "sleep 600"]).expect(0);
    tmux(&["new-session", "-d", "-s", "mine", "sleep 600"]).expect(0);
    world.configure(&format!("[tmux]\nsocket = {socket:?}\n"));
    world.netsky(["up", "0", "--agent", "demo"]).run().expect(78).says("agent0");
    world.netsky(["restart", "0", "--agent", "demo"]).run().expect(78).says("agent0");
    world.netsky(["down"]).run().expect(0);
    tmux(&["rename-session", "-t", "=agent0", "other"]).expect(0);
    world.netsky(["up", "1", "--agent", "demo"]).run().expect(0);
    world.netsky(["restart", "1"]).run().expect(0);
    world.netsky(["down"]).run().expect(0);
    let left = tmux(&["list-sessions", "-F", "#{session_name}"]);
    assert_eq!(left.stdout.lines().collect::<Vec<_>>(), ["mine", "other"]);
    tmux(&["kill-server"]);
}
