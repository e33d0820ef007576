//! One agent on its way up, as a state machine (pure).
//!
//! A look at the pane, the screen and the beacon comes in; what to do comes out. Until a beacon of the generation
//! exists, a marker on the screen proves up at once; from the first beacon on the hook proves, and a marker only if
//! it stays without an end of turn. Bad news counts when the hook says it, or when two equal looks at least
//! [`STEADY`] apart show it. What could not be seen changes nothing.

use std::time::Duration;

use crate::agent::beacon::{Activity, Beacon, StartupTurn};
use crate::agent::dialog::{self, Allowances, DialogAnswer, Key, SeenDialog};
use crate::agent::screen::{Reading, Situation};
use crate::clock::Instant;
use crate::status::ReadyBy;
use crate::text;

/// Two looks this far apart that show the same bad news make it true.
pub const STEADY: Duration = Duration::from_millis(500);

/// A marker that stands so long without an end of turn from the hook counts after all.
const MARKER_WITHOUT_HOOK: Duration = Duration::from_secs(2);

/// A dialog that nothing changes any more is tried so often before a person is asked.
const DIALOG_TRIES: u32 = 3;

/// A dialog must have changed so long after its keys; then it is tried again.
const DIALOG_SETTLES: Duration = Duration::from_millis(700);

/// A dialog is answered when it has stood so long: Codex drops keys in its first 10 ms (0.169.0, 8 of 8).
const DIALOG_STANDS: Duration = Duration::from_millis(100);

/// More keys than this are sent to no dialog, whatever it does with them.
const DIALOG_PRESSES: u32 = 12;

/// A program whose composer is not known has something on its screen and has drawn nothing new for so long: it waits for
/// its question.
const SCREEN_STANDS: Duration = Duration::from_secs(1);

/// What one look saw.
#[derive(Debug, Clone, Copy)]
pub struct Look<'a> {
    /// When.
    pub now: Instant,
    /// The pane.
    pub pane: PaneSight<'a>,
    /// The screen, where it was captured since the last look.
    pub screen: Option<&'a Reading>,
    /// For how long there has been something on the screen, and nothing new.
    pub still: Duration,
    /// The beacon of this generation, if there is one.
    pub beacon: Option<&'a Beacon>,
}

/// The pane of an agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PaneSight<'a> {
    /// Its process runs.
    Alive,
    /// Its process ended, in these words.
    Dead(&'a str),
    /// There is no such pane.
    Gone,
    /// tmux was not asked, or did not say.
    Unseen,
}

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Look again later.
    Wait,
    /// Press these keys for this dialog.
    Press {
        /// The dialog's row.
        dialog: &'static str,
        /// The keys, in order.
        keys: Vec<Key>,
    },
    /// Paste the startup question: the composer is there.
    AskStartup,
    /// It is decided.
    Settled(Outcome),
}

/// How the way up ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Up.
    Up {
        /// What proved it.
        by: ReadyBy,
    },
    /// A person is needed, with why and what to type.
    Blocked {
        /// Why.
        why: String,
        /// What to type, where one thing would help.
        hint: Option<String>,
    },
    /// The account's usage limit.
    Limited {
        /// The CLI's words.
        why: String,
    },
    /// Its process ended.
    Exited {
        /// How.
        how: String,
    },
    /// Not up within its limit.
    Late {
        /// The limit.
        limit: Duration,
    },
}

impl Outcome {
    /// Whether the agent is up.
    pub fn is_up(&self) -> bool {
        matches!(self, Self::Up { .. })
    }
}

/// What the way up is judged by.
#[derive(Debug, Clone)]
pub struct Rules {
    /// For the whole way, from the spawn.
    pub up_wait: Duration,
    /// For all dialogs, from the spawn.
    pub prompt_wait: Duration,
    /// Which dialogs may be answered.
    pub allowances: Allowances,
    /// How the startup question is asked.
    pub asks: Asks,
}

/// How an agent is asked its startup question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asks {
    /// By an argument: nothing is typed.
    ByArgument,
    /// By a paste, once its composer stands.
    IntoComposer,
    /// By a paste, once its screen stands: where it is typed is not known.
    IntoScreen,
}

/// One agent on its way up.
#[derive(Debug)]
pub struct Watch {
    rules: Rules,
    since: Instant,
    dialogs: Vec<&'static str>,
    facing: Option<Facing>,
    suspicion: Option<(Bad, Instant)>,
    marker_since: Option<Instant>,
    idle_since: Option<Instant>,
    asked: bool,
}

