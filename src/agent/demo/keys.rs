//! Bytes of a terminal in raw mode, read as keys (pure).
//!
//! A sequence may come in pieces: what is unfinished waits for the next bytes, or for [`Keyboard::rest`] when none
//! come. Sequences that nobody here needs are swallowed whole, so that their tails are never taken for text.

/// The longest sequence that is waited for; something longer is no sequence.
const LONGEST_SEQUENCE: usize = 64;
const PASTE_BEGINS: &[u8] = b"\x1b[200~";
const PASTE_ENDS: &[u8] = b"\x1b[201~";

/// One thing that was typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Key {
    /// Text: a character, or a whole paste with its lines parted by `\n`.
    Text(String),
    /// Return.
    Enter,
    /// The last character goes.
    Backspace,
    /// Up.
    Up,
    /// Down.
    Down,
    /// Escape alone.
    Escape,
    /// `^C` and `^U`: what was typed goes.
    Clear,
}

/// What was typed so far and is not yet a key.
#[derive(Debug, Default)]
pub struct Keyboard {
    pending: Vec<u8>,
    pasting: bool,
    /// So many pending bytes are known to hold no end of the paste.
    searched: usize,
}

/// What the pending bytes begin with.
enum Found {
    /// A key, or nothing of use, in so many bytes.
    Whole(Option<Key>, usize),
    /// More must come.
    Unfinished,
}

impl Keyboard {
    /// The keys that `bytes` finish.
    pub fn feed(&mut self, bytes: &[u8]) -> Vec<Key> {
        self.pending.extend_from_slice(bytes);
        let mut keys = Vec::new();
        while !self.pending.is_empty() {
            if self.pending.starts_with(PASTE_BEGINS) && !self.pasting {
                self.pending.drain(..PASTE_BEGINS.len());
                self.pasting = true;
            }
            let found = if self.pasting { self.pasted() } else { first(&self.pending) };
            let Found::Whole(key, length) = found else { break };
            self.pending.drain(..length.min(self.pending.len()));
            keys.extend(key);
        }
        keys
    }

    /// Whether something unfinished waits that is a key if nothing follows.
    pub fn is_waiting(&self) -> bool {
        !self.pasting && !self.pending.is_empty()
    }

    /// What the unfinished bytes are, now that nothing follows.
    pub fn rest(&mut self) -> Option<Key> {
        let was_escape = self.is_waiting() && self.pending == b"\x1b";
        if !self.pasting {
            self.pending.clear();
        }
        was_escape.then_some(Key::Escape)
    }

    fn pasted(&mut self) -> Found {
        let unsearched = self.pending.get(self.searched..).unwrap_or_default();
        let end = unsearched.windows(PASTE_ENDS.len()).position(|window| window == PASTE_ENDS);
        let Some(end) = end.map(|end| self.searched + end) else {
            self.searched = (self.pending.len() + 1).saturating_sub(PASTE_ENDS.len());
            return Found::Unfinished;
        };
        self.pasting = false;
        self.searched = 0;
        let text = String::from_utf8_lossy(self.pending.get(..end).unwrap_or_default());
        let text = text.replace("\r\n", "\n").replace('\r', "\n");
        Found::Whole(Some(Key::Text(text)).filter(|_| end > 0), end + PASTE_ENDS.len())
    }
}

fn first(bytes: &[u8]) -> Found {
    match bytes {
        [] => Found::Unfinished,
        [b'\r', ..] => Found::Whole(Some(Key::Enter), 1),
        [b'\n', ..] => Found::Whole(Some(Key::Text("\n".to_owned())), 1),
        [0x7f | 0x08, ..] => Found::Whole(Some(Key::Backspace), 1),
        [0x03 | 0x15, ..] => Found::Whole(Some(Key::Clear), 1),
        [0x1b] => Found::Unfinished,
        [0x1b, b'[', rest @ ..] => sequence(rest),
        [0x1b, b'O', rest @ ..] => match rest {
            [] => Found::Unfinished,
            [end, ..] => Found::Whole(arrow(*end), 3),
        },
        [0x1b, ..] => Found::Whole(Some(Key::Escape), 1),
        [0..=0x1f, ..] => Found::Whole(None, 1),
        _ => character(bytes),
    }
}

/// A control sequence without its introducer (ECMA-48: parameters, intermediates, one final byte).
fn sequence(rest: &[u8]) -> Found {
    // No further than a sequence can reach: how much more has come by now must make no difference.
    let reach = rest.get(..rest.len().min(LONGEST_SEQUENCE)).unwrap_or_default();
    match reach.iter().position(|byte| !(0x20..=0x3f).contains(byte)) {
        None if reach.len() < LONGEST_SEQUENCE => Found::Unfinished,
        None => Found::Whole(None, 2 + reach.len()),
        Some(end) => Found::Whole(rest.get(end).and_then(|byte| arrow(*byte)), end + 3),
    }
}

