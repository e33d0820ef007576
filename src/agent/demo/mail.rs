//! Messages in what hooks and `inbox next` print, read the way a careful model reads them (pure).
//!
//! The one place that knows the fences. Between the two lines of a fence nothing is believed: neither another fence
//! nor a command. Outside of one, `` run `… inbox next` `` is the order to read on.

use std::collections::{BTreeMap, BTreeSet};

/// A message that was read whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// Its id.
    pub id: String,
    /// Its sender.
    pub from: String,
    /// Its text, without the line end that the fence puts after it.
    pub text: String,
}

/// What was printed so far in one context.
#[derive(Debug, Default)]
pub struct Mailbag {
    known: BTreeSet<String>,
    letters: Vec<Letter>,
    parted: BTreeMap<String, Parted>,
    bytes: BTreeMap<String, usize>,
}

/// A message that comes in parts.
#[derive(Debug)]
struct Parted {
    from: String,
    of: usize,
    parts: BTreeMap<usize, String>,
}

/// What a fence says of its text.
#[derive(Debug, PartialEq, Eq)]
enum What {
    Whole,
    Part { number: usize, of: usize },
    Head,
}

impl Mailbag {
    /// Takes what was printed; whether something in it was new.
    pub fn take(&mut self, printed: &str) -> bool {
        let mut is_new = false;
        let mut rest = printed;
        while let Some((line, after)) = next_line(rest) {
            rest = after;
            match Fence::begun_by(line) {
                Some(fence) => {
                    let (text, after) = fence.text(rest);
                    rest = after;
                    is_new |= self.open(&fence, text);
                }
                None => self.bytes.extend(announced(line)),
            }
        }
        is_new
    }

    /// The messages that are whole and were not given out yet.
    pub fn letters(&mut self) -> Vec<Letter> {
        std::mem::take(&mut self.letters)
    }

    fn open(&mut self, fence: &Fence<'_>, text: &str) -> bool {
        let (id, from) = (fence.id.to_owned(), fence.from.to_owned());
        match fence.what {
            What::Head => return !self.known.contains(&id),
            _ if self.known.contains(&id) => return false,
            What::Whole => {
                let text = text.strip_suffix('\n').unwrap_or(text).to_owned();
                self.letters.push(Letter { id: id.clone(), from, text });
            }
            What::Part { number, of } => {
                let parted =
                    self.parted.entry(id.clone()).or_insert(Parted { from, of, parts: BTreeMap::new() });
                let is_new = parted.parts.insert(number, text.to_owned()).is_none();
                if parted.parts.len() < parted.of {
                    return is_new;
                }
                if let Some(parted) = self.parted.remove(&id) {
                    let text = joined(parted.parts.into_values().collect(), self.bytes.get(&id).copied());
                    self.letters.push(Letter { id: id.clone(), from: parted.from, text });
                }
            }
        }
        self.known.insert(id)
    }
}

/// The parts in order. A fence ends a text that does not end its line; how many of these line ends are not the
/// message's own is told by the announced length, and where they are by the length of the parts: only a part that was
/// cut at its limit is cut in mid-line.
fn joined(mut parts: Vec<String>, announced: Option<usize>) -> String {
    let length: usize = parts.iter().map(String::len).sum();
    let excess = length.saturating_sub(announced.unwrap_or(length.saturating_sub(1)));
    let mut order: Vec<usize> = (0..parts.len()).collect();
    // The last part ends where the text ends, so its line end is the fence's sooner than any other.
    order.sort_by_key(|index| {
        std::cmp::Reverse((
            index + 1 == parts.len(),
            parts.get(*index).map_or(0, |part| part.chars().count()),
        ))
    });
    for index in order.into_iter().take(excess) {
        if let Some(part) = parts.get_mut(index).filter(|part| part.ends_with('\n')) {
            part.pop();
        }
    }
    parts.concat()
}

fn next_line(text: &str) -> Option<(&str, &str)> {
    if text.is_empty() {
        return None;
    }
    Some(text.split_once('\n').unwrap_or((text, "")))
}

/// The first line of a fence.
struct Fence<'t> {
    nonce: &'t str,
    what: What,
    id: &'t str,
    from: &'t str,
}

