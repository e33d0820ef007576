//! Ways up, as looks and what they lead to.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use super::*;
use crate::agent::beacon;
use crate::agent::dialog::{DialogRow, Means, Permit, Shape, Wants};
use crate::agent::marker::{DEFAULT_CORE, Marker};
use crate::agent::profile::Profile;
use crate::agent::report::{Report, ReportKind};
use crate::agent::screen::{self, Composer};
use crate::clock;
use crate::id::Generation;
use crate::name::AgentName;

const IDLE: Situation = Situation::Idle { composer: Composer::Empty };

static ROW: DialogRow = DialogRow {
    name: "trust-folder",
    needs: &[],
    without: &[],
    shape: Shape::Options(&[]),
    means: Means::Startup { wants: Wants::Option("Yes"), permit: Permit::TrustedFolder },
};

/// One agent and the time since its spawn.
struct Way {
    watch: Watch,
    since: Instant,
    still: Duration,
    beacon: Option<Beacon>,
}

impl Way {
    fn new(trusted: bool, ask_by_paste: bool) -> Self {
        Self::asked(trusted, if ask_by_paste { Asks::IntoComposer } else { Asks::ByArgument })
    }

    fn asked(trusted: bool, asks: Asks) -> Self {
        let allowances =
            Allowances { workdir: "/w".into(), trusted, bypass: false, development_channels: false };
        let (up_wait, prompt_wait) = (Duration::from_secs(90), Duration::from_secs(30));
        let since = clock::monotonic_now();
        let rules = Rules { up_wait, prompt_wait, allowances, asks };
        Self { watch: Watch::new(rules, since), since, still: Duration::ZERO, beacon: None }
    }

    fn hear(&mut self, kind: ReportKind) {
        let marker = Marker::new(DEFAULT_CORE).unwrap();
        let generation = self.beacon.as_ref().map_or_else(Generation::fresh, |beacon| beacon.generation);
        let report = Report { event: "E".into(), session: None, kind };
        let before = self.beacon.take();
        self.beacon =
            Some(beacon::fold(before, AgentName::ROOT, generation, &report, &marker, clock::utc_now()));
    }

    fn look(&mut self, ms: u64, screen: Option<&Reading>, pane: PaneSight<'_>) -> Step {
        let now = self.since + Duration::from_millis(ms);
        self.watch.step(&Look { now, pane, screen, still: self.still, beacon: self.beacon.as_ref() })
    }

    fn see(&mut self, ms: u64, situation: Situation) -> Step {
        self.look(ms, Some(&Reading { marker: None, situation }), PaneSight::Alive)
    }

    fn see_marker(&mut self, ms: u64, situation: Situation) -> Step {
        let marker = Some("agent0 session 3 up".to_owned());
        self.look(ms, Some(&Reading { marker, situation }), PaneSight::Alive)
    }
}

fn ended(said: &str) -> ReportKind {
    ReportKind::TurnEnded { said: Some(said.into()) }
}

fn up(by: ReadyBy) -> Step {
    Step::Settled(Outcome::Up { by })
}

fn why(step: Step) -> String {
    match step {
        Step::Settled(Outcome::Blocked { why, .. } | Outcome::Limited { why }) => why,
        other => format!("{other:?}"),
    }
}

fn dialog(options: &[&str], highlighted: usize) -> Situation {
    let options = options.iter().map(|option| (*option).to_owned()).collect();
    Situation::Dialog(SeenDialog { row: &ROW, options, highlighted: Some(highlighted), sign: Some('❯') })
}

fn trust(highlighted: usize) -> Situation {
    dialog(&["Yes", "No, exit"], highlighted)
}

fn pressed(key: Key) -> Step {
    Step::Press { dialog: "trust-folder", keys: vec![key] }
}

