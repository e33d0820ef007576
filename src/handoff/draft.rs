//! Drafts: what an agent has written for its successor so far, and in which generation.
//!
//! The text lies in `handoff/draft/<agent>.md`, its generation and what it is of beside it. The text is written first: one
//! that the record is not of is newer than the record.

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::fence::sha256;
use super::source::Source;
use super::{HandoffError, LARGEST_TEXT, Result, is_there};
use crate::id::Generation;
use crate::name::AgentName;
use crate::paths::Home;
use crate::persist::{self, StateFile};

/// When a draft was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Written {
    version: u64,
    /// By which spawn; `None` where the writer was outside of one.
    pub generation: Option<Generation>,
    /// When.
    #[serde(with = "crate::clock::stamped")]
    pub at: DateTime<Utc>,
    /// Of what text; older versions did not write it.
    #[serde(default)]
    pub sha256: Option<String>,
}

impl StateFile for Written {}

/// Replaces the draft of `agent`. Which `generation` it is of is asked only once the text is there: a restart that takes
/// its agent's place meanwhile either finds the text, or is what the answer names.
///
/// # Errors
/// It exceeds `limit` bytes, or the system refused. Then the old draft, or the new one, is whole.
pub fn write(
    home: &Home,
    agent: AgentName,
    text: &[u8],
    generation: impl FnOnce() -> Result<Option<Generation>>,
    limit: u64,
    now: DateTime<Utc>,
) -> Result<()> {
    let path = home.draft(agent);
    let limit = limit.min(LARGEST_TEXT);
    if text.len() as u64 > limit {
        return Err(HandoffError::SourceTooLarge { path: "-".into(), limit });
    }
    persist::make_own_dir(persist::parent_of(&path))?;
    persist::replace(&path, text)?;
    let written = Written { version: 1, generation: generation()?, at: now, sha256: Some(sha256(text)) };
    Ok(persist::store(&record_path(home, agent), &written)?)
}

/// The draft of `agent` as a hand-over, if it was written in the generation that is `ending`; `None`: nobody knows
/// which one that is. Where that is so, or the draft has no record that can be understood, or one of no generation or of
/// another text (somebody wrote it where it lies), it counts as new, because an old text that is handed over again does
/// less harm than a new one that is not. So does one that cannot be read: whoever takes it says why.
pub fn source(
    home: &Home,
    agent: AgentName,
    ending: Option<Generation>,
    now: DateTime<Utc>,
) -> Result<Option<Source>> {
    if !is_there(&home.draft(agent))? {
        return Ok(None);
    }
    let anew = || Written { version: 1, generation: ending, at: now, sha256: None };
    let written = persist::load_or(&record_path(home, agent), anew)?;
    let is_of_another =
        |written: &Written| ending.is_some() && written.generation.is_some() && written.generation != ending;
    let is_due = match written.filter(is_of_another) {
        Some(written) => match persist::read(&home.draft(agent), LARGEST_TEXT) {
            Ok(text) => written.sha256.zip(text).is_some_and(|(written, text)| written != sha256(&text)),
            Err(_) => true,
        },
        None => true,
    };
    Ok(is_due.then(|| Source::Draft(home.draft(agent))))
}

/// The draft was claimed: what is written to its place from now on has not been.
pub fn forget(home: &Home, agent: AgentName) -> Result<()> {
    persist::remove(&record_path(home, agent))?;
    Ok(())
}

fn record_path(home: &Home, agent: AgentName) -> PathBuf {
    home.draft(agent).with_extension("json")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::utc_now;

    #[test]
    fn a_draft_counts_in_its_own_generation_alone() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::locate(Some(&dir.path().join("h")), None, None).unwrap();
        home.create().unwrap();
        let (old, new) = (Generation::fresh(), Generation::fresh());
        assert_eq!(source(&home, AgentName::ROOT, Some(old), utc_now()).unwrap(), None);
        write(&home, AgentName::ROOT, b"so far", || Ok(Some(old)), 100, utc_now()).unwrap();
        let expected = Some(Source::Draft(home.draft(AgentName::ROOT)));
        assert_eq!(source(&home, AgentName::ROOT, Some(old), utc_now()).unwrap(), expected);
        assert_eq!(source(&home, AgentName::ROOT, Some(new), utc_now()).unwrap(), None);
        // Killed between the text and its record, or written where it lies: it is newer than the record says.
        persist::replace(&home.draft(AgentName::ROOT), b"newer").unwrap();
        assert_eq!(source(&home, AgentName::ROOT, Some(new), utc_now()).unwrap(), expected);
        write(&home, AgentName::ROOT, b"newer", || Ok(Some(new)), 100, utc_now()).unwrap();
        assert_eq!(source(&home, AgentName::ROOT, Some(new), utc_now()).unwrap(), expected);
        // Who ended is not known.
        assert_eq!(source(&home, AgentName::ROOT, None, utc_now()).unwrap(), expected);
        assert!(write(&home, AgentName::ROOT, b"too long", || Ok(Some(new)), 3, utc_now()).is_err());
        assert_eq!(std::fs::read(home.draft(AgentName::ROOT)).unwrap(), b"newer");
    }

    #[test]
    fn a_draft_of_no_generation_is_handed_over_and_one_that_cannot_be_read_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::locate(Some(&dir.path().join("h")), None, None).unwrap();
        home.create().unwrap();
        let is_due =
            || source(&home, AgentName::ROOT, Some(Generation::fresh()), utc_now()).unwrap().is_some();
        write(&home, AgentName::ROOT, b"by whom", || Ok(None), 100, utc_now()).unwrap();
        assert!(is_due());
        write(&home, AgentName::ROOT, b"old", || Ok(Some(Generation::fresh())), 100, utc_now()).unwrap();
        assert!(!is_due());
        std::fs::remove_file(home.draft(AgentName::ROOT)).unwrap();
        std::fs::create_dir(home.draft(AgentName::ROOT)).unwrap();
        assert!(is_due());
    }

    #[test]
    fn a_draft_whose_record_is_corrupt_is_handed_over() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::locate(Some(&dir.path().join("h")), None, None).unwrap();
        home.create().unwrap();
        let generation = Generation::fresh();
        write(&home, AgentName::ROOT, b"so far", || Ok(Some(generation)), 100, utc_now()).unwrap();
        persist::replace(&record_path(&home, AgentName::ROOT), b"{").unwrap();
        for _ in 0..2 {
            assert!(source(&home, AgentName::ROOT, Some(generation), utc_now()).unwrap().is_some());
        }
        assert!(source(&home, AgentName::ROOT, Some(Generation::fresh()), utc_now()).unwrap().is_none());
    }

    #[test]
    fn the_checked_in_record_loads() {
        let written: Written = persist::parse(include_bytes!("../../tests/formats/v1/draft.json")).unwrap();
        assert!(written.generation.is_some());
    }
}
