//! Text that is sent, handed over and kept as a draft, and what its reader is given.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::process::Command;

use base64::Engine as _;
use netsky::text::printable;

use super::{Bench, os};
use crate::corpus::Sample;
use crate::support::world::files;
use crate::sweep::{Finding, Harm, Run};

/// Who gets it by which way.
const BY_ARGUMENT: &str = "agent1";
const BY_STDIN: &str = "agent2";
const BY_HAND_OVER: &str = "agent0";

pub(super) fn attempt(run: &Run, samples: &[&Sample]) -> Vec<Finding> {
    let bench = Bench::new(run);
    bench.world.configure("[constellation]\nclones = 3\nagent = \"demo\"\n[handoff]\nkeep = 10000\n");
    let mut sent: BTreeMap<&str, Vec<&Sample>> = BTreeMap::new();
    for sample in samples {
        let shown = sample.shown();
        if sample.is_argument() {
            let words: Vec<OsString> =
                vec!["send".into(), BY_ARGUMENT.into(), "--".into(), os(&sample.bytes)];
            bench.human(&format!("send: {shown}"), bench.world.netsky(words), &[0]);
            sent.entry(BY_ARGUMENT).or_default().push(sample);
        }
        let call = bench.world.netsky(["send", BY_STDIN, "--file", "-"]).stdin(&sample.bytes);
        bench.human(&format!("send --file -: {shown}"), call, &[0]);
        sent.entry(BY_STDIN).or_default().push(sample);
        let call = bench.world.netsky(["handoff", "deliver", "-"]).stdin(&sample.bytes);
        bench.human(&format!("handoff deliver: {shown}"), call, &[0]);
        sent.entry(BY_HAND_OVER).or_default().push(sample);
        drafted(&bench, sample);
    }
    for (agent, samples) in sent {
        kept(&bench, agent, &samples);
        listed(&bench, agent);
        read(&bench, agent, &samples);
    }
    bench.human("handoff list", bench.world.netsky(["handoff", "list"]), &[0]);
    bench.json("handoff list --json", bench.world.netsky(["handoff", "list", "--json"]), &[0]);
    bench.end()
}

fn drafted(bench: &Bench, sample: &Sample) {
    let what = format!("handoff write: {}", sample.shown());
    let call = bench.world.netsky(["handoff", "write", "-", "--agent", "agent3"]).stdin(&sample.bytes);
    bench.human(&what, call, &[0]);
    let draft = fs::read(bench.world.home.join("handoff/draft/agent3.md")).unwrap_or_default();
    bench.must(draft == sample.bytes, Harm::Torn, || what);
}

/// In the inbox, in order, byte for byte; and `show` gives those bytes to a file.
fn kept(bench: &Bench, agent: &str, samples: &[&Sample]) {
    let inbox = files(&bench.world.home.join("inbox").join(agent));
    let envelopes: Vec<_> = inbox.iter().filter(|path| path.is_file()).collect();
    bench.must(envelopes.len() == samples.len(), Harm::Lost, || {
        format!("{agent} has {} of {} messages", envelopes.len(), samples.len())
    });
    for (path, sample) in envelopes.iter().zip(samples) {
        let envelope: serde_json::Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
        let text = envelope["text"].as_str().unwrap();
        let bytes = match envelope["encoding"].as_str() {
            Some("base64") => base64::engine::general_purpose::STANDARD.decode(text).unwrap_or_default(),
            _ => text.as_bytes().to_vec(),
        };
        let is_owners = envelope["from"] == "owner" && envelope["to"] == agent;
        bench.must(is_owners, Harm::Other, || format!("{agent}: {}: {envelope}", sample.shown()));
        bench.must(bytes == sample.bytes, Harm::Torn, || format!("envelope of {agent}: {}", sample.shown()));
        let id = envelope["id"].as_str().unwrap();
        let what = format!("inbox show: {}", sample.shown());
        let show = |more: &'static [&str]| {
            bench
                .world
                .netsky(["inbox", "show", id, "--agent", agent].into_iter().chain(more.iter().copied()))
        };
        let [shown, _] = bench.ended(&what, show(&[]), &[0]).bytes;
        bench.must(shown == sample.bytes, Harm::Torn, || what.clone());
        let document = bench.json(&what, show(&["--json"]), &[0]);
        bench.must(document["text"] == envelope["text"], Harm::Torn, || what);
    }
    on_a_terminal(bench, agent);
}

