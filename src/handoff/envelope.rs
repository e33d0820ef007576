//! The envelope: the JSON file that carries one message to one agent's inbox, and its name.
//!
//! `from` is set by netsky and never parsed out of a text. Bytes that are not UTF-8 travel as base64, so every text
//! arrives as it was given. A reader tolerates unknown fields and refuses other versions.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{LARGEST_ENVELOPE, Result};
use crate::id::{EnvelopeId, Generation};
use crate::name::{Actor, AgentName};
use crate::persist::{self, Loaded, StateFile};

/// How [`Envelope::text`] stands for bytes that are not UTF-8.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Encoding {
    /// RFC 4648, with padding.
    #[serde(rename = "base64")]
    Base64,
}

/// One message to one agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope {
    version: u64,
    /// Fixed when the text was claimed.
    pub id: EnvelopeId,
    /// Who sent it.
    pub from: Actor,
    /// Whose inbox it is for.
    pub to: AgentName,
    /// The text, or its encoded form.
    pub text: String,
    /// When it was claimed.
    #[serde(with = "crate::clock::stamped")]
    pub ts: DateTime<Utc>,
    /// The spawn it was written for or by, where the sender knew one.
    pub generation: Option<Generation>,
    /// Absent for plain text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encoding: Option<Encoding>,
}

impl StateFile for Envelope {}

impl Envelope {
    /// An envelope for `bytes`, claimed at `ts`.
    pub fn new(
        id: EnvelopeId,
        from: Actor,
        to: AgentName,
        bytes: &[u8],
        generation: Option<Generation>,
        ts: DateTime<Utc>,
    ) -> Self {
        let (text, encoding) = encode(bytes);
        Self { version: 1, id, from, to, text, ts, generation, encoding }
    }

    /// The bytes as they were sent.
    ///
    /// # Errors
    /// The base64 form is broken.
    pub fn content(&self) -> std::result::Result<Vec<u8>, base64::DecodeError> {
        decode(&self.text, self.encoding)
    }

    /// The name under which it lies everywhere.
    pub fn name(&self) -> EnvelopeName {
        EnvelopeName { id: self.id, from: self.from }
    }

    /// Reads an envelope file that bears `name`.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn parse(bytes: &[u8], name: EnvelopeName) -> std::result::Result<Self, String> {
        let envelope: Self = persist::parse(bytes)?;
        if envelope.name() != name {
            return Err(format!("it says that it is {}", envelope.name()));
        }
        envelope.content().map_err(|error| error.to_string())?;
        Ok(envelope)
    }

    /// Reads the envelope `name` in `dir`. What is no envelope of that name is moved aside, and what `other` knows takes
    /// its place.
    ///
    /// # Errors
    /// It is no plain file of ours, the system refused, or what `other` says.
    pub(super) fn load_or_mend(
        dir: &Path,
        name: EnvelopeName,
        other: impl Fn() -> Result<Option<Vec<u8>>>,
    ) -> Result<Option<Self>> {
        let parse = |bytes: &[u8]| Self::parse(bytes, name);
        Ok(persist::load_or_mend(&dir.join(name.file()), LARGEST_ENVELOPE, parse, other)?.present())
    }

    /// Reads it byte for byte. What is no envelope of that name is moved aside.
    ///
    /// # Errors
    /// It is no plain file of ours, or the system refused.
    pub(super) fn load_bytes(dir: &Path, name: EnvelopeName) -> Result<Loaded<Vec<u8>>> {
        let parse = |bytes: &[u8]| Self::parse(bytes, name).map(|_| bytes.to_owned());
        Ok(persist::load_by(&dir.join(name.file()), LARGEST_ENVELOPE, parse)?)
    }
}

/// Bytes as a JSON string.
pub(super) fn encode(bytes: &[u8]) -> (String, Option<Encoding>) {
    match str::from_utf8(bytes) {
        Ok(text) => (text.to_owned(), None),
        Err(_) => (BASE64.encode(bytes), Some(Encoding::Base64)),
    }
}

/// What [`encode`] was given.
pub(super) fn decode(
    text: &str,
    encoding: Option<Encoding>,
) -> std::result::Result<Vec<u8>, base64::DecodeError> {
    match encoding {
        None => Ok(text.as_bytes().to_owned()),
        Some(Encoding::Base64) => BASE64.decode(text),
    }
}

/// `<ULID>-from-<from>`: the name of a claim, and with `.json` that of an envelope. Sorts by id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EnvelopeName {
    /// Its id.
    pub id: EnvelopeId,
    /// Its sender.
    pub from: Actor,
}

impl EnvelopeName {
    /// The file name of an envelope.
    pub fn file(self) -> String {
        format!("{self}.json")
    }
}

impl fmt::Display for EnvelopeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-from-{}", self.id, self.from)
    }
}

/// What was read names no envelope.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no envelope name (<ULID>-from-<sender>)")]
pub struct InvalidEnvelopeName {
    /// What was read.
    pub text: String,
}

impl FromStr for EnvelopeName {
    type Err = InvalidEnvelopeName;

