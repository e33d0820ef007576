//! Files that are read where nobody runs: the envelopes of an inbox, and what of them was shown.

use std::fs;
use std::path::PathBuf;

use super::checks::{archived, held, next_one, nothing_else};
use super::course::call;
use super::kept::{Kept, Lives};
use super::kinds::Kind;
use super::places::{Place, TEXT, begin, envelope};
use super::running::RECORD;
use crate::support::World;
use crate::support::world::files;

pub const ALL: &[Kept] = &[
    WAITING,
    Kept {
        name: "what was shown",
        begin: with_shown,
        files: |world| vec![envelope(world, "cur")],
        course: &[call(&["inbox", "list", "--json"])],
        ..WAITING
    },
    Kept {
        name: "what was taken",
        begin: |world| {
            with_mail(world);
            world.netsky(["inbox", "done", &id(world)]).run().expect(0);
        },
        files: |world| vec![envelope(world, "done")],
        course: &[call(&["inbox", "list", "--all", "--json"])],
        check: |world, what| [held(world, "done", what), archived(world, what)].concat(),
        ..WAITING
    },
    Kept {
        name: "what waits, where the archive has it no more",
        begin: |world| {
            with_mail(world);
            plain(world, "handoff/archive").iter().for_each(|path| fs::remove_file(path).unwrap());
            world.netsky(["send", "agent0", "the next one"]).run().expect(0);
        },
        check: next_one,
        ..WAITING
    },
    Kept {
        name: "what of a message was shown",
        begin: with_shown,
        files: |world| plain(world, "state/shown/agent0"),
        course: &[call(&["inbox", "next"])],
        ..WAITING
    },
    Kept {
        name: "a record of restarts where nobody runs",
        place: Place::Still,
        check: nothing_else,
        ..RECORD
    },
];

const WAITING: Kept = Kept {
    name: "what waits in the inbox",
    place: Place::Still,
    begin: with_mail,
    files: |world| vec![envelope(world, "")],
    kinds: Kind::ALL,
    course: &[call(&["inbox", "list", "--json"]), call(&["inbox", "next"])],
    lies_aside: true,
    lives: Lives::On,
    check: |world, what| [held(world, "cur", what), archived(world, what)].concat(),
};

fn with_mail(world: &World) {
    begin(world);
    world.netsky(["send", "agent0", TEXT]).run().expect(0);
}

fn with_shown(world: &World) {
    with_mail(world);
    world.netsky(["inbox", "next"]).run().expect(0);
}

fn id(world: &World) -> String {
    let path = envelope(world, "");
    let (id, _) = path.file_name().unwrap().to_str().unwrap().split_once('-').unwrap();
    id.to_owned()
}

fn plain(world: &World, dir: &str) -> Vec<PathBuf> {
    files(&world.home.join(dir)).into_iter().filter(|path| path.is_file()).collect()
}