#[test]
fn a_marker_proves_at_once_while_no_hook_has_spoken() {
    let mut way = Way::new(false, false);
    assert_eq!(way.see(10, Situation::Unclear), Step::Wait);
    assert_eq!(way.see_marker(20, IDLE), up(ReadyBy::Marker));
    assert_eq!(Way::new(false, false).see_marker(20, Situation::Unclear), up(ReadyBy::Marker));
}

#[test]
fn a_marker_in_a_turn_that_has_not_ended_well_proves_nothing() {
    let what = || "x".to_owned();
    for situation in [
        Situation::Busy,
        Situation::Retrying { what: what() },
        Situation::Failed { what: what() },
        Situation::Limited { what: what() },
        Situation::Permission { what: what() },
        Situation::UnknownDialog { options: vec![what()], highlighted: 0 },
        trust(0),
    ] {
        let mut way = Way::new(false, false);
        for ms in [0, 400] {
            assert_eq!(way.see_marker(ms, situation.clone()), Step::Wait, "{situation:?}");
        }
    }
}

#[test]
fn a_hook_proves_without_any_screen() {
    let mut way = Way::new(false, false);
    way.hear(ReportKind::SessionStarted { fresh_context: true });
    way.hear(ReportKind::PromptSubmitted);
    assert_eq!(way.look(900, None, PaneSight::Unseen), Step::Wait);
    way.hear(ended("agent0 session 3 up"));
    assert_eq!(way.look(1200, None, PaneSight::Unseen), up(ReadyBy::Hook));
}

#[test]
fn once_a_hook_spoke_a_marker_counts_only_if_it_stays_for_two_seconds() {
    let mut way = Way::new(false, false);
    way.hear(ReportKind::PromptSubmitted);
    assert_eq!(way.see_marker(1000, IDLE), Step::Wait);
    assert_eq!(way.see_marker(2900, IDLE), Step::Wait);
    assert_eq!(way.see(2950, IDLE), Step::Wait);
    assert_eq!(way.see_marker(3100, IDLE), Step::Wait);
    assert_eq!(way.see_marker(5050, Situation::Busy), Step::Wait);
    assert_eq!(way.see_marker(5100, IDLE), Step::Wait);
    assert_eq!(way.see_marker(7099, IDLE), Step::Wait);
    assert_eq!(way.see_marker(7100, IDLE), up(ReadyBy::Marker));
}

#[test]
fn bad_news_of_a_hook_counts_at_once() {
    let failed = |limited| ReportKind::TurnFailed { what: "no more".into(), limited };
    for (kind, expected) in [
        (failed(false), "no more"),
        (failed(true), "no more"),
        (
            ReportKind::PersonAsked { what: "permission for Bash: ls".into() },
            "it asks for permission for Bash: ls",
        ),
        (ended("hello"), "its startup turn ended without the marker"),
        (ReportKind::TurnInterrupted, "its startup turn ended without the marker"),
    ] {
        let mut way = Way::new(false, false);
        way.hear(ReportKind::PromptSubmitted);
        way.hear(kind);
        assert_eq!(why(way.look(100, None, PaneSight::Alive)), expected);
    }
}

#[test]
fn bad_news_on_a_screen_counts_when_two_equal_looks_are_half_a_second_apart() {
    let failed = |what: &str| Situation::Failed { what: what.into() };
    let mut way = Way::new(false, false);
    assert_eq!(way.see(0, failed("a")), Step::Wait);
    assert_eq!(way.see(499, failed("a")), Step::Wait);
    assert_eq!(way.see(600, failed("b")), Step::Wait);
    assert_eq!(way.see(800, Situation::Busy), Step::Wait);
    assert_eq!(way.see(1200, failed("b")), Step::Wait);
    assert_eq!(why(way.see(1700, failed("b"))), "b");
    for (situation, expected) in [
        (Situation::Login { what: "log in".into() }, "it is not logged in: log in"),
        (Situation::Permission { what: "ls".into() }, "it asks for a permission: ls"),
        (Situation::Limited { what: "limit".into() }, "limit"),
        (
            Situation::UnknownDialog { options: vec!["a".into(), "b".into()], highlighted: 1 },
            "an unknown dialog waits for a person: a / b",
        ),
    ] {
        let mut way = Way::new(true, false);
        assert_eq!(way.see(0, situation.clone()), Step::Wait);
        assert_eq!(why(way.see(500, situation)), expected);
    }
}

