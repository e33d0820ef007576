//! What a shell does to a command before it becomes netsky.

use std::fs;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::Path;
use std::process::Command;

use super::super::complaint;
use super::super::verbs::Verb;
use crate::support::World;
use crate::support::world::Ran;
use crate::sweep::{Finding, Harm};

/// One row.
pub struct Oddity {
    pub name: &'static str,
    /// A shell's script that ends in `exec "$0" "$@"` in the odd surroundings.
    script: &'static str,
    outcome: Outcome,
}

/// What may come of it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// The work is done, or the verb says why not.
    Either,
    /// The work is done: nothing that the verb needs is missing.
    Done,
    /// Who is called for what it prints fails; the others have done their work.
    Unprinted,
    /// The same, but that a reader went away is no failure.
    Unread,
}

macro_rules! odd {
    ($name:literal, $outcome:ident, $script:literal) => {
        Oddity { name: $name, script: $script, outcome: Outcome::$outcome }
    };
}

pub const ALL: &[Oddity] = &[
    odd!("no byte in any file", Either, r#"ulimit -f 0; exec "$0" "$@""#),
    odd!("half a KiB in a file", Either, r#"ulimit -f 1; exec "$0" "$@""#),
    odd!("standard output closed", Unprinted, r#"exec "$0" "$@" >&-"#),
    odd!("standard output full", Unprinted, r#"exec "$0" "$@" >/dev/full"#),
    // The reader is gone for certain, which it is not behind `| head -0`.
    odd!("standard output unread", Unread, r#"mkfifo p; exec 8<>p 9>p 8>&-; rm p; exec "$0" "$@" >&9 9>&-"#),
    odd!("standard error closed", Done, r#"exec "$0" "$@" 2>&-"#),
    odd!("standard error full", Done, r#"exec "$0" "$@" 2>/dev/full"#),
    odd!("standard input closed", Done, r#"exec "$0" "$@" <&-"#),
    odd!("standard input and error closed", Done, r#"exec "$0" "$@" <&- 2>&-"#),
    odd!("umask 000", Done, r#"umask 000; exec "$0" "$@""#),
    odd!("umask 777", Done, r#"umask 777; exec "$0" "$@""#),
    odd!("no HOME", Done, r#"unset HOME; exec "$0" "$@""#),
    odd!("HOME cannot be written", Done, r#"HOME=/proc/nowhere exec "$0" "$@""#),
    odd!("the working directory is gone", Done, r#"mkdir gone; cd gone; rmdir ../gone; exec "$0" "$@""#),
    odd!("4 descriptors", Either, r#"ulimit -n 4; exec "$0" "$@""#),
    odd!("5 descriptors", Either, r#"ulimit -n 5; exec "$0" "$@""#),
    odd!("6 descriptors", Either, r#"ulimit -n 6; exec "$0" "$@""#),
    odd!("7 descriptors", Either, r#"ulimit -n 7; exec "$0" "$@""#),
    odd!("8 descriptors", Either, r#"ulimit -n 8; exec "$0" "$@""#),
    odd!("10 descriptors", Either, r#"ulimit -n 10; exec "$0" "$@""#),
    odd!("12 descriptors", Either, r#"ulimit -n 12; exec "$0" "$@""#),
    odd!("14 descriptors", Either, r#"ulimit -n 14; exec "$0" "$@""#),
    odd!("16 descriptors", Either, r#"ulimit -n 16; exec "$0" "$@""#),
    odd!("18 descriptors", Either, r#"ulimit -n 18; exec "$0" "$@""#),
    odd!("20 descriptors", Either, r#"ulimit -n 20; exec "$0" "$@""#),
    odd!("22 descriptors", Either, r#"ulimit -n 22; exec "$0" "$@""#),
    odd!("24 descriptors", Either, r#"ulimit -n 24; exec "$0" "$@""#),
    odd!("28 descriptors", Either, r#"ulimit -n 28; exec "$0" "$@""#),
    odd!("32 descriptors", Either, r#"ulimit -n 32; exec "$0" "$@""#),
];

impl Oddity {
    /// Calls the verb there, and judges.
    pub fn findings(&self, world: &World, verb: &Verb, netsky: &Path) -> Vec<Finding> {
        let what = format!("{}, {}", verb.name, self.name);
        let mut command = Command::new("sh");
        command.args(["-c", self.script]).arg(netsky).args((verb.arguments)(world));
        let ran = world.call(command).stdin(verb.stdin).run();
        let is_mute = self.name.contains("error");
        let mut found = if is_mute { Vec::new() } else { complaint::findings(&ran, &what) };
        found.extend(self.unexpected(&ran, verb, &what));
        let is_lost = matches!(self.outcome, Outcome::Unprinted | Outcome::Unread);
        // What it printed is lost, and of one that only looks nothing else is left to judge.
        if !(is_lost && verb.only_looks) {
            found.extend((verb.judge)(world, &ran, &what));
        }
        if self.name.starts_with("umask") {
            found.extend(open_to_others(&world.home, &what));
        }
        found
    }

    fn unexpected(&self, ran: &Ran, verb: &Verb, what: &str) -> Option<Finding> {
        let failed = ran.code != 0;
        let harm = match self.outcome {
            Outcome::Unprinted if verb.prints && !failed => Harm::FalseSuccess,
            Outcome::Unprinted if !verb.prints && failed => Harm::Other,
            Outcome::Done if failed => Harm::Other,
            Outcome::Unprinted | Outcome::Unread | Outcome::Done | Outcome::Either => return None,
        };
        Some((harm, format!("{what}: exit {}: {} {}", ran.code, ran.stdout.trim(), ran.stderr.trim())))
    }
}

/// What netsky made is its user's alone. (The modes of sockets are tmux's; they lie in a directory of netsky's.)
fn open_to_others(dir: &Path, what: &str) -> Vec<Finding> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap().flatten() {
        // What is gone by now was a temporary.
        let Ok(metadata) = entry.path().symlink_metadata() else { continue };
        let mode = metadata.permissions().mode() & 0o7777;
        let expected = if metadata.is_dir() { 0o700 } else { 0o600 };
        if mode != expected && !metadata.file_type().is_socket() {
            found.push((Harm::Other, format!("{what}: {} has mode {mode:o}", entry.path().display())));
        }
        if metadata.is_dir() {
            found.extend(open_to_others(&entry.path(), what));
        }
    }
    found
}
