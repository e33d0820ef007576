//! What a tmux server has: what a late execution would change.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::support::World;
use crate::support::world;

/// Sessions by id and name, and buffers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scene {
    things: BTreeSet<String>,
    screens: Vec<(String, String)>,
}

/// What was typed late is on a screen within this.
const SHOWN_WITHIN: Duration = Duration::from_millis(250);

impl Scene {
    /// What is there; the screens too, where they tell something.
    pub fn look(world: &World, with_screens: bool) -> Self {
        let mut things = BTreeSet::new();
        let sessions = world.tmux(&["list-sessions", "-F", "session #{session_id} #{session_name}"]).stdout;
        things.extend(sessions.lines().map(str::to_owned));
        // Named after their number, so that one that is filled anew is another one.
        let buffers = world.tmux(&["list-buffers", "-F", "buffer #{buffer_name} #{buffer_created}"]).stdout;
        things.extend(buffers.lines().map(str::to_owned));
        let screen = |name: String| (world.screen(&name), name);
        let screens =
            if with_screens { world.sessions().into_iter().map(screen).collect() } else { Vec::new() };
        Self { things, screens }
    }

    /// How many commands lie between this and what is there once the server has done whatever it was asked for.
    pub fn until_now(&self, world: &World) -> usize {
        let with_screens = !self.screens.is_empty();
        // What was asked before is done before this is answered; what was typed is drawn a little later.
        let mut now = Self::look(world, with_screens);
        if with_screens && now == *self {
            let changed = world::wait(SHOWN_WITHIN, &mut || {
                let now = Self::look(world, true);
                (now != *self).then_some(now)
            });
            now = changed.unwrap_or(now);
        }
        let typed = self.screens.iter().zip(&now.screens).filter(|(before, now)| before != now).count();
        self.things.symmetric_difference(&now.things).count() + typed
    }
}
