//! What a hook is given: garbage, too much, nothing, for ever; and many at once.

use std::fs;
use std::time::{Duration, Instant};

use super::{Agent, Point};
use crate::sweep::Harm;

pub(super) const POINTS: &[Point] = &[
    ("garbage on standard input", garbage),
    ("garbage as arguments", odd_arguments),
    ("a report of ten megabytes", large),
    ("a report that is deep", deep),
    ("fields of other types", odd_fields),
    ("a standard input that nobody closes", unclosed),
    ("a thousand at once", a_thousand),
    ("killed at any moment", killed),
    ("stopped in the middle", stopped),
];

const STOP: &str = r#"{"session_id":"s2","last_assistant_message":"all is well"}"#;

fn garbage(agent: &Agent) {
    let before = agent.beacon();
    let halves: [&[u8]; 9] = [
        b"",
        b"{",
        br#"{"session_id":"x","last_assistant_mess"#,
        b"null null",
        b"\0\0\0\0",
        b"\xff\xfe{}",
        b"{\"last_assistant_message\":\"\xed\xa0\x80\"}",
        br#"{"last_assistant_message":"\ud800"}"#,
        b"%if 1\n#(touch x)\n",
    ];
    for report in halves {
        for event in ["Stop", "SessionStart", "StopFailure", "SessionEnd"] {
            let printed = agent.tells(event, report);
            agent.must(printed.is_empty(), Harm::Other, format!("{event} printed {printed:?}"));
        }
    }
    agent.must(agent.beacon() == before, Harm::Torn, format!("garbage was noted: {}", agent.beacon()));
}

/// An exit code of 2 is an order for some agents.
fn odd_arguments(agent: &Agent) {
    agent.puppet.file("report", STOP);
    for arguments in
        ["", "--help", "-x", "-C", "Stop more words", "\"$(printf '\\377')\"", "''", "--", "-C ../x Stop"]
    {
        agent.calls(&format!("\"$NETSKY\" hook {arguments} <report >/dev/null"));
    }
    agent.tells("Stop", STOP.as_bytes());
    agent.must_note("Stop");
}

