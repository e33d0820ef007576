//! Text in the records of restarts: reasons, and what a restart fails over.

use std::ffi::OsString;

use super::{Bench, os};
use crate::corpus::Sample;
use crate::sweep::{Finding, Harm, Run};

pub(super) fn attempt(run: &Run, samples: &[&Sample]) -> Vec<Finding> {
    let bench = Bench::new(run);
    bench.world.configure("[constellation]\nclones = 0\nagent = \"demo\"\n[restart]\nstatus_keep = 1000\n");
    for sample in samples.iter().filter(|sample| sample.is_argument()) {
        reasoned(&bench, sample);
    }
    bench.human("history", bench.world.netsky(["history"]), &[0]);
    bench.json("history --json", bench.world.netsky(["history", "--json"]), &[0]);
    bench.end()
}

/// A restart that fails at once keeps its reason and what it failed over.
fn reasoned(bench: &Bench, sample: &Sample) {
    let what = format!("restart --reason: {}", sample.shown());
    let flag = |name: &str, rest: &[u8]| os(&[name.as_bytes(), rest].concat());
    let missing = [b"missing/".as_slice(), &sample.bytes].concat();
    let words: Vec<OsString> =
        vec!["restart".into(), flag("--reason=", &sample.bytes), flag("--handoff=", &missing)];
    let is_taken = sample.text().is_some();
    let ran = bench.human(&what, bench.world.netsky(words), if is_taken { &[1] } else { &[2] });
    if !is_taken || ran.code != 1 {
        return;
    }
    let record = bench.world.record();
    let id = record["id"].as_str().unwrap().to_owned();
    bench.must(record["reason"].as_str() == sample.text(), Harm::Torn, || {
        format!("{what}: {}", record["reason"])
    });
    bench.must(record["phase"] == "errored", Harm::Other, || format!("{what}: {record}"));
    bench.human(&what, bench.world.netsky(["history", "show", &id]), &[0]);
    let document = bench.json(&what, bench.world.netsky(["history", "show", &id, "--json"]), &[0]);
    bench.must(document["reason"] == record["reason"], Harm::Torn, || format!("{what}: {document}"));
    bench.human(&what, bench.world.netsky(["history", "--follow"]), &[1]);
    bench.human(&what, bench.world.netsky(["status"]), &[0]);
    bench.json(&what, bench.world.netsky(["status", "--json"]), &[0]);
}