#[test]
fn retrying_is_busy_until_it_is_late() {
    let mut way = Way::new(false, false);
    let retrying = || Situation::Retrying { what: "attempt 4/10".into() };
    assert_eq!(way.see(1000, retrying()), Step::Wait);
    assert_eq!(way.see(60_000, retrying()), Step::Wait);
    assert_eq!(way.see(89_999, retrying()), Step::Wait);
    let late = Outcome::Late { limit: Duration::from_secs(90) };
    assert_eq!(way.see(90_000, retrying()), Step::Settled(late));
}

#[test]
fn what_could_not_be_seen_changes_nothing_and_what_ended_is_over() {
    let mut way = Way::new(false, false);
    assert_eq!(way.look(100, None, PaneSight::Unseen), Step::Wait);
    let exited = |how: &str| Step::Settled(Outcome::Exited { how: how.into() });
    let marker = Reading { marker: Some("session 3".into()), situation: IDLE };
    assert_eq!(way.look(200, Some(&marker), PaneSight::Dead("exit 1")), exited("exit 1"));
    assert_eq!(way.look(300, None, PaneSight::Gone), exited("its session is gone"));
}

#[test]
fn a_dialog_is_answered_once_it_has_stood_and_then_left_to_settle() {
    let mut way = Way::new(true, false);
    assert_eq!(way.see(480, trust(0)), Step::Wait);
    assert_eq!(way.see(579, trust(0)), Step::Wait);
    assert_eq!(way.see(580, trust(0)), pressed(Key::Enter));
    assert_eq!(way.see(600, trust(0)), Step::Wait);
    assert_eq!(way.see(1279, trust(0)), Step::Wait);
    assert_eq!(way.see(1300, Situation::Busy), Step::Wait);
    assert_eq!(way.see_marker(1500, IDLE), up(ReadyBy::Marker));
    assert_eq!(way.watch.dialogs(), ["trust-folder"]);
}

#[test]
fn a_highlight_on_no_is_moved_and_seen_before_it_is_confirmed() {
    let mut way = Way::new(true, false);
    assert_eq!(way.see(0, trust(1)), Step::Wait);
    assert_eq!(way.see(100, trust(1)), pressed(Key::Up));
    assert_eq!(way.see(120, trust(1)), Step::Wait);
    assert_eq!(way.see(140, trust(0)), pressed(Key::Enter));
    assert_eq!(way.see(160, trust(0)), Step::Wait);
    assert_eq!(way.watch.dialogs(), ["trust-folder"]);
}

#[test]
fn a_dialog_that_stays_is_tried_three_times_and_then_blocks() {
    let mut way = Way::new(true, false);
    let steps: Vec<Step> = (0..40).map(|look| way.see(look * 100, trust(0))).collect();
    assert_eq!(steps.iter().filter(|step| **step == pressed(Key::Enter)).count(), 3);
    let blocked = steps.into_iter().find(|step| matches!(step, Step::Settled(_))).unwrap();
    assert_eq!(why(blocked), "the dialog trust-folder stayed after 3 answers");
}

#[test]
fn a_dialog_whose_highlight_never_arrives_gets_no_endless_keys() {
    let mut way = Way::new(true, false);
    let steps: Vec<Step> = (0..60)
        .map(|look| way.see(look * 100, dialog(&["a", "b", "Yes"], usize::try_from(look / 2 % 2).unwrap())))
        .collect();
    let presses = steps.iter().filter(|step| matches!(step, Step::Press { .. })).count();
    assert!(presses <= 12, "{presses}");
    assert!(!steps.contains(&pressed(Key::Enter)));
    assert!(steps.iter().any(|step| matches!(step, Step::Settled(Outcome::Blocked { .. }))));
}

