//! Hostile text through every field that takes text.

mod files;
mod homes;
mod messages;
mod records;
mod reports;
mod screens;
mod settings;
mod typed;
mod words;

use std::cell::RefCell;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::corpus::{self, Sample};
use crate::support::World;
use crate::support::world::{Call, Ran};
use crate::sweep::{Finding, Flaw, Form, Harm, Run, Sweep, Tally, no_obstacle};

pub const TEXT: Sweep = Sweep {
    name: "text",
    promise: "hostile text in any field arrives byte for byte, or is stripped as documented, or is refused by name; it runs \
              nothing, and nothing of it speaks to a terminal",
    flaw: Flaw { without: "stripping", does: Harm::Torn },
    floor: 2000,
    obstacle: no_obstacle,
    run,
};

/// A way in for text.
struct Field {
    /// So many strings share a world.
    chunk: usize,
    attempt: fn(&Run, &[&Sample]) -> Vec<Finding>,
}

/// The first are the quickest to show that nothing is stripped.
const FIELDS: &[Field] = &[
    Field { chunk: 40, attempt: messages::attempt },
    Field { chunk: 60, attempt: words::attempt },
    Field { chunk: 60, attempt: files::attempt },
    Field { chunk: 60, attempt: records::attempt },
    Field { chunk: 40, attempt: reports::attempt },
    Field { chunk: 60, attempt: screens::attempt },
    Field { chunk: 75, attempt: settings::attempt },
    Field { chunk: 40, attempt: typed::attempt },
    Field { chunk: 12, attempt: homes::attempt },
];

/// The short form takes every so many strings, others in each field.
const SHORT_STEP: usize = 7;

fn run(run: &Run) -> Tally {
    let samples = corpus::all();
    assert!(samples.len() >= 200, "the corpus has only {} strings", samples.len());
    let step = if run.form == Form::Short && !run.is_broken() { SHORT_STEP } else { 1 };
    let mut points = Vec::new();
    for (number, field) in FIELDS.iter().enumerate() {
        let chosen: Vec<&Sample> = samples.iter().skip(number % step).step_by(step).collect();
        points.extend(chosen.chunks(field.chunk).map(|chunk| (field, chunk.to_vec())));
    }
    let pushed = AtomicUsize::new(0);
    let mut tally = run.points(&points, points.len(), 3, |(field, chunk)| {
        pushed.fetch_add(chunk.len(), Ordering::Relaxed);
        (field.attempt)(run, chunk)
    });
    tally.points = pushed.into_inner();
    tally.note(format!("{} strings through {} ways in", samples.len().div_ceil(step), FIELDS.len()))
}

/// A world in which a canary waits on every PATH, and what was found wrong in it.
struct Bench {
    world: World,
    canaries: PathBuf,
    found: RefCell<Vec<Finding>>,
}

impl Bench {
    fn new(run: &Run) -> Self {
        Self::of(run.world())
    }

    fn of(mut world: World) -> Self {
        use std::os::unix::fs::PermissionsExt;
        let root = world.root().canonicalize().unwrap();
        let (bin, canaries) = (root.join("bin"), root.join("sung"));
        fs::create_dir(&bin).unwrap();
        fs::create_dir(&canaries).unwrap();
        let canary = bin.join("canary");
        fs::write(&canary, format!("#!/bin/sh\n: >'{}'/\"$*\"\n", canaries.display())).unwrap();
        fs::set_permissions(&canary, fs::Permissions::from_mode(0o755)).unwrap();
        let path = std::env::var_os("PATH").unwrap();
        let paths = std::iter::once(bin).chain(std::env::split_paths(&path));
        world.set("PATH", std::env::join_paths(paths).unwrap());
        Self { world, canaries, found: RefCell::default() }
    }

    fn find(&self, harm: Harm, what: impl Into<String>) {
        self.found.borrow_mut().push((harm, what.into()));
    }

    /// Unless `holds`, something is wrong.
    fn must(&self, holds: bool, harm: Harm, what: impl FnOnce() -> String) {
        if !holds {
            self.find(harm, what());
        }
    }

    /// Runs a verb in its form for people, which has to end with one of these codes and to print nothing harmful.
    fn human(&self, what: &str, call: Call<'_>, codes: &[i32]) -> Ran {
        let ran = self.ended(what, call, codes);
        for bytes in &ran.bytes {
            if let Some(said) = speaks(bytes) {
                self.find(Harm::Torn, format!("{what}: it prints {said}"));
            }
        }
        if ran.code != 2 {
            self.paste_hints(what, &ran.stderr);
        }
        ran
    }

    /// The same for a verb that prints a JSON document.
    fn json(&self, what: &str, call: Call<'_>, codes: &[i32]) -> serde_json::Value {
        let ran = self.human(what, call, codes);
        serde_json::from_str(&ran.stdout).unwrap_or_else(|error| {
            self.find(Harm::Torn, format!("{what}: {error}: {}", ran.stdout));
            serde_json::Value::Null
        })
    }

    /// Runs something whose output is data.
    fn ended(&self, what: &str, call: Call<'_>, codes: &[i32]) -> Ran {
        let ran = call.run();
        if !codes.contains(&ran.code) {
            let said = format!("{}{}", ran.stdout, ran.stderr);
            self.find(Harm::Other, format!("{what}: exit {}: {}", ran.code, said.escape_debug()));
        }
        ran
    }

    /// What netsky says can be pasted is pasted where nothing but the canary is to be found.
    fn paste_hints(&self, what: &str, said: &str) {
        for (_, hint) in said.match_indices("\n  hint: ").map(|(at, sign)| said.split_at(at + sign.len())) {
            let hint = hint.split("\n  hint: ").next().unwrap();
            if hint.chars().all(|c| c.is_ascii_alphanumeric() || " _./:=,-()\n".contains(c)) {
                continue;
            }
            let before = corpus::sung(&self.canaries).len();
            let scratch = tempfile::tempdir().unwrap();
            Command::new("/bin/sh")
                .args(["-c", hint])
                .env_clear()
                .env("PATH", self.canaries.with_file_name("bin"))
                .current_dir(scratch.path())
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status()
                .unwrap();
            if corpus::sung(&self.canaries).len() > before {
                self.find(Harm::Other, format!("{what}: pasted, this hint runs what it quotes: {hint}"));
            }
        }
    }

    /// What was found; a canary that has sung is one thing more.
    fn end(self) -> Vec<Finding> {
        for song in corpus::sung(&self.canaries) {
            self.find(Harm::Other, format!("string {song} was run"));
        }
        self.found.take()
    }
}

impl Drop for Bench {
    /// A panic takes what was found with it.
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("before: {:#?}", self.found.borrow());
        }
    }
}

/// What in an output speaks to a terminal, or is no text.
pub(super) fn speaks(bytes: &[u8]) -> Option<String> {
    let Ok(text) = std::str::from_utf8(bytes) else { return Some("bytes that are no UTF-8".to_owned()) };
    let is_harmful = |c: char| {
        (c.is_control() && c != '\n')
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{61c}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let found = text.lines().find(|line| line.contains(is_harmful))?;
    Some(format!("{}", found.escape_debug()))
}

/// A string of TOML.
fn quoted(text: &str) -> String {
    // JSON leaves DEL as it is.
    serde_json::Value::from(text).to_string().replace('\u{7f}', "\\u007f")
}

/// Bytes as an argument or a part of a path.
fn os(bytes: &[u8]) -> std::ffi::OsString {
    std::os::unix::ffi::OsStringExt::from_vec(bytes.to_vec())
}
