//! Ending agents: keep their screens, end their sessions, then see that their processes are gone.
//!
//! Sessions are ended by id, processes by pid and start time. Spared: the restarter and its ancestors, every tmux
//! server, what lives under another tmux server, the new generation, and whoever is not torn down. While a survivor
//! is left, or an agent in a server that was lost with all that was known of it, nothing may be spawned.

use std::collections::{BTreeSet, HashSet};
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use crate::clock::{Deadline, monotonic_now};
use crate::events::Event;
use crate::failpoint::{self, Step};
use crate::id::Generation;
use crate::name::AgentName;
use crate::paths::Home;
use crate::process::{self, Mark, Marked, ProcessId, Signal};
use crate::state::spawned::Spawned;
use crate::tmux::{KeptScreen, NoAnswer, PaneId, Tmux};

use super::plan::Present;
use super::trouble::chain;

/// Processes that hung up on are given so long before they are told to end.
const HANG_UP_GRACE: Duration = Duration::from_millis(250);

/// What was killed is gone after so long, or it hangs in the kernel.
const KILL_TAKES: Duration = Duration::from_secs(2);

/// So many lines that scrolled off are kept with a screen.
const KEPT_SCROLLBACK: u32 = 2_000;

/// The names of a tmux server's process, on Linux and elsewhere.
const TMUX_SERVER: [&str; 2] = ["tmux: server", "tmux"];

/// Agents could not be ended.
#[derive(Debug, thiserror::Error)]
pub enum TeardownError {
    /// tmux did not do it, or did not say.
    #[error("ending {count} sessions")]
    Tmux {
        /// How many.
        count: usize,
        /// What came back.
        source: NoAnswer,
    },
    /// What is left cannot be told.
    #[error("looking whether processes of the agents are left")]
    Unseen {
        /// What the system said last.
        source: io::Error,
    },
    /// Agents run in another tmux server, of which nothing is on record.
    #[error("{} agents run in another tmux server (process {server}): {}", agents.len(), named(agents))]
    Elsewhere {
        /// Their panes' own processes.
        agents: Vec<Marked>,
        /// The server of the first.
        server: i32,
    },
    /// Processes are left.
    #[error("{} are still there after being killed: {}", survivors.len(), named(survivors))]
    Survivors {
        /// Which.
        survivors: Vec<Marked>,
    },
}

fn named(survivors: &[Marked]) -> String {
    let name = |marked: &Marked| format!("process {} of {}", marked.process.pid, marked.mark.agent);
    survivors.iter().map(name).collect::<Vec<_>>().join(", ")
}

/// What is to be ended, and how gently.
#[derive(Debug)]
pub struct Teardown<'a> {
    /// The home.
    pub home: &'a Home,
    /// The tmux server they live in.
    pub tmux: &'a Tmux,
    /// Its process, where it runs.
    pub server: Option<i32>,
    /// The agents.
    pub agents: BTreeSet<AgentName>,
    /// The generation that is about to live; nothing of it is ended.
    pub spared: Option<Generation>,
    /// Between telling processes to end and ending them.
    pub grace: Duration,
}

