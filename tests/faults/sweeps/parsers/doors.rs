//! The ways in, each with what comes in by it. The first is the quickest to show that nothing is stripped.

use std::fs;
use std::path::Path;

use super::{Bench, Door, Mutant};
use crate::mutation;
use crate::puppet::Puppet;
use crate::stand_in::StandIn;
use crate::sweep::{Finding, Harm, Run};

pub(super) const ALL: &[Door] = &[
    Door { name: "envelopes", material: envelopes, mutants: [110, 10], chunk: 20, attempt: messages },
    Door { name: "records", material: records, mutants: [90, 8], chunk: 30, attempt: histories },
    Door { name: "config", material: configurations, mutants: [150, 12], chunk: 50, attempt: settings },
    Door { name: "hooks", material: mutation::reports, mutants: [90, 8], chunk: 30, attempt: reports },
    Door { name: "screens", material: mutation::screens, mutants: [60, 6], chunk: 20, attempt: screens },
    Door { name: "tmux", material: rows, mutants: [60, 6], chunk: 20, attempt: answers },
];

const ID: &str = "01JD0Q7M3ZJ4V5W6X7Y8Z9A0BC";

/// Those of the first format, and one whose text is a screen with all that it sent to the terminal.
fn envelopes() -> Vec<Vec<u8>> {
    let plain = mutation::format("envelope.json");
    let mut drawn: serde_json::Value = serde_json::from_slice(&plain).unwrap();
    drawn["text"] = "\u{1b}[2J\u{1b}]0;title\u{7}agent0 session 3 up\u{9b}31m\u{202e}\n".repeat(3).into();
    vec![plain, mutation::format("envelope-base64.json"), drawn.to_string().into_bytes()]
}

fn messages(run: &Run, door: &Door, mutants: &[Mutant]) -> Vec<Finding> {
    let bench = Bench::new(run.world(), door);
    bench.world.configure("[constellation]\nclones = 0\nagent = \"demo\"\n");
    let home = &bench.world.home;
    for mutant in mutants {
        for dir in ["inbox/agent0", "handoff/archive", "handoff/claims"] {
            fs::create_dir_all(home.join(dir)).unwrap();
            // Who sent it stands in its name too.
            for from in ["agent3", "watchdog"] {
                put(&home.join(dir).join(format!("{ID}-from-{from}.json")), &mutant.bytes);
            }
        }
        put(&home.join("handoff/draft/agent0.md"), &mutant.bytes);
        put(&home.join("handoff/draft/agent0.json"), &mutant.bytes);
        for words in [
            &["handoff", "list"][..],
            // Without --json a program is given the bytes as they were sent.
            &["handoff", "show", ID, "--json"],
            &["inbox", "list", "--json"],
            &["inbox", "next"],
        ] {
            bench.calls(mutant, words);
        }
        for dir in ["inbox", "handoff", "state/shown"] {
            clear(&home.join(dir));
        }
    }
    bench.end()
}

fn records() -> Vec<Vec<u8>> {
    ["complete", "errored", "in-flight"]
        .map(|end| mutation::format(&format!("restart-record-{end}.json")))
        .into()
}

fn histories(run: &Run, door: &Door, mutants: &[Mutant]) -> Vec<Finding> {
    let bench = Bench::new(run.world(), door);
    bench.world.configure("[constellation]\nclones = 0\nagent = \"demo\"\n");
    let dir = bench.world.home.join("state/restart-status");
    for mutant in mutants {
        for id in ["01KAGPQWR0F4XZV3N6M8T2J5CA", "01KAGPQWR0F4XZV3N6M8T2J5CB", "01KAGPQWR0F4XZV3N6M8T2J5CC"] {
            put(&dir.join(format!("20251120T190000Z-{id}.json")), &mutant.bytes);
            bench.calls(mutant, &["history", "show", id]);
        }
        bench.calls(mutant, &["history", "--json"]);
        bench.calls(mutant, &["status"]);
        clear(&dir);
    }
    bench.end()
}

/// What `init` writes, and all settings.
fn configurations() -> Vec<Vec<u8>> {
    const ALL: &str = "[constellation]\nclones = 4\nagent = \"codex\"\nroot_agent = \"claude\"\nworkdir = \"~/project\"\n\
        permissions = \"edits\" # chosen by me\ntrust = [\"/srv/a\", \"~/b\"]\n\n[agent.agent2]\nprofile = \"mybot\"\n\
        role = \"reviewer\"\n\n[tmux]\nsocket = \"work\"\nsize = \"120x40\"\nread_timeout = \"1s\"\nconf = \"~/.tmux.conf\"\n\n\
        [restart]\nup_wait = \"2m 30s\"\nstart_parallel = 8\n\n[handoff]\nkeep = 7\nmax_bytes = \"64KiB\"\n\n\
        [profile.mybot]\ncommand = [\"mybot\", \"--x\"]\nenv = { A = \"b\" }\nmarker = 'session \\d+'\nmemory = \"300MiB\"\n";
    vec![ALL.into(), b"[constellation]\nclones = 1\nagent = \"demo\"\n".to_vec()]
}

