//! The resolved settings in rows, for people and for scripts.

use std::path::Path;
use std::time::Duration;

use serde::{Serialize, Serializer, ser::SerializeStruct};
use serde_json::{Value, json};

use super::{Loaded, ProfileOverrides, Socket, Source};
use crate::text;

/// What stands for the value of an agent's variable: it may be a secret, and what this prints gets pasted.
const HIDDEN: &str = "(set, not shown)";

/// One setting.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ShownValue {
    /// The whole key.
    pub key: String,
    /// A string, a number, a list of strings, or null where nothing is set.
    pub value: Value,
    /// Where it came from.
    pub source: Source,
}

impl ShownValue {
    /// The value on one line, as it would be written in the file; `-` where nothing is set.
    pub fn value_text(&self) -> String {
        match &self.value {
            Value::Null => "-".to_owned(),
            value => text::one_line(&value.to_string()),
        }
    }
}

/// What `netsky config show --json` prints.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ConfigDocument {
    /// 1.
    pub version: u64,
    /// The configuration file.
    pub file: String,
    /// Whether there is one.
    pub file_exists: bool,
    /// All settings.
    pub values: Vec<ShownValue>,
}

impl Serialize for Source {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (kind, path, line, name) = match self {
            Self::Default => ("default", None, None, None),
            Self::File { path, line } => ("file", Some(path.to_string_lossy()), Some(*line), None),
            Self::Environment { variable } => ("environment", None, None, Some(*variable)),
            Self::Flag { name } => ("flag", None, None, Some(*name)),
        };
        let mut source = serializer.serialize_struct("Source", 4)?;
        source.serialize_field("kind", kind)?;
        source.serialize_field("path", &path)?;
        source.serialize_field("line", &line)?;
        source.serialize_field("name", &name)?;
        source.end()
    }
}

impl Loaded {
    /// Every setting with its source, in the order of the documentation.
    pub fn rows(&self) -> Vec<ShownValue> {
        let mut rows = self.constellation_rows();
        rows.extend(self.limit_rows());
        rows.extend(self.profile_rows());
        rows.push(self.row("log", self.config.log.as_str()));
        rows.push(self.row("color", self.config.color.as_str()));
        rows
    }

    /// The document of `netsky config show --json`.
    pub fn document(&self) -> ConfigDocument {
        let file = self.file.to_string_lossy().into_owned();
        ConfigDocument { version: 1, file, file_exists: self.file_exists, values: self.rows() }
    }

    fn row(&self, key: impl Into<String>, value: impl Into<Value>) -> ShownValue {
        let key = key.into();
        let source = self.source_of(&key);
        ShownValue { key, value: value.into(), source }
    }

    fn constellation_rows(&self) -> Vec<ShownValue> {
        let constellation = &self.config.constellation;
        let trust: Vec<String> = constellation.trust.iter().map(|dir| path(dir)).collect();
        let mut rows = vec![
            self.row("constellation.clones", constellation.clones),
            self.row("constellation.agent", constellation.agent.as_str()),
            self.row("constellation.root_agent", constellation.root_agent.as_str()),
            self.row("constellation.workdir", constellation.workdir.as_deref().map(path)),
            self.row("constellation.permissions", constellation.permissions.as_str()),
            self.row("constellation.trust", trust),
        ];
        for (name, own) in &constellation.agents {
            let set = [
                ("workdir", own.workdir.as_deref().map(path)),
                ("profile", own.profile.clone()),
                ("role", own.role.clone()),
            ];
            rows.extend(set.into_iter().filter_map(|(key, value)| {
                value.map(|value| self.row(format!("agent.{name}.{key}"), value))
            }));
        }
        rows
    }

    fn limit_rows(&self) -> Vec<ShownValue> {
        let (tmux, restart, handoff) = (&self.config.tmux, &self.config.restart, &self.config.handoff);
        let (columns, rows) = tmux.size;
        vec![
            self.row("tmux.socket", socket(&tmux.socket)),
            self.row("tmux.size", format!("{columns}x{rows}")),
            self.row("tmux.read_timeout", duration(tmux.read_timeout)),
            self.row("tmux.write_timeout", duration(tmux.write_timeout)),
            self.row("tmux.spawn_timeout", duration(tmux.spawn_timeout)),
            self.row("tmux.conf", tmux.conf.as_deref().map(path)),
            self.row("restart.up_wait", duration(restart.up_wait)),
            self.row("restart.prompt_wait", duration(restart.prompt_wait)),
            self.row("restart.stop_grace", duration(restart.stop_grace)),
            self.row("restart.start_parallel", restart.start_parallel),
            self.row("restart.status_keep", restart.status_keep),
            self.row("handoff.keep", handoff.keep),
            self.row("handoff.max_bytes", size(handoff.max_bytes)),
        ]
    }

    fn profile_rows(&self) -> Vec<ShownValue> {
        let mut rows = Vec::new();
        for (name, profile) in &self.config.profiles {
            for (key, value) in profile_values(profile) {
                rows.push(self.row(format!("profile.{name}.{key}"), value));
            }
        }
        rows
    }
}

fn profile_values(profile: &ProfileOverrides) -> Vec<(String, Value)> {
    let mut values: Vec<(String, Value)> = [
        ("base", profile.base.as_ref().map(|base| json!(base))),
        ("command", profile.command.as_ref().map(|command| json!(command))),
        ("startup", profile.startup.as_ref().map(|startup| json!(startup))),
        ("how", profile.how.map(|how| json!(how.as_str()))),
        ("marker", profile.marker.as_ref().map(|marker| json!(marker))),
        ("memory", profile.memory.map(|memory| json!(size(memory)))),
    ]
    .into_iter()
    .filter_map(|(key, value)| Some((key.to_owned(), value?)))
    .collect();
    values.extend(profile.env.keys().map(|name| (format!("env.{name}"), json!(HIDDEN))));
    values
}

fn path(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

fn socket(socket: &Socket) -> Option<String> {
    match socket {
        Socket::OwnHome => None,
        Socket::Name(name) => Some(name.clone()),
        Socket::Path(file) => Some(path(file)),
        Socket::UserDefault => Some("default".to_owned()),
    }
}

/// Exact, so that it can be written back: `90s`, not `1m 30s`, where that loses nothing.
fn duration(duration: Duration) -> String {
    let short = text::duration(duration);
    if text::parse_duration(&short) == Ok(duration) {
        return short;
    }
    humantime::format_duration(duration).to_string()
}

/// Exact, so that it can be written back.
fn size(bytes: u64) -> String {
    for (unit, name) in [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")] {
        if bytes.is_multiple_of(unit) {
            return format!("{}{name}", bytes / unit);
        }
    }
    format!("{bytes}B")
}
