//! The process table as the sampler reads it: who lives, and whose marks it carries.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// One process: a reused pid has another start time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Process {
    pub pid: i32,
    started: u64,
}

impl Process {
    /// The process that has this pid now; none where there is none or it is a zombie.
    pub fn of(pid: i32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let (_, rest) = stat.rsplit_once(')')?;
        let mut fields = rest.split_ascii_whitespace();
        let is_dead = matches!(fields.next()?, "Z" | "X");
        let started = fields.nth(18)?.parse().ok()?;
        (!is_dead).then_some(Self { pid, started })
    }

    pub fn lives(self) -> bool {
        Self::of(self.pid) == Some(self)
    }
}

/// A process with the marks of an agent of our home.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marked {
    pub process: Process,
    pub agent: String,
    pub generation: String,
}

/// The processes that carry this home and the name of an agent, all alive at one moment: whoever was found is looked
/// for once more when everybody was found.
pub fn marked(home: &Path) -> Vec<Marked> {
    let home = home.to_str().unwrap();
    let mut found: Vec<Marked> = pids().filter_map(|pid| marks_of(pid, home)).collect();
    found.retain(|marked| marked.process.lives());
    found
}

fn marks_of(pid: i32, home: &str) -> Option<Marked> {
    let process = Process::of(pid)?;
    let environment = fs::read(format!("/proc/{pid}/environ")).ok()?;
    let value = |name: &str| {
        let mut entries = environment.split(|byte| *byte == 0);
        let value = entries.find_map(|entry| entry.strip_prefix(name.as_bytes()))?;
        Some(String::from_utf8_lossy(value).into_owned())
    };
    if value("NETSKY_HOME=")? != home {
        return None;
    }
    let agent = value("NETSKY_AGENT=")?;
    let digits = agent.strip_prefix("agent")?;
    let is_agent = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_agent.then(|| Marked { process, agent, generation: value("NETSKY_GENERATION=").unwrap_or_default() })
}

/// The generations of each agent that lives.
pub fn generations(marked: &[Marked]) -> BTreeMap<&str, BTreeSet<&str>> {
    let mut generations: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for Marked { agent, generation, .. } in marked {
        generations.entry(agent).or_default().insert(generation);
    }
    generations
}

/// Processes with this entry in their environment.
pub fn with_entry(name: &str, value: &Path) -> Vec<Process> {
    let wanted = format!("{name}={}", value.display());
    let has = |pid: &i32| {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|entry| entry == wanted.as_bytes())
    };
    pids().filter(has).filter_map(Process::of).collect()
}

/// The tmux servers on a socket, all alive at one moment. A child of a server looks like one until it has become what it
/// was forked for.
pub fn servers(socket: &Path) -> Vec<Process> {
    let wanted = socket.to_str().unwrap();
    let is_server = |pid: &i32| {
        let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        let arguments = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        name.starts_with("tmux: server")
            && arguments.split(|byte| *byte == 0).any(|argument| argument == wanted.as_bytes())
    };
    let alike: Vec<i32> = pids().filter(is_server).collect();
    let is_child = |pid: &i32| parent_of(*pid).is_none_or(|parent| alike.contains(&parent));
    let mut found: Vec<Process> =
        alike.iter().filter(|pid| !is_child(pid)).filter_map(|pid| Process::of(*pid)).collect();
    found.retain(|server| server.lives());
    found
}

fn parent_of(pid: i32) -> Option<i32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_ascii_whitespace().nth(1)?.parse().ok()
}

/// The processes that carry a restart of this home for others.
pub fn supervisors(home: &Path) -> Vec<Process> {
    let orders = format!("{}/run/", home.display());
    let carries = |pid: &i32| {
        let arguments = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let mut arguments = arguments.split(|byte| *byte == 0).skip(1);
        arguments.next() == Some(b"supervise")
            && arguments.next().is_some_and(|order| order.starts_with(orders.as_bytes()))
    };
    pids().filter(carries).filter_map(Process::of).collect()
}

fn pids() -> impl Iterator<Item = i32> {
    let entries = fs::read_dir("/proc").unwrap();
    entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
}

/// A line of `/proc/PID/status`, in KiB.
pub fn kilobytes(pid: i32, name: &str) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

/// How many files a process has open.
pub fn open_files(pid: i32) -> Option<u64> {
    Some(fs::read_dir(format!("/proc/{pid}/fd")).ok()?.count() as u64)
}
