//! What netsky types into a pane and shows to those who look at it.
//!
//! Text never goes through a command line: it is loaded from a file and pasted, without control characters. A pane
//! that shows its history is brought back first, for it would eat the keys.

use std::ffi::OsStr;
use std::fmt;

use tmux_interface::{CopyMode, DisplayMessage, LoadBuffer, PasteBuffer, SendKeys, SetOption};

use crate::text;

use super::answer::{Answer, NoAnswer, Refusal, Said};
use super::batch::Batch;
use super::client::{Tmux, nonce};
use super::quote::literal;
use super::request::Request;
use super::snapshot::ClientRow;
use super::target::{PaneId, PaneTarget, SessionId, SessionTarget};

/// A key that netsky presses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// Confirms.
    Enter,
    /// Leaves.
    Escape,
    /// One line up.
    Up,
    /// One line down.
    Down,
    /// One option of several.
    Digit(u8),
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Enter => f.write_str("Enter"),
            Self::Escape => f.write_str("Escape"),
            Self::Up => f.write_str("Up"),
            Self::Down => f.write_str("Down"),
            Self::Digit(digit) => write!(f, "{}", digit % 10),
        }
    }
}

/// What the file with the text is called in its batch.
const TEXT_FILE: &str = "text";

/// How long a message to a person stays, in milliseconds.
const NOTICE_MS: usize = 5000;

const NOTICE_OPTION: &str = "@netsky_notice";

/// True of a server that presses keys in some client's name (3.7 and newer): of who looked last, and not if that one may
/// only look, be it a person or netsky's own listener.
const ASKS_WHO_PRESSES: &str = "#{m/r:^(next-)?(3[.]([7-9]|[1-9][0-9])|[4-9]|[1-9][0-9]),#{version}}";

/// Nobody is called that; an older server knows no such option.
const IN_NO_NAME: [&str; 2] = ["-c", "netsky-nobody"];

/// Presses keys in no client's name, where `condition` holds.
fn pressing(pane: PaneId, keys: &[Key], condition: &str) -> [Request; 2] {
    let send = |options: &[&str], is_it: &str| {
        let send = SendKeys::new().target_pane(PaneTarget::Id(pane).to_string()).build();
        let words = options.iter().map(ToString::to_string).chain(keys.iter().map(Key::to_string));
        let send = leave_mode(pane).then(Request::from(send).arguments(words));
        send.only_if(format!("#{{&&:{is_it},{condition}}}"))
    };
    [send(&[], &format!("#{{!=:{ASKS_WHO_PRESSES},1}}")), send(&IN_NO_NAME, ASKS_WHO_PRESSES)]
}

fn leave_mode(pane: PaneId) -> Request {
    CopyMode::new().cancel().target_pane(PaneTarget::Id(pane).to_string()).build().into()
}

impl Tmux {
    /// Presses keys, one group.
    pub fn press(&self, pane: PaneId, keys: &[Key]) -> Answer<()> {
        let doing = format!("pressing a key in pane {pane}");
        let press = pressing(pane, keys, "1");
        let said = self.carry_out(&doing, self.limits.write, &Batch::of([press.to_vec()]))?;
        unrefused(doing, said)
    }

    /// Presses a key if some row of the screen still matches `row`, an extended regular expression without braces: the
    /// server looks, as it reads the request, and presses in one step. Nothing happens where none does.
    pub fn press_while(&self, pane: PaneId, row: &str, key: Key) -> Answer<()> {
        let row = literal(OsStr::new(row)).to_string_lossy().into_owned();
        // A pane in several sessions comes several times, so that a row which is not found has to say nothing.
        let stands = format!("#{{?#{{C/r:{row}}},1,}}");
        let found = format!("#{{S:#{{W:#{{P:#{{?#{{==:#{{pane_id}},{pane}}},{stands},}}}}}}}}");
        let doing = format!("pressing a key in pane {pane}");
        let press = pressing(pane, &[key], &found);
        let said = self.carry_out(&doing, self.limits.write, &Batch::of([press.to_vec()]))?;
        unrefused(doing, said)
    }

    /// Pastes text without its control characters; newlines stay. Nothing confirms it: Enter is a call of its own, at
    /// least 50 ms later, for agents swallow one that comes with the text.
    pub fn paste(&self, pane: PaneId, text: &str) -> Answer<()> {
        let buffer = format!("netsky-{}", nonce());
        let target = PaneTarget::Id(pane).to_string();
        let load = LoadBuffer::new().buffer_name(buffer.clone()).path(TEXT_FILE).build();
        let paste = PasteBuffer::new().delete().bracket_codes().no_replacement().buffer_name(buffer);
        let paste = paste.target_pane(target).build();
        let batch = Batch::of([vec![leave_mode(pane).then(load).then(paste)]])
            .with_file(TEXT_FILE, text::printable(text).as_bytes().to_vec());
        let doing = format!("pasting into pane {pane}");
        let said = self.carry_out(&doing, self.limits.write, &batch)?;
        unrefused(doing, said)
    }

