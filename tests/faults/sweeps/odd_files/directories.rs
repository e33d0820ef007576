//! A directory of netsky's that is a link or a file: refused by name before anything is torn down, and not followed.

use std::fs;
use std::os::unix::fs::symlink;

use super::super::complaint;
use super::super::verbs::places::{CONFIG, wait_for_idle};
use super::things::{Print, everything};
use super::visits::LIMIT;
use crate::recovery;
use crate::sweep::{Finding, Harm, Run};

/// What lies in place of a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Instead {
    Link,
    File,
}

pub struct Misplaced {
    dir: &'static str,
    instead: Instead,
    /// The verbs that need it.
    verbs: &'static [&'static [&'static str]],
}

const RESTART: &[&str] = &["restart", "0", "--handoff", "note.md"];
const SEND: &[&str] = &["send", "agent0", "a text"];
const NEXT: &[&str] = &["inbox", "next"];
const LIST: &[&str] = &["inbox", "list", "--all"];
const HANDOFFS: &[&str] = &["handoff", "list"];
const PRUNE: &[&str] = &["handoff", "prune"];
const DELIVER: &[&str] = &["handoff", "deliver", "note.md"];

const fn misplaced(
    dir: &'static str,
    instead: Instead,
    verbs: &'static [&'static [&'static str]],
) -> Misplaced {
    Misplaced { dir, instead, verbs }
}

pub const ALL: &[Misplaced] = &[
    misplaced("inbox/agent0", Instead::Link, &[RESTART, SEND, NEXT, LIST]),
    misplaced("inbox/agent0", Instead::File, &[RESTART, SEND, NEXT, LIST]),
    misplaced("inbox/agent0/cur", Instead::Link, &[RESTART, NEXT, LIST]),
    misplaced("inbox/agent0/cur", Instead::File, &[RESTART, NEXT, LIST]),
    misplaced("inbox/agent0/done", Instead::Link, &[RESTART, LIST, PRUNE]),
    misplaced("inbox/agent0/done", Instead::File, &[RESTART, LIST, PRUNE]),
    misplaced("inbox", Instead::Link, &[RESTART, SEND, DELIVER, PRUNE, HANDOFFS]),
    misplaced("handoff/claims", Instead::Link, &[RESTART, SEND, DELIVER, PRUNE, HANDOFFS]),
    misplaced("handoff/claims", Instead::File, &[RESTART, SEND, DELIVER, PRUNE, HANDOFFS]),
    misplaced("handoff/archive", Instead::Link, &[RESTART, SEND, DELIVER, PRUNE, HANDOFFS]),
    misplaced("state/restart-status", Instead::Link, &[RESTART, &["history"]]),
];

impl Misplaced {
    pub fn findings(&self, run: &Run) -> Vec<Finding> {
        let world = run.world();
        world.configure(CONFIG);
        world.netsky(["up", "0"]).within(LIMIT).run().expect(0);
        world.netsky(["send", "agent0", "an early text"]).within(LIMIT).run().expect(0);
        world.wait("the early text is taken", LIMIT, || (world.envelopes()[2].len() == 1).then_some(()));
        wait_for_idle(&world);
        let living = recovery::living(&world);
        let (dir, theirs) = (world.home.join(self.dir), world.root().join("theirs"));
        fs::create_dir_all(&dir).unwrap();
        fs::rename(&dir, &theirs).unwrap();
        match self.instead {
            Instead::Link => symlink(&theirs, &dir).unwrap(),
            Instead::File => fs::write(&dir, "a file").unwrap(),
        }
        let (print, before) = (Print::of(&dir), everything(&theirs));
        let note = world.write("note.md", "do not lose me");
        let mut found = Vec::new();
        for words in self.verbs {
            let what = format!("{} is a {:?}: {}", self.dir, self.instead, words.join(" "));
            let ran = world.netsky(words.iter().copied()).within(LIMIT).run();
            found.extend(complaint::findings(&ran, &what));
            if ran.code == 0 {
                found.push((Harm::FalseSuccess, format!("{what}: {} {}", ran.stdout, ran.stderr)));
            }
            if !ran.stderr.contains(dir.to_str().unwrap()) {
                found.push((Harm::Other, format!("{what}: it is not named: {}", ran.stderr)));
            }
            if Print::of(&dir) != print || everything(&theirs) != before {
                found.push((Harm::Other, format!("{what}: it was touched or followed")));
                break;
            }
        }
        let what = format!("{} is a {:?}", self.dir, self.instead);
        if recovery::living(&world) != living {
            found.push((Harm::Other, format!("{what}: agents were torn down over it")));
        }
        if !found.is_empty() {
            return found;
        }
        fs::remove_file(&dir).unwrap();
        fs::rename(&theirs, &dir).unwrap();
        // What was refused before it was taken lies where it was, and what was taken arrives.
        let ran = world.netsky(["restart", "0", "--handoff", "note.md"]).within(LIMIT).run();
        let arrived = recovery::envelopes_of(&world, "agent0");
        let is_there =
            |path: &std::path::PathBuf| recovery::text_of(path).is_some_and(|text| text == "do not lose me");
        if ran.code != 0 || note.exists() || arrived.iter().filter(|path| is_there(path)).count() != 1 {
            found.push((Harm::Lost, format!("{what}: and then {ran:?}, {arrived:?}")));
        }
        found
    }
}
