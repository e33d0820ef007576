//! Clocks that jump, hosts that slept or booted, pids that were given out again: nothing happens because of them.

mod handovers;
mod in_use;
mod processes;
pub mod restarts;

use crate::clock::{self, Jump};
use crate::strace;
use crate::support::World;
use crate::sweep::{Finding, Flaw, Harm, Run, Sweep};

pub const CLOCKS: Sweep = Sweep {
    name: "clocks",
    promise: "whatever the wall clock says, between commands or in their midst: nothing is pruned, forgotten, revived or \
              reordered by it, and a process that only has the pid of one of ours is never signalled",
    flaw: Flaw { without: "succession", does: Harm::Lost },
    floor: 48,
    obstacle: || clock::obstacle().or_else(strace::obstacle),
    run: |run| {
        let can_shift = processes::can_shift_the_monotonic_clock();
        let is_possible = |scene: &&Scene| can_shift || scene.name != OTHER_MONOTONIC;
        let points: Vec<Point> = SCENES.iter().filter(is_possible).flat_map(Scene::points).collect();
        let tally = run.points(&points, 18, 3, |point| {
            let what = point.name();
            let found = match (point.scene.play, point.jump) {
                (Play::Under(play, _), Some(jump)) => play(run, jump),
                (Play::Under(..), None) => Vec::new(),
                (Play::Once(play), _) => play(run),
            };
            found.into_iter().map(|(harm, why)| (harm, format!("{what}: {why}"))).collect::<Vec<Finding>>()
        });
        if can_shift {
            tally
        } else {
            tally.note(format!("not tried, unshare -T is not to be had: {OTHER_MONOTONIC}"))
        }
    },
};

const OTHER_MONOTONIC: &str = "a command whose monotonic clock is another";

/// What is done while the clock jumps, or with what another boot or another process left.
struct Scene {
    name: &'static str,
    play: Play,
}

#[derive(Clone, Copy)]
enum Play {
    Under(fn(&Run, Jump) -> Vec<Finding>, &'static [Jump]),
    Once(fn(&Run) -> Vec<Finding>),
}

const fn under_all(name: &'static str, play: fn(&Run, Jump) -> Vec<Finding>) -> Scene {
    Scene { name, play: Play::Under(play, &Jump::ALL) }
}

const fn once(name: &'static str, play: fn(&Run) -> Vec<Finding>) -> Scene {
    Scene { name, play: Play::Once(play) }
}

/// The first one is what the broken build does not survive.
const SCENES: &[Scene] = &[
    under_all("restarts under two clocks", restarts::successive),
    under_all("records from another time", restarts::after_records_of),
    under_all("a jump in mid-restart", restarts::jump_in_the_midst),
    under_all("hand-overs under two clocks", handovers::in_their_order),
    under_all("a claim that lives while others are pruned", handovers::live_claim),
    under_all("drafts under two clocks", handovers::newest_draft),
    under_all("messages to an idle agent", handovers::nudged),
    under_all("temporaries in use", in_use::temporaries),
    under_all("a claimant at work", in_use::claimant),
    once("a server of another boot", processes::server_of_another_boot),
    once("the pid of a server given out again", processes::server_with_a_reused_pid),
    once("the pid of a restart given out again", processes::restart_with_a_reused_pid),
    once("a restart of another boot", processes::restart_of_another_boot),
    once("a restart that a lost lock file does not name", processes::restart_named_by_nobody),
    once("a restart in flight that its lock file does not name", processes::unnamed_in_flight),
    once(OTHER_MONOTONIC, processes::other_monotonic_clock),
];

struct Point {
    scene: &'static Scene,
    jump: Option<Jump>,
}

impl Point {
    fn name(&self) -> String {
        let jump = self.jump.map(|jump| format!(", {jump:?}")).unwrap_or_default();
        format!("{}{jump}", self.scene.name)
    }
}

impl Scene {
    fn points(&'static self) -> Vec<Point> {
        match self.play {
            Play::Under(_, jumps) => {
                jumps.iter().map(|jump| Point { scene: self, jump: Some(*jump) }).collect()
            }
            Play::Once(_) => vec![Point { scene: self, jump: None }],
        }
    }
}

/// A home whose agents are demo ones.
fn configured(run: &Run, more: &str) -> World {
    let world = run.world();
    world.configure(&format!("[constellation]\nagent = \"demo\"\nroot_agent = \"demo\"\nclones = 1\n{more}"));
    world
}

/// No time that is shown is negative or, where `nothing_is_dated_back`, hours long.
fn absurd(text: &str, from: &str, nothing_is_dated_back: bool) -> Option<Finding> {
    let is_number = |text: &str| text.parse::<f64>().is_ok();
    let is_absurd = |word: &str| {
        let is_negative =
            word.strip_prefix('-').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
        is_negative
            || nothing_is_dated_back
                && (word.strip_suffix('d').or(word.strip_suffix('h'))).is_some_and(is_number)
    };
    let absurd = text.split_whitespace().find(|word| is_absurd(word));
    absurd.map(|word| (Harm::Other, format!("{from} says {word}: {text}")))
}
