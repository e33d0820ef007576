//! Kept screens: those of the newest generations of each agent stay.
//!
//! Decided by name alone, as with records; a name that is no generation's is not even looked at.

use chrono::{DateTime, Utc};

use crate::id::Generation;
use crate::name::AgentName;
use crate::paths::Home;
use crate::persist::{self, PersistError};

/// Removes the oldest screens of each agent beyond `keep`, and what killed writers left beside them.
///
/// # Errors
/// The directories cannot be read or written.
pub fn prune(home: &Home, keep: usize, now: DateTime<Utc>) -> Result<(), PersistError> {
    let (agents, _) = persist::list_dirs(&home.screens_root())?;
    for agent in agents.iter().filter_map(|name| name.parse::<AgentName>().ok()) {
        let dir = home.screens(agent);
        persist::sweep_debris(&dir, now)?;
        let (names, _) = persist::list(&dir)?;
        for generation in doomed(&names, keep) {
            persist::remove_volatile(&home.screen(agent, generation))?;
        }
    }
    Ok(())
}

/// All but the newest `keep`.
fn doomed(names: &[String], keep: usize) -> Vec<Generation> {
    let mut kept: Vec<Generation> =
        names.iter().filter_map(|name| name.strip_suffix(".txt")?.parse().ok()).collect();
    kept.sort_unstable();
    kept.truncate(kept.len().saturating_sub(keep));
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_screens_of_the_newest_generations_stay_and_other_names_are_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::locate(Some(&dir.path().join("h")), None, None).unwrap();
        home.create().unwrap();
        let mut generations: Vec<Generation> = (0..5).map(|_| Generation::fresh()).collect();
        generations.sort_unstable();
        for generation in &generations {
            persist::write_volatile(&home.screen(AgentName::ROOT, *generation), b"words").unwrap();
        }
        let others = ["notes.txt", ".tmp-01ARZ3NDEKTSV4RRFFQ69G5FAV-x"]
            .map(|name| home.screens(AgentName::ROOT).join(name));
        for other in &others {
            persist::append_line(other, "x").unwrap();
        }
        prune(&home, 2, crate::clock::utc_now()).unwrap();
        let kept: Vec<bool> =
            generations.iter().map(|generation| home.screen(AgentName::ROOT, *generation).exists()).collect();
        assert_eq!(kept, [false, false, false, true, true]);
        assert_eq!(others.map(|other| other.exists()), [true, false]);
        prune(&home, 20, crate::clock::utc_now()).unwrap();
        assert!(home.screen(AgentName::ROOT, generations[4]).exists());
    }
}
