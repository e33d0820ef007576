//! A world in which races are held one after the other, and what its files say.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use serde_json::Value;

use crate::bot::{self, Gate};
use crate::support::World;
use crate::support::world::{self, files};
use crate::sweep::Run;

/// A world with a constellation of bots that wait at a gate.
pub struct Arena {
    pub world: World,
    pub gate: Gate,
    pub netsky: PathBuf,
}

/// Arenas that nobody uses now.
#[derive(Default)]
pub struct Arenas(Mutex<Vec<Arena>>);

impl Arenas {
    pub fn take(&self, run: &Run) -> Arena {
        let free = self.0.lock().unwrap().pop();
        free.unwrap_or_else(|| Arena::new(run))
    }

    pub fn give_back(&self, arena: Arena) {
        self.0.lock().unwrap().push(arena);
    }
}

/// What the files of a home hold.
#[derive(Debug, PartialEq, Eq)]
pub struct Ledger {
    pub records: usize,
    pub epochs: u64,
}

/// Where a text is: in so many envelopes, archived or not, in a claim, or still where it was.
#[derive(Debug, PartialEq, Eq)]
pub struct Whereabouts {
    pub envelopes: usize,
    pub archived: usize,
    pub claims: usize,
    pub is_at_source: bool,
}

impl Arena {
    pub fn new(run: &Run) -> Self {
        let world = run.world();
        let settings = "[restart]\nstop_grace = \"1s\"\nstatus_keep = 1000\n[handoff]\nkeep = 1000\n";
        let gate = bot::at_gate(&world, &format!("{settings}{}", bot::patient()));
        gate.open();
        world.netsky(["up", "1"]).run().expect(0);
        Self { world, gate, netsky: run.netsky().to_owned() }
    }

    pub fn ledger(&self) -> Ledger {
        let records = self.world.records().len();
        let epochs = self.world.home.join("state/owner-epochs.json");
        let epochs: Value = serde_json::from_slice(&fs::read(epochs).unwrap()).unwrap();
        Ledger { records, epochs: epochs["all"].as_u64().unwrap() }
    }

    /// Where `text`, which `source` held, is now.
    pub fn whereabouts(&self, text: &str, source: &Path) -> Whereabouts {
        let home = &self.world.home;
        let inbox = home.join("inbox/agent0");
        let holding = |dir: &Path| {
            files(dir)
                .iter()
                .filter(|path| envelope(path).is_some_and(|envelope| envelope["text"] == text))
                .count()
        };
        let is_at = |path: &Path| fs::read_to_string(path).is_ok_and(|held| held == text);
        Whereabouts {
            envelopes: holding(&inbox) + holding(&inbox.join("cur")) + holding(&inbox.join("done")),
            archived: holding(&home.join("handoff/archive")),
            claims: files(&home.join("handoff/claims")).iter().filter(|path| is_at(path)).count(),
            is_at_source: is_at(source),
        }
    }

    /// Whether somebody holds the lock. Asked only while nobody is about to take it.
    pub fn is_locked(&self) -> bool {
        let lock = fs::File::open(self.world.home.join("state/restart.lock")).unwrap();
        lock.try_lock().is_err()
    }

    /// Waits until nobody works in the background any more.
    pub fn wait_for_peace(&self) -> bool {
        let limit = Duration::from_secs(20);
        world::wait(limit, &mut || (!self.is_locked()).then_some(())).is_some()
    }

    /// Every file of the home with what it holds.
    pub fn photograph(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut photograph = BTreeMap::new();
        let mut dirs = vec![self.world.home.clone()];
        while let Some(dir) = dirs.pop() {
            for path in files(&dir) {
                let kind = path.symlink_metadata().unwrap().file_type();
                if kind.is_dir() {
                    dirs.push(path.clone());
                }
                let held = if kind.is_file() { fs::read(&path).unwrap() } else { Vec::new() };
                photograph.insert(path, held);
            }
        }
        photograph
    }
}

fn envelope(path: &Path) -> Option<Value> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}
