//! The only place that writes to standard output and standard error.
//!
//! Standard output is data: if it cannot be written, the command failed. Standard error is talk: a reader that went
//! away is no reason to stop the work.

use std::io::{self, Write};

use crate::failpoint;
use crate::process::Standard;
use crate::text;

use super::error::CommandError;

/// Writes data as it is.
///
/// # Errors
/// Standard output is closed or full. A reader that left (`EPIPE`) is not an error: it had what it wanted.
pub(super) fn data(bytes: &[u8]) -> Result<(), CommandError> {
    match write(bytes) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written.map_err(failed),
    }
}

/// Writes what counts as shown from then on.
///
/// # Errors
/// Standard output is closed or full, or its reader has left: who left has seen nothing.
pub(super) fn shown(text: &str) -> Result<(), CommandError> {
    write(text.as_bytes()).map_err(failed)
}

fn write(bytes: &[u8]) -> io::Result<()> {
    failpoint::reach("output.data");
    Standard::Output.was_open()?;
    let mut stdout = io::stdout().lock();
    stdout.write_all(bytes).and_then(|()| stdout.flush())
}

fn failed(error: io::Error) -> CommandError {
    CommandError::failed("writing to standard output").because(error)
}

/// Writes text; a newline ends it.
pub(super) fn text(text: &str) -> Result<(), CommandError> {
    data(text.as_bytes())?;
    if text.is_empty() || text.ends_with('\n') { Ok(()) } else { data(b"\n") }
}

/// Writes one JSON document, in which nothing speaks to a terminal.
pub(super) fn json<T: serde::Serialize>(document: &T) -> Result<(), CommandError> {
    let text = serde_json::to_string(document)
        .map_err(|error| CommandError::failed("encoding the answer").because(error))?;
    data(format!("{}\n", text::escaped_json(&text)).as_bytes())
}

/// Says one line to the person, harmless for a terminal: files and screens may be quoted in it, and make no line of
/// their own.
pub(super) fn talk(line: &str) {
    talk_lines(&text::unbroken(line));
}

/// Says how many entries of a place are not what it is for, where there are some.
pub(super) fn passed_over(entries: usize, what: &str) {
    match entries {
        0 => {}
        1 => talk(&format!("netsky: 1 entry {what}")),
        _ => talk(&format!("netsky: {entries} entries {what}")),
    }
}

/// Says several lines of netsky's own making.
pub(super) fn talk_lines(lines: &str) {
    let mut stderr = io::stderr().lock();
    // Nobody is left to be told.
    writeln!(stderr, "{}", text::printable(lines)).unwrap_or_default();
}

/// Writes to the person's terminal without ending the line, for lines that are drawn again.
pub(super) fn draw(bytes: &str) {
    let mut stderr = io::stderr().lock();
    stderr.write_all(bytes.as_bytes()).and_then(|()| stderr.flush()).unwrap_or_default();
}
