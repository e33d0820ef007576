//! Envelopes as verbs show them: where each is, in rows and whole, and how an id is given.
//!
//! Only reads. One pass over the directories tells where all of them are.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::Path;

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::agent::attach::shell_word;
use crate::clock;
use crate::handoff::claim::{self, Claim};
use crate::handoff::envelope::Encoding;
use crate::handoff::inbox::{Inbox, Place};
use crate::handoff::{self, Envelope, HandoffError, LARGEST_TEXT, parts};
use crate::id::{EnvelopeId, Generation};
use crate::name::{Actor, AgentName};
use crate::paths::Home;
use crate::persist;
use crate::status::HandoffState;
use crate::status::render::age;
use crate::text;

use super::{Caller, CommandError, Exit, output, setting};

/// So much of a first line is shown.
const HEAD_CHARS: usize = 80;

/// One envelope in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Row {
    pub(super) id: EnvelopeId,
    pub(super) from: Actor,
    pub(super) to: AgentName,
    #[serde(with = "crate::clock::stamped")]
    pub(super) ts: DateTime<Utc>,
    pub(super) bytes: usize,
    pub(super) state: HandoffState,
    /// Its first line, harmless and clipped.
    pub(super) head: String,
}

impl Row {
    pub(super) fn of(envelope: &Envelope, state: HandoffState) -> Self {
        let content = envelope.content().unwrap_or_default();
        let visible = parts::visible(envelope);
        let first = visible.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
        Self {
            id: envelope.id,
            from: envelope.from,
            to: envelope.to,
            ts: envelope.ts,
            bytes: content.len(),
            state,
            head: text::clipped(&text::one_line(first), HEAD_CHARS).into_owned(),
        }
    }
}

/// Rows for people: whole in a pipe, as wide as the terminal on one.
pub(super) fn lines(rows: &[Row], caller: &Caller) -> String {
    lines_within(rows, caller.stdout_is_terminal.then(|| caller.width()), clock::utc_now())
}

/// With a width, how long ago stands in place of the time.
fn lines_within(rows: &[Row], columns: Option<usize>, now: DateTime<Utc>) -> String {
    let when = |row: &Row| match columns {
        None => format!("{:<24}", clock::stamp(row.ts)),
        Some(_) => format!("{:>7}", age(row.ts, now)),
    };
    let width = |column: fn(&Row) -> String| rows.iter().map(|row| column(row).len()).max().unwrap_or(0);
    let (from, to) = (width(|row| row.from.to_string()), width(|row| row.to.to_string()));
    let size = width(|row| text::size(row.bytes as u64));
    let line = |row: &Row| {
        let Row { id, state, head, .. } = row;
        let (sender, receiver, bytes) = (row.from.to_string(), row.to, text::size(row.bytes as u64));
        let ts = when(row);
        let line =
            format!("{id}  {state:<9}  {sender:<from$} > {receiver:<to$}  {bytes:>size$}  {ts}  {head}");
        let shown = columns.map_or(line.as_str().into(), |columns| text::clipped(&line, columns));
        format!("{}\n", shown.trim_end())
    };
    rows.iter().map(line).collect()
}

/// A text that the system does not let us read.
pub(super) fn say_unreadable(error: &HandoffError) {
    output::talk(&format!("netsky: it cannot be read: {}", setting::words(error)));
}

/// The end of a list: one in which something is missing is no success.
pub(super) fn all_of_them(doing: &str, mut unreadable: Vec<HandoffError>) -> Result<Exit, CommandError> {
    let Some(last) = unreadable.pop() else { return Ok(Exit::Done) };
    unreadable.iter().for_each(say_unreadable);
    Err(failed(doing)(last))
}

/// One envelope whole, as `show --json` prints it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct EnvelopeDocument {
    pub(super) version: u64,
    pub(super) id: EnvelopeId,
    pub(super) from: Actor,
    pub(super) to: AgentName,
    #[serde(with = "crate::clock::stamped")]
    pub(super) ts: DateTime<Utc>,
    pub(super) generation: Option<Generation>,
    pub(super) state: HandoffState,
    pub(super) text: String,
    pub(super) encoding: Option<Encoding>,
}

/// Prints an envelope: the document, or the bytes as they were sent; harmless on a terminal.
pub(super) fn show(
    envelope: &Envelope,
    state: HandoffState,
    json: bool,
    caller: &Caller,
) -> Result<(), CommandError> {
    if json {
        let Envelope { id, from, to, ts, generation, encoding, .. } = *envelope;
        let text = envelope.text.clone();
        return output::json(&EnvelopeDocument {
            version: 1,
            id,
            from,
            to,
            ts,
            generation,
            state,
            text,
            encoding,
        });
    }
    if caller.stdout_is_terminal {
        return output::text(&parts::visible(envelope));
    }
    let content = envelope.content();
    output::data(
        &content.map_err(|error| CommandError::failed(format!("decoding {}", envelope.id)).because(error))?,
    )
}

