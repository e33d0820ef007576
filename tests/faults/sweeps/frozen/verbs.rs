//! Frozen from the start: every verb.

use std::time::Duration;

use crate::bot;
use crate::held;
use crate::support::World;
use crate::sweep::{Harm, Run, Tally};

use super::gauge::{Gauge, Try};
use super::scene::Scene;

/// What a verb does while tmux stands still.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Does {
    /// It says that tmux did not answer.
    SaysSo,
    /// It needs no tmux.
    AsUsual,
}
use Does::{AsUsual, SaysSo};

/// `ID` is that of an envelope, `FILE` one that can be handed over.
const VERBS: [(&str, Does); 44] = [
    ("", SaysSo),
    ("status", SaysSo),
    ("status --json", SaysSo),
    ("up", SaysSo),
    ("up 3", SaysSo),
    ("up 3 --no-wait", SaysSo),
    ("up 3 --json", SaysSo),
    ("up 3 --dry-run", SaysSo),
    ("up agent5", SaysSo),
    ("up --attach", SaysSo),
    ("restart", SaysSo),
    ("restart 3", SaysSo),
    ("restart agent1", SaysSo),
    ("restart --handoff FILE", SaysSo),
    ("restart --detach", SaysSo),
    ("restart --json", SaysSo),
    ("restart --dry-run", SaysSo),
    ("down", SaysSo),
    ("down agent1", SaysSo),
    ("down --json", SaysSo),
    ("down --dry-run", SaysSo),
    ("attach", SaysSo),
    ("attach -r agent1", SaysSo),
    ("logs agent0", SaysSo),
    ("logs -f agent0", SaysSo),
    ("logs agent1 --json", SaysSo),
    ("send agent0 hello", SaysSo),
    ("send all hello --json", SaysSo),
    ("handoff deliver FILE", SaysSo),
    ("handoff deliver FILE --json", SaysSo),
    ("logs agent0 --generation last", AsUsual),
    ("send agent0 hello --dry-run", AsUsual),
    ("handoff list", AsUsual),
    ("handoff show ID", AsUsual),
    ("handoff write --agent agent0 FILE", AsUsual),
    ("handoff prune", AsUsual),
    ("history", AsUsual),
    ("history --json", AsUsual),
    ("inbox list", AsUsual),
    ("inbox next", AsUsual),
    ("inbox show ID", AsUsual),
    ("inbox done ID", AsUsual),
    ("config show", AsUsual),
    ("trust /", AsUsual),
];

/// How long netsky waits for an answer here.
const LIMIT: Duration = Duration::from_millis(500);

pub fn run(run: &Run, gauge: &Gauge) -> Tally {
    run.points(&VERBS, 15, 6, |(verb, does)| {
        let what = format!("netsky {verb} while tmux stands still");
        gauge.measure(&what, || Some(attempt(run, verb, *does, &what)))
    })
}

fn prepared(run: &Run) -> (World, String) {
    let world = run.world();
    bot::prompt(&world, &bot::patient());
    let note = world.write("first.md", "the first one");
    // Twice, so that there is a kept screen.
    world.netsky(["restart", "1"]).run().expect(0);
    world.netsky(["restart".into(), "1".into(), "--handoff".into(), note.into_os_string()]).run().expect(0);
    bot::prompt(&world, &bot::limits(LIMIT));
    let listed = world.netsky(["handoff", "list", "--json"]).run().expect(0).json();
    let id = listed["handoffs"][0]["id"].as_str().unwrap().to_owned();
    (world, id)
}

fn attempt(run: &Run, verb: &str, does: Does, what: &str) -> Try {
    let (world, id) = prepared(run);
    let file = world.write("note.md", "the note");
    let arguments = verb.split_whitespace().map(|word| match word {
        "ID" => id.clone(),
        "FILE" => file.to_str().unwrap().to_owned(),
        word => word.to_owned(),
    });
    let before = Scene::look(&world, true);
    let frozen = held::freeze(world.server_pid().unwrap());
    let ran = world.netsky(arguments).run();
    drop(frozen);
    let mut done = Try { before_it_spoke: true, late: before.until_now(&world), ..Try::default() };
    let expected = match does {
        SaysSo => 69,
        AsUsual => 0,
    };
    if ran.code != expected {
        done.findings
            .push((Harm::Other, format!("{what}: {} instead of {expected}: {}", ran.code, ran.stderr)));
    }
    let said = format!("{}{}", ran.stdout, ran.stderr);
    if does == SaysSo {
        done.overrun = Some(ran.took.saturating_sub(LIMIT));
        if !said.contains("did not answer") {
            done.findings.push((Harm::Other, format!("{what}: 69 without its reason: {said}")));
        }
    } else if ran.took > LIMIT {
        done.overrun = Some(ran.took.saturating_sub(LIMIT));
    }
    if done.late > 0 {
        done.findings.push((Harm::Doubled, format!("{what}: {} commands were carried out late", done.late)));
    }
    done
}
