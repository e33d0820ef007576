//! The dialogs of the agent CLIs: which are known, which may be answered, and by what keys (pure).
//!
//! A row says by which words a dialog is known and which option it would be answered with. An answer moves the
//! highlight or confirms it, never both at once: what is confirmed was seen highlighted. Which row is on a screen is
//! read by `screen`; when keys are sent, and how often, is decided by who watches.

use std::path::PathBuf;

use crate::failpoint::{self, Step};

use super::attach::shell_word;

/// A key that answers a dialog.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// Highlights the option above.
    Up,
    /// Highlights the option below.
    Down,
    /// Confirms the highlighted option.
    Enter,
}

/// One known dialog of a CLI.
#[derive(Debug)]
pub struct DialogRow {
    /// Its name in status records.
    pub name: &'static str,
    /// All of these stand on the normalised screen.
    pub needs: &'static [&'static str],
    /// None of these stands there.
    pub without: &'static [&'static str],
    /// How it is drawn.
    pub shape: Shape,
    /// What it means for the agent.
    pub means: Means,
}

/// How a dialog is drawn.
#[derive(Debug)]
pub enum Shape {
    /// Numbered options of which one is highlighted; some option begins with each of these words.
    Options(&'static [&'static str]),
    /// No numbered options; the last line begins so.
    Notice(&'static str),
}

/// What a dialog means for the agent.
#[derive(Debug)]
pub enum Means {
    /// It stands before the first turn.
    Startup {
        /// The answer, where there is one that may be given.
        wants: Wants,
        /// When it may be given.
        permit: Permit,
    },
    /// The agent asks whether it may do something. What is asked begins at the last line that begins so.
    Permission {
        /// The beginning of that line, without blanks before it.
        from: &'static str,
    },
    /// A login is missing.
    Login,
    /// The account's usage limit was reached; a line that holds these words says so.
    Limited {
        /// The words.
        says: &'static str,
    },
}

/// How a dialog is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wants {
    /// The option with this label, or the only one that begins so.
    Option(&'static str),
    /// Whatever is highlighted: it is the CLI's own default and harmless.
    Highlighted,
    /// A person's choice; this would help.
    Person(&'static str),
}

/// When a dialog may be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permit {
    /// Without leave.
    Always,
    /// In a directory in `trust`.
    TrustedFolder,
    /// With `permissions = "bypass"`.
    Bypass,
    /// Where the command line asks for development channels.
    DevelopmentChannels,
    /// Never.
    Never,
}

/// A known dialog on a screen.
#[derive(Debug, Clone)]
pub struct SeenDialog {
    /// Which.
    pub row: &'static DialogRow,
    /// Its options from the top; none where it has no numbered ones.
    pub options: Vec<String>,
    /// Which of them is highlighted.
    pub highlighted: Option<usize>,
    /// By what sign.
    pub sign: Option<char>,
}

impl PartialEq for SeenDialog {
    fn eq(&self, other: &Self) -> bool {
        (self.row.name, &self.options, self.highlighted)
            == (other.row.name, &other.options, other.highlighted)
    }
}

impl Eq for SeenDialog {}

/// What the owner allows for one agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allowances {
    /// Where the agent works, for the hint.
    pub workdir: PathBuf,
    /// Whether that is in `trust`.
    pub trusted: bool,
    /// Whether `permissions` is `bypass`.
    pub bypass: bool,
    /// Whether the command line asks for development channels.
    pub development_channels: bool,
}

/// What to do about a dialog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DialogAnswer {
    /// Press these keys, then look again.
    Press {
        /// Either moves or the one that confirms.
        keys: Vec<Key>,
    },
    /// Press nothing: a person is needed.
    Refused {
        /// Why.
        why: String,
        /// What would allow or settle it.
        hint: Option<String>,
    },
}

