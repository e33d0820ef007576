//! The story of a restart, phase by phase.
//!
//! Each phase is in the record before the next begins. Until `tearing-down` the running constellation is untouched.
//! Whatever fails, the record ends in a terminal phase and the claim is kept. The lock is held throughout.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::sync::oneshot::Receiver;

use crate::agent::profile::Profile;
use crate::clock::{self, Instant};
use crate::events;
use crate::exit::Exit;
use crate::handoff::claim::Claim;
use crate::handoff::deliver;
use crate::handoff::source::Source;
use crate::id::{Generation, RestartId};
use crate::lock::Lock;
use crate::name::AgentName;
use crate::process;
use crate::state::epochs::{OwnerEpochs, Scope};
use crate::state::spawned::Spawned;
use crate::status::{AgentRecord, Beginning, Ending, HandoffState, Phase, Record, Store};

use super::handover::{self, Drafts, Terms};
use super::means::{self, Means, Notes, Progress, Tell, agent_record, note_ready, outcome_word};
use super::nudge::{Nudged, Target};
use super::plan::{self, Extent, Plan};
use super::preflight;
use super::queue::Queue;
use super::ready::{Event, Rising, Settled};
use super::recovery;
use super::scene::{self, Scene};
use super::spawn::Spawner;
use super::trouble::{self, Trouble};

/// What was asked for.
#[derive(Debug, Clone)]
pub struct Order {
    /// Names this restart.
    pub id: RestartId,
    /// Names what it spawns.
    pub generation: Generation,
    /// Whom it is about.
    pub extent: Extent,
    /// `--agent`.
    pub flag: Option<String>,
    /// Why, in the words of who asked.
    pub reason: Option<String>,
    /// `--force`.
    pub force: bool,
    /// Whether agent0's draft is its successor's hand-over: nothing else was given.
    pub takes_draft: bool,
}

/// A restart under way.
#[derive(Debug)]
pub struct Restart<'a> {
    means: Means<'a>,
    order: Order,
    lock: Lock,
    store: Store,
    record: Record,
    begun: Instant,
    claim: Option<Claim>,
    /// What was said of texts that stay where they are.
    notes: Notes,
}

/// What the preflight found and decided.
#[derive(Debug)]
pub struct Prepared {
    /// What is there.
    pub scene: Scene,
    /// What is to be done.
    pub plan: Plan,
    /// The profiles of the plan.
    pub profiles: BTreeMap<String, Profile>,
    /// What is only tight.
    pub warning: Option<String>,
}

/// Looks and decides; writes nothing but a probe file, and not even that where it only rehearses (`--dry-run`).
///
/// # Errors
/// Something does not hold.
pub fn prepare(means: &Means<'_>, order: &Order) -> Result<Prepared, Trouble> {
    let scene = scene::look(means.home, means.tmux)?;
    let plan = means.with_sources(&scene, order.flag.as_deref(), |sources| {
        plan::restart(&order.extent, &scene.present, sources)
    });
    let profiles = preflight::profiles(&plan.spawn, means.config, means.netsky)?;
    let warning = means.check(&plan, &profiles, &scene, order.force)?;
    Ok(Prepared { scene, plan, profiles, warning })
}

impl Prepared {
    /// Adds something that whoever asked should know.
    fn warn(&mut self, more: String) {
        self.warning = Some(match self.warning.take() {
            Some(warning) => format!("{warning}; {more}"),
            None => more,
        });
    }
}

impl<'a> Restart<'a> {
    /// Begins: the epochs first, where the owner asked, then the record.
    ///
    /// # Errors
    /// Neither could be made durable; nothing was touched.
    pub fn begin(means: Means<'a>, order: Order, lock: Lock) -> Result<Self, Trouble> {
        let named = order.extent.agents();
        let scope = match order.extent {
            Extent::Whole { .. } => Scope::All,
            Extent::Named(_) => Scope::Agents(&named),
        };
        if means.actor.is_owner() {
            OwnerEpochs::raise(means.home, scope, clock::utc_now())?;
            means.surroundings.store(means.home)?;
        }
        let store = Store::of(means.home, means.config.restart.status_keep);
        let record = Record::begin(Beginning {
            id: order.id,
            pid: rustix::process::getpid().as_raw_nonzero().get(),
            at: clock::utc_now(),
            actor: means.actor,
            reason: order.reason.clone(),
            generation: order.generation,
            clones: clones_of(&order.extent),
        });
        let (begun, notes) = (clock::monotonic_now(), Notes::default());
        let restart = Self { means, order, lock, store, record, begun, claim: None, notes };
        match restart.announce() {
            Ok(()) => Ok(restart),
            Err(trouble) => {
                restart.end(&trouble);
                Err(trouble)
            }
        }
    }

