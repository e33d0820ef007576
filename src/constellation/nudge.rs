//! Asking an idle agent to look into its inbox, by one constant line.
//!
//! It is typed only when the agent is idle, its composer is empty (or not readable), no dialog is up and no attached
//! person was active just now; and it is looked once more between the text and Enter, because an Enter on a dialog
//! that came up meanwhile would answer it. Never a failure, never repeated blindly: the next prompt's hook delivers
//! anyway.

use std::time::Duration;

use crate::agent::beacon::{self, Activity, Beacon};
use crate::agent::profile::Profile;
use crate::agent::screen::{self, Composer, Situation};
use crate::clock::{self, Deadline};
use crate::id::Generation;
use crate::name::AgentName;
use crate::paths::Home;
use crate::process;
use crate::tmux::{Answer, Key, PaneId, Snapshot, Tmux};

/// An attached person who typed so lately is not typed over.
const PERSON_ACTIVE: i64 = 10;

/// Agents swallow an Enter that comes with the text.
const BEFORE_ENTER: Duration = Duration::from_millis(60);

/// The screen lags behind the hook that says that a turn has ended: Claude Code draws its footer anew up to 120 ms later.
const SETTLES_WITHIN: Duration = Duration::from_secs(2);

/// How often the screen is looked at meanwhile.
const LOOK_EVERY: Duration = Duration::from_millis(40);

/// So long is waited for the agent to take what was typed.
const TAKEN_WITHIN: Duration = Duration::from_millis(1500);

/// What became of a nudge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nudged {
    /// It was typed, and the agent began a turn.
    Typed,
    /// It was not typed: the agent or a person is busy. The next prompt delivers.
    Queued,
    /// It was typed; whether it was taken is not known.
    Unverified,
}

impl Nudged {
    /// As documents spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Typed => "typed",
            Self::Queued => "queued",
            Self::Unverified => "unverified",
        }
    }
}

/// Whether something may be typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Leave {
    /// The composer is empty, or cannot be read.
    ToType,
    /// Our own line stands in the composer, to the letter.
    ToConfirm,
    /// Something stands in the composer.
    Typed,
    /// The screen shows a turn that the hook knows to have ended.
    NotYet,
    Refused,
}

/// Whom to nudge.
#[derive(Debug)]
pub struct Target<'a> {
    /// The home.
    pub home: &'a Home,
    /// Its server.
    pub tmux: &'a Tmux,
    /// Which agent.
    pub agent: AgentName,
    /// Its generation.
    pub generation: Generation,
    /// Its pane.
    pub pane: PaneId,
    /// Its profile.
    pub profile: &'a Profile,
}

impl Target<'_> {
    /// Types `line` if that is safe. `seen` is what tmux has, looked at just now.
    ///
    /// # Errors
    /// tmux did not answer. A refusal (the pane is gone) is [`Nudged::Queued`].
    pub fn nudge(&self, line: &str, seen: &Snapshot) -> Answer<Nudged> {
        let Some(row) = seen.panes.iter().find(|row| row.pane == self.pane && row.dead.is_none()) else {
            return Ok(Nudged::Queued);
        };
        let now = clock::utc_now().timestamp();
        let people: Vec<_> =
            seen.people.iter().filter(|person| person.session == row.session).cloned().collect();
        if people.iter().any(|person| is_active(person.last_activity, now)) {
            refused_is(self.tmux.show_notice(row.session, &people, line), false)?;
            return Ok(Nudged::Queued);
        }
        let before = self.beacon();
        match self.settled_leave(line)? {
            Leave::ToType => {
                self.tmux.paste(self.pane, line).or_else(|error| refused_is(Err(error), ()))?;
                process::poll(BEFORE_ENTER, Deadline::after(BEFORE_ENTER), || None::<()>);
                if !matches!(self.settled_leave(line)?, Leave::ToType | Leave::ToConfirm | Leave::Typed) {
                    return Ok(Nudged::Queued);
                }
            }
            // Who typed it was killed before it could confirm it.
            Leave::ToConfirm => {}
            Leave::Typed | Leave::NotYet | Leave::Refused => return Ok(Nudged::Queued),
        }
        refused_is(self.tmux.press(self.pane, &[Key::Enter]), ())?;
        Ok(self.verified(before.as_ref()))
    }

    fn beacon(&self) -> Option<Beacon> {
        beacon::load(self.home, self.agent)
            .ok()
            .flatten()
            .filter(|beacon| beacon.generation == self.generation)
    }

    /// [`Target::leave`], once the screen has caught up with the hook.
    fn settled_leave(&self, line: &str) -> Answer<Leave> {
        let settled = process::poll(LOOK_EVERY, Deadline::after(SETTLES_WITHIN), || match self.leave(line) {
            Ok(Leave::NotYet) => None,
            leave => Some(leave),
        });
        settled.unwrap_or(Ok(Leave::NotYet))
    }

    /// Whether agent and screen allow typing now.
    fn leave(&self, line: &str) -> Answer<Leave> {
        let beacon = self.beacon();
        if beacon.as_ref().is_some_and(|beacon| beacon.activity != Activity::Idle) {
            return Ok(Leave::Refused);
        }
        let captured = match self.tmux.capture(&[(self.pane, 0)]) {
            Ok(captured) => captured,
            Err(error) => return refused_is(Err(error), Leave::Refused),
        };
        let Some((_, Ok(text))) = captured.into_iter().next() else { return Ok(Leave::Refused) };
        Ok(match screen::read(self.profile.screen, &self.profile.marker, &text).situation {
            Situation::Idle { composer: Composer::Empty | Composer::Unknown } => Leave::ToType,
            Situation::Idle { composer: Composer::Holds { typed } } if is_same(&typed, line) => {
                Leave::ToConfirm
            }
            Situation::Idle { composer: Composer::Holds { .. } } => Leave::Typed,
            // A screen that is not understood is typed into only where a hook says that the agent is idle.
            Situation::Unclear if beacon.is_some() => Leave::ToType,
            Situation::Busy if beacon.is_some() => Leave::NotYet,
            Situation::Unclear
            | Situation::Failed { .. }
            | Situation::Limited { .. }
            | Situation::Login { .. }
            | Situation::Dialog(_)
            | Situation::UnknownDialog { .. }
            | Situation::Permission { .. }
            | Situation::Retrying { .. }
            | Situation::Busy => Leave::Refused,
        })
    }

    fn verified(&self, before: Option<&Beacon>) -> Nudged {
        let Some(before) = before else { return Nudged::Unverified };
        let taken = process::poll(Duration::from_millis(20), Deadline::after(TAKEN_WITHIN), || {
            self.beacon().filter(|now| now != before).map(drop)
        });
        if taken.is_some() { Nudged::Typed } else { Nudged::Unverified }
    }
}

