//! What every verb looks at first: the settings, what should run, what was spawned, and what tmux has.
//!
//! One conversation with tmux, however many agents there are. That there is no server is an answer; that there is no
//! answer is not "nothing runs".

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use crate::agent::beacon::{self, Activity, Beacon};
use crate::agent::hook::HookTerms;
use crate::clock;
use crate::config::{Config, Socket as ConfiguredSocket};
use crate::id::Generation;
use crate::name::AgentName;
use crate::paths::Home;
use crate::persist::PersistError;
use crate::process::{self, ProcessId};
use crate::state::desired::{Desired, DesiredAgent};
use crate::state::spawned::{Spawn, Spawned};
use crate::tmux::{self, LaunchMark, NoAnswer, PaneId, PaneRow, RefusalKind, Snapshot, Socket, Tmux};

use super::plan::Present;

/// What is there.
#[derive(Debug)]
pub struct Scene {
    /// What should run.
    pub desired: Desired,
    /// What was spawned.
    pub spawned: Spawned,
    /// What tmux has; `None`: no server runs.
    pub snapshot: Option<Snapshot>,
    /// The sessions with agents' names, in order.
    pub present: Vec<Present>,
    /// Screens that were read in the same conversation.
    pub screens: BTreeMap<PaneId, String>,
    /// The beacons that were read with it, of the generations on record.
    pub beacons: BTreeMap<AgentName, Beacon>,
}

/// The scene cannot be seen.
#[derive(Debug, thiserror::Error)]
pub enum SceneError {
    /// What netsky remembers cannot be read.
    #[error("reading what was spawned")]
    Unreadable {
        /// The read that failed.
        #[from]
        source: PersistError,
    },
    /// tmux did not say.
    #[error(transparent)]
    Tmux {
        /// What came back.
        #[from]
        source: NoAnswer,
    },
    /// The server carries another home.
    #[error("the tmux server belongs to the home {}", owner)]
    ForeignServer {
        /// The home that it carries.
        owner: String,
    },
    /// An agent runs in another server than the one that the configuration means.
    #[error("{agent} runs in another tmux server (process {server}) than the one that is configured")]
    ConfiguredAnew {
        /// The agent.
        agent: AgentName,
        /// The server that it runs in.
        server: i32,
    },
    /// Agents run in a server that does not answer any more, because another one has its place.
    #[error(
        "another tmux server (process {other}) answers, and the one that netsky started (process {own}) still runs"
    )]
    SecondServer {
        /// The one that answers.
        other: i32,
        /// The one on record.
        own: i32,
    },
}

/// The server that the configuration means.
pub fn socket(config: &Config, home: &Home) -> Socket {
    match &config.tmux.socket {
        ConfiguredSocket::OwnHome => Socket::Path(home.tmux_socket()),
        ConfiguredSocket::Name(name) => Socket::Name(name.clone()),
        ConfiguredSocket::Path(path) => Socket::Path(path.clone()),
        ConfiguredSocket::UserDefault => Socket::Default,
    }
}

/// What netsky remembers, without asking tmux.
pub fn remembered(home: &Home) -> Result<Scene, PersistError> {
    let (desired, spawned) = (Desired::load(home)?, Spawned::load(home)?);
    let (present, screens, beacons) = (Vec::new(), BTreeMap::new(), BTreeMap::new());
    Ok(Scene { desired, spawned, snapshot: None, present, screens, beacons })
}

/// Looks at everything.
///
/// # Errors
/// tmux did not answer, or its server is another home's.
pub fn look(home: &Home, tmux: &Tmux) -> Result<Scene, SceneError> {
    look_at(home, tmux, remembered(home)?, &[])
}

/// The same with all beacons, and with the screens of those whose hooks may not tell all: all in one conversation.
///
/// # Errors
/// As [`look`].
pub fn look_closely(home: &Home, tmux: &Tmux) -> Result<Scene, SceneError> {
    let mut scene = remembered(home)?;
    let spawned = &scene.spawned.agents;
    scene.beacons =
        spawned.iter().filter_map(|(name, spawn)| Some((*name, beacon(home, *name, spawn)?))).collect();
    let unsure = spawned.iter().filter(|(name, _)| may_tell_less(scene.beacons.get(name)));
    let panes: Vec<PaneId> = unsure.filter_map(|(_, spawn)| spawn.pane.as_ref()?.pane.parse().ok()).collect();
    look_at(home, tmux, scene, &panes)
}

