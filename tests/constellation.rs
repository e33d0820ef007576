//! `up`, `restart`, `down`, `status` on real tmux with the demo agent and with agents that have no hooks.

use std::time::{Duration, Instant};

use crate::support::world::{files, signal};
use crate::support::{World, tree};

const SOON: Duration = Duration::from_secs(20);

pub fn demo(clones: u32) -> World {
    let world = World::new();
    world.netsky(["up", &clones.to_string(), "--agent", "demo"]).run().expect(0);
    world
}

/// An agent without hooks: its marker is on the screen at once.
pub fn bot(world: &World, script: &str) {
    use std::os::unix::fs::PermissionsExt;
    let path = world.write("bot", format!("#!/bin/sh\n{script}\n"));
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    world.configure(&format!(
        "[constellation]\nclones = 1\nagent = \"bot\"\nroot_agent = \"bot\"\n[restart]\nup_wait = \"3s\"\nstop_grace = \"1s\"\n\
         [profile.bot]\ncommand = [{path:?}]\nmemory = \"1MiB\"\n"
    ));
}

#[test]
fn up_makes_agents_run_and_down_leaves_no_process_behind() {
    let world = demo(2);
    assert_eq!(world.sessions(), ["agent0", "agent1", "agent2"]);
    for agent in ["agent0", "agent1", "agent2"] {
        assert_eq!(world.state_of(agent), "idle");
    }
    let server = world.server_pid().unwrap();
    let status = world.status();
    assert_eq!(status["agents"][0]["ready_by"], "hook");
    assert_eq!(status["tmux"]["answer"], "ok");
    assert_eq!(status["desired"]["clones"], 2);
    world.netsky(["down"]).run().expect(0);
    assert_eq!(tree::marked(&world.home), Vec::<i32>::new());
    assert!(!tree::is_alive(server), "the tmux server still runs");
    assert_eq!(world.status()["tmux"]["answer"], "no-server");
    assert_eq!(world.status()["agents"].as_array().unwrap().len(), 0);
}

#[test]
fn up_leaves_alone_what_runs() {
    let world = demo(1);
    let before = world.pane_pid("agent0");
    world.netsky(["up", "2"]).run().expect(0).says("left alone what runs: agent0, agent1");
    assert_eq!(world.pane_pid("agent0"), before);
    assert_eq!(world.sessions().len(), 3);
    world.netsky(["up", "0"]).run().expect(0);
    assert_eq!(world.sessions().len(), 3, "up stops nothing");
}

#[test]
fn restart_ends_agents_above_n_and_spares_the_overseer_and_namesakes() {
    let world = demo(3);
    world.tmux(&["new-session", "-d", "-s", "agentinfinity", "sleep 600"]).expect(0);
    world.tmux(&["new-session", "-d", "-s", "agent1x", "sleep 600"]).expect(0);
    let old = world.pane_pid("agent0");
    world.netsky(["restart", "1"]).run().expect(0);
    assert_ne!(world.pane_pid("agent0"), old);
    assert_eq!(world.sessions(), ["agent0", "agent1", "agent1x", "agentinfinity"]);
    let record = world.record();
    assert_eq!(record["phase"], "complete");
    assert_eq!(record["exit_code"], 0);
    let phases: Vec<&str> =
        record["phases"].as_array().unwrap().iter().map(|entry| entry["phase"].as_str().unwrap()).collect();
    assert_eq!(phases, ["preflight", "tearing-down", "spawned", "up-detected", "complete"]);
}

#[test]
fn no_verb_touches_agent10_in_agent1s_place() {
    let world = World::new();
    world.netsky(["up", "agent10", "--agent", "demo"]).run().expect(0);
    let ten = world.pane_pid("agent10");
    world.netsky(["down", "agent1"]).run().expect(0);
    world.netsky(["logs", "agent1"]).run().expect(1);
    world.netsky(["attach", "agent1"]).run().expect(1);
    world.netsky(["send", "agent1", "hello"]).run().expect(0);
    assert_eq!(world.pane_pid("agent10"), ten);
    world.netsky(["restart", "agent1", "--agent", "demo"]).run().expect(0);
    world.netsky(["down", "agent1"]).run().expect(0);
    assert_eq!((world.pane_pid("agent10"), world.sessions()), (ten, vec!["agent10".to_owned()]));
    assert!(files(&world.home.join("inbox/agent10")).is_empty());
}

