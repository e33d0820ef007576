//! What every agent does now: tmux, process, beacon and screen folded into one state each.
//!
//! [`judge`] is pure. What was not seen is `unknown`, never `missing`. The screens of agents whose hooks have spoken
//! are read only where the hook may have been left behind (a person answered at the keyboard).

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use crate::agent::beacon::{Activity, Beacon, StartupTurn};
use crate::agent::profile::Profile;
use crate::agent::screen::{self, Reading, Situation};
use crate::config::Config;
use crate::name::AgentName;
use crate::paths::Home;
use crate::process;
use crate::state::spawned::Spawn;
use crate::status::{AgentState, Proof};
use crate::tmux::{Answer, Death, PaneId, PaneRow, Tmux};

use super::plan::Present;
use super::scene::{self, Scene};

/// What one agent does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observed {
    /// Which.
    pub name: AgentName,
    /// Its profile's name; of one that was never spawned, the desired one.
    pub profile: String,
    /// What it does.
    pub state: AgentState,
    /// Since when, where that is known.
    pub since: Option<DateTime<Utc>>,
    /// What proves it.
    pub proof: Option<Proof>,
    /// The pane's process.
    pub pid: Option<i32>,
    /// Why it is not well.
    pub error: Option<String>,
    /// What it last said or did.
    pub last: Option<String>,
    /// The CLI's own session id.
    pub cli_session: Option<String>,
}

/// What is known of one agent.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// Whether tmux answered.
    pub answered: bool,
    /// Whether it should run.
    pub desired: bool,
    /// Its session.
    pub present: Option<&'a Present>,
    /// How its process ended, where it did.
    pub death: Option<Death>,
    /// Its last spawn.
    pub spawn: Option<&'a Spawn>,
    /// Its beacon, if of that spawn's generation.
    pub beacon: Option<&'a Beacon>,
    /// Its screen, where it was read.
    pub reading: Option<&'a Reading>,
    /// The shell that its pane's process has become, where it was started as something else.
    pub left_shell: Option<&'a str>,
}

/// A state with its reasons.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// The state.
    pub state: AgentState,
    /// Since when.
    pub since: Option<DateTime<Utc>>,
    /// What proves it.
    pub proof: Option<Proof>,
    /// Why it is not well.
    pub error: Option<String>,
}

/// Folds what is known of an agent into its state.
pub fn judge(facts: &Facts<'_>) -> Judgement {
    let plain = |state, since, proof, error| Judgement { state, since, proof, error };
    if !facts.answered {
        return plain(AgentState::Unknown, None, None, Some("tmux did not answer".to_owned()));
    }
    let Some(present) = facts.present else {
        return plain(AgentState::Missing, None, None, facts.desired.then(|| "it has no session".to_owned()));
    };
    if let Some(Activity::Ended { reason }) = facts.beacon.map(|beacon| &beacon.activity)
        && !present.alive
    {
        let since = facts.beacon.map(|beacon| beacon.since);
        return plain(
            AgentState::Exited,
            since,
            Some(Proof::Hook),
            Some(format!("its session was ended: {reason}")),
        );
    }
    if !present.alive {
        return plain(AgentState::Exited, None, Some(Proof::Process), Some(death_words(facts.death)));
    }
    if !present.current {
        let why = "it is of a generation that was given up".to_owned();
        return plain(AgentState::Unknown, None, Some(Proof::Process), Some(why));
    }
    if let Some(shell) = facts.left_shell {
        let why = format!("it ended and left a shell ({shell})");
        return plain(AgentState::Exited, None, Some(Proof::Process), Some(why));
    }
    match facts.beacon {
        Some(beacon) => by_hook(facts, beacon),
        None => by_screen(facts),
    }
}

