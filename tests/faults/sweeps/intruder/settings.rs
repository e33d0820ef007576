//! Files that say what is to be done, and directories of the owner's that netsky is asked to write to.

use std::fs;
use std::path::Path;

use super::super::verbs::places::CONFIG;
use super::ground::{Ground, INTRUDER, refused, set_mode};
use super::witness::Witness;
use super::{Place, Row, row};
use crate::sweep::{Finding, Harm};

pub fn rows() -> Vec<Row> {
    vec![
        row("config.toml that others may write to", Place::Running, |ground| open_to_others(ground)),
        row("NETSKY_CONFIG names his file", Place::Running, |ground| {
            named(ground, |ground, path| {
                ground.his_file(path, CONFIG);
            })
        }),
        row("NETSKY_CONFIG names his link to a file of the owner's", Place::Running, |ground| {
            named(ground, |ground, path| {
                std::os::unix::fs::symlink(ground.world.home.join("config.toml"), path).unwrap();
                ground.give(path, INTRUDER);
            })
        }),
        row("the owner's config.toml is a link of his own", Place::Running, |ground| own_link(ground)),
        row("a file of his for tmux", Place::Bare, |ground| for_tmux(ground)),
        row("agents work in a directory of his", Place::Bare, |ground| workdir(ground)),
        row("his directory in place of ~/.claude/commands", Place::Bare, |ground| {
            commands(ground, ".claude/commands", false)
        }),
        row("his link in place of ~/.claude/commands", Place::Bare, |ground| {
            commands(ground, ".claude/commands", true)
        }),
        row("his directory in place of ~/.claude", Place::Bare, |ground| commands(ground, ".claude", false)),
        row("his link in place of ~/.claude", Place::Bare, |ground| commands(ground, ".claude", true)),
    ]
}

const VERBS: [&[&str]; 4] = [&["up", "0"], &["restart", "0"], &["send", "agent0", "x"], &["config", "check"]];

fn open_to_others(ground: &Ground) -> Vec<Finding> {
    let path = ground.world.home.join("config.toml");
    let mut found = Vec::new();
    // One's own group is oneself where each user has one.
    let own = ground.who.uid();
    for (mode, group) in [(0o666, own), (0o602, own), (0o620, INTRUDER)] {
        std::os::unix::fs::chown(&path, None, Some(group)).unwrap();
        set_mode(&path, mode);
        found.extend(ground.refuses(&VERBS, 78, &path));
    }
    std::os::unix::fs::chown(&path, None, Some(own)).unwrap();
    set_mode(&path, 0o660);
    found.extend(ground.up_works());
    found
}

fn named(ground: &Ground, plant: impl Fn(&Ground, &Path)) -> Vec<Finding> {
    let path = ground.lair.join("c.toml");
    plant(ground, &path);
    let witness = ground.witness();
    let mut found = Vec::new();
    for verb in VERBS {
        let ran = ground.world.netsky(verb.iter().copied()).env("NETSKY_CONFIG", &path).run();
        found.extend(refused(&ran, 78, &path, &format!("{verb:?}")));
    }
    found.extend(witness.changes());
    fs::remove_file(&path).unwrap();
    found.extend(ground.up_works());
    found
}

fn own_link(ground: &Ground) -> Vec<Finding> {
    let [path, dotfiles] = [ground.world.home.join("config.toml"), ground.world.user.join("netsky.toml")];
    fs::rename(&path, &dotfiles).unwrap();
    std::os::unix::fs::symlink(&dotfiles, &path).unwrap();
    ground.give(&path, ground.who.uid());
    let found = ground.up_works();
    fs::rename(&dotfiles, &path).unwrap();
    found
}

fn for_tmux(ground: &Ground) -> Vec<Finding> {
    let [conf, canary] = [ground.lair.join("tmux.conf"), ground.world.user.join("canary")];
    ground.his_file(&conf, &format!("run-shell 'touch {}'\n", canary.display()));
    ground.world.configure(&format!("{CONFIG}[tmux]\nconf = {:?}\n", conf.display().to_string()));
    let mut found = ground.refuses(&VERBS, 78, &conf);
    if canary.exists() {
        found.push((Harm::FalseSuccess, "what his file says was done".to_owned()));
    }
    ground.world.configure(CONFIG);
    found.extend(ground.up_works());
    found
}

/// A shared project is nothing unusual. netsky writes nothing there, and trust is another question.
fn workdir(ground: &Ground) -> Vec<Finding> {
    let dir = ground.lair.join("project");
    ground.his(&format!("mkdir -m 755 {}", dir.display())).expect(0);
    let workdir = format!("clones = 0\nworkdir = {:?}", dir.display().to_string());
    ground.world.configure(&CONFIG.replace("clones = 1", &workdir));
    let witness = ground.witness();
    let mut found = ground.up_works();
    found.extend(witness.changes());
    found
}

fn commands(ground: &mut Ground, place: &str, by_link: bool) -> Vec<Finding> {
    let bin = ground.root().join("bin");
    fs::create_dir(&bin).unwrap();
    fs::write(bin.join("claude"), "#!/bin/sh\n").unwrap();
    set_mode(&bin.join("claude"), 0o755);
    let path = std::env::var("PATH").unwrap();
    ground.world.set("PATH", format!("{}:{path}", bin.display()));
    let place = ground.world.user.join(place);
    fs::create_dir_all(place.parent().unwrap()).unwrap();
    if place.parent().unwrap() != ground.world.user {
        ground.give(place.parent().unwrap(), ground.who.uid());
    }
    match by_link {
        true => std::os::unix::fs::symlink(&ground.private, &place).unwrap(),
        false => {
            fs::create_dir_all(place.join("commands")).unwrap();
            [place.join("commands"), place.clone()].iter().for_each(|dir| {
                set_mode(dir, 0o777);
                ground.give(dir, INTRUDER);
            });
            // What is swept away among one's own.
            ground.his_file(&place.join(".tmp-01ARZ3NDEKTSV4RRFFQ69G5FAV-x"), "his");
        }
    }
    ground.give(&place, INTRUDER);
    let (witness, planted) = (ground.witness(), Witness::of(&[&place]));
    let ran = ground.world.netsky(["init", "--yes", "--agent", "demo"]).run();
    let mut found = refused(&ran, 1, &place, "init");
    found.extend(witness.changes());
    found.extend(planted.changes());
    if found.is_empty() {
        found.extend(ground.up_works());
    }
    found
}