    fn announce(&self) -> Result<(), Trouble> {
        self.store.write(&self.record)?;
        recovery::close_records(self.means.home, &self.lock, Some(self.order.id))?;
        self.store.prune(Some(self.order.id))?;
        Ok(())
    }

    /// Takes over what another process has begun and prepared.
    ///
    /// # Errors
    /// The record cannot be written: then it ends with that, if it can by now.
    pub fn take_over(
        means: Means<'a>,
        order: Order,
        lock: Lock,
        mut record: Record,
        claim: Option<Claim>,
    ) -> Result<Self, Trouble> {
        record.pid = rustix::process::getpid().as_raw_nonzero().get();
        let store = Store::of(means.home, means.config.restart.status_keep);
        let (begun, notes) = (clock::monotonic_now(), Notes::default());
        let restart = Self { means, order, lock, store, record, begun, claim, notes };
        match restart.store.write(&restart.record) {
            Ok(()) => Ok(restart),
            Err(error) => {
                let trouble = restart.with_claim(error.into());
                restart.end(&trouble);
                Err(trouble)
            }
        }
    }

    /// The record so far.
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// The claimed hand-over.
    pub fn claimed(&self) -> Option<&Claim> {
        self.claim.as_ref()
    }

    /// The lock, to be lent to a supervisor.
    pub fn lock(&self) -> &Lock {
        &self.lock
    }

    /// Whom it is about, and how.
    pub fn order(&self) -> &Order {
        &self.order
    }

    /// The preflight: everything is checked, what earlier commands left is delivered, the hand-over is claimed.
    ///
    /// # Errors
    /// Something does not hold; the running constellation was not touched.
    pub fn preflight(&mut self, given: Option<&Source>) -> Result<Prepared, Trouble> {
        self.look_and_claim(given).map_err(|trouble| self.with_claim(trouble))
    }

    fn look_and_claim(&mut self, given: Option<&Source>) -> Result<Prepared, Trouble> {
        self.means.go_on()?;
        self.means.tidy();
        let mut prepared = prepare(&self.means, &self.order)?;
        let now = clock::utc_now();
        let ending = prepared.scene.spawned.generation(AgentName::ROOT);
        // Where agent0 stays, the text is for the one that runs.
        let reader = ending.filter(|_| !self.order.extent.has_root()).unwrap_or(self.order.generation);
        let (home, terms) = (self.means.home, self.terms(reader));
        self.claim = match given {
            Some(source) => handover::claim_given(home, source, self.means.actor, terms)?,
            None if self.order.extent.has_root() => {
                handover::claim_draft(home, &prepared.scene.spawned, AgentName::ROOT, terms)?
            }
            None => None,
        };
        // After the claim: a pending one that came from the file that is given is this restart's hand-over.
        let left = recovery::deliver_all_but(home, self.claim.as_ref().map(Claim::id), now)?;
        // Whoever asked is told with the plan.
        self.notes.fresh(left.stuck).into_iter().for_each(|stuck| prepared.warn(stuck));
        if let Some(claim) = &self.claim {
            self.record.note_handoff(handover::record(claim, HandoffState::Claimed))?;
            self.store.write(&self.record)?;
            if claim.generation() != Some(reader) {
                let id = claim.id();
                prepared.warn(format!("the hand-over was taken by an earlier command and goes on as {id}"));
            }
        }
        Ok(prepared)
    }

    fn terms(&self, generation: Generation) -> Terms {
        Terms { generation, limit: self.means.config.handoff.max_bytes, now: clock::utc_now() }
    }

    /// Everything after the preflight. Must run in a tokio runtime.
    ///
    /// # Errors
    /// What failed; [`Restart::end`] closes the record with it.
    pub async fn carry_out(&mut self, prepared: Prepared, tell: Tell<'_>) -> Result<Exit, Trouble> {
        let done = self.go_through(prepared, tell).await;
        done.map_err(|trouble| self.with_claim(trouble))
    }

