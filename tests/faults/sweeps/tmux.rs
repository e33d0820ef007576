//! tmux as an enemy: its server dead, out of reach or another's, its program no tmux at all, and what lives beside it.

mod clients;
mod deaf;
mod death;
mod endings;
mod neighbours;
mod program;

use crate::strace;
use crate::sweep::{Flaw, Harm, Run, Sweep, Tally};

pub const TMUX: Sweep = Sweep {
    name: "tmux",
    promise: "whatever tmux does, a verb ends in time with a named error or recovers; what outlived its pane is ended \
              before anything new lives, the hand-over is kept, and what is not netsky's is left as it is",
    flaw: Flaw { without: "survivors", does: Harm::Doubled },
    floor: 280,
    obstacle: strace::obstacle,
    run,
};

fn run(run: &Run) -> Tally {
    let parts: [fn(&Run) -> Tally; 6] =
        [death::run, clients::run, endings::run, deaf::run, program::run, neighbours::run];
    let mut tally = Tally::default();
    for part in parts {
        tally = tally.and(part(run));
        // Red is red.
        if run.is_seen_red(&tally.findings) {
            break;
        }
    }
    tally
}
