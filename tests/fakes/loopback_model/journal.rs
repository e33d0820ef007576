//! Keeps every request body as `DIR/NNNNNN-<api>.json`, and writes files that appear whole or not at all.
//!
//! Invariant: numbers rise in the order in which requests were read, also over several runs on one directory. It
//! never reads a body back.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("preparing the log directory {path}")]
    Directory { path: PathBuf, source: std::io::Error },
    #[error("writing {path}")]
    Write { path: PathBuf, source: std::io::Error },
}

pub struct Journal {
    directory: PathBuf,
    next: AtomicU64,
}

impl Journal {
    pub fn open(directory: PathBuf) -> Result<Self, Error> {
        let highest = fs::create_dir_all(&directory)
            .and_then(|()| highest_number(&directory))
            .map_err(|source| Error::Directory { path: directory.clone(), source })?;
        Ok(Self { directory, next: AtomicU64::new(highest + 1) })
    }

    pub fn keep(&self, api: &str, body: &[u8]) -> Result<(), Error> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        write_whole(&self.directory.join(format!("{number:06}-{api}.json")), body)
    }
}

pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let write = || {
        let mut file = tempfile::Builder::new().prefix(".writing-").tempfile_in(directory)?;
        file.write_all(bytes)?;
        file.persist(path)?;
        Ok(())
    };
    write().map_err(|source: std::io::Error| Error::Write { path: path.to_owned(), source })
}

fn highest_number(directory: &Path) -> std::io::Result<u64> {
    let mut highest = 0;
    for entry in fs::read_dir(directory)? {
        let name = entry?.file_name();
        let number =
            name.to_str().and_then(|name| name.split('-').next()).and_then(|digits| digits.parse().ok());
        highest = highest.max(number.unwrap_or(0));
    }
    Ok(highest)
}

/// A number that no other call of any run got: what ids in answers are made of.
pub fn unique() -> u128 {
    static LAST: AtomicU64 = AtomicU64::new(0);
    let since_epoch = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    (since_epoch.as_nanos() << 16) + u128::from(LAST.fetch_add(1, Ordering::Relaxed))
}
