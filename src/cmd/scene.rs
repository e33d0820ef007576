//! A home and a caller for one test, and the proof that a document is what its schema says.

use std::path::{Path, PathBuf};

use crate::name::AgentName;
use crate::paths::Home;
use crate::persist;
use crate::state::spawned::{Spawn, Spawned};

use super::Caller;

pub(super) struct Scene {
    pub(super) dir: tempfile::TempDir,
    pub(super) home: Home,
    pub(super) caller: Caller,
}

impl Scene {
    pub(super) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("home");
        let home = Home::locate(Some(&root), None, None).unwrap();
        home.create().unwrap();
        let variables: [(&str, PathBuf); 4] = [
            ("HOME", dir.path().join("user")),
            ("NETSKY_HOME", root),
            ("PATH", dir.path().join("bin")),
            ("USER", "me".into()),
        ];
        let caller = Caller {
            environment: variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect(),
            umask: 0o022,
            dir: Some(dir.path().to_owned()),
            netsky: "/opt/netsky".into(),
            stdout_is_terminal: false,
            stderr_is_terminal: false,
            stdin_is_terminal: false,
            constellation: None,
        };
        Self { dir, home, caller }
    }

    pub(super) fn configure(&self, text: &str) {
        persist::replace(&self.home.config(), text.as_bytes()).unwrap();
    }

    /// A file outside the home.
    pub(super) fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.dir.path().join(name);
        persist::make_dir(persist::parent_of(&path)).unwrap();
        persist::replace(&path, bytes).unwrap();
        path
    }

    pub(super) fn read(&self, path: impl AsRef<Path>) -> String {
        std::fs::read_to_string(self.dir.path().join(path)).unwrap()
    }

    /// Notes that these agents were spawned.
    pub(super) fn spawned(&self, agents: &[AgentName]) -> Spawned {
        let mut spawned = Spawned::default();
        for agent in agents {
            let spawn = Spawn {
                generation: crate::id::Generation::fresh(),
                profile: "demo".into(),
                from_flag: false,
                session_number: 1,
                workdir: "/".into(),
                at: crate::clock::utc_now(),
                pane: None,
                ready: None,
                cli_session: None,
            };
            spawned.agents.insert(*agent, spawn);
        }
        spawned.store(&self.home).unwrap();
        spawned
    }

    /// From now on the caller sits in the session of `agent`.
    pub(super) fn sit_in(&mut self, agent: AgentName, spawned: &Spawned) {
        let generation = spawned.generation(agent).unwrap().to_string();
        self.caller.environment.insert("NETSKY_AGENT".into(), agent.to_string().into());
        self.caller.environment.insert("NETSKY_GENERATION".into(), generation.into());
    }
}

/// Fails unless `document` is what `schemas/<name>.schema.json` describes.
pub(super) fn assert_valid(name: &str, document: &impl serde::Serialize) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("schemas/{name}.schema.json"));
    let schema = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let document = serde_json::to_value(document).unwrap();
    let validator = jsonschema::draft202012::new(&schema).unwrap();
    if let Err(error) = validator.validate(&document) {
        panic!("{name}: {error} at {}\n{document:#}", error.instance_path());
    }
}
