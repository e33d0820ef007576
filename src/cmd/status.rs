//! `netsky status`.

use std::time::Duration;

use crate::clock::{self, Deadline};
use crate::config::{Config, Flags};
use crate::constellation::observe::{self, Observed};
use crate::constellation::recovery;
use crate::constellation::scene::{self, Scene, SceneError};
use crate::constellation::trouble::chain;
use crate::exit::Exit;
use crate::handoff::claim;
use crate::handoff::inbox::{Inbox, Place};
use crate::name::AgentName;
use crate::paths::Home;
use crate::process;
use crate::state::spawned::Spawned;
use crate::status::{
    AgentRecord, AgentState, AgentStatus, Blocking, Desired, DesiredAgent, HandoffState, Record,
    StatusDocument, Store, TmuxAnswer, TmuxStatus,
};
use crate::status::{Palette, Screen, render};
use crate::tmux::{Socket, Tmux};

use super::setting::Settings;
use super::stage::open_tmux;
use super::{Caller, CommandError, output};

/// Show the constellation and its last restart
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Draw again whenever something changes
    #[arg(long, short, conflicts_with = "json")]
    watch: bool,
}

/// How often `--watch` looks; it draws only what is new.
const LOOK_EVERY: Duration = Duration::from_secs(1);

pub(super) fn run(args: &Args, caller: &Caller) -> Result<Exit, CommandError> {
    let home = caller.existing_home()?;
    let settings = Settings::load(caller, home, Flags::default())?;
    let tmux = open_tmux(caller, &settings)?;
    if args.watch {
        return watch(caller, &settings, &tmux);
    }
    let seen = see(caller, &settings, &tmux)?;
    seen.say_silence();
    let seen = seen.document;
    if args.json {
        output::json(&seen)?;
    } else {
        output::text(&drawn(caller, &settings, &seen))?;
    }
    Ok(exit_of(&seen))
}

/// The truth about a broken constellation is a success; no answer is none.
pub(super) fn exit_of(seen: &StatusDocument) -> Exit {
    match seen.tmux.answer {
        TmuxAnswer::Unknown => Exit::Unavailable,
        TmuxAnswer::Ok | TmuxAnswer::NoServer => Exit::Done,
    }
}

fn watch(caller: &Caller, settings: &Settings, tmux: &Tmux) -> Result<Exit, CommandError> {
    let interrupts = process::Interrupts::watch()
        .map_err(|error| CommandError::failed("getting ready to be interrupted").because(error))?;
    let mut shown = String::new();
    loop {
        // A server that was late once may have recovered.
        let seen = see(caller, settings, &tmux.afresh())?.document;
        let frame = drawn(caller, settings, &seen);
        if frame != shown {
            let clear = if caller.stdout_is_terminal { "\u{1b}[H\u{1b}[2J" } else { "" };
            output::text(&format!("{clear}{frame}"))?;
            shown = frame;
        }
        let asked =
            process::poll(Duration::from_millis(50), Deadline::after(LOOK_EVERY), || interrupts.pending());
        if let Some(signal) = asked {
            return Ok(Exit::Signal(signal));
        }
    }
}

pub(super) fn drawn(caller: &Caller, settings: &Settings, seen: &StatusDocument) -> String {
    let palette = if caller.colour() { Palette::Color } else { Palette::Plain };
    let permissions = match &settings.loaded.permissions_chosen {
        Some(chosen) => format!("{} ({chosen})", settings.loaded.config.constellation.permissions.as_str()),
        None => settings.loaded.config.constellation.permissions.as_str().to_owned(),
    };
    render::status(seen, &permissions, clock::utc_now(), Screen { width: caller.width(), palette })
}

/// What was seen.
pub(super) struct Seen {
    pub(super) document: StatusDocument,
    /// Why tmux said nothing, where it did not.
    silence: Option<String>,
}

impl Seen {
    /// The document says that nothing is known; this says why.
    pub(super) fn say_silence(&self) {
        if let Some(why) = &self.silence {
            output::talk(&format!("netsky: {why}"));
        }
    }
}

