//! What a verb that changes the constellation sets up first: settings, tmux, the owner's environment, the lock.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::config::Flags;
use crate::constellation::means::{Means, Progress, Tell};
use crate::constellation::plan::{Extent, Plan};
use crate::constellation::trouble::Trouble;
use crate::constellation::{preflight, scene};
use crate::events::Event;
use crate::exit::Exit;
use crate::id::RestartId;
use crate::lock::Lock;
use crate::name::Actor;
use crate::paths::Home;
use crate::process::{self, Interrupts};
use crate::state::desired::Desired;
use crate::state::environment::OwnerSurroundings;
use crate::tmux::{Limits, Socket, Tmux};

use super::progress::Lines;
use super::setting::{self, Names, Settings};
use super::{Caller, CommandError, output};

/// More than the event loop opens; it panics where it cannot open what it hears signals by.
const DESCRIPTORS: usize = 12;

/// Everything a verb acts with.
#[derive(Debug)]
pub(super) struct Stage<'a> {
    caller: &'a Caller,
    flags: Flags,
    pub(super) settings: Settings,
    pub(super) tmux: Tmux,
    surroundings: OwnerSurroundings,
    dir: PathBuf,
    interrupts: Interrupts,
    actor: Actor,
    rehearses: bool,
}

impl<'a> Stage<'a> {
    /// Makes the home where there is none, and reads the settings. `rehearses`: for `--dry-run`, which writes nothing.
    pub(super) fn set(
        caller: &'a Caller,
        clones: &Option<u32>,
        agent: Option<&str>,
        rehearses: bool,
    ) -> Result<Self, CommandError> {
        let home = if rehearses { setting::possible_home(caller)? } else { caller.made_home()? };
        let actor = caller.actor(&home);
        Self::in_home(caller, home, clones, agent, actor).map(|stage| Self { rehearses, ..stage })
    }

    /// The same for a process that acts for somebody else.
    pub(super) fn with_actor(
        caller: &'a Caller,
        clones: &Option<u32>,
        agent: Option<&str>,
        actor: Actor,
    ) -> Result<Self, CommandError> {
        Self::in_home(caller, caller.made_home()?, clones, agent, actor)
    }

    fn in_home(
        caller: &'a Caller,
        home: Home,
        clones: &Option<u32>,
        agent: Option<&str>,
        actor: Actor,
    ) -> Result<Self, CommandError> {
        let flags = Flags { clones: *clones, agent: agent.map(str::to_owned) };
        let settings = Settings::load(caller, home, flags.clone())?;
        let tmux = open_tmux(caller, &settings)?;
        // Who is no owner starts agents with the owner's environment, not with an agent's.
        let own = caller.surroundings();
        let surroundings = match actor {
            Actor::Owner => own,
            Actor::Agent(_) | Actor::Watchdog => OwnerSurroundings::load(&settings.home)
                .map_err(|error| CommandError::failed("reading the owner's environment").because(error))?
                .unwrap_or(own),
        };
        let dir = caller.dir.clone().or_else(|| caller.path_variable("HOME").map(Path::to_owned));
        let interrupts = Interrupts::watch()
            .map_err(|error| CommandError::failed("getting ready to be interrupted").because(error))?;
        Ok(Self {
            caller,
            flags,
            settings,
            tmux,
            surroundings,
            dir: dir.unwrap_or_else(|| "/".into()),
            interrupts,
            actor,
            rehearses: false,
        })
    }

