//! How a message is set before a model: between two lines that a stranger cannot write. Pure, but for fresh nonces.
//!
//! Both lines carry a random nonce of that printing, the true sender and the id; what a text claims about itself stands
//! between them. This stops confusion, not a determined attacker with the same uid.

use std::fmt;
use std::path::PathBuf;

use sha2::{Digest, Sha256};

use super::envelope::Envelope;
use super::parts::{self, Part, visible};
use crate::clock;
use crate::id::EnvelopeId;
use crate::text;

/// What a stranger cannot guess. One printing, one nonce.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nonce(String);

impl Nonce {
    /// A new one: 80 random bits.
    pub fn fresh() -> Self {
        // Of an id all but the time is random.
        Self(EnvelopeId::fresh().to_string().chars().skip(10).collect())
    }
}

impl fmt::Display for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An envelope that waits to be printed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pending {
    /// The envelope.
    pub envelope: Envelope,
    /// Where the bytes as sent can be found.
    pub path: PathBuf,
    /// An earlier generation (or context) was shown it and did not take it.
    pub shown_before: bool,
}

/// The whole message, fenced.
pub fn fenced(pending: &Pending, nonce: &Nonce) -> String {
    let what = format!("message {}", pending.envelope.id);
    let notes = notes(pending);
    between(nonce, &what, &format!("{}{notes}", sender(&pending.envelope)), &visible(&pending.envelope))
}

/// One part of a message, fenced. `command` prints the next one.
pub fn fenced_part(pending: &Pending, part: &Part, nonce: &Nonce, command: &str) -> String {
    let Part { number, of, text } = part;
    if *of == 1 {
        return fenced(pending, nonce);
    }
    let what = format!("part {number} of {of} of message {}", pending.envelope.id);
    // Said once: the other parts follow in the same context.
    let notes = if *number == 1 { notes(pending) } else { String::new() };
    let mut out = between(nonce, &what, &format!("{}{notes}", sender(&pending.envelope)), text);
    match of - number {
        0 => {}
        1 => out.push_str(&format!("One part is left: run `{command}`.\n")),
        left => out.push_str(&format!("{left} parts are left: run `{command}`.\n")),
    }
    out
}

/// The beginning of a message that is too long to be printed here, and how to read it.
pub fn announcement(
    pending: &Pending,
    nonce: &Nonce,
    head_bytes: usize,
    part_bytes: usize,
    command: &str,
) -> String {
    let envelope = &pending.envelope;
    let text = visible(envelope);
    let count = parts::split(&text, part_bytes).len();
    let content = envelope.content().unwrap_or_default();
    let what = format!("head of message {}", envelope.id);
    let notes = notes(pending);
    let header = format!("{}{notes}", sender(envelope));
    let mut out = between(nonce, &what, &header, parts::head(&text, head_bytes));
    out.push_str(&format!(
        "This is only the head of message {}: {} bytes, sha256 {}. Read all of it in {count} {}: run `{command}`. It is \
         kept in {} (JSON, field \"text\").\n",
        envelope.id,
        content.len(),
        sha256(&content),
        if count == 1 { "part" } else { "parts" },
        text::one_line(&pending.path.display().to_string()),
    ));
    out
}

fn between(nonce: &Nonce, what: &str, header: &str, text: &str) -> String {
    let end_of_line = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
    format!("[netsky {nonce} BEGIN {what} {header}]\n{text}{end_of_line}[netsky {nonce} END {what}]\n")
}

fn sender(envelope: &Envelope) -> String {
    format!("from {} to {}, sent {}", envelope.from, envelope.to, clock::stamp(envelope.ts))
}

fn notes(pending: &Pending) -> String {
    let mut notes = String::new();
    if pending.shown_before {
        notes.push_str("; shown before, to a reader that did not take it: part of it may be done already");
    }
    if pending.envelope.encoding.is_some() {
        notes.push_str("; not UTF-8, so this is base64 of the bytes");
    } else if *visible(&pending.envelope) != *pending.envelope.text {
        notes.push_str("; control characters left out");
    }
    notes
}

