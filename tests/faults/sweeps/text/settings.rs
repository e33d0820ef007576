//! Text in a configuration that is right: arguments, variables, the startup question, work directories; and in the
//! owner's environment. All of it reaches the agent byte for byte.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::{Bench, os, quoted};
use crate::corpus::Sample;
use crate::sweep::{Finding, Harm, Run};

/// Keeps what it was started with, then is up.
const RECORDER: &str = "#!/bin/sh\nout=$1; shift\ncat /proc/$$/environ >\"$out/environ\"\nprintf '%s\\0' \"$@\" >\"$out/arguments\"\n\
                        readlink -n /proc/$$/cwd >\"$out/cwd\"\necho 'session 1 up'\nexec sleep 600\n";

pub(super) fn attempt(run: &Run, samples: &[&Sample]) -> Vec<Finding> {
    let mut bench = Bench::new(run);
    let is_writable = |sample: &&&Sample| sample.text().is_some() && !sample.bytes.contains(&0);
    let writable: Vec<&&Sample> = samples.iter().filter(is_writable).collect();
    let (whole, long): (Vec<&Sample>, Vec<&Sample>) =
        writable.into_iter().copied().partition(|sample| sample.is_argument());
    for sample in samples.iter().filter(|sample| sample.is_argument()) {
        bench.world.set(&format!("OWNER_{}", sample.number), os(&sample.bytes));
    }
    let recorder = bench.world.write("recorder", RECORDER);
    let mut config = format!("[constellation]\nclones = {}\nagent = \"demo\"\n", whole.len().max(1) - 1);
    for (agent, sample) in whole.iter().enumerate() {
        config.push_str(&profile(&bench, agent, sample, &recorder));
    }
    bench.world.configure(&config);
    if !whole.is_empty() {
        shown(&bench, &whole);
        bench.human("up", bench.world.netsky(["up"]), &[0]);
        for (agent, sample) in whole.iter().enumerate() {
            recorded(&bench, agent, sample, samples);
        }
    }
    for sample in long {
        too_long(&bench, sample, &recorder);
    }
    bench.end()
}

/// Where an agent keeps what it got; of a work directory only what a path may hold.
fn places(bench: &Bench, agent: usize, sample: &Sample) -> (PathBuf, Option<PathBuf>) {
    let out = bench.world.root().join(format!("out{agent}"));
    let dir = [out.as_os_str().as_bytes(), b"/work/", &sample.bytes].concat();
    (out, sample.is_path().then(|| PathBuf::from(os(&dir))))
}

fn profile(bench: &Bench, agent: usize, sample: &Sample, recorder: &Path) -> String {
    let text = sample.text().unwrap();
    let (out, work) = places(bench, agent, sample);
    fs::create_dir(&out).unwrap();
    let word = quoted(text);
    let mut table = format!("[agent.agent{agent}]\nprofile = \"p{agent}\"\n");
    if let Some(dir) = work {
        fs::create_dir_all(&dir).unwrap();
        table.push_str(&format!("workdir = {}\n", quoted(dir.to_str().unwrap())));
    }
    table.push_str(&format!(
        "[profile.p{agent}]\ncommand = [\"sh\", {recorder:?}, {out:?}, {word}]\nenv = {{ OF_PROFILE = {word} }}\nmemory = \"1MiB\"\n"
    ));
    if let Some(startup) = startup(text) {
        table.push_str(&format!("startup = {}\n", quoted(&startup)));
    }
    table
}

/// As the startup question, which has to say something that is no marker.
fn startup(text: &str) -> Option<String> {
    let is_marker = text.lines().any(|line| line.contains("session 1") || line.contains("session 3"));
    (!text.trim().is_empty())
        .then(|| if is_marker { format!("say {}", text.replace('\n', " ")) } else { text.to_owned() })
}

fn shown(bench: &Bench, whole: &[&Sample]) {
    bench.human("config check", bench.world.netsky(["config", "check"]), &[0]);
    bench.human("config show", bench.world.netsky(["config", "show"]), &[0]);
    let document = bench.json("config show --json", bench.world.netsky(["config", "show", "--json"]), &[0]);
    let values = document["values"].as_array().cloned().unwrap_or_default();
    for (agent, sample) in whole.iter().enumerate() {
        let key = format!("profile.p{agent}.command");
        let value = values.iter().find(|value| value["key"] == key.as_str());
        let shown = value.and_then(|value| value["value"][3].as_str());
        bench.must(shown == sample.text(), Harm::Torn, || format!("{key} is {shown:?}: {}", sample.shown()));
    }
}

fn recorded(bench: &Bench, agent: usize, sample: &Sample, owners: &[&Sample]) {
    let what = format!("agent{agent} got something else: {}", sample.shown());
    let (out, work) = places(bench, agent, sample);
    let read = |name: &str| fs::read(out.join(name)).unwrap_or_default();
    let mut arguments = read("arguments");
    arguments.pop();
    let arguments: Vec<&[u8]> = arguments.split(|byte| *byte == 0).collect();
    bench.must(arguments.first() == Some(&sample.bytes.as_slice()), Harm::Torn, || {
        format!("argument: {what}: {arguments:?}")
    });
    if let Some(startup) = startup(sample.text().unwrap()) {
        bench.must(arguments.last() == Some(&startup.as_bytes()), Harm::Torn, || format!("question: {what}"));
    }
    let environ = read("environ");
    let has = |name: &str, value: &[u8]| {
        let entry = [name.as_bytes(), b"=", value].concat();
        environ.split(|byte| *byte == 0).any(|found| found == entry)
    };
    bench.must(has("OF_PROFILE", &sample.bytes), Harm::Torn, || format!("variable: {what}"));
    for owner in owners.iter().filter(|owner| owner.is_argument()) {
        bench.must(has(&format!("OWNER_{}", owner.number), &owner.bytes), Harm::Torn, || {
            format!("agent{agent} got another variable of the owner's: {}", owner.shown())
        });
    }
    if let Some(dir) = work {
        let is_there = read("cwd") == dir.canonicalize().unwrap().as_os_str().as_bytes();
        bench.must(is_there, Harm::Torn, || format!("directory: {what}"));
    }
}

/// What the system does not take as an argument is an error that says so.
fn too_long(bench: &Bench, sample: &Sample, recorder: &Path) {
    let what = format!("too long for an argument: {}", sample.shown());
    let word = quoted(sample.text().unwrap());
    let text = format!(
        "[profile.long]\ncommand = [\"sh\", {recorder:?}, \"/nowhere\", {word}]\nmemory = \"1MiB\"\n"
    );
    let file = bench.world.write("long.toml", text);
    let call = bench.world.netsky(["restart", "0", "--agent", "long"]).env("NETSKY_CONFIG", file);
    let ran = bench.human(&what, call, &[1, 78]);
    bench.must(ran.stderr.contains("Argument list too long"), Harm::Other, || {
        format!("{what}: {}", ran.stderr)
    });
}