impl Teardown<'_> {
    /// Ends the sessions in `present` and every process of the agents.
    ///
    /// # Errors
    /// tmux did not answer or refused, or processes survived.
    pub fn run(&self, present: &[Present], spawned: &Spawned) -> Result<(), TeardownError> {
        let unseen = |source| TeardownError::Unseen { source };
        let panes: io::Result<Vec<Option<Marked>>> =
            present.iter().map(|there| pane_process(self.home, there, spawned)).collect();
        let panes: Vec<Marked> = panes.map_err(unseen)?.into_iter().flatten().collect();
        self.keep_screens(present, spawned);
        self.end_sessions(present)?;
        self.end_processes(&panes)
    }

    /// A screen that cannot be kept is noted and stops nothing.
    fn keep_screens(&self, present: &[Present], spawned: &Spawned) {
        let wanted: Vec<(PaneId, PathBuf)> = present
            .iter()
            .filter_map(|there| {
                let generation = spawned.agents.get(&there.name)?.generation;
                Some((there.pane, self.home.screen(there.name, generation)))
            })
            .collect();
        if wanted.is_empty() {
            return;
        }
        let lost = |why: &dyn std::fmt::Display| Event::new("screens-lost").with("why", why).log(self.home);
        match self.tmux.keep_screens(&wanted, KEPT_SCROLLBACK) {
            Ok(kept) => kept.iter().for_each(|(_, kept)| match kept {
                KeptScreen::Kept => {}
                KeptScreen::Refused(refusal) => lost(&refusal.words),
                KeptScreen::Unwritable(error) => lost(&chain(error)),
            }),
            Err(error) => lost(&error),
        }
    }

    fn end_sessions(&self, present: &[Present]) -> Result<(), TeardownError> {
        if present.is_empty() {
            return Ok(());
        }
        let sessions: Vec<_> = present.iter().map(|there| there.session).collect();
        let count = sessions.len();
        self.tmux.kill(&sessions).map(drop).map_err(|source| TeardownError::Tmux { count, source })
    }

    fn end_processes(&self, panes: &[Marked]) -> Result<(), TeardownError> {
        let unseen = |source| TeardownError::Unseen { source };
        let lineage = own_lineage().map_err(unseen)?;
        let spared = Spared { lineage, server: self.server, generation: self.spared };
        let start = monotonic_now();
        let told = Deadline::from(start, HANG_UP_GRACE.min(self.grace));
        let killed = Deadline::from(start, self.grace);
        let given_up = Deadline::from(start, self.grace + KILL_TAKES);
        let mut sent = HashSet::new();
        let mut seen = Ok(Seen::default());
        let cleared = process::poll(Duration::from_millis(15), given_up, || {
            // The panes' own processes are cheap to look at; the whole table is read when they are gone.
            let panes_left = panes.iter().any(|pane| pane.process.is_alive());
            if panes_left && !told.is_past() {
                return None;
            }
            seen = self.look(panes, &spared);
            // What cannot be seen is not gone: it is looked for again.
            let left = &seen.as_ref().ok()?.left;
            let signal = match (told.is_past(), killed.is_past()) {
                (_, true) => Signal::Kill,
                (true, _) => Signal::Terminate,
                _ => Signal::HangUp,
            };
            for process in left {
                if sent.insert((*process, signal)) {
                    // One that may not be signalled is a survivor and is named.
                    process.signal(signal).unwrap_or_default();
                }
            }
            left.is_empty().then_some(())
        });
        let Seen { left, marked } = seen.map_err(unseen)?;
        if cleared.is_none() {
            // By their marks, or by the pane that they were in where those cannot be read.
            let named =
                |left: &ProcessId| marked.iter().chain(panes).find(|marked| marked.process == *left).cloned();
            return Err(TeardownError::Survivors { survivors: left.iter().filter_map(named).collect() });
        }
        let elsewhere = self.elsewhere(&marked, &spared).map_err(unseen)?;
        match elsewhere.first() {
            Some((_, server)) => Err(TeardownError::Elsewhere {
                server: *server,
                agents: elsewhere.into_iter().map(|(found, _)| found).collect(),
            }),
            None => Ok(()),
        }
    }

    /// Agents in other tmux servers, with these. An agent's own process is its server's child, and no agent has started that
    /// server: else it is what the agent runs, and spared.
    fn elsewhere(&self, marked: &[Marked], spared: &Spared) -> io::Result<Vec<(Marked, i32)>> {
        let mut elsewhere = Vec::new();
        for found in marked.iter().filter(|found| self.is_about(found) && !spared.is_new(found)) {
            let Some(above) = process::ancestors(found.process.pid)?.get(1).copied() else { continue };
            let is_agents = marked.iter().any(|marked| marked.process.pid == above);
            if !is_agents && spared.is_other_server(above)? {
                elsewhere.push((found.clone(), above));
            }
        }
        Ok(elsewhere)
    }

    /// Whether it carries the marks of one that is to be ended.
    fn is_about(&self, found: &Marked) -> bool {
        found.mark.is_of(self.home.root()) && self.agents.contains(&found.mark.agent)
    }

    fn look(&self, panes: &[Marked], spared: &Spared) -> io::Result<Seen> {
        let mut left: Vec<ProcessId> =
            panes.iter().map(|pane| pane.process).filter(|pane| pane.is_alive()).collect();
        if failpoint::leaves_out(Step::Survivors) {
            return Ok(Seen { left, marked: Vec::new() });
        }
        let marked = process::marked()?;
        for found in &marked {
            if self.is_about(found) && !spared.holds(found)? {
                left.push(found.process);
            }
        }
        left.sort_unstable_by_key(|process| process.pid);
        left.dedup();
        Ok(Seen { left, marked })
    }
}