    async fn go_through(&mut self, prepared: Prepared, tell: Tell<'_>) -> Result<Exit, Trouble> {
        let Prepared { mut scene, plan, profiles, .. } = prepared;
        self.means.go_on()?;
        self.desire(&scene, &plan)?;
        self.enter(Phase::TearingDown, tell)?;
        let agents: BTreeSet<AgentName> = plan
            .tear_down
            .iter()
            .map(|there| there.name)
            .chain(self.order.extent.agents())
            .chain(self.leftovers(&scene))
            .collect();
        self.means.tear_down(&plan, agents, &scene, Some(self.order.generation))?;
        self.claim_last_words(&scene.spawned, tell)?;
        self.means.go_on()?;

        let server = self.means.server(&mut scene)?;
        let clones = self.clones_for_briefing(&scene);
        let means = self.means;
        let spawner = means.spawner(server, &profiles, self.order.generation, clones);
        let mut rising = Rising::new(means.home, means.tmux, means.interrupts)?;
        let mut queue = Queue::new(plan.spawn, means.config.restart.start_parallel);
        let ended = scene.spawned.clone();
        spawner.prepare(queue.all(), &mut scene.spawned)?;
        // Who wrote until now went by what was on record before.
        self.claim_last_words(&ended, tell)?;
        for wish in queue.all() {
            self.record.note_agent(AgentRecord::starting(wish.name, wish.profile.clone()))?;
        }
        queue.start_more(&spawner, &means, &mut scene, &mut rising)?;
        self.enter(Phase::Spawned, tell)?;
        self.await_all(queue, &spawner, scene, rising, tell).await
    }

    /// What those who have ended wrote for their successors until their end. agent0's own, where the preflight found none
    /// yet, is the hand-over of this restart; everything else is delivered at once.
    fn claim_last_words(&mut self, spawned: &Spawned, tell: Tell<'_>) -> Result<(), Trouble> {
        let (home, terms) = (self.means.home, self.terms(self.order.generation));
        let all = self.order.extent.agents().into_iter();
        let heirs = all.filter(|name| !name.is_root() || self.order.takes_draft);
        let Drafts { claims, left } = handover::claim_drafts(home, spawned, heirs, terms);
        let is_done = claims.is_empty() && left.is_empty();
        for claim in claims {
            if claim.to().is_root() && self.claim.is_none() {
                self.record.note_handoff(handover::record(&claim, HandoffState::Claimed))?;
                self.claim = Some(claim);
                self.store.write(&self.record)?;
            }
        }
        self.notes.tell(left, tell);
        if !is_done {
            let own = self.claim.as_ref().map(Claim::id);
            self.notes.tell(recovery::deliver_all_but(home, own, terms.now)?.stuck, tell);
        }
        Ok(())
    }

    async fn await_all(
        &mut self,
        mut queue: Queue,
        spawner: &Spawner<'_>,
        mut scene: Scene,
        mut rising: Rising,
        tell: Tell<'_>,
    ) -> Result<Exit, Trouble> {
        let mut nudge = None;
        let mut missing = Vec::new();
        loop {
            match rising.next().await? {
                Event::Over if queue.is_empty() => break,
                Event::Over => {}
                Event::Signal(signal) => return Err(Trouble::signalled(signal)),
                Event::Moved(name, word) => {
                    tell(Progress::Agent { name, word: word.to_owned(), is_final: false });
                }
                Event::Settled(settled) => {
                    let word = outcome_word(&settled.outcome);
                    tell(Progress::Agent { name: settled.name, word, is_final: true });
                    note_ready(&mut scene.spawned, &settled);
                    self.note(&settled)?;
                    match trouble::of_settled(&settled) {
                        None if settled.name.is_root() => {
                            self.enter(Phase::UpDetected, tell)?;
                            if self.deliver(tell)? {
                                nudge = self.nudge(&scene, spawner.profiles, settled.name);
                            }
                        }
                        None => {}
                        Some(trouble) if self.is_needed(settled.name) => {
                            scene.spawned.store(self.means.home)?;
                            return Err(trouble);
                        }
                        Some(_) => missing.push(settled.name),
                    }
                }
            }
            queue.start_more(spawner, &self.means, &mut scene, &mut rising)?;
        }
        scene.spawned.store(self.means.home)?;
        if let Some(nudge) = nudge {
            self.hear_of_nudge(nudge.await.ok(), tell);
        }
        self.count_fallen(&scene.spawned, &mut missing)?;
        self.finish(&missing, tell)
    }

