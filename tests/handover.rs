//! Hand-overs through the binary: nothing lost, nothing twice.

use std::fs;
use std::os::unix::fs::symlink;
use std::time::Duration;

use crate::support::world::{files, signal, wait};
use crate::support::{World, tree};

const SOON: Duration = Duration::from_secs(20);

fn demo() -> World {
    let world = World::new();
    world.netsky(["up", "0", "--agent", "demo"]).run().expect(0);
    world
}

/// A profile whose turns take so long.
fn slow(think: &str) -> String {
    let netsky = crate::support::world::NETSKY;
    format!(
        "[profile.slow]\nbase = \"demo\"\ncommand = [{netsky:?}, \"demo-agent\", \"--think\", {think:?}]\n"
    )
}

fn taken(world: &World, count: usize) {
    world.wait("the hand-over is taken", SOON, || (world.envelopes()[2].len() == count).then_some(()));
    assert_eq!(world.envelopes()[0].len() + world.envelopes()[1].len(), 0);
    assert_eq!(files(&world.home.join("handoff/archive")).len(), count);
}

#[test]
fn a_hand_over_is_claimed_delivered_shown_and_taken() {
    let world = demo();
    let note = world.write("note.md", "the nonce is 4711");
    world.netsky(["restart", "--handoff", note.to_str().unwrap()]).run().expect(0);
    assert!(!note.exists(), "a claimed source is gone");
    taken(&world, 1);
    let record = world.record();
    let phases: Vec<&str> =
        record["phases"].as_array().unwrap().iter().map(|entry| entry["phase"].as_str().unwrap()).collect();
    assert_eq!(
        phases,
        ["preflight", "tearing-down", "spawned", "up-detected", "handoff-delivered", "complete"]
    );
    assert_eq!(record["handoff"]["state"], "delivered");
    assert_eq!(world.status()["last_restart"]["handoff"]["state"], "taken");
    world.wait("the agent read it", SOON, || {
        world.screen("agent0").contains("the nonce is 4711").then_some(())
    });
}

#[test]
fn long_ones_arrive_whole() {
    for size in [9_000, 50_000, 1 << 20] {
        let world = demo();
        let text = format!("{}\nthe nonce is {size}", "line of the hand-over\n".repeat(size / 22));
        let text = &text[text.len() - size.min(text.len())..];
        let note = world.write("note.md", text);
        world.netsky(["restart", "--handoff", note.to_str().unwrap()]).run().expect(0);
        world.wait("the hand-over is taken", Duration::from_secs(60), || {
            (world.envelopes()[2].len() == 1).then_some(())
        });
        world.wait("read", SOON, || {
            world.screen("agent0").contains(&format!("the nonce is {size}")).then_some(())
        });
    }
}

#[test]
fn standard_input_and_none() {
    let world = demo();
    world.netsky(["restart", "--handoff", "-"]).stdin("from a pipe").run().expect(0);
    taken(&world, 1);
    world.netsky(["restart", "--handoff", "/dev/null"]).run().expect(0);
    world.netsky(["restart", "--handoff", "-"]).run().expect(0);
    taken(&world, 1);
}

#[test]
fn a_source_that_cannot_be_taken_is_an_error_before_anything_is_torn_down() {
    let world = demo();
    let before = world.pane_pid("agent0");
    let target = world.write("target.md", "x");
    let link = world.work.join("link.md");
    symlink(&target, &link).unwrap();
    let large = world.write("large.md", vec![b'x'; (1 << 20) + 1]);
    let missing = world.work.join("missing.md");
    let fifo = world.work.join("fifo");
    std::process::Command::new("mkfifo").arg(&fifo).status().unwrap();
    for path in [&link, &large, &missing, &fifo, &world.work] {
        let ran = world.netsky(["restart", "--handoff", path.to_str().unwrap()]).run().expect(1);
        assert!(ran.stderr.contains("hint:"), "{}", ran.stderr);
        assert_eq!(world.pane_pid("agent0"), before, "{path:?}");
        assert_eq!(world.record()["phase"], "errored");
    }
    assert!(target.exists() && large.exists());
    assert!(files(&world.home.join("handoff/claims")).is_empty());
}