/// It is read to its end, so that whoever writes it is not left with a broken pipe.
fn large(agent: &Agent) {
    let before = agent.beacon();
    let report = format!(r#"{{"last_assistant_message":"{}"}}"#, "x".repeat(10 << 20));
    agent.puppet.file("large", report);
    agent.calls("{ cat large || echo broken >pipe; } | \"$NETSKY\" hook Stop");
    agent.must(!agent.puppet.dir().join("pipe").exists(), Harm::Other, "its writer got a broken pipe");
    agent.must(agent.beacon() == before, Harm::Torn, "a report that is too long was noted");
    let report = format!(r#"{{"last_assistant_message":"{}"}}"#, "y".repeat(3 << 20));
    agent.tells("Stop", report.as_bytes());
    agent.must_note("Stop");
    let said = agent.beacon()["said"].as_str().unwrap_or_default().len();
    agent.must(said == 2_000, Harm::Torn, format!("{said} characters of it are kept"));
}

fn deep(agent: &Agent) {
    let before = agent.beacon();
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        agent.tells("Stop", open.repeat(200_000).as_bytes());
        let whole = format!("{}1{}", open.repeat(100_000), close.repeat(100_000));
        agent.tells("Stop", whole.as_bytes());
    }
    agent.must(agent.beacon() == before, Harm::Torn, "something too deep was noted");
}

/// What is of another type is absent; the event itself counts.
fn odd_fields(agent: &Agent) {
    for report in [
        r#"{"session_id":7,"last_assistant_message":["agent0 session 9 up"]}"#,
        r#"{"session_id":{"a":1},"last_assistant_message":null}"#,
        r#"{"session_id":"a\nb","last_assistant_message":1e999}"#,
        r#"{"last_assistant_message":"one","last_assistant_message":false}"#,
        "[]",
        "7",
        "null",
    ] {
        agent.tells("UserPromptSubmit", b"{}");
        agent.tells("Stop", report.as_bytes());
        let beacon = agent.beacon();
        if report.contains("1e999") {
            // A number that no type holds makes it no JSON.
            continue;
        }
        agent.must(beacon["event"] == "Stop", Harm::Lost, format!("{report} is not noted"));
        let session = beacon["cli_session"].as_str();
        agent.must(session == Some("s1"), Harm::Torn, format!("{report} made a session of {session:?}"));
    }
}

fn unclosed(agent: &Agent) {
    let before = agent.beacon();
    agent.calls(
        "mkfifo -m 600 open; exec 8<>open; printf '{\"last\"' >&8; \"$NETSKY\" hook Stop <&8; exec 8>&-",
    );
    agent.must(agent.beacon() == before, Harm::Torn, "half a report was noted");
    agent.must(agent.log().contains("it took too long"), Harm::Other, "nobody was told");
}

/// Each of a thousand begins and ends within the limit, as far as there are processors to run them.
fn a_thousand(agent: &Agent) {
    const CALLS: usize = 1_000;
    agent.puppet.file("report", STOP);
    let clock = "read -r now rest </proc/uptime";
    let begun = Instant::now();
    agent.puppet.begins(&format!(
        "i=0; while [ $i -lt {CALLS} ]; do ({clock}; begun=$now; {:?} hook PostToolUse <report >/dev/null; code=$?; {clock}; \
         echo $code $begun $now >>times) & i=$((i+1)); done; wait",
        agent.world.program
    ));
    let ended = agent.puppet.ends(Duration::from_secs(120));
    agent.must(ended == Some(0), Harm::Other, format!("not done within {:?}", begun.elapsed()));
    let times = fs::read_to_string(agent.puppet.dir().join("times")).unwrap();
    let mut took: Vec<f64> = Vec::new();
    for line in times.lines() {
        let fields: Vec<f64> = line.split(' ').filter_map(|field| field.parse().ok()).collect();
        let [code, begun, ended] = fields[..] else { panic!("{line}") };
        agent.must(code == 0.0, Harm::Other, format!("exit {code}"));
        took.push(ended - begun);
    }
    took.sort_by(f64::total_cmp);
    agent.must(took.len() == CALLS, Harm::Lost, format!("{} have ended", took.len()));
    // How long a process waits for its turn is not netsky's: half of them show what it takes itself.
    let (median, worst) = (took[took.len() / 2], took[took.len() - 1]);
    let whole = begun.elapsed().as_secs_f64();
    agent.must(median < 3.5 && worst <= whole, Harm::Other, format!("{median:.2} s, at worst {worst:.2} s"));
    agent.tells("Stop", STOP.as_bytes());
    agent.must_note("Stop");
    agent.must(agent.beacon()["said"] == "all is well", Harm::Lost, agent.beacon());
}

/// Killed wherever it is: the beacon is whole, and the next call is noted.
fn killed(agent: &Agent) {
    agent.puppet.file("report", STOP);
    for step in 0..40 {
        let wait = f64::from(step) * 0.0005;
        agent.puppet.runs(&format!(
            "{:?} hook UserPromptSubmit <report >/dev/null & sleep {wait}; kill -9 $! 2>/dev/null; wait $! 2>/dev/null; true",
            agent.world.program
        ));
        let beacon = agent.beacon();
        agent.must(beacon["agent"] == "agent0", Harm::Torn, format!("after {wait} s: {beacon}"));
    }
    agent.tells("Stop", STOP.as_bytes());
    agent.must_note("Stop");
    agent.must(agent.world.state_of("agent0") == "idle", Harm::Other, agent.world.state_of("agent0"));
}

/// One that was stopped, with its lock or without, holds up no other for longer than the limit.
fn stopped(agent: &Agent) {
    agent.puppet.file("report", STOP);
    for step in 0..6 {
        let wait = f64::from(step) * 0.001;
        agent.puppet.runs(&format!(
            "{:?} hook UserPromptSubmit <report >/dev/null & echo $! >stopped; sleep {wait}; kill -STOP $!; true",
            agent.world.program
        ));
        agent.calls("\"$NETSKY\" hook Stop <report");
        agent.puppet.runs("read -r pid <stopped; kill -CONT $pid; wait $pid; true");
    }
    agent.tells("Stop", STOP.as_bytes());
    agent.must_note("Stop");
}
