//! The intruder exchanges what a name stands for, over and over, while netsky looks and acts.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use super::ground::{Ground, set_mode};
use super::texts::told;
use super::{Place, Row, row};
use crate::sweep::{Finding, Harm};

pub fn rows() -> Vec<Row> {
    vec![
        row("he races for the place of the home", Place::Bare, race_for_home),
        row("he exchanges a text for a link", Place::Running, |ground| race_for_text(ground)),
    ]
}

const ROUNDS: usize = 25;

/// In the sticky directory he can be first, and cannot take away what is the owner's. Whoever wins: nothing comes to
/// what he links there.
fn race_for_home(ground: &mut Ground) -> Vec<Finding> {
    let home = ground.sticky.join("h");
    ground.home_at(home.clone());
    let ground = &*ground;
    let his = ground.root().join("his");
    ground.his(&format!("mkdir -m 777 {}/d", ground.lair.display())).expect(0);
    let script = format!(
        "while :; do ln -sT {key} {h}; rm -f {h}; ln -sT {lair}/d {h}; rm -f {h}; mkdir -m 777 {h} && rmdir {h}; done",
        key = ground.private.display(),
        lair = ground.lair.display(),
        h = home.display()
    );
    let witness = ground.witness();
    let _racer = ground.his_process(&script, &[]);
    let mut found = Vec::new();
    for _ in 0..ROUNDS {
        let ran = ground.world.netsky(["init", "--yes", "--agent", "demo", "--no-commands"]).run();
        match ran.code {
            0 | 1 | 78 => {}
            _ => found.push((Harm::Other, format!("init: {ran:?}"))),
        }
        take_away(ground, &home, &his);
    }
    found.extend(witness.changes());
    found
}

/// What was made, if it is the owner's, goes away, so that the race begins anew.
fn take_away(ground: &Ground, home: &Path, aside: &Path) {
    let is_owners = |path: &Path| {
        let metadata = path.symlink_metadata();
        metadata.is_ok_and(|metadata| metadata.is_dir() && metadata.uid() == ground.who.uid())
    };
    if is_owners(home) && fs::rename(home, aside).is_ok() {
        fs::remove_dir_all(aside).unwrap();
    }
}

/// Between the owner's own text and a link to the owner's secret.
fn race_for_text(ground: &Ground) -> Vec<Finding> {
    let dir = ground.open.join("texts");
    fs::create_dir(&dir).unwrap();
    set_mode(&dir, 0o777);
    let (note, own) = (dir.join("note.md"), dir.join("own.md"));
    ground.owners_file(&own, "a text of the owner's");
    let script = format!(
        "cd {}; while :; do mv own.md note.md; mv note.md own.md; ln -s {}/key note.md; rm note.md; done",
        dir.display(),
        ground.private.display()
    );
    let racer = ground.his_process(&script, &[]);
    let witness = ground.witness();
    let mut found = Vec::new();
    for _ in 0..ROUNDS {
        let ran = ground.world.netsky(["send", "agent0", "--file", note.to_str().unwrap()]).run();
        if ran.code > 1 {
            found.push((Harm::Other, format!("send: {ran:?}")));
        }
    }
    drop(racer);
    found.extend(witness.changes());
    found.extend(told(ground));
    // His last command may outlive him.
    ground.world.wait("the race is over", Duration::from_secs(5), || fs::remove_dir_all(&dir).ok());
    found
}
