//! What a verb that changes the constellation works with, and the steps that all of them share.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::agent::briefing::{self, Facts};
use crate::agent::dialog::Allowances;
use crate::agent::profile::Profile;
use crate::agent::wake;
use crate::clock;
use crate::config::{self, Config, Permissions, StartupHow};
use crate::events::Event;
use crate::id::Generation;
use crate::name::{Actor, AgentName};
use crate::paths::Home;
use crate::persist::{self, PersistError};
use crate::process::Interrupts;
use crate::state::desired::{Desired, DesiredAgent};
use crate::state::environment::{Environment, OwnerSurroundings};
use crate::state::spawned::{Ready, Spawn, Spawned};
use crate::status::{AgentRecord, AgentState, ReadyBy};
use crate::tmux::{ServerSettings, Tmux};

use super::fallen;
use super::plan::{Plan, Sources, Wish};
use super::preflight::Preflight;
use super::ready::{Awaited, Settled};
use super::scene::Scene;
use super::screens;
use super::spawn::Spawner;
use super::teardown::Teardown;
use super::trouble::{self, Trouble};
use super::watch::{Asks, Outcome, Rules};

/// What every writing verb is given.
#[derive(Debug, Clone, Copy)]
pub struct Means<'a> {
    /// The home.
    pub home: &'a Home,
    /// The settings.
    pub config: &'a Config,
    /// The tmux server.
    pub tmux: &'a Tmux,
    /// This binary.
    pub netsky: &'a Path,
    /// What agents inherit.
    pub surroundings: &'a OwnerSurroundings,
    /// Where an agent works of which nothing else says it.
    pub dir: &'a Path,
    /// Whether somebody wants us to end.
    pub interrupts: &'a Interrupts,
    /// Who asked.
    pub actor: Actor,
    /// Whether nothing is to be written: `--dry-run`.
    pub rehearses: bool,
}

/// What a verb tells while it works.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// A phase was entered.
    Phase(crate::status::Phase),
    /// Something is worth a line.
    Note(String),
    /// An agent has a new state, in one word.
    Agent {
        /// Which.
        name: AgentName,
        /// The word.
        word: String,
        /// Whether that is its last.
        is_final: bool,
    },
}

/// Where progress goes.
pub type Tell<'a> = &'a mut dyn FnMut(Progress);

/// Lines of which each is told once, however often it is come by.
#[derive(Debug, Default)]
pub struct Notes(BTreeSet<String>);

impl Notes {
    /// Those that were not told yet; they count as told from now on.
    pub fn fresh(&mut self, lines: Vec<String>) -> Vec<String> {
        lines.into_iter().filter(|line| self.0.insert(line.clone())).collect()
    }

    /// Tells those.
    pub fn tell(&mut self, lines: Vec<String>, tell: Tell<'_>) {
        self.fresh(lines).into_iter().for_each(|line| tell(Progress::Note(line)));
    }
}

