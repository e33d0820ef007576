//! Text where a name, an id or a choice is expected: it is refused, and by what it is.

use std::ffi::OsString;

use super::{Bench, os, quoted};
use crate::corpus::Sample;
use crate::sweep::{Finding, Harm, Run};

/// Verbs, with `@` for the text.
const VERBS: &[&[&str]] = &[
    &["@"],
    &["up", "@"],
    &["up", "0", "--dry-run", "--agent", "@"],
    &["restart", "@"],
    &["restart", "--wait-lock", "@"],
    &["down", "@"],
    &["logs", "@"],
    &["logs", "agent0", "--generation", "@"],
    &["attach", "@"],
    &["send", "@", "x"],
    &["inbox", "list", "--agent", "@"],
    &["inbox", "show", "@"],
    &["inbox", "done", "@"],
    &["handoff", "show", "@"],
    &["handoff", "write", "-", "--agent", "@"],
    &["history", "show", "@"],
    &["completions", "@"],
    &["init", "--agent", "@"],
    &["-C", "@", "inbox", "list"],
    &["launch", "@", "@", "@"],
    &["launch", "/nowhere", "agent0", "@"],
    &["demo-agent", "--fail", "@"],
    &["nosuch", "@"],
];

/// What some verb takes for what it is.
const MEANINGFUL: [&str; 9] =
    ["agent0", "agent1", "agentinfinity", "all", "--help", "--version", "-", "--", "-C"];

pub(super) fn attempt(run: &Run, samples: &[&Sample]) -> Vec<Finding> {
    let mut bench = Bench::new(run);
    bench.world.configure("[constellation]\nclones = 0\nagent = \"demo\"\n");
    // A home that is made by -C is one of this world's too.
    bench.world.set("HOME", bench.world.user.clone());
    for sample in samples {
        if sample.is_argument() {
            for verb in VERBS {
                refused(&bench, verb, sample);
            }
        }
        configured(&bench, sample);
    }
    bench.end()
}

fn refused(bench: &Bench, verb: &[&str], sample: &Sample) {
    let what = format!("{} with {}", verb.join(" "), sample.shown());
    let words: Vec<OsString> =
        verb.iter().map(|word| if *word == "@" { os(&sample.bytes) } else { word.into() }).collect();
    let is_meaningful = sample.text().is_some_and(|text| MEANINGFUL.contains(&text));
    let codes: &[i32] = match verb {
        _ if is_meaningful => &[0, 1, 2, 69, 78],
        // An order that was taken back: a pane ends so.
        ["launch", ..] => &[1, 2, 75, 78],
        _ => &[1, 2, 78],
    };
    let ran = bench.human(&what, bench.world.netsky(words), codes);
    bench.must(ran.code == 0 || !ran.stderr.is_empty(), Harm::Other, || format!("{what}: without a word"));
}

/// As the value of every key, as a key, and as the name of a table.
fn configured(bench: &Bench, sample: &Sample) {
    const KEYS: &str = "[constellation]\nagent = @\nroot_agent = @\nworkdir = @\npermissions = @\ntrust = [@]\nclones = @\n\
                        @ = 1\n[agent.@]\nrole = @\n[agent.agent3]\nrole = @\nprofile = @\nworkdir = @\n[tmux]\nsocket = @\nsize = @\n\
                        read_timeout = @\nconf = @\n[restart]\nup_wait = @\nstatus_keep = @\n[handoff]\nmax_bytes = @\n\
                        [profile.bot]\nbase = @\ncommand = @\nstartup = @\nhow = @\nmarker = @\nmemory = @\n@ = 2\n\
                        [profile.@]\ncommand = [@]\n[profile.bot.env]\n@ = @\n";
    let text = match sample.text() {
        Some(text) => KEYS.replace('@', &quoted(text)).into_bytes(),
        // What is no UTF-8 cannot be written into TOML, but it can lie there.
        None => [b"[constellation]\nagent = \"".as_slice(), &sample.bytes, b"\"\n"].concat(),
    };
    let file = bench.world.home.join("hostile.toml");
    std::fs::write(&file, text).unwrap();
    let what = format!("a configuration with {}", sample.shown());
    let netsky = |words: &[&str]| bench.world.netsky(words.iter().copied()).env("NETSKY_CONFIG", &file);
    bench.human(&what, netsky(&["config", "check"]), &[78]);
    bench.json(&what, netsky(&["config", "check", "--json"]), &[78]);
    bench.human(&what, netsky(&["up", "--dry-run"]), &[78]);
    if sample.is_argument() {
        let what = format!("variables with {}", sample.shown());
        for name in
            ["NETSKY_CONFIG", "NETSKY_TMUX_SOCKET", "NETSKY_HANDOFF_KEEP", "NETSKY_LOG", "NETSKY_AGENT"]
        {
            let call = bench.world.netsky(["config", "show"]).env(name, os(&sample.bytes));
            bench.human(&format!("{name}: {what}"), call, &[0, 1, 2, 78]);
        }
    }
}
