//! System calls counted, and one of them struck: by SIGKILL before it acts, or by an error in its place.

use std::path::Path;
use std::process::Command;

use crate::support::World;

/// Calls that write, rename, link, sync, spawn, connect or send.
pub const CALLS: [&str; 18] = [
    "write",
    "writev",
    "pwrite64",
    "rename",
    "renameat",
    "renameat2",
    "link",
    "linkat",
    "unlink",
    "unlinkat",
    "fsync",
    "fdatasync",
    "clone3",
    "vfork",
    "connect",
    "sendto",
    "sendmsg",
    "ftruncate",
];

/// The nth call of that name in a thread.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Point {
    pub call: String,
    pub nth: usize,
}

impl std::fmt::Display for Point {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.call, self.nth)
    }
}

/// Why calls cannot be struck here.
pub fn obstacle() -> Option<String> {
    let has = Command::new("strace").arg("-V").output().is_ok_and(|output| output.status.success());
    assert!(has || std::env::var_os("CI").is_none(), "strace is missing: scripts/setup test");
    (!has).then(|| "strace is missing".to_owned())
}

/// `program` under strace with these options; its trace goes to `trace` in the world's directory. Threads and children
/// are not followed: what a test strikes is the process that it started.
pub fn command(world: &World, options: &[String], program: &Path) -> Command {
    let mut command = Command::new("strace");
    command.args(["-qq", "-o"]).arg(world.root().join("trace")).args(options).arg(program);
    command
}

/// Counts the calls.
pub fn counting(world: &World, program: &Path) -> Command {
    command(world, &[format!("-etrace={}", CALLS.join(","))], program)
}

/// Strikes at a point: `fault` is `signal=SIGKILL` or `error=ENOSPC`.
pub fn striking(world: &World, point: &Point, fault: &str, program: &Path) -> Command {
    let Point { call, nth } = point;
    command(world, &[format!("-etrace={call}"), format!("-einject={call}:{fault}:when={nth}")], program)
}

/// The points that a counted run went through, call by call in the order in which they came.
pub fn counted(world: &World) -> Vec<Point> {
    counted_of(world, &CALLS)
}

/// [`counted`] of other calls.
pub fn counted_of(world: &World, wanted: &[&str]) -> Vec<Point> {
    let trace = std::fs::read_to_string(world.root().join("trace")).unwrap();
    let mut seen = std::collections::HashMap::new();
    let calls = trace.lines().filter_map(|line| line.split_once('(')).map(|(call, _)| call);
    calls
        .filter(|call| wanted.contains(call))
        .map(|call| {
            let nth = seen.entry(call).or_insert(0);
            *nth += 1;
            Point { call: call.to_owned(), nth: *nth }
        })
        .collect()
}
