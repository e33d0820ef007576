//! Restart after restart, each with a random fault, under the eyes of a sampler that is shown to see.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::soak::{Course, Size, seed};
use crate::sweep::{Flaw, Form, Harm, Run, Sweep, Tally, said};

pub const SOAK: Sweep = Sweep {
    name: "soak",
    promise: "through hundreds of restarts, each with a random fault: one life an agent, phases forward, every text once, \
              bystanders untouched, who was taken down stays down, memory and files flat",
    flaw: Flaw { without: "survivors", does: Harm::Doubled },
    floor: 50,
    obstacle: no_table_of_processes,
    run: soak,
};

fn no_table_of_processes() -> Option<String> {
    (!std::path::Path::new("/proc/self/environ").exists()).then(|| "there is no /proc".to_owned())
}

fn soak(run: &Run) -> Tally {
    let seed = seed();
    println!("soak: NETSKY_FAULTS_SEED={seed}");
    let size = match run.form {
        Form::Alone if !run.is_broken() => {
            Size { agents: 32, rounds: 200, warm: 20, window: 20, keep: 15, spares_server: 90..201 }
        }
        Form::Full if !run.is_broken() => {
            Size { agents: 32, rounds: 40, warm: 10, window: 10, keep: 15, spares_server: 12..41 }
        }
        _ => Size { agents: 8, rounds: 10, warm: 4, window: 3, keep: 4, spares_server: 0..0 },
    };
    let rounds = match std::env::var("NETSKY_FAULTS_ROUND") {
        Ok(one) => one.parse().map_or(1..=size.rounds, |one| one..=one),
        Err(_) => 1..=size.rounds,
    };
    let mut course = Course::begin(run, size, seed);
    for round in rounds {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| course.round(round))) {
            course.find(Harm::Other, said(panic.as_ref()));
            return course.stop();
        }
        // A broken build has shown it. Of a sound one a few findings tell as much as many.
        if run.is_seen_red(course.findings()) || course.findings().len() > 10 {
            return course.stop();
        }
    }
    course.end()
}
