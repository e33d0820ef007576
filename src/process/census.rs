//! The process table: ancestry, and who carries netsky's marks in its environment.
//!
//! Linux reads `/proc`; elsewhere `ps` is asked (tested at its parser only). A process that scrubs its environment
//! is not seen: a stated limit. That something could not be looked at is an error, never the answer that nobody is there.

use std::io;
use std::path::{Path, PathBuf};

use crate::name::AgentName;

use super::ProcessId;

/// What a process says of itself in its environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// `NETSKY_HOME`.
    pub home: String,
    /// `NETSKY_AGENT`.
    pub agent: AgentName,
    /// `NETSKY_GENERATION`, as text: it may be anything.
    pub generation: String,
}

impl Mark {
    /// Whether it is of the constellation whose home that is.
    pub fn is_of(&self, home: &Path) -> bool {
        self.home == home.to_string_lossy()
    }
}

/// A process that carries our marks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marked {
    /// The process.
    pub process: ProcessId,
    /// What it carries.
    pub mark: Mark,
}

/// The marks in an environment as the system gives it: `NAME=value`, each ended by a NUL.
pub(super) fn mark_in(environment: &[u8]) -> Option<Mark> {
    let value = |name: &str| {
        environment
            .split(|byte| *byte == 0)
            .find_map(|entry| entry.strip_prefix(name.as_bytes())?.strip_prefix(b"="))
            .map(|value| String::from_utf8_lossy(value).into_owned())
    };
    Some(Mark {
        home: value("NETSKY_HOME")?,
        agent: value("NETSKY_AGENT")?.parse().ok()?,
        generation: value("NETSKY_GENERATION").unwrap_or_default(),
    })
}

/// When a process began; `None`: it is gone, or a zombie.
pub(super) fn started(pid: i32) -> io::Result<Option<u64>> {
    Ok(system::row(pid)?.filter(|row| !row.zombie).map(|row| row.started))
}

/// `pid` and all above it, nearest first.
///
/// # Errors
/// One of them could not be looked at.
pub fn ancestors(pid: i32) -> io::Result<Vec<i32>> {
    let mut line = Vec::new();
    let mut next = Some(pid);
    while let Some(pid) = next.filter(|pid| *pid > 0 && !line.contains(pid)) {
        line.push(pid);
        next = system::row(pid)?.map(|row| row.parent);
    }
    Ok(line)
}

/// The name of a process as the kernel has it (15 bytes on Linux): a tmux server calls itself `tmux: server`. `None`: it
/// is gone.
///
/// # Errors
/// It could not be looked at.
pub fn name_of(pid: i32) -> io::Result<Option<String>> {
    system::name_of(pid)
}

/// The working directory of a process, where the system tells it (Linux).
pub fn dir_of(pid: i32) -> Option<PathBuf> {
    std::fs::read_link(format!("/proc/{pid}/cwd")).ok()
}

/// The processes that work in this very directory, where the system tells it (Linux).
pub fn working_in(dir: &Path) -> Vec<ProcessId> {
    let (Ok(entries), Ok(dir)) = (std::fs::read_dir("/proc"), dir.canonicalize()) else { return Vec::new() };
    entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok())
        .filter(|pid| dir_of(*pid).is_some_and(|found| found == dir))
        .filter_map(ProcessId::of)
        .collect()
}

/// Whether that process has this very file open. `false` also for what is not ours to look into.
pub fn has_open(pid: i32, path: &Path) -> bool {
    system::has_open(pid, path)
}

/// All processes of this user that carry marks. Those of another user are nobody's agents, whatever they carry: with them
/// a stranger could hold up every restart. (Only root can look into them, and only an agent of root's can have started
/// them: a stated limit.)
///
/// # Errors
/// The table, or a process that may be one, could not be looked at.
pub fn marked() -> io::Result<Vec<Marked>> {
    system::marked()
}

struct Row {
    parent: i32,
    started: u64,
    zombie: bool,
}

#[cfg(target_os = "linux")]
mod system {
    use super::{Marked, Path, ProcessId, Row, mark_in};
    use crate::owner;
    use std::fs;
    use std::io;
    use std::os::unix::fs::MetadataExt;

