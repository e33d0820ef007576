//! What a verb would do: decided from what is wanted and what is there, before anything is touched (pure).
//!
//! The plan is also what `--dry-run` prints.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use crate::agent::role::Role;
use crate::config::Config;
use crate::name::AgentName;
use crate::state::desired::{Desired, DesiredAgent};
use crate::tmux::{PaneId, SessionId};

/// Which agents a verb is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Extent {
    /// agent0 and so many clones; whatever runs above them belongs to it too.
    Whole {
        /// The clones.
        clones: u32,
        /// Clones among them that are to stay down.
        without: BTreeSet<AgentName>,
    },
    /// These agents alone, in order, each once.
    Named(Vec<AgentName>),
}

impl Extent {
    /// agent0 and so many clones, without a gap.
    pub fn whole(clones: u32) -> Self {
        Self::Whole { clones, without: BTreeSet::new() }
    }

    /// What should run, where anything should: a clone that was taken down alone stays down.
    pub fn desired(desired: &Desired) -> Option<Self> {
        let clones = desired.clones()?;
        let is_down = |name: &AgentName| !name.is_root() && !desired.agents.contains_key(name);
        Some(Self::Whole { clones, without: AgentName::constellation(clones).filter(is_down).collect() })
    }

    /// The agents that are to run.
    pub fn agents(&self) -> Vec<AgentName> {
        match self {
            Self::Whole { clones, without } => {
                AgentName::constellation(*clones).filter(|name| !without.contains(name)).collect()
            }
            Self::Named(names) => names.clone(),
        }
    }

    /// Whether a session of this name is torn down by a restart of this extent. The overseer only where it is named.
    pub fn covers(&self, name: AgentName) -> bool {
        match self {
            Self::Whole { .. } => name.number().is_some(),
            Self::Named(names) => names.contains(&name),
        }
    }

    /// Whether agent0 is among them.
    pub fn has_root(&self) -> bool {
        self.covers(AgentName::ROOT)
    }
}

/// A session with an agent's name that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Present {
    /// Its name.
    pub name: AgentName,
    /// Its session.
    pub session: SessionId,
    /// The agent's pane.
    pub pane: PaneId,
    /// The pane's process.
    pub pid: i32,
    /// Whether that process runs.
    pub alive: bool,
    /// Whether it is of a generation that counts.
    pub current: bool,
    /// Whether it is ours.
    pub ours: bool,
}

/// An agent that is to be spawned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    /// Its name.
    pub name: AgentName,
    /// Its profile's name.
    pub profile: String,
    /// Whether the profile was asked for on the command line.
    pub from_flag: bool,
    /// Where it works.
    pub workdir: PathBuf,
    /// What it is for.
    pub role: Role,
}

impl Wish {
    /// How it is noted as what should run.
    pub fn as_desired(&self) -> DesiredAgent {
        DesiredAgent { profile: self.profile.clone(), from_flag: self.from_flag }
    }
}

/// What is to be done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// Sessions that end.
    pub tear_down: Vec<Present>,
    /// Agents that start.
    pub spawn: Vec<Wish>,
    /// Agents that run and are left alone.
    pub keep: Vec<Present>,
    /// Sessions with our names that are somebody else's: nothing is done while there is one in the way.
    pub foreign: Vec<AgentName>,
}

/// What decides an agent's profile and directory.
#[derive(Debug)]
pub struct Sources<'a> {
    /// The settings.
    pub config: &'a Config,
    /// What should run so far.
    pub desired: &'a Desired,
    /// Where each agent worked last.
    pub last_dirs: &'a BTreeMap<AgentName, PathBuf>,
    /// `--agent`.
    pub flag: Option<&'a str>,
    /// The caller's directory.
    pub dir: &'a std::path::Path,
}

