//! Files that are read while agents run.

use std::fs;
use std::path::PathBuf;

use super::checks::{
    archived, counted_on, environment, follows, hears, nothing_else, remembered, seen, stirs, taken, terms,
};
use super::course::{Call, call, inside};
use super::kept::{Kept, Lives};
use super::kinds::Kind;
use super::places::{self, CLAIMED, Place, TEXT, begin, claim};
use crate::support::World;
use crate::support::world::files;

const LOOKS: &[Call] = &[call(&["status"]), call(&["status", "--json"]), call(&["up", "--json"])];
const RESTART: &[Call] = &[call(&["restart", "--json"])];
const DOWN: &[Call] = &[call(&["down", "--json"])];
const DOWN_ONE: &[Call] = &[call(&["down", "agent1"])];
const SEND: &[Call] = &[call(&["send", "agent0", TEXT]), call(&["up"])];
const HOOK: &[Call] = &[inside(&["hook", "UserPromptSubmit"]), call(&["up"])];

pub const ALL: &[Kept] = &[
    EPOCHS,
    WHAT_SHOULD_RUN,
    WHAT_WAS_SPAWNED,
    BOTH,
    restart("what should run, then restart", WHAT_SHOULD_RUN),
    restart("what was spawned, then restart", WHAT_WAS_SPAWNED),
    restart("what should run and what was spawned, then restart", BOTH),
    down("what should run, then down", WHAT_SHOULD_RUN),
    down("what was spawned, then down", WHAT_WAS_SPAWNED),
    down("what should run and what was spawned, then down", BOTH),
    down_one("what should run, then down of one", WHAT_SHOULD_RUN),
    down_one("what was spawned, then down of one", WHAT_WAS_SPAWNED),
    down_one("what should run and what was spawned, then down of one", BOTH),
    send("what should run, then send", WHAT_SHOULD_RUN),
    send("what was spawned, then send", WHAT_WAS_SPAWNED),
    send("what should run and what was spawned, then send", BOTH),
    configured("what should run by the configuration", WHAT_SHOULD_RUN),
    configured("what should run and was spawned by the configuration", BOTH),
    Kept { name: "what was spawned, to a hook", kinds: Kind::FEW, course: HOOK, ..WHAT_WAS_SPAWNED },
    Kept {
        name: "the owner's environment",
        files: |world| at(world, "state/environment.json"),
        course: &[call(&["status", "--json"]), inside(&["up"])],
        check: environment,
        ..EPOCHS
    },
    BEACON,
    Kept { name: "a beacon, then a message", kinds: Kind::FEW, check: stirs, ..BEACON },
    RECORD,
    Kept { name: "a record that has ended, to status", course: LOOKS, ..RECORD },
    restart("a record that has ended, then restart", RECORD),
    Kept { name: "a record without an end", begin: with_an_open_record, course: LOOKS, ..RECORD },
    Kept {
        name: "who holds the lock",
        files: |world| at(world, "state/restart.lock"),
        kinds: Kind::WITHOUT_VERSION,
        check: nothing_else,
        ..WRITTEN_ANEW
    },
    WRITTEN_ANEW,
    restart("a launch order, then restart", WRITTEN_ANEW),
    TERMS,
    Kept { name: "the terms of hooks, then a message", kinds: Kind::FEW, check: hears, ..TERMS },
    Kept {
        name: "a briefing",
        files: |world| at(world, "state/prompts/agent0.md"),
        kinds: Kind::OF_BYTES,
        check: hears,
        ..WRITTEN_ANEW
    },
    Kept {
        name: "the log of events",
        begin: |world| {
            begin(world);
            fs::write(world.home.join("log/events.jsonl"), "{\"event\":\"one\"}\n").unwrap();
        },
        files: |world| at(world, "log/events.jsonl"),
        kinds: Kind::OF_BYTES,
        check: hears,
        ..WRITTEN_ANEW
    },
    Kept {
        name: "the record of a draft",
        begin: with_a_draft,
        files: |world| at(world, "handoff/draft/agent0.json"),
        kinds: Kind::FEW,
        course: RESTART,
        lives: Lives::Anew,
        check: taken,
        ..EPOCHS
    },
    Kept {
        name: "the record of a claim",
        begin: |world| {
            begin(world);
            claim(world, TEXT.as_bytes());
        },
        files: |world| vec![world.home.join(format!("handoff/claims/{CLAIMED}-from-owner.json"))],
        course: &[call(&["status", "--json"]), call(&["handoff", "list", "--json"]), call(&["up"])],
        check: taken,
        ..EPOCHS
    },
    Kept {
        name: "the archive",
        begin: |world| {
            begin(world);
            world.netsky(["send", "agent0", TEXT]).run().expect(0);
            assert!(taken(world, "before").is_empty(), "{:?}", world.envelopes());
        },
        files: |world| {
            files(&world.home.join("handoff/archive")).into_iter().filter(|path| path.is_file()).collect()
        },
        course: &[call(&["handoff", "list", "--json"]), call(&["up"])],
        check: archived,
        ..EPOCHS
    },
];

