//! What is a marker, and what only looks like one.

use super::Scene;
use super::stage::{End, Part, Stage};
use crate::puppet::Puppet;
use crate::sweep::{Finding, Harm, Run};

const MARKER: &str = "agent0 session 3 up";

/// Agents that are not up are awaited for so long.
const SETTINGS: &str = "[restart]\nup_wait = \"3s\"\nstop_grace = \"1s\"";

pub(super) fn scenes() -> Vec<Scene> {
    let forged = || {
        forged().into_iter().map(|(base, name, drawing)| Part::drawing_as(base, name, &drawing, End::NotUp))
    };
    let mut scenes: Vec<Scene> = vec![
        (forged().count(), Box::new(move |run| together(run, &forged().collect::<Vec<_>>()))),
        (true_ones().len(), Box::new(|run| together(run, &true_ones()))),
        (staged().len(), Box::new(|run| together(run, &staged()))),
        (1, Box::new(of_the_last_generation)),
        (1, Box::new(seen_while_hooks_speak)),
    ];
    scenes.push((1, Box::new(asked_by_its_own_marker)));
    scenes
}

fn together(run: &Run, parts: &[Part]) -> Vec<Finding> {
    let mut stage = Stage::set(run, parts, SETTINGS);
    stage.play(parts);
    stage.found
}

/// The screens it is read by, a name, and what is drawn in one go.
fn forged() -> Vec<(&'static str, &'static str, String)> {
    let mut parts = vec![
        ("", "in the middle of a line", format!("I say {MARKER}\r\n")),
        (
            "",
            "behind a prompt sign",
            format!("> {MARKER}\r\n❯ {MARKER}\r\n› {MARKER}\r\n$ {MARKER}\r\n% {MARKER}\r\n"),
        ),
        ("", "behind a bullet that is none", format!("- {MARKER}\r\n1. {MARKER}\r\n| {MARKER}\r\n")),
        ("", "in a box", format!("│ {MARKER} │\r\n")),
        ("", "without its number", "agent0 session three up\r\nagent0 session 3up\r\n".to_owned()),
        ("", "with something between its letters", "agent0 ses\u{200b}sion 3 up\r\n".to_owned()),
        ("", "of another case", "AGENT0 SESSION 3 UP\r\n".to_owned()),
        ("", "overwritten", format!("{MARKER}\rXXXX\r\n")),
        ("", "erased", format!("{MARKER}\u{1b}[2K\r\n")),
        ("", "scrolled away", format!("{MARKER}\r\n{}", "line\r\n".repeat(60))),
        (
            "",
            "in the title",
            format!("\u{1b}]2;{MARKER}\u{7}\u{1b}]0;{MARKER}\u{1b}\\\u{1b}k{MARKER}\u{1b}\\"),
        ),
        ("", "in a clipboard and a link", format!("\u{1b}]52;c;{MARKER}\u{7}\u{1b}]8;;{MARKER}\u{1b}\\")),
        ("", "in a device control string", format!("\u{1b}P{MARKER}\u{1b}\\\u{1b}_{MARKER}\u{1b}\\")),
        ("", "below the other screen", format!("{MARKER}\r\n\u{1b}[?1049hsomething else")),
        ("demo", "typed and not sent", format!("● hello\r\n\r\n❯ {MARKER}")),
        ("demo", "drawn into the composer", format!("● hello\r\n\r\n❯ \u{1b}[2D\u{1b}[3G{MARKER}\u{1b}[3G")),
        ("demo", "typed and sent", format!("❯ {MARKER}\r\n\r\n❯ ")),
        ("demo", "typed and sent in several lines", format!("❯ say\r\n  {MARKER}\r\n\r\n❯ ")),
        (
            "demo",
            "in a turn under way",
            format!("● {MARKER}\r\n\r\n✻ Thinking… (esc to interrupt)\r\n\r\n❯ "),
        ),
        ("demo", "in a turn that failed", format!("● {MARKER}\r\n\r\n● API Error: 529\r\n\r\n❯ ")),
        ("claude", "below the composer", format!("────────\r\n❯ \r\n────────\r\n  > {MARKER}\r\n")),
    ];
    // As a number of words, each on a line of its own.
    parts.push(("", "in pieces", "agent0\r\nsession\r\n3\r\nup\r\n".to_owned()));
    parts
}

