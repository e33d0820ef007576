//! What a conversation with tmux came to; the one place that reads exit codes and error texts.
//!
//! The exit code proves nothing (a server that is told to end while it is asked gives 0 and no output): an answer is
//! whole when its own last line arrived. A late answer is no failure, the server may still carry the request out.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use crate::process::{JobError, Outcome, Output};
use crate::text;

use super::quote::NulInArgument;
use super::version::{OLDEST_SUPPORTED, Version};

/// What every call gives.
pub type Answer<T> = Result<T, NoAnswer>;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum NoAnswer {
    /// tmux said no, and why.
    #[error("{doing}: tmux said: {}", refusal.words)]
    Refused {
        /// What was being done.
        doing: String,
        /// What tmux said.
        refusal: Refusal,
    },
    /// Nothing came in time; whether it was or will be done is not known.
    #[error("{doing}: tmux did not answer within {}", text::duration(*limit))]
    Unknown {
        /// What was being done.
        doing: String,
        /// The limit that was passed, by this call or by an earlier one.
        limit: Duration,
    },
    /// tmux ended before its answer was whole, or what came is not what tmux says. Whether it was done is not known.
    #[error("{doing}: the answer of tmux is not whole: {said}")]
    Incomplete {
        /// What was being done.
        doing: String,
        /// The end of what came, clipped.
        said: String,
    },
    /// The tmux program could not be started.
    #[error("{doing}")]
    Program {
        /// What was being done.
        doing: String,
        /// Why not.
        #[source]
        source: JobError,
    },
    /// The request could not be laid out in netsky's own directory.
    #[error("{doing}: writing the request to {}", path.display())]
    Unwritable {
        /// What was being done.
        doing: String,
        /// Where.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// An argument cannot be given to tmux.
    #[error("{doing}")]
    Argument {
        /// What was being done.
        doing: String,
        /// Which.
        #[source]
        source: NulInArgument,
    },
    /// The program is older than what netsky can work with.
    #[error(
        "tmux {found} is too old, netsky needs {OLDEST_SUPPORTED} or newer: older ones cannot be asked without \
         starting a server (-N), read no commands from a pipe (source-file -) and know no quiet control client. \
         Install a newer tmux, or put one first on PATH"
    )]
    TooOld {
        /// What it is.
        found: Version,
    },
    /// The server belongs to another home, or netsky did not start it.
    #[error("the tmux server (pid {pid}) belongs to {}", owner.as_ref().map_or("somebody else".into(), |home| home.display().to_string()))]
    ForeignServer {
        /// Its process.
        pid: i32,
        /// The home it carries; `None`: none.
        owner: Option<PathBuf>,
    },
    /// Where the server should be is something of another user's; it was not spoken to.
    #[error("{doing}: the tmux socket {} cannot be used", path.display())]
    ForeignSocket {
        /// What was being done.
        doing: String,
        /// The socket.
        path: PathBuf,
        /// Whose it is.
        #[source]
        source: io::Error,
    },
    /// Another server answers than the one that was looked at; nothing was done in it.
    #[error(
        "{doing}: another tmux server (process {other}) has taken the place of the one that is meant (process {own})"
    )]
    OtherServer {
        /// What was being done.
        doing: String,
        /// The one that answers.
        other: i32,
        /// The one that is meant.
        own: i32,
    },
    /// A server that should be gone still runs and does not answer; a second one is never started.
    #[error("the old tmux server (pid {pid}) neither answers nor ended within {}", text::duration(*limit))]
    StillRunning {
        /// Its process.
        pid: i32,
        /// How long was waited.
        limit: Duration,
    },
}

impl NoAnswer {
    /// Whether the request may have been, or may still be, carried out.
    pub fn is_unknown(&self) -> bool {
        matches!(self, Self::Unknown { .. } | Self::Incomplete { .. } | Self::StillRunning { .. })
    }

    /// Whether tmux refused in this way.
    pub fn is_refusal(&self, kind: RefusalKind) -> bool {
        matches!(self, Self::Refused { refusal, .. } if refusal.kind == kind)
    }

    /// Whether another server has taken the place of the one that is meant.
    pub fn is_other_server(&self) -> bool {
        matches!(self, Self::OtherServer { .. })
    }

    /// Whether there is no server.
    pub fn is_no_server(&self) -> bool {
        self.is_refusal(RefusalKind::NoServer)
    }
}

/// What tmux refused, in its own words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What kind of no.
    pub kind: RefusalKind,
    /// One line, without control characters.
    pub words: String,
}