/// What may be done about a dialog.
pub fn answer(seen: &SeenDialog, allowances: &Allowances) -> DialogAnswer {
    let Means::Startup { wants, permit } = &seen.row.means else { return refused(seen, None) };
    if let Wants::Person(hint) = wants {
        return refused(seen, Some((*hint).to_owned()));
    }
    if let Err(hint) = leave(*permit, allowances) {
        return refused(seen, hint);
    }
    let wanted = match wants {
        Wants::Option(label) => match position(&seen.options, label) {
            Some(wanted) => wanted,
            None => return refused(seen, None),
        },
        Wants::Highlighted | Wants::Person(_) => seen.highlighted.unwrap_or_default(),
    };
    if failpoint::leaves_out(Step::Highlight) {
        return DialogAnswer::Press { keys: vec![Key::Enter] };
    }
    let highlighted = seen.highlighted.unwrap_or_default();
    let keys = match wanted.cmp(&highlighted) {
        std::cmp::Ordering::Less => vec![Key::Up; highlighted - wanted],
        std::cmp::Ordering::Greater => vec![Key::Down; wanted - highlighted],
        std::cmp::Ordering::Equal => vec![Key::Enter],
    };
    DialogAnswer::Press { keys }
}

/// So many characters of an option's label tell it from others, and stand on one row of a narrow pane.
const LABEL_CHARS: usize = 24;

/// The line that must still stand on the screen in the moment in which an Enter is pressed, as an extended regular
/// expression: the highlighted option, by netsky's own words for it. Whatever came up since then gets no Enter.
pub fn highlighted_line(seen: &SeenDialog) -> Option<String> {
    match (&seen.row.shape, seen.sign, seen.highlighted) {
        (Shape::Notice(end), ..) => Some(pattern(end)),
        (Shape::Options(_), Some(sign), Some(highlighted)) => {
            let label = match &seen.row.means {
                Means::Startup { wants: Wants::Option(label), .. } => *label,
                _ => "",
            };
            let number = highlighted + 1;
            Some(format!("{} +{number}[.)] +{}", pattern(&sign.to_string()), pattern(label)))
        }
        (Shape::Options(_), ..) => None,
    }
}

/// The beginning of some words, in which every sign that could mean something, or be drawn otherwise, is any.
fn pattern(words: &str) -> String {
    let plain = |c: char| if c.is_ascii_punctuation() || c.is_whitespace() { '.' } else { c };
    words.chars().take(LABEL_CHARS).map(plain).collect()
}

fn refused(seen: &SeenDialog, hint: Option<String>) -> DialogAnswer {
    DialogAnswer::Refused { why: format!("the dialog {} waits for a person", seen.row.name), hint }
}

/// `Err`: not allowed, with what would allow it.
fn leave(permit: Permit, allowances: &Allowances) -> Result<(), Option<String>> {
    let (allowed, hint) = match permit {
        Permit::Always => (true, None),
        Permit::TrustedFolder => {
            let dir = shell_word(&allowances.workdir.display().to_string());
            (allowances.trusted, Some(format!("netsky trust {dir}")))
        }
        Permit::Bypass => (allowances.bypass, Some("permissions = \"bypass\" in config.toml".to_owned())),
        Permit::DevelopmentChannels => (
            allowances.development_channels,
            Some("--dangerously-load-development-channels in the profile's command".to_owned()),
        ),
        Permit::Never => (false, None),
    };
    if allowed { Ok(()) } else { Err(hint) }
}

