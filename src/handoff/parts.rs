//! How a text is made visible and divided. Pure.
//!
//! What is printed is the text without control characters, escape sequences and bidirectional overrides (newlines
//! stay, a tab becomes a space); the bytes as sent stay in the archive. All parts in order are that text, nothing added
//! and nothing left out.

use std::borrow::Cow;

use super::envelope::{Encoding, Envelope};
use crate::text;

/// One part of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Counted from 1.
    pub number: usize,
    /// How many there are.
    pub of: usize,
    /// Its text.
    pub text: String,
}

/// The text of an envelope as it is printed; base64 where it is no text.
pub fn visible(envelope: &Envelope) -> Cow<'_, str> {
    match envelope.encoding {
        None => text::printable(&envelope.text),
        Some(Encoding::Base64) => Cow::Borrowed(&envelope.text),
    }
}

/// The length by which limits are kept: bytes, which some agent CLIs count (Codex 0.169.0 all that is put into its
/// context, Claude Code 2.1.197 what a command prints) and which are never fewer than what the others count.
pub fn weight(text: &str) -> usize {
    text.len()
}

/// Divides `text` into parts of at most `part_bytes` (but of one character at least), after a line end where one
/// is near. An empty text is one empty part.
pub fn split(text: &str, part_bytes: usize) -> Vec<Part> {
    let mut pieces = Vec::new();
    let mut rest = text;
    loop {
        let first = rest.chars().next().map_or(0, char::len_utf8);
        let (piece, after) = rest.split_at_checked(cut(rest, part_bytes.max(first))).unwrap_or((rest, ""));
        pieces.push(piece);
        if after.is_empty() {
            break;
        }
        rest = after;
    }
    let of = pieces.len();
    (1..).zip(pieces).map(|(number, piece)| Part { number, of, text: piece.to_owned() }).collect()
}

/// The first `bytes` of a text, up to its last whole line where that is not much less.
pub fn head(text: &str, bytes: usize) -> &str {
    text.get(..cut(text, bytes)).unwrap_or_default()
}

/// Where to cut so that at most `limit` comes before: at the end, or after a line end in the last half, or at the
/// limit.
fn cut(text: &str, limit: usize) -> usize {
    let mut used = 0;
    let mut line_end = None;
    for (at, c) in text.char_indices() {
        used += c.len_utf8();
        if used > limit {
            return line_end.unwrap_or(at);
        }
        if c == '\n' && used * 2 >= limit {
            line_end = Some(at + 1);
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(text: &str, part_bytes: usize, expected: &[&str]) {
        let parts = split(text, part_bytes);
        assert_eq!(parts.iter().map(|part| part.text.as_str()).collect::<Vec<_>>(), expected, "{text:?}");
    }

    #[test]
    fn a_text_is_divided_after_lines_where_one_ends_near() {
        check("", 10, &[""]);
        check("short", 10, &["short"]);
        check("0123456789", 10, &["0123456789"]);
        check("0123456789a", 10, &["0123456789", "a"]);
        check("012345\n789ab", 10, &["012345\n", "789ab"]);
        check("0\n23456789ab", 10, &["0\n23456789", "ab"]);
        check("äöüß", 7, &["äöü", "ß"]);
        check("😀😀😀", 9, &["😀😀", "😀"]);
        check("😀😀", 0, &["😀", "😀"]);
    }

    #[test]
    fn parts_are_numbered() {
        let parts = split("abcdef", 2);
        assert_eq!(
            parts.iter().map(|part| (part.number, part.of)).collect::<Vec<_>>(),
            [(1, 3), (2, 3), (3, 3)]
        );
    }

    proptest! {
        #[test]
        fn all_parts_in_order_are_the_text(text in "(\\PC|\n){0,400}", part_bytes in 0usize..50) {
            let parts = split(&text, part_bytes);
            prop_assert_eq!(parts.iter().map(|part| part.text.as_str()).collect::<String>(), text.clone());
            prop_assert!(parts.iter().all(|part| weight(&part.text) <= part_bytes || part.text.chars().count() == 1));
            prop_assert!(text.is_empty() || parts.iter().all(|part| !part.text.is_empty()));
        }

        #[test]
        fn a_head_is_a_beginning(text in "(\\PC|\n){0,100}", bytes in 0usize..50) {
            prop_assert!(text.starts_with(head(&text, bytes)));
            prop_assert!(weight(head(&text, bytes)) <= bytes);
        }
    }
}