/// Kinds of no.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RefusalKind {
    /// Nobody listens on the socket.
    NoServer,
    /// The server ended while it was asked.
    ServerExited,
    /// There is no such session.
    NoSession,
    /// There is no such window or pane.
    NoPane,
    /// There is no such client.
    NoClient,
    /// A session of that name exists.
    Duplicate,
    /// The socket or the server is another user's.
    AccessDenied,
    /// Client and server are too far apart.
    VersionMismatch,
    /// The socket's path does not fit into what the system allows (107 bytes on Linux).
    SocketPathTooLong,
    /// A file named in a request is not there.
    NoFile,
    /// Anything else.
    Other,
}

const NO_TARGET: &str = "no current target";

impl RefusalKind {
    /// Whether what was named is not there (any more).
    pub fn is_gone(self) -> bool {
        matches!(self, Self::NoSession | Self::NoPane)
    }
}

/// Words and what they mean, as tmux 3.2a to 3.7c print them; the first that fits counts.
const MEANINGS: [(&str, RefusalKind); 19] = [
    ("(File name too long)", RefusalKind::SocketPathTooLong),
    ("File name too long", RefusalKind::SocketPathTooLong),
    ("(Permission denied)", RefusalKind::AccessDenied),
    ("access not allowed", RefusalKind::AccessDenied),
    ("has unsafe permissions", RefusalKind::AccessDenied),
    ("no server running on", RefusalKind::NoServer),
    ("error connecting to", RefusalKind::NoServer),
    ("server exited unexpectedly", RefusalKind::ServerExited),
    ("lost server", RefusalKind::ServerExited),
    ("protocol version mismatch", RefusalKind::VersionMismatch),
    ("server version is too old", RefusalKind::VersionMismatch),
    ("can't find session", RefusalKind::NoSession),
    // A server without any session says this of every target.
    (NO_TARGET, RefusalKind::NoSession),
    ("no sessions", RefusalKind::NoSession),
    ("can't find window", RefusalKind::NoPane),
    ("can't find pane", RefusalKind::NoPane),
    ("can't find client", RefusalKind::NoClient),
    ("duplicate session", RefusalKind::Duplicate),
    ("No such file or directory", RefusalKind::NoFile),
];

impl Refusal {
    /// One line of what tmux said.
    pub(super) fn read(line: &str) -> Self {
        let words = text::one_line(line);
        // Before they are clipped: what is wrong with a long path stands behind it.
        let kind = MEANINGS
            .iter()
            .find(|(sign, _)| words.contains(sign))
            .map_or(RefusalKind::Other, |(_, kind)| *kind);
        Self { kind, words: text::clipped(&words, 400).into_owned() }
    }

    /// All that a client complained of.
    fn read_all(stderr: &str) -> Vec<Self> {
        // It says no more than this, and the path of a socket may hold line ends.
        if ["error connecting to ", "no server running on "].iter().any(|words| stderr.starts_with(words)) {
            return vec![Self::read(stderr)];
        }
        stderr.lines().filter(|line| !line.trim().is_empty()).map(Self::read).collect()
    }

    /// Whether it is about this very target or name, which tmux puts last and without the `=`.
    pub(super) fn is_about(&self, target: &str) -> bool {
        let target = target.trim_start_matches('=');
        self.words == NO_TARGET || self.words.rsplit_once(": ").is_some_and(|(_, last)| last == target)
    }
}

/// A conversation that came to its end.
#[derive(Debug)]
pub(super) struct Said {
    /// What it printed, without the last line that proves the end.
    pub(super) stdout: Vec<u8>,
    /// What was refused on the way.
    pub(super) complaints: Vec<Refusal>,
    /// `false`: more was printed than was asked for, and the end of it is missing.
    pub(super) is_whole: bool,
}

impl Said {
    /// The first line that is no milestone: an error of parsing, which tmux prints as output.
    pub(super) fn first_stray(&self, nonce: &str) -> String {
        let stdout = String::from_utf8_lossy(&self.stdout);
        let stray = stdout.lines().find(|line| !line.starts_with(nonce)).unwrap_or_default();
        text::clipped(&text::one_line(stray), 200).into_owned()
    }
}

/// Reads how a client ended. `end` is the last line of a whole answer.
pub(super) fn judge(doing: &str, limit: Duration, outcome: Outcome, end: &str) -> Answer<Said> {
    let output = match outcome {
        Outcome::Late(_) => return Err(NoAnswer::Unknown { doing: doing.to_owned(), limit }),
        Outcome::Exited(output) => output,
    };
    let complaints = Refusal::read_all(&output.stderr_text());
    if let Some(rest) = without_end(&output.stdout, end) {
        return Ok(Said { stdout: rest.to_vec(), complaints, is_whole: true });
    }
    Err(why_not_whole(doing, output, complaints))
}

