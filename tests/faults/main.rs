//! The fault campaign: netsky itself under kills, errors, power cuts, races and a hostile world (`scripts/faults`).
//!
//! Each sweep is tried twice: on the binary as it ships, where nothing may go wrong, and on a deliberately broken build,
//! where something must. A table of both ends the run.

#![allow(
    unreachable_pub,
    missing_docs,
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a test target: it has no public part, uses a part of what tests share, and what fails is to panic"
)]

mod binaries;
mod bot;
mod clock;
mod corpus;
mod debris;
mod errand;
mod held;
mod hook_caller;
mod loop_disk;
#[path = "../../src/mutation.rs"]
mod mutation;
mod passage;
mod puppet;
mod recovery;
mod sampler;
mod scenarios;
mod soak;
mod stage;
mod stand_in;
mod strace;
mod strike;
#[path = "../support/mod.rs"]
mod support;
mod sweep;
mod sweeps;
mod table;

use std::process::ExitCode;

use sweep::{Form, Pass};
use table::Ledger;

fn main() -> ExitCode {
    // What cargo test hands to every target: words choose by name, options are for the harness that this one is not.
    // (libtest-mimic would do; but its features of clap would get into the netsky that is tested.)
    let words: Vec<String> = std::env::args().skip(1).collect();
    let (options, filters): (Vec<String>, Vec<String>) =
        words.into_iter().partition(|word| word.starts_with('-'));
    let has = |option: &str| options.iter().any(|given| given == option);
    let is_wanted = |name: &str| match has("--exact") {
        _ if filters.is_empty() => true,
        true => filters.iter().any(|filter| name == filter),
        false => filters.iter().any(|filter| name.contains(filter.as_str())),
    };
    let passes: Vec<Pass> =
        sweeps::ALL.iter().flat_map(sweep::Sweep::passes).filter(|pass| is_wanted(&pass.name())).collect();
    if passes.is_empty() {
        eprintln!("no sweep is called {}; --list names them", filters.join(", "));
        return ExitCode::FAILURE;
    }
    if has("--list") {
        passes.iter().for_each(|pass| println!("{}: test", pass.name()));
        return ExitCode::SUCCESS;
    }
    let form = Form::asked(!filters.is_empty());
    let mut ledger = Ledger::default();
    // One after the other: a sweep has workers of its own, and some of them measure time.
    for pass in &passes {
        pass.run(form, &mut ledger);
    }
    ledger.close(form)
}
