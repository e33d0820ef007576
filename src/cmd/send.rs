//! `netsky send AGENT|all TEXT`.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Serialize, Serializer};

use crate::clock;
use crate::config::Flags;
use crate::constellation::handover;
use crate::handoff::claim::{self, Address, Claimed};
use crate::handoff::deliver::{self, Delivery, Outcome};
use crate::handoff::source::Source;
use crate::handoff::{Result as Handed, archive};
use crate::id::EnvelopeId;
use crate::name::{Actor, AgentName, InvalidName};
use crate::state::desired::Desired;
use crate::state::spawned::Spawned;
use crate::status::HandoffState;
use crate::text;

use super::envelopes::{failed, failed_on_file, state_at};
use super::handoff::{own_generation, read};
use super::notify::{self, Notified};
use super::setting::Settings;
use super::{Caller, CommandError, Exit, output};

/// Send a message to an agent's inbox and nudge the agent
///
/// Done once the message is durable, also for an agent that is down: it is shown with its next prompt or its next
/// start. Exit 69 where tmux did not answer; the message is kept all the same. A text that begins with a hyphen comes
/// after `--`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// agent0, agent1 … or all (everyone but the sender)
    #[arg(value_name = "AGENT|all")]
    to: Recipient,
    /// The message; several words are joined by spaces
    #[arg(required_unless_present = "file", conflicts_with = "file")]
    text: Vec<OsString>,
    /// Send this file, byte for byte; it stays. - is standard input
    #[arg(long)]
    file: Option<PathBuf>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
    /// Say what would be sent and send nothing
    #[arg(long)]
    dry_run: bool,
}

/// Who is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Recipient {
    All,
    One(AgentName),
}

impl fmt::Display for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.pad("all"),
            Self::One(name) => name.fmt(f),
        }
    }
}

impl FromStr for Recipient {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        if text == "all" { Ok(Self::All) } else { text.parse().map(Self::One) }
    }
}

pub(super) fn run(args: &Args, caller: &Caller) -> Result<Exit, CommandError> {
    let settings = Settings::load(caller, caller.existing_home()?, Flags::default())?;
    let home = &settings.home;
    let from = caller.actor(home);
    let names = recipients(args.to, from, &Known::look(&settings)?)?;
    let bytes = message(args, settings.config().handoff.max_bytes)?;
    if args.dry_run {
        let to: Vec<String> = names.iter().map(ToString::to_string).collect();
        let size = text::size(bytes.len() as u64);
        return output::text(&format!("would send {size} from {from} to {}", to.join(", ")))
            .map(|()| Exit::Done);
    }
    let generation = caller.agent(home).and_then(|_| own_generation(caller));
    let mut deliveries = Vec::with_capacity(names.len());
    let mut failure = None;
    for to in &names {
        match send(&settings, &bytes, Address { from, to: *to, generation }) {
            Ok(delivered) => deliveries.push(delivered),
            Err(error) => {
                failure = Some(failed(format!("sending to {to}"))(error));
                break;
            }
        }
    }
    prune_now_and_then(&settings);
    let told = notify::agents(&settings, caller, names.get(..deliveries.len()).unwrap_or_default());
    let deliveries =
        deliveries.into_iter().zip(told).map(|(delivered, told)| delivered.notified(told)).collect();
    let exit = Sent { version: 1, from, deliveries }.report(args.json)?;
    failure.map_or(Ok(exit), Err)
}

/// Who can be written to.
#[derive(Debug, Default)]
struct Known {
    desired: BTreeSet<AgentName>,
    spawned: BTreeSet<AgentName>,
    configured: BTreeSet<AgentName>,
}

impl Known {
    fn look(settings: &Settings) -> Result<Self, CommandError> {
        let failed = |error| CommandError::failed("reading which agents there are").because(error);
        let desired = Desired::load(&settings.home).map_err(failed)?;
        let spawned = Spawned::load(&settings.home).map_err(failed)?;
        Ok(Self {
            desired: desired.agents.into_keys().collect(),
            spawned: spawned.agents.into_keys().collect(),
            configured: AgentName::constellation(settings.config().constellation.clones).collect(),
        })
    }
}

