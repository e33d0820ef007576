//! Every `--json` document of the binary is what its schema says, and a schema says something.

use serde_json::Value;

use crate::support::World;

fn schema(name: &str) -> Value {
    let path = format!("{}/schemas/{name}.schema.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

#[track_caller]
fn check(name: &str, document: &Value) {
    let validator = jsonschema::draft202012::new(&schema(name)).unwrap();
    if let Err(error) = validator.validate(document) {
        panic!("{name}: {error} at {}\n{document:#}", error.instance_path());
    }
    for key in document.as_object().unwrap().keys() {
        let mut mutated = document.clone();
        mutated.as_object_mut().unwrap().remove(key);
        assert!(!validator.is_valid(&mutated), "{name} is valid without {key}");
    }
    let mut mutated = document.clone();
    mutated["no_such_key"] = Value::Null;
    assert!(!validator.is_valid(&mutated), "{name} is valid with another key");
}

#[test]
fn documents_of_all_verbs_are_what_their_schemas_say() {
    let world = World::new();
    let json = |arguments: &[&str]| world.netsky(arguments.iter().copied()).run().expect(0).json();
    check("up", &json(&["up", "1", "--agent", "demo", "--json"]));
    let note = world.write("note.md", "text");
    check("restart-record", &json(&["restart", "1", "--handoff", note.to_str().unwrap(), "--json"]));
    check("status", &json(&["status", "--json"]));
    check("history", &json(&["history", "--json"]));
    check("restart-record", &json(&["history", "show", world.record()["id"].as_str().unwrap(), "--json"]));
    check("send", &json(&["send", "agent1", "hello", "--json"]));
    check("inbox", &json(&["inbox", "list", "--agent", "agent0", "--json"]));
    check("handoff", &json(&["handoff", "list", "--json"]));
    check("logs", &json(&["logs", "agent0", "--json"]));
    check("config", &json(&["config", "show", "--json"]));
    check("down", &json(&["down", "--json"]));
    check("status", &json(&["status", "--json"]));
}

#[test]
fn a_failed_restart_prints_its_record_too() {
    let world = World::new();
    world.configure(
        "[restart]\nup_wait = \"1s\"\n[profile.mute]\ncommand = [\"sleep\", \"600\"]\n how = \"paste\"\n",
    );
    let ran = world.netsky(["restart", "0", "--agent", "mute", "--json"]).run().expect(69);
    check("restart-record", &ran.json());
    assert_eq!(ran.json()["phase"], "errored");
}

#[test]
fn forty_agents_fit_a_screens_width() {
    let world = World::new();
    world.configure("[profile.bot]\ncommand = [\"sh\", \"-c\", \"echo session 1 up; exec sleep 600\"]\nmemory = \"1MiB\"\n");
    world.netsky(["up", "39", "--agent", "bot"]).run().expect(0);
    let shown = world.netsky(["status"]).run().expect(0);
    assert!(shown.stdout.lines().count() >= 40);
    for line in shown.stdout.lines() {
        assert!(line.chars().count() <= 80, "{line:?}");
        assert!(!line.contains('\u{1b}'), "a pipe gets no colour: {line:?}");
    }
}
