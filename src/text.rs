//! Foreign text made harmless, and durations and sizes in words.
//!
//! Whatever an agent, a file or a person wrote passes through [`printable`] before it reaches a terminal.

use std::borrow::Cow;
use std::time::Duration;

use crate::failpoint::{self, Step};

/// `text` without control characters, escape sequences and bidirectional overrides; newlines stay, tabs become a
/// space. Nothing below 0x20 but newline is left.
pub fn printable(text: &str) -> Cow<'_, str> {
    if text.chars().all(|c| c == '\n' || !is_harmful(c)) || failpoint::leaves_out(Step::Stripping) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\n' => out.push('\n'),
            '\t' => out.push(' '),
            '\u{1b}' => skip_escape(&mut rest),
            // C1 forms of CSI and of the string sequences.
            '\u{9b}' => skip_csi(&mut rest),
            '\u{90}' | '\u{98}' | '\u{9d}'..='\u{9f}' => skip_string(&mut rest),
            c if is_harmful(c) => {}
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}

/// [`printable`] with a blank in place of each newline, and nothing else folded: what is quoted in it stays as it is.
pub fn unbroken(text: &str) -> String {
    printable(text).replace('\n', " ")
}

/// [`printable`] on one line: newlines become spaces too, and several blanks are one.
pub fn one_line(text: &str) -> String {
    printable(text).split_whitespace().collect::<Vec<_>>().join(" ")
}

fn is_harmful(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{061c}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}')
}

type Chars<'a> = std::iter::Peekable<std::str::Chars<'a>>;

/// An escape sequence longer than this is not one: what follows is text again (ECMA-48 sequences are short).
const LONGEST_SEQUENCE: usize = 4096;

fn skip_escape(rest: &mut Chars<'_>) {
    match rest.peek() {
        Some('[') => {
            rest.next();
            skip_csi(rest);
        }
        Some(']' | 'P' | 'X' | '^' | '_') => {
            rest.next();
            skip_string(rest);
        }
        Some(' '..='/') => {
            while rest.next_if(|c| matches!(c, ' '..='/')).is_some() {}
            rest.next_if(|c| matches!(c, '0'..='~'));
        }
        Some('0'..='~') => {
            rest.next();
        }
        _ => {}
    }
}

fn skip_csi(rest: &mut Chars<'_>) {
    for _ in 0..LONGEST_SEQUENCE {
        match rest.next_if(|c| matches!(c, ' '..='~')) {
            Some('@'..='~') | None => return,
            Some(_) => {}
        }
    }
}

/// Skips to the terminator (BEL, ST) but not past a line end: an unterminated one must not eat the whole text.
fn skip_string(rest: &mut Chars<'_>) {
    for _ in 0..LONGEST_SEQUENCE {
        match rest.next_if(|c| *c != '\n') {
            Some('\u{7}' | '\u{9c}') | None => return,
            Some('\u{1b}') => {
                rest.next_if_eq(&'\\');
                return;
            }
            Some(_) => {}
        }
    }
}

/// A JSON document in which whatever [`printable`] would strip is an escape: JSON leaves DEL, the C1 controls and
/// bidirectional overrides as they are.
pub fn escaped_json(document: &str) -> Cow<'_, str> {
    if !document.contains(is_harmful) {
        return Cow::Borrowed(document);
    }
    // Outside of its strings a document holds none of them.
    let escape = |c: char| if is_harmful(c) { format!("\\u{:04x}", u32::from(c)) } else { c.to_string() };
    Cow::Owned(document.chars().map(escape).collect())
}

/// The first `limit` characters of `text`, with `…` where something was cut.
pub fn clipped(text: &str, limit: usize) -> Cow<'_, str> {
    match text.char_indices().nth(limit) {
        None => Cow::Borrowed(text),
        Some(_) => {
            let kept: String = text.chars().take(limit.saturating_sub(1)).collect();
            Cow::Owned(format!("{kept}…"))
        }
    }
}

/// The last `count` non-empty lines of a screen, each stripped of control characters and trailing blanks.
pub fn last_lines(screen: &str, count: usize) -> Vec<String> {
    let mut lines: Vec<String> = screen
        .lines()
        .rev()
        .map(|line| printable(line).trim_end().to_owned())
        .filter(|line| !line.is_empty())
        .take(count)
        .collect();
    lines.reverse();
    lines
}

/// A limit or an age for a person: `90s`, `1h 4m`, `250ms`.
pub fn duration(duration: Duration) -> String {
    let ms = duration.as_millis();
    let seconds = duration.as_secs();
    match seconds {
        0 if ms > 0 => format!("{ms}ms"),
        0..=119 if !ms.is_multiple_of(1000) && seconds < 10 => format!("{:.1}s", duration.as_secs_f64()),
        0..=119 => format!("{seconds}s"),
        120..=7199 => match seconds % 60 {
            0 => format!("{}m", seconds / 60),
            rest => format!("{}m {rest}s", seconds / 60),
        },
        7200..=172_799 => format!("{}h {}m", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{}d {}h", seconds / 86_400, seconds % 86_400 / 3600),
    }
}

/// Reads `90s`, `2m`, `1h 30m`, `500ms`. A bare number has no unit and is refused.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text.trim())
        .map_err(|_| format!("{text:?} is not a duration with a unit, such as \"90s\", \"2m\" or \"1h 30m\""))
}