/// The dialog that is up.
#[derive(Debug)]
struct Facing {
    dialog: SeenDialog,
    /// Since when it has looked like this.
    since: Instant,
    /// When keys were last sent to it as it looks now, and how often.
    pressed: Option<(Instant, u32)>,
    /// How often keys were sent to it at all.
    presses: u32,
}

/// Bad news, as far as it is shown on a screen.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Bad {
    Blocked { why: String, hint: Option<String> },
    Limited { why: String },
}

impl Watch {
    /// A watch over an agent that was spawned at `since`.
    pub fn new(rules: Rules, since: Instant) -> Self {
        Self {
            rules,
            since,
            dialogs: Vec::new(),
            facing: None,
            suspicion: None,
            marker_since: None,
            idle_since: None,
            asked: false,
        }
    }

    /// The dialogs that were answered, in order.
    pub fn dialogs(&self) -> &[&'static str] {
        &self.dialogs
    }

    /// When it was spawned.
    pub fn since(&self) -> Instant {
        self.since
    }

    /// Judges one look.
    pub fn step(&mut self, look: &Look<'_>) -> Step {
        match look.pane {
            PaneSight::Dead(how) => return Step::Settled(Outcome::Exited { how: how.to_owned() }),
            PaneSight::Gone => {
                return Step::Settled(Outcome::Exited { how: "its session is gone".to_owned() });
            }
            PaneSight::Alive | PaneSight::Unseen => {}
        }
        if let Some(by) = self.proof(look) {
            return Step::Settled(Outcome::Up { by });
        }
        if let Some(bad) = look.beacon.and_then(told_by_hook) {
            return settled(bad);
        }
        if let Some(reading) = look.screen {
            match self.judge_screen(&reading.situation, look) {
                Step::Wait => {}
                step => return step,
            }
        }
        if look.now.saturating_duration_since(self.since) >= self.rules.up_wait {
            return Step::Settled(Outcome::Late { limit: self.rules.up_wait });
        }
        Step::Wait
    }

    fn proof(&mut self, look: &Look<'_>) -> Option<ReadyBy> {
        if look.beacon.is_some_and(|beacon| matches!(beacon.startup, StartupTurn::Up { .. })) {
            return Some(ReadyBy::Hook);
        }
        let screen = look.screen?;
        if screen.marker.is_none() || !screen.situation.lets_a_marker_count() {
            self.marker_since = None;
            return None;
        }
        let since = *self.marker_since.get_or_insert(look.now);
        match look.beacon {
            None => Some(ReadyBy::Marker),
            // A hook that has spoken is expected to tell the end of the turn too.
            Some(_) if look.now.saturating_duration_since(since) >= MARKER_WITHOUT_HOOK => {
                Some(ReadyBy::Marker)
            }
            Some(_) => None,
        }
    }

    fn judge_screen(&mut self, situation: &Situation, look: &Look<'_>) -> Step {
        if !matches!(situation, Situation::Dialog(_)) {
            self.facing = None;
        }
        if !matches!(situation, Situation::Idle { .. }) {
            self.idle_since = None;
        }
        let asks = |what: &str| Bad::Blocked { why: format!("it asks for a permission: {what}"), hint: None };
        let bad = match situation {
            Situation::Dialog(seen) => return self.face(seen, look.now),
            Situation::UnknownDialog { options, .. } => {
                let why = format!("an unknown dialog waits for a person: {}", options.join(" / "));
                Bad::Blocked { why, hint: None }
            }
            Situation::Permission { what } => asks(what),
            Situation::Login { what } => {
                Bad::Blocked { why: format!("it is not logged in: {what}"), hint: None }
            }
            Situation::Failed { what } => Bad::Blocked { why: what.clone(), hint: None },
            Situation::Limited { what } => Bad::Limited { why: what.clone() },
            Situation::Idle { .. } => return self.judge_idle(look.now),
            Situation::Unclear => {
                self.suspicion = None;
                let stands = self.rules.asks == Asks::IntoScreen && look.still >= SCREEN_STANDS;
                return if stands { self.ask() } else { Step::Wait };
            }
            Situation::Busy | Situation::Retrying { .. } => {
                self.suspicion = None;
                return Step::Wait;
            }
        };
        self.suspect(bad, look.now)
    }

