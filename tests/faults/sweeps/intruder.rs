//! Another user of the same machine who plants, links, listens, connects and races: refused by name, nothing followed.
//!
//! Each point is a row, tried with netsky as a user without privileges and as root; the intruder never has any. What is
//! planted where only root could put it stands for a home that was open once, or came out of an archive.

mod among;
mod ground;
mod homes;
mod inside;
mod people;
mod race;
mod servers;
mod settings;
mod texts;
mod witness;

use std::sync::Mutex;

use ground::{Ground, Programs, Who};

use crate::sweep::{Finding, Flaw, Harm, Run, Sweep};

pub const INTRUDER: Sweep = Sweep {
    name: "intruder",
    promise: "what another user owns, links or offers where netsky looks is refused by name: nothing of it is obeyed, \
              followed, written, signalled or waited for, and when it is gone `up` works",
    flaw: Flaw { without: "ownership", does: Harm::FalseSuccess },
    floor: 300,
    obstacle: ground::obstacle,
    run: |run| {
        let programs = Programs::of(run);
        let rows: Vec<Row> = homes::rows()
            .into_iter()
            .chain(inside::rows())
            .chain(among::rows())
            .chain(servers::rows())
            .chain(settings::rows())
            .chain(texts::rows())
            .chain(people::rows())
            .chain(race::rows())
            .collect();
        let points: Vec<(&Row, Who)> =
            Who::ALL.iter().flat_map(|who| rows.iter().map(move |row| (row, *who))).collect();
        let grounds = Grounds { run, programs: &programs, used: Mutex::default() };
        run.points(&points, SHORT, WORKERS, |(row, who)| grounds.attempt(row, *who))
    },
};

const WORKERS: usize = 4;

/// So many points the short form tries.
const SHORT: usize = 26;

/// Plants, calls netsky, judges, and takes away what was planted.
type Play = dyn Fn(&mut Ground) -> Vec<Finding> + Sync;

/// A point, but for who netsky is.
pub struct Row {
    name: String,
    place: Place,
    play: Box<Play>,
}

/// Where a row is played.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// There is no home yet.
    Bare,
    /// agent0 is up; used again as long as nothing is wrong there.
    Running,
}

fn row(
    name: impl Into<String>,
    place: Place,
    play: impl Fn(&mut Ground) -> Vec<Finding> + Sync + 'static,
) -> Row {
    Row { name: name.into(), place, play: Box::new(play) }
}

struct Grounds<'r> {
    run: &'r Run,
    programs: &'r Programs,
    used: Mutex<Vec<Ground>>,
}

impl Grounds<'_> {
    fn attempt(&self, row: &Row, who: Who) -> Vec<Finding> {
        let mut ground = match row.place {
            Place::Bare => Ground::new(self.run, self.programs, who),
            Place::Running => self.running(who),
        };
        let found: Vec<Finding> = (row.play)(&mut ground)
            .into_iter()
            .map(|(harm, why)| (harm, format!("{}, netsky as {who:?}: {why}", row.name)))
            .collect();
        if found.is_empty() && row.place == Place::Running {
            self.used.lock().unwrap().push(ground);
        }
        found
    }

    fn running(&self, who: Who) -> Ground {
        let mut used = self.used.lock().unwrap();
        let waiting = used.iter().position(|ground| ground.who == who).map(|at| used.swap_remove(at));
        drop(used);
        waiting.unwrap_or_else(|| {
            let ground = Ground::new(self.run, self.programs, who);
            ground.bring_up();
            ground
        })
    }
}
