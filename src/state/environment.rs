//! `state/environment.json`: the owner's environment at the last owner verb.
//!
//! Spawns that no owner stands behind (an agent's restart, the watchdog's) get this one. It may hold secrets, as the
//! environment does: the file is readable by its owner alone, and no value of it ever becomes an argument.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::paths::Home;
use crate::persist::{self, PersistError, StateFile};

/// Names and values, whatever bytes they are.
pub type Environment = BTreeMap<OsString, OsString>;

/// An environment and the mask for new files, as they were when the owner asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnerSurroundings {
    /// The environment, without netsky's and tmux's own variables.
    pub environment: Environment,
    /// The file mode creation mask.
    pub umask: u32,
}

#[derive(Debug, Serialize, Deserialize)]
struct File {
    version: u64,
    umask: u32,
    variables: BTreeMap<String, String>,
    /// What is not UTF-8: base64 of name and of value.
    #[serde(default)]
    opaque: Vec<(String, String)>,
}
impl StateFile for File {}

impl OwnerSurroundings {
    /// Makes them durable.
    pub fn store(&self, home: &Home) -> Result<(), PersistError> {
        let (variables, opaque) = encode(&self.environment);
        persist::store(&home.environment(), &File { version: 1, umask: self.umask, variables, opaque })
    }

    /// Reads them; `None` where no owner has asked for anything yet (or the file had to be moved aside).
    pub fn load(home: &Home) -> Result<Option<Self>, PersistError> {
        let file = persist::load::<File>(&home.environment())?.present();
        Ok(file.map(|file| Self { environment: decode(file.variables, file.opaque), umask: file.umask }))
    }
}

/// The UTF-8 part of an environment, and the rest in base64.
pub fn encode(environment: &Environment) -> (BTreeMap<String, String>, Vec<(String, String)>) {
    let mut variables = BTreeMap::new();
    let mut opaque = Vec::new();
    for (name, value) in environment {
        match (name.to_str(), value.to_str()) {
            (Some(name), Some(value)) => {
                variables.insert(name.to_owned(), value.to_owned());
            }
            _ => opaque.push((STANDARD.encode(name.as_bytes()), STANDARD.encode(value.as_bytes()))),
        }
    }
    (variables, opaque)
}

/// The inverse of [`encode`]; pairs that are no base64 are dropped.
pub fn decode(variables: BTreeMap<String, String>, opaque: Vec<(String, String)>) -> Environment {
    let bytes = |text: &str| STANDARD.decode(text).ok().map(OsString::from_vec);
    variables
        .into_iter()
        .map(|(name, value)| (OsString::from(name), OsString::from(value)))
        .chain(opaque.iter().filter_map(|(name, value)| Some((bytes(name)?, bytes(value)?))))
        .collect()
}

/// The environment an agent may inherit: what marks the caller as sitting in tmux, in netsky or in another agent's
/// session is left out.
pub fn inheritable(environment: &Environment) -> Environment {
    let is_mark = |name: &OsStr| {
        let name = name.as_bytes();
        name.starts_with(b"TMUX")
            || name.starts_with(b"NETSKY_")
            || matches!(
                name,
                b"AGENT_N"
                    | b"CLAUDECODE"
                    | b"CLAUDE_CODE_ENTRYPOINT"
                    | b"CLAUDE_CODE_SSE_PORT"
                    | b"CLAUDE_CODE_SESSION_ID"
                    | b"CLAUDE_CODE_CHILD_SESSION"
                    | b"CLAUDE_PROJECT_DIR"
                    | b"CLAUDE_ENV_FILE"
                    | b"AI_AGENT"
                    | b"CODEX_SESSION_ID"
                    | b"CODEX_TOOL_CALL_ID"
                    | b"CODEX_SANDBOX"
                    | b"CODEX_SANDBOX_NETWORK_DISABLED"
                    | b"CODEX_THREAD_ID"
            )
    };
    environment
        .iter()
        .filter(|(name, _)| !is_mark(name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_of_the_environment_survives_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::locate(Some(dir.path()), None, None).unwrap();
        home.create().unwrap();
        let environment: Environment = [
            ("A".into(), "é=\n".into()),
            ("B".into(), OsString::from_vec(vec![0xff, b'='])),
            ("C".into(), "".into()),
        ]
        .into();
        let surroundings = OwnerSurroundings { environment, umask: 0o022 };
        surroundings.store(&home).unwrap();
        assert_eq!(OwnerSurroundings::load(&home).unwrap(), Some(surroundings));
    }

    #[test]
    fn marks_of_tmux_netsky_and_other_agents_are_not_inherited() {
        let names = [
            "PATH",
            "TMUX",
            "TMUX_PANE",
            "TMUX_TMPDIR",
            "NETSKY_HOME",
            "CLAUDECODE",
            "AGENT_N",
            "CODEX_HOME",
        ];
        let environment = names.iter().map(|name| (OsString::from(name), OsString::new())).collect();
        let left: Vec<_> = inheritable(&environment).into_keys().collect();
        assert_eq!(left, ["CODEX_HOME", "PATH"]);
    }
}
