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
    /// To whom; `None`: to nobody but readers outside any spawn, such as the owner.
    reader: Option<Generation>,
    /// How many parts were printed, from the first on.
    printed: usize,
    /// How many parts there are.
    of: usize,
    /// When the last of them was printed.
    #[serde(with = "crate::clock::stamped")]
    at: DateTime<Utc>,
    /// What readers outside were printed besides, so that neither sets the other back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    outside: Option<Progress>,
}

/// How far a reader has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Progress {
    /// Parts that were printed, from the first on.
    pub(super) printed: usize,
    /// Parts that there are.
    pub(super) of: usize,
}

impl Progress {
    pub(super) fn is_whole(self) -> bool {
        self.printed >= self.of
    }
}

impl StateFile for Shown {}

impl Shown {
    /// What is known once `reader` was printed so much, after what was known `before`.
    pub(super) fn after(
        before: Option<Self>,
        reader: Option<Generation>,
        progress: Progress,
        at: DateTime<Utc>,
    ) -> Self {
        match before {
            Some(before) if reader.is_none() && before.reader.is_some() => {
                Self { outside: Some(progress), ..before }
            }
            _ => {
                let outside = before.filter(|_| reader.is_some()).and_then(|before| before.of_outside());
                let Progress { printed, of } = progress;
                Self { version: 1, reader, printed, of, at, outside }
            }
        }
    }

    /// How far `reader` has come.
    pub(super) fn of(&self, reader: Option<Generation>) -> Option<Progress> {
        match reader {
            None => self.of_outside(),
            Some(_) => (self.reader == reader).then_some(self.first()),
        }
    }

    fn first(&self) -> Progress {
        Progress { printed: self.printed, of: self.of }
    }

    fn of_outside(&self) -> Option<Progress> {
        if self.reader.is_none() { Some(self.first()) } else { self.outside }
    }

    /// Whether `reader` was shown all of it; `None`: whether anybody was.
    pub(super) fn is_whole_for(&self, reader: Option<Generation>) -> bool {
        self.of(reader).is_some_and(Progress::is_whole) || reader.is_none() && self.first().is_whole()
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

    #[test]
    fn who_looks_from_outside_and_the_agent_come_on_beside_each_other() {
        let (agent, at) = (Some(Generation::fresh()), crate::clock::utc_now());
        let printed = |printed| Progress { printed, of: 2 };
        let mut shown = None;
        for (reader, parts) in [(None, 1), (agent, 1), (None, 2)] {
            shown = Some(Shown::after(shown, reader, printed(parts), at));
        }
        let shown = shown.unwrap();
        assert_eq!((shown.of(None), shown.of(agent)), (Some(printed(2)), Some(printed(1))));
        assert!(shown.is_whole_for(None) && !shown.is_whole_for(agent));
        let shown = Shown::after(Some(shown), agent, printed(2), at);
        assert!(shown.is_whole_for(agent) && !shown.is_whole_for(Some(Generation::fresh())));
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
