//! The process table, as a test sees it.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Processes whose environment names this home, other than the caller.
pub fn marked(home: &Path) -> Vec<i32> {
    let wanted = [b"NETSKY_HOME=", home.as_os_str().as_bytes()].concat();
    let own = std::process::id().cast_signed();
    let entries = fs::read_dir("/proc").unwrap();
    entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok())
        .filter(|pid| {
            let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            environment.split(|byte| *byte == 0).any(|entry| entry == wanted)
        })
        .filter(|pid| *pid != own && !is_zombie(*pid))
        .collect()
}

fn is_zombie(pid: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_none_or(|(_, rest)| rest.trim_start().starts_with('Z'))
}

pub fn is_alive(pid: i32) -> bool {
    Path::new(&format!("/proc/{pid}")).exists() && !is_zombie(pid)
}

/// tmux servers on this socket, also those that do not answer.
pub fn servers(socket: &Path) -> Vec<i32> {
    let wanted = socket.as_os_str().as_bytes();
    let entries = fs::read_dir("/proc").unwrap();
    entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok())
        .filter(|pid| {
            fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default().starts_with("tmux: server")
        })
        .filter(|pid| {
            let arguments = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            arguments.split(|byte| *byte == 0).any(|argument| argument == wanted)
        })
        .collect()
}

/// Kills what carries this home: a test's own agents and nothing else.
pub fn end_all_of(home: &Path) {
    for pid in marked(home) {
        super::world::signal(pid, "KILL");
    }
}

/// Processes with both the path and the word among their arguments.
pub fn naming(path: &Path, word: &str) -> Vec<i32> {
    let wanted = path.to_str().unwrap();
    let entries = fs::read_dir("/proc").unwrap();
    entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok())
        .filter(|pid| !is_zombie(*pid))
        .filter(|pid| {
            let arguments = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            let has = |wanted: &str| {
                arguments.split(|byte| *byte == 0).any(|argument| argument == wanted.as_bytes())
            };
            has(wanted) && has(word)
        })
        .collect()
}
