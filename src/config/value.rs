//! What a single value may be: pure parsers from a node, each with its limits.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::document::{Kind, Node};
use super::{LogLevel, Permissions, Socket, StartupHow};
use crate::text;

/// Why a value is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wrong {
    pub(super) what: String,
    pub(super) hint: Option<String>,
    /// The line, where it is another than the key's.
    pub(super) line: Option<usize>,
}

pub(super) type Read<T> = Result<T, Wrong>;

/// Longest wait that makes sense; beyond it a unit was mistyped.
const LONGEST_LIMIT: Duration = Duration::from_secs(24 * 3600);

/// A socket's path with its NUL fits into `sockaddr_un` on every system (104 bytes on macOS, unix(4)).
const LONGEST_SOCKET_PATH: usize = 103;

pub(super) fn wrong(what: impl Into<String>, hint: &str) -> Wrong {
    Wrong { what: what.into(), hint: Some(hint.to_owned()), line: None }
}

fn expected(what: &str, found: &Node, hint: &str) -> Wrong {
    let shown = match &found.kind {
        Kind::Text(text) => format!("{:?}", text::clipped(text, 60)),
        Kind::Integer(number) => number.to_string(),
        kind => kind.type_name().to_owned(),
    };
    wrong(format!("expected {what}, found {shown}"), hint)
}

/// A whole number of a range.
pub(super) fn count(node: &Node, least: u32, most: u32) -> Read<u32> {
    let hint = format!("a whole number from {least} to {most}, without quotes");
    let Kind::Integer(number) = node.kind else { return Err(expected("a whole number", node, &hint)) };
    match u32::try_from(number) {
        Ok(number) if (least..=most).contains(&number) => Ok(number),
        _ if number < i64::from(least) => Err(wrong(format!("{number} is less than {least}"), &hint)),
        _ => Err(wrong(format!("{number} is more than {most}"), &hint)),
    }
}

/// A string that says something.
pub(super) fn words(node: &Node) -> Read<String> {
    match &node.kind {
        Kind::Text(text) if text.trim().is_empty() => Err(wrong("it is empty", "leave the key out instead")),
        Kind::Text(text) if text.contains('\0') => Err(wrong("it holds a NUL byte", "leave that out")),
        Kind::Text(text) => Ok(text.clone()),
        _ => Err(expected("a string", node, "put it in quotes")),
    }
}

/// A time limit: more than nothing, a day at most.
pub(super) fn limit(node: &Node) -> Read<Duration> {
    let hint = "a duration with a unit, such as \"90s\", \"2m\" or \"500ms\"";
    let Kind::Text(text) = &node.kind else { return Err(expected("a duration", node, hint)) };
    let limit = text::parse_duration(text).map_err(|_| expected("a duration", node, hint))?;
    if limit.is_zero() {
        return Err(wrong(format!("{text:?} leaves no time at all"), hint));
    }
    if limit > LONGEST_LIMIT {
        return Err(wrong(format!("{text:?} is more than a day"), hint));
    }
    Ok(limit)
}

/// A size in bytes of a range.
pub(super) fn size(node: &Node, least: u64, most: u64) -> Read<u64> {
    let hint = "a size with a unit, such as \"1MiB\" or \"300MiB\"";
    let Kind::Text(text) = &node.kind else { return Err(expected("a size", node, hint)) };
    let bytes = text::parse_size(text).map_err(|_| expected("a size", node, hint))?;
    if bytes < least {
        return Err(wrong(format!("{text:?} is less than {}", text::size(least)), hint));
    }
    if bytes > most {
        return Err(wrong(format!("{text:?} is more than {}", text::size(most)), hint));
    }
    Ok(bytes)
}

