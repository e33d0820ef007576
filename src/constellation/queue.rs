//! Agents that are still to be spawned, and how many may be starting at once.

use super::means::Means;
use super::plan::Wish;
use super::ready::Rising;
use super::scene::Scene;
use super::spawn::Spawner;
use super::trouble::Trouble;

/// The wishes of one command, in order.
#[derive(Debug)]
pub(super) struct Queue {
    wishes: Vec<Wish>,
    started: usize,
    at_once: usize,
}

impl Queue {
    pub(super) fn new(wishes: Vec<Wish>, start_parallel: u32) -> Self {
        let at_once = match usize::try_from(start_parallel) {
            Ok(0) | Err(_) => usize::MAX,
            Ok(limit) => limit,
        };
        Self { wishes, started: 0, at_once }
    }

    pub(super) fn all(&self) -> &[Wish] {
        &self.wishes
    }

    pub(super) fn is_empty(&self) -> bool {
        self.started >= self.wishes.len()
    }

    /// Spawns as many more as may be starting.
    pub(super) fn start_more(
        &mut self,
        spawner: &Spawner<'_>,
        means: &Means<'_>,
        scene: &mut Scene,
        rising: &mut Rising,
    ) -> Result<(), Trouble> {
        let free = self.at_once.saturating_sub(rising.awaited());
        let end = self.started.saturating_add(free).min(self.wishes.len());
        let Some(next) = self.wishes.get(self.started..end).filter(|next| !next.is_empty()) else {
            return Ok(());
        };
        spawner.create(next, &mut scene.spawned)?;
        let spoken = spawner.spoken_name();
        let awaited: Vec<_> = next
            .iter()
            .filter_map(|wish| {
                let spawn = scene.spawned.agents.get(&wish.name)?;
                means.awaited(wish, spawn, spawner.profiles.get(&wish.profile)?, &spoken, spawner.clones)
            })
            .collect();
        rising.await_also(awaited);
        self.started = end;
        Ok(())
    }
}
