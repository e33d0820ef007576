//! Which panes have to be read again: the cheap row of a pane says whether its screen can have changed.
//!
//! tmux gives the second of a pane's last output, and each answer on the control connection its own second. A screen
//! that was read in a later second than the last output has shown all of it. Within the same second only another
//! look tells: at once where cursor or history moved, else before `bound` has passed.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::clock::Instant;

use super::snapshot::{Death, PaneRow};
use super::target::PaneId;

/// What was read of each pane, and when.
#[derive(Debug, Clone)]
pub struct Looks {
    bound: Duration,
    read: BTreeMap<PaneId, Look>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Look {
    at: Instant,
    server_second: i64,
    signs: Signs,
}

/// What moves when a screen changes, as a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Signs {
    activity: i64,
    cursor: (u32, u32),
    history_size: u32,
    dead: Option<Death>,
}

impl Signs {
    fn of(row: &PaneRow) -> Self {
        Self {
            activity: row.window_activity,
            cursor: row.cursor,
            history_size: row.history_size,
            dead: row.dead,
        }
    }
}

impl Looks {
    /// `bound` is the longest that a change without a sign stays unseen.
    pub fn new(bound: Duration) -> Self {
        Self { bound, read: BTreeMap::new() }
    }

    /// The panes whose screens are due at `now`.
    pub fn due<'a>(&'a self, rows: &'a [PaneRow], now: Instant) -> impl Iterator<Item = PaneId> + 'a {
        rows.iter().filter(move |row| self.is_due(row, now)).map(|row| row.pane)
    }

    fn is_due(&self, row: &PaneRow, now: Instant) -> bool {
        let Some(look) = self.read.get(&row.pane) else { return true };
        if look.signs != Signs::of(row) {
            return true;
        }
        let has_seen_all = look.server_second > row.window_activity;
        !has_seen_all && now.saturating_duration_since(look.at) >= self.bound
    }

    /// Remembers that a screen was read at `now`, in the server's second `server_second`, after `row` was listed.
    pub fn remember(&mut self, row: &PaneRow, server_second: i64, now: Instant) {
        self.read.insert(row.pane, Look { at: now, server_second, signs: Signs::of(row) });
    }

    /// What was read of a pane counts no more: something was typed into it.
    pub fn forget(&mut self, pane: PaneId) {
        self.read.remove(&pane);
    }

    /// Forgets panes that are gone.
    pub fn retain(&mut self, rows: &[PaneRow]) {
        self.read.retain(|pane, _| rows.iter().any(|row| row.pane == *pane));
    }

    /// How long to wait between two lists of `panes` panes: listing more costs the server more.
    pub fn every(panes: usize) -> Duration {
        const UP_TO: usize = 32;
        let steps = u32::try_from(panes.max(UP_TO)).unwrap_or(u32::MAX);
        Duration::from_millis(25) * steps / 32
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn row(activity: i64, cursor: (u32, u32)) -> PaneRow {
        PaneRow {
            session: "$1".parse().unwrap(),
            session_name: "agent1".into(),
            pane: "%1".parse().unwrap(),
            pid: 1,
            dead: None,
            mark: None,
            cursor,
            history_size: 0,
            window_activity: activity,
            is_in_mode: false,
            attached: 0,
            size: (200, 50),
        }
    }

    const BOUND: Duration = Duration::from_millis(250);

    #[test]
    fn a_screen_is_due_when_it_can_have_changed() {
        let start = crate::clock::monotonic_now();
        // (listed before the read, second of the read, listed now, milliseconds since the read) → due
        for (before, read_second, now, ms, expected) in [
            (row(10, (0, 0)), 11, row(10, (0, 0)), 60_000, false),
            (row(10, (0, 0)), 10, row(10, (0, 0)), 249, false),
            (row(10, (0, 0)), 10, row(10, (0, 0)), 250, true),
            (row(10, (0, 0)), 10, row(10, (1, 0)), 25, true),
            (row(10, (0, 0)), 11, row(11, (0, 0)), 25, true),
            // The server's clock went back: the second of the read says nothing, the change does.
            (row(90, (0, 0)), 95, row(20, (0, 0)), 25, true),
            (row(90, (0, 0)), 20, row(90, (0, 0)), 250, true),
        ] {
            let mut looks = Looks::new(BOUND);
            assert_eq!(looks.due(std::slice::from_ref(&before), start).count(), 1, "never read");
            looks.remember(&before, read_second, start);
            let at = start + Duration::from_millis(ms);
            assert_eq!(looks.is_due(&now, at), expected, "{now:?} after {ms} ms");
        }
    }

    #[test]
    fn panes_that_are_gone_are_forgotten() {
        let mut looks = Looks::new(BOUND);
        looks.remember(&row(1, (0, 0)), 2, crate::clock::monotonic_now());
        looks.retain(&[]);
        assert!(looks.read.is_empty());
    }

    #[test]
    fn larger_constellations_are_listed_less_often() {
        assert_eq!(Looks::every(1), Duration::from_millis(25));
        assert_eq!(Looks::every(32), Duration::from_millis(25));
        assert_eq!(Looks::every(400), Duration::from_micros(312_500));
    }

    proptest! {
        /// The law: whatever is written, a screen that stays as it is has been read after its last output.
        #[test]
        fn the_last_output_is_seen_within_the_bound_of_a_list(
            outputs in prop::collection::vec(0u64..5_000, 1..20),
            offset in 0u64..1000,
        ) {
            let start = crate::clock::monotonic_now();
            let second = |ms: u64| i64::try_from((ms + offset) / 1000).unwrap();
            let last = outputs.iter().copied().max().unwrap();
            let mut looks = Looks::new(BOUND);
            let mut read_at = None;
            for now in (0..last + 1500).step_by(25) {
                let activity = outputs.iter().filter(|at| **at <= now).map(|at| second(*at)).max().unwrap_or(0);
                let listed = row(activity, (0, 0));
                let at = start + Duration::from_millis(now);
                if looks.is_due(&listed, at) {
                    looks.remember(&listed, second(now), at);
                    read_at = Some(now);
                    if now >= last { prop_assert!(read_at.is_some()); }
                }
                if now >= last + 300 {
                    prop_assert!(read_at.is_some_and(|read| read >= last), "{:?} {}", read_at, last);
                }
            }
        }
    }
}
