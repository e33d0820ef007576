//! System calls counted, and one of them struck: by SIGKILL before it acts, or by an error in its place.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::errand::Struck;
use crate::support::{World, world};

/// Calls that write, rename, link, sync, spawn, connect or send.
pub const CALLS: [&str; 19] = [
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
    "clone",
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

/// Why a process that is no child of strace's cannot be struck here.
pub fn no_attaching() -> Option<&'static str> {
    let scope = std::fs::read_to_string("/proc/sys/kernel/yama/ptrace_scope").unwrap_or_default();
    let may = rustix::process::geteuid().is_root() || matches!(scope.trim(), "" | "0");
    (!may).then_some("only root may trace what is not its child here")
}

/// `program` under strace with these options; its trace goes to `trace` in the world's directory. Threads and children
/// are not followed: what a test strikes is the process that it started.
pub fn command(world: &World, options: &[String], program: &Path) -> Command {
    let mut command = Command::new("strace");
    command.args(["-qq", "-o"]).arg(trace(world)).args(options).arg(program);
    command
}

/// Counts the calls.
pub fn counting(world: &World, program: &Path) -> Command {
    command(world, &to_count(), program)
}

/// Strikes at a point: `fault` is `signal=SIGKILL` or `error=ENOSPC`.
pub fn striking(world: &World, point: &Point, fault: &str, program: &Path) -> Command {
    command(world, &to_strike(point, fault), program)
}

/// Strikes at a point of a process that runs already; what is struck is what it calls from now on. Returns once the
/// process is held.
pub fn attached(world: &World, pid: i32, options: &[String]) -> Child {
    let mut command = Command::new("strace");
    command.args(["-qq", "-o"]).arg(trace(world)).args(options).args(["-p", &pid.to_string()]);
    let strace = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let is_held = || {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let tracer = status.lines().find_map(|line| line.strip_prefix("TracerPid:"))?;
        (tracer.trim() != "0").then_some(())
    };
    world::wait(Duration::from_secs(10), &mut || is_held()).expect("strace does not get hold of the process");
    strace
}

/// The options with which calls are counted.
pub fn to_count() -> Vec<String> {
    vec![format!("-etrace={}", CALLS.join(","))]
}

/// The options with which a point is struck.
pub fn to_strike(Point { call, nth }: &Point, fault: &str) -> Vec<String> {
    vec![format!("-etrace={call}"), format!("-einject={call}:{fault}:when={nth}")]
}

/// The points that a counted run went through, in the order in which they came. Of threads that were followed each one
/// counts for itself, and the one that gets farthest is the one that is struck.
pub fn counted(world: &World) -> Vec<Point> {
    counted_of(world, &CALLS)
}

/// [`counted`] of other calls.
pub fn counted_of(world: &World, wanted: &[&str]) -> Vec<Point> {
    let mut seen = HashMap::new();
    let mut points = Vec::new();
    for line in read(world).lines() {
        let (thread, line) = by_thread(line);
        let Some((call, _)) = line.split_once('(').filter(|(call, _)| wanted.contains(call)) else {
            continue;
        };
        let nth = seen.entry((thread.to_owned(), call.to_owned())).or_insert(0);
        *nth += 1;
        let point = Point { call: call.to_owned(), nth: *nth };
        if !is_poke(line) && !points.contains(&point) {
            points.push(point);
        }
    }
    points
}

/// Where a signal struck. `None`: the call never came.
pub fn struck(world: &World) -> Option<Struck> {
    let trace = read(world);
    let lines: Vec<&str> = trace.lines().map(|line| by_thread(line).1).collect();
    let signal = lines.iter().position(|line| line.starts_with("+++ killed by ") || is_injected(line))?;
    let call = lines[..signal].iter().rfind(|line| !line.starts_with("--- "))?;
    Some(if is_poke(call) { Struck::Poke } else { Struck::Point })
}

/// A signal that no process sent.
fn is_injected(line: &str) -> bool {
    line.starts_with("--- ") && line.contains("si_code=SI_KERNEL")
}

/// A thread that is made, or woken by another one of the same process: nothing that anybody else sees.
fn is_poke(line: &str) -> bool {
    let is_wake = line.contains("\"\\1\\0\\0\\0\\0\\0\\0\\0\", 8)");
    is_wake || line.contains("\"\\1\", 1, MSG_NOSIGNAL, NULL, 0)") || line.contains("CLONE_THREAD")
}

/// Where threads are followed each line begins with one.
fn by_thread(line: &str) -> (&str, &str) {
    match line.split_once(' ') {
        Some((thread, rest)) if thread.bytes().all(|byte| byte.is_ascii_digit()) => {
            (thread, rest.trim_start())
        }
        _ => ("", line),
    }
}

fn trace(world: &World) -> PathBuf {
    world.root().join("trace")
}

fn read(world: &World) -> String {
    std::fs::read_to_string(trace(world)).unwrap_or_default()
}