/// [`judge`] for a reader that can use the beginning of an answer that is longer than the cap.
pub(super) fn judge_beginning(doing: &str, limit: Duration, outcome: Outcome, end: &str) -> Answer<Said> {
    match outcome {
        Outcome::Exited(output) if output.capped => {
            Ok(Said { stdout: output.stdout, complaints: Vec::new(), is_whole: false })
        }
        outcome => judge(doing, limit, outcome, end),
    }
}

fn without_end<'a>(stdout: &'a [u8], end: &str) -> Option<&'a [u8]> {
    let rest = stdout.strip_suffix(b"\n")?.strip_suffix(end.as_bytes())?;
    (rest.is_empty() || rest.ends_with(b"\n")).then_some(rest)
}

fn why_not_whole(doing: &str, output: Output, mut complaints: Vec<Refusal>) -> NoAnswer {
    use std::os::unix::process::ExitStatusExt;
    let doing = doing.to_owned();
    if let Some(signal) = output.status.signal() {
        return NoAnswer::Incomplete { doing, said: format!("it was ended by signal {signal}") };
    }
    if output.capped {
        return NoAnswer::Incomplete { doing, said: "it is longer than any answer of tmux".to_owned() };
    }
    if output.stdout.is_empty() && !complaints.is_empty() {
        return NoAnswer::Refused { doing, refusal: complaints.swap_remove(0) };
    }
    if output.stdout.is_empty() && output.code() == 0 {
        let words = "the server ended while it was asked".to_owned();
        return NoAnswer::Refused { doing, refusal: Refusal { kind: RefusalKind::ServerExited, words } };
    }
    let tail = output.stdout.len().saturating_sub(400);
    let tail = String::from_utf8_lossy(output.stdout.get(tail..).unwrap_or_default()).into_owned();
    let said = match text::last_lines(&tail, 1).pop() {
        Some(line) => text::clipped(&line, 200).into_owned(),
        None => format!("nothing, exit code {}", output.code()),
    };
    NoAnswer::Incomplete { doing, said }
}

/// What stands after each `<nonce> <number>` line, by number; `None` for a number that did not come.
pub(super) fn sections(said: &Said, nonce: &str, count: usize) -> Vec<Option<Vec<u8>>> {
    let mut found: Vec<Option<Vec<u8>>> = vec![None; count];
    let mut current = None;
    for line in said.stdout.split_inclusive(|byte| *byte == b'\n') {
        if let Some(number) = milestone(line, nonce) {
            current = Some(number);
            if let Some(section) = found.get_mut(number) {
                *section = Some(Vec::new());
            }
        } else if let Some(section) =
            current.and_then(|number| found.get_mut(number)).and_then(Option::as_mut)
        {
            section.extend(line);
        }
    }
    if !said.is_whole
        && let Some(cut) = current.and_then(|number| found.get_mut(number))
    {
        *cut = None;
    }
    found
}