    /// What the constellation layer is given.
    pub(super) fn means(&self) -> Means<'_> {
        Means {
            home: &self.settings.home,
            config: &self.settings.loaded.config,
            tmux: &self.tmux,
            netsky: &self.caller.netsky,
            surroundings: &self.surroundings,
            dir: &self.dir,
            interrupts: &self.interrupts,
            actor: self.actor,
            rehearses: self.rehearses,
        }
    }

    /// What should run now, else what runs, else as many clones as are configured.
    pub(super) fn default_extent(&self) -> Result<Extent, CommandError> {
        let mut desired = Desired::load(&self.settings.home)
            .map_err(|error| CommandError::failed("reading what should run").because(error))?;
        if desired.since.is_none() {
            desired = scene::look(&self.settings.home, &self.tmux).map_err(Trouble::from)?.desired;
        }
        let configured = self.settings.loaded.config.constellation.clones;
        Ok(Extent::desired(&desired).unwrap_or_else(|| Extent::whole(configured)))
    }

    /// The lock, in our name.
    pub(super) fn lock(
        &self,
        verb: &str,
        id: RestartId,
        wait: Option<Duration>,
    ) -> Result<Lock, CommandError> {
        let lock = setting::take_lock(&self.settings.home, verb, id, wait)?;
        self.take_back();
        Ok(lock)
    }

    /// The lock, and what a restart is known by that has it. Once it was waited for, the settings are read anew.
    pub(super) fn lock_for_restart(&mut self, wait: Option<Duration>) -> Result<(Lock, Names), CommandError> {
        let pending = || self.interrupts.pending();
        let taken = setting::take_lock_for_restart(&self.settings.home, wait, &pending)?;
        if wait.is_some() {
            // Somebody may have edited the configuration meanwhile.
            self.settings = Settings::load(self.caller, self.settings.home.clone(), self.flags.clone())?;
            self.tmux = open_tmux(self.caller, &self.settings)?;
        }
        self.take_back();
        Ok(taken)
    }

    /// What a holder of the lock that was killed had begun to ask of tmux ends here, so that what is looked at from now on
    /// stays as it is.
    fn take_back(&self) {
        if let Err(error) = self.tmux.take_back() {
            Event::new("debris").with("why", error).log(&self.settings.home);
        }
    }

    /// A path as seen from where the verb was called.
    pub(super) fn absolute(&self, path: &Path) -> PathBuf {
        self.dir.join(path)
    }

    /// Runs a story in a runtime, with its progress on standard error.
    pub(super) fn perform<T>(
        &self,
        story: impl AsyncFnOnce(Tell<'_>) -> Result<T, Trouble>,
    ) -> Result<T, Trouble> {
        let runtime = process::room_for(DESCRIPTORS)
            .and_then(|()| tokio::runtime::Builder::new_current_thread().enable_all().build())
            .map_err(|error| Trouble::system("starting the event loop", &error))?;
        let mut lines = Lines::new(self.caller.stderr_is_terminal, self.caller.stderr_size());
        let outcome = runtime.block_on(story(&mut |progress: Progress| lines.show(progress)));
        lines.end();
        outcome
    }

    /// `--dry-run`: what would be done.
    pub(super) fn show_plan(
        &self,
        decide: impl FnOnce(&Means<'_>) -> Result<(Plan, Option<String>), Trouble>,
    ) -> Result<Exit, CommandError> {
        let (plan, warning) = decide(&self.means())?;
        output::text(&plan_text(&plan))?;
        if let Some(warning) = warning {
            output::talk(&format!("netsky: {warning}"));
        }
        Ok(Exit::Done)
    }
}

/// The tmux server that the settings mean.
pub(super) fn open_tmux(caller: &Caller, settings: &Settings) -> Result<Tmux, CommandError> {
    tmux_at(caller, settings, scene::socket(&settings.loaded.config, &settings.home))
}

/// The tmux server at a socket.
pub(super) fn tmux_at(caller: &Caller, settings: &Settings, socket: Socket) -> Result<Tmux, CommandError> {
    let path = caller.environment.get(std::ffi::OsStr::new("PATH")).map(std::ffi::OsString::as_os_str);
    let program = preflight::find_tmux(path).map_err(Trouble::from)?;
    let config = &settings.loaded.config.tmux;
    let limits =
        Limits { read: config.read_timeout, write: config.write_timeout, spawn: config.spawn_timeout };
    Ok(Tmux::new(program, socket, limits, settings.home.run(), &caller.environment))
}

fn plan_text(plan: &Plan) -> String {
    let mut lines = Vec::new();
    for there in &plan.tear_down {
        lines.push(format!("end    {} (session {}, process {})", there.name, there.session, there.pid));
    }
    for wish in &plan.spawn {
        lines.push(format!("start  {} ({}) in {}", wish.name, wish.profile, wish.workdir.display()));
    }
    for there in &plan.keep {
        lines.push(format!("leave  {} (process {})", there.name, there.pid));
    }
    for name in &plan.foreign {
        lines.push(format!("refuse {name}: it is not netsky's"));
    }
    if lines.is_empty() {
        lines.push("nothing to do".to_owned());
    }
    crate::text::printable(&lines.join("\n")).into_owned()
}

impl From<Trouble> for CommandError {
    fn from(trouble: Trouble) -> Self {
        let error = Self::new(trouble.exit, trouble.message).showing(trouble.screen);
        match trouble.hint {
            Some(hint) => error.hint(hint),
            None => error,
        }
    }
}
