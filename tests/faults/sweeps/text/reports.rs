//! Text in what an agent CLI tells its hooks: the last message, ids, directories, errors, questions.

use std::fs;

use netsky::text::{one_line, printable};
use serde_json::{Value, json};

use super::{Bench, quoted};
use crate::corpus::Sample;
use crate::puppet::Puppet;
use crate::sweep::{Finding, Harm, Run};

/// So much of what was said is kept.
const SAID_CHARS: usize = 2_000;

pub(super) fn attempt(run: &Run, samples: &[&Sample]) -> Vec<Finding> {
    let mut bench = Bench::new(run);
    bench.world.set("PROBE", "x");
    let puppet = Puppet::new(&bench.world, "hooks");
    let texts: Vec<&&Sample> = samples.iter().filter(|sample| sample.text().is_some()).collect();
    // The owner's word for a role goes into the briefing.
    let role = texts.iter().filter(|sample| sample.bytes.len() < 1_000 && !sample.bytes.contains(&0));
    let role: String = role.filter_map(|sample| sample.text()).collect::<Vec<_>>().join(" ");
    let profile = puppet.profile("puppet");
    let role = if role.trim().is_empty() { "x".to_owned() } else { role };
    bench.world.configure(&format!(
        "[constellation]\nclones = 0\nagent = \"puppet\"\n[agent.agent0]\nrole = {}\n{profile}",
        quoted(&role)
    ));
    bench.human("up", bench.world.netsky(["up"]), &[0]);
    for sample in samples {
        match sample.text() {
            Some(text) => told(&bench, &puppet, sample, text),
            None => garbage(&bench, &puppet, sample),
        }
    }
    briefed(&bench, &puppet);
    bench.end()
}

/// Calls the hook; what it prints is for a model and lies in a file.
fn hook(bench: &Bench, puppet: &Puppet, event: &str, report: &[u8]) -> Vec<u8> {
    puppet.file("report", report);
    let code = puppet.runs(&format!("{:?} hook {event} <report >printed 2>said", bench.world.program));
    let said = fs::read_to_string(puppet.dir().join("said")).unwrap_or_default();
    bench.must(code == 0 && said.is_empty(), Harm::Other, || format!("hook {event}: {code} {said}"));
    fs::read(puppet.dir().join("printed")).unwrap()
}

fn beacon(bench: &Bench) -> Value {
    let bytes = fs::read(bench.world.home.join("state/beacons/agent0.json")).unwrap_or_default();
    serde_json::from_slice(&bytes).unwrap_or(Value::Null)
}

fn told(bench: &Bench, puppet: &Puppet, sample: &Sample, text: &str) {
    let what = format!("a report with {}", sample.shown());
    let report = |event: &str, fields: Value| {
        let mut all = json!({"session_id": text, "cwd": text, "hook_event_name": event});
        all.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        hook(bench, puppet, event, all.to_string().as_bytes());
    };
    let shown = |state: &str| {
        bench.human(&what, bench.world.netsky(["status"]), &[0]);
        let status = bench.json(&what, bench.world.netsky(["status", "--json"]), &[0]);
        let agent = status["agents"][0].clone();
        bench.must(agent["state"] == state, Harm::Other, || format!("{what}: {agent} is not {state}"));
        let id = agent["cli_session"].as_str().unwrap_or_default().to_owned();
        // What cannot be given back to a CLI is no id.
        bench.must(id.chars().all(|c| c.is_ascii_graphic()), Harm::Torn, || format!("{what}: session {id}"));
        agent
    };
    report("Stop", json!({"last_assistant_message": text}));
    let agent = shown("idle");
    let end: String = text.chars().skip(text.chars().count().saturating_sub(SAID_CHARS)).collect();
    let expected = one_line(&printable(&end));
    let last = agent["last"].as_str().unwrap_or_default();
    bench.must(last == expected, Harm::Torn, || format!("{what}: it said {last:?}"));
    // Its composer is empty, so its person has answered.
    report("PermissionRequest", json!({"tool_name": text, "tool_input": {"command": text}}));
    shown("idle");
    report("StopFailure", json!({"error": text, "error_details": text}));
    shown("blocked");
    report("Notification", json!({"notification_type": "permission_prompt", "message": text}));
    bench.human(&what, bench.world.netsky::<&str>([]), &[0]);
    report("SessionEnd", json!({"reason": text}));
    hook(bench, puppet, &word(text), b"{}");
    let length = beacon(bench)["event"].as_str().unwrap_or_default().chars().count();
    bench.must(length <= 100, Harm::Other, || format!("{what}: an event of {length} characters"));
    report("Stop", json!({"last_assistant_message": "agent0 session 1 up"}));
}

/// One word for the puppet's shell, on one line.
fn word(text: &str) -> String {
    let line: String = text.chars().filter(|c| *c != '\n' && *c != '\0').take(2_000).collect();
    format!("'{}'", line.replace('\'', r"'\''"))
}

/// What is no JSON changes nothing.
fn garbage(bench: &Bench, puppet: &Puppet, sample: &Sample) {
    let before = beacon(bench);
    hook(bench, puppet, "Stop", &sample.bytes);
    let quoted = [b"{\"last_assistant_message\":\"".as_slice(), &sample.bytes, b"\"}"].concat();
    hook(bench, puppet, "Stop", &quoted);
    bench.must(beacon(bench) == before, Harm::Torn, || format!("garbage was believed: {}", sample.shown()));
    bench.human(&sample.shown(), bench.world.netsky(["status"]), &[0]);
}

/// The briefing and what is announced in it are text without anything that speaks to a terminal.
fn briefed(bench: &Bench, puppet: &Puppet) {
    let printed = hook(bench, puppet, "SessionStart", br#"{"source":"startup"}"#);
    bench.must(printed.starts_with(b"# Briefing"), Harm::Lost, || "there is no briefing".to_owned());
    if let Some(said) = super::speaks(&printed) {
        bench.find(Harm::Torn, format!("the briefing holds {said}"));
    }
    let has_marker = String::from_utf8_lossy(&printed).lines().any(|line| line.starts_with("agent0 session"));
    bench.must(!has_marker, Harm::Other, || "the briefing holds a marker".to_owned());
}
