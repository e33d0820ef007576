//! Looks all the time whether two generations of one agent live at once.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::sweep::{Finding, Harm};

/// One agent of one home.
type Agent = (String, String);

/// Looks at the processes of all homes from when it is made to when it is dropped.
pub struct Sampler {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    is_over: AtomicBool,
    moments: AtomicUsize,
    /// What was seen, by home.
    seen: Mutex<Vec<(String, String)>>,
}

/// Between two looks.
const EVERY: Duration = Duration::from_millis(15);

impl Sampler {
    pub fn start() -> Self {
        let shared = Arc::<Shared>::default();
        let its = Arc::clone(&shared);
        let thread = std::thread::spawn(move || {
            // Nobody that ran before is an agent of a world to come.
            let strangers: HashSet<i32> = processes().collect();
            while !its.is_over.load(Ordering::Relaxed) {
                its.seen.lock().unwrap().extend(twofold(&strangers));
                its.moments.fetch_add(1, Ordering::Relaxed);
                std::thread::park_timeout(EVERY);
            }
        });
        Self { shared, thread: Some(thread) }
    }

    /// What was seen in this home and not told yet.
    pub fn findings(&self, home: &Path, what: &str) -> Vec<Finding> {
        let home = home.to_str().unwrap();
        let mut seen = self.shared.seen.lock().unwrap();
        let (here, elsewhere) = std::mem::take(&mut *seen).into_iter().partition(|(its, _)| its == home);
        *seen = elsewhere;
        let here: Vec<(String, String)> = here;
        here.into_iter().take(1).map(|(_, words)| (Harm::Doubled, format!("{what}: {words}"))).collect()
    }

    /// How often it has looked.
    pub fn moments(&self) -> usize {
        self.shared.moments.load(Ordering::Relaxed)
    }
}

impl Drop for Sampler {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap();
    }
}

fn processes() -> impl Iterator<Item = i32> {
    let entries = fs::read_dir("/proc").unwrap();
    entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
}

/// Whose process it is, and of which generation; nothing of one that has ended.
fn mark(pid: i32) -> Option<(Agent, String)> {
    let environment = fs::read(PathBuf::from(format!("/proc/{pid}/environ"))).ok()?;
    let value = |name: &str| {
        let mut entries = environment.split(|byte| *byte == 0);
        let value = entries.find_map(|entry| entry.strip_prefix(name.as_bytes()))?;
        Some(String::from_utf8_lossy(value).into_owned())
    };
    Some(((value("NETSKY_HOME=")?, value("NETSKY_AGENT=")?), value("NETSKY_GENERATION=")?))
}

/// Agents of which two generations live, by home.
fn twofold(strangers: &HashSet<i32>) -> Vec<(String, String)> {
    let mut seen: BTreeMap<Agent, Vec<(i32, String)>> = BTreeMap::new();
    for pid in processes().filter(|pid| !strangers.contains(pid)) {
        if let Some((agent, generation)) = mark(pid) {
            seen.entry(agent).or_default().push((pid, generation));
        }
    }
    seen.into_iter().filter_map(|(agent, found)| Some((agent.0.clone(), at_once(&agent, &found)?))).collect()
}

/// Looking at many processes takes a while: only who is still there when the other has been seen lives with it.
fn at_once(agent: &Agent, found: &[(i32, String)]) -> Option<String> {
    let (_, first) = found.first()?;
    found.iter().find(|(_, generation)| generation != first)?;
    let still: Vec<&(i32, String)> = found
        .iter()
        .filter(|(pid, generation)| mark(*pid).is_some_and(|(its, now)| its == *agent && now == *generation))
        .collect();
    let (_, first) = still.first()?;
    let (_, other) = still.iter().find(|(_, generation)| generation != first)?;
    Some(format!("{} lived twice, as {first} and {other}: {still:?}", agent.1))
}