fn milestone(line: &[u8], nonce: &str) -> Option<usize> {
    let number = line.strip_prefix(nonce.as_bytes())?.strip_prefix(b" ")?.strip_suffix(b"\n")?;
    std::str::from_utf8(number).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::ExitStatusExt;
    use std::process::ExitStatus;

    #[test]
    fn a_path_may_be_long_and_hold_line_ends() {
        for (path, expected) in [
            ("/a\nno sessions\n".to_owned(), RefusalKind::SocketPathTooLong),
            (format!("/{}", "x".repeat(1000)), RefusalKind::SocketPathTooLong),
        ] {
            let said = format!("error connecting to {path} (File name too long)\n");
            let kinds: Vec<_> = Refusal::read_all(&said).iter().map(|refusal| refusal.kind).collect();
            assert_eq!(kinds, [expected], "{said}");
        }
        assert_eq!(Refusal::read_all("can't find pane: %1\n\nduplicate session: x\n").len(), 2);
    }

    #[test]
    fn words_of_tmux_have_one_meaning() {
        use RefusalKind::*;
        for (words, expected) in [
            ("no server running on /run/x", NoServer),
            ("error connecting to /x (No such file or directory)", NoServer),
            ("error connecting to /x (Connection refused)", NoServer),
            ("error connecting to /x (Permission denied)", AccessDenied),
            ("error connecting to /x (File name too long)", SocketPathTooLong),
            ("access not allowed", AccessDenied),
            ("directory /tmp/tmux-1000 has unsafe permissions", AccessDenied),
            ("server exited unexpectedly", ServerExited),
            ("protocol version mismatch (client 8, server 7)", VersionMismatch),
            ("can't find session: $99", NoSession),
            ("can't find pane: %99", NoPane),
            ("can't find window: @99", NoPane),
            ("can't find client: /dev/pts/9", NoClient),
            ("duplicate session: agent0", Duplicate),
            ("/run/b/g0001: No such file or directory", NoFile),
            ("No such file or directory: /run/b/g0001", NoFile),
            ("invalid option: nosuch", Other),
        ] {
            assert_eq!(Refusal::read(words).kind, expected, "{words:?}");
        }
    }

    #[test]
    fn a_refusal_is_about_its_whole_target_only() {
        let refusal = Refusal::read("duplicate session: agent1");
        assert!(refusal.is_about("agent1") && refusal.is_about("=agent1"));
        assert!(!refusal.is_about("agent10") && !refusal.is_about("gent1"));
    }

    fn check(code: i32, stdout: &str, stderr: &str, expected: &str) {
        let status = ExitStatus::from_raw(code << 8);
        let output = Output { status, stdout: stdout.into(), stderr: stderr.into(), capped: false };
        let shown = match judge("asking", Duration::from_secs(2), Outcome::Exited(output), "N end") {
            Ok(said) => format!("{:?} {}", String::from_utf8(said.stdout).unwrap(), said.complaints.len()),
            Err(error) => error.to_string(),
        };
        assert_eq!(shown, expected);
    }

    #[test]
    fn only_the_last_line_proves_an_answer() {
        check(0, "a\nN end\n", "", "\"a\\n\" 0");
        check(1, "N end\n", "can't find session: x\n", "\"\" 1");
        check(0, "", "", "asking: tmux said: the server ended while it was asked");
        check(0, "", "access not allowed\n", "asking: tmux said: access not allowed");
        check(1, "", "no server running on /x\n", "asking: tmux said: no server running on /x");
        check(0, "a\nN en", "", "asking: the answer of tmux is not whole: N en");
        check(0, "aN end\n", "", "asking: the answer of tmux is not whole: aN end");
        check(3, "", "", "asking: the answer of tmux is not whole: nothing, exit code 3");
        check(0, "\u{1b}]0;x\u{7}junk\n", "", "asking: the answer of tmux is not whole: junk");
    }

    #[test]
    fn sections_are_found_by_their_number_and_a_cut_one_is_dropped() {
        let stdout = b"stray\nN 0\na\nb\nN 2\nc\n".to_vec();
        let mut said = Said { stdout, complaints: Vec::new(), is_whole: true };
        let expected = vec![Some(b"a\nb\n".to_vec()), None, Some(b"c\n".to_vec())];
        assert_eq!(sections(&said, "N", 3), expected);
        said.is_whole = false;
        assert_eq!(sections(&said, "N", 3), vec![Some(b"a\nb\n".to_vec()), None, None]);
    }

    proptest::proptest! {
        #![proptest_config(crate::mutation::tries(256))]

        #[test]
        fn of_a_damaged_answer_no_section_is_read_twice_and_none_is_invented(
            stdout in crate::mutation::mutants(vec![b"N 0\na\nb\nN 1\nN 2\nc\n".to_vec()]), is_whole: bool,
        ) {
            let said = Said { stdout: stdout.clone(), complaints: Vec::new(), is_whole };
            let found = sections(&said, "N", 3);
            proptest::prop_assert_eq!(found.len(), 3);
            let kept: usize = found.iter().flatten().map(Vec::len).sum();
            proptest::prop_assert!(kept <= stdout.len());
            proptest::prop_assert!(found.iter().flatten().flat_map(|section| section.split(|byte| *byte == b'\n'))
                .all(|line| milestone(line, "N").is_none()));
        }

        #[test]
        fn a_damaged_complaint_is_one_short_line(
            text in crate::mutation::texts(
                ["can't find session: $99\nduplicate session: agent0\n", "error connecting to /x (Permission denied)\n"]
                    .map(|text| text.into())
                    .to_vec(),
            ),
        ) {
            for refusal in Refusal::read_all(&text) {
                proptest::prop_assert!(refusal.words.chars().count() <= 400);
                proptest::prop_assert!(!refusal.words.contains(|c: char| c.is_control()));
            }
        }
    }
}