#[test]
fn bytes_that_are_no_text_and_another_file_system_arrive_too() {
    let world = demo();
    let note = world.write("note.md", [0xff, 0xfe, b'x']);
    world.netsky(["restart", "--handoff", note.to_str().unwrap()]).run().expect(0);
    taken(&world, 1);
    let shm = tempfile::tempdir_in("/dev/shm").unwrap();
    let note = shm.path().join("note.md");
    fs::write(&note, "from another file system").unwrap();
    world.netsky(["restart", "--handoff", note.to_str().unwrap()]).run().expect(0);
    assert!(!note.exists());
    taken(&world, 2);
}

#[test]
fn the_same_file_given_twice_is_delivered_once() {
    let world = demo();
    let note = world.write("note.md", "once");
    world.netsky(["restart", "--handoff", note.to_str().unwrap()]).run().expect(0);
    world.netsky(["restart", "--handoff", note.to_str().unwrap()]).run().expect(1);
    taken(&world, 1);
}

#[test]
fn a_hand_over_whose_agent0_never_comes_up_goes_to_the_next_one() {
    let world = demo();
    let note = world.write("note.md", "patience");
    world.netsky(["down"]).run().expect(0);
    world.configure(
        "[restart]\nup_wait = \"1s\"\n[profile.mute]\ncommand = [\"sleep\", \"600\"]\nhow = \"paste\"\n",
    );
    let ran = world
        .netsky(["restart", "0", "--agent", "mute", "--handoff", note.to_str().unwrap()])
        .run()
        .expect(69);
    assert!(ran.stderr.contains("is kept"), "{}", ran.stderr);
    assert_eq!(files(&world.home.join("handoff/claims")).len(), 2, "the claim and its record");
    world.netsky(["restart", "0", "--agent", "demo"]).run().expect(0);
    taken(&world, 1);
}

#[test]
fn a_claim_that_waits_for_the_next_agent0_is_told_with_what_brings_it() {
    let world = demo();
    let claim = world.home.join("handoff/claims/01JD0Q7M3ZJ4V5W6X7Y8Z9A0BC-from-owner");
    // Of a restart that failed some hours from now, before the clock was set back.
    let generation = world.status()["agents"][0]["generation"].as_str().unwrap().to_owned();
    let later = format!("{}Z{}", &generation[..4], &generation[5..]);
    let record = serde_json::json!({
        "version": 1, "to": "agent0", "generation": later, "ts": "2026-11-20T19:00:00.000Z", "origin": null,
    });
    fs::write(claim.with_extension("json"), record.to_string()).unwrap();
    fs::write(&claim, "taken in a preflight").unwrap();
    world.netsky(["status"]).run().expect(0).prints("wait for the next agent0").prints("netsky restart");
    world.netsky(["up"]).run().expect(0).says("waits for the next agent0: netsky restart");
    assert!(claim.exists());
    world.netsky(["restart"]).run().expect(0);
    taken(&world, 1);
    assert_eq!(world.status()["blocking"], serde_json::json!([]));
}

#[test]
fn a_draft_of_this_generation_is_the_hand_over() {
    let world = demo();
    world.tmux(&["new-window", "-d", "-t", "=agent0:", "sleep 600"]).expect(0);
    let generation = world.status()["agents"][0]["generation"].as_str().unwrap().to_owned();
    world
        .netsky(["handoff", "write", "-"])
        .env("NETSKY_AGENT", "agent0")
        .env("NETSKY_GENERATION", generation)
        .stdin("drafted")
        .run()
        .expect(0);
    world.netsky(["restart"]).run().expect(0);
    taken(&world, 1);
    world.netsky(["restart"]).run().expect(0);
    taken(&world, 1);
}

/// Writes the draft of an agent, in its own session as it seems.
fn draft(world: &World, agent: &str, text: &str) {
    let status = world.status();
    let agents = status["agents"].as_array().unwrap();
    let generation = agents.iter().find(|row| row["name"] == agent).unwrap()["generation"].clone();
    world
        .netsky(["handoff", "write", "-"])
        .env("NETSKY_AGENT", agent)
        .env("NETSKY_GENERATION", generation.as_str().unwrap())
        .stdin(text)
        .run()
        .expect(0);
}