#[test]
fn an_agent_without_hooks_is_up_by_its_marker() {
    let world = World::new();
    bot(&world, "echo 'session 1 up'; exec sleep 600");
    world.netsky(["restart"]).run().expect(0);
    let record = world.record();
    assert_eq!(record["agents"][0]["ready_by"], "marker");
    assert!(record["agents"][0]["ready_ms"].as_u64().unwrap() < 2_000, "{record}");
}

#[test]
fn text_that_only_looks_like_a_marker_is_none() {
    let world = World::new();
    bot(
        &world,
        "echo '> session 1 up'; echo 'I say session 1 up'; echo '❯ agent0 session 3 up'; exec sleep 600",
    );
    world.netsky(["restart"]).run().expect(69).says("agent0 was not up within 3s");
    let record = world.record();
    assert_eq!((record["phase"].as_str(), record["exit_code"].as_u64()), (Some("errored"), Some(69)));
    assert_eq!(record["error"]["agent"], "agent0");
}

#[test]
fn an_agent_that_dies_at_once_is_named_with_its_exit_code_and_last_words() {
    let world = World::new();
    bot(&world, "echo 'cannot find my licence'; exit 7");
    let ran = world.netsky(["restart"]).run().expect(1).says("agent0 ended before it was up");
    assert!(
        ran.stderr.contains("exit code 7") && ran.stderr.contains("cannot find my licence"),
        "{}",
        ran.stderr
    );
}

#[test]
fn a_clone_that_is_not_up_makes_it_degraded_and_is_named() {
    let world = World::new();
    bot(&world, "[ \"$NETSKY_AGENT\" = agent1 ] && exit 3; echo 'session 1 up'; exec sleep 600");
    world.netsky(["restart"]).run().expect(3).says("agent1");
    let record = world.record();
    assert_eq!((record["phase"].as_str(), record["exit_code"].as_u64()), (Some("degraded"), Some(3)));
    assert_eq!(record["agents"][1]["state"], "exited");
}

#[test]
fn what_a_dead_agent_left_behind_is_ended_before_a_new_one_is_spawned() {
    let world = World::new();
    bot(
        &world,
        "setsid sleep 700 & setsid sh -c 'trap \"\" HUP TERM; sleep 701' & trap '' HUP TERM; echo 'session 1 up'; while :; do sleep 1; done",
    );
    world.netsky(["restart", "0"]).run().expect(0);
    let before = tree::marked(&world.home);
    assert!(before.len() >= 3, "{before:?}");
    world.netsky(["restart", "0"]).run().expect(0);
    for pid in before {
        assert!(!tree::is_alive(pid), "{pid} survived");
    }
    world.netsky(["down"]).run().expect(0);
    assert_eq!(tree::marked(&world.home), Vec::<i32>::new());
}

#[test]
fn agents_get_the_environment_of_who_asks_and_no_argument_holds_it() {
    let mut world = World::new();
    bot(&world, "echo 'session 1 up'; exec sleep 600");
    world.set("SECRET_OF_MINE", "s3cr3t-v4lue");
    world.set("TMUX", "/tmp/elsewhere,1,0");
    world.set("CLAUDECODE", "1");
    world.netsky(["restart", "0"]).run().expect(0);
    let pid = world.pane_pid("agent0");
    let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap();
    let environment = String::from_utf8_lossy(&environment).replace('\0', "\n");
    let has = |entry: &str| environment.lines().any(|line| line == entry);
    assert!(
        has("SECRET_OF_MINE=s3cr3t-v4lue") && has("NETSKY_AGENT=agent0") && has("AGENT_N=0"),
        "{environment}"
    );
    assert!(!environment.contains("CLAUDECODE=") && !environment.contains("/tmp/elsewhere"), "{environment}");
    let server = world.server_pid().unwrap();
    let of_server = std::fs::read(format!("/proc/{server}/environ")).unwrap();
    assert!(!String::from_utf8_lossy(&of_server).contains("NETSKY_"));
    let arguments = std::process::Command::new("ps").args(["-eo", "args"]).output().unwrap();
    assert!(!String::from_utf8_lossy(&arguments.stdout).contains("s3cr3t-v4lue"));
}