/// Where every envelope is.
#[derive(Debug, Default)]
pub(super) struct Whereabouts {
    claims: BTreeMap<EnvelopeId, Claim>,
    places: BTreeMap<EnvelopeId, Place>,
    /// Entries of the claims and of the inboxes that are something else.
    pub(super) skipped: usize,
}

impl Whereabouts {
    /// Looks in the order in which envelopes move, so that none slips past.
    pub(super) fn look(home: &Home) -> handoff::Result<Self> {
        let pending = claim::pending(home)?;
        let claims = pending.claims.into_iter().map(|claim| (claim.id(), claim)).collect();
        let mut places = BTreeMap::new();
        let (agents, strangers) = Inbox::agents(home)?;
        let mut skipped = pending.skipped + strangers;
        for agent in agents {
            let inbox = Inbox::of(home, agent);
            for place in Place::ALL {
                let listing = inbox.list(place)?;
                skipped += listing.skipped;
                places.extend(listing.names.into_iter().map(|name| (name.id, place)));
            }
        }
        Ok(Self { claims, places, skipped })
    }

    /// How far an envelope is whose last known state is `known`. One that has left both its claim and its inbox was
    /// pruned, and only what was taken is.
    pub(super) fn state_of(&self, id: EnvelopeId, known: HandoffState) -> HandoffState {
        match (self.places.get(&id), known) {
            (Some(place), _) => state_at(*place),
            (None, _) if self.claims.contains_key(&id) => HandoffState::Claimed,
            (None, HandoffState::Claimed) => HandoffState::Claimed,
            (None, _) => HandoffState::Taken,
        }
    }

    /// What is claimed and not yet delivered, oldest first.
    pub(super) fn claims(&self) -> impl Iterator<Item = &Claim> {
        self.claims.values().filter(|claim| !self.places.contains_key(&claim.id()))
    }
}

/// The state of an envelope that lies there.
pub(super) fn state_at(place: Place) -> HandoffState {
    match place {
        Place::Delivered => HandoffState::Delivered,
        Place::Shown => HandoffState::Shown,
        Place::Taken => HandoffState::Taken,
    }
}

/// A claim as the envelope that it becomes.
pub(super) fn of_claim(home: &Home, claim: &Claim) -> handoff::Result<Option<Envelope>> {
    let bytes = persist::read(&home.claims().join(claim.name().to_string()), LARGEST_TEXT)?;
    let name = claim.name();
    Ok(bytes
        .map(|bytes| Envelope::new(name.id, name.from, claim.to(), &bytes, claim.generation(), claim.ts())))
}

/// The one id that begins with `query`, in upper or lower case.
pub(super) fn resolve<I: Copy + Display>(query: &str, ids: &[I], among: &str) -> Result<I, CommandError> {
    let wanted = query.trim().to_ascii_uppercase();
    let found: Vec<I> = ids.iter().copied().filter(|id| id.to_string().starts_with(&wanted)).collect();
    match found.as_slice() {
        [only] if !wanted.is_empty() => Ok(*only),
        [] => {
            Err(CommandError::failed(format!("looking for {query:?} in {among}"))
                .because("there is no such id"))
        }
        several => {
            let ids: Vec<String> = several.iter().take(5).map(ToString::to_string).collect();
            let why = format!("{} ids begin so: {}", several.len(), ids.join(", "));
            Err(CommandError::failed(format!("looking for {query:?} in {among}")).because(why))
        }
    }
}

/// A verb failed over an envelope.
pub(super) fn failed(doing: impl Into<String>) -> impl FnOnce(HandoffError) -> CommandError {
    let doing = doing.into();
    move |error| {
        let hint = match &error {
            HandoffError::SourceTooLarge { .. } => {
                "netsky config show   # handoff.max_bytes is the limit".to_owned()
            }
            HandoffError::NotInInbox { agent, .. } => format!("netsky inbox list --all --agent {agent}"),
            HandoffError::NotInArchive { .. } => "netsky handoff list".to_owned(),
            _ => return CommandError::failed(doing).because(error),
        };
        CommandError::failed(doing).because(error).hint(hint)
    }
}

/// The same for a verb that was given a file: `command` is what was typed before its name.
pub(super) fn failed_on_file(
    doing: impl Into<String>,
    command: impl Into<String>,
) -> impl FnOnce(HandoffError) -> CommandError {
    let (doing, command) = (doing.into(), command.into());
    move |error| match file_hint(&error, &command) {
        Some(hint) => CommandError::failed(doing).because(error).hint(hint),
        None => failed(doing)(error),
    }
}

