//! Text that netsky types, as a receiver without echo and lines gets it, byte for byte.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use netsky::text::printable;

use super::{Bench, quoted};
use crate::corpus::Sample;
use crate::support::world::wait;
use crate::sweep::{Finding, Harm, Run};

/// Draws a composer, takes so many bytes, is up, and takes what comes then. With brackets where it was told so.
const RECEIVER: &str = "#!/bin/sh\nstty raw -echo\n[ \"$3\" = plain ] || printf '\\033[?2004h'\nprintf '\\342\\235\\257 '\n\
                        head -c \"$2\" >\"$1/asked\"\nprintf '\\r\\n\\342\\227\\217 session 1 up\\r\\n\\r\\n\\342\\235\\257 '\n\
                        exec cat >\"$1/later\"\n";

const BRACKETS: (&str, &str) = ("\u{1b}[200~", "\u{1b}[201~");

pub(super) fn attempt(run: &Run, samples: &[&Sample]) -> Vec<Finding> {
    let bench = Bench::new(run);
    let says_something = |sample: &&&Sample| {
        let text = sample.text().filter(|text| !text.contains('\0'));
        // What is a marker is refused as a question; what is only control characters is nothing to type.
        text.is_some_and(|text| !text.contains("session") && !printable(text).trim().is_empty())
    };
    let typed: Vec<&&Sample> = samples.iter().filter(says_something).collect();
    let Some(last) = typed.len().checked_sub(1) else { return bench.end() };
    let receiver = bench.world.write("receiver", RECEIVER);
    let mut config =
        format!("[constellation]\nclones = {last}\nagent = \"demo\"\n[restart]\nup_wait = \"20s\"\n");
    for (agent, sample) in typed.iter().enumerate() {
        fs::create_dir(out(&bench, agent)).unwrap();
        let (length, how) =
            (expected(agent, sample).len(), if is_plain(agent) { "plain" } else { "brackets" });
        config.push_str(&format!(
            "[agent.agent{agent}]\nprofile = \"p{agent}\"\n[profile.p{agent}]\nbase = \"demo\"\nhow = \"paste\"\nmemory = \"1MiB\"\n\
             command = [\"sh\", {receiver:?}, {:?}, \"{length}\", \"{how}\"]\nstartup = {}\n",
            out(&bench, agent),
            quoted(sample.text().unwrap()),
        ));
    }
    bench.world.configure(&config);
    bench.human("up", bench.world.netsky(["up"]), &[0]);
    for (agent, sample) in typed.iter().enumerate() {
        let asked = fs::read(out(&bench, agent).join("asked")).unwrap_or_default();
        bench.must(asked == expected(agent, sample).as_bytes(), Harm::Torn, || {
            let head = asked.get(..asked.len().min(80)).unwrap_or_default().escape_ascii();
            format!("typed were {} bytes, {head}: {}", asked.len(), sample.shown())
        });
    }
    nudged(&bench, typed.len());
    bench.end()
}

fn out(bench: &Bench, agent: usize) -> PathBuf {
    bench.world.root().join(format!("out{agent}"))
}

fn is_plain(agent: usize) -> bool {
    agent.is_multiple_of(2)
}

/// The question without its control characters, then Return.
fn expected(agent: usize, sample: &Sample) -> String {
    let text = printable(sample.text().unwrap()).into_owned();
    let (begins, ends) = if is_plain(agent) { ("", "") } else { BRACKETS };
    format!("{begins}{text}{ends}\r")
}

/// A message moves one constant line and Return, whatever it says.
fn nudged(bench: &Bench, count: usize) {
    for agent in 0..count.min(2) {
        let name = format!("agent{agent}");
        let call =
            bench.world.netsky(["send", &name, "--file", "-"]).stdin("\u{1b}[201~x\r\u{3}; $(canary 0)\n");
        bench.human("send to a receiver", call, &[0]);
        let later = out(bench, agent).join("later");
        let (begins, ends) = if is_plain(agent) { ("", "") } else { BRACKETS };
        let is_whole = |typed: &str| {
            let line = typed.strip_prefix(begins).and_then(|rest| rest.strip_suffix(&format!("{ends}\r")));
            line.is_some_and(|line| {
                line.starts_with("netsky: a message waits") && !line.contains(char::is_control)
            })
        };
        let typed = wait(Duration::from_secs(3), &mut || {
            let typed = fs::read_to_string(&later).ok()?;
            is_whole(&typed).then_some(())
        });
        bench.must(typed.is_some(), Harm::Torn, || format!("a nudge typed {:?}", fs::read_to_string(&later)));
    }
}
