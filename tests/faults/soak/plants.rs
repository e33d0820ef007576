//! Broken promises planted on purpose: a sampler that does not see them proves nothing.

use std::collections::BTreeMap;
use std::fs;
use std::process::{Command, Stdio};

use super::bystanders::STRANGE_GENERATION;
use super::course::Course;
use super::figures::Series;
use super::home;
use super::invariants::{Invariant, Sighting};
use super::mail::{Letter, Mail, Told, Way};
use super::settings::replace;
use crate::sweep::Harm;

/// An id that comes after all others.
const LATE_ID: &str = "7ZZZZZZZZZZZZZZZZZZZZZZZZZ";

type Plant = fn(&mut Course) -> bool;

const PLANTS: [(&str, Plant); 11] = [
    ("a second agent0", a_second_agent0),
    ("a clone that was taken down and lives", a_revived_clone),
    ("a lost envelope", a_lost_envelope),
    ("an envelope that was not archived", an_unarchived_envelope),
    ("a claim that came to nothing", a_lost_claim),
    ("a hand-over that never arrived", a_false_success),
    ("an envelope in two places", an_envelope_twice),
    ("a text under two ids", a_text_twice),
    ("a phase going backward", a_phase_backward),
    ("half a record", half_a_record),
    ("a figure that grows", a_growing_figure),
];

/// What cannot be undone and is planted last of all.
const LAST: (&str, Plant) = ("a bystander that was touched", a_touched_bystander);

/// Plants each of them, has it seen and takes it away; returns how many there are.
pub fn all(course: &mut Course) -> usize {
    PLANTS.into_iter().for_each(|plant| one(course, plant));
    PLANTS.len()
}

/// The same with what nothing comes after.
pub fn last(course: &mut Course) -> usize {
    one(course, LAST);
    1
}

fn one(course: &mut Course, (what, plant): (&str, Plant)) {
    course.sampler.looks_again();
    course.note_sightings();
    if !plant(course) {
        course.find(Harm::Other, format!("{what} was planted and not seen"));
    }
    // What is still reported of it is the plant.
    course.sampler.looks_again();
    drop(course.sampler.sightings());
}

fn sees(course: &Course, invariant: Invariant, words: &str) -> bool {
    let is_it = |sighting: &Sighting| sighting.invariant == invariant && sighting.what.contains(words);
    course.sampler.sees(is_it).is_some()
}

/// A process with an agent's marks, for as long as `seen` looks.
fn with_process(course: &Course, agent: &str, seen: impl FnOnce() -> bool) -> bool {
    let mut command = Command::new("sleep");
    command.arg("1000").env_clear().stdin(Stdio::null());
    command.env("NETSKY_HOME", &course.world.home).env("NETSKY_AGENT", agent);
    let mut child = command.env("NETSKY_GENERATION", STRANGE_GENERATION).spawn().unwrap();
    let seen = seen();
    child.kill().unwrap();
    child.wait().unwrap();
    seen
}

fn a_second_agent0(course: &mut Course) -> bool {
    with_process(course, "agent0", || sees(course, Invariant::OneLives, "agent0 "))
}

fn a_revived_clone(course: &mut Course) -> bool {
    let agent = course.agents_up().pop().unwrap();
    course.must(&["down", &agent], 0);
    course.sampler.watched().is_down(&agent);
    course.sampler.looks_again();
    let seen = with_process(course, &agent, || sees(course, Invariant::StaysDown, &format!("{agent} ")));
    course.sampler.watched().may_live(&agent);
    course.must(&["up", &agent], 0);
    seen
}

/// Takes a file away for as long as `seen` looks.
fn without(path: &std::path::Path, seen: impl FnOnce() -> bool) -> bool {
    let aside = path.with_extension("planted");
    fs::rename(path, &aside).unwrap();
    let seen = seen();
    fs::rename(&aside, path).unwrap();
    seen
}

fn settles_with(course: &mut Course, harm: Harm, words: &str) -> bool {
    let claimed = course.sampler.claimed();
    let found = course.mail.settle(&course.world.home, &claimed);
    found.iter().any(|(kind, what)| *kind == harm && what.contains(words))
}

fn newest_envelope(course: &Course) -> (String, std::path::PathBuf) {
    let inboxes = home::inboxes(&course.world.home);
    let (id, places) = inboxes.last_key_value().unwrap();
    (id.clone(), places[0].path.clone())
}

