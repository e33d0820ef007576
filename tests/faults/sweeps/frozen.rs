//! The tmux server stands still, from the start or in the midst of a verb: every verb comes back in time, and nothing
//! is carried out when the server goes on.

mod gauge;
mod midway;
mod scene;
mod verbs;

use crate::strace;
use crate::sweep::{Flaw, Harm, Run, Sweep, Tally};

use gauge::Gauge;

pub const FROZEN: Sweep = Sweep {
    name: "frozen",
    promise: "while tmux stands still every verb that needs it is back within its limit and 250 ms with 69, and the \
              others work; nothing is carried out late but the one group of at most 8 that was under way, and the next \
              command ends what that made",
    flaw: Flaw { without: "fence", does: Harm::Doubled },
    floor: 230,
    obstacle: strace::obstacle,
    run,
};

fn run(run: &Run) -> Tally {
    let gauge = Gauge::default();
    let midway = midway::run(run, &gauge);
    if run.is_seen_red(&midway.findings) {
        return midway;
    }
    let verbs = verbs::run(run, &gauge);
    midway.and(verbs).note(gauge.summary())
}