/// A pane's own process. tmux goes on telling the pid of one that is dead, which may be anybody's by now: of those only that
/// counts which is on record.
fn pane_process(home: &Home, there: &Present, spawned: &Spawned) -> io::Result<Option<Marked>> {
    let process = if there.alive {
        ProcessId::look(there.pid)?
    } else {
        let recorded = spawned.agents.get(&there.name).and_then(|spawn| spawn.pane.as_ref()?.process);
        recorded.filter(|recorded| ProcessId::of(there.pid) == Some(*recorded))
    };
    let home = home.root().to_string_lossy().into_owned();
    let mark = Mark { home, agent: there.name, generation: String::new() };
    Ok(process.map(|process| Marked { process, mark }))
}

/// One look at the table of processes.
#[derive(Default)]
struct Seen {
    /// What is to be ended and is there.
    left: Vec<ProcessId>,
    /// All that carry marks.
    marked: Vec<Marked>,
}

struct Spared {
    lineage: Vec<i32>,
    server: Option<i32>,
    generation: Option<Generation>,
}

impl Spared {
    fn holds(&self, found: &Marked) -> io::Result<bool> {
        let pid = found.process.pid;
        if self.is_new(found) || self.lineage.contains(&pid) {
            return Ok(true);
        }
        for above in process::ancestors(pid)? {
            if self.is_other_server(above)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn is_new(&self, found: &Marked) -> bool {
        self.generation.is_some_and(|generation| generation.to_string() == found.mark.generation)
    }

    /// A tmux server is never ended here, and what lives under another one than ours is not ours to end.
    fn is_other_server(&self, pid: i32) -> io::Result<bool> {
        if Some(pid) == self.server {
            return Ok(false);
        }
        Ok(process::name_of(pid)?.is_some_and(|name| TMUX_SERVER.contains(&name.as_str())))
    }
}

/// This process and all above it.
pub fn own_lineage() -> io::Result<Vec<i32>> {
    process::ancestors(rustix::process::getpid().as_raw_nonzero().get())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::spawned::{Spawn, SpawnedPane};

    #[test]
    fn the_pid_of_a_dead_pane_may_be_anybodys() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::locate(Some(&dir.path().join("h")), None, None).unwrap();
        let own = ProcessId::own().unwrap();
        let there = |alive| Present {
            name: AgentName::ROOT,
            session: "$1".parse().unwrap(),
            pane: "%1".parse().unwrap(),
            pid: own.pid,
            alive,
            current: true,
            ours: true,
        };
        let spawned_as = |process: Option<ProcessId>| {
            let pane = SpawnedPane { session: "$1".into(), pane: "%1".into(), server: 1, process };
            let mut spawned = Spawned::default();
            let spawn = Spawn {
                generation: Generation::fresh(),
                profile: "demo".into(),
                from_flag: false,
                session_number: 1,
                workdir: "/".into(),
                at: crate::clock::utc_now(),
                pane: Some(pane),
                ready: None,
                cli_session: None,
            };
            spawned.agents.insert(AgentName::ROOT, spawn);
            spawned
        };
        let found = |alive, recorded| {
            let found = pane_process(&home, &there(alive), &spawned_as(recorded)).unwrap();
            found.map(|found| found.process)
        };
        let earlier = ProcessId { started: own.started - 1, ..own };
        assert_eq!(found(true, Some(earlier)), Some(own));
        assert_eq!(found(false, Some(earlier)), None);
        assert_eq!(found(false, None), None);
        // It closed its terminal and lives on.
        assert_eq!(found(false, Some(own)), Some(own));
    }
}
