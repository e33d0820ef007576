//! A great deal of everything: many envelopes, records and screens, and single things that are huge.
//!
//! Each point is a heap and a verb. A verb ends within its limit and within bounded memory, and where it goes through many
//! things it costs a small multiple of going through a tenth of them: nothing is searched for once for each.

mod heaps;
mod huge;
mod order;

use std::fs;
use std::process::Command;
use std::time::Duration;

use super::complaint;
use super::verbs::places::Place;
use crate::support::World;
use crate::support::world::Ran;
use crate::sweep::{Finding, Flaw, Harm, Run, Sweep, no_obstacle};

pub const VOLUME: Sweep = Sweep {
    name: "volume",
    promise: "with ten thousand envelopes, records and screens, and with single things of a gigabyte, every verb ends in \
              time and in 64 MiB; what is oldest comes first, and retention takes nothing that is not taken",
    flaw: Flaw { without: "order", does: Harm::Lost },
    floor: 13,
    obstacle: no_obstacle,
    run: |run| {
        let points: Vec<&Point> = [order::ALL, heaps::ALL, huge::ALL].into_iter().flatten().collect();
        run.points(&points, SHORT, 2, |point| {
            let found = (point.check)(run);
            found
                .into_iter()
                .map(|(harm, why)| (harm, format!("{}: {why}", point.name)))
                .collect::<Vec<Finding>>()
        })
    },
};

/// So many points the short form tries.
const SHORT: usize = 5;

/// A heap and what is done with it.
struct Point {
    name: &'static str,
    check: fn(&Run) -> Vec<Finding>,
}

/// So much of a processor a verb may use, by a build that is not optimised. How long that takes is for others to say who
/// use the machine as well.
const LIMIT: Duration = Duration::from_secs(4);

/// After this it hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// kB that a verb may have of its own, by `ulimit -d`: what takes more is ended by the failed allocation.
const MEMORY: &str = "65536";

/// A world whose home lies in memory: what is measured is netsky, not the disk.
struct Site {
    world: World,
    _memory: tempfile::TempDir,
}

impl Site {
    /// Nothing is made in it yet.
    fn bare(run: &Run) -> Self {
        let memory = tempfile::tempdir_in("/dev/shm").unwrap();
        let mut world = run.world();
        world.home = memory.path().join("h");
        world.set("NETSKY_HOME", world.home.clone());
        Self { world, _memory: memory }
    }

    /// Nobody runs in it.
    fn still(run: &Run) -> Self {
        let Self { world, _memory } = Self::bare(run);
        Self { world: Place::Still.build(world), _memory }
    }
}

/// A verb in bounded memory; how long it took is what it used of a processor.
fn called(world: &World, words: &[&str], marks: &[(&'static str, String)]) -> Ran {
    let script = format!("ulimit -d {MEMORY}; \"$0\" \"$@\"; code=$?; times >times; exit $code");
    let mut command = Command::new("sh");
    command.args(["-c", &script]).arg(world.program()).args(words);
    let call = world.call(command).within(PATIENCE).stdin("{}");
    let ran = marks.iter().fold(call, |call, (name, value)| call.env(name, value)).run();
    Ran { took: used(&fs::read_to_string(world.work.join("times")).unwrap()), ..ran }
}

/// What the second line of `times` says: user and system time of what the shell has started, as in `0m0.68s 0m0.22s`.
fn used(times: &str) -> Duration {
    let of_children = times.lines().nth(1).unwrap().split_whitespace();
    let seconds = of_children.map(|time| {
        let (minutes, seconds) = time.trim_end_matches('s').split_once('m').unwrap();
        60.0 * minutes.parse::<f64>().unwrap() + seconds.parse::<f64>().unwrap()
    });
    Duration::from_secs_f64(seconds.sum())
}

/// What is wrong with a verb that is to succeed within `limit`.
fn late_or_failed(ran: &Ran, words: &[&str], limit: Duration) -> Vec<Finding> {
    let what = words.join(" ");
    let mut found = complaint::findings(ran, &what);
    if ran.code != 0 {
        found.push((Harm::Other, format!("{what}: {} {}", ran.code, clipped(&ran.stderr))));
    }
    if ran.took > limit {
        found.push((
            Harm::Other,
            format!("{what}: it used {:?} of a processor, the limit is {limit:?}", ran.took),
        ));
    }
    found
}

fn clipped(text: &str) -> String {
    text.chars().take(300).collect()
}
