//! The files of a home, read without netsky.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Where an envelope lies: whose inbox, and which part of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub agent: String,
    pub path: PathBuf,
}

fn entries(dir: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(dir) else { return Vec::new() };
    entries.filter_map(|entry| Some(entry.ok()?.path())).collect()
}

fn name(path: &Path) -> &str {
    path.file_name().unwrap().to_str().unwrap_or_default()
}

/// The id that an envelope's or claim's name begins with.
fn id_of(name: &str) -> Option<String> {
    let (id, _) = name.split_once("-from-")?;
    (id.len() == 26).then(|| id.to_owned())
}

/// What lies in all inboxes, by id. Read against the direction in which envelopes move, so that one that moves meanwhile
/// may be missed and is never seen twice.
pub fn inboxes(home: &Path) -> BTreeMap<String, Vec<Place>> {
    let mut found: BTreeMap<String, Vec<Place>> = BTreeMap::new();
    for inbox in entries(&home.join("inbox")) {
        for dir in [inbox.join("done"), inbox.join("cur"), inbox.clone()] {
            for path in entries(&dir) {
                if let (Some(id), true) = (id_of(name(&path)), name(&path).ends_with(".json")) {
                    found.entry(id).or_default().push(Place { agent: name(&inbox).to_owned(), path });
                }
            }
        }
    }
    found
}

/// The ids in the archive.
pub fn archived(home: &Path) -> BTreeSet<String> {
    let files = entries(&home.join("handoff/archive"));
    files.iter().filter(|path| name(path).ends_with(".json")).filter_map(|path| id_of(name(path))).collect()
}

/// The claims, by id. A record beside a claim is none itself.
pub fn claims(home: &Path) -> BTreeMap<String, PathBuf> {
    let files = entries(&home.join("handoff/claims")).into_iter();
    files
        .filter(|path| !name(path).ends_with(".json"))
        .filter_map(|path| Some((id_of(name(&path))?, path)))
        .collect()
}

/// The text that an envelope carries.
pub fn text_of(envelope: &Path) -> Option<String> {
    let envelope: serde_json::Value = serde_json::from_slice(&fs::read(envelope).ok()?).ok()?;
    Some(envelope["text"].as_str()?.to_owned())
}

/// The status records that are there, by name.
pub fn records(home: &Path) -> Vec<PathBuf> {
    let mut files = entries(&home.join("state/restart-status"));
    files.retain(|path| name(path).ends_with(".json"));
    files.sort();
    files
}

/// How much lies in a home.
#[derive(Debug, Default, Clone, Copy)]
pub struct Size {
    /// Files that should not become more, and their bytes. Logs are left out: they turn over.
    pub files: u64,
    pub bytes: u64,
    /// What killed processes left, for an hour.
    pub debris: u64,
    /// Files that were moved aside because they could not be understood.
    pub aside: u64,
    /// Sockets.
    pub sockets: u64,
}

/// Counts a home.
pub fn size(home: &Path) -> Size {
    let mut size = Size::default();
    let mut dirs = vec![home.to_owned()];
    while let Some(dir) = dirs.pop() {
        for path in entries(&dir) {
            let Ok(metadata) = path.symlink_metadata() else { continue };
            if is_debris(&path) {
                size.debris += 1;
            } else if metadata.is_dir() {
                dirs.push(path);
            } else if std::os::unix::fs::FileTypeExt::is_socket(&metadata.file_type()) {
                size.sockets += 1;
            } else if name(&dir) == "corrupt" {
                size.aside += 1;
            } else if name(&dir) != "log" {
                size.files += 1;
                size.bytes += metadata.len();
            }
        }
    }
    size
}

/// Whether a killed process left it: what is being written, and what is being asked of tmux.
fn is_debris(path: &Path) -> bool {
    let name = name(path);
    name.starts_with("batch-") || name.starts_with(".tmp-") && !name.starts_with(".tmp-spare-")
}

/// Makes everything that killed processes left look years older: the time stands in its name.
pub fn age_debris(home: &Path) -> usize {
    let mut aged = 0;
    let mut dirs = vec![home.to_owned()];
    while let Some(dir) = dirs.pop() {
        for path in entries(&dir) {
            if is_debris(&path) {
                // After the prefix comes an id, whose third character counts steps of thirteen months.
                let (prefix, rest) = name(&path).split_once("-").unwrap();
                let old = format!("{prefix}-01A{}", rest.get(3..).unwrap_or_default());
                fs::rename(&path, dir.join(old)).unwrap();
                aged += 1;
            } else if path.is_dir() {
                dirs.push(path);
            }
        }
    }
    aged
}
