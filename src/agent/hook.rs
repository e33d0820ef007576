//! One call of a hook: whom to believe, what to remember, what to tell the model.
//!
//! A call is believed when it carries the generation on record and runs below the agent's pane. What it tells the
//! model counts as shown only after it was printed; so a call that is killed repeats and never skips.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::{self, Deadline};
use crate::events::Event;
use crate::failpoint::{self, Step};
use crate::handoff::EnvelopeName;
use crate::handoff::compose::{self, Terms};
use crate::handoff::fence::Nonce;
use crate::handoff::inbox::{Inbox, Waiting};
use crate::id::Generation;
use crate::name::AgentName;
use crate::paths::Home;
use crate::persist::{self, PersistError, StateFile};
use crate::process::{self, ProcessId};
use crate::state::desired::DesiredAgent;
use crate::state::spawned::Spawned;

use super::attach;
use super::beacon::{self, Beacon};
use super::marker::Marker;
use super::profile::{Hooks, Profile};
use super::report::{self, Report, ReportKind};
use super::wake;

/// Bytes. Agent CLIs cut what a hook prints at 10,000, some of characters; this leaves room for what they wrap around
/// it.
const BUDGET: usize = 8_000;

/// So much of the beginning of a long message is printed when it is announced.
const HEAD_BYTES: usize = 600;

/// So many messages are read for one answer; the others are counted.
const READ_AT_ONCE: usize = 16;

/// So long a call waits for the spawn that is being written down.
const RECORD_WAIT: Duration = Duration::from_millis(700);

/// What a call must know of its agent's profile; written with the launch order.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct HookTerms {
    version: u64,
    generation: Generation,
    /// The profile's name.
    #[serde(rename = "type", default)]
    profile: Option<String>,
    /// Whether that was asked for on the command line.
    #[serde(default)]
    from_flag: bool,
    marker: String,
    hooks: Hooks,
    part: usize,
}
impl StateFile for HookTerms {}

impl HookTerms {
    /// The terms of a profile, asked for on the command line or not, for one generation.
    pub fn of(profile: &Profile, from_flag: bool, generation: Generation) -> Self {
        Self {
            version: Self::VERSION,
            generation,
            profile: Some(profile.name.clone()),
            from_flag,
            marker: profile.marker.core().to_owned(),
            hooks: profile.hooks,
            part: profile.part_bytes,
        }
    }

    /// Writes them beside the launch order.
    pub fn write(&self, home: &Home, agent: AgentName) -> Result<(), PersistError> {
        let path = Self::path(home, agent);
        persist::rewrite_volatile(&path, &persist::to_line(self, &path)?)
    }

    /// Reads the terms of an agent; `None` where it was not launched by a netsky that writes them.
    pub fn load(home: &Home, agent: AgentName) -> Option<Self> {
        persist::load(&Self::path(home, agent)).ok()?.present()
    }

    /// The generation that they are for.
    pub fn generation(&self) -> Generation {
        self.generation
    }

    /// What the agent was spawned as; older versions did not write it.
    pub fn as_desired(&self) -> Option<DesiredAgent> {
        let profile = self.profile.clone()?;
        Some(DesiredAgent { profile, from_flag: self.from_flag })
    }

    /// How long a part of a message may be that the agent's model reads as the output of a command.
    pub fn part(&self) -> usize {
        self.part
    }

    fn path(home: &Home, agent: AgentName) -> PathBuf {
        home.prompts().join(format!("{agent}.hook.json"))
    }
}

/// One call.
#[derive(Debug)]
pub struct Call {
    /// The home in the caller's environment.
    pub home: Home,
    /// The agent in the caller's environment.
    pub agent: AgentName,
    /// The generation in the caller's environment.
    pub generation: Generation,
    /// The event.
    pub event: String,
    /// This binary.
    pub netsky: PathBuf,
    /// The caller's `PATH`.
    pub search_path: Option<OsString>,
    /// This process and all above it.
    pub lineage: Vec<i32>,
    /// When to give up.
    pub deadline: Deadline,
}

/// Where a call should stand.
enum Standing {
    /// Below this process.
    Below(ProcessId),
    /// The spawn is not, or not wholly, written down.
    Unrecorded { server: Option<ProcessId> },
    /// Nowhere: the agent is of another generation.
    OfAnotherGeneration,
}

/// What is to be printed, and what that shows.
#[derive(Debug, Default)]
pub struct Context {
    /// As the CLI wants it; empty: nothing.
    pub text: String,
    shown: Vec<EnvelopeName>,
    briefs: bool,
}

impl Call {
    /// Remembers the report and says what is to be printed.
    ///
    /// # Errors
    /// In words, for the log: nobody else reads them.
    pub fn answer(&self, report: &[u8]) -> Result<Context, String> {
        self.believe()?;
        let terms = HookTerms::load(&self.home, self.agent)
            .filter(|terms| terms.generation == self.generation)
            .ok_or("there are no hook terms of this generation")?;
        let marker = Marker::new(&terms.marker).map_err(|error| error.to_string())?;
        let json =
            serde_json::from_slice(report).map_err(|error| format!("the report is no JSON: {error}"))?;
        let report = report::read(terms.hooks, &self.event, &json);
        let now = clock::utc_now();
        let beacon = beacon::update(&self.home, self.agent, |before| {
            beacon::fold(before, self.agent, self.generation, &report, &marker, now)
        })
        .map_err(|error| words(&error))?;
        wake::wake(&self.home, self.agent);
        if matches!(report.kind, ReportKind::TurnEnded { .. }) {
            Inbox::of(&self.home, self.agent)
                .take_shown(Some(self.generation))
                .map_err(|error| words(&error))?;
        }
        self.context(&report, &beacon, &terms).map_err(|error| words(&error))
    }

