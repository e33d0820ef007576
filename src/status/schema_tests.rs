//! Every document validates against its schema, and no document with one thing changed does.

use serde_json::{Value, json};

use super::record::tests::{at, begun, complete, failure, up};
use super::*;
use crate::config::{Config, Flags, Inputs};
use crate::name::{Actor, AgentName};

/// The schemas, each with documents that between them hold everything at least once.
fn cases() -> Vec<(&'static str, Value, Vec<Value>)> {
    macro_rules! case {
        ($name:literal, $documents:expr) => {
            (
                $name,
                serde_json::from_str(include_str!(concat!("../../schemas/", $name, ".schema.json"))).unwrap(),
                $documents,
            )
        };
    }
    vec![
        case!("restart-record", records().iter().map(to_json).collect()),
        case!("status", vec![to_json(&full_status()), to_json(&empty_status())]),
        case!("history", vec![to_json(&HistoryDocument { version: 1, restarts: records() })]),
        case!("config", vec![config()]),
        case!("config-check", vec![problems()]),
        case!("envelope", vec![shown_envelope(Value::Null), shown_envelope(json!("base64"))]),
        case!("up", vec![up_document()]),
        case!("down", vec![down_document()]),
        case!("send", vec![send_document()]),
        case!("inbox", vec![json!({"version": 1, "agent": "agent0", "envelopes": [envelope()]})]),
        case!("handoff", vec![json!({"version": 1, "handoffs": [envelope()]})]),
        case!("logs", vec![json!({"version": 1, "agent": "agent0", "generation": ID, "lines": ["a", ""]})]),
    ]
}

const ID: &str = "01KAGPQWR1Q7D0S9B4E6Y8H2KG";

fn to_json(value: &impl serde::Serialize) -> Value {
    serde_json::to_value(value).unwrap()
}

fn errored() -> Record {
    let mut record = begun();
    record
        .note_agent(AgentRecord {
            error: Some("it waits".into()),
            ..AgentRecord::starting(AgentName::ROOT, "demo")
        })
        .unwrap();
    record.reason = Some("new model".to_owned());
    let ending = Ending::Errored { failure: failure(), exit_code: 130 };
    record.finish(ending, at("2026-11-20T19:00:09Z"), std::time::Duration::from_secs(9)).unwrap();
    record
}

fn records() -> Vec<Record> {
    vec![complete(), errored(), begun(), begun().interrupted()]
}

fn full_status() -> StatusDocument {
    let since = at("2026-11-20T19:00:00Z");
    let agent = AgentStatus {
        record: up(0),
        pid: Some(17),
        since: Some(since),
        generation: Some(ID.parse().unwrap()),
        proof: Some(Proof::Process),
        session_number: Some(3),
        cli_session: Some("b6f3".to_owned()),
        workdir: Some("/srv/x".to_owned()),
        limited_until: Some(since),
        last: Some("done".to_owned()),
    };
    let unknown = AgentStatus {
        record: AgentRecord {
            state: AgentState::Unknown,
            ..AgentRecord::starting(AgentName::Overseer, "codex")
        },
        pid: None,
        since: None,
        generation: None,
        proof: None,
        session_number: None,
        cli_session: None,
        workdir: None,
        limited_until: None,
        last: None,
    };
    let desired = DesiredAgent { name: AgentName::ROOT, profile: "claude".to_owned() };
    StatusDocument {
        version: 1,
        home: "/home/me/.netsky".to_owned(),
        tmux: TmuxStatus { socket: "/s".to_owned(), server_pid: Some(9), answer: TmuxAnswer::Ok },
        desired: Some(Desired {
            clones: 0,
            agents: vec![desired],
            since,
            verb: "restart".to_owned(),
            actor: Actor::Agent(AgentName::Numbered(3)),
        }),
        agents: vec![agent, unknown],
        last_restart: Some(complete()),
        blocking: vec![Blocking {
            agent: Some(AgentName::ROOT),
            what: "it waits".to_owned(),
            hint: Some("netsky attach".to_owned()),
        }],
    }
}

fn empty_status() -> StatusDocument {
    StatusDocument {
        desired: None,
        agents: Vec::new(),
        last_restart: None,
        blocking: Vec::new(),
        tmux: TmuxStatus { socket: "/s".to_owned(), server_pid: None, answer: TmuxAnswer::NoServer },
        ..full_status()
    }
}

/// A configuration with a value from each source.
fn config() -> Value {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("config.toml");
    let text = "[constellation]\ntrust = [\"/srv/x\"]\n[profile.mybot]\ncommand = [\"mybot\"]\nenv = { A = \"b\" }\n";
    crate::persist::replace(&file, text.as_bytes()).unwrap();
    let environment = [("NO_COLOR".into(), "1".into())].into();
    let flags = Flags { clones: Some(1), agent: None };
    to_json(&Config::load(&Inputs { file, environment: &environment, flags }).unwrap().document())
}

fn up_document() -> Value {
    json!({"version": 1, "exit_code": 4, "error": failure(), "generation": ID, "spawned": ["agent0"],
        "left_alone": ["agent1"], "agents": [up(0)]})
}

fn down_document() -> Value {
    let survivor = json!({"agent": "agent1", "pid": 5, "command": "sleep"});
    json!({"version": 1, "exit_code": 1, "stopped": ["agent0"], "survivors": [survivor], "server_ended": false})
}