/// An absolute path; `~` stands for `home`.
pub(super) fn path(node: &Node, home: Option<&Path>) -> Read<PathBuf> {
    let text = words(node)?;
    if text == "~" || text.starts_with("~/") {
        let Some(home) = home else {
            return Err(wrong(format!("{text:?}: HOME is not set"), "write the whole path"));
        };
        return Ok(home.join(text.trim_start_matches('~').trim_start_matches('/')));
    }
    if text.starts_with('~') {
        return Err(wrong(format!("{text:?}: only ~ itself is expanded"), "write the whole path"));
    }
    let path = PathBuf::from(&text);
    if path.is_absolute() {
        return Ok(path);
    }
    Err(wrong(format!("{text:?} is a relative path"), "write the whole path, or begin it with ~/"))
}

/// A list whose elements are read by `element`; an error names the element's own line.
pub(super) fn list<T>(node: &Node, element: impl Fn(&Node) -> Read<T>) -> Read<Vec<T>> {
    let Kind::List(nodes) = &node.kind else {
        return Err(expected("a list", node, "put it in brackets: [\"…\", \"…\"]"));
    };
    let located = |node: &Node| element(node).map_err(|wrong| Wrong { line: Some(node.line), ..wrong });
    nodes.iter().map(located).collect()
}

/// Program and arguments.
pub(super) fn command(node: &Node) -> Read<Vec<String>> {
    let argument = |node: &Node| match &node.kind {
        Kind::Text(text) if !text.contains('\0') => Ok(text.clone()),
        _ => Err(expected("a string", node, "put it in quotes")),
    };
    let command = list(node, argument)?;
    match command.first() {
        Some(program) if !program.trim().is_empty() => Ok(command),
        _ => Err(wrong(
            "it names no program",
            "the program first, then its arguments: [\"mybot\", \"--interactive\"]",
        )),
    }
}

/// Columns and rows, `200x50`.
pub(super) fn screen_size(node: &Node) -> Read<(u16, u16)> {
    let hint = "columns x rows, from \"40x10\" to \"1000x500\", such as \"200x50\"";
    let text = words(node)?;
    let parts =
        text.split_once('x').and_then(|(columns, rows)| Some((columns.parse().ok()?, rows.parse().ok()?)));
    match parts {
        Some((columns, rows)) if (40..=1000).contains(&columns) && (10..=500).contains(&rows) => {
            Ok((columns, rows))
        }
        Some((columns, rows)) => {
            Err(wrong(format!("{columns} columns by {rows} rows is out of range"), hint))
        }
        None => Err(expected("a size of the screen", node, hint)),
    }
}

/// Which tmux server.
pub(super) fn socket(node: &Node, home: Option<&Path>) -> Read<Socket> {
    let hint = "\"default\" for your own server, a plain name for tmux -L, or a whole path for tmux -S";
    let text = words(node)?;
    if text == "default" {
        return Ok(Socket::UserDefault);
    }
    if text.contains('/') || text.starts_with('~') {
        let path = path(node, home)?;
        let length = path.as_os_str().len();
        if length > LONGEST_SOCKET_PATH {
            let what = format!("a socket's path of {length} bytes is longer than {LONGEST_SOCKET_PATH}");
            return Err(wrong(what, "take a shorter one, below /tmp or XDG_RUNTIME_DIR"));
        }
        return Ok(Socket::Path(path));
    }
    let is_plain = text.len() <= 64 && !text.starts_with(['-', '.']) && text.bytes().all(is_name_byte);
    if is_plain { Ok(Socket::Name(text)) } else { Err(expected("a tmux socket", node, hint)) }
}

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.')
}

/// Whether a profile may be called this.
pub(super) fn is_profile_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= 32 && !name.starts_with(['-', '.']) && name.bytes().all(is_name_byte)
}

/// A regular expression that compiles.
pub(super) fn pattern(node: &Node) -> Read<String> {
    let text = words(node)?;
    match regex::Regex::new(&text) {
        Ok(regex) if regex.is_match("") => Err(wrong(
            "it matches an empty line, so every agent would be up at once",
            "such as 'session \\d+'",
        )),
        Ok(_) => Ok(text),
        Err(error) => {
            let cause = error.to_string();
            let last = cause.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
            Err(wrong(format!("{text:?} is no regular expression: {last}"), "such as 'session \\d+'"))
        }
    }
}