    fn believe(&self) -> Result<(), String> {
        if failpoint::leaves_out(Step::Belief) {
            return Ok(());
        }
        let patience = Deadline::after(RECORD_WAIT.min(self.deadline.remaining()));
        // The first hook may come before the spawn is written down.
        let standing = process::poll(Duration::from_millis(10), patience, || match self.standing() {
            Standing::Unrecorded { .. } => None,
            standing => Some(standing),
        });
        match standing.unwrap_or_else(|| self.standing()) {
            Standing::Below(pane) if self.runs_below(pane) => Ok(()),
            // Who spawned it was killed before it could write the pane down; our server is above us all the same.
            Standing::Unrecorded { server: Some(server) } if self.runs_below(server) => Ok(()),
            Standing::Below(pane) => {
                Err(format!("it does not run below the agent's pane (process {})", pane.pid))
            }
            Standing::Unrecorded { .. } => Err("the agent's pane is not on record".to_owned()),
            Standing::OfAnotherGeneration => {
                Err(format!("generation {} is not the agent's", self.generation))
            }
        }
    }

    fn standing(&self) -> Standing {
        let Some(spawned) = Spawned::look(&self.home) else {
            return Standing::Unrecorded { server: None };
        };
        if spawned.generation(self.agent) != Some(self.generation) {
            return Standing::OfAnotherGeneration;
        }
        let pane = spawned.agents.get(&self.agent).and_then(|spawn| spawn.pane.as_ref()?.process);
        pane.map_or(Standing::Unrecorded { server: spawned.server }, Standing::Below)
    }

    fn runs_below(&self, process: ProcessId) -> bool {
        self.lineage.contains(&process.pid) && process.is_alive()
    }

    fn context(
        &self,
        report: &Report,
        beacon: &Beacon,
        terms: &HookTerms,
    ) -> crate::handoff::Result<Context> {
        let inbox = Inbox::of(&self.home, self.agent);
        let waiting = match report.kind {
            ReportKind::SessionStarted { fresh_context: true } => inbox.not_taken()?,
            ReportKind::SessionStarted { fresh_context: false } | ReportKind::PromptSubmitted => {
                inbox.not_shown_to(Some(self.generation))?
            }
            _ => return Ok(Context::default()),
        };
        let briefing = if beacon.briefed { String::new() } else { self.briefing() };
        let (messages, shown) =
            self.messages(&inbox, waiting, terms, BUDGET.saturating_sub(briefing.len()))?;
        let text = format!("{briefing}{messages}");
        if text.is_empty() {
            return Ok(Context::default());
        }
        let text = attach::context_answer(terms.hooks, &self.event, &text);
        Ok(Context { text, shown, briefs: !briefing.is_empty() })
    }

    fn messages(
        &self,
        inbox: &Inbox,
        waiting: Waiting,
        terms: &HookTerms,
        budget: usize,
    ) -> crate::handoff::Result<(String, Vec<EnvelopeName>)> {
        let batch = inbox.open(waiting, READ_AT_ONCE)?;
        for error in &batch.unreadable {
            Event::new("unreadable").with("agent", self.agent).with("why", words(error)).log(&self.home);
        }
        let command = format!("{} inbox next", spoken_name(&self.netsky, self.search_path.as_deref()));
        let terms = Terms { budget, head_bytes: HEAD_BYTES, part_bytes: terms.part, command: &command };
        let composed = compose::compose(&batch.pending, batch.more, &terms, &mut Nonce::fresh);
        Ok((composed.text, composed.whole))
    }

    /// The briefing that the spawn rendered; an agent without one is not briefed.
    fn briefing(&self) -> String {
        match persist::read(&self.home.briefing(self.agent), BUDGET as u64) {
            Ok(Some(bytes)) => String::from_utf8_lossy(&bytes).into_owned(),
            Ok(None) | Err(_) => String::new(),
        }
    }

    /// What was printed is shown, from now on.
    ///
    /// # Errors
    /// In words, for the log; what is not remembered is shown again.
    pub fn printed(&self, context: &Context) -> Result<(), String> {
        let inbox = Inbox::of(&self.home, self.agent);
        for name in &context.shown {
            inbox
                .mark_shown(*name, Some(self.generation), clock::utc_now())
                .map_err(|error| words(&error))?;
        }
        if context.briefs {
            beacon::brief(&self.home, self.agent, self.generation).map_err(|error| words(&error))?;
        }
        Ok(())
    }
}

/// How this netsky is called from a shell with that `PATH`: by its name where that finds this very binary.
pub fn spoken_name(netsky: &Path, search_path: Option<&OsStr>) -> String {
    let found =
        search_path.and_then(|path| process::find_program(OsStr::new("netsky"), path, Path::new("/")));
    let same = found.and_then(|found| found.canonicalize().ok()).is_some_and(|found| found == netsky);
    if same { "netsky".to_owned() } else { attach::shell_word(&netsky.display().to_string()) }
}

/// Notes that a call failed; the agent never hears of it.
pub fn log_failure(home: &Home, agent: AgentName, event: &str, why: &str) {
    Event::new("hook-failed").with("agent", agent).with("hook", event).with("why", why).log(home);
}

fn words(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        words = format!("{words}: {cause}");
        source = cause.source();
    }
    words
}