impl<'t> Fence<'t> {
    /// `[netsky NONCE BEGIN (part N of M of |head of |)message ID from FROM to …]`
    fn begun_by(line: &'t str) -> Option<Self> {
        let (nonce, rest) = line.strip_prefix("[netsky ")?.strip_suffix(']')?.split_once(" BEGIN ")?;
        let (what, message) = match rest.split_once("message ")? {
            ("", message) => (What::Whole, message),
            ("head of ", message) => (What::Head, message),
            (part, message) => {
                let (number, of) = part.strip_prefix("part ")?.strip_suffix(" of ")?.split_once(" of ")?;
                (What::Part { number: number.parse().ok()?, of: of.parse().ok()? }, message)
            }
        };
        let (id, message) = message.split_once(" from ")?;
        let from = message.split(' ').next()?;
        let is_plain = |word: &str| !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric());
        (is_plain(nonce) && is_plain(id) && is_plain(from)).then_some(Self { nonce, what, id, from })
    }

    /// The text up to the fence's own last line, and what follows that. Without a last line all of it is text.
    fn text<'r>(&self, rest: &'r str) -> (&'r str, &'r str) {
        let end = format!("[netsky {} END ", self.nonce);
        let mut at = 0;
        for line in rest.split_inclusive('\n') {
            if line.starts_with(&end) {
                let (text, after) = rest.split_at_checked(at).unwrap_or((rest, ""));
                return (text, after.get(line.len()..).unwrap_or_default());
            }
            at += line.len();
        }
        (rest, "")
    }
}

/// `This is only the head of message ID: N bytes, …`
fn announced(line: &str) -> Option<(String, usize)> {
    let (id, rest) = line.strip_prefix("This is only the head of message ")?.split_once(": ")?;
    Some((id.to_owned(), rest.split_once(" bytes")?.0.parse().ok()?))
}

/// The command that stands in backquotes after `lead` outside all fences and reads the inbox.
pub fn reading_command<'t>(printed: &'t str, lead: &str) -> Option<&'t str> {
    let opening = format!("{lead}`");
    let mut rest = printed;
    while let Some((line, after)) = next_line(rest) {
        rest = match Fence::begun_by(line) {
            Some(fence) => fence.text(after).1,
            None => after,
        };
        let quotes = line.match_indices(opening.as_str());
        let mut quoted = quotes.filter_map(|(at, _)| line.get(at + opening.len()..)?.split_once('`'));
        if let Some((command, _)) = quoted.find(|(command, _)| is_reading(command)) {
            return Some(command);
        }
    }
    None
}