/// Those who get the message. All: what should run, else what ran last; one that is down gets it too.
fn recipients(to: Recipient, from: Actor, known: &Known) -> Result<Vec<AgentName>, CommandError> {
    let Known { desired, spawned, configured } = known;
    match to {
        Recipient::One(name) if [desired, spawned, configured].iter().any(|names| names.contains(&name)) => {
            Ok(vec![name])
        }
        Recipient::One(name) => {
            let names: BTreeSet<&AgentName> = desired.iter().chain(spawned).chain(configured).collect();
            let names: Vec<String> = names.iter().map(ToString::to_string).collect();
            Err(CommandError::usage(format!("sending to {name}"))
                .because(format!("there is no such agent; there are {}", names.join(", ")))
                .hint("netsky status"))
        }
        Recipient::All => {
            let all = if desired.is_empty() { spawned } else { desired };
            let others: Vec<AgentName> =
                all.iter().copied().filter(|name| Actor::Agent(*name) != from).collect();
            let nobody =
                || CommandError::failed("sending to all").because("there is nobody else").hint("netsky up");
            if others.is_empty() { Err(nobody()) } else { Ok(others) }
        }
    }
}

fn message(args: &Args, limit: u64) -> Result<Vec<u8>, CommandError> {
    let command = format!("netsky send {} --file", args.to);
    let bytes = match &args.file {
        Some(file) => match read(file, limit).map_err(failed_on_file("reading the message", command))? {
            Source::Bytes(bytes) => bytes,
            Source::Named(_) | Source::Draft(_) => Vec::new(),
        },
        None => args.text.iter().map(|word| word.as_bytes()).collect::<Vec<_>>().join(&b' '),
    };
    if bytes.is_empty() {
        return Err(CommandError::usage("sending a message").because("it is empty"));
    }
    Ok(bytes)
}

fn send(settings: &Settings, bytes: &[u8], address: Address) -> Handed<Delivered> {
    let limit = settings.config().handoff.max_bytes;
    let claimed =
        claim::claim(&settings.home, &Source::Bytes(bytes.to_owned()), address, limit, clock::utc_now())?;
    let (Claimed::Claimed(claim) | Claimed::Pending(claim)) = claimed else {
        return Err(crate::handoff::HandoffError::SourceMissing { path: "-".into() });
    };
    match deliver::deliver(&settings.home, &claim) {
        Ok(delivery) => Ok(Delivered::of(&delivery)),
        Err(error) => {
            say_kept(claim.id(), address.to);
            Err(error)
        }
    }
}

/// Whatever fails from now on: netsky has it.
pub(super) fn say_kept(id: EnvelopeId, to: AgentName) {
    output::talk(&format!(
        "netsky: the message to {to} is kept as {id} and is delivered once; do not send it again"
    ));
}

/// Messages alone must not fill the disk between two restarts.
fn prune_now_and_then(settings: &Settings) {
    let keep = settings.config().handoff.keep;
    let kept = archive::list(&settings.home).map_or(0, |listing| listing.names.len());
    if kept > keep.saturating_add(keep / 2).saturating_add(16) {
        handover::prune(&settings.home, keep);
    }
}

/// What `send --json` and `handoff deliver --json` print.
#[derive(Debug, Serialize)]
pub(super) struct Sent {
    pub(super) version: u64,
    pub(super) from: Actor,
    pub(super) deliveries: Vec<Delivered>,
}

/// One envelope that was sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Delivered {
    id: EnvelopeId,
    to: AgentName,
    state: HandoffState,
    #[serde(serialize_with = "word")]
    nudge: Notified,
}

fn word<S: Serializer>(nudge: &Notified, serializer: S) -> Result<S::Ok, S::Error> {
    nudge.word().serialize(serializer)
}

impl Delivered {
    /// An envelope whose agent was not told yet.
    pub(super) fn of(delivery: &Delivery) -> Self {
        let state = match delivery.outcome {
            Outcome::Delivered => HandoffState::Delivered,
            Outcome::Already(place) => state_at(place),
            Outcome::ByAnother => HandoffState::Claimed,
        };
        Self { id: delivery.name.id, to: delivery.to, state, nudge: Notified::Queued }
    }

    pub(super) fn notified(self, nudge: Notified) -> Self {
        Self { nudge, ..self }
    }
}

impl Sent {
    fn print(&self, json: bool) -> Result<(), CommandError> {
        if json {
            return output::json(self);
        }
        let line =
            |sent: &Delivered| format!("{}  {}  {}\n", sent.id, sent.to, sent.nudge.word().unwrap_or("kept"));
        output::text(&self.deliveries.iter().map(line).collect::<String>())
    }