    /// The end of a restart whose needed agents are all up.
    fn finish(&mut self, missing: &[AgentName], tell: Tell<'_>) -> Result<Exit, Trouble> {
        if !self.order.extent.has_root() {
            self.enter(Phase::UpDetected, tell)?;
            // agent0 was not restarted: it gets what was given now.
            self.deliver(tell)?;
        }
        let ending = if missing.is_empty() { Ending::Complete } else { Ending::Degraded };
        let mut ended = self.record.clone();
        ended.finish(ending, clock::utc_now(), self.begun_before())?;
        self.go_on_as(ended)?;
        tell(Progress::Phase(self.record.phase()));
        handover::prune(self.means.home, self.means.config.handoff.keep);
        Ok(if missing.is_empty() { Exit::Done } else { Exit::Degraded })
    }

    /// Gives the lock back: the record has ended.
    pub fn over(self) -> Record {
        self.record
    }

    /// Closes the record of a restart that failed.
    pub fn end(mut self, trouble: &Trouble) -> Record {
        let step = match self.record.phase() {
            Phase::Preflight => Phase::Preflight,
            Phase::Draining => Phase::Draining,
            Phase::TearingDown => Phase::Spawned,
            Phase::Spawned => Phase::UpDetected,
            Phase::UpDetected => Phase::HandoffDelivered,
            later => later,
        };
        let ending = Ending::Errored { failure: trouble.failure(step), exit_code: trouble.exit.code() };
        let closed = self.record.finish(ending, clock::utc_now(), self.begun_before());
        let written = closed
            .map_err(|error| error.to_string())
            .and_then(|()| self.store.write(&self.record).map_err(|error| trouble::chain(&error)));
        if let Err(why) = written {
            // The next command reads it as interrupted, which it is.
            events::Event::new("record-lost")
                .with("id", self.record.id)
                .with("why", why)
                .log(self.means.home);
        }
        self.record
    }

    fn begun_before(&self) -> Duration {
        clock::monotonic_now().saturating_duration_since(self.begun)
    }

    fn enter(&mut self, phase: Phase, tell: Tell<'_>) -> Result<(), Trouble> {
        let mut next = self.record.clone();
        next.advance(phase, clock::utc_now(), self.begun_before())?;
        self.go_on_as(next)?;
        tell(Progress::Phase(phase));
        Ok(())
    }

    /// What could not be written has not come: the record ends from where it stood.
    fn go_on_as(&mut self, next: Record) -> Result<(), Trouble> {
        self.store.write(&next)?;
        self.record = next;
        Ok(())
    }

    fn note(&mut self, settled: &Settled) -> Result<(), Trouble> {
        let profile = self
            .record
            .agents()
            .iter()
            .find(|agent| agent.name == settled.name)
            .map(|agent| agent.profile.clone())
            .unwrap_or_default();
        self.record.note_agent(agent_record(&profile, settled))?;
        Ok(())
    }

    /// Who was up and is gone by now is missing.
    fn count_fallen(&mut self, spawned: &Spawned, missing: &mut Vec<AgentName>) -> Result<(), Trouble> {
        let fallen: Vec<_> =
            self.record.agents().iter().filter_map(|agent| means::fallen(agent, spawned)).collect();
        for (agent, trouble) in fallen {
            let name = agent.name;
            self.record.note_agent(agent)?;
            if self.is_needed(name) {
                return Err(trouble);
            }
            missing.push(name);
        }
        Ok(())
    }

    /// What should run is what this restart is to leave behind, whatever becomes of it.
    fn desire(&self, scene: &Scene, plan: &Plan) -> Result<(), Trouble> {
        let whole = matches!(self.order.extent, Extent::Whole { .. });
        self.means.desire("restart", scene, |agents| {
            if whole {
                agents.retain(|name, _| name.number().is_none());
            }
            for wish in &plan.spawn {
                agents.insert(wish.name, wish.as_desired());
            }
        })?;
        Ok(())
    }

    /// Agents whose sessions are gone but whose processes may not be.
    fn leftovers(&self, scene: &Scene) -> Vec<AgentName> {
        scene.spawned.agents.keys().copied().filter(|name| self.order.extent.covers(*name)).collect()
    }

    fn clones_for_briefing(&self, scene: &Scene) -> u32 {
        match &self.order.extent {
            Extent::Whole { clones, .. } => *clones,
            Extent::Named(_) => scene.desired.clones().unwrap_or_default(),
        }
    }

    /// Whether the restart fails when this agent is not up.
    fn is_needed(&self, name: AgentName) -> bool {
        match self.order.extent {
            Extent::Whole { .. } => name.is_root(),
            Extent::Named(_) => true,
        }
    }