#[test]
fn a_draft_is_handed_on_whichever_verb_puts_somebody_in_its_writers_place() {
    let world = demo();
    draft(&world, "agent0", "before it was killed");
    signal(world.pane_pid("agent0"), "KILL");
    world.wait("agent0 is gone", SOON, || (world.state_of("agent0") == "exited").then_some(()));
    world.netsky(["up"]).run().expect(0).says("handed on the drafts of the last agent0");
    taken(&world, 1);
    draft(&world, "agent0", "before it was taken down");
    world.netsky(["down"]).run().expect(0);
    world.netsky(["up", "0", "--agent", "demo"]).run().expect(0);
    taken(&world, 2);
    draft(&world, "agent0", "though nobody knows who wrote it");
    world.tmux(&["kill-server"]).expect(0);
    fs::write(world.home.join("state/agents.json"), "{").unwrap();
    world.netsky(["restart", "0"]).run().expect(0);
    taken(&world, 3);
    fs::write(world.home.join("handoff/draft/agent0.md"), "written where it lies").unwrap();
    world.netsky(["restart"]).run().expect(0);
    taken(&world, 4);
}

#[test]
fn a_draft_that_cannot_be_taken_keeps_nobody_down_and_is_named() {
    let world = World::new();
    world.netsky(["up", "1", "--agent", "demo"]).run().expect(0);
    let odd = |agent: &str| {
        let path = world.home.join(format!("handoff/draft/{agent}.md"));
        fs::create_dir(&path).unwrap();
        path
    };
    let path = odd("agent1");
    world.netsky(["restart"]).run().expect(0).says("the draft of the last agent1 was not handed on");
    world.netsky(["down"]).run().expect(0);
    odd("agent0");
    let up = world.netsky(["up", "1", "--agent", "demo"]).run().expect(0);
    up.says("the draft of the last agent0 was not handed on").says(path.to_str().unwrap());
    assert!(path.is_dir());
    assert_eq!(world.sessions(), ["agent0", "agent1"]);
}

#[test]
fn a_draft_that_could_not_be_taken_is_handed_on_when_it_can() {
    let world = World::new();
    world.netsky(["up", "1", "--agent", "demo"]).run().expect(0);
    draft(&world, "agent1", "more than one byte");
    world.configure("[handoff]\nmax_bytes = \"1B\"\n");
    for _ in 0..2 {
        world.netsky(["restart", "1"]).run().expect(0).says("the draft of the last agent1 was not handed on");
    }
    world.configure("");
    world.netsky(["restart", "1"]).run().expect(0);
    let done = world.home.join("inbox/agent1/done");
    world.wait("it is read", SOON, || (files(&done).len() == 1).then_some(()));
}

#[test]
fn a_clone_has_its_successor_too() {
    let world = World::new();
    world.netsky(["up", "2", "--agent", "demo"]).run().expect(0);
    let taken_by = |agent: &str| files(&world.home.join("inbox").join(agent).join("done")).len();
    let is_read = |agent: &str, count| {
        world.wait("it is read", SOON, || (taken_by(agent) == count).then_some(()));
    };
    draft(&world, "agent1", "a named one");
    world.netsky(["restart", "agent1"]).run().expect(0);
    is_read("agent1", 1);
    draft(&world, "agent1", "one of all");
    draft(&world, "agent2", "another one of all");
    world.netsky(["restart"]).run().expect(0);
    is_read("agent1", 2);
    is_read("agent2", 1);
    assert_eq!((taken_by("agent0"), world.record()["handoff"].is_null()), (0, true));
}