    /// A file that tells of a process. `None`: it is gone, or none of ours.
    fn told(pid: i32, what: &str) -> io::Result<Option<Vec<u8>>> {
        let is_gone = |error: &io::Error| {
            let code = error.raw_os_error();
            matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied)
                || code == Some(rustix::io::Errno::SRCH.raw_os_error())
        };
        match fs::read(format!("/proc/{pid}/{what}")) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if is_gone(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(super) fn row(pid: i32) -> io::Result<Option<Row>> {
        Ok(told(pid, "stat")?.and_then(|stat| parsed(&String::from_utf8_lossy(&stat))))
    }

    /// proc_pid_stat(5); the name in parentheses may hold anything, so fields are counted after the last `)`.
    pub(super) fn parsed(stat: &str) -> Option<Row> {
        let (_, rest) = stat.rsplit_once(')')?;
        let mut fields = rest.split_ascii_whitespace();
        let state = fields.next()?;
        let parent = fields.next()?.parse().ok()?;
        let started = fields.nth(17)?.parse().ok()?;
        Some(Row { parent, started, zombie: matches!(state, "Z" | "X") })
    }

    pub(super) fn name_of(pid: i32) -> io::Result<Option<String>> {
        Ok(told(pid, "comm")?.map(|name| String::from_utf8_lossy(&name).trim_end().to_owned()))
    }

    pub(super) fn has_open(pid: i32, path: &Path) -> bool {
        let (Ok(wanted), Ok(entries)) = (fs::metadata(path), fs::read_dir(format!("/proc/{pid}/fd"))) else {
            return false;
        };
        entries
            .filter_map(|entry| fs::metadata(entry.ok()?.path()).ok())
            .any(|open| (open.dev(), open.ino()) == (wanted.dev(), wanted.ino()))
    }

    /// All processes; a listing that a signal cut short is begun again.
    fn pids() -> io::Result<Vec<i32>> {
        loop {
            let names: io::Result<Vec<_>> = fs::read_dir("/proc")
                .and_then(|entries| entries.map(|entry| Ok(entry?.file_name())).collect());
            match names {
                Ok(names) => {
                    return Ok(names.iter().filter_map(|name| name.to_str()?.parse().ok()).collect());
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    pub(super) fn marked() -> io::Result<Vec<Marked>> {
        let mut marked = Vec::new();
        for pid in pids()? {
            let Some(mark) = told(pid, "environ")?.and_then(|environment| mark_in(&environment)) else {
                continue;
            };
            if told(pid, "status")?.and_then(|status| real_user(&status)).is_some_and(owner::is_ours) {
                marked.extend(ProcessId::look(pid)?.map(|process| Marked { process, mark }));
            }
        }
        Ok(marked)
    }

    /// proc_pid_status(5): whoever started it, also where it is a program that runs as its file's owner.
    fn real_user(status: &[u8]) -> Option<u32> {
        let status = String::from_utf8_lossy(status);
        status.lines().find_map(|line| line.strip_prefix("Uid:"))?.split_whitespace().next()?.parse().ok()
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use super::{Marked, Path, ProcessId, Row, mark_in};
    use crate::owner;
    use crate::process::{Job, Outcome};
    use std::io;
    use std::time::Duration;

    fn ps(arguments: &[&str]) -> io::Result<String> {
        let job = Job::new("ps", Duration::from_secs(5)).args(arguments).env("LC_ALL", "C");
        match job.run() {
            Ok(Outcome::Exited(output)) => Ok(output.stdout_text()),
            Ok(Outcome::Late(_)) => Err(io::Error::new(io::ErrorKind::TimedOut, "ps did not answer")),
            Err(error) => Err(error.source),
        }
    }

    pub(super) fn row(pid: i32) -> io::Result<Option<Row>> {
        Ok(super::ps_row(&ps(&["-o", "ppid=,stat=,lstart=", "-p", &pid.to_string()])?))
    }

    pub(super) fn name_of(pid: i32) -> io::Result<Option<String>> {
        let path = ps(&["-o", "comm=", "-p", &pid.to_string()])?;
        Ok(path.trim().rsplit('/').next().filter(|name| !name.is_empty()).map(str::to_owned))
    }

    /// That it runs is all that can be told in reasonable time.
    pub(super) fn has_open(pid: i32, _: &Path) -> bool {
        row(pid).is_ok_and(|row| row.is_some_and(|row| !row.zombie))
    }

    pub(super) fn marked() -> io::Result<Vec<Marked>> {
        let mut marked = Vec::new();
        for line in ps(&["-axEww", "-o", "pid=,ruid=,command="])?.lines() {
            let Some((pid, rest)) = line.trim_start().split_once(' ') else { continue };
            let Some((user, command)) = rest.trim_start().split_once(' ') else { continue };
            let (Ok(pid), Ok(user), Some(mark)) =
                (pid.parse(), user.parse(), mark_in(command.replace(' ', "\0").as_bytes()))
            else {
                continue;
            };
            if !owner::is_ours(user) {
                continue;
            }
            marked.extend(ProcessId::look(pid)?.map(|process| Marked { process, mark }));
        }
        Ok(marked)
    }
}

/// One row of `ps -o ppid=,stat=,lstart=` in the C locale: `  1 Ss   Fri Nov 20 19:00:00 2026`.
#[cfg(any(test, not(target_os = "linux")))]
fn ps_row(text: &str) -> Option<Row> {
    let mut fields = text.split_ascii_whitespace();
    let parent = fields.next()?.parse().ok()?;
    let zombie = fields.next()?.starts_with('Z');
    let rest = fields.collect::<Vec<_>>().join(" ");
    let started = chrono::NaiveDateTime::parse_from_str(&rest, "%a %b %e %H:%M:%S %Y").ok()?;
    Some(Row { parent, started: started.and_utc().timestamp().unsigned_abs(), zombie })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_read_whole_or_not_at_all() {
        let environment = b"A=1\0NETSKY_HOME=/h\0NETSKY_AGENT=agent3\0NETSKY_GENERATION=01X\0";
        let mark = mark_in(environment).unwrap();
        assert_eq!(
            (mark.home.as_str(), mark.agent, mark.generation.as_str()),
            ("/h", AgentName::Numbered(3), "01X")
        );
        assert_eq!(mark_in(b"NETSKY_HOME=/h\0"), None);
        assert_eq!(mark_in(b"NETSKY_HOME=/h\0NETSKY_AGENT=bash\0"), None);
        assert_eq!(mark_in(b"XNETSKY_HOME=/h\0NETSKY_AGENT=agent1\0"), None);
    }

    #[test]
    fn a_row_of_ps_is_read() {
        let row = ps_row("  417 Ss   Fri Nov 20 19:00:00 2026\n").unwrap();
        assert_eq!((row.parent, row.zombie, row.started), (417, false, 1_795_201_200));
        assert!(ps_row("").is_none());
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn who_has_a_file_open_is_told_from_who_only_runs() {
        let own = rustix::process::getpid().as_raw_nonzero().get();
        let file = tempfile::NamedTempFile::new().unwrap();
        assert!(has_open(own, file.path()));
        assert!(!has_open(own, Path::new("/etc/passwd")) && !has_open(i32::MAX, file.path()));
        assert!(!has_open(own, Path::new("/nowhere")));
    }

    #[test]
    fn the_line_of_ancestors_ends() {
        let line = ancestors(rustix::process::getpid().as_raw_nonzero().get()).unwrap();
        assert!(line.len() >= 2, "{line:?}");
    }

    proptest::proptest! {
        #![proptest_config(crate::mutation::tries(256))]

        #[test]
        fn a_damaged_environment_has_no_mark_or_one_that_stands_in_it(
            environment in crate::mutation::mutants(vec![
                b"A=1\0NETSKY_HOME=/h\0NETSKY_AGENT=agent3\0NETSKY_GENERATION=01X\0".to_vec(),
            ]),
        ) {
            if let Some(mark) = mark_in(&environment) {
                let entry = format!("NETSKY_AGENT={}", mark.agent);
                proptest::prop_assert!(environment.split(|byte| *byte == 0).any(|found| found == entry.as_bytes()));
                proptest::prop_assert!(mark.home.len() + mark.generation.len() <= 3 * environment.len());
            }
        }

        #[test]
        #[cfg(target_os = "linux")]
        fn whatever_a_process_is_called_its_row_is_read(name in "\\PC{0,20}|[() \n0-9]{0,15}", parent: i32, started: u64) {
            let stat = format!("42 ({name}) S {parent} 42 42 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 {started} 9 9\n");
            let row = system::parsed(&stat).unwrap();
            proptest::prop_assert_eq!((row.parent, row.started, row.zombie), (parent, started, false));
        }

        #[test]
        #[cfg(target_os = "linux")]
        fn a_damaged_row_is_none_or_a_row(
            stat in crate::mutation::texts(vec![
                b"42 (a b) S 1 42 42 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 12345 9 9\n".to_vec(),
            ]),
        ) {
            if system::parsed(&stat).is_some() {
                proptest::prop_assert!(stat.contains(')') && stat.split_ascii_whitespace().count() >= 20);
            }
            proptest::prop_assert!(ps_row(&stat).is_none());
        }
    }
}
