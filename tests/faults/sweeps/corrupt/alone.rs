//! Files of another sort, each with a course of its own: the owner's, texts without a form, orders.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::super::clocks::restarts;
use super::checks::remembered;
use super::course::{self, Call, call, inside};
use super::kept::Broken;
use super::kinds::Kind;
use super::places::{self, CLAIMED, CONFIG, Place, TEXT, aside, begin, claim, living};
use crate::recovery;
use crate::support::World;
use crate::support::world::{Ran, files};
use crate::sweep::{Finding, Harm};

/// One file.
pub struct Alone {
    pub name: &'static str,
    pub place: Place,
    pub kinds: &'static [Kind],
    pub attempt: fn(&World, Kind, &str) -> Vec<Finding>,
}

pub const ALL: &[Alone] = &[
    Alone { name: "home.json", place: Place::Running, kinds: Kind::ALL, attempt: home_file },
    Alone { name: "config.toml", place: Place::Running, kinds: CONFIG_KINDS, attempt: config },
    Alone { name: "a draft", place: Place::Running, kinds: Kind::OF_BYTES, attempt: draft },
    Alone { name: "a claim", place: Place::Running, kinds: Kind::OF_BYTES, attempt: claimed },
    Alone {
        name: "the record of a restart in flight",
        place: Place::Slow,
        kinds: Kind::FEW,
        attempt: record_in_flight,
    },
    Alone {
        name: "what is spawned in flight",
        place: Place::Slow,
        kinds: Kind::FEW,
        attempt: spawned_in_flight,
    },
    Alone { name: "who is in flight", place: Place::Slow, kinds: HOLDER_KINDS, attempt: holder_in_flight },
    Alone { name: "an order for a supervisor", place: Place::Still, kinds: Kind::ALL, attempt: order },
];

/// TOML knows duplicate keys, numbers and types too, and no version.
const CONFIG_KINDS: &[Kind] = &[
    Kind::Empty,
    Kind::Half,
    Kind::Zeros,
    Kind::Nul,
    Kind::Deep,
    Kind::DuplicateKeys,
    Kind::HugeNumber,
    Kind::ByteOrderMark,
    Kind::Array,
    Kind::Text,
    Kind::Null,
    Kind::WrongTypes,
    Kind::Trailing,
    Kind::NotUtf8,
    Kind::Blanks,
];

/// Nothing else is told of a file that is a hint alone.
const HOLDER_KINDS: &[Kind] = &[Kind::Half, Kind::Deep, Kind::Blanks];

fn other(found: &mut Vec<Finding>, holds: bool, why: impl FnOnce() -> String) {
    if !holds {
        found.push((Harm::Other, why()));
    }
}

fn refused(code: i32, words: &'static [&'static str]) -> Call {
    Call { code, ..call(words) }
}

/// Whose the home is, nobody else can say: it is refused by name and left as it is, and what is to be typed repairs it.
fn home_file(world: &World, kind: Kind, what: &str) -> Vec<Finding> {
    begin(world);
    let (path, before) = (world.home.join("home.json"), living(world));
    let whole = fs::read(&path).unwrap();
    let bytes = kind.of(&whole);
    fs::write(&path, &bytes).unwrap();
    let (mut found, mut hint) = (Vec::new(), String::new());
    for verb in [
        refused(78, &["status", "--json"]),
        refused(78, &["up"]),
        refused(78, &["restart"]),
        refused(78, &["send", "agent0", TEXT]),
        refused(78, &["history"]),
        inside(&["hook", "UserPromptSubmit"]),
    ] {
        let ran = verb.run(world);
        found.extend(verb.findings(&ran, what));
        other(&mut found, ran.stderr.contains("home.json"), || {
            format!("{what}: it is not named: {}", ran.stderr)
        });
        hint = hint_of(&ran).unwrap_or(hint);
    }
    other(&mut found, fs::read(&path).unwrap() == bytes, || format!("{what}: it was written"));
    other(&mut found, living(world) == before, || format!("{what}: there live {:?}", living(world)));
    if kind == Kind::OtherVersion {
        fs::write(&path, whole).unwrap();
    } else {
        let mut shell = Command::new("sh");
        shell.args(["-c", &hint]);
        let ran = world.call(shell).run();
        let kept = path.with_extension("json.corrupt");
        other(&mut found, fs::read(&kept).is_ok_and(|kept| kept == bytes), || {
            format!("{what}: {hint}: {ran:?}")
        });
        fs::remove_file(kept).unwrap_or_default();
    }
    let up = call(&["up"]);
    found.extend(up.findings(&up.run(world), what));
    other(&mut found, living(world) == before, || format!("{what}: after up there live {:?}", living(world)));
    found.extend(places::home(world, what));
    found
}