impl Means<'_> {
    /// Stops where somebody wants us to.
    pub fn go_on(&self) -> Result<(), Trouble> {
        self.interrupts.pending().map_or(Ok(()), |signal| Err(Trouble::signalled(signal)))
    }

    /// Removes what killed commands left (temporaries older than an hour, sockets) and the oldest screens. That it fails
    /// stops nothing.
    pub fn tidy(&self) {
        let now = clock::utc_now();
        let home = self.home;
        // What is handed over is swept by recovery.
        let below =
            ["state", "log", "run"].map(|name| persist::sweep_debris_below(&home.root().join(name), now));
        for swept in below.into_iter().chain([persist::sweep_debris(home.root(), now)]) {
            if let Err(error) = swept {
                Event::new("debris").with("why", error).log(home);
            }
        }
        if let Err(error) = self.tmux.sweep_debris(now) {
            Event::new("debris").with("why", error).log(home);
        }
        wake::sweep(home);
        // As far back as the history goes.
        if let Err(error) = screens::prune(home, self.config.restart.status_keep, now) {
            Event::new("prune-failed").with("why", error).log(home);
        }
    }

    /// Checks what must hold before a plan is carried out; what is only tight comes back as a warning.
    pub fn check(
        &self,
        plan: &Plan,
        profiles: &BTreeMap<String, Profile>,
        scene: &Scene,
        force: bool,
    ) -> Result<Option<String>, Trouble> {
        let preflight = Preflight {
            home: self.home,
            tmux: self.tmux,
            plan,
            profiles,
            surroundings: self.surroundings,
            force,
            rehearses: self.rehearses,
            server_runs: scene.snapshot.is_some(),
        };
        Ok(preflight.check()?)
    }

    /// What decides profiles and directories, given a scene.
    pub fn with_sources<T>(
        &self,
        scene: &Scene,
        flag: Option<&str>,
        decide: impl FnOnce(&Sources<'_>) -> T,
    ) -> T {
        let last_dirs = scene.last_dirs();
        decide(&Sources {
            config: self.config,
            desired: &scene.desired,
            last_dirs: &last_dirs,
            flag,
            dir: self.dir,
        })
    }

    /// Ends what the plan ends, and whatever its agents left behind.
    pub fn tear_down(
        &self,
        plan: &Plan,
        agents: BTreeSet<AgentName>,
        scene: &Scene,
        spared: Option<Generation>,
    ) -> Result<(), Trouble> {
        let teardown = Teardown {
            home: self.home,
            tmux: self.tmux,
            server: scene.server(),
            agents,
            spared,
            grace: self.config.restart.stop_grace,
        };
        teardown.run(&plan.tear_down, &scene.spawned).map_err(Trouble::from)
    }

    /// The server: the one that runs, or a new one of our own. Its process, and whether netsky set it up.
    pub fn server(&self, scene: &mut Scene) -> Result<(i32, bool), Trouble> {
        if let Some(snapshot) = &scene.snapshot {
            return Ok((snapshot.server.pid, snapshot.server.home.is_some()));
        }
        let settings = ServerSettings {
            home: self.home.root().to_owned(),
            size: self.config.tmux.size,
            extra_conf: self.config.tmux.conf.clone(),
            environment: self.server_environment(),
            previous: scene.spawned.server,
        };
        let started = self.tmux.start_server(&settings).map_err(|error| Trouble::from(&error))?;
        for refusal in &started.complaints {
            Event::new("tmux-conf").with("why", &refusal.words).log(self.home);
        }
        scene.spawned.server = Some(started.process);
        Ok((started.facts.pid, started.facts.home.is_some()))
    }

    /// What panes start from; agents get their environment from their launch order, so this is for people's windows.
    fn server_environment(&self) -> Environment {
        const KEPT: [&str; 9] =
            ["HOME", "PATH", "USER", "LOGNAME", "SHELL", "LANG", "LC_ALL", "TZ", "XDG_RUNTIME_DIR"];
        let environment = &self.surroundings.environment;
        let kept = KEPT.iter().filter_map(|name| environment.get_key_value(std::ffi::OsStr::new(name)));
        kept.map(|(name, value)| (name.clone(), value.clone())).collect()
    }

    /// Notes what should run from now on.
    pub fn desire(
        &self,
        verb: &str,
        scene: &Scene,
        change: impl FnOnce(&mut BTreeMap<AgentName, DesiredAgent>),
    ) -> Result<(), PersistError> {
        let mut desired: Desired = scene.desired.clone();
        change(&mut desired.agents);
        desired.decided(verb, self.actor, clock::utc_now()).store(self.home)
    }

    /// A spawner for one generation.
    pub fn spawner<'s>(
        &'s self,
        server: (i32, bool),
        profiles: &'s BTreeMap<String, Profile>,
        generation: Generation,
        clones: u32,
    ) -> Spawner<'s> {
        Spawner {
            home: self.home,
            tmux: self.tmux,
            server: server.0,
            owns_server: server.1,
            config: self.config,
            profiles,
            surroundings: self.surroundings,
            netsky: self.netsky,
            generation,
            clones,
        }
    }

    /// An agent that was spawned, to be awaited; `None` where tmux made no pane of it.
    pub fn awaited(
        &self,
        wish: &Wish,
        spawn: &Spawn,
        profile: &Profile,
        netsky: &str,
        clones: u32,
    ) -> Option<Awaited> {
        let pane = spawn.pane.as_ref()?;
        let draft = self.home.draft(wish.name);
        let facts = Facts {
            agent: wish.name,
            number: spawn.session_number,
            clones,
            role: &wish.role,
            netsky,
            draft: &draft,
        };
        let by_paste = profile.how == StartupHow::Paste;
        let question = profile.startup.clone().unwrap_or_else(|| briefing::startup(&facts));
        Some(Awaited {
            name: wish.name,
            generation: spawn.generation,
            session: pane.session.parse().ok()?,
            pane: pane.pane.parse().ok()?,
            profile: profile.clone(),
            rules: self.rules(wish, profile),
            question: by_paste.then_some(question),
            since: clock::monotonic_now(),
        })
    }

    fn rules(&self, wish: &Wish, profile: &Profile) -> Rules {
        let trust = config::resolved_trust(&self.config.constellation.trust);
        let dir = wish.workdir.canonicalize().unwrap_or_else(|_| wish.workdir.clone());
        Rules {
            up_wait: self.config.restart.up_wait,
            prompt_wait: self.config.restart.prompt_wait,
            allowances: Allowances {
                trusted: config::is_trusted(&dir, &trust),
                bypass: self.config.constellation.permissions == Permissions::Bypass,
                development_channels: profile.asks_for_development_channels(),
                workdir: dir,
            },
            asks: match (profile.how, profile.screen.composer.is_some()) {
                (StartupHow::Argument, _) => Asks::ByArgument,
                (StartupHow::Paste, true) => Asks::IntoComposer,
                (StartupHow::Paste, false) => Asks::IntoScreen,
            },
        }
    }
}

