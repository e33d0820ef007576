//! Hand-overs through the binary: nothing lost, nothing twice.

use std::fs;
use std::os::unix::fs::symlink;
use std::time::Duration;

use crate::support::World;
use crate::support::world::files;

const SOON: Duration = Duration::from_secs(20);

fn demo() -> World {
    let world = World::new();
    world.netsky(["up", "0", "--agent", "demo"]).run().expect(0);
    world
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