fn arrow(end: u8) -> Option<Key> {
    match end {
        b'A' => Some(Key::Up),
        b'B' => Some(Key::Down),
        _ => None,
    }
}

fn character(bytes: &[u8]) -> Found {
    let head = bytes.get(..bytes.len().min(4)).unwrap_or_default();
    let valid = match str::from_utf8(head) {
        Ok(text) => text,
        Err(error) if error.valid_up_to() > 0 => {
            str::from_utf8(head.get(..error.valid_up_to()).unwrap_or_default()).unwrap_or_default()
        }
        Err(error) => {
            return match error.error_len() {
                None => Found::Unfinished,
                Some(length) => Found::Whole(Some(Key::Text('\u{fffd}'.to_string())), length),
            };
        }
    };
    match valid.chars().next() {
        Some(c) => Found::Whole(Some(Key::Text(c.to_string())), c.len_utf8()),
        None => Found::Unfinished,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Key {
        Key::Text(text.into())
    }

    fn check(bytes: &[u8], expected: &[Key]) {
        let mut whole = Keyboard::default();
        let mut keys = whole.feed(bytes);
        keys.extend(whole.rest());
        assert_eq!(keys, expected, "{bytes:?}");
        let mut pieces = Keyboard::default();
        let mut keys: Vec<Key> = bytes.iter().flat_map(|byte| pieces.feed(&[*byte])).collect();
        keys.extend(pieces.rest());
        assert_eq!(keys, expected, "{bytes:?} byte by byte");
    }

    #[test]
    fn keys_are_read_whole_and_in_pieces() {
        check("aé\r".as_bytes(), &[text("a"), text("é"), Key::Enter]);
        check(b"\x7f\x08\x03\x15", &[Key::Backspace, Key::Backspace, Key::Clear, Key::Clear]);
        check(b"\x1b[A\x1b[B\x1bOA\x1bOB", &[Key::Up, Key::Down, Key::Up, Key::Down]);
        check(b"\x1b[1;5C\x1b[3~x\x01", &[text("x")]);
        check(b"a\x1b", &[text("a"), Key::Escape]);
        check(b"\x1bx", &[Key::Escape, text("x")]);
        check(b"\xffx", &[text("\u{fffd}"), text("x")]);
        check("\n🦀".as_bytes(), &[text("\n"), text("🦀")]);
    }

    #[test]
    fn a_sequence_without_an_end_is_given_up_after_its_longest_form() {
        let spaces = |count: usize| [b"\x1b[".as_slice(), &vec![b' '; count], b"B"].concat();
        check(&spaces(LONGEST_SEQUENCE - 1), &[Key::Down]);
        check(&spaces(LONGEST_SEQUENCE), &[text("B")]);
        check(&spaces(LONGEST_SEQUENCE + 1), &[text(" "), text("B")]);
    }

    #[test]
    fn a_paste_is_one_text_and_its_returns_submit_nothing() {
        check(b"\x1b[200~a\r\nb\rc\x03\x1b[201~\r", &[text("a\nb\nc\u{3}"), Key::Enter]);
        check(b"\x1b[200~\x1b[201~x", &[text("x")]);
        check(b"\x1b[200~never ends\r", &[]);
    }

    proptest::proptest! {
        #[test]
        fn where_bytes_are_cut_makes_no_difference(bytes: Vec<u8>, cut: proptest::sample::Index) {
            let at = cut.index(bytes.len() + 1);
            let mut whole = Keyboard::default();
            let mut cut = Keyboard::default();
            let expected = whole.feed(&bytes);
            let mut keys = cut.feed(&bytes[..at]);
            keys.extend(cut.feed(&bytes[at..]));
            proptest::prop_assert_eq!(keys, expected);
        }
    }

    proptest::proptest! {
        #![proptest_config(crate::mutation::tries(128))]

        #[test]
        fn where_damaged_typing_is_cut_makes_no_difference(
            bytes in crate::mutation::mutants(vec![
                b"netsky up\r\x1b[A\x1b[B\x1b[200~two\r\nlines\x1b[201~\r\x7f\x03\xc3\xa9".to_vec(),
            ]),
            pieces in 1usize..50,
        ) {
            let mut whole = Keyboard::default();
            let mut cut = Keyboard::default();
            let expected = whole.feed(&bytes);
            let keys: Vec<Key> = bytes.chunks(pieces).flat_map(|piece| cut.feed(piece)).collect();
            proptest::prop_assert!(keys.len() <= bytes.len());
            proptest::prop_assert_eq!(keys, expected);
        }
    }
}
