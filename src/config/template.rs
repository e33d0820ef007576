//! The `config.toml` that `netsky init` writes: every setting with its default in a comment.

use std::fmt::Write as _;
use std::path::PathBuf;

use chrono::{DateTime, Utc};

use super::{Config, Permissions};
use crate::clock;
use crate::text;

/// What `netsky init` asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choices {
    /// What agents may do without a person.
    pub permissions: Permissions,
    /// Who chose that.
    pub by: String,
    /// When.
    pub at: DateTime<Utc>,
    /// The profile of every agent, where another than the default was chosen.
    pub agent: Option<String>,
    /// Where agents work, where that was chosen.
    pub workdir: Option<PathBuf>,
    /// The directories whose trust dialog may be answered.
    pub trust: Vec<PathBuf>,
}

/// The file's text. What was not chosen is a comment, so that a later default is not frozen.
///
/// Paths that are not UTF-8 cannot be written into TOML and are left out.
pub fn template(choices: &Choices) -> String {
    let defaults = Config::default();
    let mut out = String::from(HEAD);
    // A person's name may hold anything; a comment must stay one line.
    let by = text::one_line(&choices.by);
    let mut line = |active: bool, key: &str, value: String, note: &str| {
        let sign = if active { "" } else { "# " };
        let note = if note.is_empty() { String::new() } else { format!("  # {note}") };
        // Writing into a string cannot fail.
        writeln!(out, "{sign}{key} = {value}{note}").unwrap_or_default();
    };
    line(false, "clones", defaults.constellation.clones.to_string(), "agents besides agent0");
    let agent = choices.agent.as_deref().unwrap_or(&defaults.constellation.agent);
    line(choices.agent.is_some(), "agent", quoted(agent), "profile of every agent");
    line(false, "root_agent", quoted(agent), "profile of agent0, where it is another");
    if let Some(dir) = choices.workdir.as_ref().and_then(|dir| dir.to_str()) {
        line(true, "workdir", quoted(dir), "");
    } else {
        line(false, "workdir", quoted("/home/me/project"), "nothing: where netsky up was called");
    }
    let chosen = format!("chosen by {by} at {}", clock::stamp(choices.at));
    line(true, "permissions", quoted(choices.permissions.as_str()), &chosen);
    let trust: Vec<String> = choices.trust.iter().filter_map(|dir| dir.to_str()).map(quoted).collect();
    line(!trust.is_empty(), "trust", format!("[{}]", trust.join(", ")), "`netsky trust DIR` adds one");
    out.push_str(REST);
    out
}

/// A TOML string.
fn quoted(text: &str) -> String {
    toml_edit::Value::from(text).to_string()
}

const HEAD: &str = r#"# Settings of netsky. What stands behind a # is the default.
# `netsky config show` prints every value with its source, `netsky config check` every error.

[constellation]
# permissions: what agents may do without a person.
#   "ask"     they ask for everything
#   "edits"   they edit files without asking
#   "bypass"  they do anything without asking
"#;

const REST: &str = r#"
# One agent may be different:
# [agent.agent2]
# workdir = "/home/me/other"
# profile = "codex"
# role = "reviewer"

[tmux]
# socket = "default"        # your own server; a plain name: tmux -L; a path: tmux -S; nothing: one of netsky's own
# size = "200x50"
# read_timeout = "2s"
# write_timeout = "5s"
# spawn_timeout = "10s"
# conf = "/home/me/.tmux.conf"   # a tmux file to source after netsky's own settings

[restart]
# up_wait = "90s"           # for each agent's startup turn, from its own start
# prompt_wait = "30s"       # for the dialogs before it
# stop_grace = "5s"         # between asking an agent to end and ending it
# start_parallel = 0        # how many may be starting at once; 0: all
# status_keep = 20          # how many restarts `netsky history` remembers, and screens `netsky logs`

[handoff]
# keep = 100                # envelopes in the archive; NETSKY_HANDOFF_KEEP overrides
# max_bytes = "1MiB"

# A new profile; a built-in's name (claude, codex, gemini, opencode, demo) overrides its fields:
# [profile.mybot]
# command = ["mybot", "--interactive"]
# env = { MYBOT_MODE = "fast" }
# startup = "netsky up"     # the first thing that is asked
# how = "argument"          # or "paste"
# marker = 'session \d+'    # regular expression for the marker's core
# memory = "300MiB"         # for the preflight
"#;

#[cfg(test)]
mod tests;
