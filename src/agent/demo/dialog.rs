//! A question with numbered options of which one is highlighted (pure).
//!
//! Arrow keys and digits move the highlight, Return confirms it; nothing else does anything.

use super::keys::Key;

/// The sign before the highlighted option and before what is typed.
pub const PROMPT_SIGN: &str = "❯";

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Question {
    /// Whether the work directory is trusted.
    Trust,
    /// Whether its terms are accepted.
    Terms,
    /// Something that no table knows.
    Colour,
    /// Whether it may run a command.
    Permission,
}

/// What a question does when its option was confirmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// Go on.
    Yes,
    /// Do not.
    No,
}

impl Question {
    /// The lines above the options.
    fn words(self, dir: &str) -> Vec<String> {
        let owned = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect();
        match self {
            Self::Trust => vec![
                format!("demo agent: do you trust the files in {dir}?"),
                String::new(),
                "It would read and change them if it were a real agent.".to_owned(),
            ],
            Self::Terms => {
                owned(&["demo agent: do you accept its terms of service?", "", "It promises nothing."])
            }
            Self::Colour => owned(&["demo agent: which colour do you like best?"]),
            Self::Permission => {
                owned(&["demo agent: may it run this command?", "", &format!("  Bash: {PERMISSION_COMMAND}")])
            }
        }
    }

    fn options(self) -> &'static [(&'static str, Choice)] {
        match self {
            Self::Trust => &[("Yes, I trust this folder", Choice::Yes), ("No, exit", Choice::No)],
            Self::Terms => &[("Yes, I accept", Choice::Yes), ("No, exit", Choice::No)],
            Self::Colour => &[("Red", Choice::Yes), ("Green", Choice::Yes), ("Blue", Choice::Yes)],
            Self::Permission => {
                &[("Yes", Choice::Yes), ("Yes, and do not ask again", Choice::Yes), ("No", Choice::No)]
            }
        }
    }
}

/// What the permission dialog asks for.
pub const PERMISSION_COMMAND: &str = "rm -r build";

/// A question on the screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dialog {
    /// What is asked.
    pub question: Question,
    highlighted: usize,
    quirk: Option<Quirk>,
}

/// What is odd about a dialog.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quirk {
    /// The first Return does nothing.
    LosesEnter,
    /// Arrow keys move the highlight the other way, around the ends.
    Wanders,
    /// Arrow keys move nothing.
    Sticks,
}

impl Dialog {
    /// The question with its first option highlighted, or the first *No* where that is the default.
    pub fn new(question: Question, default_no: bool, quirk: Option<Quirk>) -> Self {
        let no = question.options().iter().position(|(_, choice)| *choice == Choice::No);
        Self { question, highlighted: no.filter(|_| default_no).unwrap_or(0), quirk }
    }

    /// What a key does; `Some`: the highlighted option was confirmed.
    pub fn press(&mut self, key: &Key) -> Option<Choice> {
        let options = self.question.options();
        let last = options.len() - 1;
        match (key, self.quirk) {
            (Key::Up | Key::Down, Some(Quirk::Sticks)) => return None,
            (Key::Up, Some(Quirk::Wanders)) => self.highlighted = (self.highlighted + 1) % options.len(),
            (Key::Down, Some(Quirk::Wanders)) => {
                self.highlighted = self.highlighted.checked_sub(1).unwrap_or(last)
            }
            (key, _) => return self.press_plainly(key),
        }
        None
    }

    fn press_plainly(&mut self, key: &Key) -> Option<Choice> {
        let options = self.question.options();
        match key {
            Key::Up => self.highlighted = self.highlighted.saturating_sub(1),
            Key::Down => self.highlighted = (self.highlighted + 1).min(options.len() - 1),
            Key::Text(digit) => match digit.parse::<usize>() {
                Ok(number) if (1..=options.len()).contains(&number) => self.highlighted = number - 1,
                _ => {}
            },
            Key::Enter if self.quirk == Some(Quirk::LosesEnter) => self.quirk = None,
            Key::Enter => return options.get(self.highlighted).map(|(_, choice)| *choice),
            Key::Backspace | Key::Escape | Key::Clear => {}
        }
        None
    }

    /// The lines of it.
    pub fn lines(&self, dir: &str) -> Vec<String> {
        let mut lines = self.question.words(dir);
        lines.push(String::new());
        for (index, (words, _)) in self.question.options().iter().enumerate() {
            let sign = if index == self.highlighted { PROMPT_SIGN } else { " " };
            lines.push(format!("{sign} {}. {words}", index + 1));
        }
        lines.push(String::new());
        lines.push("Enter to confirm · ↑ ↓ to choose".to_owned());
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(mut dialog: Dialog, keys: &[Key], expected: Option<Choice>) {
        let mut confirmed = None;
        for key in keys {
            confirmed = dialog.press(key);
        }
        assert_eq!(confirmed, expected, "{keys:?}");
    }

    #[test]
    fn only_return_confirms_and_only_what_is_highlighted() {
        let trust = || Dialog::new(Question::Trust, false, None);
        let text = |text: &str| Key::Text(text.into());
        check(trust(), &[Key::Enter], Some(Choice::Yes));
        check(trust(), &[Key::Down, Key::Enter], Some(Choice::No));
        check(trust(), &[Key::Down, Key::Down, Key::Up, Key::Enter], Some(Choice::Yes));
        check(trust(), &[text("2")], None);
        check(trust(), &[text("2"), Key::Enter], Some(Choice::No));
        check(trust(), &[text("3"), text("0"), text("x"), Key::Escape, Key::Enter], Some(Choice::Yes));
        check(Dialog::new(Question::Trust, true, None), &[Key::Enter], Some(Choice::No));
        check(Dialog::new(Question::Colour, true, None), &[Key::Enter], Some(Choice::Yes));
        check(Dialog::new(Question::Trust, false, Some(Quirk::LosesEnter)), &[Key::Enter], None);
        check(
            Dialog::new(Question::Trust, false, Some(Quirk::LosesEnter)),
            &[Key::Enter, Key::Enter],
            Some(Choice::Yes),
        );
    }

    #[test]
    fn an_odd_dialog_moves_as_it_likes() {
        let highlighted = |quirk, keys: &[Key]| {
            let mut dialog = Dialog::new(Question::Colour, false, Some(quirk));
            keys.iter().for_each(|key| assert_eq!(dialog.press(key), None));
            dialog.highlighted
        };
        assert_eq!(highlighted(Quirk::Wanders, &[Key::Up]), 1);
        assert_eq!(highlighted(Quirk::Wanders, &[Key::Down]), 2);
        assert_eq!(highlighted(Quirk::Sticks, &[Key::Down, Key::Up, Key::Down]), 0);
    }

    #[test]
    fn a_dialog_is_drawn_with_one_highlight_and_fits_eleven_rows() {
        let mut dialog = Dialog::new(Question::Trust, false, None);
        dialog.press(&Key::Down);
        let lines = dialog.lines("/work");
        assert_eq!(
            lines,
            [
                "demo agent: do you trust the files in /work?",
                "",
                "It would read and change them if it were a real agent.",
                "",
                "  1. Yes, I trust this folder",
                "❯ 2. No, exit",
                "",
                "Enter to confirm · ↑ ↓ to choose",
            ]
        );
        for question in [Question::Trust, Question::Terms, Question::Colour, Question::Permission] {
            let lines = Dialog::new(question, false, None).lines("/");
            assert_eq!(lines.iter().filter(|line| line.starts_with(PROMPT_SIGN)).count(), 1);
            assert!(lines.len() < 11);
        }
    }
}
