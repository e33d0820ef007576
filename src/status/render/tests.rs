use unicode_width::UnicodeWidthStr;

use super::*;
use crate::config::Permissions;
use crate::id::Generation;
use crate::name::{Actor, AgentName};
use crate::status::record::tests::{at, begun, complete, failure, through, up};
use crate::status::{AgentRecord, Desired, DesiredAgent, Ending, Palette, Proof, TmuxStatus};

const PLAIN: Screen = Screen { width: 80, palette: Palette::Plain };

fn now() -> DateTime<Utc> {
    at("2026-11-20T21:05:00Z")
}

fn agent(number: u32, state: AgentState) -> AgentStatus {
    AgentStatus {
        record: AgentRecord { state, ..up(number) },
        pid: Some(4_000_000 + i32::try_from(number).unwrap()),
        since: Some(at("2026-11-20T19:00:00Z")),
        generation: Some("01KAGPQWR1Q7D0S9B4E6Y8H2KG".parse::<Generation>().unwrap()),
        proof: Some(Proof::Hook),
        session_number: Some(3),
        cli_session: None,
        workdir: Some("/home/me/project".to_owned()),
        limited_until: None,
        last: Some("I have read the hand-over and go on with the parser".to_owned()),
    }
}

fn document(agents: Vec<AgentStatus>) -> StatusDocument {
    let wanted = agents
        .iter()
        .map(|agent| DesiredAgent { name: agent.record.name, profile: agent.record.profile.clone() });
    StatusDocument {
        version: 1,
        home: "/home/me/.netsky".to_owned(),
        tmux: TmuxStatus {
            socket: "/home/me/.netsky/run/tmux.sock".to_owned(),
            server_pid: Some(17),
            answer: TmuxAnswer::Ok,
        },
        desired: Some(Desired {
            clones: 1,
            agents: wanted.collect(),
            since: at("2026-11-20T19:00:00Z"),
            verb: "up".to_owned(),
            actor: Actor::Owner,
        }),
        agents,
        last_restart: None,
        blocking: Vec::new(),
    }
}

#[test]
fn the_status_table_reads_well() {
    let mut blocked = agent(1, AgentState::Blocked);
    blocked.record.error = Some("it asks whether to trust /srv/x".to_owned());
    let mut document = document(vec![agent(0, AgentState::Idle), blocked]);
    document.blocking = vec![Blocking {
        agent: Some(AgentName::Numbered(1)),
        what: "it waits for a person: trust-folder".to_owned(),
        hint: Some("netsky trust /srv/x".to_owned()),
    }];
    let shown = status(&document, Permissions::Ask.as_str(), now(), PLAIN);
    assert_eq!(
        shown,
        "\
1 of 2 up · permissions: ask · /home/me/.netsky

AGENT   STATE    SINCE  TYPE    PROOF  PID      GEN     LAST
agent0  idle     2h 5m  claude  hook   4000000  Y8H2KG  I have read the hand-ov…
agent1  blocked  2h 5m  claude  hook   4000001  Y8H2KG  it asks whether to trus…

! agent1: it waits for a person: trust-folder
  netsky trust /srv/x
"
    );
}

#[test]
fn forty_agents_fit_every_width() {
    let states = AgentState::ALL.iter().cycle();
    let mut all: Vec<AgentStatus> =
        (0..40).zip(states).map(|(number, state)| agent(number, *state)).collect();
    all.push(AgentStatus {
        record: AgentRecord {
            profile: "a-profile-with-a-long-name".to_owned(),
            ..AgentRecord::starting(AgentName::Overseer, "")
        },
        ..agent(0, AgentState::Starting)
    });
    for width in [20, 40, 60, 79, 80, 81, 200] {
        let shown = agents(&all, now(), Screen { width, palette: Palette::Plain });
        assert_eq!(shown.lines().count(), 42);
        for line in shown.lines() {
            assert!(line.width() <= width, "{width}: {line}");
        }
    }
    let shown = agents(&all, now(), PLAIN);
    assert!(shown.contains("agent39") && shown.contains("SINCE") && shown.contains("PROOF"), "{shown}");
}