#[test]
fn what_is_drafted_until_the_end_is_handed_over_with_what_was_claimed_before() {
    let world = World::new();
    world.configure(&slow("1500ms"));
    world.netsky(["up", "0", "--agent", "slow"]).run().expect(0);
    for (early, count) in [(None, 1), (Some("the first words"), 3)] {
        world.wait("it has nothing to do", SOON, || (world.state_of("agent0") == "idle").then_some(()));
        if let Some(words) = early {
            draft(&world, "agent0", words);
        }
        let old = world.status()["agents"][0]["generation"].as_str().unwrap().to_owned();
        let before = world.records().len();
        world.netsky(["send", "agent0", "a last task"]).run().expect(0);
        world.wait("a turn", SOON, || (world.state_of("agent0") == "busy").then_some(()));
        let restart = world.netsky(["restart"]).env("NETSKY_AGENT", "agent0").env("NETSKY_GENERATION", old);
        restart.run().expect(0).says("end your turn now");
        draft(&world, "agent0", "the last words");
        world.wait("the restart is complete", SOON, || {
            let records = world.records();
            (records.len() > before && records.iter().all(|record| record["phase"] == "complete"))
                .then_some(())
        });
        // Besides what it was sent.
        let tasks = if early.is_some() { 2 } else { 1 };
        taken(&world, count + tasks);
        let latest = world.status()["last_restart"]["handoff"]["state"].clone();
        assert_eq!(latest, "taken");
    }
}

#[test]
fn a_draft_that_is_written_across_a_restart_is_handed_on_by_the_next() {
    let world = demo();
    let slow = format!(
        "(sleep 1; echo 'slow words') | {} handoff write --agent agent0 -",
        crate::support::world::NETSKY
    );
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", &slow]);
    let writing = world.call(shell).start();
    world.netsky(["restart"]).run().expect(0);
    assert_eq!(writing.wait_with_output().unwrap().status.code(), Some(0));
    world.netsky(["restart"]).run().expect(0);
    world.wait("it is read", SOON, || world.screen("agent0").contains("slow words").then_some(()));
}

#[test]
fn a_draft_that_is_written_while_up_starts_a_server_is_handed_on() {
    use std::os::unix::fs::PermissionsExt;
    let world = demo();
    world.netsky(["down"]).run().expect(0);
    let path = std::env::var("PATH").unwrap();
    let (starts, go) = (world.work.join("starts"), world.work.join("go"));
    // Every other client has -N; this one finds the tmux that is meant by the path of before.
    let script = format!(
        "#!/bin/sh\ncase \" $* \" in *' -N '*|*' -V '*) ;; *) touch {starts:?}; until [ -e {go:?} ]; do sleep 0.02; done;; esac\n\
         PATH={path:?} exec tmux \"$@\"\n"
    );
    let program = {
        fs::create_dir(world.work.join("bin")).unwrap();
        world.write("bin/tmux", script)
    };
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let with_it = format!("{}:{path}", program.parent().unwrap().display());
    let up = world.netsky(["up", "0", "--agent", "demo"]).env("PATH", with_it).start();
    world.wait("a server is started", SOON, || starts.exists().then_some(()));
    world.netsky(["handoff", "write", "--agent", "agent0", "-"]).stdin("in time").run().expect(0);
    fs::write(&go, "").unwrap();
    assert_eq!(up.wait_with_output().unwrap().status.code(), Some(0));
    taken(&world, 1);
}

#[test]
fn a_session_of_an_earlier_agent_does_not_replace_the_draft_of_the_new_one() {
    let world = demo();
    let old = world.status()["agents"][0]["generation"].as_str().unwrap().to_owned();
    world.netsky(["restart"]).run().expect(0);
    draft(&world, "agent0", "of the new one");
    let write = world.netsky(["handoff", "write", "-"]).stdin("of the old one");
    let refused = write.env("NETSKY_AGENT", "agent0").env("NETSKY_GENERATION", old).run().expect(1);
    assert!(refused.stderr.contains("has taken your place"), "{}", refused.stderr);
    assert_eq!(fs::read_to_string(world.home.join("handoff/draft/agent0.md")).unwrap(), "of the new one");
}