fn by_hook(facts: &Facts<'_>, beacon: &Beacon) -> Judgement {
    let by = |state, error| Judgement { state, since: Some(beacon.since), proof: Some(Proof::Hook), error };
    let is_up = matches!(beacon.startup, StartupTurn::Up { .. })
        || facts.spawn.is_some_and(|spawn| spawn.ready.is_some());
    // Some turns end without a word from the hook (a person pressed Escape, or said no): then the screen knows.
    let is_idle_on_screen =
        matches!(facts.reading.map(|reading| &reading.situation), Some(Situation::Idle { .. }));
    match &beacon.activity {
        // Nor does the hook of every CLI tell that a turn failed.
        Activity::Busy | Activity::Starting if facts.reading.is_some_and(shows_trouble) => by_screen(facts),
        // A dialog that comes up between two turns is nobody's event.
        Activity::Idle if facts.reading.is_some_and(asks_a_person) => by_screen(facts),
        Activity::AwaitsPerson { .. } | Activity::Busy if is_idle_on_screen && is_up => {
            Judgement { state: AgentState::Idle, since: None, proof: Some(Proof::Marker), error: None }
        }
        Activity::AwaitsPerson { what } => by(AgentState::Blocked, Some(format!("it asks for {what}"))),
        Activity::Failed { what } => by(AgentState::Blocked, Some(what.clone())),
        Activity::Limited { what } => by(AgentState::Limited, Some(what.clone())),
        Activity::Ended { reason } => {
            by(AgentState::Exited, Some(format!("its session was ended: {reason}")))
        }
        Activity::Busy if is_up => by(AgentState::Busy, None),
        Activity::Idle if is_up => by(AgentState::Idle, None),
        Activity::Idle if beacon.startup == StartupTurn::EndedWithoutMarker => {
            by(AgentState::Blocked, Some("its startup turn ended without the marker".to_owned()))
        }
        Activity::Starting if is_up => by(AgentState::Up, None),
        Activity::Starting | Activity::Busy | Activity::Idle => by(AgentState::Starting, None),
    }
}

fn asks_a_person(reading: &Reading) -> bool {
    matches!(
        reading.situation,
        Situation::Dialog(_)
            | Situation::UnknownDialog { .. }
            | Situation::Permission { .. }
            | Situation::Login { .. }
    )
}

fn shows_trouble(reading: &Reading) -> bool {
    match reading.situation {
        Situation::Dialog(_)
        | Situation::UnknownDialog { .. }
        | Situation::Permission { .. }
        | Situation::Login { .. }
        | Situation::Failed { .. }
        | Situation::Limited { .. } => true,
        Situation::Retrying { .. } | Situation::Busy | Situation::Idle { .. } | Situation::Unclear => false,
    }
}

fn by_screen(facts: &Facts<'_>) -> Judgement {
    let ready = facts.spawn.and_then(|spawn| spawn.ready.as_ref());
    let spawned_at = facts.spawn.map(|spawn| spawn.at);
    let seen = |state, error| Judgement { state, since: None, proof: Some(Proof::Marker), error };
    let reading = facts.reading;
    match reading.map(|reading| &reading.situation) {
        Some(Situation::Dialog(dialog)) => {
            seen(AgentState::Blocked, Some(format!("the dialog {} is up", dialog.row.name)))
        }
        Some(Situation::UnknownDialog { options, .. }) => {
            seen(AgentState::Blocked, Some(format!("an unknown dialog is up: {}", options.join(" / "))))
        }
        Some(Situation::Permission { what }) => {
            seen(AgentState::Blocked, Some(format!("it asks for a permission: {what}")))
        }
        Some(Situation::Login { what }) => {
            seen(AgentState::Blocked, Some(format!("it is not logged in: {what}")))
        }
        Some(Situation::Failed { what }) => seen(AgentState::Blocked, Some(what.clone())),
        Some(Situation::Limited { what }) => seen(AgentState::Limited, Some(what.clone())),
        Some(Situation::Busy | Situation::Retrying { .. }) if ready.is_some() => seen(AgentState::Busy, None),
        Some(Situation::Idle { .. }) if ready.is_some() => seen(AgentState::Idle, None),
        _ => match ready {
            Some(ready) => Judgement {
                state: AgentState::Up,
                since: Some(ready.at),
                proof: Some(Proof::Process),
                error: None,
            },
            None if reading.is_some_and(|reading| reading.marker.is_some()) => seen(AgentState::Up, None),
            None => Judgement {
                state: AgentState::Starting,
                since: spawned_at,
                proof: Some(Proof::Process),
                error: None,
            },
        },
    }
}

fn death_words(death: Option<Death>) -> String {
    match death {
        Some(Death::Exited(code)) => format!("its process ended with exit code {code}"),
        Some(Death::Signalled(signal)) => format!("its process was ended by signal {signal}"),
        Some(Death::Unexplained) | None => "its process ended".to_owned(),
    }
}