    /// The trouble, with what becomes of the hand-over.
    pub fn with_claim(&self, trouble: Trouble) -> Trouble {
        match &self.claim {
            Some(claim) => trouble.and(&format!(
                "the hand-over {} is kept and goes to the next agent0 that comes up",
                claim.id()
            )),
            None => trouble,
        }
    }

    /// Archives the envelope and puts it into agent0's inbox, and with it what earlier restarts claimed in vain.
    /// `false`: there is none.
    fn deliver(&mut self, tell: Tell<'_>) -> Result<bool, Trouble> {
        let own = self.claim.as_ref().map(Claim::id);
        let earlier = recovery::deliver_all_but(self.means.home, own, clock::utc_now())?;
        self.notes.tell(earlier.stuck, tell);
        let Some(claim) = self.claim.take() else { return Ok(earlier.delivered > 0) };
        if let Err(error) = deliver::deliver(self.means.home, &claim) {
            self.claim = Some(claim);
            return Err(error.into());
        }
        self.record.note_handoff(handover::record(&claim, HandoffState::Delivered))?;
        self.enter(Phase::HandoffDelivered, tell)?;
        Ok(true)
    }

    /// Has an agent nudged beside the waiting.
    fn nudge(
        &self,
        scene: &Scene,
        profiles: &BTreeMap<String, Profile>,
        name: AgentName,
    ) -> Option<Receiver<Nudged>> {
        let spawn = scene.spawned.agents.get(&name)?;
        let pane = spawn.pane.as_ref()?.pane.parse().ok()?;
        let profile = profiles.get(&spawn.profile)?.clone();
        let (home, tmux, generation) = (self.means.home.clone(), self.means.tmux.clone(), spawn.generation);
        let spoken = crate::agent::hook::spoken_name(
            self.means.netsky,
            self.means
                .surroundings
                .environment
                .get(std::ffi::OsStr::new("PATH"))
                .map(std::ffi::OsString::as_os_str),
        );
        let line = crate::agent::briefing::nudge(&spoken);
        let nudge = process::beside(move || {
            let target =
                Target { home: &home, tmux: &tmux, agent: name, generation, pane, profile: &profile };
            match tmux.snapshot().and_then(|seen| target.nudge(&line, &seen)) {
                Ok(nudged) => nudged,
                Err(error) => {
                    events::Event::new("nudge-failed").with("agent", name).with("why", error).log(&home);
                    Nudged::Unverified
                }
            }
        });
        // Without a thread for it nothing is typed, and the next prompt delivers.
        nudge
            .inspect_err(|error| {
                events::Event::new("nudge-failed")
                    .with("agent", name)
                    .with("why", error)
                    .log(self.means.home);
            })
            .ok()
    }

    fn hear_of_nudge(&self, nudged: Option<Nudged>, tell: Tell<'_>) {
        match nudged {
            Some(Nudged::Typed) => {}
            Some(Nudged::Queued) => {
                tell(Progress::Note("agent0 is busy: it gets the hand-over at its next prompt".to_owned()));
            }
            Some(Nudged::Unverified) | None => tell(Progress::Note(
                "whether agent0 took the nudge is not known: it gets the hand-over at its next prompt"
                    .to_owned(),
            )),
        }
    }
}

/// Agents besides agent0 that a restart of this extent is about.
fn clones_of(extent: &Extent) -> u32 {
    let clones = extent.agents().iter().filter(|name| !name.is_root()).count();
    u32::try_from(clones).unwrap_or(u32::MAX)
}

/// Whether a restart would end the session that this very process lives in.
///
/// # Errors
/// What this process runs below cannot be told.
pub fn ends_caller(
    plan: &Plan,
    scene: &Scene,
    caller: Option<AgentName>,
    extent: &Extent,
) -> Result<bool, Trouble> {
    let lineage = super::teardown::own_lineage()
        .map_err(|error| Trouble::system("looking at what called this", &error))?;
    let in_pane = scene.snapshot.as_ref().is_some_and(|snapshot| {
        snapshot
            .panes
            .iter()
            .filter(|row| plan.tear_down.iter().any(|there| there.session == row.session))
            .any(|row| lineage.contains(&row.pid))
    });
    // Somebody who carries an agent's mark would be swept with it, wherever it runs.
    Ok(in_pane || caller.is_some_and(|agent| extent.covers(agent)))
}
