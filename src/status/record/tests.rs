use super::*;
use crate::id::EnvelopeId;
use crate::status::{AgentState, HandoffState, ReadyBy};

pub(crate) fn at(text: &str) -> DateTime<Utc> {
    DateTime::parse_from_rfc3339(text).unwrap().with_timezone(&Utc)
}

pub(crate) fn begun() -> Record {
    Record::begin(Beginning {
        id: RestartId::fresh(),
        pid: 4242,
        at: at("2026-11-20T19:00:00.0125Z"),
        actor: Actor::Owner,
        reason: None,
        generation: Generation::fresh(),
        clones: 1,
    })
}

pub(crate) fn up(number: u32) -> AgentRecord {
    AgentRecord {
        state: AgentState::Up,
        ready_by: Some(ReadyBy::Hook),
        ready_ms: Some(1240),
        dialogs: vec!["trust-folder".to_owned()],
        ..AgentRecord::starting(AgentName::Numbered(number), "claude")
    }
}

pub(crate) fn failure() -> Failure {
    Failure {
        step: Phase::UpDetected,
        message: "waiting for agent0 to come up within 90s: it asks who you are".to_owned(),
        agent: Some(AgentName::ROOT),
        screen: Some(vec!["Sign in".to_owned()]),
        hint: Some("netsky attach agent0".to_owned()),
    }
}

/// A record that went through these phases, a second each.
pub(crate) fn through(phases: &[Phase]) -> Record {
    let mut record = begun();
    for (n, phase) in (1..).zip(phases) {
        record
            .advance(*phase, record.started_at + chrono::Duration::seconds(n), Duration::from_secs(1))
            .unwrap();
    }
    record
}

pub(crate) const TO_THE_HANDOFF: [Phase; 4] =
    [Phase::TearingDown, Phase::Spawned, Phase::UpDetected, Phase::HandoffDelivered];

pub(crate) fn complete() -> Record {
    let mut record = through(&TO_THE_HANDOFF);
    record.note_agent(up(0)).unwrap();
    record.note_agent(up(1)).unwrap();
    let id = EnvelopeId::fresh();
    let envelope = format!("{id}-from-owner.json");
    record.note_handoff(HandoffRecord { id, state: HandoffState::Delivered, envelope }).unwrap();
    record.finish(Ending::Complete, record.updated_at, Duration::from_secs(5)).unwrap();
    record
}

#[test]
fn a_record_survives_its_file_form_and_has_every_key() {
    for record in [begun(), complete(), through(&[Phase::TearingDown]).interrupted()] {
        let json = serde_json::to_value(&record).unwrap();
        let keys: Vec<&str> = json.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(keys.len(), 15, "{keys:?}");
        assert_eq!(serde_json::from_value::<Record>(json).unwrap(), record);
    }
}

#[test]
fn an_ended_record_is_frozen() {
    let mut record = complete();
    let before = record.clone();
    let ended = TransitionError::Ended { id: record.id, phase: Phase::Complete };
    let at = record.updated_at;
    assert_eq!(record.advance(Phase::Spawned, at, Duration::ZERO), Err(ended.clone()));
    assert_eq!(record.finish(Ending::Degraded, at, Duration::ZERO), Err(ended.clone()));
    assert_eq!(record.note_agent(up(2)), Err(ended));
    assert_eq!(record, before);
    assert_eq!(record.interrupted(), before);
}

#[test]
fn a_restart_is_never_green_with_an_agent_missing() {
    let mut record = through(&TO_THE_HANDOFF);
    let at = record.updated_at;
    record.note_agent(up(0)).unwrap();
    for (state, ready_by) in [(AgentState::Limited, Some(ReadyBy::Hook)), (AgentState::Up, None)] {
        record.note_agent(AgentRecord { state, ready_by, ..up(1) }).unwrap();
        let error = record.finish(Ending::Complete, at, Duration::ZERO).unwrap_err();
        assert!(error.to_string().ends_with("is not complete: agent1 is not up"), "{error}");
    }
    record.finish(Ending::Degraded, at, Duration::ZERO).unwrap();
    assert_eq!((record.phase(), record.exit_code()), (Phase::Degraded, Some(3)));
}

#[test]
fn a_failure_carries_its_exit_code_and_its_cause() {
    let mut record = through(&[Phase::TearingDown, Phase::Spawned]);
    let ending = Ending::Errored { failure: failure(), exit_code: 4 };
    record.finish(ending, record.updated_at, Duration::from_secs(90)).unwrap();
    assert_eq!((record.phase(), record.exit_code()), (Phase::Errored, Some(4)));
    assert_eq!(record.error(), Some(&failure()));
}

#[test]
fn ends_are_no_steps_and_steps_come_in_order() {
    let mut record = begun();
    let at = record.updated_at;
    assert!(matches!(
        record.advance(Phase::Complete, at, Duration::ZERO),
        Err(TransitionError::NotAStep { .. })
    ));
    assert!(matches!(
        record.advance(Phase::UpDetected, at, Duration::ZERO),
        Err(TransitionError::OutOfOrder { from: Phase::Preflight, to: Phase::UpDetected, .. })
    ));
    assert_eq!(record.phases().len(), 1);
}

#[test]
fn elapsed_time_never_shrinks() {
    let mut record = begun();
    let at = record.updated_at;
    record.advance(Phase::TearingDown, at, Duration::from_millis(500)).unwrap();
    record.advance(Phase::Spawned, at - chrono::Duration::days(1), Duration::from_millis(100)).unwrap();
    assert_eq!(record.elapsed_ms(), 500);
}

#[test]
fn agents_stay_in_numeric_order_and_are_noted_once() {
    let mut record = begun();
    for number in [10, 2, 0, 2] {
        record.note_agent(up(number)).unwrap();
    }
    let numbers: Vec<_> = record.agents().iter().map(|agent| agent.name.number().unwrap()).collect();
    assert_eq!(numbers, [0, 2, 10]);
}

#[test]
fn records_of_the_first_format_load_for_ever() {
    for text in [
        include_str!("../../../tests/formats/v1/restart-record-complete.json"),
        include_str!("../../../tests/formats/v1/restart-record-errored.json"),
        include_str!("../../../tests/formats/v1/restart-record-in-flight.json"),
    ] {
        let record: Record = crate::persist::parse(text.as_bytes()).unwrap();
        let again = serde_json::to_value(&record).unwrap();
        assert_eq!(again, serde_json::from_str::<serde_json::Value>(text).unwrap());
    }
}

proptest::proptest! {
    #[test]
    fn whatever_is_asked_phases_only_go_forward(asked in proptest::collection::vec(0usize..10, 0..20)) {
        let mut record = begun();
        for phase in asked.into_iter().map(|n| Phase::ALL[n]) {
            let before = record.phase();
            let at = record.updated_at;
            let result = match phase {
                Phase::Complete => record.finish(Ending::Complete, at, Duration::ZERO),
                Phase::Degraded => record.finish(Ending::Degraded, at, Duration::ZERO),
                Phase::Errored => {
                    record.finish(Ending::Errored { failure: failure(), exit_code: 1 }, at, Duration::ZERO)
                }
                phase => record.advance(phase, at, Duration::ZERO),
            };
            match result {
                Ok(()) => proptest::prop_assert!(may_follow(before, record.phase())),
                Err(_) => proptest::prop_assert_eq!(before, record.phase()),
            }
            proptest::prop_assert_eq!(record.exit_code().is_some(), record.phase().is_terminal());
        }
    }
}
