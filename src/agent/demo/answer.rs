//! What the demo agent understands of a text, and what it answers (pure).

use std::str::FromStr;

use crate::name::AgentName;
use crate::text;

use super::mail::Letter;

/// So much of a message's end is shown.
const TAIL_CHARS: usize = 200;

/// Who the agent was told to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    /// Its name.
    pub name: AgentName,
    /// The number its marker ends in.
    pub number: u64,
}

impl Identity {
    /// The first name and the first number that the texts tell, in their order.
    pub fn find(texts: &[&str]) -> Option<Self> {
        let name = texts
            .iter()
            .find_map(|text| told(text, "You are ", |c| c.is_ascii_alphanumeric(), AgentName::from_str))?;
        let number = texts
            .iter()
            .find_map(|text| told(text, "your number is ", |c| c.is_ascii_digit(), str::parse))?;
        Some(Self { name, number })
    }

    /// The line that ends its startup turn.
    pub fn marker(self) -> String {
        format!("{} session {} up", self.name, self.number)
    }
}

/// The first word after `lead` that is what is looked for.
fn told<T, E>(
    text: &str,
    lead: &str,
    is_part: fn(char) -> bool,
    parse: fn(&str) -> Result<T, E>,
) -> Option<T> {
    text.split(lead).skip(1).find_map(|rest| {
        let end = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
        parse(rest.get(..end)?).ok()
    })
}

/// What is said of a message that was read.
pub fn read_message(letter: &Letter) -> String {
    let Letter { id, from, text } = letter;
    let line = text::one_line(text);
    let excess = line.chars().count().saturating_sub(TAIL_CHARS);
    let tail: String = line.chars().skip(excess).collect();
    format!("read message {id} from {from} ({} bytes): {tail}", text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(texts: &[&str], expected: Option<&str>) {
        assert_eq!(Identity::find(texts).map(Identity::marker).as_deref(), expected, "{texts:?}");
    }

    #[test]
    fn it_is_who_it_was_told_to_be() {
        check(&["You are agent0; your number is 3. Do"], Some("agent0 session 3 up"));
        check(
            &["netsky up", "You are agentinfinity, your number is 12"],
            Some("agentinfinity session 12 up"),
        );
        check(&["You are a clone. You are agent7.", "your number is 4"], Some("agent7 session 4 up"));
        check(&["You are agent1", ""], None);
        check(&["your number is 4"], None);
        check(&["You are agent01; your number is 1"], None);
        check(&["You are", "your number is "], None);
        check(&[], None);
    }

    #[test]
    fn a_message_is_read_as_one_line_with_its_end() {
        let letter = |text: String| Letter { id: "01X".into(), from: "agent3".into(), text };
        assert_eq!(read_message(&letter("do\n\tit".into())), "read message 01X from agent3 (6 bytes): do it");
        let long = read_message(&letter(format!("{}END", "é".repeat(1000))));
        assert!(long.starts_with("read message 01X from agent3 (2003 bytes): é") && long.ends_with("éEND"));
        assert_eq!(long.chars().count(), "read message 01X from agent3 (2003 bytes): ".len() + TAIL_CHARS);
    }
}