#[test]
fn two_restarts_at_once_have_one_winner_and_the_loser_learns_who_it_is() {
    let world = World::new();
    bot(&world, "sleep 1.5; echo 'session 1 up'; exec sleep 600");
    let first = world.netsky(["restart", "0"]).start();
    world.wait("the first restart has its lock", SOON, || {
        (!world.home.join("state/restart-status").exists() || !world.records().is_empty()).then_some(())
    });
    world.wait("the first restart is recorded", SOON, || (!world.records().is_empty()).then_some(()));
    let loser = world.netsky(["restart", "0"]).run().expect(75);
    assert!(loser.took < Duration::from_secs(1), "{:?}", loser.took);
    let id = world.record()["id"].as_str().unwrap().to_owned();
    let loser = loser.says(&id).says(&first.id().to_string());
    assert!(
        loser.stderr.contains("preflight")
            || loser.stderr.contains("spawned")
            || loser.stderr.contains("tearing-down")
    );
    assert_eq!(first.wait_with_output().unwrap().status.code(), Some(0));
    assert_eq!(world.records().len(), 1, "a loser writes nothing");
}

#[test]
fn a_frozen_tmux_is_reported_in_time_and_nothing_executes_late() {
    let world = demo(1);
    world.write("note.md", "note");
    let server = world.server_pid().unwrap();
    let before = world.sessions();
    let pid = world.pane_pid("agent0");
    signal(server, "STOP");
    for verb in [
        &["status"][..],
        &["status", "--json"],
        &["up", "3"],
        &["restart"],
        &["restart", "agent1"],
        &["down"],
        &["logs", "agent0"],
        &["attach"],
        &["send", "agent0", "hello"],
        &[],
    ] {
        let ran = world.netsky(verb.iter().copied()).run().expect(69);
        assert!(ran.took < Duration::from_millis(2_750), "{verb:?} took {:?}", ran.took);
    }
    signal(server, "CONT");
    world.wait("tmux answers again", SOON, || world.server_pid());
    assert_eq!((world.sessions(), world.pane_pid("agent0")), (before, pid));
    world.netsky(["status"]).run().expect(0);
}

#[test]
fn frozen_in_mid_batch_at_most_one_group_is_made_and_the_next_command_ends_it() {
    let mut caught = 0;
    for delay in [20, 50, 150] {
        let world = World::new();
        bot(&world, "echo 'session 1 up'; exec sleep 600");
        world.netsky(["up", "0"]).run().expect(0);
        let server = world.server_pid().unwrap();
        let child = world.netsky(["restart", "100"]).start();
        // Counted from the moment at which the old session is being ended: then the spawning begins.
        world.wait("teardown", SOON, || {
            world.records().iter().any(|r| r["phase"] == "tearing-down").then_some(())
        });
        let until = Instant::now() + Duration::from_millis(delay);
        while Instant::now() < until {
            std::hint::spin_loop();
        }
        signal(server, "STOP");
        let output = child.wait_with_output().unwrap();
        let code = output.status.code();
        signal(server, "CONT");
        world.wait("tmux answers again", SOON, || world.server_pid());
        // On a fast machine all may be made before the first freeze.
        if code == Some(0) {
            continue;
        }
        assert_eq!(code, Some(69), "{}", String::from_utf8_lossy(&output.stderr));
        let made = world.sessions().len();
        caught += usize::from(made < 101);
        world.netsky(["up", "1"]).run().expect(0);
        assert_eq!(world.sessions(), ["agent0", "agent1"], "after {delay} ms, with {made} made");
    }
    assert!(caught > 0, "none of the restarts was caught in the middle");
}

