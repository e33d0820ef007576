//! Whose a pane is, by the command it was started with: `<netsky> launch <home> <agent> <generation>`.
//!
//! tmux sets it in the moment it makes the pane, so there is no pane of ours without it. tmux prints an argument
//! vector quoted for its own parser (`args_escape`, alike in 3.2a to 3.7c); this reads it back.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use crate::id::Generation;
use crate::name::AgentName;

/// The second word of the command of every agent's pane.
const VERB: &str = "launch";

/// What an agent's pane was started as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaunchMark {
    /// The home it was started for.
    pub home: PathBuf,
    /// The agent.
    pub agent: AgentName,
    /// The spawn.
    pub generation: Generation,
}

impl LaunchMark {
    /// The mark in `#{pane_start_command}`, if there is one.
    pub fn read(start_command: &[u8]) -> Option<Self> {
        // Cheap first: most panes of a user's server are shells.
        start_command.windows(VERB.len()).find(|part| *part == VERB.as_bytes())?;
        let words = words(start_command)?;
        let [_netsky, verb, home, agent, generation] = words.as_slice() else { return None };
        if verb.as_os_str() != VERB {
            return None;
        }
        Some(Self {
            home: PathBuf::from(home),
            agent: agent.to_str()?.parse().ok()?,
            generation: generation.to_str()?.parse().ok()?,
        })
    }

    /// The command that starts an agent's pane.
    pub fn command(&self, netsky: &std::path::Path) -> Vec<OsString> {
        vec![
            netsky.as_os_str().to_owned(),
            VERB.into(),
            self.home.clone().into_os_string(),
            self.agent.to_string().into(),
            self.generation.to_string().into(),
        ]
    }
}

/// The words of an argument vector as tmux prints it; `None` where it is not quoted the way tmux quotes.
fn words(text: &[u8]) -> Option<Vec<OsString>> {
    let mut rest = text.iter().copied().peekable();
    let mut words = Vec::new();
    while rest.peek().is_some() {
        let mut word = Vec::new();
        let quote = rest.next_if(|byte| matches!(byte, b'"' | b'\''));
        loop {
            match rest.next() {
                None if quote.is_none() => break,
                None => return None,
                byte if byte == quote && quote.is_some() => break,
                Some(b' ') if quote.is_none() => break,
                Some(b'\\') => unescape(&mut rest, &mut word)?,
                Some(byte) => word.push(byte),
            }
        }
        if quote.is_some() {
            match rest.next() {
                None | Some(b' ') => {}
                Some(_) => return None,
            }
        }
        words.push(OsString::from_vec(word));
    }
    Some(words)
}

/// vis(3) with VIS_OCTAL, VIS_CSTYLE, VIS_TAB, VIS_NL and, between double quotes, VIS_DQ.
fn unescape(rest: &mut std::iter::Peekable<impl Iterator<Item = u8>>, word: &mut Vec<u8>) -> Option<()> {
    let plain = match rest.next()? {
        b'n' => b'\n',
        b'r' => b'\r',
        b'b' => 0x08,
        b'a' => 0x07,
        b'v' => 0x0b,
        b't' => b'\t',
        b'f' => 0x0c,
        b's' => b' ',
        first @ b'0'..=b'3' => {
            let mut value = u32::from(first - b'0');
            for _ in 0..2 {
                let digit = rest.next_if(|byte| matches!(byte, b'0'..=b'7'))?;
                value = value * 8 + u32::from(digit - b'0');
            }
            u8::try_from(value).ok()?
        }
        other => other,
    };
    word.push(plain);
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::os::unix::ffi::OsStrExt;

    #[test]
    fn an_argument_vector_is_read_back_as_tmux_prints_it() {
        for (text, expected) in [
            ("a b", vec!["a", "b"]),
            ("\"/a b/c\" launch", vec!["/a b/c", "launch"]),
            ("\"a#b\" \"it's\"", vec!["a#b", "it's"]),
            ("'a\"b' x", vec!["a\"b", "x"]),
            ("\"a \\\"b\"", vec!["a \"b"]),
            ("\\; \\~x '' y", vec![";", "~x", "", "y"]),
            ("\"\\$HOME\" \"$\"", vec!["$HOME", "$"]),
            ("a\\\\b a\\tb a\\nb", vec!["a\\b", "a\tb", "a\nb"]),
            ("a\\303\\251", vec!["aé"]),
            ("é", vec!["é"]),
            ("", vec![]),
        ] {
            let expected: Vec<_> = expected.into_iter().map(OsString::from).collect();
            assert_eq!(words(text.as_bytes()), Some(expected), "{text}");
        }
        for text in ["\"open", "'a'b", "a\\", "a\\09"] {
            assert_eq!(words(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn a_mark_is_read_whole_or_not_at_all() {
        let generation = Generation::fresh();
        let check = |text: String, expected: bool| {
            assert_eq!(LaunchMark::read(text.as_bytes()).is_some(), expected, "{text}");
        };
        check(format!("/bin/netsky launch /h agent3 {generation}"), true);
        check(format!("\"/my bin/netsky\" launch \"/my h\" agentinfinity {generation}"), true);
        check(format!("/bin/netsky launch /h agent3 {generation} more"), false);
        check(format!("/bin/netsky lunch /h agent3 {generation}"), false);
        check(format!("/bin/netsky launch /h bash {generation}"), false);
        check("/bin/netsky launch /h agent3 x".into(), false);
        check("bash -c 'launch'".into(), false);
    }

    proptest! {
        #[test]
        fn garbage_is_no_mark_and_no_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut text = b"launch ".to_vec();
            text.extend(bytes);
            prop_assert_eq!(LaunchMark::read(&text), None);
        }

        #[test]
        fn octal_words_are_read_back(bytes in prop::collection::vec(1u8.., 1..60)) {
            let text: String = bytes.iter().map(|byte| {
                // Four fifths of all bytes have no octal form that starts above 3.
                format!("\\{byte:03o}")
            }).collect();
            let read = words(text.as_bytes()).unwrap();
            prop_assert_eq!(read[0].as_bytes(), bytes.as_slice());
        }
    }

    proptest! {
        #![proptest_config(crate::mutation::tries(256))]

        #[test]
        fn a_damaged_mark_is_none_or_names_what_stands_in_it(
            text in crate::mutation::mutants(vec![
                b"/bin/netsky launch /home/me/.netsky agent3 01KAHQ3V5M8X6T0Z2Y4W6R8P0N".to_vec(),
                b"\"/my bin/netsky\" launch \"/my \\\"h\\\"\" agentinfinity 01KAHQ3V5M8X6T0Z2Y4W6R8P0N".to_vec(),
            ]),
        ) {
            if let Some(mark) = LaunchMark::read(&text) {
                prop_assert!(mark.home.as_os_str().len() <= text.len());
                let words: Vec<_> = words(&text).unwrap();
                prop_assert_eq!(&mark.command(std::path::Path::new(&words[0])), &words);
            }
        }
    }
}
