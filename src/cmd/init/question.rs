//! What `netsky init` asks, one line each. Nobody who answers, or no answer that is understood, means the safe default.

use std::path::Path;

use crate::config::Permissions;
use crate::text;

/// Where questions go and answers come from.
pub(super) struct Asker<'a> {
    /// One line of answer; `None`: nobody answers (any more).
    read: &'a mut dyn FnMut() -> Option<String>,
    say: &'a mut dyn FnMut(&str),
}

/// So often a question is put.
const TRIES: usize = 3;

impl<'a> Asker<'a> {
    pub(super) fn new(read: &'a mut dyn FnMut() -> Option<String>, say: &'a mut dyn FnMut(&str)) -> Self {
        Self { read, say }
    }

    /// The type of the agents, of those that are installed; `None` where none is.
    pub(super) fn agent(&mut self, found: &[&str]) -> Option<String> {
        match found {
            [] => None,
            [only] => Some((*only).to_owned()),
            [first, ..] => {
                let chosen = self.one_of(&format!("Which agents shall run: {}?", found.join(", ")), found);
                Some(chosen.unwrap_or(first).to_owned())
            }
        }
    }

    /// What agents may do without a person. Bypass needs a second word.
    pub(super) fn permissions(&mut self) -> Permissions {
        let question = "What may agents do without asking you?\n  ask     nothing\n  edits   edit files in their \
                        directory\n  bypass  anything: run any program, delete any file of yours\nask, edits or bypass?";
        match self.one_of(question, &["ask", "edits", "bypass"]) {
            Some("edits") => Permissions::Edits,
            Some("bypass") if self.is_sure() => Permissions::Bypass,
            _ => Permissions::Ask,
        }
    }

    fn is_sure(&mut self) -> bool {
        let question = "With bypass nobody looks before an agent acts. Type bypass once more to choose it:";
        self.answer(question, "ask").is_some_and(|answer| answer == "bypass")
    }

    /// Whether the trust dialog may be answered in `dir`.
    pub(super) fn trust(&mut self, dir: &Path) -> bool {
        let dir = text::one_line(&dir.display().to_string());
        let question = format!("May netsky answer the trust dialog of agents in {dir} and below? yes or no?");
        self.one_of(&question, &["no", "yes"]) == Some("yes")
    }

    /// One of `words`; `None` where nobody chose: the first of them is the default.
    fn one_of<'w>(&mut self, question: &str, words: &[&'w str]) -> Option<&'w str> {
        let default = words.first()?;
        for _ in 0..TRIES {
            let answer = self.answer(question, default)?;
            let begins: Vec<&&str> = words.iter().filter(|word| word.starts_with(&answer)).collect();
            match begins.as_slice() {
                _ if answer.is_empty() => return Some(default),
                [only] => return Some(only),
                _ => {}
            }
        }
        None
    }

    fn answer(&mut self, question: &str, default: &str) -> Option<String> {
        (self.say)(&format!("{question} [{default}] "));
        (self.read)().map(|line| line.trim().to_ascii_lowercase())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked<T>(answers: &[&str], ask: impl FnOnce(&mut Asker<'_>) -> T) -> (T, usize) {
        let mut left = answers.iter().map(|answer| format!("{answer}\n"));
        let mut questions = 0;
        let result = ask(&mut Asker::new(&mut || left.next(), &mut |_| questions += 1));
        (result, questions)
    }

    #[test]
    fn bypass_is_typed_twice_and_everything_else_is_safer() {
        for (answers, expected) in [
            (&["bypass", "bypass"][..], Permissions::Bypass),
            (&["bypass", ""], Permissions::Ask),
            (&["bypass", "b"], Permissions::Ask),
            (&["bypass"], Permissions::Ask),
            (&[" Edits "], Permissions::Edits),
            (&["e"], Permissions::Edits),
            (&[""], Permissions::Ask),
            (&["what", "no", "1"], Permissions::Ask),
            (&["what", "edits"], Permissions::Edits),
            (&[], Permissions::Ask),
        ] {
            assert_eq!(asked(answers, |asker| asker.permissions()).0, expected, "{answers:?}");
        }
    }

    #[test]
    fn the_agent_is_asked_for_only_where_there_is_a_choice() {
        let check = |found: &[&str], answers: &[&str]| asked(answers, |asker| asker.agent(found));
        assert_eq!(check(&[], &[]), (None, 0));
        assert_eq!(check(&["codex"], &[]), (Some("codex".into()), 0));
        assert_eq!(check(&["claude", "codex"], &["co"]), (Some("codex".into()), 1));
        assert_eq!(check(&["claude", "codex"], &["c", "claude"]), (Some("claude".into()), 2));
        assert_eq!(check(&["claude", "codex"], &[]), (Some("claude".into()), 1));
    }

    #[test]
    fn trust_is_given_by_a_yes_alone() {
        for (answer, expected) in [("yes", true), ("Y", true), ("", false), ("no", false), ("maybe", false)] {
            assert_eq!(asked(&[answer], |asker| asker.trust(Path::new("/x"))).0, expected, "{answer}");
        }
    }
}
