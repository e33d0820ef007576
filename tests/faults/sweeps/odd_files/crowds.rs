//! All odd things in one place at once, while agents are started, restarted and stopped over it.

use super::super::complaint;
use super::super::verbs::places::CONFIG;
use super::places::Place;
use super::things::{Planted, Thing};
use super::visits::LIMIT;
use crate::recovery;
use crate::sweep::{Finding, Harm, Run};

pub fn findings(run: &Run, place: &Place, things: &[Thing]) -> Vec<Finding> {
    let mut world = run.world();
    world.set("NETSKY_HANDOFF_KEEP", "1");
    world.configure(&CONFIG.replace("[restart]", "[restart]\nstatus_keep = 1"));
    world.netsky(["up", "0"]).within(LIMIT).run().expect(0);
    let elsewhere = tempfile::tempdir().unwrap();
    // Of things with one of our names there can be as many as there are names: each has one of its own.
    let crowd: Vec<Planted> = things
        .iter()
        .enumerate()
        .filter(|(_, thing)| !thing.is_file_of_ours() && place.own != Some(**thing))
        .map(|(number, thing)| {
            let dir = elsewhere.path().join(number.to_string());
            thing.plant(&place.path(&world), &numbered(place.names[0], number), &dir)
        })
        .collect();
    let mut found = Vec::new();
    let note = world.write("note.md", "through the crowd");
    for words in [
        &["restart", "0", "--handoff", "note.md"][..],
        &["restart", "0"],
        &["up", "1"],
        &["handoff", "deliver", "-"],
        &["down"],
    ] {
        let what = format!("a crowd in {}: {}", place.dir, words.join(" "));
        let ran = world.netsky(words.iter().copied()).within(LIMIT).stdin("and this").run();
        found.extend(complaint::findings(&ran, &what));
        if ran.code != 0 {
            found.push((Harm::Other, format!("{what}: {} {}", ran.code, ran.stderr.trim())));
        }
        let harmed = crowd.iter().filter_map(|planted| Some((planted.thing, planted.harm()?)));
        found.extend(harmed.map(|(thing, harm)| (Harm::Other, format!("{what}: {thing:?}: {harm}"))));
    }
    let what = format!("a crowd in {}", place.dir);
    let mut arrived = recovery::envelopes_of(&world, "agent0");
    // Of the crowd nothing is opened here either: a FIFO would be waited for.
    arrived.retain(|path| path.symlink_metadata().is_ok_and(|metadata| metadata.is_file()));
    let texts: Vec<String> = arrived.iter().filter_map(|path| recovery::text_of(path)).collect();
    for text in ["through the crowd", "and this"] {
        if !texts.iter().any(|arrived| arrived == text) && place.dir != "handoff/archive" || note.exists() {
            found.push((Harm::Lost, format!("{what}: {text:?} is not in {texts:?}")));
        }
    }
    found.extend(recovery::lock(&world, &what));
    found
}

/// The same name with another number in it, where there is a number of many digits, or one that ends it.
fn numbered(name: &str, number: usize) -> String {
    match name.find("000000") {
        Some(at) => format!("{}{number:06}{}", &name[..at], &name[at + 6..]),
        None => {
            name.replace('7', &(70 + number).to_string()).replace("gave-up", &format!("gave-up-{number}"))
        }
    }
}
