//! What killed processes leave lying, made older than it is: the next command that recovers has to clear it away.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::tree;
use crate::support::world::files;
use crate::sweep::{Finding, Harm};

/// What begins the names of temporary things; the time they were made follows, in the first letters of an id.
const PREFIXES: [&str; 2] = [".tmp-", "batch-"];

/// Written over by the next spawn: kept on purpose.
const SPARE: &str = ".tmp-spare-";

/// An id's letters for a moment in 2016.
const LONG_AGO: &str = "01ARZ3NDEK";

/// Makes all debris in a home old, but for what a process of this home is writing at this moment.
pub fn age(home: &Path) {
    let lying: Vec<(PathBuf, String)> =
        everything_below(home).into_iter().filter_map(|path| aged(&path).map(|name| (path, name))).collect();
    let open = if lying.is_empty() { Vec::new() } else { open_files(home) };
    for (path, aged) in lying.iter().filter(|(path, _)| !open.contains(path)) {
        // It may have been finished since it was seen.
        fs::rename(path, path.with_file_name(aged)).unwrap_or_default();
    }
    age_orphaned_records(&home.join("handoff/claims"));
}

/// The name that it would have if it were old; `None`: it is no debris.
fn aged(path: &Path) -> Option<String> {
    let name = name_of(path);
    let begin = match PREFIXES.iter().find(|prefix| name.starts_with(**prefix)) {
        Some(prefix) if !name.starts_with(SPARE) && has_id(&name[prefix.len()..]) => prefix,
        None if is_wake_socket(path) => "",
        _ => return None,
    };
    Some(format!("{begin}{LONG_AGO}{}", &name[begin.len() + LONG_AGO.len()..]))
}

/// A record whose claim never came says itself when it was made.
fn age_orphaned_records(claims: &Path) {
    for path in files(claims).iter().filter(|path| is_orphaned(path)) {
        let Ok(bytes) = fs::read(path) else { continue };
        let mut record: serde_json::Value = serde_json::from_slice(&bytes).unwrap_or_default();
        record["ts"] = "2016-07-30T23:54:10.259Z".into();
        fs::write(path, record.to_string()).unwrap();
    }
}

fn is_orphaned(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "json") && !path.with_extension("").exists()
}

/// Old debris that a recovery has left, and what has no age at all and would stay for ever.
pub fn findings(home: &Path, what: &str) -> Vec<Finding> {
    let is_left = |path: &PathBuf| {
        let name = name_of(path);
        let rest = PREFIXES.iter().find_map(|prefix| name.strip_prefix(prefix));
        match rest {
            Some(_) if name.starts_with(SPARE) => false,
            Some(rest) => !has_id(rest) || rest.starts_with(LONG_AGO),
            None if is_wake_socket(path) => name.starts_with(LONG_AGO),
            None => path.parent().is_some_and(|dir| dir.ends_with("handoff/claims")) && is_orphaned(path),
        }
    };
    let left = everything_below(home).into_iter().filter(is_left);
    left.map(|path| (Harm::Other, format!("{what}: debris stays: {}", path.display()))).collect()
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap().to_string_lossy().into_owned()
}

fn has_id(rest: &str) -> bool {
    rest.len() >= 26 && rest.as_bytes()[..26].iter().all(u8::is_ascii_alphanumeric)
}

/// Where somebody waits, or waited, to be woken by hooks.
fn is_wake_socket(path: &Path) -> bool {
    path.parent().is_some_and(|dir| dir.ends_with("run/wake")) && has_id(&name_of(path))
}

fn everything_below(dir: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(dir) else { return Vec::new() };
    let mut found = Vec::new();
    for entry in entries.flatten() {
        let is_dir = entry.file_type().is_ok_and(|kind| kind.is_dir());
        // A directory of debris is one thing.
        if is_dir && !PREFIXES.iter().any(|prefix| name_of(&entry.path()).starts_with(prefix)) {
            found.extend(everything_below(&entry.path()));
        } else {
            found.push(entry.path());
        }
    }
    found
}

/// What the processes of a home have open.
fn open_files(home: &Path) -> Vec<PathBuf> {
    let of = |pid: i32| fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    tree::marked(home).into_iter().flat_map(of).filter_map(|entry| fs::read_link(entry.path()).ok()).collect()
}