fn a_lost_envelope(course: &mut Course) -> bool {
    let (id, path) = newest_envelope(course);
    let aside = course.world.work.join("planted.json");
    fs::rename(&path, &aside).unwrap();
    let seen = settles_with(course, Harm::Lost, &id);
    fs::rename(&aside, &path).unwrap();
    seen
}

fn an_unarchived_envelope(course: &mut Course) -> bool {
    let (id, path) = newest_envelope(course);
    let archived = course.world.home.join("handoff/archive").join(path.file_name().unwrap());
    without(&archived, || settles_with(course, Harm::Lost, &id))
}

fn a_lost_claim(course: &mut Course) -> bool {
    let claim = course.world.home.join(format!("handoff/claims/{LATE_ID}-from-owner"));
    fs::write(&claim, "planted").unwrap();
    course.sampler.looks_again();
    fs::remove_file(&claim).unwrap();
    let seen = settles_with(course, Harm::Lost, LATE_ID);
    course.sampler.forget(LATE_ID);
    seen
}

fn a_false_success(course: &mut Course) -> bool {
    let mut mail = Mail::default();
    let (text, source) = ("planted".to_owned(), course.world.work.join("planted.md"));
    mail.give(Letter { text, way: Way::File, to: "agent0".to_owned(), source, told: Told::Taken });
    let found = mail.settle(&course.world.home, &BTreeMap::new());
    found.iter().any(|(harm, what)| *harm == Harm::FalseSuccess && what.contains("planted"))
}

fn an_envelope_twice(course: &mut Course) -> bool {
    let (id, path) = newest_envelope(course);
    let inbox = path.ancestors().find(|dir| dir.parent().unwrap().ends_with("inbox")).unwrap();
    let copy = inbox.join("cur").join(path.file_name().unwrap());
    fs::copy(&path, &copy).unwrap();
    let seen = sees(course, Invariant::OneCopy, &id) && settles_with(course, Harm::Doubled, &id);
    fs::remove_file(&copy).unwrap();
    seen
}

fn a_text_twice(course: &mut Course) -> bool {
    let (_, path) = newest_envelope(course);
    let copy = path.with_file_name(format!("{LATE_ID}-from-owner.json"));
    fs::copy(&path, &copy).unwrap();
    let seen = settles_with(course, Harm::Doubled, LATE_ID);
    fs::remove_file(&copy).unwrap();
    course.mail.forget(LATE_ID);
    seen
}

/// A record of nobody's restart, first as `before` and then as `after`.
fn record_becomes(course: &Course, before: &[u8], after: &[u8], words: &str) -> bool {
    let path = course.world.home.join(format!("state/restart-status/20990101T000000Z-{LATE_ID}.json"));
    replace(&path, before);
    course.sampler.looks_again();
    replace(&path, after);
    let seen = sees(course, Invariant::PhasesGoForward, words);
    fs::remove_file(&path).unwrap();
    seen
}

fn record(phases: &[&str]) -> Vec<u8> {
    let entries: Vec<String> = phases.iter().map(|phase| format!("{{\"phase\":\"{phase}\"}}")).collect();
    let last = phases.last().unwrap();
    format!("{{\"phase\":\"{last}\",\"pid\":1,\"exit_code\":null,\"phases\":[{}]}}", entries.join(","))
        .into_bytes()
}

fn a_phase_backward(course: &mut Course) -> bool {
    let before = record(&["preflight", "tearing-down", "spawned"]);
    record_becomes(course, &before, &record(&["preflight", "tearing-down"]), "from spawned")
}

fn half_a_record(course: &mut Course) -> bool {
    let whole = record(&["preflight"]);
    record_becomes(course, &whole, &whole[..whole.len() / 2], "no whole record")
}

/// One in a hundred a restart, which no single restart shows.
fn a_growing_figure(_: &mut Course) -> bool {
    let of = |growth: u64| Series {
        name: "planted",
        unit: "KiB",
        values: (0..200).map(|round| 20_000 + round * growth).collect(),
        slack: 1_024,
    };
    let is_flat = |series: Series| series.verdict(20, 20).unwrap().is_flat;
    is_flat(of(0)) && !is_flat(of(200))
}

fn a_touched_bystander(course: &mut Course) -> bool {
    course.sampler.watched().bystanders.end_one();
    let gone = sees(course, Invariant::OthersUntouched, "is gone");
    gone && sees(course, Invariant::OthersUntouched, "became")
}