#[test]
fn colour_only_repeats_what_words_say() {
    let all: Vec<AgentStatus> = (0..).zip(AgentState::ALL).map(|(n, state)| agent(n, *state)).collect();
    let mut document = document(all);
    document.last_restart = Some(complete());
    let colored = status(&document, "ask", now(), Screen { palette: Palette::Color, ..PLAIN });
    assert!(colored.contains("\u{1b}[32m"));
    assert_eq!(text::printable(&colored), status(&document, "ask", now(), PLAIN));
}

#[test]
fn foreign_text_cannot_move_the_cursor_or_add_lines() {
    let evil = "\u{1b}[2Jx\u{1b}]52;c;aGk=\u{7}\ny\u{202e}\r";
    let mut bad = agent(0, AgentState::Blocked);
    bad.record.error = Some(evil.to_owned());
    bad.record.profile = evil.to_owned();
    let mut document = document(vec![bad.clone()]);
    document.home = evil.to_owned();
    document.blocking = vec![Blocking { agent: None, what: evil.to_owned(), hint: Some(evil.to_owned()) }];
    let mut record = begun();
    record.reason = Some(evil.to_owned());
    record.note_agent(bad.record).unwrap();
    let mut wrong = failure();
    wrong.message = evil.to_owned();
    wrong.screen = Some(vec![evil.to_owned()]);
    let at = record.updated_at();
    record.finish(Ending::Errored { failure: wrong, exit_code: 1 }, at, Duration::ZERO).unwrap();
    document.last_restart = Some(record.clone());
    for shown in [
        status(&document, evil, now(), PLAIN),
        history(std::slice::from_ref(&record), now(), PLAIN),
        restart(&record, now(), PLAIN),
    ] {
        assert!(shown.chars().all(|c| c == '\n' || !c.is_control()), "{shown:?}");
        assert!(!shown.contains('\u{202e}') && !shown.contains("52;c"), "{shown:?}");
    }
}

#[test]
fn one_restart_is_shown_with_its_phases_and_its_cause() {
    let mut record = through(&[Phase::TearingDown, Phase::Spawned]);
    record.reason = Some("new model".to_owned());
    record.note_agent(up(1)).unwrap();
    record.note_agent(AgentRecord::starting(AgentName::ROOT, "claude")).unwrap();
    let ended = at("2026-11-20T19:01:30Z");
    let ending = Ending::Errored { failure: failure(), exit_code: 4 };
    record.finish(ending, ended, Duration::from_secs(90)).unwrap();
    let shown = restart(&record, now(), PLAIN).replace(&record.id.to_string(), "ID");
    assert_eq!(
        shown,
        "\
restart ID errored, exit code 4
begun 2026-11-20T19:00:00.012Z, 2h 4m ago by owner, took 90s
reason: new model

PHASE         AFTER  AT
preflight     0s     2026-11-20T19:00:00.012Z
tearing-down  1s     2026-11-20T19:00:01.012Z
spawned       1s     2026-11-20T19:00:02.012Z
errored       90s    2026-11-20T19:01:30Z

AGENT   STATE     UP AFTER  BY    TYPE    NOTE
agent0  starting                  claude
agent1  up        1.2s      hook  claude  answered trust-folder

up-detected: waiting for agent0 to come up within 90s: it asks who you are
| Sign in
  netsky attach agent0
"
    );
}

#[test]
fn history_fits_eighty_columns() {
    let records = [complete(), begun(), begun().interrupted()];
    let shown = history(&records, now(), PLAIN);
    assert!(shown.lines().all(|line| line.width() <= 80), "{shown}");
    for word in ["complete", "preflight", "interrupted", "2/2", "2h 4m", "RESULT"] {
        assert!(shown.contains(word), "{word}: {shown}");
    }
}

#[test]
fn a_time_to_come_is_just_now() {
    assert_eq!(age(at("2036-01-01T00:00:00Z"), now()), "0s");
}