/// Whether somebody typed just now. A time that has not come yet is one from before the clock was set back.
fn is_active(last_activity: i64, now: i64) -> bool {
    now.saturating_sub(last_activity).saturating_abs() < PERSON_ACTIVE
}

/// Whether what stands in a composer is that line, however it is wrapped there.
fn is_same(typed: &str, line: &str) -> bool {
    let letters = |text: &str| text.chars().filter(|c| !c.is_whitespace()).collect::<String>();
    letters(typed) == letters(line)
}

fn refused_is<T>(answer: Answer<T>, instead: T) -> Answer<T> {
    match answer {
        Err(error) if !error.is_unknown() => Ok(instead),
        other => other,
    }
}

/// What became of a startup question that was to be pasted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// It was pasted and confirmed.
    Confirmed,
    /// Something came up that its Enter would have answered: it was not confirmed.
    BrokenOff,
}

/// Pastes a text and confirms it: for the startup question of an agent that takes none as an argument. What stands
/// there because an earlier try was broken off (`was_broken_off`) is only confirmed.
///
/// # Errors
/// tmux did not answer or refused.
pub fn ask(tmux: &Tmux, pane: PaneId, profile: &Profile, text: &str, was_broken_off: bool) -> Answer<Asked> {
    let see = || -> Answer<Option<Situation>> {
        let screens = tmux.capture(&[(pane, 0)])?;
        let screen = screens.into_iter().next().and_then(|(_, screen)| screen.ok());
        let read = |text: String| screen::read(profile.screen, &profile.marker, &text).situation;
        Ok(screen.map(read).filter(takes_enter))
    };
    let stands = match see()? {
        None => return Ok(Asked::BrokenOff),
        Some(Situation::Idle { composer: Composer::Holds { .. } }) => was_broken_off,
        Some(_) => false,
    };
    if !stands {
        tmux.paste(pane, text)?;
        process::poll(BEFORE_ENTER, Deadline::after(BEFORE_ENTER), || None::<()>);
        if see()?.is_none() {
            return Ok(Asked::BrokenOff);
        }
    }
    tmux.press(pane, &[Key::Enter])?;
    Ok(Asked::Confirmed)
}

/// Whether an Enter would confirm what was typed, as far as is known. A list of commands that a composer offers while
/// one is typed is not understood.
fn takes_enter(situation: &Situation) -> bool {
    matches!(situation, Situation::Idle { .. } | Situation::Unclear | Situation::Busy)
}

/// The key of a dialog's answer, as tmux knows it.
pub fn key(key: crate::agent::dialog::Key) -> Key {
    use crate::agent::dialog::Key as Wish;
    match key {
        Wish::Up => Key::Up,
        Wish::Down => Key::Down,
        Wish::Enter => Key::Enter,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_typed_just_now_is_not_typed_over_and_who_typed_before_the_clock_was_set_back_is_no_hindrance() {
        for (ago, expected) in
            [(0, true), (9, true), (10, false), (-9, true), (-10, false), (-315_360_000, false)]
        {
            assert_eq!(is_active(1_000_000_000 - ago, 1_000_000_000), expected, "{ago}");
        }
    }
}
