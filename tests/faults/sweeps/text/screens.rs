//! Text that an agent draws on its screen, and where that is shown: logs, kept screens, errors, records, status.

use std::time::Duration;

use super::{Bench, os};
use crate::corpus::Sample;
use crate::puppet::Puppet;
use crate::support::world::wait;
use crate::sweep::{Finding, Harm, Run};

/// Nothing is on the screen, and nothing above it.
const AFRESH: &str = r"printf '\033c\033[3J'";

/// Ends every sequence that a string may have begun, leaves the other screen, and begins a line.
const SOBER: &str = r"printf '\030\033\134\007\033[?1049l\033[?25h\033[m\017\033(B\033[r\033[4l\r\n'";

pub(super) fn attempt(run: &Run, samples: &[&Sample]) -> Vec<Finding> {
    let bench = Bench::new(run);
    let puppet = Puppet::new(&bench.world, "draws");
    let profile = puppet.profile("puppet");
    bench.world.configure(&format!(
        "[constellation]\nclones = 0\nagent = \"puppet\"\n[restart]\nup_wait = \"5s\"\nstop_grace = \"1s\"\n{profile}{}",
        fallen(&bench, samples)
    ));
    bench.human("up", bench.world.netsky(["up", "0", "--agent", "puppet"]), &[0]);
    for sample in samples {
        drawn(&bench, &puppet, sample);
    }
    bench.human("down", bench.world.netsky(["down"]), &[0]);
    let kept = bench.world.netsky(["logs", "agent0", "--generation", "last"]);
    bench.human("the kept screen", kept, &[0]);
    let kept = bench.world.netsky(["logs", "agent0", "--generation", "last", "--json"]);
    bench.json("the kept screen", kept, &[0]);
    failed(&bench, samples.len());
    bench.end()
}

fn drawn(bench: &Bench, puppet: &Puppet, sample: &Sample) {
    let what = format!("drawn: {}", sample.shown());
    puppet.file("drawing", &sample.bytes);
    let end = format!("<drawn {}>", sample.number);
    puppet.runs(&format!("{AFRESH}; cat drawing; {SOBER}; printf '{end}\\r\\n'"));
    let seen = wait(Duration::from_secs(5), &mut || {
        let ran = bench.human(&what, bench.world.netsky(["logs", "agent0", "-n", "60"]), &[0]);
        ran.stdout.contains(&end).then_some(())
    });
    bench.must(seen.is_some(), Harm::Lost, || format!("{what}: what came after it is not on the screen"));
    bench.json(&what, bench.world.netsky(["logs", "agent0", "-n", "60", "--json"]), &[0]);
    bench.human(&what, bench.world.netsky(["status"]), &[0]);
}

/// Profiles of agents that draw a string, once alone and then where a dialog has its options, and wait; and of one that
/// draws several and ends.
fn fallen(bench: &Bench, samples: &[&Sample]) -> String {
    let dir = bench.world.root().join("drawings");
    std::fs::create_dir(&dir).unwrap();
    let mut all = Vec::new();
    let mut tables = String::new();
    for (number, sample) in samples.iter().enumerate() {
        let short: Vec<u8> = sample.bytes.iter().copied().filter(|byte| *byte != b'\n').take(300).collect();
        let label = [&short, b"\r\n".as_slice()].concat();
        let drawing = [b"\r\n\xe2\x9d\xaf 1. x ".as_slice(), &label, b"  2. y ".as_slice(), &label].concat();
        std::fs::write(dir.join(number.to_string()), drawing).unwrap();
        all.extend([&short, b"\r\n".as_slice()].concat());
        tables.push_str(&format!(
            "[agent.agent{number}]\nprofile = \"d{number}\"\n[profile.d{number}]\ncommand = [\"sh\", \"-c\", \"stty raw -echo; \
             cat {}/{number}; exec cat >/dev/null\"]\nmemory = \"1MiB\"\n",
            dir.display()
        ));
    }
    std::fs::write(dir.join("all"), all).unwrap();
    tables.push_str(&format!(
        "[profile.falls]\ncommand = [\"sh\", \"-c\", \"cat {}/all; exit 3\"]\nmemory = \"1MiB\"\n",
        dir.display()
    ));
    tables
}

/// An agent that ends with all of it on its screen; and one agent a string that waits behind a dialog of it.
fn failed(bench: &Bench, count: usize) {
    let restart = |words: &[&str]| {
        let words = ["restart"].iter().chain(words).map(os_of);
        bench.world.netsky(words)
    };
    bench.human("an agent that falls", restart(&["0", "--agent", "falls"]), &[1]);
    shown(bench, "an agent that falls");
    let clones = (count - 1).to_string();
    let ran = bench.human("agents that wait", restart(&[&clones]), &[1, 4, 69]);
    bench.must(ran.stderr.contains("agent0"), Harm::Other, || format!("agents that wait: {}", ran.stderr));
    shown(bench, "agents that wait");
    // Those above agent0, by their names.
    let names: Vec<String> = (1..count).map(|number| format!("agent{number}")).collect();
    for few in names.chunks(10) {
        let few: Vec<&str> = few.iter().map(String::as_str).collect();
        bench.human("agents that wait, by name", restart(&few), &[1, 4, 69]);
        shown(bench, "agents that wait, by name");
    }
}

fn os_of(word: &&str) -> std::ffi::OsString {
    os(word.as_bytes())
}

fn shown(bench: &Bench, what: &str) {
    let id = bench.world.record()["id"].as_str().unwrap().to_owned();
    bench.human(what, bench.world.netsky(["history", "show", &id]), &[0]);
    bench.human(what, bench.world.netsky(["history"]), &[0]);
    bench.json(what, bench.world.netsky(["history", "show", &id, "--json"]), &[0]);
    bench.human(what, bench.world.netsky(["status"]), &[0]);
    bench.json(what, bench.world.netsky(["status", "--json"]), &[0]);
}