    /// Prints what was sent, one line an envelope, and says where tmux did not answer.
    pub(super) fn report(&self, json: bool) -> Result<Exit, CommandError> {
        if let Err(error) = self.print(json) {
            self.deliveries.iter().for_each(|sent| say_kept(sent.id, sent.to));
            return Err(error);
        }
        let late = self.deliveries.iter().find_map(|sent| match &sent.nudge {
            Notified::NoAnswer { why } => Some(why),
            Notified::Typed | Notified::Queued | Notified::Unverified => None,
        });
        let Some(why) = late else { return Ok(Exit::Done) };
        output::talk(&text::printable(&format!(
            "netsky: tmux did not answer ({why}); the text is kept and shown with the next prompt"
        )));
        Ok(Exit::Unavailable)
    }
}

#[cfg(test)]
mod tests {
    use super::super::scene::{Scene, assert_valid};
    use super::*;
    use crate::handoff::inbox::Inbox;

    fn names(numbers: &[u32]) -> BTreeSet<AgentName> {
        numbers.iter().map(|number| AgentName::Numbered(*number)).collect()
    }

    #[test]
    fn all_is_everyone_but_the_sender_and_a_stranger_is_refused() {
        let known = Known { desired: names(&[0, 1]), spawned: names(&[0, 1, 2]), configured: names(&[0]) };
        let one = AgentName::Numbered;
        let check = |to: &str, from: Actor| {
            let found = recipients(to.parse().unwrap(), from, &known);
            found.map_err(|error| error.exit)
        };
        assert_eq!(check("all", Actor::Owner), Ok(vec![one(0), one(1)]));
        assert_eq!(check("all", Actor::Agent(one(1))), Ok(vec![one(0)]));
        assert_eq!(check("agent2", Actor::Owner), Ok(vec![one(2)]));
        assert_eq!(check("agent3", Actor::Owner), Err(Exit::Usage));
        assert!("bob".parse::<Recipient>().is_err());
        let down = Known { spawned: names(&[0, 1]), ..Known::default() };
        assert_eq!(recipients(Recipient::All, Actor::Owner, &down).unwrap().len(), 2);
        assert!(recipients(Recipient::All, Actor::Owner, &Known::default()).is_err());
    }

    fn args(to: &str, text: &[&str]) -> Args {
        let text = text.iter().map(Into::into).collect();
        Args { to: to.parse().unwrap(), text, file: None, json: false, dry_run: false }
    }

    #[test]
    fn a_message_arrives_byte_for_byte_with_its_true_sender() {
        let mut scene = Scene::new();
        let spawned = scene.spawned(&[AgentName::ROOT, AgentName::Numbered(1)]);
        scene.sit_in(AgentName::Numbered(1), &spawned);
        let file = scene.file("bytes", b"\xff\x00\n");
        run(&args("agent0", &["do", "this"]), &scene.caller).unwrap();
        run(&Args { file: Some(file.clone()), ..args("all", &[]) }, &scene.caller).unwrap();
        run(&Args { dry_run: true, ..args("agent0", &["not this"]) }, &scene.caller).unwrap();
        assert!(file.exists());
        let inbox = Inbox::of(&scene.home, AgentName::ROOT);
        let batch = inbox.open(inbox.not_taken().unwrap(), 9).unwrap();
        let sent: Vec<Vec<u8>> = batch.pending.iter().map(|it| it.envelope.content().unwrap()).collect();
        assert_eq!(sent, [b"do this".as_slice(), b"\xff\x00\n"]);
        for pending in &batch.pending {
            assert_eq!(pending.envelope.from, Actor::Agent(AgentName::Numbered(1)));
            assert_eq!(pending.envelope.generation, spawned.generation(AgentName::Numbered(1)));
        }
        assert_eq!(run(&args("agent0", &[""]), &scene.caller).unwrap_err().exit, Exit::Usage);
    }

    #[test]
    fn a_late_tmux_is_69_and_the_document_is_what_its_schema_says() {
        let delivered = |nudge| Delivered {
            id: EnvelopeId::fresh(),
            to: AgentName::ROOT,
            state: HandoffState::Delivered,
            nudge,
        };
        let late = Notified::NoAnswer { why: "within 2s".into() };
        let mut sent = Sent { version: 1, from: Actor::Owner, deliveries: vec![delivered(Notified::Typed)] };
        assert_eq!(sent.report(true).unwrap(), Exit::Done);
        sent.deliveries.push(delivered(late));
        assert_eq!(sent.report(false).unwrap(), Exit::Unavailable);
        assert_valid("send", &sent);
    }

    #[test]
    fn the_archive_stays_bounded_between_restarts() {
        let scene = Scene::new();
        scene.configure("[handoff]\nkeep = 2\n");
        for _ in 0..25 {
            run(&args("agent0", &["x"]), &scene.caller).unwrap();
        }
        assert!(archive::list(&scene.home).unwrap().names.len() <= 20);
    }
}