/// What netsky says is to be typed.
fn hint_of(ran: &Ran) -> Option<String> {
    ran.stderr.lines().find_map(|line| line.trim().strip_prefix("hint: ")).map(str::to_owned)
}

/// The owner's own: an error with its line where it is none, and never touched.
fn config(world: &World, kind: Kind, what: &str) -> Vec<Finding> {
    begin(world);
    let (path, before) = (world.home.join("config.toml"), living(world));
    let bytes = match kind {
        Kind::DuplicateKeys => [CONFIG, "[restart]\nup_wait = \"1s\"\n"].concat().into_bytes(),
        Kind::HugeNumber => CONFIG.replace("clones = 0", "clones = 1e999").into_bytes(),
        Kind::WrongTypes => CONFIG.replace("clones = 0", "clones = [[]]").into_bytes(),
        kind => kind.of(CONFIG.as_bytes()),
    };
    fs::write(&path, &bytes).unwrap();
    // Nothing in it is a configuration too.
    let is_one = matches!(kind, Kind::Empty | Kind::ByteOrderMark);
    let mut found = Vec::new();
    for words in
        [&["status", "--json"][..], &["config", "check"], &["restart", "--dry-run"], &["up", "--dry-run"]]
    {
        let ran = world.netsky(words.iter().copied()).run();
        let verb = refused(if is_one { ran.code } else { 78 }, &["config"]);
        found.extend(verb.findings(&ran, what));
        let is_named =
            is_one || names_a_line(&ran, &path) || kind == Kind::Blanks && ran.stderr.contains("config.toml");
        other(&mut found, is_named, || {
            format!("{what}: {words:?}: it is not named: {} {}", ran.code, ran.stderr)
        });
    }
    let sent = call(&["inbox", "list", "--json"]);
    found.extend(sent.findings(&sent.run(world), what));
    other(&mut found, fs::read(&path).unwrap() == bytes, || format!("{what}: it was written"));
    other(&mut found, living(world) == before, || format!("{what}: there live {:?}", living(world)));
    fs::write(&path, CONFIG).unwrap();
    found.extend(places::home(world, what));
    found
}

fn names_a_line(ran: &Ran, path: &Path) -> bool {
    let named = format!("{}:", path.display());
    let after = [&ran.stdout, &ran.stderr]
        .into_iter()
        .find_map(|text| text.split_once(&named).map(|(_, after)| after));
    after.is_some_and(|after| after.starts_with(|c: char| c.is_ascii_digit()))
}

/// A text without a form: it is handed over as it is, or refused before anything is torn down, and stays.
fn draft(world: &World, kind: Kind, what: &str) -> Vec<Finding> {
    begin(world);
    let draft = world.write("draft.md", TEXT);
    world.netsky(["handoff", "write", "--agent", "agent0", draft.to_str().unwrap()]).run().expect(0);
    let (path, before) = (world.home.join("handoff/draft/agent0.md"), living(world));
    let bytes = kind.of(TEXT.as_bytes());
    fs::write(&path, &bytes).unwrap();
    let restart =
        if kind == Kind::Blanks { refused(1, &["restart", "--json"]) } else { call(&["restart", "--json"]) };
    let ran = restart.run(world);
    let mut found = restart.findings(&ran, what);
    match kind {
        Kind::Blanks => {
            let is_named = ran.stderr.contains("agent0.md") && ran.stderr.contains("larger");
            other(&mut found, is_named && living(world) == before, || format!("{what}: {ran:?}"));
            other(&mut found, fs::read(&path).unwrap() == bytes, || {
                format!("{what}: it is not where it was")
            });
        }
        Kind::Empty => {
            other(&mut found, world.envelopes().concat().is_empty(), || format!("{what}: {ran:?}"))
        }
        _ => found.extend(handed_over(world, &bytes, what)),
    }
    found.extend(places::home(world, what));
    found
}

/// agent0 has the bytes, once.
fn handed_over(world: &World, bytes: &[u8], what: &str) -> Vec<Finding> {
    let envelopes = recovery::envelopes_of(world, "agent0");
    let shown = |path: &PathBuf| {
        let (id, _) = path.file_name().unwrap().to_str().unwrap().split_once('-').unwrap();
        world.netsky(["handoff", "show", id]).run().expect(0).bytes[0].clone()
    };
    match &envelopes[..] {
        [path] if shown(path) == bytes => Vec::new(),
        _ => vec![(Harm::Lost, format!("{what}: {envelopes:?}"))],
    }
}

