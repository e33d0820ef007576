//! What a control client prints, read piece by piece: answers in blocks, notifications between them.
//!
//! Pure, and never at a loss: what is no block and no known notification is passed over, lines and blocks are capped.
//! A screen that draws the closing line of its own block (server's second and running number) ends it early; nonces
//! are not to be had here.

/// The longest line that is kept whole; a screen of 1,000 columns of the widest characters is shorter.
const LINE_CAP: usize = 64 << 10;

/// The largest answer that is kept whole.
const BODY_CAP: usize = 4 << 20;

/// What was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    /// One answer.
    Block(Block),
    /// A session was made or ended somewhere.
    SessionsChanged,
    /// A window was closed somewhere.
    WindowClosed,
    /// The connection is over, with what tmux said about it.
    Exit(String),
}

/// The answer to one command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Block {
    /// The server's second in which it began.
    pub(super) second: i64,
    /// Whether it answers a command of this client, not one that tmux ran by itself.
    pub(super) is_ours: bool,
    /// Whether the command was carried out.
    pub(super) is_ok: bool,
    /// What it printed.
    pub(super) body: Vec<u8>,
}

/// What stands between two pieces.
#[derive(Debug, Default)]
pub(super) struct Blocks {
    line: Vec<u8>,
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    /// `T N F`, the same at both ends.
    label: Vec<u8>,
    second: i64,
    is_ours: bool,
    body: Vec<u8>,
}

impl Blocks {
    /// Takes what came and gives what is complete by it.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Vec<Piece> {
        let mut pieces = Vec::new();
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            match part.split_last() {
                Some((b'\n', rest)) => {
                    self.keep(rest);
                    let line = std::mem::take(&mut self.line);
                    pieces.extend(self.line(&line));
                }
                _ => self.keep(part),
            }
        }
        pieces
    }

    fn keep(&mut self, part: &[u8]) {
        let room = LINE_CAP.saturating_sub(self.line.len());
        self.line.extend(part.iter().take(room));
    }

    fn line(&mut self, line: &[u8]) -> Option<Piece> {
        let Some(open) = &mut self.open else {
            if let Some(label) = line.strip_prefix(b"%begin ") {
                self.open = Open::read(label);
                return None;
            }
            return notification(line);
        };
        let ends = |sign: &[u8]| line.strip_prefix(sign) == Some(open.label.as_slice());
        let is_ok = ends(b"%end ");
        if is_ok || ends(b"%error ") {
            let open = self.open.take()?;
            let Open { second, is_ours, body, .. } = open;
            return Some(Piece::Block(Block { second, is_ours, is_ok, body }));
        }
        if open.body.len() + line.len() < BODY_CAP {
            open.body.extend(line);
            open.body.push(b'\n');
        }
        None
    }
}

impl Open {
    fn read(label: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(label).ok()?;
        let mut fields = text.split(' ');
        let second = fields.next()?.parse().ok()?;
        let _number: u64 = fields.next()?.parse().ok()?;
        let flags: u32 = fields.next()?.parse().ok()?;
        Some(Self { label: label.to_owned(), second, is_ours: flags & 1 == 1, body: Vec::new() })
    }
}

