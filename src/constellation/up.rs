//! The story of `up`: what should run is made to run; what runs is left alone.

use std::collections::{BTreeMap, BTreeSet};

use crate::agent::hook::HookTerms;
use crate::agent::profile::Profile;
use crate::clock;
use crate::exit::Exit;
use crate::handoff::claim::{self, Claim};
use crate::id::{EnvelopeId, Generation};
use crate::lock::Lock;
use crate::name::AgentName;
use crate::process::ProcessId;
use crate::state::desired::DesiredAgent;
use crate::state::epochs::{OwnerEpochs, Scope};
use crate::state::spawned::{Spawned, SpawnedPane};
use crate::status::{AgentRecord, AgentState};

use super::handover::{self, Drafts, Terms};
use super::means::{self, Means, Notes, Progress, Tell, agent_record, note_ready, outcome_word};
use super::plan::{self, Extent, Plan, Present, Wish};
use super::preflight;
use super::queue::Queue;
use super::ready::{Event, Rising, Settled};
use super::recovery::{self, Recovered};
use super::scene::{self, Scene};
use super::trouble::{self, Trouble};

/// What was asked for.
#[derive(Debug, Clone)]
pub struct Order {
    /// Whom it is about.
    pub extent: Extent,
    /// `--agent`.
    pub flag: Option<String>,
    /// `--force`.
    pub force: bool,
    /// `--no-wait`.
    pub waits: bool,
}

/// What came of it.
#[derive(Debug)]
pub struct Raised {
    /// What the new agents prove themselves by; `None`: none was spawned.
    pub generation: Option<Generation>,
    /// Who was spawned.
    pub spawned: Vec<AgentName>,
    /// Who was up already.
    pub left_alone: Vec<AgentName>,
    /// Those of the spawned who were handed their predecessor's draft.
    pub heirs: Vec<AgentName>,
    /// What a restart took for the next agent0 while the one that was to go lives on.
    pub waiting: Vec<EnvelopeId>,
    /// All agents the verb is about, and those above them that run.
    pub agents: Vec<AgentRecord>,
    /// Why the exit code is not 0.
    pub trouble: Option<Trouble>,
    /// Degraded where some clones are not up.
    pub exit: Exit,
}

/// What is to be done, and what for.
#[derive(Debug)]
pub struct Prepared {
    /// What is there.
    pub scene: Scene,
    /// What is to be done.
    pub plan: Plan,
    /// Agents that run but were never seen up: they are awaited.
    pub adopted: Vec<Wish>,
    /// The profiles of the plan and of the adopted.
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
    let (plan, adopted) = means.with_sources(&scene, order.flag.as_deref(), |sources| {
        let plan = plan::up(&order.extent, &scene.present, sources);
        let adopted: Vec<Wish> = plan
            .keep
            .iter()
            .filter(|there| is_late(&scene, there))
            .map(|there| sources.wish(there.name))
            .collect();
        (plan, adopted)
    });
    let adopted: Vec<Wish> = adopted.into_iter().map(|wish| as_spawned(wish, &scene)).collect();
    let all: Vec<Wish> = plan.spawn.iter().chain(&adopted).cloned().collect();
    let profiles = preflight::profiles(&all, means.config, means.netsky)?;
    let warning = means.check(&plan, &profiles, &scene, order.force)?;
    Ok(Prepared { scene, plan, adopted, profiles, warning })
}

/// It runs, and nobody has seen it up yet.
fn is_late(scene: &Scene, there: &Present) -> bool {
    there.alive && scene.spawned.agents.get(&there.name).is_some_and(|spawn| spawn.ready.is_none())
}

/// An adopted agent is judged by the profile it was spawned with, whatever was asked for since.
fn as_spawned(wish: Wish, scene: &Scene) -> Wish {
    match scene.spawned.agents.get(&wish.name) {
        Some(spawn) => Wish { profile: spawn.profile.clone(), workdir: spawn.workdir.clone(), ..wish },
        None => wish,
    }
}