fn send_document() -> Value {
    let delivery = json!({"id": ID, "to": "agent1", "state": "delivered", "nudge": "typed"});
    json!({"version": 1, "from": "owner", "deliveries": [delivery]})
}

fn problems() -> Value {
    let problem =
        json!({"key": "restart.up_wait", "path": "/c", "line": 3, "message": "no unit", "hint": null});
    json!({"version": 1, "problems": [problem]})
}

fn shown_envelope(encoding: Value) -> Value {
    json!({"version": 1, "id": ID, "from": "agent3", "to": "agent0", "ts": "2026-11-20T19:00:00Z", "generation": ID,
        "state": "taken", "text": "go on", "encoding": encoding})
}

fn envelope() -> Value {
    json!({"id": ID, "from": "owner", "to": "agent0", "ts": "2026-11-20T19:00:00Z", "bytes": 12, "state": "shown",
        "head": "go on"})
}

/// Every document that differs from `value` in one place, at any depth: a field dropped, a field added, a value of
/// another type. Each comes with the place.
fn mutations(value: &Value) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    let wrong = if value.is_object() { json!(7.5) } else { json!({"wrong": true}) };
    found.push((" is of another type".to_owned(), wrong));
    match value {
        Value::Object(fields) => {
            let mut added = fields.clone();
            added.insert("added".to_owned(), Value::Null);
            found.push((" has one field more".to_owned(), Value::Object(added)));
            for (key, inner) in fields {
                let mut dropped = fields.clone();
                dropped.remove(key);
                found.push((format!(".{key} is dropped"), Value::Object(dropped)));
                for (place, changed) in mutations(inner) {
                    let mut fields = fields.clone();
                    fields.insert(key.clone(), changed);
                    found.push((format!(".{key}{place}"), Value::Object(fields)));
                }
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                for (place, changed) in mutations(item) {
                    let mut items = items.clone();
                    items[index] = changed;
                    found.push((format!("[{index}]{place}"), Value::Array(items)));
                }
            }
        }
        _ => {}
    }
    found
}

#[test]
fn every_document_validates_and_no_changed_one_does() {
    for (name, schema, documents) in cases() {
        let validator = jsonschema::draft202012::new(&schema).unwrap();
        for document in documents {
            if let Err(error) = validator.validate(&document) {
                panic!("{name}: {error} at {}\n{document:#}", error.instance_path());
            }
            let changed = mutations(&document);
            assert!(changed.len() > 10, "{name}");
            for (place, document) in changed {
                assert!(!validator.is_valid(&document), "{name}: {place} is accepted");
            }
        }
    }
}

#[test]
fn schemas_are_schemas() {
    for (name, schema, _) in cases() {
        assert!(jsonschema::meta::is_valid(&schema), "{name}");
        assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema", "{name}");
    }
}

#[test]
fn every_object_of_a_schema_is_closed_and_needs_every_field() {
    fn check(name: &str, schema: &Value) {
        match schema {
            Value::Object(fields) => {
                if let Some(properties) = fields.get("properties").and_then(Value::as_object) {
                    assert_eq!(fields.get("additionalProperties"), Some(&json!(false)), "{name}: {schema}");
                    let required: std::collections::BTreeSet<&str> =
                        fields["required"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
                    assert_eq!(required, properties.keys().map(String::as_str).collect(), "{name}");
                }
                fields.values().for_each(|inner| check(name, inner));
            }
            Value::Array(items) => items.iter().for_each(|inner| check(name, inner)),
            _ => {}
        }
    }
    for (name, schema, _) in cases() {
        check(name, &schema);
    }
}

#[test]
fn what_two_schemas_define_they_define_alike() {
    let mut known = std::collections::BTreeMap::new();
    for (name, schema, _) in cases() {
        for (key, definition) in schema["$defs"].as_object().into_iter().flatten() {
            let (first, seen) = known.entry(key.clone()).or_insert_with(|| (name, definition.clone()));
            assert_eq!(seen, definition, "{key} in {first} and {name}");
        }
        if name == "restart-record" {
            let body = ["type", "required", "properties"].map(|key| schema[key].clone());
            known.insert("record body".to_owned(), (name, Value::from(body.to_vec())));
        }
    }
    let (_, record) = &known["record"];
    assert_eq!(
        known["record body"].1,
        Value::from(["type", "required", "properties"].map(|key| record[key].clone()).to_vec())
    );
}

#[test]
fn the_words_of_the_schemas_are_those_of_the_code() {
    let (_, status, _) = cases().into_iter().find(|(name, ..)| *name == "status").unwrap();
    for (key, words) in [
        ("phase", to_json(&Phase::ALL)),
        ("state", to_json(&AgentState::ALL)),
        ("ready_by", to_json(&ReadyBy::ALL)),
        ("proof", to_json(&Proof::ALL)),
        ("handoff_state", to_json(&HandoffState::ALL)),
    ] {
        assert_eq!(status["$defs"][key]["enum"], words, "{key}");
    }
}

#[test]
fn records_of_the_first_format_validate() {
    let (_, schema, _) = cases().into_iter().find(|(name, ..)| *name == "restart-record").unwrap();
    for text in [
        include_str!("../../tests/formats/v1/restart-record-complete.json"),
        include_str!("../../tests/formats/v1/restart-record-errored.json"),
        include_str!("../../tests/formats/v1/restart-record-in-flight.json"),
    ] {
        assert!(jsonschema::is_valid(&schema, &serde_json::from_str(text).unwrap()));
    }
}