/// What became of an agent, as a record holds it.
pub fn agent_record(profile: &str, settled: &Settled) -> AgentRecord {
    let (state, ready_by, error) = match &settled.outcome {
        Outcome::Up { by } => (AgentState::Up, Some(*by), None),
        Outcome::Blocked { .. } => (AgentState::Blocked, None, trouble_words(settled)),
        Outcome::Limited { .. } => (AgentState::Limited, None, trouble_words(settled)),
        Outcome::Exited { .. } => (AgentState::Exited, None, trouble_words(settled)),
        Outcome::Late { .. } => (AgentState::Starting, None, trouble_words(settled)),
    };
    AgentRecord {
        name: settled.name,
        profile: profile.to_owned(),
        state,
        ready_by,
        ready_ms: ready_by.map(|_| u64::try_from(settled.took.as_millis()).unwrap_or(u64::MAX)),
        dialogs: settled.dialogs.clone(),
        error,
    }
}

/// An agent of a record that was up and is gone; `None`: it was not up, or lives.
pub fn fallen(agent: &AgentRecord, spawned: &Spawned) -> Option<(AgentRecord, Trouble)> {
    let how = (agent.state == AgentState::Up).then(|| fallen::how(spawned, agent.name)).flatten()?;
    let trouble = trouble::of_fallen(agent.name, &how);
    let error = Some(trouble.message.clone());
    let state = AgentState::Exited;
    Some((AgentRecord { state, ready_by: None, ready_ms: None, error, ..agent.clone() }, trouble))
}

/// Why it is not up, with the last line of its screen: a record is read without the screen at hand.
fn trouble_words(settled: &Settled) -> Option<String> {
    let trouble = trouble::of_settled(settled)?;
    Some(match settled.screen.last() {
        Some(line) if !trouble.message.contains(line.trim()) => {
            format!("{} (its screen: {})", trouble.message, settled.screen.join(" / "))
        }
        _ => trouble.message,
    })
}

/// One word for what became of an agent.
pub fn outcome_word(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Up { by: ReadyBy::Hook } => "up (hook)".to_owned(),
        Outcome::Up { by: ReadyBy::Marker } => "up (marker)".to_owned(),
        Outcome::Blocked { why, .. } => format!("blocked: {why}"),
        Outcome::Limited { why } => format!("limited: {why}"),
        Outcome::Exited { how } => format!("exited: {how}"),
        Outcome::Late { .. } => "not up in time".to_owned(),
    }
}

/// Notes in what was spawned that an agent came up, and what its CLI calls its session.
pub fn note_ready(spawned: &mut Spawned, settled: &Settled) {
    let Some(spawn) = spawned.agents.get_mut(&settled.name) else { return };
    if let Outcome::Up { by } = settled.outcome {
        spawn.ready = Some(Ready { at: clock::utc_now(), by });
    }
    if settled.cli_session.is_some() {
        spawn.cli_session.clone_from(&settled.cli_session);
    }
}
