//! Every verb that writes, besides `restart`, killed before every call that outlives it.

use super::kill::killed;
use crate::scenarios;
use crate::strace;
use crate::sweep::{Flaw, Harm, Run, Sweep, Tally};

pub const VERBS: Sweep = Sweep {
    name: "kill-verbs",
    promise: "killed before any call of any other verb that writes, or of a hook, what it was to bring is there once or \
              where it was, nothing is half written, and the verb can be called again",
    flaw: Flaw { without: "archive-first", does: Harm::Lost },
    floor: 550,
    obstacle: strace::obstacle,
    run: verbs_and_hooks,
};

fn verbs_and_hooks(run: &Run) -> Tally {
    killed(run, &scenarios::verbs(), 40, |_| ())
}
