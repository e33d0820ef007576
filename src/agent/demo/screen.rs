//! What is written to the terminal: lines that stay, above a bottom that is drawn again and again (pure).
//!
//! The bottom ends where the cursor stands. How many rows it takes is counted when it is erased, with the width of
//! that moment, because the terminal rewraps when it is resized. All text passes [`text::printable`].

use unicode_width::UnicodeWidthStr;

use crate::text;

/// The bottom that stands on the terminal now.
#[derive(Debug, Default)]
pub struct Screen {
    bottom: Vec<String>,
}

impl Screen {
    /// What to write so that `said` stays above `bottom`; `columns` is the terminal's width.
    pub fn frame(&mut self, said: &[String], bottom: &[String], columns: usize) -> String {
        let clean = |line: &String| text::printable(line).replace('\n', " ");
        let bottom: Vec<String> = bottom.iter().map(clean).collect();
        if said.is_empty() && bottom == self.bottom {
            return String::new();
        }
        let mut frame = erase(&self.bottom, columns);
        for line in said {
            frame.push_str(&clean(line));
            frame.push_str("\r\n");
        }
        frame.push_str(&bottom.join("\r\n"));
        self.bottom = bottom;
        frame
    }
}

/// Moves to the first row of `lines`, whose last one the cursor stands in, and clears from there.
///
/// In two steps: tmux takes a clearing that begins in the first column of the first row for one of the whole screen
/// and keeps what was there in its history, where an answered dialog would come to light again.
fn erase(lines: &[String], columns: usize) -> String {
    let rows: usize = lines.iter().map(|line| line.width().div_ceil(columns.max(1)).max(1)).sum();
    match rows.saturating_sub(1) {
        0 => format!("\r{CLEAR}"),
        above => format!("\r\x1b[{above}A{CLEAR}"),
    }
}

/// The row, then from its second column to the end of the screen.
const CLEAR: &str = "\x1b[K\x1b[C\x1b[J\r";

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(lines: &[&str]) -> Vec<String> {
        lines.iter().map(|line| (*line).to_owned()).collect()
    }

    #[test]
    fn the_bottom_is_erased_with_all_its_rows() {
        let mut screen = Screen::default();
        assert_eq!(screen.frame(&[], &lines(&["one", "two"]), 80), format!("\r{CLEAR}one\r\ntwo"));
        assert_eq!(screen.frame(&[], &lines(&["one", "two"]), 80), "");
        assert_eq!(
            screen.frame(&lines(&["said"]), &lines(&["123456"]), 80),
            format!("\r\x1b[1A{CLEAR}said\r\n123456")
        );
        assert_eq!(screen.frame(&[], &lines(&["❯ "]), 5), format!("\r\x1b[1A{CLEAR}❯ "));
        assert_eq!(screen.frame(&[], &[], 5), format!("\r{CLEAR}"));
    }

    #[test]
    fn nothing_that_is_shown_moves_the_cursor() {
        let mut screen = Screen::default();
        let frame = screen.frame(&lines(&["a\u{1b}[2Jb\nc"]), &lines(&["\u{7}d\r"]), 80);
        assert_eq!(frame, format!("\r{CLEAR}ab c\r\nd"));
    }
}
