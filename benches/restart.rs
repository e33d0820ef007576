//! Whole restarts: beside the floor, at several sizes, and beside the first generation.

use std::time::Duration;

use crate::Options;
use crate::first_generation::{FirstGeneration, Waits};
use crate::floor::Plain;
use crate::table::{Row, Samples};
use crate::world::World;

/// netsky and the floor in turns, on servers of their own.
fn in_turns(clones: u32, runs: usize) -> (Samples, Samples) {
    let world = World::new();
    let agent = world.instant_agent();
    world.configure("instant", &agent);
    let plain = Plain::start(&world, agent);
    let number = clones.to_string();
    world.run(&["up", &number]);
    plain.restart(clones);
    let (mut ours, mut floor) = (Vec::new(), Vec::new());
    for _ in 0..runs {
        ours.push(world.run(&["restart", &number]));
        floor.push(plain.restart(clones));
    }
    (Samples::of_durations(ours), Samples::of_durations(floor))
}

pub(crate) fn large(options: &Options) -> Vec<Row> {
    let (ours, floor) = in_turns(options.agents, options.runs);
    let ratio = ours.median() / floor.median();
    let what = format!("restart {}, instant agents", options.agents);
    let row = Row::judged(what, ours.words("ms"), "≤ 1.5 × floor", ratio / 1.5);
    vec![row.with_floor(floor.words("ms"), ratio)]
}

pub(crate) fn growth(options: &Options) -> Vec<Row> {
    let runs = options.runs.div_ceil(2);
    let sizes: Vec<(u32, Samples, Samples)> = options
        .growth
        .iter()
        .map(|clones| {
            let (ours, floor) = in_turns(*clones, runs);
            (*clones, ours, floor)
        })
        .collect();
    let mut rows: Vec<Row> = sizes
        .iter()
        .map(|(clones, ours, floor)| {
            let row = Row::told(format!("  restart {clones}"), ours.words("ms"));
            row.with_floor(floor.words("ms"), ours.median() / floor.median())
        })
        .collect();
    // 1.0: as many times longer as there are times more agents.
    let growth = |of: &dyn Fn(&(u32, Samples, Samples)) -> f64| -> Vec<f64> {
        let steps = sizes.windows(2).map(|pair| {
            let agents = f64::from(pair[1].0 + 1) / f64::from(pair[0].0 + 1);
            of(&pair[1]) / of(&pair[0]) / agents
        });
        steps.collect()
    };
    let (ours, floor) = (growth(&|size| size.1.median()), growth(&|size| size.2.median()));
    let words = |steps: &[f64]| steps.iter().map(|step| format!("{step:.2}")).collect::<Vec<_>>().join(", ");
    let worst = |steps: &[f64]| steps.iter().copied().fold(0.0, f64::max);
    let names = options.growth.iter().map(u32::to_string).collect::<Vec<_>>().join(" → ");
    let row = Row::judged(
        format!("growth {names}, 1 = linear"),
        words(&ours),
        "≤ 1, or the floor's",
        worst(&ours) / worst(&floor).max(1.0),
    );
    rows.push(row.with_floor(words(&floor), worst(&ours) / worst(&floor)));
    rows
}

pub(crate) fn first_generation(options: &Options) -> Vec<Row> {
    const CLONES: u32 = 3;
    let world = World::new();
    let agent = world.instant_agent();
    world.configure("instant", &agent);
    let number = CLONES.to_string();
    world.run(&["up", &number]);
    let ours: Vec<Duration> = (0..options.runs).map(|_| world.run(&["restart", &number])).collect();
    let ours = Samples::of_durations(ours);
    let plain = Plain::start(&world, agent);
    let waits = Waits::as_they_were().shortened(options.hurry);
    let took = FirstGeneration { plain: &plain, waits }.restart(CLONES);
    let whole = took * options.hurry;
    let row = Row::told(format!("restart {CLONES}, instant agents"), ours.words("ms"));
    vec![
        row,
        Row::told(
            format!("  first generation, waits ÷ {}", options.hurry),
            format!(
                "{:.0} ms; with whole waits about {:.0} s, {:.0} × netsky",
                took.as_secs_f64() * 1000.0,
                whole.as_secs_f64(),
                whole.as_secs_f64() * 1000.0 / ours.median()
            ),
        ),
    ]
}
