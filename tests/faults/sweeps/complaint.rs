//! What a verb that failed has to say, and what none may ever say.

use crate::support::world::Ran;
use crate::sweep::{Finding, Harm};

/// Exit codes of the contract; 128 and more is a signal.
const CODES: [i32; 8] = [0, 1, 2, 3, 4, 69, 75, 78];

/// A panic, an exit code outside the contract, a failure without words, or the system's words without what was done.
pub fn findings(ran: &Ran, what: &str) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut other =
        |why: &str| found.push((Harm::Other, format!("{what}: {why}: {} {}", ran.code, ran.stderr.trim())));
    if ran.stderr.contains("panicked") {
        other("it panicked");
    } else if !CODES.contains(&ran.code) {
        other("its exit code says nothing");
    }
    if ran.code != 0 && !ran.stderr.contains("netsky: ") {
        other("it failed without a word");
    }
    if ran.stderr.lines().any(is_bare) {
        other("it does not say what was being done");
    }
    found
}

/// `netsky: CAUSE (os error 28)`, with nothing between.
fn is_bare(line: &str) -> bool {
    let Some((before, _)) = line.split_once(" (os error ") else { return false };
    before.split(": ").count() < 3
}

/// Something went on as if nothing had happened.
pub fn unchanged(ran: &Ran, what: &str) -> Vec<Finding> {
    if ran.code == 0 {
        return Vec::new();
    }
    vec![(
        Harm::Other,
        format!("{what}: an interrupted call was taken for a failure: {} {}", ran.code, ran.stderr.trim()),
    )]
}