/// Observes every agent that should run or is there. `scene` `None`-like (tmux silent): all are unknown.
///
/// # Errors
/// tmux did not answer when it was asked for screens.
pub fn agents(
    home: &Home,
    config: &Config,
    tmux: &Tmux,
    netsky: &std::path::Path,
    scene: &Scene,
    answered: bool,
) -> Answer<Vec<Observed>> {
    let mut names: Vec<AgentName> = scene.desired.agents.keys().copied().collect();
    names.extend(scene.present.iter().filter(|there| there.ours).map(|there| there.name));
    names.sort_unstable();
    names.dedup();
    let mut beacons = scene.beacons.clone();
    // A spawn that was recalled from its pane was not on record when they were read.
    let missing = scene.spawned.agents.iter().filter(|(name, _)| !scene.beacons.contains_key(name));
    beacons.extend(missing.filter_map(|(name, spawn)| Some((*name, scene::beacon(home, *name, spawn)?))));
    let readings = if answered { readings(config, tmux, netsky, scene, &beacons)? } else { BTreeMap::new() };
    let shells = left_shells(config, netsky, scene);
    Ok(names
        .into_iter()
        .map(|name| {
            let present = scene.present(name).filter(|there| there.ours);
            let spawn = scene.spawned.agents.get(&name);
            let beacon = beacons.get(&name);
            let desired = scene.desired.agents.get(&name);
            let facts = Facts {
                answered,
                desired: desired.is_some(),
                present,
                death: present.and_then(|there| row(scene, there.pane)?.dead),
                spawn,
                beacon,
                reading: readings.get(&name),
                left_shell: shells.get(&name).map(String::as_str),
            };
            let Judgement { state, since, proof, error } = judge(&facts);
            let profile =
                spawn.map(|spawn| spawn.profile.clone()).or(desired.map(|desired| desired.profile.clone()));
            Observed {
                name,
                profile: profile.unwrap_or_default(),
                state,
                since,
                proof,
                pid: present.filter(|there| there.alive).map(|there| there.pid),
                error,
                cli_session: beacon
                    .and_then(|beacon| beacon.cli_session.clone())
                    .or_else(|| spawn.and_then(|spawn| spawn.cli_session.clone())),
                last: beacon.and_then(|beacon| beacon.said.clone()).map(|said| crate::text::one_line(&said)),
            }
        })
        .collect())
}

/// Names of programs that nobody takes for an agent, unless that is what was asked for.
const SHELLS: [&str; 7] = ["sh", "bash", "dash", "zsh", "fish", "ksh", "ash"];

/// Agents whose own process has become a shell: the pane lives, the agent does not.
fn left_shells(config: &Config, netsky: &std::path::Path, scene: &Scene) -> BTreeMap<AgentName, String> {
    let shell_of = |there: &Present| {
        process::name_of(there.pid).ok().flatten().filter(|name| SHELLS.contains(&name.as_str()))
    };
    let was_asked_for = |there: &Present| {
        let spawn = scene.spawned.agents.get(&there.name)?;
        let profile = Profile::resolve(&spawn.profile, &config.profiles, netsky).ok()?;
        let program = std::path::Path::new(profile.command.first()?).file_name()?.to_str()?;
        Some(SHELLS.contains(&program))
    };
    let alive = scene.present.iter().filter(|there| there.ours && there.alive);
    alive
        .filter_map(|there| Some((there, shell_of(there)?)))
        // What cannot be told is not judged by it.
        .filter(|(there, _)| was_asked_for(there) == Some(false))
        .map(|(there, shell)| (there.name, shell))
        .collect()
}

fn row(scene: &Scene, pane: PaneId) -> Option<&PaneRow> {
    scene.snapshot.as_ref()?.panes.iter().find(|row| row.pane == pane)
}