/// Reads `1MiB`, `300 MB`, `4096B`. A bare number has no unit and is refused.
pub fn parse_size(text: &str) -> Result<u64, String> {
    let refusal = || format!("{text:?} is not a size with a unit, such as \"1MiB\" or \"300MiB\"");
    if text.trim().bytes().all(|b| b.is_ascii_digit()) {
        return Err(refusal());
    }
    text.trim().parse::<bytesize::ByteSize>().map(|size| size.as_u64()).map_err(|_| refusal())
}

/// A size for a person: `1.0 MiB`.
pub fn size(bytes: u64) -> String {
    bytesize::ByteSize::b(bytes).display().iec().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn printable_strips_what_moves_the_cursor_or_the_reader() {
        for (text, expected) in [
            ("plain", "plain"),
            ("two\nlines", "two\nlines"),
            ("a\tb", "a b"),
            ("\u{1b}[31mred\u{1b}[0m", "red"),
            ("\u{1b}]52;c;aGk=\u{7}clip", "clip"),
            ("\u{1b}]0;title\u{1b}\\x", "x"),
            ("\u{1b}Pdcs\nnext", "\nnext"),
            ("a\u{202e}b\u{0}c\rd", "abcd"),
            ("\u{9b}1mx", "x"),
            ("\u{1b}(Bx", "x"),
            ("end\u{1b}", "end"),
        ] {
            assert_eq!(printable(text), expected, "{text:?}");
        }
    }

    #[test]
    fn json_speaks_to_no_terminal_and_means_the_same() {
        let value = serde_json::json!({"a\u{9b}": "x\u{7f}\u{85}\u{202e}\u{1b}\n\"é"});
        let text = value.to_string();
        let escaped = escaped_json(&text);
        assert!(!escaped.contains(is_harmful), "{escaped}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&escaped).unwrap(), value);
        assert!(matches!(escaped_json("{\"a\":\"b\"}"), Cow::Borrowed(_)));
    }

    #[test]
    fn clipped_says_that_it_cut() {
        assert_eq!(clipped("abcdef", 6), "abcdef");
        assert_eq!(clipped("abcdef", 4), "abc…");
    }

    #[test]
    fn durations_read_well() {
        for (ms, expected) in [
            (0, "0s"),
            (250, "250ms"),
            (1500, "1.5s"),
            (90_000, "90s"),
            (150_000, "2m 30s"),
            (7_500_000, "2h 5m"),
        ] {
            assert_eq!(duration(Duration::from_millis(ms)), expected);
        }
    }

    #[test]
    fn sizes_and_durations_need_units() {
        assert_eq!(parse_size("1MiB"), Ok(1 << 20));
        assert!(parse_size("1000").is_err());
        assert_eq!(parse_duration("90s"), Ok(Duration::from_secs(90)));
        assert!(parse_duration("90").is_err());
    }

    proptest::proptest! {
        #[test]
        fn printable_leaves_no_control_character_but_newline(text in "\\PC*|[\\x00-\\x1f\\x7f-\\x9f\\[\\]a-zA-Z;0-9]{0,64}") {
            proptest::prop_assert!(printable(&text).chars().all(|c| c == '\n' || !c.is_control()));
        }
    }

    proptest::proptest! {
        #![proptest_config(crate::mutation::tries(256))]

        #[test]
        fn of_damaged_screens_nothing_is_left_that_speaks_to_a_terminal(
            text in crate::mutation::texts(crate::mutation::screens()),
        ) {
            let shown = printable(&text);
            proptest::prop_assert!(!shown.contains(|c| c != '\n' && is_harmful(c)));
            proptest::prop_assert!(shown.len() <= text.len());
            proptest::prop_assert_eq!(printable(&shown), &*shown);
            proptest::prop_assert!(!one_line(&text).contains(|c: char| c.is_control()));
            let last = last_lines(&text, 5);
            proptest::prop_assert!(last.len() <= 5 && last.iter().all(|line| !line.contains('\n')));
        }

        #[test]
        fn damaged_documents_that_are_still_documents_mean_the_same_when_escaped(
            text in crate::mutation::texts(crate::mutation::reports()),
        ) {
            if let Ok(value) = serde_json::from_str::<serde_json::Value>(&text) {
                let printed = value.to_string();
                let escaped = escaped_json(&printed);
                proptest::prop_assert!(!escaped.contains(is_harmful));
                let meant = serde_json::from_str::<serde_json::Value>(&escaped).unwrap();
                proptest::prop_assert_eq!(meant, value);
            }
        }

        #[test]
        fn words_for_a_duration_or_a_size_are_read_or_refused(text in "[-+0-9.]{0,30} ?[a-zA-Z]{0,4}( [0-9]{1,25}[a-z])?") {
            if let Ok(read) = parse_duration(&text) {
                proptest::prop_assert_eq!(parse_duration(&humantime::format_duration(read).to_string()), Ok(read));
            }
            if let Ok(bytes) = parse_size(&text) {
                proptest::prop_assert_eq!(parse_size(&format!("{bytes}B")), Ok(bytes));
            }
        }
    }
}
