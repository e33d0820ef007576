//! Damaged real material, put in where it comes in in life: what CLIs tell hooks, config.toml, envelopes, records, what
//! tmux answers, what stands on a screen.
//!
//! Every mutant comes from a seed, the name of its door and its number, which a finding tells.

mod doors;

use std::cell::RefCell;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use super::text::speaks;
use crate::mutation;
use crate::soak;
use crate::support::World;
use crate::support::world::{Call, Ran};
use crate::sweep::{Finding, Flaw, Form, Harm, Run, Sweep, Tally, no_obstacle};

pub const PARSERS: Sweep = Sweep {
    name: "parsers",
    promise: "whatever is damaged of what CLIs, tmux, files and screens say, a verb ends in time with a documented exit code, \
              one whole document where it prints JSON, and nothing that speaks to a terminal",
    flaw: Flaw { without: "stripping", does: Harm::Torn },
    floor: 500,
    obstacle: no_obstacle,
    run,
};

/// A place where foreign bytes come in.
struct Door {
    name: &'static str,
    /// What is damaged.
    material: fn() -> Vec<Vec<u8>>,
    /// So many mutants in full and in short form.
    mutants: [usize; 2],
    /// So many of them share a world.
    chunk: usize,
    attempt: fn(&Run, &Door, &[Mutant]) -> Vec<Finding>,
}

struct Mutant {
    number: usize,
    bytes: Vec<u8>,
}

fn run(run: &Run) -> Tally {
    let seed = soak::seed();
    let form = usize::from(run.form == Form::Short && !run.is_broken());
    let points: Vec<(&Door, Vec<usize>)> = doors::ALL
        .iter()
        .flat_map(|door| {
            let numbers: Vec<usize> = (0..door.mutants[form]).collect();
            numbers.chunks(door.chunk).map(|chunk| (door, chunk.to_vec())).collect::<Vec<_>>()
        })
        .collect();
    let tried = AtomicUsize::new(0);
    let mut tally = run.points(&points, points.len(), 3, |(door, numbers)| {
        let material = (door.material)();
        let mutants: Vec<Mutant> =
            numbers.iter().map(|number| door.mutant(seed, &material, *number)).collect();
        tried.fetch_add(mutants.len(), Ordering::Relaxed);
        (door.attempt)(run, door, &mutants)
    });
    tally.points = tried.into_inner();
    tally.note(format!("seed {seed}, {} ways in", doors::ALL.len()))
}

impl Door {
    fn mutant(&self, seed: u64, material: &[Vec<u8>], number: usize) -> Mutant {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        bytes[8..16].copy_from_slice(&(number as u64).to_le_bytes());
        bytes[16..].iter_mut().zip(self.name.bytes()).for_each(|(byte, letter)| *byte = letter);
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
        let mut runner = TestRunner::new_with_rng(Config::default(), rng);
        let bytes = mutation::mutants(material.to_vec()).new_tree(&mut runner).unwrap().current();
        Mutant { number, bytes }
    }
}

/// SPEC: what a verb that was typed rightly can end with. A panic, an abort and a signal are none of these.
const CODES: [i32; 7] = [0, 1, 3, 4, 69, 75, 78];

/// Whatever takes longer hangs.
const LIMIT: Duration = Duration::from_secs(10);

/// A world in which mutants are tried, and what was found in it.
struct Bench<'d> {
    world: World,
    door: &'d Door,
    found: RefCell<Vec<Finding>>,
}

impl<'d> Bench<'d> {
    fn new(world: World, door: &'d Door) -> Self {
        Self { world, door, found: RefCell::default() }
    }

    fn must(&self, holds: bool, harm: Harm, mutant: &Mutant, what: impl FnOnce() -> String) {
        if !holds {
            let (name, number, seed) = (self.door.name, mutant.number, soak::seed());
            let bytes = mutant.bytes.get(..mutant.bytes.len().min(300)).unwrap_or_default();
            let what = format!("seed {seed}, {name} {number}: {}: {}", what(), bytes.escape_ascii());
            self.found.borrow_mut().push((harm, what));
        }
    }

    /// Calls a verb, which has to keep to what is promised of all.
    fn calls(&self, mutant: &Mutant, words: &[&str]) -> Ran {
        self.heeds(mutant, words, self.world.netsky(words.iter().copied()))
    }

    fn heeds(&self, mutant: &Mutant, words: &[&str], call: Call<'_>) -> Ran {
        let ran = call.run();
        let said = || format!("{words:?}: exit {} {}{}", ran.code, ran.stdout, ran.stderr);
        let is_sound = CODES.contains(&ran.code) && !ran.stderr.contains("panicked");
        self.must(is_sound, Harm::Other, mutant, said);
        self.must(ran.took < LIMIT, Harm::Other, mutant, || format!("{words:?} took {:?}", ran.took));
        for said in ran.bytes.iter().filter_map(|bytes| speaks(bytes)) {
            self.must(false, Harm::Torn, mutant, || format!("{words:?} prints {said}"));
        }
        if words.contains(&"--json") && (ran.code == 0 || !ran.stdout.is_empty()) {
            let document = serde_json::from_str::<serde_json::Value>(&ran.stdout);
            self.must(document.is_ok(), Harm::Torn, mutant, said);
        }
        ran
    }

    fn end(self) -> Vec<Finding> {
        self.found.take()
    }
}