/// The screens of those whose hooks do not tell all.
fn readings(
    config: &Config,
    tmux: &Tmux,
    netsky: &std::path::Path,
    scene: &Scene,
    beacons: &BTreeMap<AgentName, Beacon>,
) -> Answer<BTreeMap<AgentName, Reading>> {
    let is_wanted = |there: &&Present| {
        there.ours
            && there.alive
            && match beacons.get(&there.name).map(|beacon| &beacon.activity) {
                None | Some(Activity::AwaitsPerson { .. } | Activity::Starting) => true,
                Some(Activity::Busy) => !was_up(scene, there.name) || is_still(scene, there.pane),
                // What was drawn after the turn had ended may be a dialog.
                Some(Activity::Idle) => was_drawn_after(scene, there.pane, beacons.get(&there.name)),
                Some(_) => false,
            }
    };
    let wanted: Vec<&Present> = scene.present.iter().filter(is_wanted).collect();
    if wanted.is_empty() {
        return Ok(BTreeMap::new());
    }
    let unread = wanted.iter().filter(|there| !scene.screens.contains_key(&there.pane));
    let unread: Vec<(PaneId, u32)> = unread.map(|there| (there.pane, 0)).collect();
    let mut profiles: BTreeMap<String, Option<Profile>> = BTreeMap::new();
    let read = if unread.is_empty() { Vec::new() } else { tmux.capture(&unread)? };
    let read: BTreeMap<PaneId, String> =
        read.into_iter().filter_map(|(pane, screen)| Some((pane, screen.ok()?))).collect();
    Ok(wanted
        .into_iter()
        .filter_map(|there| {
            let name = &scene.spawned.agents.get(&there.name)?.profile;
            let profile = profiles
                .entry(name.clone())
                .or_insert_with(|| Profile::resolve(name, &config.profiles, netsky).ok())
                .as_ref()?;
            let screen = scene.screens.get(&there.pane).or_else(|| read.get(&there.pane))?;
            Some((there.name, screen::read(profile.screen, &profile.marker, screen)))
        })
        .collect())
}

fn was_up(scene: &Scene, name: AgentName) -> bool {
    scene.spawned.agents.get(&name).is_some_and(|spawn| spawn.ready.is_some())
}

fn was_drawn_after(scene: &Scene, pane: PaneId, beacon: Option<&Beacon>) -> bool {
    let drawn = row(scene, pane).map(|row| row.window_activity);
    beacon.is_some_and(|beacon| drawn.is_some_and(|drawn| may_be_later(drawn, beacon.at.timestamp())))
}

/// Whether what was drawn last may have come after the report. tmux tells the second of the last output, so what came
/// in the second of the report may. An agent draws when its turn ends, so a last output long before that report
/// is a later one, and the clock was set back in between.
fn may_be_later(drawn: i64, reported: i64) -> bool {
    const TURN_ENDS_WITHIN: i64 = 60;
    !(1..=TURN_ENDS_WITHIN).contains(&reported.saturating_sub(drawn))
}

fn is_still(scene: &Scene, pane: PaneId) -> bool {
    let now = crate::clock::utc_now().timestamp();
    row(scene, pane).is_some_and(|row| has_been_still(row.window_activity, now))
}

