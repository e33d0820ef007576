//! The behaviour file: by which a test says how the model acts. A JSON object, read anew at each request; a missing
//! file is `{}`, every field has a default, an unknown field is an error (the CLI then gets a 500 that names it).
//!
//! ```json
//! {
//!   "error": 429,                         or {"status": 429, "type": "…", "message": "…", "headers": {"…": "…"}}
//!   "aside": "respond with text only|…",  what marks a request for a summary or a title, answered in a word
//!   "unread": "read all of it in|…",      what announces a message that must be read with a tool
//!   "nudge": "a message waits in your inbox",   what asks to read one, if it was not put into the context
//!   "whole": "BEGIN message",             what shows that it was
//!   "acknowledge": "mark it taken: run `([^`]+)`",   what a tool result asks to be run when all was read
//!   "part": "part (\\d+) of (\\d+)",      how a tool result says which part it is
//!   "command": "`([^`]*inbox next[^`]*)`", how the command that reads it is found in the context
//!   "tool": "echo hello",                 a shell command to run once in each conversation …
//!   "tool_if": "please",                  … in which this was put before the model
//!   "say": "Done.",                       the answer, instead of the default sentence and the marker
//!   "escalate": true,                     … which Codex is to run outside its sandbox
//!   "cut": true,                          the stream breaks off in mid-answer
//!   "no_marker": true,                    the default sentence alone
//!   "agent": "you are (agent\\d+|agentinfinity)",   "number": "number is (\\d+)"
//!   "chunks": 20, "delay_ms_per_chunk": 500,        in how many pieces the answer is streamed, and how fast
//!   "input_tokens": 100,                  the size of the context that is reported (auto-compact believes it)
//!   "agents": {"agent2": {"error": 401}}  what is different for one agent
//! }
//! ```

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use regex::{Regex, RegexBuilder};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::conversation::Conversation;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("reading the behaviour file {path}")]
    Read { path: PathBuf, source: std::io::Error },
    #[error("parsing the behaviour file {path}")]
    Parse { path: PathBuf, source: serde_json::Error },
    #[error("applying the behaviour of {agent}")]
    Agent { agent: String, source: serde_json::Error },
}

#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Behaviour {
    pub error: Option<Refusal>,
    pub aside: Pattern,
    pub unread: Pattern,
    pub nudge: Pattern,
    pub whole: Pattern,
    pub acknowledge: Pattern,
    pub part: Pattern,
    pub command: Pattern,
    pub tool: Option<String>,
    pub tool_if: Option<String>,
    pub say: Option<String>,
    pub escalate: bool,
    pub cut: bool,
    pub no_marker: bool,
    pub agent: Pattern,
    pub number: Pattern,
    pub chunks: usize,
    pub delay_ms_per_chunk: u64,
    pub input_tokens: u64,
    agents: BTreeMap<String, Map<String, Value>>,
    #[serde(skip)]
    source: Map<String, Value>,
}

/// An HTTP error to answer with.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Refusal {
    Status(u16),
    Full {
        status: u16,
        #[serde(rename = "type")]
        kind: Option<String>,
        message: Option<String>,
        #[serde(default)]
        headers: BTreeMap<String, String>,
    },
}

/// A regular expression, case-insensitive unless it says otherwise.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "String")]
pub struct Pattern(Regex);

