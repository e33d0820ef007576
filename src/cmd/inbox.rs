//! `netsky inbox`: what waits for an agent, read by the agent itself.
//!
//! An agent's sandbox may leave nothing but the home: no tmux, no network, no other process. Nothing else is needed
//! here, and no configuration either.

use std::ffi::OsStr;

use serde::Serialize;

use crate::agent::beacon;
use crate::agent::hook::{HookTerms, spoken_name};
use crate::clock;
use crate::handoff::fence::{Nonce, fenced_part};
use crate::handoff::inbox::{Inbox, Next, Place, Reading, Waiting};
use crate::handoff::{HandoffError, Result as Handed};
use crate::id::{EnvelopeId, Generation};
use crate::name::AgentName;
use crate::paths::Home;

use super::envelopes::{self, Row, failed, state_at};
use super::handoff::own_generation;
use super::{Caller, CommandError, Exit, output};

/// Read the messages that wait for an agent, and mark them taken
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Whose inbox: else that of the agent in whose session this runs, else agent0's
    #[arg(long, value_name = "NAME", global = true)]
    agent: Option<AgentName>,
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// List what waits, oldest first
    List {
        /// What is taken, too
        #[arg(long)]
        all: bool,
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
    /// Print the oldest message that was not shown yet, a long one in numbered parts
    Next,
    /// Mark a message taken
    Done {
        /// Its id, or as much of the beginning as no other has
        id: String,
    },
    /// Print a message as it was sent
    Show {
        /// Its id, or as much of the beginning as no other has
        id: String,
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
}

pub(super) fn run(args: &Args, caller: &Caller) -> Result<Exit, CommandError> {
    let home = caller.existing_home()?;
    let own = caller.agent(&home);
    let inbox = Inbox::of(&home, args.agent.or(own).unwrap_or(AgentName::ROOT));
    match &args.what {
        What::List { all, json } => list(&inbox, *all, *json, caller),
        What::Next => next(&home, &inbox, caller),
        What::Done { id } => done(&inbox, id),
        What::Show { id, json } => show(&inbox, id, *json, caller),
    }
}

/// What `inbox list --json` prints.
#[derive(Debug, Serialize)]
struct ListDocument {
    version: u64,
    agent: AgentName,
    envelopes: Vec<Row>,
}

fn list(inbox: &Inbox, all: bool, json: bool, caller: &Caller) -> Result<Exit, CommandError> {
    let agent = inbox.agent();
    let doing = format!("listing the inbox of {agent}");
    let mut unreadable = Vec::new();
    let envelopes = rows(inbox, all, &mut unreadable).map_err(failed(&doing))?;
    if json {
        output::json(&ListDocument { version: 1, agent, envelopes })?;
    } else if envelopes.is_empty() {
        output::talk(&format!("netsky: the inbox of {agent} is empty"));
    } else {
        output::text(&envelopes::lines(&envelopes, caller))?;
    }
    envelopes::all_of_them(&doing, unreadable)
}

/// So many texts are in memory at once.
const READ_AT_ONCE: usize = 16;

fn rows(inbox: &Inbox, all: bool, unreadable: &mut Vec<HandoffError>) -> Handed<Vec<Row>> {
    let Waiting { mut names, mut skipped, .. } = inbox.not_taken()?;
    if all {
        let taken = inbox.list(Place::Taken)?;
        skipped += taken.skipped;
        names.extend(taken.names.into_iter().map(|name| (name, Place::Taken)));
        names.sort_unstable();
        // One that was taken in between was seen in both places.
        names.dedup_by_key(|(name, _)| *name);
    }
    let mut rows = Vec::with_capacity(names.len());
    for some in names.chunks(READ_AT_ONCE) {
        let batch = inbox.open(Waiting { names: some.to_vec(), ..Waiting::default() }, READ_AT_ONCE)?;
        unreadable.extend(batch.unreadable);
        skipped += batch.skipped;
        rows.extend(batch.pending.iter().map(|pending| {
            let place =
                some.iter().find(|(name, _)| *name == pending.envelope.name()).map(|(_, place)| *place);
            Row::of(&pending.envelope, state_at(place.unwrap_or(Place::Delivered)))
        }));
    }
    say_skipped(skipped);
    Ok(rows)
}

fn say_skipped(skipped: usize) {
    output::passed_over(skipped, "of the inbox passed over: no envelopes");
}

/// How long a part is for an agent of which nothing is known; bytes that every agent CLI passes on whole.
const DEFAULT_PART: usize = 8_000;

fn next(home: &Home, inbox: &Inbox, caller: &Caller) -> Result<Exit, CommandError> {
    let agent = inbox.agent();
    let doing = || format!("reading the inbox of {agent}");
    let reader = reader(home, agent, caller);
    let terms = HookTerms::load(home, agent);
    let part = terms.as_ref().map_or(DEFAULT_PART, HookTerms::part);
    let Next { reading, more, skipped, mut unreadable } =
        inbox.next(reader, part).map_err(failed(doing()))?;
    say_skipped(skipped);
    // It is not empty where there is something that cannot be read.
    if reading.is_none()
        && let Some(error) = unreadable.pop()
    {
        return Err(failed(doing())(error));
    }
    unreadable.iter().for_each(envelopes::say_unreadable);
    let Some(reading) = reading else {
        return output::text(&format!("The inbox of {agent} is empty.")).map(|()| Exit::Done);
    };
    let words = Words {
        netsky: spoken_name(
            &caller.netsky,
            caller.environment.get(OsStr::new("PATH")).map(|path| path.as_os_str()),
        ),
        agent: (caller.agent(home) != Some(agent)).then_some(agent),
        marks_itself: terms.is_some() && reports(home, agent, reader),
    };
    output::shown(&words.printed(&reading, more, &Nonce::fresh()))?;
    // After the printing: a crash in between prints it again and loses nothing.
    inbox.printed(&reading, reader, clock::utc_now()).map_err(failed(doing()))?;
    Ok(Exit::Done)
}

/// For whom a message counts as shown: the spawn that asks. `None`: somebody else looks, and the agent has seen nothing.
fn reader(home: &Home, agent: AgentName, caller: &Caller) -> Option<Generation> {
    own_generation(caller).filter(|_| caller.agent(home) == Some(agent))
}

/// Whether hooks of this generation report: then the end of its turn marks taken what it was shown.
fn reports(home: &Home, agent: AgentName, reader: Option<Generation>) -> bool {
    let beacon = beacon::load(home, agent).ok().flatten();
    beacon.is_some_and(|beacon| Some(beacon.generation) == reader)
}

/// How the next step is told.
#[derive(Debug)]
struct Words {
    /// How this netsky is called.
    netsky: String,
    /// Whose inbox, where that must be said.
    agent: Option<AgentName>,
    /// Whether what is shown is marked taken without a command.
    marks_itself: bool,
}

impl Words {
    fn command(&self, verb: &str) -> String {
        let agent = self.agent.map(|agent| format!(" --agent {agent}")).unwrap_or_default();
        format!("{} inbox {verb}{agent}", self.netsky)
    }

    /// A part with what to do after it.
    fn printed(&self, reading: &Reading, more: usize, nonce: &Nonce) -> String {
        let command = self.command("next");
        let mut text = fenced_part(&reading.pending, &reading.part, nonce, &command);
        if reading.part.number < reading.part.of {
            return text;
        }
        if !self.marks_itself {
            let done = self.command(&format!("done {}", reading.pending.envelope.id));
            text.push_str(&format!("When you have dealt with it, mark it taken: run `{done}`.\n"));
        }
        match more {
            0 => {}
            1 => text.push_str(&format!("One more message waits: run `{command}`.\n")),
            _ => text.push_str(&format!("{more} more messages wait: run `{command}`.\n")),
        }
        text
    }
}

fn done(inbox: &Inbox, query: &str) -> Result<Exit, CommandError> {
    let agent = inbox.agent();
    let doing = || format!("marking {query} taken");
    let (id, place) = find(inbox, query, doing)?;
    inbox.mark_taken(id).map_err(failed(doing()))?;
    let already = if place == Place::Taken { " already" } else { "" };
    output::talk(&format!("netsky: message {id} of {agent} is taken{already}"));
    Ok(Exit::Done)
}

fn show(inbox: &Inbox, query: &str, json: bool, caller: &Caller) -> Result<Exit, CommandError> {
    let doing = || format!("showing {query}");
    let (id, place) = find(inbox, query, doing)?;
    let envelope = inbox.read(id).map_err(failed(doing()))?;
    envelopes::show(&envelope, state_at(place), json, caller)?;
    Ok(Exit::Done)
}

/// The one envelope whose id begins so, wherever it is.
fn find(inbox: &Inbox, query: &str, doing: impl Fn() -> String) -> Result<(EnvelopeId, Place), CommandError> {
    let mut ids = std::collections::BTreeMap::new();
    for place in Place::ALL {
        let names = inbox.list(place).map_err(failed(doing()))?.names;
        ids.extend(names.into_iter().map(|name| (name.id, place)));
    }
    let agent = inbox.agent();
    let known: Vec<EnvelopeId> = ids.keys().copied().collect();
    let id = envelopes::resolve(query, &known, &format!("the inbox of {agent}"))
        .map_err(|error| error.hint(format!("netsky inbox list --all --agent {agent}")))?;
    Ok((id, ids.get(&id).copied().unwrap_or(Place::Delivered)))
}

#[cfg(test)]
mod tests {
    use super::super::scene::{Scene, assert_valid};
    use super::*;
    use crate::handoff::claim::{Address, Claimed, claim};
    use crate::handoff::deliver::deliver;
    use crate::handoff::parts;
    use crate::handoff::source::Source;
    use crate::name::Actor;

    fn send(scene: &Scene, text: &[u8]) -> EnvelopeId {
        let address = Address { from: Actor::Owner, to: AgentName::ROOT, generation: None };
        let source = Source::Bytes(text.to_owned());
        let Claimed::Claimed(claim) =
            claim(&scene.home, &source, address, 1 << 20, clock::utc_now()).unwrap()
        else {
            panic!("claimed");
        };
        deliver(&scene.home, &claim).unwrap().name.id
    }

    fn args(what: What) -> Args {
        Args { agent: None, what }
    }

    fn states(scene: &Scene) -> Vec<&'static str> {
        let inbox = Inbox::of(&scene.home, AgentName::ROOT);
        rows(&inbox, true, &mut Vec::new()).unwrap().iter().map(|row| row.state.as_str()).collect()
    }

    #[test]
    fn the_oldest_is_shown_first_and_taken_when_it_is_done() {
        let mut scene = Scene::new();
        let spawned = scene.spawned(&[AgentName::ROOT]);
        scene.sit_in(AgentName::ROOT, &spawned);
        let first = send(&scene, b"first");
        send(&scene, b"second");
        assert_eq!(states(&scene), ["delivered", "delivered"]);
        run(&args(What::Next), &scene.caller).unwrap();
        assert_eq!(states(&scene), ["shown", "delivered"]);
        run(&args(What::Next), &scene.caller).unwrap();
        run(&args(What::Next), &scene.caller).unwrap();
        assert_eq!(states(&scene), ["shown", "shown"]);
        for _ in 0..2 {
            run(&args(What::Done { id: first.to_string() }), &scene.caller).unwrap();
            assert_eq!(states(&scene), ["taken", "shown"]);
        }
        assert!(run(&args(What::Done { id: "ZZ".into() }), &scene.caller).is_err());
        // A new spawn is shown again what the last one did not take.
        let spawned = scene.spawned(&[AgentName::ROOT]);
        let inbox = Inbox::of(&scene.home, AgentName::ROOT);
        let next = inbox.next(spawned.generation(AgentName::ROOT), DEFAULT_PART).unwrap();
        assert!(next.reading.unwrap().pending.shown_before);
    }

    #[test]
    fn a_long_message_counts_as_shown_after_its_last_part() {
        let scene = Scene::new();
        send(&scene, "line of text\n".repeat(1500).as_bytes());
        for expected in ["delivered", "delivered", "shown"] {
            run(&args(What::Next), &scene.caller).unwrap();
            assert_eq!(states(&scene), [expected]);
        }
    }

    #[test]
    fn nothing_waiting_is_no_failure() {
        let scene = Scene::new();
        assert_eq!(run(&args(What::Next), &scene.caller).unwrap(), Exit::Done);
        assert_eq!(run(&args(What::List { all: true, json: true }), &scene.caller).unwrap(), Exit::Done);
    }

    #[test]
    fn the_reader_is_the_spawn_that_asks_and_nobody_else_stands_for_it() {
        let mut scene = Scene::new();
        let spawned = scene.spawned(&[AgentName::ROOT, AgentName::Numbered(1)]);
        let own = spawned.generation(AgentName::ROOT);
        assert_eq!(reader(&scene.home, AgentName::ROOT, &scene.caller), None);
        scene.sit_in(AgentName::ROOT, &spawned);
        scene.spawned(&[AgentName::ROOT, AgentName::Numbered(1)]);
        assert_eq!(reader(&scene.home, AgentName::ROOT, &scene.caller), own);
        assert_eq!(reader(&scene.home, AgentName::Numbered(1), &scene.caller), None);
    }

    #[test]
    fn what_somebody_else_looked_at_still_comes_to_the_agent() {
        let mut scene = Scene::new();
        let spawned = scene.spawned(&[AgentName::ROOT]);
        send(&scene, b"for agent0 alone");
        run(&args(What::Next), &scene.caller).unwrap();
        assert_eq!(states(&scene), ["shown"]);
        let inbox = Inbox::of(&scene.home, AgentName::ROOT);
        let own = spawned.generation(AgentName::ROOT);
        assert_eq!(inbox.take_shown(own).unwrap(), []);
        assert_eq!(inbox.not_shown_to(own).unwrap().names.len(), 1);
        scene.sit_in(AgentName::ROOT, &spawned);
        run(&args(What::Next), &scene.caller).unwrap();
        assert_eq!(inbox.take_shown(own).unwrap().len(), 1);
    }

    #[test]
    fn the_next_step_is_told_after_the_last_part_only() {
        let scene = Scene::new();
        let id = send(&scene, "0123456789\n".repeat(3).as_bytes());
        let inbox = Inbox::of(&scene.home, AgentName::ROOT);
        let mut reading = inbox.next(None, 15).unwrap().reading.unwrap();
        let text = reading.pending.envelope.text.clone();
        let mut words = Words { netsky: "netsky".into(), agent: None, marks_itself: false };
        let mut tail = |number: usize, marks_itself, more| {
            reading.part = parts::split(&text, 15).remove(number - 1);
            words.marks_itself = marks_itself;
            let printed = words.printed(&reading, more, &Nonce::fresh());
            printed.split_once(" END part").unwrap().1.lines().skip(1).map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(tail(1, false, 1), ["2 parts are left: run `netsky inbox next`."]);
        assert_eq!(tail(3, true, 0), [""; 0]);
        assert_eq!(tail(3, true, 2), ["2 more messages wait: run `netsky inbox next`."]);
        let done = format!("When you have dealt with it, mark it taken: run `netsky inbox done {id}`.");
        assert_eq!(tail(3, false, 0), [done]);
        let other = Words { agent: Some(AgentName::Numbered(2)), ..words };
        assert_eq!(other.command("next"), "netsky inbox next --agent agent2");
    }

    #[test]
    fn the_list_is_what_its_schema_says_and_shows_what_is_taken_when_asked() {
        let scene = Scene::new();
        let id = send(&scene, b"x");
        let inbox = Inbox::of(&scene.home, AgentName::ROOT);
        inbox.mark_taken(id).unwrap();
        assert!(rows(&inbox, false, &mut Vec::new()).unwrap().is_empty());
        let envelopes = rows(&inbox, true, &mut Vec::new()).unwrap();
        assert_eq!(envelopes.len(), 1);
        assert_valid("inbox", &ListDocument { version: 1, agent: AgentName::ROOT, envelopes });
    }
}