fn settings(run: &Run, door: &Door, mutants: &[Mutant]) -> Vec<Finding> {
    let bench = Bench::new(run.world(), door);
    bench.world.configure("");
    for mutant in mutants {
        fs::write(bench.world.home.join("config.toml"), &mutant.bytes).unwrap();
        let ran = bench.calls(mutant, &["config", "check"]);
        let said = format!("{}{}", ran.stdout, ran.stderr);
        bench.must(matches!(ran.code, 0 | 78), Harm::Other, mutant, || format!("exit {}: {said}", ran.code));
        let names_line =
            said.split("config.toml:").skip(1).any(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
        let is_text = std::str::from_utf8(&mutant.bytes).is_ok();
        bench.must(ran.code == 0 || names_line || !is_text, Harm::Other, mutant, || {
            format!("no line: {said}")
        });
        let shown = bench.calls(mutant, &["config", "show", "--json"]);
        bench.must(shown.code == ran.code, Harm::Other, mutant, || {
            format!("shown: {}{}", shown.code, shown.stderr)
        });
    }
    bench.end()
}

fn reports(run: &Run, door: &Door, mutants: &[Mutant]) -> Vec<Finding> {
    let (bench, puppet) = staged(run, door);
    for mutant in mutants {
        puppet.file("report", &mutant.bytes);
        let event =
            ["Stop", "SessionStart", "PermissionRequest", "StopFailure", "Notification"][mutant.number % 5];
        let code = puppet.runs(&format!("{:?} hook {event} <report >printed 2>said", bench.world.program));
        let said = fs::read_to_string(puppet.dir().join("said")).unwrap_or_default();
        bench.must(code == 0 && said.is_empty(), Harm::Other, mutant, || {
            format!("hook {event}: {code} {said}")
        });
        let printed = fs::read(puppet.dir().join("printed")).unwrap();
        let spoken = super::speaks(&printed);
        bench.must(spoken.is_none(), Harm::Torn, mutant, || format!("hook {event} prints {spoken:?}"));
        bench.calls(mutant, &["status", "--json"]);
    }
    bench.end()
}

/// What ends every sequence that a screen may have begun.
const SOBER: &str = r"printf '\030\033\134\007\033[?1049l\033[m\017\r\n'";

fn screens(run: &Run, door: &Door, mutants: &[Mutant]) -> Vec<Finding> {
    let (bench, puppet) = staged(run, door);
    for mutant in mutants {
        puppet.file("drawing", &mutant.bytes);
        puppet.runs(&format!(r"printf '\033c\033[3J'; cat drawing; {SOBER}"));
        bench.calls(mutant, &["status", "--json"]);
        bench.calls(mutant, &["logs", "agent0", "-n", "60"]);
        if mutant.number % 5 == 0 {
            bench.calls(mutant, &["up", "--no-wait"]);
        }
    }
    bench.end()
}

/// A line as tmux lists a pane, and one as it complains.
fn rows() -> Vec<Vec<u8>> {
    vec![
        b"$0\tagent0\t%0\t4242\t0\t\t\t0\t12\t345\t1795201200\t0\t1\t200\t50\tsleep 1000\n".to_vec(),
        b"can't find session: $99\n".to_vec(),
    ]
}

/// What the real tmux answers gets a damaged line, or is damaged itself, on its way.
fn answers(run: &Run, door: &Door, mutants: &[Mutant]) -> Vec<Finding> {
    let mut world = run.world();
    let stand_in = StandIn::before(&mut world);
    let bench = Bench::new(world, door);
    let puppet = staging(&bench);
    let alien = puppet.dir().join("alien");
    for mutant in mutants {
        fs::write(&alien, &mutant.bytes).unwrap();
        let (line, filter) = (1 + mutant.number % 7, mutant.number % 6);
        let sed = match filter {
            0 => format!("{line}r {}", alien.display()),
            1 => format!("{line}d"),
            2 => format!("{line}p"),
            3 => format!("{line}s/[0-9][0-9]*/99999999999999999999/2"),
            4 => format!("{line}s/\\(.*\\)[[:blank:]].*/\\1/"),
            _ => format!("{line}s/[a-z]/\\x1b[31m&/"),
        };
        stand_in.replace(&format!("#!/bin/sh\n{:?} \"$@\" | LC_ALL=C sed -u -e '{sed}'\n", stand_in.real()));
        for words in [&["status", "--json"][..], &["status"], &["logs", "agent0"]] {
            bench.calls(mutant, words);
        }
        if mutant.number % 5 == 0 {
            bench.calls(mutant, &["send", "agent0", "hello"]);
            bench.calls(mutant, &["up", "--no-wait"]);
        }
    }
    stand_in.restore();
    bench.end()
}

/// A world in which an agent is up that does what it is told.
fn staged<'d>(run: &Run, door: &'d Door) -> (Bench<'d>, Puppet) {
    let bench = Bench::new(run.world(), door);
    let puppet = staging(&bench);
    (bench, puppet)
}

fn staging(bench: &Bench<'_>) -> Puppet {
    let puppet = Puppet::new(&bench.world, bench.door.name);
    let profile = puppet.profile("puppet");
    bench.world.configure(&format!("[constellation]\nclones = 0\nagent = \"puppet\"\n{profile}"));
    bench.world.netsky(["up"]).run().expect(0);
    puppet
}

fn put(path: &Path, bytes: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

fn clear(dir: &Path) {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => panic!("{}: {error}", dir.display()),
        _ => {}
    }
}