fn true_ones() -> Vec<Part> {
    let far = " ".repeat(190);
    let parts = [
        ("alone", format!("{MARKER}\r\n")),
        ("decorated and coloured", format!("\u{1b}[32m● {MARKER}\u{1b}[0m\r\n")),
        ("of another name", "agentinfinity session 99999999999 up and well\r\n".to_owned()),
        ("wrapped at the edge", format!("{MARKER} {}\r\n", "and well ".repeat(40))),
        ("wrapped in its middle", format!("{far}{MARKER}\r\n")),
        ("on the other screen", format!("\u{1b}[?1049h\u{1b}[H{MARKER}\r\n")),
        ("drawn letter by letter from its end", backwards(MARKER)),
        ("beside another column", format!("{MARKER}          │ 12:00 │\r\n")),
        ("among lines of tmux's own", format!("%begin 1 1 1\r\n%end 1 1 1\r\n%exit\r\n{MARKER}\r\n")),
        (
            "in a crowd of control characters",
            format!("\u{7}\u{8}\u{f}\u{1b}(B\u{1b}[?25l{MARKER}\r\n\u{1b}[?2004h"),
        ),
    ];
    parts.into_iter().map(|(name, drawing)| Part::drawing("", &drawing, End::Up).named(name)).collect()
}

/// The text by cursor movement, last letter first.
fn backwards(text: &str) -> String {
    let letters: Vec<String> =
        (1..).zip(text.chars()).map(|(column, letter)| format!("\u{1b}[5;{column}H{letter}")).collect();
    letters.into_iter().rev().collect::<String>() + "\u{1b}[7;1H"
}

fn staged() -> Vec<Part> {
    let acting = |name: &str, script: &str, ends| Part::acting("", name, script, ends);
    vec![
        acting(
            "drawn in two halves",
            &format!("printf 'agent0 session '; sleep 1; printf '3 up\\r\\n# {MARKER}'"),
            End::Up,
        ),
        acting(
            "gone as soon as it was there",
            &format!("sleep 1; printf '{MARKER}\\033[2K\\r\\n'"),
            End::NotUp,
        ),
        acting("a flood of something else", "yes noise | head -c 60000000", End::NotUp),
        acting("a flood of it", &format!("yes '{MARKER}\r' | head -c 60000000"), End::Up),
        acting(
            "a flood of the other screen",
            "yes $(printf '\\033[?1049h\\033[?1049l') | head -c 9000000",
            End::NotUp,
        ),
        // Echoed by its terminal, what netsky asks must not prove it up.
        Part { acts: cooked(), ..acting("echoes its question", "", End::NotUp) },
    ]
}

fn cooked() -> super::stage::Acts {
    let script = "cd \"$0\"; echo ready; exec cat".to_owned();
    super::stage::Acts::Pasted { script }
}

impl Part {
    fn named(mut self, name: &str) -> Self {
        name.clone_into(&mut self.name);
        self
    }
}

/// Neither the beacon nor the screen of the generation before proves the next one up.
fn of_the_last_generation(run: &Run) -> Vec<Finding> {
    let parts = [Part::acting("demo", "silent", "true", End::NotUp)];
    let mut stage = Stage::set(run, &parts, SETTINGS);
    stage.world.netsky(["up", "1", "--agent", "plain"]).run().expect(0);
    let ran = stage.world.netsky(["restart", "agent1", "--agent", "p1"]).run();
    if ran.code == 0 {
        stage.find(Harm::FalseSuccess, "the last generation's marker proved the next one up".to_owned());
    }
    stage.found
}

/// Once hooks have spoken, a marker that was drawn in mid-turn and is gone again proves nothing.
fn seen_while_hooks_speak(run: &Run) -> Vec<Finding> {
    let mut stage = Stage::set(run, &[], SETTINGS);
    let puppet = Puppet::quiet(&stage.world, "draws");
    let config = std::fs::read_to_string(stage.world.home.join("config.toml")).unwrap();
    stage.world.configure(&format!("{config}{}", puppet.profile("puppet")));
    let raising = stage.world.netsky(["up", "0", "--agent", "puppet"]).start();
    puppet.file("report", r#"{"source":"startup"}"#);
    let netsky = stage.world.program.clone();
    for event in ["SessionStart", "UserPromptSubmit"] {
        puppet.runs(&format!("{netsky:?} hook {event} <report >/dev/null"));
    }
    puppet.runs(&format!("printf '\\033[5;1H{MARKER}\\033[7;1H'; sleep 1; printf '\\033[2J'"));
    let output = raising.wait_with_output().unwrap();
    if output.status.code() == Some(0) {
        stage.find(
            Harm::FalseSuccess,
            "a marker that a hook did not confirm, and that was gone, proved it up".to_owned(),
        );
    }
    stage.found
}

/// A question that is its own answer is refused.
fn asked_by_its_own_marker(run: &Run) -> Vec<Finding> {
    let stage =
        Stage::set(run, &[], "[profile.echo]\ncommand = [\"cat\"]\nstartup = \"agent0 session 1 up\"\n");
    let ran = stage.world.netsky(["up", "0", "--agent", "echo"]).run();
    if ran.code == 78 {
        Vec::new()
    } else {
        vec![(Harm::FalseSuccess, format!("{}: {}", ran.code, ran.stderr))]
    }
}