#[test]
fn a_dialog_that_is_not_allowed_or_too_late_gets_no_key() {
    let mut way = Way::new(false, false);
    assert_eq!(way.see(0, trust(0)), Step::Wait);
    let blocked = Outcome::Blocked {
        why: "the dialog trust-folder waits for a person".into(),
        hint: Some("netsky trust /w".into()),
    };
    assert_eq!(way.see(500, trust(0)), Step::Settled(blocked));
    let mut way = Way::new(true, false);
    assert_eq!(way.see(30_001, trust(0)), Step::Wait);
    assert_eq!(why(way.see(30_501, trust(0))), "the dialog trust-folder was still up after 30s");
    assert!(way.watch.dialogs().is_empty());
}

#[test]
fn a_startup_question_is_pasted_once_into_a_composer_that_stays() {
    let mut way = Way::new(true, true);
    assert_eq!(way.see(300, IDLE), Step::Wait);
    assert_eq!(way.see(480, trust(0)), Step::Wait);
    assert_eq!(way.see(900, IDLE), Step::Wait);
    assert_eq!(way.see(1399, IDLE), Step::Wait);
    assert_eq!(way.see(1400, IDLE), Step::AskStartup);
    assert_eq!(way.see(5000, IDLE), Step::Wait);
}

#[test]
fn a_question_that_was_broken_off_is_asked_again_when_the_composer_stands_again() {
    let mut way = Way::new(true, true);
    assert_eq!(way.see(0, IDLE), Step::Wait);
    assert_eq!(way.see(500, IDLE), Step::AskStartup);
    way.watch.ask_again();
    assert_eq!(way.see(600, trust(0)), Step::Wait);
    assert_eq!(way.see(700, trust(0)), pressed(Key::Enter));
    assert_eq!(way.see(800, IDLE), Step::Wait);
    assert_eq!(way.see(1300, IDLE), Step::AskStartup);
    assert_eq!(way.see(5000, IDLE), Step::Wait);
}

#[test]
fn where_no_composer_is_known_the_question_is_pasted_when_the_screen_stands() {
    let mut way = Way::asked(true, Asks::IntoScreen);
    assert_eq!(way.see(5000, Situation::Unclear), Step::Wait);
    way.still = SCREEN_STANDS;
    assert_eq!(way.see(6000, Situation::Unclear), Step::AskStartup);
    assert_eq!(way.see(9000, Situation::Unclear), Step::Wait);
    let mut way = Way::asked(true, Asks::IntoComposer);
    way.still = SCREEN_STANDS;
    assert_eq!(way.see(6000, Situation::Unclear), Step::Wait);
}

/// The whole way of real screens: Claude Code's trust with *No* highlighted, then its first turn.
#[test]
fn captured_screens_lead_up() {
    let profile = Profile::resolve("claude", &BTreeMap::new(), Path::new("/netsky")).unwrap();
    let screens = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/screens/claude-2.1.197");
    let mut way = Way::new(true, false);
    for (ms, name, expected) in [
        (0, "dialog-trust-200x50-no-highlighted", Step::Wait),
        (100, "dialog-trust-200x50-no-highlighted", pressed(Key::Up)),
        (130, "dialog-trust-200x50", pressed(Key::Enter)),
        (200, "idle-before-startup-prompt", Step::Wait),
        (300, "busy-running-stop-hook", Step::Wait),
        (400, "done-marker-200x50", up(ReadyBy::Marker)),
    ] {
        let text = std::fs::read_to_string(screens.join(name).with_extension("txt")).unwrap();
        let reading = screen::read(profile.screen, &profile.marker, &text);
        assert_eq!(way.look(ms, Some(&reading), PaneSight::Alive), expected, "{name}");
    }
}