    /// A composer is drawn before a startup dialog is: it must stand before something is typed into it.
    fn judge_idle(&mut self, now: Instant) -> Step {
        self.suspicion = None;
        let since = *self.idle_since.get_or_insert(now);
        let stands = now.saturating_duration_since(since) >= STEADY;
        if self.rules.asks != Asks::ByArgument && stands { self.ask() } else { Step::Wait }
    }

    fn ask(&mut self) -> Step {
        if std::mem::replace(&mut self.asked, true) { Step::Wait } else { Step::AskStartup }
    }

    /// Something came up between the question and its Enter: it is asked once more.
    pub fn ask_again(&mut self) {
        self.asked = false;
        self.idle_since = None;
    }

    fn face(&mut self, seen: &SeenDialog, now: Instant) -> Step {
        let name = seen.row.name;
        if now.saturating_duration_since(self.since) > self.rules.prompt_wait {
            let limit = text::duration(self.rules.prompt_wait);
            let why = format!("the dialog {name} was still up after {limit}");
            return self.suspect(Bad::Blocked { why, hint: None }, now);
        }
        let keys = match dialog::answer(seen, &self.rules.allowances) {
            DialogAnswer::Press { keys } => keys,
            DialogAnswer::Refused { why, hint } => return self.suspect(Bad::Blocked { why, hint }, now),
        };
        self.suspicion = None;
        let facing = match self.facing.take() {
            Some(facing) if facing.dialog == *seen => facing,
            // It moved under the keys: it has been looked at long enough.
            Some(Facing { dialog, presses, .. }) if dialog.row.name == name && presses > 0 => {
                let since = now.checked_sub(DIALOG_STANDS).unwrap_or(now);
                Facing { dialog: seen.clone(), since, pressed: None, presses }
            }
            _ => Facing { dialog: seen.clone(), since: now, pressed: None, presses: 0 },
        };
        self.press(facing, keys, now)
    }

    fn press(&mut self, mut facing: Facing, keys: Vec<Key>, now: Instant) -> Step {
        let name = facing.dialog.row.name;
        let (last, tries) = facing.pressed.map_or((None, 0), |(at, tries)| (Some(at), tries));
        let is_early = match last {
            Some(at) => now.saturating_duration_since(at) < DIALOG_SETTLES,
            None => now.saturating_duration_since(facing.since) < DIALOG_STANDS,
        };
        if is_early {
            self.facing = Some(facing);
            return Step::Wait;
        }
        if tries >= DIALOG_TRIES || facing.presses >= DIALOG_PRESSES {
            let why = format!("the dialog {name} stayed after {} answers", facing.presses);
            self.facing = Some(facing);
            return settled(Bad::Blocked { why, hint: None });
        }
        if facing.presses == 0 {
            self.dialogs.push(name);
        }
        facing.pressed = Some((now, tries + 1));
        facing.presses += 1;
        self.facing = Some(facing);
        Step::Press { dialog: name, keys }
    }

    fn suspect(&mut self, bad: Bad, now: Instant) -> Step {
        match &self.suspicion {
            Some((seen, since)) if *seen == bad => {
                if now.saturating_duration_since(*since) >= STEADY {
                    settled(bad)
                } else {
                    Step::Wait
                }
            }
            _ => {
                self.suspicion = Some((bad, now));
                Step::Wait
            }
        }
    }
}

fn told_by_hook(beacon: &Beacon) -> Option<Bad> {
    match (&beacon.activity, &beacon.startup) {
        (Activity::AwaitsPerson { what }, _) => {
            Some(Bad::Blocked { why: format!("it asks for {what}"), hint: None })
        }
        (Activity::Failed { what }, _) => Some(Bad::Blocked { why: what.clone(), hint: None }),
        (Activity::Limited { what }, _) => Some(Bad::Limited { why: what.clone() }),
        (Activity::Idle, StartupTurn::EndedWithoutMarker) => {
            let why = "its startup turn ended without the marker".to_owned();
            Some(Bad::Blocked { why, hint: None })
        }
        _ => None,
    }
}

fn settled(bad: Bad) -> Step {
    Step::Settled(match bad {
        Bad::Blocked { why, hint } => Outcome::Blocked { why, hint },
        Bad::Limited { why } => Outcome::Limited { why },
    })
}

#[cfg(test)]
mod tests;