impl Sources<'_> {
    /// How an agent would be spawned.
    pub fn wish(&self, name: AgentName) -> Wish {
        let own = self.config.constellation.agents.get(&name);
        let (profile, from_flag) = self.profile(name);
        let workdir = own
            .and_then(|own| own.workdir.clone())
            .or_else(|| self.config.constellation.workdir.clone())
            .or_else(|| {
                self.last_dirs.get(&name).filter(|_| self.desired.agents.contains_key(&name)).cloned()
            })
            .unwrap_or_else(|| self.dir.to_owned());
        let role = Role::of(name, own.and_then(|own| own.role.as_deref()));
        Wish { name, profile, from_flag, workdir, role }
    }

    fn profile(&self, name: AgentName) -> (String, bool) {
        match (self.flag, self.desired.agents.get(&name)) {
            (Some(flag), _) => (flag.to_owned(), true),
            (None, Some(DesiredAgent { profile, from_flag: true })) => (profile.clone(), true),
            _ => match self.sibling_flag(name) {
                Some(profile) => (profile, true),
                None => (self.config.profile_of(name).to_owned(), false),
            },
        }
    }

    /// A constellation that was started with `--agent demo` grows by demo agents.
    fn sibling_flag(&self, name: AgentName) -> Option<String> {
        if self.desired.agents.contains_key(&name) {
            return None;
        }
        // The overseer is of a kind of its own. Without agent0, what one clone was restarted as says nothing of others.
        let mut numbered = self.desired.agents.iter().filter(|(name, _)| name.number().is_some());
        let (first_name, first) = numbered.next()?;
        let is_asked_for =
            first.from_flag && (first_name.is_root() || numbered.all(|(_, agent)| agent == first));
        is_asked_for.then(|| first.profile.clone())
    }
}

/// What `restart` does: ends what the extent covers and spawns it anew.
pub fn restart(extent: &Extent, present: &[Present], sources: &Sources<'_>) -> Plan {
    let is_stray = |there: &Present| there.ours && !there.current;
    let (covered, rest): (Vec<_>, Vec<_>) =
        present.iter().cloned().partition(|there| extent.covers(there.name) || is_stray(there));
    let (ours, theirs): (Vec<_>, Vec<_>) = covered.into_iter().partition(|there| there.ours);
    Plan {
        tear_down: ours,
        spawn: extent.agents().into_iter().map(|name| sources.wish(name)).collect(),
        keep: rest.into_iter().filter(|there| there.ours).collect(),
        foreign: theirs.into_iter().map(|there| there.name).collect(),
    }
}

/// What `up` does: spawns what does not run. A session whose process ended, or whose generation was given up, is
/// cleared away first; one that runs is never stopped, whatever its number.
pub fn up(extent: &Extent, present: &[Present], sources: &Sources<'_>) -> Plan {
    let wanted = extent.agents();
    let mut plan = Plan::default();
    for there in present {
        let in_the_way = wanted.contains(&there.name);
        match there {
            Present { ours: false, name, .. } if in_the_way => plan.foreign.push(*name),
            Present { ours: false, .. } => {}
            Present { alive: true, current: true, .. } => plan.keep.push(there.clone()),
            _ if in_the_way || !there.current => plan.tear_down.push(there.clone()),
            // Dead, and not asked for: neither left running nor in the way.
            _ => {}
        }
    }
    let running = |name: &AgentName| plan.keep.iter().any(|kept| kept.name == *name);
    plan.spawn = wanted.into_iter().filter(|name| !running(name)).map(|name| sources.wish(name)).collect();
    plan
}