/// Carries it out, under the lock that is `held`. Must run in a tokio runtime.
///
/// # Errors
/// What failed before anybody could be awaited.
pub async fn carry_out(
    means: &Means<'_>,
    order: &Order,
    mut prepared: Prepared,
    held: &Lock,
    tell: Tell<'_>,
) -> Result<Raised, Trouble> {
    let names = order.extent.agents();
    if means.actor.is_owner() {
        let scope = match order.extent {
            Extent::Whole { .. } => Scope::All,
            Extent::Named(_) => Scope::Agents(&names),
        };
        OwnerEpochs::raise(means.home, scope, clock::utc_now())?;
        means.surroundings.store(means.home)?;
    }
    means.tidy();
    let recovered = recovery::recover(means.home, held, clock::utc_now())?;
    means.go_on()?;
    desire(means, &prepared)?;
    clear_away(means, &prepared)?;
    let generation = prepared.scene.spawned.next_generation(claim::newest_generation(means.home)?);
    let spawned: Vec<AgentName> = prepared.plan.spawn.iter().map(|wish| wish.name).collect();
    let mut handed = Handed::default();
    handed.hear(recovered, tell);
    handed.hand_on(means, &prepared.scene.spawned, &spawned, generation, tell)?;
    means.go_on()?;

    note_panes(means, &mut prepared.scene)?;
    note_terms(means, &prepared)?;
    let left_alone = prepared.plan.keep.iter().map(|there| there.name).collect();
    let mut raising = Raising {
        records: known(&prepared),
        needs_root_alone: matches!(order.extent, Extent::Whole { .. }),
        missing: Vec::new(),
        trouble: None,
        handed,
    };
    if !spawned.is_empty() || (order.waits && !prepared.adopted.is_empty()) {
        raising.raise(means, order, &mut prepared, generation, tell).await?;
    }
    handover::prune(means.home, means.config.handoff.keep);
    let exit = raising.exit(order.waits);
    let Handed { heirs, waiting, .. } = raising.handed;
    Ok(Raised {
        generation: (!spawned.is_empty()).then_some(generation),
        spawned,
        left_alone,
        heirs: heirs.into_iter().collect(),
        waiting,
        agents: raising.records.into_values().collect(),
        trouble: raising.trouble,
        exit,
    })
}

/// What became of texts for those who are spawned, and of what earlier commands had claimed.
#[derive(Default)]
struct Handed {
    heirs: BTreeSet<AgentName>,
    waiting: Vec<EnvelopeId>,
    /// What was said of texts that stay where they are.
    notes: Notes,
}

impl Handed {
    fn hear(&mut self, recovered: Recovered, tell: Tell<'_>) {
        self.waiting = recovered.waiting;
        self.notes.tell(recovered.stuck, tell);
    }

    /// Hands on what these agents, as they were `spawned` before, have written for their successors, who are about to be
    /// spawned.
    fn hand_on(
        &mut self,
        means: &Means<'_>,
        spawned: &Spawned,
        agents: &[AgentName],
        generation: Generation,
        tell: Tell<'_>,
    ) -> Result<(), Trouble> {
        let terms = Terms { generation, limit: means.config.handoff.max_bytes, now: clock::utc_now() };
        let Drafts { claims, left } =
            handover::claim_drafts(means.home, spawned, agents.iter().copied(), terms);
        self.notes.tell(left, tell);
        if !claims.is_empty() || agents.contains(&AgentName::ROOT) {
            // The agent0 on whose account something was held back may have ended only now.
            self.hear(recovery::deliver_all_but(means.home, None, terms.now)?, tell);
        }
        let is_delivered =
            |claim: &&Claim| claim::find(means.home, claim.id()).is_ok_and(|left| left.is_none());
        self.heirs.extend(claims.iter().filter(is_delivered).map(Claim::to));
        Ok(())
    }
}

/// Who spawned an agent may have been killed before it could write its pane down.
fn note_panes(means: &Means<'_>, scene: &mut Scene) -> Result<(), Trouble> {
    let Some(server) = scene.server() else { return Ok(()) };
    let mut is_new = false;
    for there in scene.present.iter().filter(|there| there.ours && there.current) {
        let Some(spawn) = scene.spawned.agents.get_mut(&there.name) else { continue };
        if spawn.pane.is_none() {
            let process = ProcessId::of(there.pid);
            let (session, pane) = (there.session.to_string(), there.pane.to_string());
            spawn.pane = Some(SpawnedPane { session, pane, server, process });
            is_new = true;
        }
    }
    if is_new {
        scene.spawned.store(means.home)?;
    }
    Ok(())
}

/// No hook of an agent is heard without the terms it was spawned with: what of them was lost is written anew.
fn note_terms(means: &Means<'_>, prepared: &Prepared) -> Result<(), Trouble> {
    for there in &prepared.plan.keep {
        let Some(spawn) = prepared.scene.spawned.agents.get(&there.name) else { continue };
        let known = HookTerms::load(means.home, there.name);
        if known.is_some_and(|terms| terms.generation() == spawn.generation) {
            continue;
        }
        // A profile that is configured no more proves nothing either.
        if let Ok(profile) = Profile::resolve(&spawn.profile, &means.config.profiles, means.netsky) {
            HookTerms::of(&profile, spawn.from_flag, spawn.generation).write(means.home, there.name)?;
        }
    }
    Ok(())
}

fn desire(means: &Means<'_>, prepared: &Prepared) -> Result<(), Trouble> {
    let kept = prepared.plan.keep.iter().map(|there| there.name);
    let running: Vec<(AgentName, DesiredAgent)> = kept
        .filter_map(|name| Some((name, prepared.scene.spawned.agents.get(&name)?.as_desired())))
        .collect();
    means.desire("up", &prepared.scene, |agents| {
        for (name, agent) in running {
            agents.entry(name).or_insert(agent);
        }
        for wish in &prepared.plan.spawn {
            agents.insert(wish.name, wish.as_desired());
        }
    })?;
    Ok(())
}

