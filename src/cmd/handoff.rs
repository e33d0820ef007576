//! `netsky handoff`: what was handed over, and the verbs that hand over without a restart.

mod deliver;

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::clock;
use crate::config::{self, Flags};
use crate::constellation::recovery;
use crate::events::Event;
use crate::handoff::source::Source;
use crate::handoff::{EnvelopeName, HandoffError, archive, draft, retention};
use crate::id::{EnvelopeId, Generation, RestartId};
use crate::lock::{self, Asked};
use crate::name::AgentName;
use crate::paths::Home;
use crate::state::spawned::Spawned;
use crate::status::HandoffState;
use crate::text;

use super::envelopes::{self, Row, Whereabouts, failed, failed_on_file};
use super::setting::{self, BRIEF_VERB, Settings};
use super::{Caller, CommandError, Exit, output};

/// Hand texts over to agent0, and see what was handed over
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// List what is in the archive and what is claimed and not yet delivered, oldest first
    List {
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
    /// Print one text as it was given
    Show {
        /// Its id, or as much of the beginning as no other has
        id: String,
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
    Deliver(deliver::Args),
    /// Replace the calling agent's draft: what its successor is handed if nothing else is
    Write {
        /// The file, which stays; - is standard input
        file: PathBuf,
        /// Whose draft, outside of an agent's session
        #[arg(long, value_name = "NAME")]
        agent: Option<AgentName>,
        /// Say what would be done and write nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// Remove the oldest texts beyond those that are kept, and print what went
    Prune {
        /// Print what would go and remove nothing
        #[arg(long)]
        dry_run: bool,
    },
}

pub(super) fn run(args: &Args, caller: &Caller) -> Result<Exit, CommandError> {
    let home = caller.existing_home()?;
    match &args.what {
        What::List { json } => list(&home, *json, caller),
        What::Show { id, json } => show(&home, id, *json, caller),
        What::Deliver(args) => deliver::run(args, home, caller),
        What::Write { file, agent, dry_run } => write(&home, file, *agent, *dry_run, caller),
        What::Prune { dry_run } => prune(home, *dry_run, caller),
    }
}

/// What `handoff list --json` prints.
#[derive(Debug, Serialize)]
struct ListDocument {
    version: u64,
    handoffs: Vec<Row>,
}

fn list(home: &Home, json: bool, caller: &Caller) -> Result<Exit, CommandError> {
    let mut unreadable = Vec::new();
    let handoffs = rows(home, &mut unreadable).map_err(failed("listing the hand-overs"))?;
    if json {
        output::json(&ListDocument { version: 1, handoffs })?;
    } else if handoffs.is_empty() {
        output::talk("netsky: nothing was handed over yet");
    } else {
        output::text(&envelopes::lines(&handoffs, caller))?;
    }
    envelopes::all_of_them("listing the hand-overs", unreadable)
}

/// Everything that is claimed or archived, oldest first. What is no text is said and left out.
fn rows(home: &Home, unreadable: &mut Vec<HandoffError>) -> crate::handoff::Result<Vec<Row>> {
    let seen = Whereabouts::look(home)?;
    let archived = archive::list(home)?;
    let mut rows = Vec::with_capacity(archived.names.len());
    for claim in seen.claims().filter(|claim| !archived.names.contains(&claim.name())) {
        match envelopes::of_claim(home, claim) {
            Ok(envelope) => rows.extend(envelope.map(|envelope| Row::of(&envelope, HandoffState::Claimed))),
            Err(error) if error.is_odd() => say_unreadable(&error),
            Err(error) => unreadable.push(error),
        }
    }
    for name in archived.names {
        let state = seen.state_of(name.id, HandoffState::Delivered);
        match archive::load(home, name) {
            Ok(envelope) => rows.extend(envelope.map(|envelope| Row::of(&envelope, state))),
            Err(error) if error.is_odd() => say_unreadable(&error),
            Err(error) => unreadable.push(error),
        }
    }
    for (skipped, what) in [
        (archived.skipped, "of the archive passed over: no envelopes"),
        (seen.skipped, "of the claims and inboxes passed over: neither claims nor envelopes"),
    ] {
        output::passed_over(skipped, what);
    }
    rows.sort_by_key(|row| row.id);
    Ok(rows)
}

fn say_unreadable(error: &HandoffError) {
    output::talk(&format!("netsky: left out: {}", setting::words(error)));
}

fn show(home: &Home, query: &str, json: bool, caller: &Caller) -> Result<Exit, CommandError> {
    let doing = || format!("showing the hand-over {query}");
    let seen = Whereabouts::look(home).map_err(failed(doing()))?;
    let names = archive::list(home).map_err(failed(doing()))?.names;
    let mut ids: Vec<EnvelopeId> = names.iter().map(|name| name.id).collect();
    ids.extend(seen.claims().map(|claim| claim.id()).filter(|id| !names.iter().any(|name| name.id == *id)));
    let id = envelopes::resolve(query, &ids, "the hand-overs")
        .map_err(|error| error.hint("netsky handoff list"))?;
    let claim = seen.claims().find(|claim| claim.id() == id);
    let envelope = match (names.into_iter().find(|name| name.id == id), claim) {
        (Some(name), _) => archive::load(home, name),
        (None, Some(claim)) => envelopes::of_claim(home, claim),
        (None, None) => Ok(None),
    };
    let gone = || CommandError::failed(doing()).because("it was pruned meanwhile");
    let envelope = envelope.map_err(failed(doing()))?.ok_or_else(gone)?;
    envelopes::show(&envelope, seen.state_of(id, HandoffState::Delivered), json, caller)?;
    Ok(Exit::Done)
}

fn write(
    home: &Home,
    file: &Path,
    named: Option<AgentName>,
    dry_run: bool,
    caller: &Caller,
) -> Result<Exit, CommandError> {
    let agent = writer(home, named, caller)?;
    let doing = || format!("writing the draft of {agent}");
    let limit = limit(home, caller);
    let command = format!("netsky handoff write --agent {agent}");
    let Source::Bytes(bytes) = read(file, limit).map_err(failed_on_file(doing(), command))? else {
        return Err(CommandError::failed(doing()).because("there is no text"));
    };
    // The text may have been long in coming, and somebody else be that agent by now.
    writer(home, named, caller)?;
    let size = text::size(bytes.len() as u64);
    if dry_run {
        output::text(&format!("would replace {} with {size}", home.draft(agent).display()))?;
        return Ok(Exit::Done);
    }
    // For the owner it counts as written in the generation that runs, or the next restart would not use it.
    let of_caller = caller.agent(home).and_then(|_| own_generation(caller));
    let generation = || Ok(Spawned::load(home)?.generation(agent).max(of_caller));
    draft::write(home, agent, &bytes, generation, limit, clock::utc_now()).map_err(failed(doing()))?;
    output::talk(&format!("netsky: the draft of {agent} is kept ({size})"));
    recover_if_free(home);
    Ok(Exit::Done)
}

/// Whose draft is written. An agent writes its own, as long as nobody has taken its place.
fn writer(home: &Home, named: Option<AgentName>, caller: &Caller) -> Result<AgentName, CommandError> {
    match (caller.agent(home), named) {
        (Some(own), Some(named)) if own != named => {
            Err(CommandError::usage(format!("writing the draft of {named}"))
                .because(format!("you are {own}")))
        }
        (Some(own), _) => {
            let spawned = Spawned::load(home);
            let spawned =
                spawned.map_err(|error| CommandError::failed("reading what was spawned").because(error))?;
            if spawned.generation(own) > own_generation(caller) {
                return Err(CommandError::failed(format!("writing the draft of {own}"))
                    .because("another has taken your place, and the draft is its own now")
                    .hint(format!("netsky send {own} --file FILE")));
            }
            Ok(own)
        }
        (None, Some(named)) => Ok(named),
        (None, None) => Err(CommandError::usage("writing a draft")
            .because("this is no agent's session, so say whose draft it is")
            .hint("netsky handoff write --agent agent0 FILE")),
    }
}

/// The generation of the agent in whose session this runs.
pub(super) fn own_generation(caller: &Caller) -> Option<Generation> {
    caller.variable("NETSKY_GENERATION").and_then(|text| text.parse().ok())
}

/// How long a text may be. A configuration with an error is no reason to lose what an agent hands over.
fn limit(home: &Home, caller: &Caller) -> u64 {
    let settings = Settings::load(caller, home.clone(), Flags::default());
    settings
        .map_or_else(|_| config::Handoff::default().max_bytes, |settings| settings.config().handoff.max_bytes)
}

/// A text that stays where it is; `-` is standard input.
pub(super) fn read(file: &Path, limit: u64) -> crate::handoff::Result<Source> {
    if file == Path::new("-") { Source::standard_input(limit) } else { Source::copy_of(file, limit) }
}

/// Recovery where nobody else is at work. It is not this command's own work: what fails is in the event log.
fn recover_if_free(home: &Home) {
    let Ok(Asked::Held(mut lock)) = lock::ask(&home.restart_lock()) else { return };
    if setting::name_holder(&mut lock, BRIEF_VERB, RestartId::fresh()).is_ok() {
        // The draft is written all the same; what is stuck is tried again by the next verb that writes.
        if let Err(error) = recovery::recover(home, &lock, clock::utc_now()) {
            Event::new("handoff-stuck").with("why", error).log(home);
        }
    }
}

fn prune(home: Home, dry_run: bool, caller: &Caller) -> Result<Exit, CommandError> {
    let settings = Settings::load(caller, home, Flags::default())?;
    let keep = settings.config().handoff.keep;
    if dry_run {
        let plan = retention::plan(&settings.home, keep).map_err(failed("planning"))?;
        return output::text(&pruned_lines(&plan)).map(|()| Exit::Done);
    }
    let lock = setting::take_lock(&settings.home, BRIEF_VERB, RestartId::fresh(), None)?;
    let recovered = recovery::recover(&settings.home, &lock, clock::utc_now());
    setting::say_stuck(&recovered.map_err(failed("delivering what was left"))?.stuck);
    let pruned = retention::prune(&settings.home, keep).map_err(failed("pruning the hand-overs"))?;
    output::text(&pruned_lines(&pruned))?;
    output::talk(&format!("netsky: kept the newest {keep} of the archive and of each inbox"));
    Ok(Exit::Done)
}

/// One line an envelope: where it was, and its name.
fn pruned_lines(pruned: &retention::Pruned) -> String {
    let archive = pruned.archive.iter().map(|name: &EnvelopeName| format!("archive  {name}\n"));
    let taken = pruned.taken.iter().map(|(agent, name)| format!("{agent}  {name}\n"));
    archive.chain(taken).collect()
}

#[cfg(test)]
mod tests {
    use super::super::scene::{Scene, assert_valid};
    use super::*;
    use crate::handoff::claim::{Address, claim};
    use crate::name::Actor;

    pub(super) fn give(scene: &Scene, text: &[u8]) {
        let address = Address { from: Actor::Owner, to: AgentName::ROOT, generation: None };
        claim(&scene.home, &Source::Bytes(text.to_owned()), address, 1 << 20, clock::utc_now()).unwrap();
    }

    #[test]
    fn claims_and_archive_are_one_list_oldest_first() {
        let scene = Scene::new();
        give(&scene, b"first");
        recovery::deliver_all_but(&scene.home, None, clock::utc_now()).unwrap();
        give(&scene, b"second\nline");
        let rows = rows(&scene.home, &mut Vec::new()).unwrap();
        let seen: Vec<_> = rows.iter().map(|row| (row.head.as_str(), row.state)).collect();
        assert_eq!(seen, [("first", HandoffState::Delivered), ("second", HandoffState::Claimed)]);
        assert_valid("handoff", &ListDocument { version: 1, handoffs: rows });
    }

    #[test]
    fn an_agent_writes_its_own_draft_and_the_owner_says_whose() {
        let mut scene = Scene::new();
        let spawned = scene.spawned(&[AgentName::ROOT, AgentName::Numbered(1)]);
        assert_eq!(writer(&scene.home, None, &scene.caller).unwrap_err().exit, Exit::Usage);
        assert_eq!(writer(&scene.home, Some(AgentName::ROOT), &scene.caller).unwrap(), AgentName::ROOT);
        scene.sit_in(AgentName::ROOT, &spawned);
        assert_eq!(writer(&scene.home, None, &scene.caller).unwrap(), AgentName::ROOT);
        let other = writer(&scene.home, Some(AgentName::Numbered(1)), &scene.caller);
        assert_eq!(other.unwrap_err().exit, Exit::Usage);
    }

    #[test]
    fn a_draft_is_kept_though_the_configuration_is_broken_and_a_restart_is_in_flight() {
        let mut scene = Scene::new();
        let spawned = scene.spawned(&[AgentName::ROOT]);
        scene.sit_in(AgentName::ROOT, &spawned);
        scene.configure("[nonsense\n");
        let _held = setting::take_lock(&scene.home, "restart", RestartId::fresh(), None).unwrap();
        let file = scene.file("notes.md", b"go on\n");
        write(&scene.home, &file, None, true, &scene.caller).unwrap();
        assert!(!scene.home.draft(AgentName::ROOT).exists());
        write(&scene.home, &file, None, false, &scene.caller).unwrap();
        assert_eq!(scene.read("home/handoff/draft/agent0.md"), "go on\n");
        assert!(file.exists());
        let generation = spawned.generation(AgentName::ROOT);
        assert!(draft::source(&scene.home, AgentName::ROOT, generation, clock::utc_now()).unwrap().is_some());
    }

    #[test]
    fn pruning_delivers_what_was_left_and_keeps_the_newest() {
        let scene = Scene::new();
        scene.configure("[handoff]\nkeep = 1\n");
        give(&scene, b"one");
        give(&scene, b"two");
        prune(scene.home.clone(), true, &scene.caller).unwrap();
        assert!(archive::list(&scene.home).unwrap().names.is_empty());
        prune(scene.home.clone(), false, &scene.caller).unwrap();
        let rows = rows(&scene.home, &mut Vec::new()).unwrap();
        assert_eq!(rows.iter().map(|row| row.head.as_str()).collect::<Vec<_>>(), ["two"]);
    }
}
