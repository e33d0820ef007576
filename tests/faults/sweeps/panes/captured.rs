//! Every captured screen of every agent CLI, drawn in a real pane that never changes: which keys it gets.

use std::fs;
use std::path::Path;
use std::time::Duration;

use super::Scene;
use super::stage::{End, Keys, Part, Stage};
use crate::support::world::wait;
use crate::sweep::{Finding, Harm, Run};

/// So many panes a world.
const PANES: usize = 24;

/// What may be confirmed without leave: the dialog and how the highlighted option begins.
const ALWAYS: &[(&str, &str)] = &[
    ("theme", ""),
    ("security-notes", "-"),
    ("update-offer", "Skip"),
    ("model-migration", "Use existing model"),
    // Of the demo agent, which does nothing with anybody's files.
    ("demo/trust-folder", "Yes, I trust this folder"),
    ("terms-of-service", "Yes, I accept"),
];

/// What may be confirmed in a directory that is trusted, with permission for everything.
const WITH_LEAVE: &[(&str, &str)] = &[
    ("trust-folder", "Yes, I trust this folder"),
    ("trust-folder", "Trust and continue"),
    ("trust-folder", "Trust folder"),
    ("bypass-warning", "Yes, I accept"),
];

/// One screen: whose, which, and how it reads.
#[derive(Clone)]
struct Captured {
    base: &'static str,
    name: String,
    drawing: String,
    marker: bool,
    situation: String,
}

pub(super) fn scenes() -> Vec<Scene> {
    let mut scenes: Vec<Scene> = Vec::new();
    for with_leave in [false, true] {
        // With leave only dialogs differ.
        let wanted = move |screen: &Captured| !with_leave || screen.situation.starts_with("dialog");
        let screens: Vec<Captured> = all().into_iter().filter(wanted).collect();
        for few in screens.chunks(PANES) {
            let few = few.to_vec();
            scenes.push((few.len(), Box::new(move |run| drawn(run, &few, with_leave))));
        }
    }
    scenes
}

fn all() -> Vec<Captured> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/screens");
    let mut dirs: Vec<_> = fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()).collect();
    dirs.sort();
    dirs.iter().flat_map(|dir| listed(dir)).collect()
}

fn listed(dir: &Path) -> Vec<Captured> {
    let cli = dir.file_name().unwrap().to_str().unwrap().split('-').next().unwrap();
    let base = ["claude", "codex", "gemini", "opencode", "demo"].into_iter().find(|known| *known == cli);
    let list = fs::read_to_string(dir.join("expected.tsv")).unwrap();
    let read = |line: &str| {
        let [name, marker, situation] = line.split('\t').collect::<Vec<_>>()[..] else { panic!("{line}") };
        let screen = fs::read_to_string(dir.join(name).with_extension("txt")).unwrap();
        Captured {
            base: base.unwrap_or_default(),
            name: format!("{cli}/{name}"),
            drawing: screen.trim_end_matches('\n').replace('\n', "\r\n"),
            marker: marker != "-",
            situation: situation.to_owned(),
        }
    };
    // What holds control characters is drawn otherwise than it reads.
    let is_plain = |screen: &Captured| !screen.drawing.replace("\r\n", "").contains(char::is_control);
    list.lines().map(read).filter(is_plain).collect()
}

impl Captured {
    /// Whether its dialog may be answered at all, and confirmed as it stands.
    fn leave(&self, with_leave: bool) -> (bool, bool) {
        let Some((dialog, label)) =
            self.situation.strip_prefix("dialog ").and_then(|rest| rest.split_once(": "))
        else {
            return (false, false);
        };
        let named = format!("{}/{dialog}", self.base);
        let rows = ALWAYS.iter().chain(if with_leave { WITH_LEAVE } else { &[] });
        let mut rows = rows.filter(|(name, _)| *name == dialog || *name == named).peekable();
        (rows.peek().is_some(), rows.any(|(_, begins)| label.starts_with(begins)))
    }

    fn part(&self) -> Part {
        let counts =
            ["idle, empty", "idle, holds", "idle, unknown", "unclear"].contains(&self.situation.as_str());
        let ends = if self.marker && counts { End::Up } else { End::NotUp };
        Part { keys: Keys::Any, ..Part::drawing_as(self.base, &self.name, &self.drawing, ends) }
    }
}

fn drawn(run: &Run, screens: &[Captured], with_leave: bool) -> Vec<Finding> {
    let parts: Vec<Part> = screens.iter().map(Captured::part).collect();
    let leave = if with_leave { "permissions = \"bypass\"\ntrust = [\"/\"]\n" } else { "" };
    let settings = format!("{leave}[restart]\nup_wait = \"4s\"\nstop_grace = \"1s\"");
    let mut stage = Stage::set(run, &parts, &settings);
    stage.play(&parts);
    for (number, screen) in (1..).zip(screens) {
        let typed = stage.typed(number);
        let (may_answer, may_confirm) = screen.leave(with_leave);
        let holds = match (may_answer, may_confirm) {
            (false, _) => typed.is_empty(),
            (true, false) => !typed.is_empty() && !typed.contains('\r'),
            (true, true) => !typed.is_empty() && typed.chars().all(|key| key == '\r'),
        };
        if !holds {
            stage.find(Harm::Other, format!("{} ({}): typed was {typed:?}", screen.name, screen.situation));
        }
    }
    nudged(&mut stage, screens);
    stage.found
}

/// A nudge is typed only where nothing else stands, and confirmed only there.
fn nudged(stage: &mut Stage, screens: &[Captured]) {
    let before: Vec<String> = (1..).zip(screens).map(|(number, _)| stage.typed(number)).collect();
    stage.world.netsky(["send", "all", "hello"]).run().expect(0);
    for ((number, screen), before) in (1..).zip(screens).zip(before) {
        let is_wanted = screen.situation == "idle, empty" || screen.situation == "idle, unknown";
        let typed = |stage: &Stage| stage.typed(number).strip_prefix(&before).unwrap_or_default().to_owned();
        // What was pressed last may still be on its way through the terminal.
        wait(Duration::from_secs(2), &mut || (!is_wanted || typed(stage).ends_with('\r')).then_some(()));
        let typed = typed(stage);
        let is_nudge = typed.starts_with("netsky: a message waits") && typed.ends_with('\r');
        if (is_wanted && !is_nudge) || (!is_wanted && !typed.is_empty()) {
            stage.find(Harm::Other, format!("{} ({}): nudged with {typed:?}", screen.name, screen.situation));
        }
    }
}