/// One of a closed set of words.
fn one_of<T: Copy>(node: &Node, choices: &[(&str, T)], hint: &str) -> Read<T> {
    let text = words(node)?;
    let found = choices.iter().find(|(word, _)| *word == text).map(|(_, choice)| *choice);
    found.ok_or_else(|| wrong(format!("{text:?} is none of the choices"), hint))
}

pub(super) fn permissions(node: &Node) -> Read<Permissions> {
    let choices = [Permissions::Ask, Permissions::Edits, Permissions::Bypass].map(|p| (p.as_str(), p));
    one_of(node, &choices, "\"ask\", \"edits\" or \"bypass\"")
}

pub(super) fn how(node: &Node) -> Read<StartupHow> {
    let choices = [StartupHow::Argument, StartupHow::Paste].map(|how| (how.as_str(), how));
    one_of(node, &choices, "\"argument\" or \"paste\"")
}

pub(super) fn log_level(node: &Node) -> Read<LogLevel> {
    let choices = [LogLevel::Error, LogLevel::Warn, LogLevel::Info, LogLevel::Debug].map(|l| (l.as_str(), l));
    one_of(node, &choices, "error, warn, info or debug")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Node {
        Node { line: 1, kind: Kind::Text(text.to_owned()) }
    }

    #[test]
    fn paths_are_whole_or_begin_at_home() {
        let check = |given: &str, home: Option<&str>, expected: Option<&str>| {
            let read = path(&text(given), home.map(Path::new)).ok();
            assert_eq!(read.as_deref(), expected.map(Path::new), "{given:?}");
        };
        check("/a/b", None, Some("/a/b"));
        check("~", Some("/h"), Some("/h"));
        check("~/x", Some("/h"), Some("/h/x"));
        check("~/x", None, None);
        check("~other/x", Some("/h"), None);
        check("x/y", Some("/h"), None);
        check("", Some("/h"), None);
        check("/a\0b", None, None);
    }

    #[test]
    fn sockets_are_names_paths_or_the_users_own() {
        let check = |given: &str, expected: Option<Socket>| {
            assert_eq!(socket(&text(given), Some(Path::new("/h"))).ok(), expected, "{given:?}");
        };
        check("default", Some(Socket::UserDefault));
        check("work", Some(Socket::Name("work".into())));
        check("/tmp/s", Some(Socket::Path("/tmp/s".into())));
        check("~/s", Some(Socket::Path("/h/s".into())));
        check("./s", None);
        check("a b", None);
        check("-L", None);
        check("#(x)", None);
        check(&format!("/{}", "x".repeat(103)), None);
    }

    #[test]
    fn limits_and_sizes_have_units_and_bounds() {
        for refused in ["90", "0s", "0ms", "2 days", "soon", "-1s", ""] {
            assert!(limit(&text(refused)).is_err(), "{refused:?}");
        }
        assert_eq!(limit(&text("1m 30s")), Ok(Duration::from_secs(90)));
        for refused in ["0B", "5KiB", "1000", "1GiB", "much"] {
            assert!(size(&text(refused), 1 << 14, 1 << 24).is_err(), "{refused:?}");
        }
        for refused in ["200", "39x50", "200x9", "200x50x1", "1001x50", "-1x50", "ax50"] {
            assert!(screen_size(&text(refused)).is_err(), "{refused:?}");
        }
    }

    #[test]
    fn a_pattern_compiles_and_does_not_match_nothing() {
        assert!(pattern(&text(r"session \d+")).is_ok());
        assert!(pattern(&text("(")).is_err());
        assert!(pattern(&text("x*")).is_err());
    }
}