#[test]
fn a_text_that_is_long_in_coming_does_not_replace_the_draft_of_a_new_agent() {
    let world = demo();
    let old = world.status()["agents"][0]["generation"].as_str().unwrap().to_owned();
    let before = tree::marked(&world.home).len();
    let go = world.work.join("go");
    let slow = format!(
        "(until [ -e {go:?} ]; do sleep 0.02; done; echo 'of the old one') | \
         NETSKY_AGENT=agent0 NETSKY_GENERATION={old} {} handoff write -",
        crate::support::world::NETSKY
    );
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", &slow]);
    let writing = world.call(shell).start();
    world.wait("it has begun", SOON, || (tree::marked(&world.home).len() > before).then_some(()));
    wait(Duration::from_millis(300), &mut || None::<()>);
    // A restart ends what carries these marks, but where it lives under another tmux server.
    let record = world.home.join("state/agents.json");
    let anew = fs::read_to_string(&record).unwrap().replace(&old, "7ZZZZZZZZZZZZZZZZZZZZZZZZZ");
    fs::write(&record, anew).unwrap();
    fs::write(&go, "").unwrap();
    let refused = writing.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.contains("has taken your place"), "{said}");
    assert!(!world.home.join("handoff/draft/agent0.md").exists());
}

#[test]
fn agent0_is_told_of_what_a_restart_of_others_hands_over() {
    let world = World::new();
    world.netsky(["up", "1", "--agent", "demo"]).run().expect(0);
    let note = world.write("note.md", "for agent0, which stays");
    world.netsky(["restart", "agent1", "--handoff", note.to_str().unwrap()]).run().expect(0);
    taken(&world, 1);
}

#[test]
fn what_somebody_else_reads_still_comes_to_the_agent() {
    let world = World::new();
    world.configure(&slow("1s"));
    world.netsky(["up", "0", "--agent", "slow"]).run().expect(0);
    world.netsky(["send", "agent0", "a task"]).run().expect(0);
    world.wait("a turn", SOON, || (world.state_of("agent0") == "busy").then_some(()));
    world.netsky(["send", "agent0", "for agent0 alone"]).run().expect(0);
    let read = world.netsky(["inbox", "next"]).run().expect(0);
    assert!(read.stdout.contains("for agent0 alone"), "{}", read.stdout);
    // The turn in which somebody else read it ends; with the next prompt it is the agent's turn to read it.
    world.wait("it is idle", SOON, || (world.state_of("agent0") == "idle").then_some(()));
    world.netsky(["send", "agent0", "another task"]).run().expect(0);
    world.wait("the agent read it", SOON, || {
        world.screen("agent0").contains("for agent0 alone").then_some(())
    });
    taken(&world, 3);
}

#[test]
fn what_is_sent_while_agents_come_up_is_brought_to_them() {
    let world = World::new();
    world.configure(&slow("1500ms"));
    for detached in [false, true] {
        let mut words = vec!["restart", "1", "--agent", "slow"];
        words.extend(detached.then_some("--detach"));
        let before = world.records().len();
        let restart = world.netsky(words).start();
        world.wait("the agents start", SOON, || {
            let records = world.records();
            (records.len() > before && records.iter().any(|record| record["phase"] == "spawned"))
                .then_some(())
        });
        // Its first turn has begun: nothing is shown to it before the next one.
        world.wait("a turn", SOON, || {
            let beacon = fs::read_to_string(world.home.join("state/beacons/agent1.json")).ok()?;
            beacon.contains(r#""busy""#).then_some(())
        });
        world.netsky(["send", "agent1", "while it came up"]).run().expect(0);
        assert_eq!(restart.wait_with_output().unwrap().status.code(), Some(0));
        let done = world.home.join("inbox/agent1/done");
        world.wait("it is read", SOON, || (files(&done).len() == before + 1).then_some(()));
    }
}

#[test]
fn messages_reach_agents_that_are_idle_and_wait_for_those_that_are_down() {
    let world = demo();
    world.netsky(["send", "agent0", "hello", "there"]).run().expect(0);
    taken(&world, 1);
    world.netsky(["down"]).run().expect(0);
    world.netsky(["send", "agent0", "later"]).run().expect(0);
    assert_eq!(world.envelopes()[0].len(), 1);
    world.netsky(["up", "0", "--agent", "demo"]).run().expect(0);
    taken(&world, 2);
}