/// Everything there is to say; what tmux does not say is unknown.
///
/// # Errors
/// What netsky remembers cannot be read, or the server is another home's.
pub(super) fn see(caller: &Caller, settings: &Settings, tmux: &Tmux) -> Result<Seen, CommandError> {
    let home = &settings.home;
    let config = &settings.loaded.config;
    let mut silence = None;
    let (scene, answer) = match scene::look_closely(home, tmux) {
        Ok(scene) if scene.snapshot.is_some() => (scene, TmuxAnswer::Ok),
        Ok(scene) => (scene, TmuxAnswer::NoServer),
        Err(error @ SceneError::Tmux { .. }) if is_silence(&error) => {
            silence = Some(chain(&error));
            (remembered(home)?, TmuxAnswer::Unknown)
        }
        Err(error) => return Err(crate::constellation::trouble::Trouble::from(error).into()),
    };
    let answered = answer != TmuxAnswer::Unknown;
    let (observed, answer) = match observe::agents(home, config, tmux, &caller.netsky, &scene, answered) {
        Ok(observed) => (observed, answer),
        Err(error) => {
            silence = Some(chain(&error));
            (unknown_agents(home, config, tmux, caller, &scene)?, TmuxAnswer::Unknown)
        }
    };
    let records = Store::of(home, config.restart.status_keep);
    let last =
        records.latest().map_err(|error| CommandError::failed("reading the last restart").because(error))?;
    let blocking = blocking(home, &scene.spawned, &observed, last.as_ref(), answer);
    let document = StatusDocument {
        version: 1,
        home: home.root().display().to_string(),
        tmux: TmuxStatus { socket: socket_words(tmux), server_pid: scene.server(), answer },
        desired: desired(&scene),
        agents: observed.into_iter().map(|agent| agent_status(&scene, last.as_ref(), agent)).collect(),
        last_restart: last.map(|record| with_handoff_now(home, record)),
        blocking,
    };
    Ok(Seen { document, silence })
}

/// tmux is there, and no more is known.
fn is_silence(error: &SceneError) -> bool {
    matches!(error, SceneError::Tmux { source } if Exit::from(source) == Exit::Unavailable)
}

fn remembered(home: &Home) -> Result<Scene, CommandError> {
    scene::remembered(home).map_err(|error| CommandError::failed("reading what was spawned").because(error))
}

fn unknown_agents(
    home: &Home,
    config: &Config,
    tmux: &Tmux,
    caller: &Caller,
    scene: &Scene,
) -> Result<Vec<Observed>, CommandError> {
    observe::agents(home, config, tmux, &caller.netsky, scene, false)
        .map_err(|error| CommandError::new(Exit::Unavailable, "looking at the agents").because(error))
}

fn socket_words(tmux: &Tmux) -> String {
    match tmux.socket() {
        Socket::Path(path) => path.display().to_string(),
        Socket::Name(name) => name.clone(),
        Socket::Default => "default".to_owned(),
    }
}

fn desired(scene: &Scene) -> Option<Desired> {
    let desired = &scene.desired;
    let agents = desired
        .agents
        .iter()
        .map(|(name, agent)| DesiredAgent { name: *name, profile: agent.profile.clone() });
    Some(Desired {
        clones: desired.clones().unwrap_or_default(),
        agents: agents.collect(),
        since: desired.since?,
        verb: desired.verb.clone()?,
        actor: desired.actor?,
    })
}

fn agent_status(scene: &Scene, last: Option<&Record>, agent: Observed) -> AgentStatus {
    let spawn = scene.spawned.agents.get(&agent.name);
    let in_last = last
        .filter(|record| spawn.is_some_and(|spawn| spawn.generation == record.generation))
        .and_then(|record| record.agents().iter().find(|known| known.name == agent.name));
    AgentStatus {
        record: AgentRecord {
            name: agent.name,
            profile: agent.profile,
            state: agent.state,
            ready_by: spawn.and_then(|spawn| spawn.ready.as_ref()).map(|ready| ready.by),
            ready_ms: in_last.and_then(|known| known.ready_ms),
            dialogs: in_last.map(|known| known.dialogs.clone()).unwrap_or_default(),
            error: agent.error,
        },
        pid: agent.pid,
        since: agent.since,
        generation: spawn.map(|spawn| spawn.generation),
        proof: agent.proof,
        session_number: spawn.map(|spawn| spawn.session_number),
        cli_session: agent.cli_session,
        workdir: spawn.map(|spawn| spawn.workdir.display().to_string()),
        limited_until: None,
        last: agent.last,
    }
}

