//! An agent without hooks whose marker is on its screen at once, or when a test lets it.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use crate::stand_in::write_program;
use crate::support::World;

/// Bots wait until this file is there, if they are to wait.
const GATE: &str = "go";

/// Who waits writes its name here.
const WAITING: &str = "waiting";

/// Configures a world whose agents are bots that run `script` before they say that they are up.
fn configure(world: &World, script: &str, settings: &str) {
    let bot = world.work.join("bot");
    if !bot.exists() {
        write_program(&bot, &format!("#!/bin/sh\n{script}\necho 'session 1 up'\nexec sleep 600\n"));
    }
    world.configure(&format!(
        "[constellation]\nclones = 1\nagent = \"bot\"\nroot_agent = \"bot\"\n{settings}\n\
         [profile.bot]\ncommand = [{bot:?}]\nmemory = \"1MiB\"\n"
    ));
}

/// Bots that are up at once.
pub fn prompt(world: &World, settings: &str) {
    configure(world, "", settings);
}

/// Bots that wait at a gate.
pub fn at_gate(world: &World, settings: &str) -> Gate {
    let gate = Gate { dir: world.work.clone() };
    let (file, waiting) = (gate.dir.join(GATE), gate.dir.join(WAITING));
    let script = format!("echo $NETSKY_AGENT >>{waiting:?}\nuntil [ -e {file:?} ]; do sleep 0.02; done");
    configure(world, &script, settings);
    gate
}

/// Settings by which netsky waits so long for each answer of tmux.
pub fn limits(limit: Duration) -> String {
    let limit = format!("{}ms", limit.as_millis());
    format!("[tmux]\nread_timeout = {limit:?}\nwrite_timeout = {limit:?}\nspawn_timeout = {limit:?}\n")
}

/// Settings for whatever is to succeed, also on a busy machine.
pub fn patient() -> String {
    limits(Duration::from_secs(20))
}

/// The gate of a world.
pub struct Gate {
    dir: PathBuf,
}

impl Gate {
    pub fn open(&self) {
        fs::write(self.dir.join(GATE), "").unwrap();
    }

    /// From now on they wait; nobody does yet.
    pub fn close(&self) {
        fs::write(self.dir.join(WAITING), "").unwrap();
        let gate = self.dir.join(GATE);
        if gate.exists() {
            fs::remove_file(gate).unwrap();
        }
    }

    /// Whether somebody waits.
    pub fn is_awaited(&self) -> bool {
        fs::read_to_string(self.dir.join(WAITING)).is_ok_and(|waiting| !waiting.is_empty())
    }
}
