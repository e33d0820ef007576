//! Tables that fit a width: pure layout, nothing about agents.
//!
//! No line is wider than the screen. What does not fit goes in a fixed order: the elastic column shrinks, then the
//! least important columns are left out, then cells are clipped.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::text;

/// Whether escape sequences for colour are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Palette {
    /// None.
    Plain,
    /// Yes. A colour never says what no word says.
    Color,
}

/// What is drawn on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Screen {
    /// Columns.
    pub width: usize,
    /// Colours.
    pub palette: Palette,
}

/// How a cell looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    Plain,
    Title,
    Good,
    Warning,
    Bad,
    Faint,
}

impl Look {
    /// SGR parameters (ECMA-48): colours of the basic eight, which every theme defines.
    fn code(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Title => "1",
            Self::Good => "32",
            Self::Warning => "33",
            Self::Bad => "31",
            Self::Faint => "2",
        }
    }
}

impl Screen {
    /// `text` in a look.
    pub(super) fn paint(self, text: &str, look: Look) -> String {
        match (self.palette, look) {
            (Palette::Plain, _) | (_, Look::Plain) => text.to_owned(),
            _ if text.is_empty() => String::new(),
            _ => format!("\u{1b}[{}m{text}\u{1b}[0m", look.code()),
        }
    }

    /// Foreign or own text as one line that fits.
    pub(super) fn line(self, text: &str, look: Look) -> String {
        self.paint(&fitted(&text::one_line(text), self.width), look)
    }
}

/// One cell.
#[derive(Debug, Clone)]
pub(super) struct Cell {
    text: String,
    look: Look,
}

impl Cell {
    pub(super) fn new(text: &str, look: Look) -> Self {
        Self { text: text::one_line(text), look }
    }

    pub(super) fn plain(text: impl AsRef<str>) -> Self {
        Self::new(text.as_ref(), Look::Plain)
    }
}

/// One column.
#[derive(Debug, Clone, Copy)]
pub(super) struct Column {
    pub(super) title: &'static str,
    /// 0 is never left out; of the others the highest goes first.
    pub(super) rank: u8,
    /// It gives way before any column is left out, down to [`NARROWEST`].
    pub(super) is_elastic: bool,
}

impl Column {
    pub(super) const fn new(title: &'static str, rank: u8) -> Self {
        Self { title, rank, is_elastic: false }
    }

    pub(super) const fn elastic(title: &'static str, rank: u8) -> Self {
        Self { title, rank, is_elastic: true }
    }
}

const GAP: usize = 2;
/// An elastic column narrower than this says nothing.
const NARROWEST: usize = 12;

/// A table with its titles, one line a row, each ended by a newline. A column with nothing in it is left out.
pub(super) fn table(columns: &[Column], rows: &[Vec<Cell>], screen: Screen) -> String {
    let chosen = layout(columns, rows, screen.width);
    let titles: Vec<Cell> = columns.iter().map(|column| Cell::new(column.title, Look::Title)).collect();
    let mut out = String::new();
    for row in std::iter::once(&titles).chain(rows) {
        let mut line = String::new();
        let mut owed = 0;
        for (index, width) in &chosen {
            let Some(cell) = row.get(*index) else { continue };
            let shown = fitted(&cell.text, *width);
            // Blanks are written before the next cell, so that no line ends in them.
            if !shown.is_empty() {
                line.extend(std::iter::repeat_n(' ', owed));
                owed = 0;
            }
            line.push_str(&screen.paint(&shown, cell.look));
            owed += width.saturating_sub(shown.width()) + GAP;
        }
        out.push_str(&line);
        out.push('\n');
    }
    out
}

