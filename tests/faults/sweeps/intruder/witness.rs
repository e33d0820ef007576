//! What some directories held, down to whose each thing is and when it was changed.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::support::world::files;
use crate::sweep::{Finding, Harm};

pub struct Witness {
    places: Vec<PathBuf>,
    before: Vec<String>,
}

impl Witness {
    pub fn of(places: &[&Path]) -> Self {
        let places: Vec<PathBuf> = places.iter().map(|place| (*place).to_owned()).collect();
        let before = places.iter().flat_map(|place| seen(place)).collect();
        Self { places, before }
    }

    /// Everything that is not as it was.
    pub fn changes(&self) -> Vec<Finding> {
        let after: Vec<String> = self.places.iter().flat_map(|place| seen(place)).collect();
        let new = after.iter().filter(|line| !self.before.contains(line)).map(|line| format!("now {line}"));
        let gone =
            self.before.iter().filter(|line| !after.contains(line)).map(|line| format!("no more {line}"));
        new.chain(gone).map(|line| (Harm::Other, format!("touched: {line}"))).collect()
    }
}

fn seen(path: &Path) -> Vec<String> {
    let Ok(metadata) = path.symlink_metadata() else { return vec![format!("nothing at {}", path.display())] };
    let kind = metadata.file_type();
    let holds = if kind.is_symlink() {
        format!("-> {}", fs::read_link(path).unwrap().display())
    } else if kind.is_file() {
        format!("{:?}", String::from_utf8_lossy(&fs::read(path).unwrap()))
    } else {
        String::new()
    };
    let (owner, mode, at, nanos) = (metadata.uid(), metadata.mode(), metadata.mtime(), metadata.mtime_nsec());
    let mut lines = vec![format!("{} of {owner}, {mode:o}, {at}.{nanos} {holds}", path.display())];
    if kind.is_dir() {
        lines.extend(files(path).iter().flat_map(|path| seen(path)));
    }
    lines
}
