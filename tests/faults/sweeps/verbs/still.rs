//! The verbs that need nobody to run: the inbox, hooks, drafts, settings.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::Value;

use super::places::*;
use super::running::DELIVER;
use super::{UNTOUCHED, Verb};
use crate::recovery;
use crate::support::World;
use crate::support::world::{Ran, files};
use crate::sweep::{Finding, Harm};

pub const NEXT: Verb = Verb {
    name: "inbox next",
    place: Place::Still,
    begin: begin_with_mail,
    arguments: |_| ["inbox", "next"].map(OsString::from).into(),
    judge: |world, ran, what| {
        let printed = ran.stdout.contains(TEXT);
        let mut found = Vec::new();
        if ran.code == 0 && !printed {
            found = lie(what, "nothing was printed");
        }
        found.extend(shown_means_printed(world, printed, what));
        let again = world.netsky(["inbox", "next"]).run();
        let is_known = printed || again.stdout.contains(TEXT);
        if again.code != 0 || !is_known {
            found.push((Harm::Lost, format!("{what}: then {again:?}")));
        }
        found.extend(recovery::hand_over(world, &note(world), TEXT, what));
        found
    },
    ..DELIVER
};

pub const DONE: Verb = Verb {
    name: "inbox done",
    prints: false,
    arguments: |world| {
        let id = envelope_id(world);
        ["inbox".to_owned(), "done".to_owned(), id].map(OsString::from).into()
    },
    judge: |world, ran, what| {
        let taken = |world: &World| world.envelopes()[2].len() == 1;
        let mut found = Vec::new();
        if ran.code == 0 && !taken(world) {
            found = lie(what, &format!("{:?}", world.envelopes()));
        }
        found.extend(recovery::hand_over(world, &note(world), TEXT, what));
        if found.is_empty() && world.netsky((DONE.arguments)(world)).run().code != 0 || !taken(world) {
            found.push((Harm::Other, format!("{what}: cannot be done again")));
        }
        found
    },
    ..NEXT
};

pub const HOOK: Verb = Verb {
    name: "hook",
    follow: true,
    stdin: "{}",
    arguments: |_| ["hook", "UserPromptSubmit"].map(OsString::from).into(),
    marks: |world| {
        let spawned = read_json(&world.home.join("state/agents.json"));
        let generation = spawned["agents"]["agent0"]["generation"].as_str().unwrap();
        vec![("NETSKY_AGENT", "agent0".to_owned()), ("NETSKY_GENERATION", generation.to_owned())]
    },
    judge: hooked,
    ..NEXT
};

pub const WRITE: Verb = Verb {
    name: "handoff write",
    prints: false,
    begin: |world| {
        begin_with_note(world);
        for file in files(&world.home.join("handoff/draft")) {
            fs::remove_file(file).unwrap();
        }
    },
    arguments: |world| words(&["handoff", "write", "--agent", "agent0"], &note(world)),
    judge: |world, ran, what| {
        let draft = world.home.join("handoff/draft/agent0.md");
        let written = |world: &World| {
            let record = fs::read(world.home.join("handoff/draft/agent0.json")).unwrap_or_default();
            let record: Value = serde_json::from_slice(&record).unwrap_or_default();
            fs::read_to_string(&draft).is_ok_and(|text| text == TEXT) && record["generation"].is_string()
        };
        let mut found = Vec::new();
        if ran.code == 0 && !written(world) {
            found = lie(what, "the draft is not there");
        }
        if draft.exists() && fs::read_to_string(&draft).unwrap() != TEXT {
            found.push((Harm::Torn, format!("{what}: the draft is half there")));
        }
        world.netsky((WRITE.arguments)(world)).run();
        if !written(world) || !note(world).exists() {
            found.push((Harm::Lost, format!("{what}: the draft cannot be written any more")));
        }
        found
    },
    ..NEXT
};

pub const TRUST: Verb = Verb {
    name: "trust",
    prints: false,
    begin: |world| fs::write(world.home.join("config.toml"), CONFIG).unwrap(),
    arguments: |world| words(&["trust"], &world.work),
    judge: |world, ran, what| {
        let trusted = |world: &World| {
            let config = fs::read_to_string(world.home.join("config.toml")).unwrap();
            (config.contains(world.work.to_str().unwrap()), config)
        };
        let (is_trusted, config) = trusted(world);
        let mut found = Vec::new();
        if ran.code == 0 && !is_trusted {
            found = lie(what, &config);
        }
        if !is_trusted && config != CONFIG {
            found.push((Harm::Torn, format!("{what}: {config}")));
        }
        let again = world.netsky((TRUST.arguments)(world)).run();
        if again.code != 0 || !trusted(world).0 {
            found.push((Harm::Other, format!("{what}: then {again:?}")));
        }
        found
    },
    ..NEXT
};