fn notification(line: &[u8]) -> Option<Piece> {
    let text = String::from_utf8_lossy(line);
    let (name, rest) = text.split_once(' ').unwrap_or((&text, ""));
    match name {
        "%sessions-changed" => Some(Piece::SessionsChanged),
        "%window-close" | "%unlinked-window-close" => Some(Piece::WindowClosed),
        "%exit" => Some(Piece::Exit(crate::text::clipped(&crate::text::one_line(rest), 200).into_owned())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn block(second: i64, is_ours: bool, is_ok: bool, body: &str) -> Piece {
        Piece::Block(Block { second, is_ours, is_ok, body: body.into() })
    }

    #[test]
    fn answers_and_notifications_are_told_apart() {
        let check = |text: &str, expected: &[Piece]| {
            assert_eq!(Blocks::default().feed(text.as_bytes()), expected, "{text:?}");
        };
        check("%begin 10 5 1\na\nb\n%end 10 5 1\n", &[block(10, true, true, "a\nb\n")]);
        check("%begin 10 5 0\n%end 10 5 0\n%session-changed $0 a\n", &[block(10, false, true, "")]);
        check("%begin 10 5 1\nno\n%error 10 5 1\n", &[block(10, true, false, "no\n")]);
        check(
            "%begin 10 5 1\n%end 10 4 1\n%sessions-changed\n%exit\n%begin 1 1 1\n%end 10 5 1\n",
            &[block(10, true, true, "%end 10 4 1\n%sessions-changed\n%exit\n%begin 1 1 1\n")],
        );
        check(
            "%sessions-changed\n%unlinked-window-close @2\n",
            &[Piece::SessionsChanged, Piece::WindowClosed],
        );
        check("%exit\n", &[Piece::Exit(String::new())]);
        check("%exit server exited unexpectedly\n", &[Piece::Exit("server exited unexpectedly".into())]);
        check("%begin x 5 1\n%begin 1\n%begin\njunk\n\n%end 1 2 3\n%output %1 x\n", &[]);
        check("%begin 10 5 1\nhalf", &[]);
    }

    #[test]
    fn a_flood_is_capped() {
        let mut blocks = Blocks::default();
        assert!(blocks.feed(b"%begin 10 5 1\n").is_empty());
        for _ in 0..10 {
            assert!(blocks.feed(&vec![b'x'; 1 << 20]).is_empty());
        }
        assert!(blocks.line.len() <= LINE_CAP);
        for _ in 0..200 {
            assert!(blocks.feed(&[vec![b'y'; LINE_CAP], vec![b'\n']].concat()).is_empty());
        }
        let pieces = blocks.feed(b"%end 10 5 1\n");
        let [Piece::Block(block)] = pieces.as_slice() else { panic!("{}", pieces.len()) };
        assert!(block.body.len() <= BODY_CAP);
    }

    proptest! {
        #[test]
        fn where_the_stream_is_cut_does_not_matter(
            lines in prop::collection::vec("%begin 1 2 1|%end 1 2 1|%error 1 2 1|%exit|%sessions-changed|[ -~]{0,20}", 0..20),
            cuts in prop::collection::vec(1usize..30, 1..40),
        ) {
            let text = lines.join("\n");
            let whole = Blocks::default().feed(text.as_bytes());
            let mut blocks = Blocks::default();
            let mut rest = text.as_bytes();
            let mut pieces = Vec::new();
            for cut in cuts {
                let (head, tail) = rest.split_at(cut.min(rest.len()));
                pieces.extend(blocks.feed(head));
                rest = tail;
            }
            pieces.extend(blocks.feed(rest));
            prop_assert_eq!(pieces, whole);
        }

        #[test]
        fn garbage_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..500)) {
            let pieces = Blocks::default().feed(&bytes);
            prop_assert!(pieces.len() <= bytes.len());
        }
    }

    proptest! {
        #![proptest_config(crate::mutation::tries(96))]

        #[test]
        fn a_damaged_stream_of_screens_reads_alike_whole_and_cut(
            stream in crate::mutation::mutants(streams()),
            cuts in prop::collection::vec(1usize..3_000, 1..40),
        ) {
            let whole = Blocks::default().feed(&stream);
            let mut blocks = Blocks::default();
            let mut rest = stream.as_slice();
            let mut pieces = Vec::new();
            for cut in cuts {
                let (head, tail) = rest.split_at(cut.min(rest.len()));
                pieces.extend(blocks.feed(head));
                rest = tail;
            }
            pieces.extend(blocks.feed(rest));
            prop_assert_eq!(&pieces, &whole);
            let kept: usize = whole.iter().map(|piece| match piece {
                Piece::Block(block) => block.body.len(),
                Piece::Exit(words) => words.len(),
                _ => 0,
            }).sum();
            prop_assert!(kept <= 3 * stream.len());
        }
    }

    /// Screens as a control client is given them.
    fn streams() -> Vec<Vec<u8>> {
        let screens = crate::mutation::screens();
        let framed = |(number, screen): (usize, &Vec<u8>)| {
            let label = format!("1795201200 {number} 1\n");
            [b"%begin ", label.as_bytes(), screen, b"\n%end ", label.as_bytes(), b"%sessions-changed\n"]
                .concat()
        };
        screens.chunks(3).map(|few| few.iter().enumerate().flat_map(framed).collect()).collect()
    }
}