/// On a terminal `show` prints what is harmless.
fn on_a_terminal(bench: &Bench, agent: &str) {
    if Command::new("script").arg("--version").output().is_err() {
        return;
    }
    let inbox = bench.world.home.join("inbox").join(agent);
    let line = format!(
        "for file in {}/*.json; do id=${{file##*/}}; {:?} inbox show \"${{id%%-*}}\" --agent {agent}; done",
        inbox.display(),
        bench.world.program,
    );
    let mut script = Command::new("script");
    script.args(["-qec", &line, "/dev/null"]);
    let mut ran = bench.ended("inbox show on a terminal", bench.world.call(script), &[0]);
    // The terminal makes a line end of two characters.
    let printed = String::from_utf8_lossy(&ran.bytes[0]).replace("\r\n", "\n");
    ran.bytes[0] = printed.into_bytes();
    if let Some(said) = super::speaks(&ran.bytes[0]) {
        bench.find(Harm::Torn, format!("inbox show on a terminal prints {said}"));
    }
}

fn listed(bench: &Bench, agent: &str) {
    let list = || bench.world.netsky(["inbox", "list", "--all", "--agent", agent]);
    let ran = bench.human("inbox list", list(), &[0]);
    let rows = bench.world.netsky(["inbox", "list", "--all", "--json", "--agent", agent]);
    let document = bench.json("inbox list --json", rows, &[0]);
    let count = document["envelopes"].as_array().map_or(0, Vec::len);
    bench.must(ran.stdout.lines().count() == count, Harm::Torn, || format!("inbox list:\n{}", ran.stdout));
}

/// `inbox next` hands over one after the other, each between its two lines.
fn read(bench: &Bench, agent: &str, samples: &[&Sample]) {
    let mut messages: Vec<(String, String)> = Vec::new();
    loop {
        let ran = bench.human("inbox next", bench.world.netsky(["inbox", "next", "--agent", agent]), &[0]);
        if ran.code != 0 || ran.stdout == format!("The inbox of {agent} is empty.\n") {
            break;
        }
        let Some((id, is_first, text)) = unfenced(&ran.stdout) else {
            bench.find(Harm::Torn, format!("inbox next prints no fence: {}", ran.stdout.escape_debug()));
            break;
        };
        match messages.last_mut() {
            Some((last, so_far)) if *last == id && !is_first => so_far.push_str(&text),
            _ => messages.push((id, text)),
        }
    }
    bench.must(messages.len() == samples.len(), Harm::Lost, || {
        format!("{agent} reads {} of {}", messages.len(), samples.len())
    });
    for ((_, text), sample) in messages.iter().zip(samples) {
        let expected = match sample.text() {
            Some(text) => printable(text).into_owned(),
            None => base64::engine::general_purpose::STANDARD.encode(&sample.bytes),
        };
        // A text that does not end its line gets a line end, and so does each of its parts.
        let is_same = match text.len() < 8_000 {
            true => text.trim_end_matches('\n') == expected.trim_end_matches('\n'),
            false => text.replace('\n', "") == expected.replace('\n', ""),
        };
        bench.must(is_same, Harm::Torn, || format!("{agent} reads {:?}: {}", text.get(..60), sample.shown()));
    }
}

/// The id, whether it is its first part, and the text between the lines that share a nonce.
fn unfenced(printed: &str) -> Option<(String, bool, String)> {
    let (head, rest) = printed.split_once('\n')?;
    let (nonce, what) = head.strip_prefix("[netsky ")?.split_once(" BEGIN ")?;
    let id = what.split_once("message ")?.1.split(' ').next()?;
    let is_first = !what.starts_with("part ") || what.starts_with("part 1 ");
    let end = format!("[netsky {nonce} END ");
    let at = if rest.starts_with(&end) { 0 } else { rest.find(&format!("\n{end}"))? + 1 };
    Some((id.to_owned(), is_first, rest.get(..at)?.to_owned()))
}