pub(super) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::name::{Actor, AgentName};

    pub(in crate::handoff) fn pending(id: &str, bytes: &[u8]) -> Pending {
        let ts = chrono::DateTime::UNIX_EPOCH;
        let agent3 = Actor::Agent(AgentName::Numbered(3));
        let envelope = Envelope::new(id.parse().unwrap(), agent3, AgentName::ROOT, bytes, None, ts);
        let path = PathBuf::from("/h/archive").join(envelope.name().file());
        Pending { envelope, path, shown_before: false }
    }

    const ID: &str = "01JD0Q7M3ZJ4V5W6X7Y8Z9A0BC";

    fn nonce() -> Nonce {
        Nonce("N0NCE".to_owned())
    }

    #[test]
    fn a_whole_message_stands_between_two_lines() {
        assert_eq!(
            fenced(&pending(ID, b"do it"), &nonce()),
            "[netsky N0NCE BEGIN message 01JD0Q7M3ZJ4V5W6X7Y8Z9A0BC from agent3 to agent0, sent 1970-01-01T00:00:00Z]\n\
             do it\n\
             [netsky N0NCE END message 01JD0Q7M3ZJ4V5W6X7Y8Z9A0BC]\n"
        );
    }

    #[test]
    fn the_first_line_says_what_the_reader_must_know() {
        let first = |pending: &Pending| fenced(pending, &nonce()).lines().next().unwrap().to_owned();
        let mut again = pending(ID, b"x");
        again.shown_before = true;
        assert!(first(&again).contains("; shown before"));
        assert!(first(&pending(ID, b"\xff")).contains("base64"));
        assert!(first(&pending(ID, b"a\x1b[31mb")).contains("control characters left out"));
        assert!(!first(&pending(ID, b"plain\ntext")).contains(';'));
    }

    #[test]
    fn parts_say_which_they_are_and_what_is_left() {
        let waiting = pending(ID, b"abcdef");
        let part = Part { number: 2, of: 3, text: "cd".into() };
        assert_eq!(
            fenced_part(&waiting, &part, &nonce(), "netsky inbox next"),
            "[netsky N0NCE BEGIN part 2 of 3 of message 01JD0Q7M3ZJ4V5W6X7Y8Z9A0BC from agent3 to agent0, sent \
             1970-01-01T00:00:00Z]\n\
             cd\n\
             [netsky N0NCE END part 2 of 3 of message 01JD0Q7M3ZJ4V5W6X7Y8Z9A0BC]\n\
             One part is left: run `netsky inbox next`.\n"
        );
        let last = Part { number: 3, of: 3, text: "ef".into() };
        assert!(fenced_part(&waiting, &last, &nonce(), "netsky inbox next").ends_with("BC]\n"));
    }

    #[test]
    fn an_announcement_tells_how_to_read_the_rest() {
        let text = announcement(&pending(ID, b"abc"), &nonce(), 2, 2, "netsky inbox next");
        for expected in [
            "\nab\n",
            "3 bytes, sha256 ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
            "in 2 parts: run `netsky inbox next`",
            "/h/archive/01JD0Q7M3ZJ4V5W6X7Y8Z9A0BC-from-agent3.json",
        ] {
            assert!(text.contains(expected), "{expected} in {text}");
        }
    }

    #[test]
    fn nonces_differ() {
        assert_ne!(Nonce::fresh(), Nonce::fresh());
        assert_eq!(Nonce::fresh().to_string().len(), 16);
    }

    proptest::proptest! {
        #[test]
        fn nothing_below_a_space_but_newline_is_printed(bytes: Vec<u8>) {
            let waiting = pending(ID, &bytes);
            let texts = [fenced(&waiting, &nonce()), announcement(&waiting, &nonce(), 10, 10, "c")];
            for text in texts {
                proptest::prop_assert!(text.chars().all(|c| c == '\n' || !c.is_control()));
            }
        }
    }
}