/// The beacon of a spawn. One that cannot be read is absent.
pub fn beacon(home: &Home, name: AgentName, spawn: &Spawn) -> Option<Beacon> {
    beacon::load(home, name).ok()?.filter(|beacon| beacon.generation == spawn.generation)
}

/// Whether a screen may show what no hook has told. That of an agent in mid-turn is asked for only when it stands still.
fn may_tell_less(beacon: Option<&Beacon>) -> bool {
    match beacon.map(|beacon| &beacon.activity) {
        None | Some(Activity::AwaitsPerson { .. } | Activity::Starting | Activity::Idle) => true,
        Some(
            Activity::Busy | Activity::Failed { .. } | Activity::Limited { .. } | Activity::Ended { .. },
        ) => false,
    }
}

fn look_at(home: &Home, tmux: &Tmux, mut scene: Scene, panes: &[PaneId]) -> Result<Scene, SceneError> {
    scene.spawned.server.into_iter().for_each(|server| tmux.expect(server));
    let ask = || match panes {
        [] => tmux.snapshot().map(|snapshot| (snapshot, BTreeMap::new())),
        panes => tmux.snapshot_with_screens(panes),
    };
    // Of a server that ended while it was asked, nothing is known but that it is gone now.
    let seen = match ask() {
        Err(error) if error.is_refusal(RefusalKind::ServerExited) => ask(),
        seen => seen,
    };
    scene.snapshot = match seen {
        Ok((snapshot, screens)) => {
            scene.screens = screens;
            Some(snapshot)
        }
        Err(error) if error.is_no_server() => None,
        Err(error) if scene.spawned.server.is_some_and(|server| tmux::is_ending(&error, server)) => None,
        Err(error) => return Err(too_old_or(tmux, error).into()),
    };
    if let Some(error) = elsewhere(&scene.spawned, scene.server()) {
        return Err(error);
    }
    if let Some(snapshot) = &scene.snapshot {
        let own = home.root().to_string_lossy();
        match snapshot.server.home.as_deref() {
            Some(owner) if owner.to_string_lossy() != own => {
                return Err(SceneError::ForeignServer { owner: owner.display().to_string() });
            }
            _ => {}
        }
        if let Some(error) = second_server(snapshot.server.pid, scene.spawned.server) {
            return Err(error);
        }
        recall(home, snapshot, &mut scene.spawned, &mut scene.desired);
        scene.present = present(home, snapshot, &scene.spawned);
    }
    Ok(scene)
}

/// What lives in a server of ours that lost its socket to another one would be taken for gone, and be made again.
fn second_server(answering: i32, recorded: Option<ProcessId>) -> Option<SceneError> {
    let own = recorded.filter(|own| own.pid != answering && own.is_alive())?;
    Some(SceneError::SecondServer { other: answering, own: own.pid })
}

/// What lives in a server that netsky did not start and is not asked for any more would be taken for gone too.
fn elsewhere(spawned: &Spawned, answering: Option<i32>) -> Option<SceneError> {
    let own = spawned.server.map(|server| server.pid);
    spawned.agents.iter().find_map(|(agent, spawn)| {
        let pane = spawn.pane.as_ref()?;
        let process = pane.process?;
        if [answering, own].contains(&Some(pane.server)) || !process.is_alive() {
            return None;
        }
        let is_in_it = process::ancestors(process.pid).ok()?.contains(&pane.server);
        is_in_it.then_some(SceneError::ConfiguredAnew { agent: *agent, server: pane.server })
    })
}

/// A tmux that is too old does not understand the question: then that is the error.
fn too_old_or(tmux: &Tmux, error: NoAnswer) -> NoAnswer {
    match error {
        NoAnswer::Incomplete { .. } | NoAnswer::Refused { .. } => match tmux.version() {
            Err(too_old @ NoAnswer::TooOld { .. }) => too_old,
            Ok(_) | Err(_) => error,
        },
        error => error,
    }
}

impl Scene {
    /// The process of the tmux server.
    pub fn server(&self) -> Option<i32> {
        self.snapshot.as_ref().map(|snapshot| snapshot.server.pid)
    }

