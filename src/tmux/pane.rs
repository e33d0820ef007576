//! Screens: what panes show, joined lines, by id, capped.

use std::collections::BTreeMap;
use std::path::PathBuf;

use tmux_interface::CapturePane;

use crate::persist::{self, PersistError};

use super::answer::{Answer, Refusal, RefusalKind};
use super::client::{Asked, Tmux};
use super::request::Request;
use super::target::{PaneId, PaneTarget};

/// What a pane showed, or why not.
pub type Screen = Result<String, Refusal>;

/// What became of a screen that was to be kept.
#[derive(Debug)]
pub enum KeptScreen {
    /// It lies in its file.
    Kept,
    /// tmux did not show it.
    Refused(Refusal),
    /// It could not be written.
    Unwritable(PersistError),
}

/// Screens of this much altogether are held in memory at a time.
pub(super) const SCREENS_CAP: usize = 4 << 20;

pub(super) fn capture_request(pane: PaneId, scrollback: u32) -> Request {
    let capture = CapturePane::new().stdout().join().target_pane(PaneTarget::Id(pane).to_string());
    let capture = if scrollback == 0 { capture } else { capture.start_line(format!("-{scrollback}")) };
    capture.build().into()
}

/// Without the blanks that tmux (3.2a) pads joined lines with.
pub(super) fn trimmed(screen: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(screen.len());
    for line in screen.split_inclusive(|byte| *byte == b'\n') {
        out.extend(line.trim_ascii_end());
        if line.ends_with(b"\n") {
            out.push(b'\n');
        }
    }
    out
}

impl Tmux {
    /// Reads screens, each with so many lines of what scrolled off above it.
    pub fn capture(&self, panes: &[(PaneId, u32)]) -> Answer<Vec<(PaneId, Screen)>> {
        let mut screens = Vec::new();
        self.each_screen(panes, |pane, screen| {
            screens.push((pane, screen.map(|bytes| String::from_utf8_lossy(&bytes).into_owned())));
        })?;
        Ok(screens)
    }

    /// Writes screens with at most `scrollback` lines above them to files, a few megabytes in memory at a time.
    pub fn keep_screens(
        &self,
        panes: &[(PaneId, PathBuf)],
        scrollback: u32,
    ) -> Answer<Vec<(PaneId, KeptScreen)>> {
        let wanted: Vec<_> = panes.iter().map(|(pane, _)| (*pane, scrollback)).collect();
        let paths: BTreeMap<_, _> = panes.iter().map(|(pane, path)| (*pane, path)).collect();
        let mut kept = Vec::new();
        self.each_screen(&wanted, |pane, screen| {
            let Some(path) = paths.get(&pane) else { return };
            let outcome = match screen {
                Err(refusal) => KeptScreen::Refused(refusal),
                Ok(bytes) => match persist::write_volatile(path, &bytes) {
                    Ok(()) => KeptScreen::Kept,
                    Err(error) => KeptScreen::Unwritable(error),
                },
            };
            kept.push((pane, outcome));
        })?;
        Ok(kept)
    }

    /// Asks for all at once; what does not fit under the cap is asked for again, as many at a time as did fit. Of one that
    /// is larger than the cap by itself the newest lines come, as many as fit when what scrolled off is halved again and
    /// again.
    fn each_screen(
        &self,
        panes: &[(PaneId, u32)],
        mut take: impl FnMut(PaneId, Result<Vec<u8>, Refusal>),
    ) -> Answer<()> {
        let mut rest = panes.to_vec();
        let mut at_a_time = panes.len();
        while !rest.is_empty() {
            let asked_for: Vec<_> = rest.iter().take(at_a_time).copied().collect();
            let requests: Vec<_> =
                asked_for.iter().map(|(pane, scrollback)| capture_request(*pane, *scrollback)).collect();
            let asked = self.ask_for_beginning("reading the screens", &requests, SCREENS_CAP)?;
            let whole = asked.sections.iter().take_while(|section| section.is_some()).count();
            if whole == 0
                && let Some((_, scrollback @ 1..)) = rest.first_mut()
            {
                *scrollback /= 2;
                at_a_time = 1;
                continue;
            }
            // One whose visible lines alone are too many is given up, so that the others come.
            let done = whole.max(1);
            for ((pane, _), screen) in asked_for.iter().zip(screens_of(asked, &asked_for)).take(done) {
                take(*pane, screen);
            }
            at_a_time = done;
            rest.drain(..done.min(rest.len()));
        }
        Ok(())
    }
}