/// The columns that are shown, by index, with their widths; together they fit.
fn layout(columns: &[Column], rows: &[Vec<Cell>], width: usize) -> Vec<(usize, usize)> {
    let cells =
        |index: usize| rows.iter().filter_map(move |row| row.get(index)).map(|cell| cell.text.width());
    let mut chosen: Vec<(usize, usize, Column)> = columns
        .iter()
        .enumerate()
        .filter_map(|(index, column)| {
            let widest = cells(index).max().unwrap_or(0);
            (widest > 0 || rows.is_empty()).then(|| (index, widest.max(column.title.width()), *column))
        })
        .collect();
    while excess(&chosen, width) > 0 {
        let over = excess(&chosen, width);
        let elastic = chosen.iter_mut().find(|(_, width, column)| column.is_elastic && *width > NARROWEST);
        if let Some((_, width, _)) = elastic {
            *width = width.saturating_sub(over).max(NARROWEST);
        } else if let Some(least) =
            chosen.iter().map(|(_, _, column)| column.rank).max().filter(|rank| *rank > 0)
        {
            chosen.retain(|(_, _, column)| column.rank != least);
        } else {
            clip_to(&mut chosen, width);
            break;
        }
    }
    chosen.into_iter().map(|(index, width, _)| (index, width)).collect()
}

fn excess(chosen: &[(usize, usize, Column)], width: usize) -> usize {
    let gaps = GAP * chosen.len().saturating_sub(1);
    let cells: usize = chosen.iter().map(|(_, width, _)| width).sum();
    (cells + gaps).saturating_sub(width)
}

/// Columns from the left, each as wide as it is or as what is left.
fn clip_to(chosen: &mut Vec<(usize, usize, Column)>, width: usize) {
    let mut left = width;
    chosen.retain_mut(|(_, width, _)| {
        *width = left.min(*width);
        left = left.saturating_sub(*width + GAP);
        *width > 0
    });
}

/// `text` in at most `width` columns, with `…` where something was cut.
pub(super) fn fitted(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut shown = String::new();
    let mut used = 1;
    for c in text.chars() {
        used += c.width().unwrap_or(0);
        if used > width {
            break;
        }
        shown.push(c);
    }
    if width > 0 {
        shown.push('…');
    }
    // A sequence (an emoji with its variation selector) can be wider than its characters.
    while shown.width() > width {
        shown.pop();
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: [Column; 3] = [Column::new("NAME", 0), Column::new("KIND", 2), Column::elastic("NOTE", 1)];

    fn drawn(rows: &[[&str; 3]], width: usize) -> String {
        let rows: Vec<Vec<Cell>> = rows.iter().map(|row| row.iter().map(Cell::plain).collect()).collect();
        table(&COLUMNS, &rows, Screen { width, palette: Palette::Plain })
    }

    #[test]
    fn what_does_not_fit_gives_way_in_order() {
        let row = ["agent0", "claude", "a note that is long"];
        assert_eq!(drawn(&[row], 80), "NAME    KIND    NOTE\nagent0  claude  a note that is long\n");
        assert_eq!(drawn(&[row], 30), "NAME    KIND    NOTE\nagent0  claude  a note that i…\n");
        assert_eq!(drawn(&[row], 24), "NAME    NOTE\nagent0  a note that…\n");
        assert_eq!(drawn(&[row], 10), "NAME\nagent0\n");
        assert_eq!(drawn(&[row], 4), "NAME\nage…\n");
        assert_eq!(drawn(&[["agent0", "", ""]], 80), "NAME\nagent0\n");
    }

    #[test]
    fn wide_characters_count_as_two_columns() {
        assert_eq!(fitted("日本語", 6), "日本語");
        assert_eq!(fitted("日本語", 5), "日本…");
        assert_eq!(fitted("日本語", 4), "日…");
        assert_eq!(fitted("x", 0), "");
    }

    proptest::proptest! {
        #[test]
        fn no_line_is_wider_than_the_screen(
            texts in proptest::collection::vec("\\PC{0,30}", 9), width in 1usize..100,
        ) {
            let rows: Vec<[&str; 3]> = texts.chunks_exact(3).map(|row| [&*row[0], &*row[1], &*row[2]]).collect();
            for line in drawn(&rows, width).lines() {
                proptest::prop_assert!(line.width() <= width, "{line:?}");
            }
        }
    }
}