#[test]
fn what_should_run_and_how_is_asked_for_once_the_lock_is_held() {
    let world = demo(0);
    let netsky = crate::support::world::NETSKY;
    let config = format!(
        "[profile.slow]\nbase = \"demo\"\ncommand = [{netsky:?}, \"demo-agent\", \"--think\", \"2s\"]\n"
    );
    world.configure(&config);
    let first = world.netsky(["restart", "2", "--agent", "slow"]).start();
    world.wait("it has the lock", SOON, || (!world.records().is_empty()).then_some(()));
    let second = world.netsky(["restart", "--wait-lock", "20s"]).start();
    // Another one thinks better of it.
    let third = world.netsky(["restart", "--wait-lock", "20s"]).start();
    // Both have read the configuration, and hear signals from now on: the lock is what they ask for next.
    let hears = |child: &std::process::Child| {
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).ok()?;
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"))?;
        (u64::from_str_radix(caught.trim(), 16).ok()? & 0b10 != 0).then_some(())
    };
    world.wait("they wait for the lock", SOON, || hears(&second).and_then(|()| hears(&third)));
    let told = Instant::now();
    signal(third.id().cast_signed(), "INT");
    assert_eq!(third.wait_with_output().unwrap().status.code(), Some(130));
    assert!(told.elapsed() < Duration::from_secs(1), "{:?}", told.elapsed());
    world.configure(&format!("[constellation]\nworkdir = \"/\"\n{config}"));
    assert_eq!(first.wait_with_output().unwrap().status.code(), Some(0));
    assert_eq!(second.wait_with_output().unwrap().status.code(), Some(0));
    assert_eq!(world.sessions(), ["agent0", "agent1", "agent2"]);
    assert_eq!(world.records().len(), 2, "who was told to end wrote none");
    let dir = std::fs::read_link(format!("/proc/{}/cwd", world.pane_pid("agent2"))).unwrap();
    assert_eq!(dir, std::path::Path::new("/"), "as configured while it waited");
}

#[test]
fn a_restart_from_inside_a_session_that_it_ends_comes_back() {
    let world = demo(1);
    let note = world.write("note.md", "the nonce is 8c1f");
    let id = world.work.join("id");
    let command = format!(
        "{} restart --handoff {} >{} 2>&1; sleep 600",
        crate::support::world::NETSKY,
        note.display(),
        id.display()
    );
    let old = world.pane_pid("agent0");
    world.tmux(&["new-window", "-d", "-t", "=agent1:", &command]).expect(0);
    let printed =
        world.wait("the id", SOON, || std::fs::read_to_string(&id).ok().filter(|text| text.contains('\n')));
    let id = printed.lines().next().unwrap().to_owned();
    world.wait("the restart is complete", SOON, || {
        let record = world.records().into_iter().find(|record| record["id"] == id)?;
        (record["phase"] == "complete").then_some(())
    });
    assert_ne!(world.pane_pid("agent0"), old);
    world.wait("the hand-over is taken", SOON, || (world.envelopes()[2].len() == 1).then_some(()));
}

#[test]
fn the_turn_of_an_agent_that_died_in_it_is_not_waited_for() {
    let world = World::new();
    let netsky = crate::support::world::NETSKY;
    world.configure(&format!(
        "[profile.slow]\nbase = \"demo\"\ncommand = [{netsky:?}, \"demo-agent\", \"--think\", \"2s\"]\n"
    ));
    world.netsky(["up", "0", "--agent", "slow"]).run().expect(0);
    let generation = world.status()["agents"][0]["generation"].as_str().unwrap().to_owned();
    world.netsky(["send", "agent0", "think"]).run().expect(0);
    world.wait("a turn", SOON, || (world.state_of("agent0") == "busy").then_some(()));
    signal(world.pane_pid("agent0"), "KILL");
    let restart =
        world.netsky(["restart"]).env("NETSKY_AGENT", "agent0").env("NETSKY_GENERATION", generation);
    let id = restart.run().expect(0).stdout.trim().to_owned();
    world.wait("the restart is complete", SOON, || {
        let record = world.records().into_iter().find(|record| record["id"] == id)?;
        (record["phase"] == "complete").then_some(())
    });
}