impl Behaviour {
    pub fn load(path: &Path) -> Result<Self, Error> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(source) => return Err(Error::Read { path: path.to_owned(), source }),
        };
        serde_json::from_str(&text)
            .and_then(Self::from_map)
            .map_err(|source| Error::Parse { path: path.to_owned(), source })
    }

    /// This behaviour with what `agents` says about the agent whose conversation this is.
    pub fn for_agent_in(&self, conversation: &Conversation) -> Result<Self, Error> {
        let agent = self.agent.last_in(conversation.given()).unwrap_or_default().to_lowercase();
        let Some(own) = self.agents.get(&agent) else { return Ok(self.clone()) };
        let mut merged = self.source.clone();
        merged.extend(own.clone());
        Self::from_map(merged).map_err(|source| Error::Agent { agent, source })
    }

    /// The pause before each piece of an answer.
    pub fn pace(&self) -> Duration {
        Duration::from_millis(self.delay_ms_per_chunk)
    }

    /// What of an answer is sent: not its last two events where it is to be cut.
    pub fn kept<'e, E>(&self, events: &'e [E]) -> &'e [E] {
        let left_out = if self.cut { 2 } else { 0 };
        events.get(..events.len().saturating_sub(left_out)).unwrap_or_default()
    }

    fn from_map(source: Map<String, Value>) -> serde_json::Result<Self> {
        let read: Self = serde_json::from_value(Value::Object(source.clone()))?;
        Ok(Self { source, ..read })
    }
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            error: None,
            aside: Pattern::built_in("respond with text only|generate a concise, single-line task title"),
            unread: Pattern::built_in("read all of it in|more messages? waits?: run"),
            nudge: Pattern::built_in("a message waits in your inbox"),
            whole: Pattern::built_in("BEGIN (head of )?message"),
            acknowledge: Pattern::built_in("mark it taken: run `([^`]+)`"),
            part: Pattern::built_in(r"part (\d+) of (\d+)"),
            command: Pattern::built_in(r"`([^`]*inbox next[^`]*)`"),
            tool: None,
            tool_if: None,
            say: None,
            escalate: false,
            cut: false,
            no_marker: false,
            agent: Pattern::built_in(r"you are (agent\d+|agentinfinity)"),
            number: Pattern::built_in(r"number is (\d+)"),
            chunks: 1,
            delay_ms_per_chunk: 0,
            input_tokens: 100,
            agents: BTreeMap::new(),
            source: Map::new(),
        }
    }
}

impl Refusal {
    pub fn status(&self) -> u16 {
        match self {
            Self::Status(status) | Self::Full { status, .. } => *status,
        }
    }

    /// The error's type, in Anthropic's words unless the file says another.
    pub fn kind(&self) -> &str {
        if let Self::Full { kind: Some(kind), .. } = self {
            return kind;
        }
        match self.status() {
            400 => "invalid_request_error",
            401 => "authentication_error",
            403 => "permission_error",
            404 => "not_found_error",
            429 => "rate_limit_error",
            529 => "overloaded_error",
            _ => "api_error",
        }
    }

    pub fn message(&self) -> String {
        match self {
            Self::Full { message: Some(message), .. } => message.clone(),
            Self::Status(_) | Self::Full { .. } => format!("loopback model says {}", self.status()),
        }
    }

    /// Those of the file; a bare 429 comes with a `retry-after` that is too far away to wait for.
    pub fn headers(&self) -> Vec<(String, String)> {
        match self {
            Self::Full { headers, .. } => headers.clone().into_iter().collect(),
            Self::Status(429) => vec![("retry-after".to_owned(), "3600".to_owned())],
            Self::Status(_) => Vec::new(),
        }
    }
}

impl Pattern {
    pub fn is_in(&self, text: &str) -> bool {
        self.0.is_match(text)
    }

    /// The last match in the latest text that has one: its first group, or all of it.
    pub fn last_in<'t>(&self, texts: impl DoubleEndedIterator<Item = &'t str>) -> Option<&'t str> {
        texts.rev().find_map(|text| self.0.captures_iter(text).last().and_then(first_group))
    }

    /// The first match in the latest text that has one: its first group, or all of it.
    pub fn first_in<'t>(&self, texts: impl DoubleEndedIterator<Item = &'t str>) -> Option<&'t str> {
        texts.rev().find_map(|text| self.0.captures(text).and_then(first_group))
    }

    /// Two numbers from the first match.
    pub fn numbers_in(&self, text: &str) -> Option<(u64, u64)> {
        let captures = self.0.captures(text)?;
        let number = |index| captures.get(index)?.as_str().parse().ok();
        Some((number(1)?, number(2)?))
    }

    #[expect(clippy::expect_used, reason = "a constant expression, compiled by every test")]
    fn built_in(pattern: &str) -> Self {
        Self::compile(pattern).expect("a built-in expression compiles")
    }

    fn compile(pattern: &str) -> Result<Self, regex::Error> {
        RegexBuilder::new(pattern).case_insensitive(true).build().map(Self)
    }
}

impl TryFrom<String> for Pattern {
    type Error = regex::Error;

    fn try_from(pattern: String) -> Result<Self, Self::Error> {
        Self::compile(&pattern)
    }
}

fn first_group(captures: regex::Captures<'_>) -> Option<&str> {
    captures.get(1).or_else(|| captures.get(0)).map(|found| found.as_str())
}