    /// Where each agent worked last.
    pub fn last_dirs(&self) -> BTreeMap<AgentName, PathBuf> {
        self.spawned.agents.iter().map(|(name, spawn)| (*name, spawn.workdir.clone())).collect()
    }

    /// The session of an agent.
    pub fn present(&self, name: AgentName) -> Option<&Present> {
        self.present.iter().find(|there| there.name == name)
    }
}

/// What was spawned is told by the panes' marks and by the server too: where the file was lost, or its writer was killed
/// just before, what runs is not forgotten. And where nobody knows what should run, what runs should: else the next
/// restart would end it as one too many. In memory only; the next verb that writes makes it durable.
fn recall(home: &Home, snapshot: &Snapshot, spawned: &mut Spawned, desired: &mut Desired) {
    if snapshot.server.home.is_some() {
        // Whoever else is on record has ended: else it would have been a second server.
        spawned.server = snapshot.server.process();
    }
    let is_undecided = desired.since.is_none();
    for (row, mark) in living(home, snapshot) {
        if spawned.revoked.contains(&mark.generation) {
            continue;
        }
        if let Entry::Vacant(unknown) = spawned.agents.entry(mark.agent)
            && let Some(agent) = noted(home, mark, desired)
        {
            let workdir = process::dir_of(row.pid).unwrap_or_else(|| "/".into());
            unknown.insert(recalled(mark.generation, agent, workdir));
        }
        if is_undecided {
            // What `--agent` made of it holds; where that is not known, the configuration decides.
            let unknown = || DesiredAgent { profile: String::new(), from_flag: false };
            let agent = spawned.agents.get(&mark.agent).map_or_else(unknown, Spawn::as_desired);
            desired.agents.insert(mark.agent, agent);
        }
    }
}

/// The panes in which agents of this home live, with their marks.
fn living<'s>(home: &'s Home, snapshot: &'s Snapshot) -> impl Iterator<Item = (&'s PaneRow, &'s LaunchMark)> {
    let of_ours = |row: &'s PaneRow| Some((row, row.mark.as_ref()?));
    let panes = snapshot.panes.iter().filter(|row| row.dead.is_none()).filter_map(of_ours);
    panes.filter(|(row, mark)| mark.home == home.root() && row.agent() == Some(mark.agent))
}

/// What runs in a spawn that is not on record: it stands beside its launch order too.
fn noted(home: &Home, mark: &LaunchMark, desired: &Desired) -> Option<DesiredAgent> {
    let terms = HookTerms::load(home, mark.agent).filter(|terms| terms.generation() == mark.generation);
    terms.and_then(|terms| terms.as_desired()).or_else(|| desired.agents.get(&mark.agent).cloned())
}

fn recalled(generation: Generation, agent: DesiredAgent, workdir: PathBuf) -> Spawn {
    let DesiredAgent { profile, from_flag } = agent;
    let (session_number, at) = (1, clock::utc_now());
    Spawn {
        generation,
        profile,
        from_flag,
        session_number,
        workdir,
        at,
        pane: None,
        ready: None,
        cli_session: None,
    }
}