#[test]
fn interrupted_restarts_are_told_and_the_next_up_finishes_them() {
    let world = World::new();
    bot(&world, "sleep 30; echo 'session 1 up'; exec sleep 600");
    let note = world.write("note.md", "keep me");
    let mut child = world.netsky(["restart", "0", "--handoff", note.to_str().unwrap()]).start();
    world.wait("spawned", SOON, || {
        world.records().iter().any(|record| record["phase"] == "spawned").then_some(())
    });
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(world.status()["last_restart"]["phase"], "interrupted");
    world.netsky(["history"]).run().expect(0).prints("interrupted");
    bot(&world, "echo 'session 1 up'; exec sleep 600");
    world.netsky(["down"]).run().expect(0);
    // `status` only derives it; who holds the lock writes it down.
    assert_eq!(world.record()["phase"], "interrupted", "on disk");
    world.netsky(["up", "0"]).run().expect(0);
    assert_eq!(world.envelopes()[0].len(), 1, "the claim was delivered");
    assert!(files(&world.home.join("handoff/claims")).is_empty());
}

#[test]
fn a_signal_ends_a_restart_with_a_terminal_record_and_a_free_lock() {
    for (name, code) in [("INT", 130), ("TERM", 143), ("HUP", 129)] {
        let world = World::new();
        bot(&world, "sleep 30; exec sleep 600");
        let child = world.netsky(["restart", "0"]).start();
        world.wait("spawned", SOON, || {
            world.records().iter().any(|record| record["phase"] == "spawned").then_some(())
        });
        signal(child.id().cast_signed(), name);
        assert_eq!(child.wait_with_output().unwrap().status.code(), Some(code));
        let record = world.record();
        assert_eq!(
            (record["phase"].as_str(), record["exit_code"].as_i64()),
            (Some("errored"), Some(code.into()))
        );
        world.netsky(["down"]).run().expect(0);
    }
}

#[test]
fn a_hook_is_believed_only_below_its_own_pane_and_in_its_own_generation() {
    let world = demo(0);
    let path = world.home.join("state/beacons/agent0.json");
    let before = std::fs::read(&path).unwrap();
    let generation = world.status()["agents"][0]["generation"].as_str().unwrap().to_owned();
    let report = r#"{"session_id":"x","last_assistant_message":"agent0 session 9 up"}"#;
    for generation in [generation.as_str(), "01ARZ3NDEKTSV4RRFFQ69G5FAV", "nonsense"] {
        let hook =
            world.netsky(["hook", "Stop"]).env("NETSKY_AGENT", "agent0").env("NETSKY_GENERATION", generation);
        let ran = hook.stdin(report).run().expect(0);
        assert_eq!(
            (ran.stdout.as_str(), ran.stderr.as_str()),
            ("", ""),
            "a hook never says anything to a stranger"
        );
        assert!(ran.took < Duration::from_secs(2), "{:?}", ran.took);
    }
    assert_eq!(std::fs::read(&path).unwrap(), before);
    let log = std::fs::read_to_string(world.home.join("log/events.jsonl")).unwrap();
    assert!(log.contains("does not run below the agent's pane"), "{log}");
}

#[test]
fn a_hook_that_is_called_with_garbage_fails_nobody() {
    let world = demo(0);
    world.netsky(["send", "agent0", "hello"]).run().expect(0);
    let report = world.write("garbage", [0xff, b'{', 0]);
    let marks = format!(
        "cat {} | {} hook Stop; echo exit $?; sleep 600",
        report.display(),
        crate::support::world::NETSKY
    );
    world.tmux(&["respawn-window", "-k", "-t", "=agent0:", &marks]).expect(0);
    world.wait("the hook ended well", SOON, || world.screen("agent0").contains("exit 0").then_some(()));
}

#[test]
fn a_launch_order_of_another_generation_is_refused() {
    let world = demo(0);
    let home = world.home.to_str().unwrap();
    let ran = world.netsky(["launch", home, "agent0", "01ARZ3NDEKTSV4RRFFQ69G5FAV"]).run().expect(75);
    assert!(ran.stderr.contains("01ARZ3NDEKTSV4RRFFQ69G5FAV"), "{}", ran.stderr);
    world
        .netsky(["launch", home, "agent9", "01ARZ3NDEKTSV4RRFFQ69G5FAV"])
        .run()
        .expect(75)
        .says("no launch order");
}