/// What to type where a file cannot be taken as it is.
fn file_hint(error: &HandoffError, command: &str) -> Option<String> {
    let shell = |path: &Path| shell_word(&path.display().to_string());
    match error {
        HandoffError::SourceIsLink { path } => Some(format!("{command} \"$(readlink -f {})\"", shell(path))),
        HandoffError::SourceNotRegular { path, kind: "a FIFO" }
        | HandoffError::SourceNotOurs { path, .. }
        | HandoffError::SourceNotRemovable { path, .. } => Some(format!("{command} - < {}", shell(path))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::scene::{Scene, assert_valid};
    use super::*;
    use crate::handoff::archive;
    use crate::handoff::claim::{Address, Claimed, claim};
    use crate::handoff::deliver::deliver;
    use crate::handoff::source::Source;

    fn claimed(scene: &Scene, text: &[u8]) -> Claim {
        let address = Address { from: Actor::Owner, to: AgentName::ROOT, generation: None };
        match claim(&scene.home, &Source::Bytes(text.to_owned()), address, 1 << 20, clock::utc_now()).unwrap()
        {
            Claimed::Claimed(claim) => claim,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_envelope_is_followed_from_its_claim_to_its_end() {
        let scene = Scene::new();
        let claim = claimed(&scene, b"go on");
        let id = claim.id();
        let inbox = Inbox::of(&scene.home, AgentName::ROOT);
        let check = |expected| {
            let seen = Whereabouts::look(&scene.home).unwrap();
            assert_eq!(seen.state_of(id, HandoffState::Delivered), expected);
            assert_eq!(seen.claims().count(), usize::from(expected == HandoffState::Claimed));
        };
        check(HandoffState::Claimed);
        deliver(&scene.home, &claim).unwrap();
        check(HandoffState::Delivered);
        inbox.mark_shown(claim.name(), None, clock::utc_now()).unwrap();
        check(HandoffState::Shown);
        inbox.mark_taken(id).unwrap();
        check(HandoffState::Taken);
        crate::handoff::retention::prune(&scene.home, 0).unwrap();
        check(HandoffState::Taken);
        let nothing = Whereabouts::look(&scene.home).unwrap();
        assert_eq!(nothing.state_of(id, HandoffState::Claimed), HandoffState::Claimed);
    }

    #[test]
    fn a_claim_reads_as_the_envelope_that_it_becomes() {
        let scene = Scene::new();
        let claim = claimed(&scene, b"\xff\n");
        let before = of_claim(&scene.home, &claim).unwrap().unwrap();
        deliver(&scene.home, &claim).unwrap();
        assert_eq!(archive::load(&scene.home, claim.name()).unwrap(), Some(before));
        assert_eq!(of_claim(&scene.home, &claim).unwrap(), None);
    }

    #[test]
    fn a_row_is_one_harmless_line() {
        let text = b"\n \x1b[31mfirst\x1b[0m\tline\nsecond".as_slice();
        let envelope =
            Envelope::new(EnvelopeId::fresh(), Actor::Owner, AgentName::ROOT, text, None, clock::utc_now());
        let row = Row::of(&envelope, HandoffState::Shown);
        assert_eq!((row.head.as_str(), row.bytes), ("first line", text.len()));
        let shown = |columns| lines_within(&[row.clone(), row.clone()], columns, clock::utc_now());
        assert_eq!(shown(None).lines().count(), 2);
        assert!(shown(Some(80)).lines().all(|line| line.chars().count() <= 80), "{}", shown(Some(80)));
        assert!(shown(Some(80)).contains("0s  first"), "{}", shown(Some(80)));
    }

    #[test]
    fn a_document_holds_the_text_and_is_what_its_schema_says() {
        for (text, encoding) in [(b"x".as_slice(), None), (b"\xff", Some(Encoding::Base64))] {
            let document = EnvelopeDocument {
                version: 1,
                id: EnvelopeId::fresh(),
                from: Actor::Agent(AgentName::Numbered(3)),
                to: AgentName::ROOT,
                ts: clock::utc_now(),
                generation: encoding.map(|_| Generation::fresh()),
                state: HandoffState::Taken,
                text: String::from_utf8_lossy(text).into_owned(),
                encoding,
            };
            assert_valid("envelope", &document);
        }
    }

    #[test]
    fn a_file_that_cannot_be_taken_has_a_line_to_paste() {
        let check = |error: HandoffError| {
            let message = failed_on_file("x", "netsky handoff deliver")(error).message();
            message.split_once("hint: ").map(|(_, hint)| hint.to_owned())
        };
        let path = || std::path::PathBuf::from("/a b");
        assert_eq!(
            check(HandoffError::SourceIsLink { path: path() }).unwrap(),
            "netsky handoff deliver \"$(readlink -f '/a b')\""
        );
        assert_eq!(
            check(HandoffError::SourceNotOurs { path: path(), owner: 1 }).unwrap(),
            "netsky handoff deliver - < '/a b'"
        );
        assert_eq!(check(HandoffError::SourceNotRegular { path: path(), kind: "a directory" }), None);
        assert!(
            check(HandoffError::SourceTooLarge { path: path(), limit: 1 }).unwrap().contains("max_bytes")
        );
    }

    #[test]
    fn an_id_is_found_by_its_beginning() {
        let ids = ["01AB", "01AC", "02"];
        assert_eq!(resolve("02", &ids, "it").unwrap(), "02");
        assert_eq!(resolve(" 01ac ", &ids, "it").unwrap(), "01AC");
        for (query, expected) in [("01", "2 ids begin so"), ("03", "no such id"), ("", "3 ids begin so")] {
            let message = resolve(query, &ids, "it").unwrap_err().message();
            assert!(message.contains(expected), "{message}");
        }
    }
}
