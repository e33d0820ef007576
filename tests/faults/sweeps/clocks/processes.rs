//! A live process that only has the pid of one of ours: of before it was given out again, or of another boot.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use super::{configured, restarts};
use crate::strace::{self, Point};
use crate::support::world::{self, files};
use crate::support::{World, tree};
use crate::sweep::{Finding, Harm, Run};

/// Nobody's: it carries no mark, and every signal that netsky sends ends it.
struct Stranger(Child);

impl Stranger {
    fn new() -> Self {
        let mut command = Command::new("sleep");
        command.arg("600").env_clear().stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Self(command.spawn().unwrap())
    }

    fn pid(&self) -> i32 {
        self.0.id().cast_signed()
    }

    /// As a file of netsky's names it, `later` than it began.
    fn process(&self, later: u64) -> Value {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid())).unwrap();
        let (_, rest) = stat.rsplit_once(')').unwrap();
        let started: u64 = rest.split_ascii_whitespace().nth(19).unwrap().parse().unwrap();
        json!({"pid": self.pid(), "started": started + later})
    }

    /// What is wrong if it was signalled.
    fn harm(&self, by: &str) -> Option<Finding> {
        let is_alive = tree::is_alive(self.pid());
        (!is_alive).then(|| (Harm::Other, format!("{by} ended a process that is nobody's")))
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn changed(world: &World, path: &str, change: impl FnOnce(&mut Value)) {
    let path = world.home.join(path);
    let mut value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    change(&mut value);
    fs::write(path, value.to_string()).unwrap();
}

pub fn server_of_another_boot(run: &Run) -> Vec<Finding> {
    let stranger = Stranger::new();
    let process = stranger.process(0);
    beside_a_recorded_server(run, &stranger, |spawned| {
        spawned["boot"] = "00000000-0000-0000-0000-000000000000".into();
        spawned["server"] = process.clone();
        spawned["agents"]["agent0"]["pane"]["process"] = process;
    })
}

pub fn server_with_a_reused_pid(run: &Run) -> Vec<Finding> {
    let stranger = Stranger::new();
    let process = stranger.process(1);
    beside_a_recorded_server(run, &stranger, |spawned| {
        spawned["server"] = process.clone();
        spawned["agents"]["agent0"]["pane"]["process"] = process;
    })
}

/// The server is gone, and what is on record is a stranger.
fn beside_a_recorded_server(run: &Run, stranger: &Stranger, record: impl FnOnce(&mut Value)) -> Vec<Finding> {
    let world = configured(run, "");
    world.netsky(["up", "0"]).run().expect(0);
    let ended = world::wait(Duration::from_secs(10), &mut || {
        let left: Vec<i32> =
            tree::servers(&world.socket()).into_iter().chain(tree::marked(&world.home)).collect();
        left.iter().for_each(|pid| world::signal(*pid, "KILL"));
        left.is_empty().then_some(())
    });
    ended.expect("the server does not end");
    changed(&world, "state/agents.json", record);
    let mut found = Vec::new();
    for verb in [&["status"][..], &["up", "0"], &["restart", "0"], &["down"]] {
        let ran = world.netsky(verb.iter().copied()).run();
        if ran.code != 0 {
            found.push((Harm::Other, format!("{verb:?}: {} {}", ran.code, ran.stderr)));
        }
        found.extend(stranger.harm(&format!("{verb:?}")));
    }
    found
}

pub fn restart_with_a_reused_pid(run: &Run) -> Vec<Finding> {
    let stranger = Stranger::new();
    after_a_killed_restart(run, &stranger, |world| {
        changed(world, "state/restart.lock", |holder| holder["process"] = stranger.process(1));
    })
}

pub fn restart_of_another_boot(run: &Run) -> Vec<Finding> {
    let stranger = Stranger::new();
    after_a_killed_restart(run, &stranger, |world| {
        changed(world, "state/restart.lock", |holder| {
            holder["process"] = stranger.process(0);
            holder["boot"] = "00000000-0000-0000-0000-000000000000".into();
        });
    })
}

/// As after a power cut: nobody synced it.
pub fn restart_named_by_nobody(run: &Run) -> Vec<Finding> {
    let stranger = Stranger::new();
    after_a_killed_restart(run, &stranger, |world| {
        fs::write(world.home.join("state/restart.lock"), "").unwrap();
    })
}

/// Its record bears the stranger's pid, and `forge` does the rest.
fn after_a_killed_restart(run: &Run, stranger: &Stranger, forge: impl FnOnce(&World)) -> Vec<Finding> {
    let world = configured(run, "");
    world.netsky(["up", "0"]).run().expect(0);
    let in_its_midst = Point { call: "fsync".to_owned(), nth: 12 };
    let mut command = strace::striking(&world, &in_its_midst, "signal=SIGKILL", run.netsky());
    command.args(["restart", "0"]);
    world.call(command).run().expect(137);
    let path = files(&world.home.join("state/restart-status")).pop().unwrap();
    let record = format!("state/restart-status/{}", path.file_name().unwrap().to_string_lossy());
    changed(&world, &record, |record| record["pid"] = stranger.pid().into());
    forge(&world);
    let mut found = Vec::new();
    let seen = world.status()["last_restart"]["phase"].clone();
    if seen != "interrupted" {
        found.push((Harm::Other, format!("status says that it is {seen}")));
    }
    let ran = world.netsky(["restart", "0"]).run();
    if ran.code != 0 {
        found.push((Harm::Other, format!("the next one: {} {}", ran.code, ran.stderr)));
    }
    found.extend(stranger.harm("the next restart"));
    found
}

/// The lock file says nothing, as in the moment in which it is written.
pub fn unnamed_in_flight(run: &Run) -> Vec<Finding> {
    let world = configured(run, &restarts::slow(run));
    world.netsky(["up", "0"]).run().expect(0);
    let restart = world.netsky(["restart", "0"]).start();
    restarts::await_spawned(&world);
    fs::File::options().write(true).open(world.home.join("state/restart.lock")).unwrap().set_len(0).unwrap();
    let seen = world.status()["last_restart"]["phase"].clone();
    let output = restart.wait_with_output().unwrap();
    let mut found = Vec::new();
    if seen == "interrupted" || output.status.code() != Some(0) {
        let said = String::from_utf8_lossy(&output.stderr);
        found.push((Harm::Other, format!("status says that it is {seen}; {:?} {said}", output.status)));
    }
    found
}

pub fn can_shift_the_monotonic_clock() -> bool {
    shifted(&["true"]).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// In a time namespace of its own.
fn shifted(words: &[&str]) -> Command {
    let mut command = Command::new("unshare");
    command.args(["--time", "--monotonic", "28800"]).args(words);
    command
}

/// Eight hours ahead of everybody else's: nothing that two processes compare is in it.
pub fn other_monotonic_clock(run: &Run) -> Vec<Finding> {
    let world = configured(run, "");
    world.netsky(["up", "0"]).run().expect(0);
    let netsky = run.netsky().display().to_string();
    let mut found = Vec::new();
    for verb in [&["restart", "0"][..], &["send", "agent0", "look"], &["status"], &["up", "1"]] {
        let ran = world.call(shifted(&[&[netsky.as_str()], verb].concat())).run();
        if ran.code != 0 || ran.took > Duration::from_secs(30) {
            found.push((Harm::Other, format!("{verb:?}: {} after {:?} {}", ran.code, ran.took, ran.stderr)));
        }
    }
    let taken = world::wait(Duration::from_secs(10), &mut || (world.envelopes()[2].len() == 1).then_some(()));
    if taken.is_none() {
        found.push((Harm::Lost, format!("not taken: {:?}", world.envelopes())));
    }
    found
}
