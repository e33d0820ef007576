//! Text as the path of the home and of netsky itself: everything goes through tmux there.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::process::Command;

use super::{Bench, os};
use crate::corpus::Sample;
use crate::support::World;
use crate::sweep::{Finding, Harm, Run};

pub(super) fn attempt(run: &Run, samples: &[&Sample]) -> Vec<Finding> {
    // The families differ in one character each; a few of each are enough where every point takes a server.
    let is_wanted = |sample: &&&Sample| {
        let every = if sample.bytes.len() == 3 { 12 } else { 3 };
        sample.is_path() && sample.number.is_multiple_of(every)
    };
    let mut found = Vec::new();
    for sample in samples.iter().filter(is_wanted) {
        found.extend(lived_in(run, sample));
    }
    found
}

fn lived_in(run: &Run, sample: &Sample) -> Vec<Finding> {
    let mut world = run.world();
    let root = world.root().canonicalize().unwrap();
    let home = PathBuf::from(os(&[root.as_os_str().as_bytes(), b"/", &sample.bytes].concat()));
    world.home.clone_from(&home);
    world.set("NETSKY_HOME", home.clone());
    let bench = Bench::of(moved(world, sample));
    let what = format!("a home at {}", sample.shown());
    fs::create_dir_all(home.parent().unwrap()).unwrap();
    let up = |codes| bench.human(&what, bench.world.netsky(["up", "0", "--agent", "demo"]), codes);
    // A socket's path has 107 bytes at most (unix(7)).
    if home.join("run/tmux.sock").as_os_str().len() > 107 {
        up(&[78]);
        return bench.end();
    }
    // What agents cannot be told of is refused by name, and nothing is started.
    if bench.world.program.to_str().is_none() {
        let refused = up(&[78]);
        bench.must(refused.stderr.contains("not UTF-8"), Harm::Other, || {
            format!("{what}: {}", refused.stderr)
        });
        bench.human(&what, bench.world.netsky(["down"]), &[0]);
        return bench.end();
    }
    up(&[0]);
    bench.human(&what, bench.world.netsky(["send", "agent0", "hello"]), &[0]);
    bench.human(&what, bench.world.netsky(["status"]), &[0]);
    let status = bench.json(&what, bench.world.netsky(["status", "--json"]), &[0]);
    bench.must(status["agents"][0]["state"] != "missing", Harm::Lost, || format!("{what}: {status}"));
    bench.human(&what, bench.world.netsky(["logs", "agent0"]), &[0]);
    bench.human(&what, bench.world.netsky(["restart", "0", "--agent", "demo"]), &[0]);
    bench.human(&what, bench.world.netsky(["down"]), &[0]);
    bench.human(&what, bench.world.netsky(["history"]), &[0]);
    bench.end()
}

/// Some also have their netsky at such a path.
fn moved(mut world: World, sample: &Sample) -> World {
    let every = if sample.text().is_some() { 6 } else { 1 };
    if sample.number.is_multiple_of(every) {
        let root = world.root().canonicalize().unwrap();
        let dir = PathBuf::from(os(&[root.as_os_str().as_bytes(), b"/bin of ", &sample.bytes].concat()));
        fs::create_dir_all(&dir).unwrap();
        let program = dir.join("netsky");
        // By a process of its own: a descriptor that another thread's child has for a moment makes the file busy.
        assert!(Command::new("cp").arg(&world.program).arg(&program).status().unwrap().success());
        world.program = program;
    }
    world
}