/// A busy agent draws all the time; one whose pane has been still for a while may have been interrupted. So has one been
/// whose last output is yet to come: it drew nothing since the clock was set back.
fn has_been_still(drawn: i64, now: i64) -> bool {
    const STILL: i64 = 5;
    !(-1..STILL).contains(&now.saturating_sub(drawn))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::beacon;
    use crate::agent::marker::{DEFAULT_CORE, Marker};
    use crate::agent::report::{Report, ReportKind};
    use crate::agent::screen::Composer;
    use crate::id::Generation;
    use crate::state::spawned::Ready;
    use crate::status::ReadyBy;

    #[test]
    fn a_clock_that_was_set_hides_nothing_that_was_drawn() {
        const YEARS: i64 = 315_360_000;
        for (drawn, reported, expected) in
            [(10, 10, true), (9, 10, false), (11, 10, true), (10 - YEARS, 10, true), (10 + YEARS, 10, true)]
        {
            assert_eq!(may_be_later(drawn, reported), expected, "{drawn} {reported}");
        }
        for (drawn, now, expected) in
            [(10, 10, false), (10, 14, false), (10, 15, true), (11, 10, false), (10 + YEARS, 10, true)]
        {
            assert_eq!(has_been_still(drawn, now), expected, "{drawn} {now}");
        }
    }

    fn present(alive: bool) -> Present {
        Present {
            name: AgentName::ROOT,
            session: "$1".parse().unwrap(),
            pane: "%1".parse().unwrap(),
            pid: 42,
            alive,
            current: true,
            ours: true,
        }
    }

    fn spawn(ready: bool) -> Spawn {
        let at = crate::clock::utc_now();
        Spawn {
            generation: Generation::fresh(),
            profile: "claude".into(),
            from_flag: false,
            session_number: 1,
            workdir: "/".into(),
            at,
            pane: None,
            ready: ready.then_some(Ready { at, by: ReadyBy::Hook }),
            cli_session: None,
        }
    }

    fn beacon(kinds: &[ReportKind]) -> Beacon {
        let marker = Marker::new(DEFAULT_CORE).unwrap();
        let generation = Generation::fresh();
        let folded = kinds.iter().fold(None, |before, kind| {
            let report = Report { event: "E".into(), session: None, kind: kind.clone() };
            Some(beacon::fold(before, AgentName::ROOT, generation, &report, &marker, crate::clock::utc_now()))
        });
        folded.unwrap()
    }

    fn up() -> ReportKind {
        ReportKind::TurnEnded { said: Some("agent0 session 1 up".into()) }
    }

    /// What hooks told, what the screen shows, whether it was seen up: the state.
    #[track_caller]
    fn check(told: &[ReportKind], screen: Option<Situation>, ready: bool, expected: AgentState) {
        let (there, spawn) = (present(true), spawn(ready));
        let beacon = (!told.is_empty()).then(|| beacon(told));
        let reading = screen.map(|situation| Reading { marker: None, situation });
        let facts = Facts {
            answered: true,
            desired: true,
            present: Some(&there),
            death: None,
            spawn: Some(&spawn),
            beacon: beacon.as_ref(),
            reading: reading.as_ref(),
            left_shell: None,
        };
        assert_eq!(judge(&facts).state, expected, "{told:?} {reading:?} {ready}");
    }

    #[test]
    fn hooks_tell_what_an_agent_does() {
        let asked = ReportKind::PersonAsked { what: "Bash: ls".into() };
        let failed = |limited| ReportKind::TurnFailed { what: "429".into(), limited };
        check(&[ReportKind::SessionStarted { fresh_context: true }], None, false, AgentState::Starting);
        check(&[ReportKind::PromptSubmitted], None, false, AgentState::Starting);
        check(&[ReportKind::TurnEnded { said: Some("no".into()) }], None, false, AgentState::Blocked);
        check(&[up()], None, false, AgentState::Idle);
        check(&[up(), ReportKind::PromptSubmitted], None, false, AgentState::Busy);
        check(&[up(), asked.clone()], None, false, AgentState::Blocked);
        check(&[up(), failed(false)], None, false, AgentState::Blocked);
        check(&[up(), failed(true)], None, false, AgentState::Limited);
    }

    #[test]
    fn a_person_who_interrupted_or_said_no_is_seen_on_the_screen() {
        let idle = Some(Situation::Idle { composer: Composer::Empty });
        let asked = ReportKind::PersonAsked { what: "Bash: ls".into() };
        check(&[up(), asked], idle.clone(), false, AgentState::Idle);
        check(&[up(), ReportKind::PromptSubmitted], idle.clone(), false, AgentState::Idle);
        check(&[ReportKind::PromptSubmitted], idle, false, AgentState::Starting);
    }

    #[test]
    fn a_dialog_between_two_turns_is_seen_and_old_errors_are_not() {
        check(&[up()], Some(Situation::Permission { what: "ls".into() }), true, AgentState::Blocked);
        check(&[up()], Some(Situation::Login { what: "/login".into() }), true, AgentState::Blocked);
        check(&[up()], Some(Situation::Failed { what: "429".into() }), true, AgentState::Idle);
    }

    #[test]
    fn without_hooks_the_screen_tells() {
        check(&[], None, false, AgentState::Starting);
        check(&[], None, true, AgentState::Up);
        check(&[], Some(Situation::Busy), true, AgentState::Busy);
        check(&[], Some(Situation::Busy), false, AgentState::Starting);
        check(&[], Some(Situation::Idle { composer: Composer::Unknown }), true, AgentState::Idle);
        check(&[], Some(Situation::Login { what: "/login".into() }), true, AgentState::Blocked);
        check(&[], Some(Situation::Limited { what: "limit".into() }), true, AgentState::Limited);
    }

    #[test]
    fn what_was_not_seen_is_unknown_and_what_is_gone_is_not() {
        let there = present(false);
        let facts = |answered, present| Facts {
            answered,
            desired: true,
            present,
            death: Some(Death::Exited(3)),
            spawn: None,
            beacon: None,
            reading: None,
            left_shell: None,
        };
        assert_eq!(judge(&facts(false, None)).state, AgentState::Unknown);
        assert_eq!(judge(&facts(true, None)).state, AgentState::Missing);
        let exited = judge(&facts(true, Some(&there)));
        assert_eq!(
            (exited.state, exited.error.as_deref()),
            (AgentState::Exited, Some("its process ended with exit code 3"))
        );
    }
}
