//! How the first generation of netsky restarted: one agent after the other, each waited for by looking now and then.
//!
//! A reference to compare with, no part of netsky. Sessions were ended one by one; each agent was spawned by a call of
//! its own, then its screen was looked at once a second for a dialog, for 30 s where none came, and after that once a
//! second for its marker.

use std::time::{Duration, Instant};

use crate::floor::Plain;

/// Its waits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Waits {
    /// Between two looks.
    poll: Duration,
    /// For a dialog that an agent may show.
    dialog: Duration,
}

impl Waits {
    pub(crate) fn as_they_were() -> Self {
        Self { poll: Duration::from_secs(1), dialog: Duration::from_secs(30) }
    }

    pub(crate) fn shortened(self, times: u32) -> Self {
        Self { poll: self.poll / times, dialog: self.dialog / times }
    }
}

pub(crate) struct FirstGeneration<'a> {
    pub(crate) plain: &'a Plain<'a>,
    pub(crate) waits: Waits,
}

impl FirstGeneration<'_> {
    pub(crate) fn restart(&self, clones: u32) -> Duration {
        let begun = Instant::now();
        for number in 0..=clones {
            self.plain.say(&format!("kill-session -t =agent{number}\n"));
        }
        for number in 0..=clones {
            self.plain.spawn(number);
            self.until(self.waits.dialog, number, "Yes, I accept");
            self.until(Duration::from_secs(120), number, "session 1 up");
        }
        begun.elapsed()
    }

    fn until(&self, limit: Duration, number: u32, words: &str) {
        let until = Instant::now() + limit;
        while Instant::now() < until {
            if self.plain.say(&format!("capture-pane -p -t =agent{number}:\n")).contains(words) {
                return;
            }
            std::thread::sleep(self.waits.poll);
        }
    }
}