#[test]
fn a_hook_whose_standard_input_nobody_closes_ends_within_its_limit() {
    let world = demo(0);
    let netsky = crate::support::world::NETSKY;
    let script = format!("mkfifo f; sleep 600 >f & {netsky} hook Stop <f; echo \"exit $?\"; sleep 600");
    world.tmux(&["respawn-window", "-k", "-t", "=agent0:", &script]).expect(0);
    world.wait("the hook ended", Duration::from_secs(4), || {
        world.screen("agent0").contains("exit 0").then_some(())
    });
}

#[test]
fn only_the_owner_raises_owner_epochs() {
    let world = demo(0);
    let epochs = || std::fs::read_to_string(world.home.join("state/owner-epochs.json")).unwrap();
    let before = epochs();
    let generation = world.status()["agents"][0]["generation"].as_str().unwrap().to_owned();
    let as_agent = |arguments: &[&str]| {
        let call = world.netsky(arguments.iter().copied()).env("NETSKY_AGENT", "agent0");
        call.env("NETSKY_GENERATION", generation.clone()).run().expect(0);
    };
    as_agent(&["up", "1"]);
    as_agent(&["restart", "agent1", "--reason", "it was stuck"]);
    assert_eq!(epochs(), before);
    assert_eq!(
        (&world.record()["actor"], &world.record()["reason"]),
        (&"agent0".into(), &"it was stuck".into())
    );
    world.netsky(["restart", "agent1"]).run().expect(0);
    assert_ne!(epochs(), before);
}

#[test]
fn a_window_beside_an_agent_is_not_ended_by_what_is_typed_there() {
    let world = demo(0);
    let typed = |words: &str, said: &str| {
        let said = world.work.join(said);
        let netsky = crate::support::world::NETSKY;
        let script = format!("{netsky} {words} >{said:?} 2>&1; echo over $? >>{said:?}; exec sleep 600");
        world.tmux(&["new-window", "-d", "-t", "=agent0:", &script]).expect(0);
        world.wait("it is over", SOON, || {
            std::fs::read_to_string(&said).ok().filter(|said| said.contains("over"))
        })
    };
    let said = typed("attach agent0", "attached");
    assert!(said.contains("this is its session") && said.contains("over 1"), "{said}");
    signal(world.pane_pid("agent0"), "KILL");
    world.wait("agent0 is dead", SOON, || (world.state_of("agent0") == "exited").then_some(()));
    let said = typed("up 0", "up");
    assert!(said.contains("netsky restart") && said.contains("over 1"), "{said}");
    let windows = world.tmux(&["list-windows", "-t", "=agent0", "-F", "#{window_id}"]).stdout;
    assert_eq!(windows.lines().count(), 3);
    world.netsky(["up", "0"]).run().expect(0);
}

#[test]
fn each_that_was_named_is_needed() {
    let world = World::new();
    let netsky = crate::support::world::NETSKY;
    world.configure(&format!(
        "[constellation]\nagent = \"demo\"\nroot_agent = \"demo\"\n[agent.agent1]\nprofile = \"out\"\n\
         [profile.out]\nbase = \"demo\"\ncommand = [{netsky:?}, \"demo-agent\", \"--fail\", \"login\"]\n"
    ));
    world.netsky(["up", "agent0", "agent1"]).run().expect(4).says("agent1");
    world.netsky(["restart", "agent0", "agent1"]).run().expect(4);
    world.netsky(["down"]).run().expect(0);
    world.netsky(["up", "1"]).run().expect(3);
}

#[test]
fn a_screen_that_could_not_be_kept_is_noted() {
    let world = demo(0);
    let generation = world.status()["agents"][0]["generation"].as_str().unwrap().to_owned();
    std::fs::create_dir_all(world.home.join(format!("log/screens/agent0/{generation}.txt"))).unwrap();
    world.netsky(["restart", "0"]).run().expect(0);
    let events = std::fs::read_to_string(world.home.join("log/events.jsonl")).unwrap();
    assert!(events.contains("screens-lost"), "{events}");
}