/// The sessions with agents' names. On a server of our own all are ours; elsewhere those whose pane carries our mark.
fn present(home: &Home, snapshot: &Snapshot, spawned: &Spawned) -> Vec<Present> {
    let own_server = snapshot.server.home.is_some();
    let sessions: BTreeSet<_> = snapshot
        .panes
        .iter()
        .filter_map(|row| Some((row.session_name.parse::<AgentName>().ok()?, row.session)))
        .collect();
    sessions
        .into_iter()
        .filter_map(|(name, session)| {
            let rows: Vec<&PaneRow> = snapshot.panes.iter().filter(|row| row.session == session).collect();
            let is_marked = |row: &&&PaneRow| {
                row.mark.as_ref().is_some_and(|mark| mark.agent == name && mark.home == home.root())
            };
            let marked = rows.iter().find(is_marked).copied();
            let pane = marked.or_else(|| rows.iter().min_by_key(|row| row.pane).copied())?;
            // A pane without a mark is a person's in one of our sessions: its agent is gone.
            let generation = marked.and_then(|row| row.mark.as_ref()).map(|mark| mark.generation);
            let recorded = spawned.agents.get(&name).map(|spawn| spawn.generation);
            let is_revoked = generation.is_some_and(|generation| spawned.revoked.contains(&generation));
            Some(Present {
                name,
                session,
                pane: pane.pane,
                pid: pane.pid,
                alive: marked.is_some_and(|row| row.dead.is_none()),
                // What nothing is recorded of is adopted, not ended.
                current: !is_revoked && (recorded.is_none() || recorded == generation),
                ours: own_server || marked.is_some(),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::profile::Profile;
    use crate::tmux::ServerFacts;

    fn home() -> (tempfile::TempDir, Home) {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::locate(Some(&dir.path().join("h")), None, None).unwrap();
        home.create().unwrap();
        (dir, home)
    }

    fn pane(home: &Home, number: u32, generation: Generation) -> PaneRow {
        let agent = AgentName::Numbered(number);
        let mark = LaunchMark { home: home.root().to_owned(), agent, generation };
        PaneRow {
            session: format!("${number}").parse().unwrap(),
            session_name: agent.to_string(),
            pane: format!("%{number}").parse().unwrap(),
            pid: 1,
            dead: None,
            mark: Some(mark),
            cursor: (0, 0),
            history_size: 0,
            window_activity: 0,
            is_in_mode: false,
            attached: 0,
            size: (80, 24),
        }
    }

    fn snapshot(panes: Vec<PaneRow>) -> Snapshot {
        let server = ServerFacts { pid: 1, version: "3.4".into(), started_at: 0, home: None };
        Snapshot { server, panes, people: Vec::new() }
    }

    #[test]
    fn who_lives_is_known_again_as_what_it_is_though_both_files_are_lost() {
        let (_dir, home) = home();
        let [own, other, revoked] = [(); 3].map(|()| Generation::fresh());
        let demo = Profile::resolve("demo", &BTreeMap::new(), std::path::Path::new("/opt/netsky")).unwrap();
        let [zero, one, two] = [0, 1, 2].map(AgentName::Numbered);
        HookTerms::of(&demo, true, own).write(&home, zero).unwrap();
        // Of another spawn: what agent1 is, they do not say.
        HookTerms::of(&demo, true, other).write(&home, one).unwrap();
        let snapshot = snapshot(vec![pane(&home, 0, own), pane(&home, 1, own), pane(&home, 2, revoked)]);
        let (mut spawned, mut desired) = (Spawned::default(), Desired::default());
        spawned.revoke(revoked);
        recall(&home, &snapshot, &mut spawned, &mut desired);
        let spawn = &spawned.agents[&zero];
        assert_eq!((spawn.generation, spawn.profile.as_str(), spawned.agents.len()), (own, "demo", 1));
        let wish = |profile: &str, from_flag| DesiredAgent { profile: profile.into(), from_flag };
        assert_eq!(desired.agents, [(zero, wish("demo", true)), (one, wish("", false))].into());
        assert_eq!((desired.agents.get(&two), desired.since), (None, None));
    }

    #[test]
    fn only_what_the_command_line_decided_outlives_the_loss_of_what_should_run() {
        let (_dir, home) = home();
        let generation = Generation::fresh();
        let snapshot = snapshot(vec![pane(&home, 0, generation), pane(&home, 1, generation)]);
        let (mut spawned, mut desired) = (Spawned::default(), Desired::default());
        let wishes = [(0, true), (1, false)].map(|(number, from_flag)| {
            (AgentName::Numbered(number), DesiredAgent { profile: "demo".into(), from_flag })
        });
        for (name, wish) in &wishes {
            spawned.agents.insert(*name, recalled(generation, wish.clone(), "/".into()));
        }
        recall(&home, &snapshot, &mut spawned, &mut desired);
        assert_eq!(desired.agents, wishes.into());
    }

    #[test]
    fn what_was_decided_stays_as_it_was() {
        let (_dir, home) = home();
        let decided = Desired::default().decided("down", crate::name::Actor::Owner, clock::utc_now());
        let (mut spawned, mut desired) = (Spawned::default(), decided.clone());
        recall(&home, &snapshot(vec![pane(&home, 0, Generation::fresh())]), &mut spawned, &mut desired);
        assert_eq!((desired, spawned.agents.len()), (decided, 0));
    }
}
