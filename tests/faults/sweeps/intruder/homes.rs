//! `NETSKY_HOME` was planted before netsky made it, in a directory where others may do so.

use std::fs;
use std::path::Path;

use super::ground::{Ground, INTRUDER, remove, set_mode};
use super::witness::Witness;
use super::{Place, Row, row};
use crate::recovery;
use crate::sweep::{Finding, Harm};

struct Planted {
    name: &'static str,
    plant: fn(&Ground, &Path),
}

const PLANTED: &[Planted] = &[
    Planted {
        name: "his directory with a fine home.json",
        plant: |ground, home| {
            let script =
                format!("mkdir -m 777 {0} && echo '{{\"version\":1}}' >{0}/home.json", home.display());
            ground.his(&script).expect(0);
        },
    },
    Planted {
        name: "his empty directory",
        plant: |ground, home| drop(ground.his(&format!("mkdir -m 777 {}", home.display())).expect(0)),
    },
    Planted {
        name: "his link to a directory of his",
        plant: |ground, home| {
            let script =
                format!("mkdir -m 777 {0}/h && ln -s {0}/h {1}", ground.lair.display(), home.display());
            ground.his(&script).expect(0);
        },
    },
    Planted {
        name: "his link to a directory of the owner's",
        plant: |ground, home| link(ground, &ground.private, home),
    },
    Planted {
        name: "his link to an empty directory of the owner's",
        plant: |ground, home| {
            let empty = ground.private.join("empty");
            fs::create_dir(&empty).unwrap();
            ground.give(&empty, ground.who.uid());
            link(ground, &empty, home);
        },
    },
    Planted {
        name: "his link to nothing",
        plant: |ground, home| link(ground, &ground.private.join("nothing"), home),
    },
    Planted { name: "his file", plant: |ground, home| ground.his_file(home, "") },
    Planted {
        name: "his FIFO",
        plant: |ground, home| drop(ground.his(&format!("mkfifo -m 666 {}", home.display())).expect(0)),
    },
    Planted {
        name: "a home of the owner's that others may write to",
        plant: |ground, home| {
            ground.world.netsky(["init", "--yes", "--agent", "demo", "--no-commands"]).run().expect(0);
            ground.his_file(&home.join("inbox/planted.json"), "{}");
            set_mode(home, 0o777);
        },
    },
];

fn link(ground: &Ground, target: &Path, at: &Path) {
    ground.his(&format!("ln -s {} {}", target.display(), at.display())).expect(0);
}

pub fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for planted in PLANTED {
        for parent in ["sticky", "open"] {
            let name = format!("in place of the home in the {parent} directory, {}", planted.name);
            rows.push(row(name, Place::Bare, move |ground| refused(ground, parent, planted)));
        }
    }
    rows.push(row("an empty directory of the owner's that others may write to", Place::Bare, made_private));
    rows.push(row("a named constellation in a directory of his", Place::Bare, |ground| {
        constellation(ground)
    }));
    rows
}

const VERBS: &[&[&str]] = &[
    &["status"],
    &["send", "agent0", "x"],
    &["up", "0", "--agent", "demo"],
    &["restart", "0", "--handoff", "note.md"],
    &["handoff", "deliver", "note.md"],
    &["trust", "."],
    &["inbox", "next"],
    &["down"],
];

fn refused(ground: &mut Ground, parent: &str, planted: &Planted) -> Vec<Finding> {
    let home = ground.root().join(parent).join("h");
    ground.home_at(home.clone());
    let ground = &*ground;
    (planted.plant)(ground, &home);
    let note = ground.world.work.join("note.md");
    ground.owners_file(&note, "a note");
    let (witness, planted) = (ground.witness(), Witness::of(&[&home]));
    let mut found = ground.refuses(VERBS, 78, &home);
    found.extend(witness.changes());
    found.extend(planted.changes());
    if !note.exists() {
        found.push((Harm::Lost, "the hand-over was taken".to_owned()));
    }
    if found.is_empty() {
        ground.his(&format!("chmod -R u+rwX {0}; rm -rf {0}", home.display()));
        remove(&home);
        found.extend(ground.up_works());
        found.extend(recovery::home(&ground.world, "afterwards"));
        found.extend(witness.changes());
    }
    found
}

/// It is ours alone before anything is put into it.
fn made_private(ground: &mut Ground) -> Vec<Finding> {
    let home = ground.sticky.join("h");
    ground.home_at(home.clone());
    let ground = &*ground;
    fs::create_dir(&home).unwrap();
    ground.give(&home, ground.who.uid());
    set_mode(&home, 0o777);
    let mut found = ground.up_works();
    if ground.his(&format!("ls {0} || touch {0}/x", home.display())).code == 0 {
        found.push((Harm::Other, "others may still go there".to_owned()));
    }
    found
}

fn constellation(ground: &Ground) -> Vec<Finding> {
    let home = ground.world.home.clone();
    ground.world.netsky(["init", "--yes", "--agent", "demo", "--no-commands"]).run().expect(0);
    let all = home.join("c");
    fs::create_dir(&all).unwrap();
    ground.give(&all, INTRUDER);
    let witness = Witness::of(&[&all]);
    let mut found =
        ground.refuses(&[&["-C", "two", "up", "0", "--agent", "demo"], &["-C", "two", "status"]], 78, &all);
    found.extend(witness.changes());
    found
}
