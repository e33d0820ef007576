//! The thread that looks, again and again, while netsky works.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::bystanders::Bystanders;
use super::invariants::{Memory, Sample, Sighting};
use super::records::Reading;
use super::{census, home};
use crate::support::world::wait;

/// Between two looks.
const EVERY: Duration = Duration::from_millis(40);

/// What asks another process is asked at each of so many looks.
const SELDOM: usize = 25;

/// What is looked at, and what the owner wishes.
pub struct Watched {
    pub home: PathBuf,
    pub socket: PathBuf,
    pub bystanders: Bystanders,
    down: Mutex<BTreeMap<String, usize>>,
    /// Records that the test itself has broken.
    broken: Mutex<BTreeSet<String>>,
}

/// What was seen so far.
#[derive(Debug, Default)]
struct Seen {
    /// Each once.
    sightings: BTreeSet<Sighting>,
    claimed: BTreeMap<String, Option<String>>,
    samples: usize,
    /// The longest time from one look to the next.
    longest: Duration,
}

pub struct Sampler {
    watched: Arc<Watched>,
    seen: Arc<Mutex<Seen>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Watched {
    pub fn new(home: &Path, socket: &Path, bystanders: Bystanders) -> Self {
        Self {
            home: home.to_owned(),
            socket: socket.to_owned(),
            bystanders,
            down: Mutex::default(),
            broken: Mutex::default(),
        }
    }

    /// From now on it has to be down: `down` has returned.
    pub fn is_down(&self, agent: &str) {
        static TIMES: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
        self.down.lock().unwrap().insert(agent.to_owned(), TIMES.fetch_add(1, Ordering::Relaxed));
    }

    /// From now on it may live: `up` is about to be called.
    pub fn may_live(&self, agent: &str) {
        self.down.lock().unwrap().remove(agent);
    }

    /// The agents that have to be down.
    pub fn down(&self) -> BTreeSet<String> {
        self.down.lock().unwrap().keys().cloned().collect()
    }

    /// The test itself breaks this record.
    pub fn breaks(&self, record: &str) {
        self.broken.lock().unwrap().insert(record.to_owned());
    }

    fn sample(&self, number: usize, files: &mut BTreeMap<String, (u64, i64, i64)>) -> Sample {
        let down_before = self.down.lock().unwrap().clone();
        let agents = census::marked(&self.home);
        let down_after = self.down.lock().unwrap().clone();
        let stayed = down_before.into_iter().filter(|(agent, since)| down_after.get(agent) == Some(since));
        let is_seldom = number.is_multiple_of(SELDOM);
        let mut harmed = self.bystanders.gone();
        if is_seldom {
            harmed.extend(self.bystanders.difference());
        }
        Sample {
            agents,
            servers: census::servers(&self.socket),
            down: stayed.map(|(agent, _)| agent).collect(),
            records: self.changed_records(files),
            inboxes: home::inboxes(&self.home),
            harmed,
        }
    }

    /// Records whose file is another one than at the last look.
    fn changed_records(
        &self,
        files: &mut BTreeMap<String, (u64, i64, i64)>,
    ) -> Vec<(String, Option<Reading>)> {
        let mut changed = Vec::new();
        for path in home::records(&self.home) {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            let Ok(metadata) = fs::metadata(&path) else { continue };
            let file = (metadata.ino(), metadata.mtime(), metadata.mtime_nsec());
            if files.insert(name.clone(), file) == Some(file) {
                continue;
            }
            // Pruned or moved aside meanwhile: nothing to judge.
            let Ok(bytes) = fs::read(&path) else { continue };
            let reading = Reading::of(&bytes);
            if reading.is_some() || !self.broken.lock().unwrap().contains(&name) {
                changed.push((name, reading));
            }
        }
        changed
    }
}

impl Sampler {
    pub fn watch(watched: Watched) -> Self {
        let (watched, seen, stop) = (Arc::new(watched), Arc::default(), Arc::default());
        let looking = (Arc::clone(&watched), Arc::clone(&seen), Arc::clone(&stop));
        let thread = std::thread::spawn(move || look(&looking.0, &looking.1, &looking.2));
        Self { watched, seen, stop, thread: Some(thread) }
    }

    pub fn watched(&self) -> &Watched {
        &self.watched
    }

    /// What was seen since the last call.
    pub fn sightings(&self) -> BTreeSet<Sighting> {
        std::mem::take(&mut self.seen.lock().unwrap().sightings)
    }

    /// Waits for a sighting; `None`: there was none within five seconds.
    pub fn sees(&self, is_it: impl Fn(&Sighting) -> bool) -> Option<Sighting> {
        wait(Duration::from_secs(5), &mut || self.sightings().into_iter().find(&is_it))
    }

    /// Waits until everything was looked at once more.
    pub fn looks_again(&self) {
        let before = self.figures().0;
        let looked = wait(Duration::from_secs(10), &mut || (self.figures().0 > before + 1).then_some(()));
        looked.expect("the sampler has stopped looking");
    }

    /// Every id that was seen claimed, with its text where that could be read.
    pub fn claimed(&self) -> BTreeMap<String, Option<String>> {
        self.seen.lock().unwrap().claimed.clone()
    }

    /// Forgets a claim that was only planted.
    pub fn forget(&self, id: &str) {
        self.seen.lock().unwrap().claimed.remove(id);
    }

    /// How many looks there were, and the longest time between two.
    pub fn figures(&self) -> (usize, Duration) {
        let seen = self.seen.lock().unwrap();
        (seen.samples, seen.longest)
    }
}

fn look(watched: &Watched, seen: &Mutex<Seen>, stop: &AtomicBool) {
    let (mut memory, mut files, mut last) = (Memory::default(), BTreeMap::new(), Instant::now());
    while !stop.load(Ordering::Relaxed) {
        let number = seen.lock().unwrap().samples;
        for (id, path) in home::claims(&watched.home) {
            let text = fs::read_to_string(path).ok();
            seen.lock().unwrap().claimed.entry(id).or_insert(text);
        }
        let sightings = memory.judge(watched.sample(number, &mut files));
        let mut seen = seen.lock().unwrap();
        seen.sightings.extend(sightings);
        seen.samples += 1;
        seen.longest = seen.longest.max(last.elapsed());
        last = Instant::now();
        drop(seen);
        std::thread::park_timeout(EVERY);
    }
}

impl Drop for Sampler {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // One that panicked was missed by `looks_again`.
            drop(thread.join());
        }
    }
}
