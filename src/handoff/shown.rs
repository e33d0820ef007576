//! What of an envelope was printed, and to which generation.
//!
//! One small file an envelope, `state/shown/<agent>/<ULID>.json`, outside the inbox, which holds envelopes alone. It
//! only ever says what *was* printed: written after the printing, lost at worst, and then the text is shown again.

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::Result;
use crate::id::{EnvelopeId, Generation};
use crate::name::AgentName;
use crate::paths::Home;
use crate::persist::{self, StateFile};

/// What is on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Shown {
    version: u64,
    /// To whom; `None` is a reader outside any spawn, such as the owner.
    pub(super) reader: Option<Generation>,
    /// How many parts were printed, from the first on.
    pub(super) printed: usize,
    /// How many parts there are.
    pub(super) of: usize,
    /// When the last of them was printed.
    #[serde(with = "crate::clock::stamped")]
    at: DateTime<Utc>,
}

impl StateFile for Shown {}

impl Shown {
    pub(super) fn new(reader: Option<Generation>, printed: usize, of: usize, at: DateTime<Utc>) -> Self {
        Self { version: 1, reader, printed, of, at }
    }

    /// Whether `reader` was shown all of it; `None`: whether anybody was.
    pub(super) fn is_whole_for(&self, reader: Option<Generation>) -> bool {
        (reader.is_none() || self.reader == reader) && self.printed >= self.of
    }
}

pub(super) fn dir(home: &Home, agent: AgentName) -> PathBuf {
    home.shown_root().join(agent.to_string())
}

fn path(home: &Home, agent: AgentName, id: EnvelopeId) -> PathBuf {
    dir(home, agent).join(format!("{id}.json"))
}

/// What is known of one envelope; one that cannot be understood counts as not shown.
pub(super) fn load(home: &Home, agent: AgentName, id: EnvelopeId) -> Result<Option<Shown>> {
    Ok(persist::load(&path(home, agent, id))?.present())
}

pub(super) fn store(home: &Home, agent: AgentName, id: EnvelopeId, shown: &Shown) -> Result<()> {
    persist::make_own_dir(&dir(home, agent))?;
    Ok(persist::store(&path(home, agent, id), shown)?)
}

pub(super) fn forget(home: &Home, agent: AgentName, id: EnvelopeId) -> Result<()> {
    persist::remove(&path(home, agent, id))?;
    Ok(())
}

/// The ids of which something is known, in order.
pub(super) fn list(home: &Home, agent: AgentName) -> Result<Vec<EnvelopeId>> {
    let (names, _) = persist::list(&dir(home, agent))?;
    Ok(names.iter().filter_map(|name| name.strip_suffix(".json")?.parse().ok()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checked_in_record_loads() {
        let shown: Shown = persist::parse(include_bytes!("../../tests/formats/v1/shown.json")).unwrap();
        assert_eq!((shown.printed, shown.of), (2, 5));
        assert!(!shown.is_whole_for(shown.reader));
    }

    proptest::proptest! {
        #![proptest_config(crate::mutation::tries(128))]

        #[test]
        fn a_damaged_record_is_refused_or_reads_back(
            bytes in crate::mutation::mutants(vec![crate::mutation::format("shown.json")]),
        ) {
            persist::tests::reads_back::<Shown>(&bytes)?;
        }
    }
}
