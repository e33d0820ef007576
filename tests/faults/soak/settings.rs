//! The files that the test itself writes into the home: settings for each fault, and what is broken on purpose.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use super::course::{Course, Size};
use super::fault::{Breakage, Fault};
use super::home;

impl Course {
    /// Writes the settings: what a fault needs differs from what all need.
    pub(super) fn configure(&self, fault: &Fault) {
        let Size { agents, keep, .. } = self.size;
        let clones = agents - 1;
        let limits = match fault.needs_short_limits() {
            true => "read_timeout = \"300ms\"\nwrite_timeout = \"400ms\"\nspawn_timeout = \"500ms\"",
            false => "read_timeout = \"5s\"",
        };
        let (faulty, name) = match fault {
            Fault::AgentsMisbehave { agents, how } => (agents.as_slice(), how.name),
            _ => (&[][..], ""),
        };
        let up_wait = if name == "hang" { "2s" } else { "20s" };
        let program = &self.program;
        let mut text = format!(
            "[constellation]\nagent = \"demo\"\nclones = {clones}\n[tmux]\n{limits}\n\
             [restart]\nup_wait = \"{up_wait}\"\nstop_grace = \"600ms\"\nstatus_keep = {keep}\n[handoff]\nkeep = {keep}\n"
        );
        // agent1 always leaves somebody behind who has to be found.
        let orphaning = ("agent1".to_owned(), "orphan");
        let is_faulty = |agent: &String| faulty.contains(agent);
        let faulty = faulty.iter().map(|agent| (agent.clone(), name));
        for (agent, fail) in Some(orphaning).filter(|(agent, _)| !is_faulty(agent)).into_iter().chain(faulty)
        {
            write!(
                text,
                "[agent.{agent}]\nprofile = \"{agent}-{fail}\"\n[profile.{agent}-{fail}]\nbase = \"demo\"\n\
                 command = [{program:?}, \"demo-agent\", \"--fail\", \"{fail}\"]\n"
            )
            .unwrap();
        }
        replace(&self.world.home.join("config.toml"), text.as_bytes());
    }

    /// Breaks a file below the home.
    pub(super) fn break_file(&mut self, path: &str, how: Breakage) {
        let mut path = self.world.home.join(path);
        if path.is_dir() {
            let Some(newest) = home::records(&self.world.home).pop() else { return };
            self.sampler.watched().breaks(newest.file_name().unwrap().to_str().unwrap());
            path = newest;
        }
        let Ok(bytes) = fs::read(&path) else { return };
        let is_settings = path.ends_with("config.toml");
        let broken = match how {
            // Half of the settings, or none, are settings.
            _ if is_settings => b"[constellation\nclonse = 31".to_vec(),
            Breakage::Empty => Vec::new(),
            Breakage::Half => bytes[..bytes.len() / 2].to_vec(),
            Breakage::Zeros => vec![0; bytes.len()],
            Breakage::Nonsense => b"{\"version\":1,\"agents\":[[[".to_vec(),
        };
        self.broken_files += u64::from(!is_settings);
        // The lock stays the file that it is.
        if path.ends_with("restart.lock") {
            fs::write(&path, broken).unwrap()
        } else {
            replace(&path, &broken)
        }
    }
}

/// Writes a file as a careful editor does.
pub(super) fn replace(path: &Path, bytes: &[u8]) {
    let beside = path.with_extension("edited");
    fs::write(&beside, bytes).unwrap();
    fs::rename(&beside, path).unwrap();
}
