//! Arguments as source lines for tmux, byte for byte.
//!
//! Every byte that is not plainly harmless is written in octal between double quotes, so that a command is always
//! one line and no byte of an argument is read as a separator, a variable, a comment or a condition. Seen to hold for
//! random bytes with tmux 3.2a, 3.3a and 3.7c. An argument that tmux expands as a format needs [`literal`] as well.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

/// An argument holds a NUL, which would cut it short without a word.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an argument for tmux holds a NUL byte: {argument:?}")]
pub struct NulInArgument {
    /// The argument.
    pub argument: OsString,
}

/// One command as one source line, newline included.
pub(super) fn line(words: &[OsString]) -> Result<Vec<u8>, NulInArgument> {
    let mut line = Vec::new();
    for word in words {
        if !line.is_empty() {
            line.push(b' ');
        }
        quote(word, &mut line)?;
    }
    line.push(b'\n');
    Ok(line)
}

fn quote(word: &OsStr, line: &mut Vec<u8>) -> Result<(), NulInArgument> {
    line.push(b'"');
    for byte in word.as_bytes() {
        match byte {
            0 => return Err(NulInArgument { argument: word.to_owned() }),
            b' ' | b'_' | b'.' | b'/' | b':' | b'=' | b'@' | b',' | b'+' | b'-' => line.push(*byte),
            byte if byte.is_ascii_alphanumeric() => line.push(*byte),
            byte => line.extend(format!("\\{byte:03o}").bytes()),
        }
    }
    line.push(b'"');
    Ok(())
}

/// `text` for an argument that tmux expands as a format (`new-session -s`, `-n`, `-c`, `-F`): it comes out as it is.
///
/// A doubled `#` would do but for `#[`, which tmux leaves alone as a style; the character by its number does always.
pub fn literal(text: &OsStr) -> OsString {
    let mut out = Vec::with_capacity(text.len());
    for byte in text.as_bytes() {
        match byte {
            b'#' => out.extend(b"#{a:35}"),
            byte => out.push(*byte),
        }
    }
    OsString::from_vec(out)
}

/// `path` for an argument that tmux takes for a pattern (`source-file`): it names that file alone.
pub(super) fn unglobbed(path: &Path) -> OsString {
    let mut out = Vec::new();
    for byte in path.as_os_str().as_bytes() {
        if matches!(byte, b'*' | b'?' | b'[' | b']' | b'\\' | b'{' | b'}') {
            out.push(b'\\');
        }
        out.push(*byte);
    }
    OsString::from_vec(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn line_of(words: &[&str]) -> String {
        let words: Vec<_> = words.iter().map(OsString::from).collect();
        String::from_utf8(line(&words).unwrap()).unwrap()
    }

    #[test]
    fn what_could_mean_something_is_written_in_octal() {
        for (words, expected) in [
            (vec!["kill-session", "-t", "$3"], "\"kill-session\" \"-t\" \"\\0443\"\n"),
            (vec![""], "\"\"\n"),
            (vec![";"], "\"\\073\"\n"),
            (vec!["a b\n"], "\"a b\\012\"\n"),
            (vec!["#{pid}"], "\"\\043\\173pid\\175\"\n"),
            (vec!["é"], "\"\\303\\251\"\n"),
        ] {
            assert_eq!(line_of(&words), expected);
        }
    }

    #[test]
    fn nul_is_refused() {
        assert!(line(&[OsString::from("a\0b")]).is_err());
    }

    #[test]
    fn literal_leaves_no_lone_hash() {
        assert_eq!(literal(OsStr::new("/a#[x]#(id)")), OsStr::new("/a#{a:35}[x]#{a:35}(id)"));
        assert_eq!(literal(OsStr::new("/plain")), OsStr::new("/plain"));
    }

    proptest! {
        #[test]
        fn a_line_is_one_line_of_harmless_bytes_and_can_be_read_back(
            words in prop::collection::vec(prop::collection::vec(1u8.., 0..40), 1..5)
        ) {
            let given: Vec<_> = words.iter().cloned().map(OsString::from_vec).collect();
            let line = line(&given).unwrap();
            let (last, rest) = line.split_last().unwrap();
            prop_assert_eq!(*last, b'\n');
            prop_assert!(rest.iter().all(|byte| byte.is_ascii_graphic() || *byte == b' '));
            prop_assert_eq!(read_back(rest), words);
        }
    }

    fn read_back(line: &[u8]) -> Vec<Vec<u8>> {
        let text = std::str::from_utf8(line).unwrap();
        let inner = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap();
        inner.split("\" \"").map(unoctal).collect()
    }

    fn unoctal(word: &str) -> Vec<u8> {
        let mut out = Vec::new();
        let mut parts = word.split('\\');
        out.extend(parts.next().unwrap().bytes());
        for part in parts {
            let (octal, rest) = part.split_at(3);
            out.push(u8::from_str_radix(octal, 8).unwrap());
            out.extend(rest.bytes());
        }
        out
    }
}
