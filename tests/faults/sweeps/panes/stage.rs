//! One world of odd agents: what each must come to, and what may be typed into it.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::support::World;
use crate::sweep::{Finding, Harm, Run};

/// An odd agent. It finds its own directory as `$0` of its script, and keeps there what is typed into it.
pub(super) struct Part {
    pub(super) name: String,
    pub(super) acts: Acts,
    pub(super) ends: End,
    pub(super) keys: Keys,
}

pub(super) enum Acts {
    /// A script, with the screens of this profile; empty: nothing is known of them.
    Script { base: &'static str, script: String },
    /// The demo agent with these arguments.
    Demo(String),
    /// The same, asked by a paste.
    Asked(String),
    /// A script of which nothing is known, asked by a paste.
    Pasted { script: String },
}

/// What it comes to, as `up --json` spells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Up,
    NotUp,
    Blocked,
    Limited,
}

pub(super) enum Keys {
    Exactly(String),
    /// Whatever helps; what an agent does with a wrong one is seen by its end.
    Any,
    /// No Return.
    Unconfirmed,
}

/// A setting: the work directory has a long path.
pub(super) const DEEP: &str = "workdir = \"{deep}\"";

pub(super) const UP: &str = "\u{1b}[A";

impl Part {
    /// A script that draws this in one go and keeps every key. Nothing is known of its screens.
    pub(super) fn drawing(name: &str, drawing: &str, ends: End) -> Self {
        Self::drawing_as("", name, drawing, ends)
    }

    pub(super) fn drawing_as(base: &'static str, name: &str, drawing: &str, ends: End) -> Self {
        let octal: String = drawing.bytes().map(|byte| format!("\\0{byte:03o}")).collect();
        Self::acting(base, name, &format!("printf %b '{octal}'"), ends)
    }

    pub(super) fn acting(base: &'static str, name: &str, script: &str, ends: End) -> Self {
        let script = format!("cd \"$0\"; stty raw -echo; {script}; exec cat >keys");
        let keys = Keys::Exactly(String::new());
        Self { name: name.to_owned(), acts: Acts::Script { base, script }, ends, keys }
    }

    pub(super) fn demo(arguments: &str, ends: End, keys: Keys) -> Self {
        Self { name: arguments.to_owned(), acts: Acts::Demo(arguments.to_owned()), ends, keys }
    }
}

pub(super) struct Stage {
    pub(super) world: World,
    pub(super) found: Vec<Finding>,
}

impl Stage {
    /// agent0 is an ordinary one; the parts are agent1 and on.
    pub(super) fn set(run: &Run, parts: &[Part], settings: &str) -> Self {
        let world = run.world();
        let program = &world.program;
        let deep = world.work.join("deep".repeat(50));
        fs::create_dir(&deep).unwrap();
        let settings = settings.replace("{deep}", deep.to_str().unwrap());
        let mut config = format!(
            "[constellation]\nclones = {}\nagent = \"plain\"\n{settings}\n[profile.plain]\nbase = \"demo\"\n\
             command = [{program:?}, \"demo-agent\", \"--trusted\"]\n",
            parts.len()
        );
        for (number, part) in (1..).zip(parts) {
            let dir = world.root().join(number.to_string());
            fs::create_dir(&dir).unwrap();
            config
                .push_str(&format!("[agent.agent{number}]\nprofile = \"p{number}\"\n[profile.p{number}]\n"));
            config.push_str(&match &part.acts {
                Acts::Script { base, script } => {
                    let base = if base.is_empty() { String::new() } else { format!("base = \"{base}\"\n") };
                    format!("{base}command = [\"sh\", \"-c\", {script:?}, {dir:?}]\nmemory = \"1MiB\"\n")
                }
                Acts::Pasted { script } => {
                    format!("how = \"paste\"\ncommand = [\"sh\", \"-c\", {script:?}, {dir:?}]\nmemory = \"1MiB\"\n")
                }
                Acts::Demo(arguments) | Acts::Asked(arguments) => {
                    let words: Vec<String> = arguments.split(' ').map(|word| format!("{word:?}")).collect();
                    let how = if matches!(part.acts, Acts::Asked(_)) { "how = \"paste\"\n" } else { "" };
                    let keys = dir.join("keys");
                    format!(
                        "base = \"demo\"\n{how}command = [{program:?}, \"demo-agent\", \"--record\", {keys:?}, {}]\n",
                        words.join(", ")
                    )
                }
            });
        }
        world.configure(&config);
        Self { world, found: Vec::new() }
    }

    /// Brings all up and holds each against its part.
    pub(super) fn play(&mut self, parts: &[Part]) {
        let ran = self.world.netsky(["up", "--json"]).run();
        let raised: Value = serde_json::from_slice(&ran.bytes[0]).unwrap_or(Value::Null);
        let agents = raised["agents"].as_array().cloned().unwrap_or_default();
        if agents.len() != parts.len() + 1 || ![0, 3].contains(&ran.code) {
            return self.find(Harm::Other, format!("up: {}: {}", ran.code, ran.stderr));
        }
        for (number, part) in (1..).zip(parts) {
            let (state, error) = (&agents[number]["state"], &agents[number]["error"]);
            let state = state.as_str().unwrap_or_default();
            let holds = match part.ends {
                End::Up => state == "up",
                End::NotUp => !["up", "exited"].contains(&state),
                End::Blocked => state == "blocked",
                End::Limited => state == "limited",
            };
            let harm = if state == "up" { Harm::FalseSuccess } else { Harm::Other };
            if !holds {
                self.find(harm, format!("{}: {state}, {error}, not {:?}", part.name, part.ends));
            }
            self.hold_keys(number, part);
        }
    }

    pub(super) fn hold_keys(&mut self, number: usize, part: &Part) {
        let typed = self.typed(number);
        let holds = match &part.keys {
            Keys::Exactly(keys) => typed == *keys,
            Keys::Unconfirmed => !typed.contains('\r'),
            Keys::Any => true,
        };
        if !holds {
            self.find(Harm::Other, format!("{}: typed was {typed:?}", part.name));
        }
    }

    pub(super) fn keys(&self, number: usize) -> PathBuf {
        self.world.root().join(number.to_string()).join("keys")
    }

    pub(super) fn typed(&self, number: usize) -> String {
        String::from_utf8_lossy(&fs::read(self.keys(number)).unwrap_or_default()).into_owned()
    }

    pub(super) fn find(&mut self, harm: Harm, what: String) {
        self.found.push((harm, what));
    }
}