/// A record is frozen when its restart ends; how far its hand-over is shows where the envelope lies.
fn with_handoff_now(home: &Home, record: Record) -> Record {
    let Some(handoff) = record.handoff().cloned() else { return record };
    let inbox = Inbox::of(home, AgentName::ROOT);
    let state = match inbox.place_of(handoff.id) {
        Ok(Some(Place::Delivered)) => HandoffState::Delivered,
        Ok(Some(Place::Shown)) => HandoffState::Shown,
        Ok(Some(Place::Taken)) => HandoffState::Taken,
        Ok(None) | Err(_) => handoff.state,
    };
    record.with_handoff_at(state)
}

fn blocking(
    home: &Home,
    spawned: &Spawned,
    observed: &[Observed],
    last: Option<&Record>,
    answer: TmuxAnswer,
) -> Vec<Blocking> {
    let mut blocking = Vec::new();
    if answer == TmuxAnswer::Unknown {
        blocking.push(Blocking {
            agent: None,
            what: "tmux did not answer: nothing is known of the agents".to_owned(),
            hint: Some("ps -o stat,pid,args -C 'tmux: server'".to_owned()),
        });
    }
    for agent in observed {
        if matches!(agent.state, AgentState::Blocked | AgentState::Limited) {
            blocking.push(Blocking {
                agent: Some(agent.name),
                what: agent.error.clone().unwrap_or_else(|| agent.state.to_string()),
                hint: Some(format!("netsky attach {}", agent.name)),
            });
        }
        if matches!(agent.state, AgentState::Missing | AgentState::Exited) && answer != TmuxAnswer::Unknown {
            blocking.push(Blocking {
                agent: Some(agent.name),
                what: agent.error.clone().unwrap_or_else(|| agent.state.to_string()),
                // One whose pane still runs something is left alone by `up`.
                hint: Some(
                    agent
                        .pid
                        .map_or_else(|| "netsky up".to_owned(), |_| format!("netsky restart {}", agent.name)),
                ),
            });
        }
    }
    if last.is_some_and(|record| record.phase() == crate::status::Phase::Interrupted) {
        blocking.push(Blocking {
            agent: None,
            what: "the last restart was interrupted".to_owned(),
            hint: Some("netsky up".to_owned()),
        });
    }
    let in_flight = last.is_some_and(|record| !record.phase().is_terminal());
    if !in_flight {
        blocking.extend(claimed(home, spawned));
    }
    blocking
}

/// Hand-overs that were claimed and not delivered, and what delivers them.
fn claimed(home: &Home, spawned: &Spawned) -> Vec<Blocking> {
    let claims = match claim::pending(home) {
        Ok(claims) => claims.claims,
        Err(error) => {
            let what = format!("whether hand-overs wait cannot be seen: {}", chain(&error));
            return vec![Blocking { agent: None, what, hint: None }];
        }
    };
    let (for_the_next, due): (Vec<_>, Vec<_>) =
        claims.iter().partition(|claim| recovery::is_for_the_next(claim, spawned));
    let waits = |claims: Vec<_>, what: &str, hint: &str| {
        (!claims.is_empty()).then(|| Blocking {
            agent: None,
            what: format!("{} claimed hand-overs wait for {what}", claims.len()),
            hint: Some(hint.to_owned()),
        })
    };
    let due = waits(due, "a command that delivers them", "netsky up");
    due.into_iter().chain(waits(for_the_next, "the next agent0", "netsky restart")).collect()
}
