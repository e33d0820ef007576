//! Every file that netsky keeps and reads again, made useless in every way.
//!
//! Each point is a row: which file, how it is made useless, and which verbs are called then. What cannot be understood
//! lies aside byte for byte and is said once; what lives goes on living; and one `up` makes everything right.

mod alone;
mod checks;
mod course;
mod kept;
mod kinds;
mod places;
mod running;
mod still;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;

use alone::Alone;
use kept::Kept;
use kinds::Kind;
use places::Place;

use crate::support::World;
use crate::sweep::{Finding, Flaw, Harm, Run, Sweep, Tally, no_obstacle, said};

pub const CORRUPT: Sweep = Sweep {
    name: "corrupt",
    promise: "whichever file of netsky's cannot be understood, and why: it is moved aside byte for byte and named once, \
              nothing that lives is ended or doubled, nothing that was handed over is lost, and one `up` makes it right",
    flaw: Flaw { without: "aside", does: Harm::Lost },
    floor: 430,
    obstacle: no_obstacle,
    run,
};

const WORKERS: usize = 4;

/// So many points the short form tries.
const SHORT: usize = 40;

/// A point.
enum Row {
    Kept(&'static Kept, Kind),
    Alone(&'static Alone, Kind),
}

impl Row {
    fn name(&self) -> String {
        match self {
            Self::Kept(kept, kind) => format!("{}, {kind:?}", kept.name),
            Self::Alone(alone, kind) => format!("{}, {kind:?}", alone.name),
        }
    }
}

fn run(run: &Run) -> Tally {
    let kept = running::ALL.iter().chain(still::ALL);
    let kept = kept.flat_map(|kept| kept.kinds.iter().map(move |kind| Row::Kept(kept, *kind)));
    let alone = alone::ALL.iter().flat_map(|row| row.kinds.iter().map(move |kind| Row::Alone(row, *kind)));
    let rows: Vec<Row> = kept.chain(alone).collect();
    let pool = Pool { run, waiting: Mutex::default() };
    run.points(&rows, SHORT, WORKERS, |row| pool.attempt(row))
}

/// Worlds are used again as long as nothing is wrong in them.
struct Pool<'r> {
    run: &'r Run,
    waiting: Mutex<BTreeMap<Place, Vec<World>>>,
}

impl Pool<'_> {
    fn attempt(&self, row: &Row) -> Vec<Finding> {
        let place = match row {
            Row::Kept(kept, _) => kept.place,
            Row::Alone(alone, _) => alone.place,
        };
        let used = self.waiting.lock().unwrap().entry(place).or_default().pop();
        let world = used.unwrap_or_else(|| place.build(self.run.world()));
        let what = row.name();
        let attempt = || match row {
            Row::Kept(kept, kind) => kept.attempt(&world, *kind, &what),
            Row::Alone(alone, kind) => (alone.attempt)(&world, *kind, &what),
        };
        let found = catch_unwind(AssertUnwindSafe(attempt))
            .unwrap_or_else(|panic| vec![(Harm::Other, format!("{what}: {}", said(panic.as_ref())))]);
        if found.is_empty() {
            self.waiting.lock().unwrap().entry(place).or_default().push(world);
        }
        found
    }
}