pub const SHOW: Verb = Verb {
    name: "config show",
    begin: |world| fs::write(world.home.join("config.toml"), CONFIG).unwrap(),
    arguments: |_| ["config", "show", "--json"].map(OsString::from).into(),
    judge: |world, ran, what| {
        let expected = world.netsky((SHOW.arguments)(world)).run().expect(0);
        if ran.code == 0 && ran.stdout != expected.stdout { lie(what, &ran.stdout) } else { Vec::new() }
    },
    ..NEXT
};

pub const INIT: Verb = Verb {
    name: "init",
    prints: false,
    place: Place::Bare,
    begin: |world| {
        if world.home.exists() {
            fs::remove_dir_all(&world.home).unwrap();
        }
    },
    arguments: |_| ["init", "--yes", "--agent", "demo", "--no-commands"].map(OsString::from).into(),
    judge: |world, ran, what| {
        let mut found = Vec::new();
        if ran.code != 0 && !world.home.join("config.toml").exists() {
            let again = world.netsky((INIT.arguments)(world)).run();
            if again.code != 0 {
                found.push((Harm::Other, format!("{what}: then {again:?}")));
            }
        }
        let check = world.netsky(["config", "check"]).run();
        if check.code != 0 || !world.home.join("home.json").exists() {
            let harm = if ran.code == 0 { Harm::FalseSuccess } else { Harm::Torn };
            found.push((harm, format!("{what}: {check:?}")));
        }
        found
    },
    ..NEXT
};

/// No agent is ever failed, what it is told is not counted before it is told, and what went wrong is in the log.
pub const HISTORY: Verb = Verb {
    name: "history",
    prints: true,
    only_looks: true,
    begin: |world| {
        wipe(world);
        let dir = world.home.join("state/restart-status");
        let file = dir.join(format!("20261120T190000Z-{RECORDED}.json"));
        fs::write(&file, RECORD).unwrap();
        fs::set_permissions(file, fs::Permissions::from_mode(0o600)).unwrap();
    },
    arguments: |_| ["history", "--json"].map(OsString::from).into(),
    judge: |_, ran, what| {
        if ran.code == 0 && !ran.stdout.contains(RECORDED) { lie(what, &ran.stdout) } else { Vec::new() }
    },
    ..NEXT
};

pub const LIST: Verb = Verb {
    name: "handoff list",
    begin: begin_with_mail,
    arguments: |_| ["handoff", "list", "--json"].map(OsString::from).into(),
    judge: |world, ran, what| {
        let is_listed = ran.stdout.contains(&envelope_id(world));
        if ran.code == 0 && !is_listed { lie(what, &ran.stdout) } else { Vec::new() }
    },
    ..HISTORY
};

/// A restart of another day.
const RECORD: &str = include_str!("../../../formats/v1/restart-record-complete.json");
const RECORDED: &str = "01KAGPQWR0F4XZV3N6M8T2J5CA";

fn hooked(world: &World, ran: &Ran, what: &str) -> Vec<Finding> {
    let mut found = Vec::new();
    if ran.code != 0 {
        found.push((Harm::Other, format!("{what}: it failed its agent: {} {}", ran.code, ran.stderr)));
    }
    let beacon = fs::read(world.home.join("state/beacons/agent0.json")).ok();
    let event = beacon.as_ref().map(|bytes| serde_json::from_slice::<Value>(bytes).unwrap_or_default());
    if event.as_ref().is_some_and(|beacon| beacon["event"] != "UserPromptSubmit") {
        found.push((Harm::Torn, format!("{what}: the beacon is {event:?}")));
    }
    let printed = ran.stdout.contains(TEXT);
    found.extend(shown_means_printed(world, printed, what));
    let is_said = ran.stderr.contains("netsky: ");
    let is_logged = fs::read_to_string(world.home.join("log/events.jsonl"))
        .is_ok_and(|log| log.contains("\"hook-failed\"") || log.contains("\"unreadable\""));
    let is_whole = event.is_some() && printed && world.envelopes()[1].len() == 1;
    // Where more than one thread was struck, the log may have been.
    let is_explained = (is_logged || is_said) && what != UNTOUCHED;
    if !is_whole && !is_explained && struck(world).len() < 2 {
        found.extend(lie(what, &format!("something failed and nothing says so: {ran:?}")));
    }
    found
}

fn shown_means_printed(world: &World, printed: bool, what: &str) -> Vec<Finding> {
    let [new, ..] = world.envelopes();
    if printed || new.len() == 1 {
        return Vec::new();
    }
    vec![(Harm::Lost, format!("{what}: it counts as shown and was not printed: {:?}", world.envelopes()))]
}

fn envelope_id(world: &World) -> String {
    let name = world.envelopes().concat().pop().unwrap();
    name.split('-').next().unwrap().to_owned()
}