fn screens_of<'a>(
    asked: Asked,
    panes: &'a [(PaneId, u32)],
) -> impl Iterator<Item = Result<Vec<u8>, Refusal>> + 'a {
    let complaints = asked.complaints;
    asked.sections.into_iter().zip(panes).map(move |(section, (pane, _))| {
        match complaints.iter().find(|refusal| refusal.is_about(&pane.to_string())) {
            Some(refusal) => Err(refusal.clone()),
            None => section.map(|screen| trimmed(&screen)).ok_or_else(|| Refusal {
                kind: RefusalKind::Other,
                words: format!("its screen is larger than {SCREENS_CAP} bytes"),
            }),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trailing_blanks_go_and_lines_stay() {
        assert_eq!(trimmed(b"  a b  \n   \n\nend "), b"  a b\n\n\nend");
        assert_eq!(trimmed(b""), b"");
    }

    use crate::tmux::test_server::{self, TestServer, eventually};

    #[test]
    fn screens_come_in_order_joined_and_a_missing_pane_is_named() {
        let server = TestServer::start();
        let long = "x".repeat(250);
        let script = format!("echo {long}; echo second; exec sleep 1000");
        let panes = server.spawn(&[
            test_server::session(0, &["sh", "-c", &script]),
            test_server::session(1, &["sh", "-c", "echo one; exec sleep 1000"]),
        ]);
        let missing: PaneId = "%9999".parse().unwrap();
        let screens = eventually("both to print", || {
            let screens =
                server.tmux.capture(&[(panes[1].pane, 0), (missing, 0), (panes[0].pane, 100)]).unwrap();
            let text = |n: usize| screens[n].1.clone().unwrap_or_default();
            (text(0).starts_with("one\n") && text(2).contains("second")).then_some(screens)
        });
        assert_eq!(screens[1].1.as_ref().unwrap_err().kind, RefusalKind::NoPane);
        let first = screens[2].1.as_ref().unwrap();
        assert!(first.starts_with(&format!("{long}\nsecond\n")), "{first:?}");
    }

    #[test]
    fn screens_beyond_the_cap_come_in_several_conversations() {
        let server = TestServer::start();
        let line = "y".repeat(199);
        let script = format!("yes {line} | head -n 3000; echo done; exec sleep 1000");
        let sessions: Vec<_> = (0..12).map(|n| test_server::session(n, &["sh", "-c", &script])).collect();
        let panes = server.spawn(&sessions);
        eventually("all to print", || {
            let all: Vec<_> = panes.iter().map(|spawned| (spawned.pane, 0)).collect();
            let screens = server.tmux.capture(&all).unwrap();
            screens.iter().all(|(_, screen)| screen.as_ref().unwrap().contains("\ndone\n")).then_some(())
        });
        let files: Vec<_> = panes
            .iter()
            .enumerate()
            .map(|(n, s)| (s.pane, server.dir().join(format!("screens/{n}.txt"))))
            .collect();
        let kept = server.tmux.keep_screens(&files, 2000).unwrap();
        assert_eq!(kept.len(), 12);
        for ((pane, path), (kept_pane, outcome)) in files.iter().zip(&kept) {
            assert!(pane == kept_pane && matches!(outcome, KeptScreen::Kept), "{outcome:?}");
            let text = std::fs::read_to_string(path).unwrap();
            assert!(text.len() > 2000 * 200 && text.contains("\ndone\n"), "{}", text.len());
        }
    }
}