    /// Shows one line to people who look at a session; clients that are gone meanwhile are passed over. `false`: tmux
    /// cannot show it to a named client (3.2a, whose `display-message -c` is broken).
    pub fn show_notice(&self, session: SessionId, people: &[ClientRow], line: &str) -> Answer<bool> {
        let doing = format!("showing a message in session {session}");
        let target = SessionTarget::Id(session).to_string();
        // Through an option: what stands in the message itself would be expanded.
        let set = SetOption::new().target_pane(target).option(NOTICE_OPTION).value(text::one_line(line));
        let mut bundles = vec![vec![Request::from(set.build())]];
        for person in people.iter().filter(|person| person.session == session) {
            let show = DisplayMessage::new().delay(NOTICE_MS).target_client(person.name.clone());
            bundles.push(vec![show.message(format!("#{{{NOTICE_OPTION}}}")).build().into()]);
        }
        match self.carry_out(&doing, self.limits.write, &Batch::of(bundles)) {
            Ok(_) => Ok(true),
            Err(NoAnswer::Incomplete { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// For batches with one purpose: any refusal is theirs.
fn unrefused(doing: String, said: Said) -> Answer<()> {
    match said.complaints.into_iter().next() {
        None => Ok(()),
        Some(refusal @ Refusal { .. }) => Err(NoAnswer::Refused { doing, refusal }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tmux::test_server::{self, TestServer, eventually};

    /// A program that writes every byte it reads, unechoed and uncooked, to a file.
    fn receiver(server: &TestServer) -> (PaneId, std::path::PathBuf) {
        let out = server.dir().join("received");
        let script = "stty raw -echo; printf ready; exec cat >\"$0\"";
        let panes = server.spawn(&[test_server::session(0, &["sh", "-c", script, out.to_str().unwrap()])]);
        let pane = panes[0].pane;
        eventually("the receiver", || {
            let screens = server.tmux.capture(&[(pane, 0)]).unwrap();
            screens[0].1.as_ref().unwrap().contains("ready").then_some(())
        });
        (pane, out)
    }

    fn received(out: &std::path::Path, count: usize) -> String {
        eventually("what was typed", || {
            let bytes = std::fs::read(out).ok()?;
            (bytes.len() >= count).then(|| String::from_utf8(bytes).unwrap())
        })
    }

    #[test]
    fn text_arrives_without_control_characters_and_enter_is_its_own_call() {
        let server = TestServer::start();
        let (pane, out) = receiver(&server);
        let canary = server.dir().join("canary");
        let text = format!("two\nlines; $(x) #(touch {}) \u{1b}[201~é\r\u{3}", canary.display());
        server.tmux.paste(pane, &text).unwrap();
        let expected = format!("two\nlines; $(x) #(touch {}) é", canary.display());
        assert_eq!(received(&out, expected.len()), expected);
        server.tmux.press(pane, &[Key::Down, Key::Digit(2), Key::Enter]).unwrap();
        assert_eq!(received(&out, expected.len() + 5), format!("{expected}\u{1b}[B2\r"));
        assert!(!canary.exists());
    }

    #[test]
    fn a_key_is_pressed_only_while_the_row_stands() {
        let server = TestServer::start();
        let out = server.dir().join("received");
        let script =
            "stty raw -echo; printf '\\342\\235\\257 2. Yes, I do\\r\\n  3. No #(x)'; exec cat >\"$0\"";
        let panes = server.spawn(&[test_server::session(0, &["sh", "-c", script, out.to_str().unwrap()])]);
        let pane = panes[0].pane;
        eventually("the dialog", || {
            let screens = server.tmux.capture(&[(pane, 0)]).unwrap();
            screens[0].1.as_ref().unwrap().contains("No #(x)").then_some(())
        });
        // A person who sits beside it: the pane is in two sessions then.
        server.run(&["new-session", "-d", "-t", "=agent0", "-s", "person"]);
        for gone in ["❯ +1[.)] +Yes", "❯ +2[.)] +No", "Yes, you", "#(x).", "("] {
            server.tmux.press_while(pane, gone, Key::Escape).unwrap();
        }
        for stands in ["❯ +2[.)] +Yes.", "#[(]x[)]"] {
            server.tmux.press_while(pane, stands, Key::Enter).unwrap();
        }
        assert_eq!(received(&out, 2), "\r\r");
    }

    #[test]
    fn a_large_text_arrives_whole_and_from_within_copy_mode() {
        let server = TestServer::start();
        let (pane, out) = receiver(&server);
        server.run(&["copy-mode", "-t", &pane.to_string()]);
        assert!(server.tmux.snapshot().unwrap().panes[0].is_in_mode);
        let text = "0123456789abcdef".repeat(64 << 10);
        server.tmux.paste(pane, &text).unwrap();
        assert_eq!(received(&out, text.len()).len(), text.len());
        assert!(!server.tmux.snapshot().unwrap().panes[0].is_in_mode);
    }

    #[test]
    fn a_pane_that_is_gone_is_refused() {
        let server = TestServer::start();
        let pane: PaneId = "%77".parse().unwrap();
        let gone =
            |error: NoAnswer| matches!(error, NoAnswer::Refused { refusal, .. } if refusal.kind.is_gone());
        // With no session at all tmux has other words for it.
        for _ in 0..2 {
            assert!(gone(server.tmux.press(pane, &[Key::Enter]).unwrap_err()));
            assert!(gone(server.tmux.paste(pane, "x").unwrap_err()));
            server.run(&["new-session", "-d", "sleep", "1000"]);
        }
        assert_eq!(server.run(&["list-buffers"]), "");
    }
}