/// One plain command: what could chain another to it is refused.
fn is_reading(command: &str) -> bool {
    !command.starts_with(' ')
        && command.contains(" inbox next")
        && !command.contains([';', '&', '|', '$', '<', '>', '(', '\\', '\n', '"', '#'])
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;
    use crate::handoff::Envelope;
    use crate::handoff::fence::{self, Nonce, Pending};
    use crate::handoff::parts;
    use crate::name::{Actor, AgentName};

    const ID: &str = "01JD0Q7M3ZJ4V5W6X7Y8Z9A0BC";

    fn fence(nonce: &str, what: &str, text: &str) -> String {
        let what = format!("{what}message {ID}");
        let end = if text.ends_with('\n') { "" } else { "\n" };
        format!(
            "[netsky {nonce} BEGIN {what} from agent3 to agent0, sent 1970-01-01T00:00:00Z; shown before]\n{text}{end}\
             [netsky {nonce} END {what}]\n"
        )
    }

    fn check(printed: &[String], expected: &[&str]) {
        let mut bag = Mailbag::default();
        for text in printed {
            bag.take(text);
        }
        let letters = bag.letters();
        assert!(letters.iter().all(|letter| letter.id == ID && letter.from == "agent3"));
        assert_eq!(
            letters.iter().map(|letter| letter.text.as_str()).collect::<Vec<_>>(),
            expected,
            "{printed:?}"
        );
        assert!(bag.letters().is_empty());
    }

    #[test]
    fn messages_are_read_out_of_their_fences() {
        let announced = |bytes: usize| {
            format!(
                "This is only the head of message {ID}: {bytes} bytes, sha256 ab. Read all of it in 2 parts: run `n inbox next`.\n"
            )
        };
        let part = |number: usize, text: &str| fence("N2", &format!("part {number} of 2 of "), text);
        check(&[format!("# Briefing\nmore\n{}after\n", fence("N0", "", "do it"))], &["do it"]);
        check(&[fence("N0", "", "")], &[""]);
        check(&[fence("N0", "", "a\nb\n")], &["a\nb"]);
        check(&[fence("N0", "", "a"), fence("N1", "", "a")], &["a"]);
        check(&[fence("N1", "head of ", "ab"), announced(8), part(1, "ab"), part(1, "ab")], &[]);
        check(
            &[fence("N1", "head of ", "ab") + &announced(8), part(1, "abcd"), part(2, "efgh")],
            &["abcdefgh"],
        );
        check(&[announced(6), part(1, "abc\n"), part(2, "ef")], &["abc\nef"]);
        check(&[announced(7), part(1, "abc\n"), part(2, "ef\n")], &["abc\nef\n"]);
        check(&[part(1, "abc\n"), part(2, "ef")], &["abc\nef"]);
        check(&["[netsky N0 BEGIN message x]\n".into(), "[netsky BEGIN]".into(), String::new()], &[]);
    }

    #[test]
    fn a_fence_within_a_fence_is_text() {
        let inner = fence("N9", "", "inner") + "run `netsky inbox next`\n";
        let outer = fence("N0", "", &inner);
        check(std::slice::from_ref(&outer), &[inner.trim_end()]);
        assert_eq!(reading_command(&outer, "run "), None);
    }

    #[test]
    fn only_one_plain_reading_command_is_obeyed() {
        for (text, expected) in [
            ("One part is left: run `netsky inbox next`.\n", Some("netsky inbox next")),
            (
                "run `'/a b/netsky' inbox next --agent agent3`",
                Some("'/a b/netsky' inbox next --agent agent3"),
            ),
            ("- `netsky inbox next` prints the oldest message", None),
            ("run `netsky status`, then run `netsky inbox next`", Some("netsky inbox next")),
            ("run `rm -r /; netsky inbox next`", None),
            ("run `netsky inbox next", None),
            ("The inbox is empty.", None),
        ] {
            assert_eq!(reading_command(text, "run "), expected, "{text:?}");
        }
    }

    /// What a reader of `bytes` holds in the end, when netsky prints them in parts.
    fn read_in_parts(bytes: &[u8], part_chars: usize) -> Vec<Letter> {
        let envelope = Envelope::new(
            ID.parse().unwrap(),
            Actor::Owner,
            AgentName::ROOT,
            bytes,
            None,
            DateTime::UNIX_EPOCH,
        );
        let pending = Pending { envelope, path: "/home/me/archive/x.json".into(), shown_before: true };
        let command = "netsky inbox next";
        let mut bag = Mailbag::default();
        let head = fence::announcement(&pending, &Nonce::fresh(), part_chars, part_chars, command);
        assert_eq!(reading_command(&head, "run "), Some(command));
        bag.take(&head);
        for part in parts::split(&parts::visible(&pending.envelope), part_chars) {
            assert!(bag.take(&fence::fenced_part(&pending, &part, &Nonce::fresh(), command)));
        }
        bag.letters()
    }

    proptest::proptest! {
        #[test]
        fn what_netsky_prints_in_parts_is_read_whole(text in "[a-zé\n]{40,400}", part_chars in 2usize..20) {
            let read = read_in_parts(text.as_bytes(), part_chars);
            proptest::prop_assert_eq!(read.len(), 1);
            proptest::prop_assert_eq!(&read[0].from, "owner");
            proptest::prop_assert_eq!(read[0].text.len(), text.len());
            proptest::prop_assert_eq!(read[0].text.replace('\n', ""), text.replace('\n', ""));
        }
    }

    proptest::proptest! {
        #![proptest_config(crate::mutation::tries(128))]

        #[test]
        fn of_damaged_fences_no_more_is_read_than_was_printed(
            printed in crate::mutation::texts(vec![
                [fence("N1", &format!("message {ID}"), "do it\n"), fence("N2", &format!("part 1 of 2 of message {ID}"), "half\n")]
                    .concat()
                    .into_bytes(),
            ]),
        ) {
            let mut bag = Mailbag::default();
            bag.take(&printed);
            let letters = bag.letters();
            let length: usize = letters.iter().map(|letter| letter.text.len()).sum();
            proptest::prop_assert!(length <= printed.len());
            bag.take(&printed);
            proptest::prop_assert!(bag.letters().is_empty(), "read again");
            if let Some(command) = reading_command(&printed, "run ") {
                proptest::prop_assert!(printed.contains(command) && is_reading(command));
            }
        }
    }
}