    fn from_str(text: &str) -> std::result::Result<Self, InvalidEnvelopeName> {
        let invalid = || InvalidEnvelopeName { text: text.to_owned() };
        let (id, from) = text.split_once("-from-").ok_or_else(invalid)?;
        let id = id.parse().map_err(|_| invalid())?;
        let from = from.parse().map_err(|_| invalid())?;
        Ok(Self { id, from })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "01JD0Q7M3ZJ4V5W6X7Y8Z9A0BC";

    fn envelope(bytes: &[u8]) -> Envelope {
        let ts = DateTime::parse_from_rfc3339("2026-11-20T19:00:00Z").unwrap().with_timezone(&Utc);
        Envelope::new(ID.parse().unwrap(), Actor::Owner, AgentName::ROOT, bytes, None, ts)
    }

    #[test]
    fn an_envelope_is_written_exactly_as_specified() {
        let json = serde_json::to_string(&envelope(b"do it\n")).unwrap();
        assert_eq!(
            json,
            format!(
                r#"{{"version":1,"id":"{ID}","from":"owner","to":"agent0","text":"do it\n","ts":"2026-11-20T19:00:00Z","generation":null}}"#
            )
        );
    }

    #[test]
    fn bytes_that_are_no_utf8_travel_as_base64() {
        let sent = envelope(b"\xff\x00");
        let json = serde_json::to_string(&sent).unwrap();
        assert!(json.ends_with(r#""generation":null,"encoding":"base64"}"#), "{json}");
        assert_eq!(Envelope::parse(json.as_bytes(), sent.name()).unwrap().content().unwrap(), b"\xff\x00");
    }

    #[test]
    fn the_checked_in_envelopes_load() {
        let plain = include_bytes!("../../tests/formats/v1/envelope.json");
        let name: EnvelopeName = format!("{ID}-from-agent3").parse().unwrap();
        let envelope = Envelope::parse(plain, name).unwrap();
        assert_eq!(envelope.content().unwrap(), "Weiter mit Schritt 2.\n".as_bytes());
        assert!(envelope.generation.is_some());

        let encoded = include_bytes!("../../tests/formats/v1/envelope-base64.json");
        let name: EnvelopeName = format!("{ID}-from-watchdog").parse().unwrap();
        assert_eq!(Envelope::parse(encoded, name).unwrap().content().unwrap(), b"\xff\xfe\x00");
    }

    #[test]
    fn what_is_no_such_envelope_is_refused() {
        let name = EnvelopeName { id: ID.parse().unwrap(), from: Actor::Owner };
        let good = serde_json::to_string(&envelope(b"x")).unwrap();
        assert!(Envelope::parse(good.as_bytes(), name).is_ok());
        for bad in [
            good.replace("\"version\":1", "\"version\":2"),
            good.replace("owner", "agent1"),
            good.replace("01JD0Q", "01JD0R"),
            good.replace("\"text\":\"x\"", "\"text\":\"*\",\"encoding\":\"base64\""),
            good.replace("\"text\":\"x\"", "\"text\":\"x\",\"encoding\":\"rot13\""),
            String::new(),
        ] {
            assert!(Envelope::parse(bad.as_bytes(), name).is_err(), "{bad}");
        }
    }

    #[test]
    fn names_have_one_spelling() {
        for (text, good) in [
            (format!("{ID}-from-owner"), true),
            (format!("{ID}-from-agent10"), true),
            (format!("{ID}-from-agentinfinity"), true),
            (format!("{ID}-from-"), false),
            (format!("{ID}-from-agent01"), false),
            (format!("{ID}-from-owner.json"), false),
            (format!("{}-from-owner", ID.to_lowercase()), false),
            ("x-from-owner".to_owned(), false),
        ] {
            let parsed = text.parse::<EnvelopeName>();
            assert_eq!(parsed.is_ok(), good, "{text}");
            if let Ok(name) = parsed {
                assert_eq!(name.to_string(), text);
            }
        }
    }

    proptest::proptest! {
        #[test]
        fn every_byte_arrives(bytes: Vec<u8>) {
            let sent = envelope(&bytes);
            let json = serde_json::to_vec(&sent).unwrap();
            let read = Envelope::parse(&json, sent.name()).unwrap();
            proptest::prop_assert_eq!(read.content().unwrap(), bytes);
        }
    }

    proptest::proptest! {
        #![proptest_config(crate::mutation::tries(256))]

        #[test]
        fn a_damaged_envelope_is_refused_or_is_the_one_of_its_name(
            bytes in crate::mutation::mutants(
                vec![crate::mutation::format("envelope.json"), crate::mutation::format("envelope-base64.json")],
            ),
            from in proptest::sample::select(&["agent3", "watchdog"]),
        ) {
            let name: EnvelopeName = format!("{ID}-from-{from}").parse().unwrap();
            if let Ok(envelope) = Envelope::parse(&bytes, name) {
                proptest::prop_assert_eq!(envelope.name(), name);
                proptest::prop_assert!(envelope.content().unwrap().len() <= bytes.len());
                let shown = crate::handoff::parts::visible(&envelope);
                proptest::prop_assert!(!shown.contains(|c: char| c != '\n' && c.is_control()));
            }
        }

        #[test]
        fn a_damaged_name_is_refused_or_is_its_own_spelling(
            text in crate::mutation::texts(vec![format!("{ID}-from-agent3").into_bytes()]),
        ) {
            if let Ok(name) = text.parse::<EnvelopeName>() {
                proptest::prop_assert_eq!(name.to_string(), text);
            }
        }
    }
}
