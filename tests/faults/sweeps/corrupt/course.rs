//! The verbs that are called on a file that was made useless, and what each may say.

use std::time::Duration;

use serde_json::Value;

use super::super::complaint;
use super::places::marks;
use crate::support::World;
use crate::support::world::Ran;
use crate::sweep::{Finding, Harm};

/// One call.
#[derive(Clone, Copy)]
pub struct Call {
    pub words: &'static [&'static str],
    /// Its exit code.
    pub code: i32,
    /// Whether it is called from agent0's session.
    pub inside: bool,
}

pub const fn call(words: &'static [&'static str]) -> Call {
    Call { words, code: 0, inside: false }
}

/// In agent0's session.
pub const fn inside(words: &'static [&'static str]) -> Call {
    Call { inside: true, ..call(words) }
}

/// Nobody waits longer for any of these.
const LIMIT: Duration = Duration::from_secs(30);

impl Call {
    pub fn run(&self, world: &World) -> Ran {
        let mut call = world.netsky(self.words.iter().copied());
        if self.inside {
            for (name, value) in marks(world) {
                call = call.env(name, value);
            }
        }
        call.stdin("{}").run()
    }

    /// What no verb may do, whatever it finds.
    pub fn findings(&self, ran: &Ran, what: &str) -> Vec<Finding> {
        let what = format!("{what}: {}", self.words.join(" "));
        let mut found = complaint::findings(ran, &what);
        let mut other = |why: String| found.push((Harm::Other, format!("{what}: {why}")));
        if ran.code != self.code {
            other(format!("exit {}: {}", ran.code, ran.stderr.trim()));
        }
        if ran.took > LIMIT {
            other(format!("it took {:?}", ran.took));
        }
        let is_document = || serde_json::from_slice::<Value>(&ran.bytes[0]).is_ok();
        let has_begun = ran.code == 0 || !ran.stdout.is_empty();
        if self.words.contains(&"--json") && has_begun && !is_document() {
            found.push((Harm::Torn, format!("{what}: no document: {}", ran.stdout)));
        }
        found
    }
}

/// How many lines say that `path` was moved, and where to.
pub fn said(stderr: &str, path: &std::path::Path) -> usize {
    let (path, dir) = (path.display().to_string(), path.parent().unwrap().join("corrupt"));
    let is_it = |line: &&str| {
        line.starts_with(&format!("netsky: {path} "))
            && line.contains(&format!("moved to {}/", dir.display()))
    };
    stderr.lines().filter(is_it).count()
}
