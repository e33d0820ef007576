//! Children and other processes: the only place that spawns, signals or replaces one.
//!
//! A process is known by pid *and* start time, so that a reused pid is never signalled. Every child is bounded: own
//! process group, drained and capped output, killed and reaped when late.

mod beside;
mod bounded;
mod census;
mod descriptors;
mod identity;
mod interrupts;
mod launch;
mod memory;
mod tap;

pub use beside::beside;
pub use bounded::{Job, JobError, Outcome, Output};
pub use census::{Mark, Marked, ancestors, dir_of, has_open, marked, name_of, working_in};
pub use descriptors::{Standard, keep_foreign_descriptors_back, room_for};
pub use identity::{NoProcess, ProcessId, Signal, boot_id};
pub use interrupts::{Interrupts, survive_full_files};
pub use launch::{
    LaunchError, Replacement, become_program, die_first, find_program, replace_self, spawn_detached,
    start_conversation,
};
pub use memory::{available_memory, resident_memory};

use std::time::Duration;

use crate::clock::Deadline;

/// Looks again every `every` until `look` says something or the deadline passes: the one home of polling.
pub fn poll<T>(every: Duration, deadline: Deadline, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    loop {
        if let Some(found) = look() {
            return Some(found);
        }
        let left = deadline.remaining();
        if left.is_zero() {
            return None;
        }
        pause(every.min(left));
    }
}

#[expect(clippy::disallowed_methods, reason = "the one home of polling")]
fn pause(time: Duration) {
    std::thread::sleep(time);
}