/// What was taken and not yet delivered. One in which nothing is, or too much for anybody, lies aside; any other bytes
/// may be what somebody wrote.
fn claimed(world: &World, kind: Kind, what: &str) -> Vec<Finding> {
    begin(world);
    claim(world, TEXT.as_bytes());
    let path = world.home.join(format!("handoff/claims/{CLAIMED}-from-owner"));
    let broken = Broken::make(path.clone(), kind);
    let bytes = fs::read(&path).unwrap();
    let is_hopeless = matches!(kind, Kind::Empty | Kind::Blanks);
    let (mut found, mut stderr) = (Vec::new(), String::new());
    for verb in [call(&["status", "--json"]), call(&["up"]), call(&["up"])] {
        let ran = verb.run(world);
        found.extend(verb.findings(&ran, what));
        stderr.push_str(&ran.stderr);
    }
    found.extend(broken.findings(is_hopeless, &stderr, what));
    other(&mut found, stderr.matches("could not be delivered").count() == usize::from(is_hopeless), || {
        format!("{what}: {stderr}")
    });
    if !is_hopeless {
        found.extend(handed_over(world, &bytes, what));
    }
    found.extend(places::home(world, what));
    found
}

fn record_in_flight(world: &World, kind: Kind, what: &str) -> Vec<Finding> {
    let newest = |world: &World| {
        files(&world.home.join("state/restart-status")).into_iter().rfind(|path| path.is_file())
    };
    in_flight(world, kind, what, &|world| newest(world).unwrap())
}

fn spawned_in_flight(world: &World, kind: Kind, what: &str) -> Vec<Finding> {
    in_flight(world, kind, what, &|world| world.home.join("state/agents.json"))
}

fn holder_in_flight(world: &World, kind: Kind, what: &str) -> Vec<Finding> {
    in_flight(world, kind, what, &|world| world.home.join("state/restart.lock"))
}

/// Who is at work knows what it wrote, and writes it again; who looks on moves aside what is there at that moment and
/// never what comes after it.
fn in_flight(world: &World, kind: Kind, what: &str, file: &dyn Fn(&World) -> PathBuf) -> Vec<Finding> {
    begin(world);
    // The only record is the one that is made now.
    files(&world.home.join("state/restart-status"))
        .into_iter()
        .filter(|path| path.is_file())
        .for_each(|path| fs::remove_file(path).unwrap());
    let restart = world.netsky(["restart", "--json"]).start();
    restarts::await_spawned(world);
    let path = file(world);
    fs::write(&path, kind.of(&fs::read(&path).unwrap())).unwrap();
    let mut found = Vec::new();
    for verb in [call(&["status", "--json"]), refused(75, &["up"]), call(&["history", "--json"])] {
        found.extend(verb.findings(&verb.run(world), what));
    }
    let output = restart.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let record = world.record();
    let is_complete = output.status.code() == Some(0) && record["phase"] == "complete";
    other(&mut found, is_complete, || format!("{what}: {}: {said} {record}", output.status));
    let up = call(&["up"]);
    found.extend(up.findings(&up.run(world), what));
    found.extend(places::both_run(world, what));
    found.extend(remembered(world, what));
    found.extend(places::home(world, what));
    found
}

/// Whoever is given it says that there is none, and does nothing.
fn order(world: &World, kind: Kind, what: &str) -> Vec<Finding> {
    begin(world);
    let path = world.home.join("run/an-order");
    fs::write(&path, r#"{"version":1,"task":{"verb":"down","agents":null},"actor":"owner","dir":null,"umask":18,"caller_agent":null,"caller":{"pid":1,"started":1},"settings":{}}"#).unwrap();
    let broken = Broken::make(path.clone(), kind);
    let verb = refused(1, &["supervise"]);
    let ran = world.netsky(["supervise", path.to_str().unwrap()]).run();
    let mut found = verb.findings(&ran, what);
    found.extend(broken.findings(true, &ran.stderr, what));
    other(
        &mut found,
        course::said(&ran.stderr, &path) == 1 && !aside(&path).is_empty() || kind == Kind::Blanks,
        || format!("{what}: {ran:?}"),
    );
    found.extend(places::home(world, what));
    found
}