const EPOCHS: Kept = Kept {
    name: "owner epochs",
    place: Place::Running,
    begin,
    files: |world| at(world, "state/owner-epochs.json"),
    kinds: Kind::ALL,
    course: LOOKS,
    lies_aside: true,
    lives: Lives::On,
    check: counted_on,
};

const DESIRED: &str = "state/desired.json";
const AGENTS: &str = "state/agents.json";

const WHAT_SHOULD_RUN: Kept =
    Kept { name: "what should run", files: |world| at(world, DESIRED), check: remembered, ..EPOCHS };

const WHAT_WAS_SPAWNED: Kept =
    Kept { name: "what was spawned", files: |world| at(world, AGENTS), ..WHAT_SHOULD_RUN };

const BOTH: Kept = Kept {
    name: "what should run and what was spawned",
    files: |world| [DESIRED, AGENTS].map(|path| world.home.join(path)).into(),
    ..WHAT_SHOULD_RUN
};

pub const RECORD: Kept = Kept {
    name: "a record that has ended",
    files: |world| vec![record(world)],
    course: &[call(&["history"]), call(&["history", "--json"]), call(&["status", "--json"])],
    check: nothing_else,
    ..EPOCHS
};

const BEACON: Kept =
    Kept { name: "a beacon", files: |world| at(world, "state/beacons/agent0.json"), check: seen, ..EPOCHS };

const TERMS: Kept = Kept {
    name: "the terms of hooks",
    files: |world| at(world, "state/prompts/agent0.hook.json"),
    course: &[call(&["inbox", "next"]), call(&["up"])],
    check: terms,
    ..EPOCHS
};

/// It holds nothing of anybody's and is made again with every spawn, so it is not kept.
const WRITTEN_ANEW: Kept = Kept {
    name: "a launch order",
    files: |world| at(world, "state/prompts/agent0.launch.json"),
    kinds: Kind::FEW,
    lies_aside: false,
    check: nothing_else,
    ..EPOCHS
};

const fn restart(name: &'static str, kept: Kept) -> Kept {
    Kept { name, kinds: Kind::FEW, course: RESTART, lives: Lives::Anew, ..kept }
}

const fn configured(name: &'static str, kept: Kept) -> Kept {
    Kept { place: Place::Configured, check: follows, ..restart(name, kept) }
}

const fn down(name: &'static str, kept: Kept) -> Kept {
    Kept { name, kinds: Kind::FEW, course: DOWN, lives: Lives::Ended, ..kept }
}

const fn down_one(name: &'static str, kept: Kept) -> Kept {
    Kept { name, kinds: Kind::FEW, course: DOWN_ONE, lives: Lives::Root, ..kept }
}

const fn send(name: &'static str, kept: Kept) -> Kept {
    Kept {
        name,
        kinds: Kind::FEW,
        course: SEND,
        check: |world, what| [taken(world, what), remembered(world, what)].concat(),
        ..kept
    }
}

fn at(world: &World, path: &str) -> Vec<PathBuf> {
    vec![world.home.join(path)]
}

fn record(world: &World) -> PathBuf {
    let kept = places::kept_record(world);
    world.home.join("state/restart-status").join(kept.file_name().unwrap())
}

fn with_an_open_record(world: &World) {
    begin(world);
    let ended = fs::read_to_string(record(world)).unwrap();
    let open =
        ended.replace("\"phase\":\"complete\",\"exit_code\":0", "\"phase\":\"spawned\",\"exit_code\":null");
    assert_ne!(open, ended);
    fs::write(record(world), open).unwrap();
}

fn with_a_draft(world: &World) {
    begin(world);
    let draft = world.write("draft.md", TEXT);
    let words = ["handoff", "write", "--agent", "agent0", draft.to_str().unwrap()];
    world.netsky(words).run().expect(0);
}