/// The option with this label, else the only one that begins with it.
pub(super) fn position(options: &[String], label: &str) -> Option<usize> {
    if let Some(exact) = options.iter().position(|option| option == label) {
        return Some(exact);
    }
    let mut beginning = options.iter().enumerate().filter(|(_, option)| option.starts_with(label));
    match (beginning.next(), beginning.next()) {
        (Some((index, _)), None) => Some(index),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROW: DialogRow = row(Wants::Option("Yes"), Permit::Always);
    const TRUST: DialogRow = row(Wants::Option("Yes"), Permit::TrustedFolder);
    const BYPASS: DialogRow = row(Wants::Option("Yes"), Permit::Bypass);
    const CHANNELS: DialogRow = row(Wants::Option("Yes"), Permit::DevelopmentChannels);
    const NEVER: DialogRow = row(Wants::Option("Yes"), Permit::Never);
    const THEME: DialogRow = row(Wants::Highlighted, Permit::Always);
    const PERSON: DialogRow = row(Wants::Person("do it"), Permit::Always);

    const fn row(wants: Wants, permit: Permit) -> DialogRow {
        let means = Means::Startup { wants, permit };
        DialogRow { name: "d", needs: &[], without: &[], shape: Shape::Options(&[]), means }
    }

    fn nothing_allowed() -> Allowances {
        Allowances { workdir: "/my dir".into(), trusted: false, bypass: false, development_channels: false }
    }

    fn answered(
        row: &'static DialogRow,
        options: &[&str],
        highlighted: usize,
        allowances: &Allowances,
    ) -> DialogAnswer {
        let options = options.iter().map(|option| (*option).to_owned()).collect();
        answer(&SeenDialog { row, options, highlighted: Some(highlighted), sign: Some('❯') }, allowances)
    }

    #[test]
    fn the_highlight_is_moved_first_and_confirmed_when_it_was_seen() {
        for (options, highlighted, expected) in [
            (&["Yes", "No"][..], 0, Some(vec![Key::Enter])),
            (&["Yes", "No"], 1, Some(vec![Key::Up])),
            (&["No", "Never", "Yes, please"], 0, Some(vec![Key::Down, Key::Down])),
            (&["No", "Yes, please"], 1, Some(vec![Key::Enter])),
            (&["Yes, once", "Yes"], 0, Some(vec![Key::Down])),
            (&["Yes, once", "Yes, always"], 0, None),
            (&["No", "Perhaps"], 0, None),
        ] {
            let keys = match answered(&ROW, options, highlighted, &nothing_allowed()) {
                DialogAnswer::Press { keys } => Some(keys),
                DialogAnswer::Refused { .. } => None,
            };
            assert_eq!(keys, expected, "{options:?} {highlighted}");
        }
        let enter = DialogAnswer::Press { keys: vec![Key::Enter] };
        assert_eq!(answered(&THEME, &["Light", "Dark"], 1, &nothing_allowed()), enter);
    }

    #[test]
    fn an_enter_is_for_the_line_that_was_seen() {
        const LONG: DialogRow =
            row(Wants::Option("I am using this, (for) {local} development"), Permit::Always);
        const NOTICE: DialogRow = DialogRow { shape: Shape::Notice("Press Enter to go"), ..THEME };
        for (row, sign, expected) in [
            (&ROW, Some('❯'), Some("❯ +2[.)] +Yes")),
            (&ROW, Some('>'), Some(". +2[.)] +Yes")),
            (&LONG, Some('❯'), Some("❯ +2[.)] +I.am.using.this...for...")),
            (&THEME, Some('›'), Some("› +2[.)] +")),
            (&NOTICE, None, Some("Press.Enter.to.go")),
            (&ROW, None, None),
        ] {
            let seen = SeenDialog { row, options: Vec::new(), highlighted: Some(1), sign };
            assert_eq!(highlighted_line(&seen).as_deref(), expected, "{row:?}");
        }
    }

    #[test]
    fn what_is_not_allowed_gets_no_key_and_says_what_would_allow_it() {
        let none = nothing_allowed();
        let all = Allowances { trusted: true, bypass: true, development_channels: true, ..none.clone() };
        for (row, hint, with_all) in [
            (&TRUST, Some("netsky trust '/my dir'"), true),
            (&BYPASS, Some("permissions = \"bypass\" in config.toml"), true),
            (&CHANNELS, Some("--dangerously-load-development-channels in the profile's command"), true),
            (&NEVER, None, false),
            (&PERSON, Some("do it"), false),
        ] {
            let DialogAnswer::Refused { hint: given, .. } = answered(row, &["Yes", "No"], 0, &none) else {
                panic!("{row:?} was answered")
            };
            assert_eq!(given.as_deref(), hint);
            let pressed = matches!(answered(row, &["Yes", "No"], 0, &all), DialogAnswer::Press { .. });
            assert_eq!(pressed, with_all, "{row:?}");
        }
    }
}