/// What `down` does. `None`: everything that is ours, the overseer too.
pub fn down(names: Option<&[AgentName]>, present: &[Present]) -> Plan {
    let (covered, rest): (Vec<_>, Vec<_>) =
        present.iter().cloned().partition(|there| names.is_none_or(|names| names.contains(&there.name)));
    let (ours, theirs): (Vec<_>, Vec<_>) = covered.into_iter().partition(|there| there.ours);
    Plan {
        tear_down: ours,
        keep: rest.into_iter().filter(|there| there.ours).collect(),
        // Somebody else's session is in nobody's way unless it was named.
        foreign: theirs.into_iter().filter(|_| names.is_some()).map(|there| there.name).collect(),
        ..Plan::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn there(number: u32, alive: bool, ours: bool) -> Present {
        Present {
            name: AgentName::Numbered(number),
            session: format!("${number}").parse().unwrap(),
            pane: format!("%{number}").parse().unwrap(),
            pid: 100 + i32::try_from(number).unwrap(),
            alive,
            current: true,
            ours,
        }
    }

    fn names(present: &[Present]) -> Vec<u32> {
        present.iter().filter_map(|there| there.name.number()).collect()
    }

    fn with_sources<T>(desired: &Desired, flag: Option<&str>, test: impl FnOnce(&Sources<'_>) -> T) -> T {
        let config = Config::default();
        let last_dirs = [(AgentName::ROOT, PathBuf::from("/last"))].into();
        test(&Sources { config: &config, desired, last_dirs: &last_dirs, flag, dir: Path::new("/here") })
    }

    #[test]
    fn a_restart_ends_all_agent_sessions_also_those_above_and_leaves_the_overseer() {
        let mut present = vec![there(0, true, true), there(7, true, true)];
        present.push(Present { name: AgentName::Overseer, ..there(9, true, true) });
        let plan =
            with_sources(&Desired::default(), None, |sources| restart(&Extent::whole(1), &present, sources));
        assert_eq!(names(&plan.tear_down), [0, 7]);
        assert_eq!(plan.spawn.iter().filter_map(|wish| wish.name.number()).collect::<Vec<_>>(), [0, 1]);
        assert_eq!(plan.keep.len(), 1);
    }

    #[test]
    fn agent10_is_nobodys_agent1() {
        let present = [there(10, true, true)];
        let one = Extent::Named(vec![AgentName::Numbered(1)]);
        with_sources(&Desired::default(), None, |sources| {
            assert!(restart(&one, &present, sources).tear_down.is_empty());
            assert!(up(&one, &present, sources).tear_down.is_empty());
        });
        assert!(down(Some(&[AgentName::Numbered(1)]), &present).tear_down.is_empty());
    }

    #[test]
    fn up_never_stops_what_runs_and_clears_away_what_is_dead() {
        let present = [there(0, true, true), there(1, false, true), there(5, true, true)];
        let plan =
            with_sources(&Desired::default(), None, |sources| up(&Extent::whole(2), &present, sources));
        assert_eq!(names(&plan.tear_down), [1]);
        assert_eq!(names(&plan.keep), [0, 5]);
        assert_eq!(plan.spawn.iter().filter_map(|wish| wish.name.number()).collect::<Vec<_>>(), [1, 2]);
    }

    #[test]
    fn what_a_revoked_generation_left_behind_is_ended_wherever_it_is() {
        let stray = Present { current: false, ..there(9, true, true) };
        let plan =
            with_sources(&Desired::default(), None, |sources| up(&Extent::whole(0), &[stray], sources));
        assert_eq!(names(&plan.tear_down), [9]);
    }

    #[test]
    fn foreign_sessions_are_named_and_never_torn_down() {
        let present = [there(0, true, false), there(3, true, false)];
        with_sources(&Desired::default(), None, |sources| {
            let plan = up(&Extent::whole(1), &present, sources);
            assert_eq!((plan.foreign, plan.tear_down.len()), (vec![AgentName::ROOT], 0));
            let plan = restart(&Extent::whole(1), &present, sources);
            assert_eq!((plan.foreign.len(), plan.tear_down.len()), (2, 0));
        });
        assert_eq!(down(None, &present), Plan::default());
    }

    #[test]
    fn a_flag_holds_until_another_and_the_configuration_decides_otherwise() {
        let mut desired = Desired::default();
        let profile = |desired: &Desired, flag| {
            with_sources(desired, flag, |sources| sources.wish(AgentName::ROOT).profile)
        };
        assert_eq!(profile(&desired, None), "claude");
        assert_eq!(profile(&desired, Some("demo")), "demo");
        desired.agents.insert(AgentName::ROOT, DesiredAgent { profile: "demo".into(), from_flag: true });
        assert_eq!(profile(&desired, None), "demo");
        assert_eq!(profile(&desired, Some("codex")), "codex");
        let clone = with_sources(&desired, None, |sources| sources.wish(AgentName::Numbered(4)).profile);
        assert_eq!(clone, "demo");
        // agent0 alone was taken down: it is still one of them.
        let agent = desired.agents.remove(&AgentName::ROOT).unwrap();
        desired.agents.insert(AgentName::Numbered(1), agent);
        assert_eq!(profile(&desired, None), "demo");
        // What one clone alone was restarted as says nothing of agent0.
        let configured = DesiredAgent { profile: "claude".into(), from_flag: false };
        desired.agents.insert(AgentName::Numbered(2), configured);
        assert_eq!(profile(&desired, None), "claude");
    }

    #[test]
    fn an_agent_that_should_run_stays_where_it_worked() {
        let mut desired = Desired::default();
        let dir =
            |desired: &Desired| with_sources(desired, None, |sources| sources.wish(AgentName::ROOT).workdir);
        assert_eq!(dir(&desired), Path::new("/here"));
        desired.agents.insert(AgentName::ROOT, DesiredAgent { profile: "claude".into(), from_flag: false });
        assert_eq!(dir(&desired), Path::new("/last"));
    }
}