/// Dead sessions, and what agents that are about to be spawned may have left behind.
fn clear_away(means: &Means<'_>, prepared: &Prepared) -> Result<(), Trouble> {
    let spawning = prepared.plan.spawn.iter().map(|wish| wish.name);
    let agents: BTreeSet<AgentName> =
        prepared.plan.tear_down.iter().map(|there| there.name).chain(spawning).collect();
    if agents.is_empty() {
        return Ok(());
    }
    means.tear_down(&prepared.plan, agents, &prepared.scene, None)
}

fn known(prepared: &Prepared) -> BTreeMap<AgentName, AgentRecord> {
    let kept = prepared.plan.keep.iter().filter_map(|there| {
        let spawn = prepared.scene.spawned.agents.get(&there.name)?;
        let state = if spawn.ready.is_some() { AgentState::Up } else { AgentState::Starting };
        let ready_by = spawn.ready.as_ref().map(|ready| ready.by);
        Some(AgentRecord { state, ready_by, ..AgentRecord::starting(there.name, spawn.profile.clone()) })
    });
    let new = prepared.plan.spawn.iter().map(|wish| AgentRecord::starting(wish.name, wish.profile.clone()));
    kept.chain(new).map(|record| (record.name, record)).collect()
}

struct Raising {
    records: BTreeMap<AgentName, AgentRecord>,
    /// Of those who were named, each is needed.
    needs_root_alone: bool,
    missing: Vec<AgentName>,
    trouble: Option<Trouble>,
    handed: Handed,
}

impl Raising {
    async fn raise(
        &mut self,
        means: &Means<'_>,
        order: &Order,
        prepared: &mut Prepared,
        generation: Generation,
        tell: Tell<'_>,
    ) -> Result<(), Trouble> {
        let scene = &mut prepared.scene;
        let clones = match &order.extent {
            Extent::Whole { clones, .. } => *clones,
            Extent::Named(_) => scene.desired.clones().unwrap_or_default(),
        };
        let server = means.server(scene)?;
        let spawner = means.spawner(server, &prepared.profiles, generation, clones);
        let mut rising = Rising::new(means.home, means.tmux, means.interrupts)?;
        let limit = if order.waits { means.config.restart.start_parallel } else { 0 };
        let mut queue = Queue::new(std::mem::take(&mut prepared.plan.spawn), limit);
        let ended = scene.spawned.clone();
        spawner.prepare(queue.all(), &mut scene.spawned)?;
        // Who wrote until now went by what was on record before.
        let spawning: Vec<AgentName> = queue.all().iter().map(|wish| wish.name).collect();
        self.handed.hand_on(means, &ended, &spawning, generation, tell)?;
        queue.start_more(&spawner, means, scene, &mut rising)?;
        if !order.waits {
            return Ok(());
        }
        let spoken = spawner.spoken_name();
        let late: Vec<_> = prepared
            .adopted
            .iter()
            .filter_map(|wish| {
                let spawn = scene.spawned.agents.get(&wish.name)?;
                means.awaited(wish, spawn, prepared.profiles.get(&wish.profile)?, &spoken, clones)
            })
            .collect();
        rising.await_also(late);
        loop {
            match rising.next().await? {
                Event::Over if queue.is_empty() => break,
                Event::Over => {}
                Event::Signal(signal) => {
                    scene.spawned.store(means.home)?;
                    return Err(Trouble::signalled(signal));
                }
                Event::Moved(name, word) => {
                    tell(Progress::Agent { name, word: word.to_owned(), is_final: false })
                }
                Event::Settled(settled) => {
                    let word = outcome_word(&settled.outcome);
                    tell(Progress::Agent { name: settled.name, word, is_final: true });
                    note_ready(&mut scene.spawned, &settled);
                    self.note(&settled);
                }
            }
            queue.start_more(&spawner, means, scene, &mut rising)?;
        }
        scene.spawned.store(means.home)?;
        let fallen: Vec<_> =
            self.records.values().filter_map(|agent| means::fallen(agent, &scene.spawned)).collect();
        for (agent, trouble) in fallen {
            self.miss(agent.name, trouble);
            self.records.insert(agent.name, agent);
        }
        Ok(())
    }

    fn note(&mut self, settled: &Settled) {
        let profile =
            self.records.get(&settled.name).map(|record| record.profile.clone()).unwrap_or_default();
        self.records.insert(settled.name, agent_record(&profile, settled));
        if let Some(trouble) = trouble::of_settled(settled) {
            self.miss(settled.name, trouble);
        }
    }

    fn miss(&mut self, name: AgentName, trouble: Trouble) {
        self.missing.push(name);
        // What is wrong with the root is what the reader needs first.
        if name.is_root() || self.trouble.is_none() {
            self.trouble = Some(trouble);
        }
    }

    fn exit(&self, waits: bool) -> Exit {
        match &self.trouble {
            None => Exit::Done,
            Some(_) if !waits => Exit::Done,
            Some(_) if self.needs_root_alone && !self.missing.contains(&AgentName::ROOT) => Exit::Degraded,
            Some(trouble) => trouble.exit,
        }
    }
}
