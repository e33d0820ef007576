//! Hand-overs and messages, whatever time it is: in the order in which they were given, and none pruned that is due.

use std::fs;
use std::time::Duration;

use serde_json::Value;

use super::configured;
use crate::clock::{self, Jump};
use crate::strace::{self, Point};
use crate::support::World;
use crate::support::world::{self, files};
use crate::sweep::{Finding, Harm, Run};

/// By turns under the jump and without it, with fewer kept than are given.
pub fn in_their_order(run: &Run, jump: Jump) -> Vec<Finding> {
    let mut found = Vec::new();
    for keep in ["1", "3"] {
        found.extend(given_in_order(run, jump, keep));
    }
    found
}

fn given_in_order(run: &Run, jump: Jump, keep: &str) -> Vec<Finding> {
    let mut world = configured(run, "");
    world.set("NETSKY_HANDOFF_KEEP", keep);
    let mut given = Vec::new();
    for (number, jump) in [Some(jump), None, Some(jump), None, None].into_iter().enumerate() {
        let call = world.netsky(["handoff", "deliver", "-", "--json"]).stdin(format!("text {number}"));
        let sent = clock::under(call, jump).run().expect(0).json();
        given.push(sent["deliveries"][0]["id"].clone());
    }
    let mut found = Vec::new();
    let listed = ids(&world, &["inbox", "list", "--json"], "envelopes");
    if listed != given {
        found.push((Harm::Lost, format!("keep = {keep}: given {given:?}, the inbox lists {listed:?}")));
    }
    let archived = ids(&world, &["handoff", "list", "--json"], "handoffs");
    let newest = &given[given.len() - keep.parse::<usize>().unwrap()..];
    if archived != newest {
        found.push((Harm::Lost, format!("keep = {keep}: given {given:?}, the archive keeps {archived:?}")));
    }
    for number in 0..given.len() {
        let shown = clock::under(world.netsky(["inbox", "next"]), Some(jump)).run().expect(0).stdout;
        if !shown.contains(&format!("\ntext {number}\n")) {
            found.push((
                Harm::Lost,
                format!("keep = {keep}: text {number} is due and this is shown: {shown}"),
            ));
        }
    }
    found
}

fn ids(world: &World, verb: &[&str], list: &str) -> Vec<Value> {
    let document = world.netsky(verb.iter().copied()).run().expect(0).json();
    document[list].as_array().unwrap().iter().map(|row| row["id"].clone()).collect()
}

/// A hand-over that is archived and somebody is about to put into the inbox.
pub fn live_claim(run: &Run, jump: Jump) -> Vec<Finding> {
    let mut world = configured(run, "");
    world.set("NETSKY_HANDOFF_KEEP", "1");
    world.write("note.md", "alive");
    // The third link is the inbox's: after those of the record and of the archive.
    let before_the_inbox = Point { call: "linkat".to_owned(), nth: 3 };
    let mut command = strace::striking(&world, &before_the_inbox, "signal=SIGKILL", run.netsky());
    command.args(["handoff", "deliver", "note.md"]);
    world.call(command).run().expect(137);
    let archived = files(&world.home.join("handoff/archive")).into_iter().find(|path| is_json(path)).unwrap();
    let record = files(&world.home.join("handoff/claims")).into_iter().find(|path| is_json(path)).unwrap();
    let held = fs::File::open(record).unwrap();
    held.lock().unwrap();
    for jump in [Some(jump), None, Some(jump)] {
        let call = world.netsky(["handoff", "deliver", "-"]).stdin("another");
        clock::under(call, jump).run().expect(0);
    }
    let mut found = Vec::new();
    if !archived.exists() {
        found.push((Harm::Lost, "the envelope of a live claim was pruned".to_owned()));
    }
    drop(held);
    clock::under(world.netsky(["handoff", "prune"]), Some(jump)).run().expect(0);
    let mut texts = files(&world.home.join("inbox/agent0"));
    texts.retain(|path| is_json(path));
    let alive =
        texts.iter().filter(|path| fs::read_to_string(path).is_ok_and(|text| text.contains("alive"))).count();
    if alive != 1 {
        found.push((Harm::Lost, format!("it is in the inbox {alive} times")));
    }
    found
}

fn is_json(path: &std::path::Path) -> bool {
    path.extension().is_some_and(|extension| extension == "json")
}

/// The draft that was written last is the one that is handed over.
pub fn newest_draft(run: &Run, jump: Jump) -> Vec<Finding> {
    let world = configured(run, "");
    world.netsky(["up", "0"]).run().expect(0);
    for (text, jump) in [("early", Some(jump)), ("late", None)] {
        let call = world.netsky(["handoff", "write", "--agent", "agent0", "-"]).stdin(text);
        clock::under(call, jump).run().expect(0);
    }
    clock::under(world.netsky(["restart", "0"]), Some(jump)).run().expect(0);
    let handoffs = world.netsky(["handoff", "list", "--json"]).run().expect(0).json();
    let heads: Vec<&Value> =
        handoffs["handoffs"].as_array().unwrap().iter().map(|row| &row["head"]).collect();
    if heads != [&Value::from("late")] {
        return vec![(Harm::Lost, format!("handed over: {heads:?}"))];
    }
    Vec::new()
}

/// An agent that came up before the jump is left alone after it, and nudged, and what it is sent is taken.
pub fn nudged(run: &Run, jump: Jump) -> Vec<Finding> {
    let mut world = configured(run, "");
    clock::install(&mut world);
    world.netsky(["up", "0"]).run().expect(0);
    let pid = world.pane_pid("agent0");
    let mut found = Vec::new();
    for (number, jump) in [Some(jump), None].into_iter().enumerate() {
        clock::set(&world, jump);
        let up = world.netsky(["up", "0"]).run();
        if up.code != 0 || world.pane_pid("agent0") != pid {
            found.push((Harm::Other, format!("up did not leave agent0 alone: {} {}", up.code, up.stderr)));
        }
        let sent = world.netsky(["send", "agent0", "look here", "--json"]).run().expect(0).json();
        let is_taken = || (world.envelopes()[2].len() > number).then_some(());
        let taken = world::wait(Duration::from_secs(10), &mut { is_taken });
        if taken.is_none() || sent["deliveries"][0]["nudge"] != "typed" {
            found.push((Harm::Other, format!("sent {sent}, taken {:?}", world.envelopes())));
        }
        world.wait("agent0 is idle", Duration::from_secs(10), || {
            (world.state_of("agent0") == "idle").then_some(())
        });
    }
    found
}
