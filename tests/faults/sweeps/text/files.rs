//! Text as the names of directories that are trusted, of files that are sent or handed over, and of where one is.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::{Bench, os};
use crate::corpus::Sample;
use crate::support::world::files;
use crate::sweep::{Finding, Harm, Run};

pub(super) fn attempt(run: &Run, samples: &[&Sample]) -> Vec<Finding> {
    let bench = Bench::new(run);
    bench.world.configure("[constellation]\nclones = 1\nagent = \"demo\"\n[handoff]\nkeep = 10000\n");
    for sample in samples.iter().filter(|sample| sample.is_path()) {
        let parent = bench.world.work.join(sample.number.to_string());
        fs::create_dir(&parent).unwrap();
        trusted(&bench, &parent, sample);
        handed_over(&bench, &parent, sample);
        called_from(&bench, &parent, sample);
    }
    bench.end()
}

fn below(parent: &Path, kind: &str, sample: &Sample) -> PathBuf {
    let dir = parent.join(kind);
    fs::create_dir(&dir).unwrap();
    // Joined as bytes: a name that begins with a slash is none.
    PathBuf::from(os(&[dir.as_os_str().as_bytes(), b"/", sample.bytes.as_slice()].concat()))
}

fn trusted(bench: &Bench, parent: &Path, sample: &Sample) {
    let dir = below(parent, "trust", sample);
    fs::create_dir_all(&dir).unwrap();
    let what = format!("trust: {}", sample.shown());
    let trust = || bench.world.netsky(["trust".into(), dir.clone().into_os_string()]);
    let ran = bench.human(&what, trust(), if sample.text().is_some() { &[0] } else { &[1] });
    if ran.code != 0 {
        return;
    }
    bench.human(&what, trust(), &[0]);
    bench.human(&what, bench.world.netsky(["config", "show"]), &[0]);
    let document = bench.json(&what, bench.world.netsky(["config", "show", "--json"]), &[0]);
    let values = document["values"].as_array().cloned().unwrap_or_default();
    let listed = values.iter().find(|value| value["key"] == "constellation.trust");
    let dirs = listed.and_then(|value| value["value"].as_array()).cloned().unwrap_or_default();
    let wanted = dir.canonicalize().unwrap();
    let count = dirs.iter().filter(|listed| listed.as_str().map(Path::new) == Some(&wanted)).count();
    bench.must(count == 1, Harm::Lost, || format!("{what}: it is listed {count} times"));
}

fn handed_over(bench: &Bench, parent: &Path, sample: &Sample) {
    let what = format!("a file's name: {}", sample.shown());
    let file = below(parent, "file", sample);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    let text = format!("text {}", sample.number);
    fs::write(&file, &text).unwrap();
    let call = |words: &[&str]| {
        let words = words.iter().map(Into::into).chain([file.clone().into_os_string()]);
        bench.world.netsky(words)
    };
    bench.human(&what, call(&["handoff", "write", "--agent", "agent1"]), &[0]);
    bench.human(&what, call(&["send", "agent1", "--file"]), &[0]);
    bench.human(&what, call(&["handoff", "deliver"]), &[0]);
    bench.must(!file.exists(), Harm::Doubled, || format!("{what}: it is still there"));
    let newest = files(&bench.world.home.join("inbox/agent0")).pop();
    let delivered = newest.is_some_and(|path| fs::read_to_string(path).unwrap().contains(&text));
    bench.must(delivered, Harm::Lost, || format!("{what}: it was not delivered"));
    // Named, and not there any more; a link; a directory.
    bench.human(&what, call(&["handoff", "deliver"]), &[1]);
    std::os::unix::fs::symlink("/etc/hostname", &file).unwrap();
    bench.human(&what, call(&["handoff", "deliver"]), &[1]);
    bench.human(&what, call(&["send", "agent1", "--file"]), &[1]);
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    bench.human(&what, call(&["handoff", "deliver"]), &[1]);
}

/// The directory of the caller becomes a suggestion and the work directory of agents.
fn called_from(bench: &Bench, parent: &Path, sample: &Sample) {
    let what = format!("the caller's directory: {}", sample.shown());
    let dir = below(parent, "cwd", sample);
    fs::create_dir_all(&dir).unwrap();
    let home = parent.join("home");
    let from = |words: &[&str]| {
        let mut command = std::process::Command::new("sh");
        command.args(["-c", "cd \"$0\" && exec \"$@\""]).arg(&dir).arg(&bench.world.program).args(words);
        bench.world.call(command).env("NETSKY_HOME", &home).env("USER", os(&sample.bytes))
    };
    bench.human(&what, from(&["up", "0", "--agent", "demo", "--dry-run"]), &[0]);
    bench.human(&what, from(&["init", "--yes", "--agent", "demo", "--permissions", "edits"]), &[0]);
    // What is written there is one setting and one comment still.
    let document = bench.json(&what, from(&["config", "show", "--json"]), &[0]);
    let values = document["values"].as_array().cloned().unwrap_or_default();
    let is_set =
        values.iter().any(|value| value["key"] == "constellation.permissions" && value["value"] == "edits");
    bench.must(is_set, Harm::Torn, || format!("{what}: {document}"));
    bench.human(&what, from(&["config", "show"]), &[0]);
    bench.human(&what, from(&["status"]), &[0]);
    fs::remove_dir_all(&dir).unwrap();
    bench.human(&what, bench.world.netsky(["handoff", "list"]).env("NETSKY_HOME", &home), &[0]);
}
