//! What an agent's screen says (pure): text in, a [`Reading`] out.
//!
//! A dialog counts only where its options stand as numbered lines with exactly one highlighted and no composer below
//! them; what stands above the composer is transcript, in which an agent can have written anything. What was typed is
//! no marker. Every text has a reading; what nothing is known about is [`Situation::Unclear`]. How the screens of a
//! CLI read is data: [`ScreenTable`].

mod layout;
mod options;
mod table;

#[cfg(test)]
mod captured;

pub use table::{ComposerShape, Place, ScreenTable, Shows, Sign, Standing, Words};

use crate::text;

use super::dialog::{DialogRow, Means, SeenDialog, Shape};
use super::marker::Marker;
use layout::Layout;
use options::Options;

/// So much of a screen's own words is kept.
const WHAT_CHARS: usize = 300;

/// A dialog has its footer and little else below its options.
const LINES_BELOW_OPTIONS: usize = 8;

/// What a screen says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// The marker that stands on it. Whether the turn that said it has ended is the situation's to tell.
    pub marker: Option<String>,
    /// What the agent is doing.
    pub situation: Situation,
}

/// What an agent is doing, as far as its screen shows it. `what` are the screen's own words, on one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Situation {
    /// A known dialog is up.
    Dialog(SeenDialog),
    /// A dialog is up that no row knows, or more than one.
    UnknownDialog {
        /// Its options from the top.
        options: Vec<String>,
        /// Which of them is highlighted.
        highlighted: usize,
    },
    /// It asks whether it may do something.
    Permission {
        /// What.
        what: String,
    },
    /// It needs a login.
    Login {
        /// How it says so.
        what: String,
    },
    /// Its last turn ended in an error.
    Failed {
        /// Which.
        what: String,
    },
    /// The account's usage limit is reached.
    Limited {
        /// How it says so, mostly with until when.
        what: String,
    },
    /// It repeats a request: busy, with a reason.
    Retrying {
        /// Which.
        what: String,
    },
    /// A turn is under way.
    Busy,
    /// It waits for a prompt.
    Idle {
        /// What has been typed.
        composer: Composer,
    },
    /// Nothing of this can be told.
    Unclear,
}

/// What stands where a person types.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Composer {
    /// Nothing.
    Empty,
    /// Something.
    Holds {
        /// What, on one line.
        typed: String,
    },
    /// It cannot be told.
    Unknown,
}

impl Situation {
    /// Whether a turn is under way.
    pub fn is_busy(&self) -> bool {
        matches!(self, Self::Busy | Self::Retrying { .. })
    }

    /// Whether a marker on such a screen can be the end of a turn: none is under way, none failed, nothing is asked.
    pub fn lets_a_marker_count(&self) -> bool {
        matches!(self, Self::Idle { .. } | Self::Unclear)
    }
}

/// Reads a screen: joined lines as `capture-pane -p -J` prints them.
pub fn read(table: &ScreenTable, marker: &Marker, screen: &str) -> Reading {
    let lines: Vec<&str> = screen.lines().map(|line| line.trim_end_matches([' ', '\r'])).collect();
    let layout = Layout::of(&lines, table.composer.as_ref());
    let found = find_marker(layout.above, marker, table);
    let dialog = if layout.typed.is_none() { read_dialog(table, &lines, marker) } else { None };
    let situation = dialog.unwrap_or_else(|| read_turn(table, &layout));
    Reading { marker: found, situation }
}

/// The last marker that is no part of a prompt: a prompt begins with its sign, and its further lines are indented.
fn find_marker(lines: &[&str], marker: &Marker, table: &ScreenTable) -> Option<String> {
    let mut found = None;
    let mut is_typed = false;
    for line in lines {
        if !table.echo.is_empty() && line.starts_with(table.echo) {
            // A prompt that is cut short has no further lines.
            is_typed = !line.ends_with('…');
        } else if !line.starts_with("  ") {
            is_typed = false;
        }
        let said = line.strip_prefix(table.says).unwrap_or(line);
        if !is_typed && let Some(line) = marker.find(said) {
            // What stands far to the right of it is another column.
            found = line.split("   ").next().map(|line| clipped(&[line]));
        }
    }
    found
}

fn read_turn(table: &ScreenTable, layout: &Layout<'_, '_>) -> Situation {
    let block = last_sign(table, layout.above);
    if let Some((Shows::Retrying, what)) = block {
        return Situation::Retrying { what };
    }
    let elsewhere = |shows: Shows| {
        table.signs.iter().filter(|sign| sign.shows == shows).find_map(|sign| {
            let (near, far): (&[&str], &[&str]) = match sign.place {
                Place::Block => (&[], &[]),
                Place::Footer => (&[], layout.below),
                Place::Bare if layout.typed.is_some() => (&[], &[]),
                Place::Anywhere | Place::Bare => (layout.above, layout.below),
            };
            near.iter().chain(far).find(|line| sign.words.fit(line)).map(|line| clipped(&[line]))
        })
    };
    if elsewhere(Shows::Busy).is_some() {
        return Situation::Busy;
    }
    match block {
        Some((Shows::Busy, _)) => return Situation::Busy,
        Some((Shows::Login, what)) => return Situation::Login { what },
        Some((Shows::Failed, what)) => return Situation::Failed { what },
        Some((Shows::Limited, what)) => return Situation::Limited { what },
        _ => {}
    }
    if let Some(what) = elsewhere(Shows::Failed) {
        return Situation::Failed { what };
    }
    let is_ready = matches!(block, Some((Shows::Ready, _))) || elsewhere(Shows::Ready).is_some();
    match &layout.typed {
        Some(typed) if table.composer_is_idle || is_ready => {
            Situation::Idle { composer: composer(table, typed) }
        }
        None if is_ready && table.composer.is_none() => Situation::Idle { composer: Composer::Unknown },
        _ => Situation::Unclear,
    }
}

fn composer(table: &ScreenTable, typed: &str) -> Composer {
    let placeholders = table.composer.as_ref().map_or(&[][..], |shape| shape.placeholders);
    if typed.is_empty() || placeholders.contains(&typed) {
        Composer::Empty
    } else {
        Composer::Holds { typed: typed.to_owned() }
    }
}

/// What the last block of the last turn shows that is not to be skipped, with its words.
fn last_sign(table: &ScreenTable, above: &[&str]) -> Option<(Shows, String)> {
    for block in layout::blocks(above, table.heads, table.echo) {
        let head = folded(block.first()?);
        let sign = table.signs.iter().find(|sign| sign.place == Place::Block && sign.words.fit(&head))?;
        if sign.shows != Shows::Skip {
            return Some((sign.shows, clipped(block)));
        }
    }
    None
}

fn read_dialog(table: &ScreenTable, lines: &[&str], marker: &Marker) -> Option<Situation> {
    let options = options::last_group(lines, table.highlights).filter(|options| {
        let below = lines.get(options.last_line + 1..).unwrap_or_default();
        let is_low = below.iter().filter(|line| !unboxed(line).is_empty()).count() <= LINES_BELOW_OPTIONS;
        is_low && below.iter().all(|line| marker.find(line).is_none())
    });
    let last = lines.iter().rev().find(|line| !line.trim().is_empty())?.trim_start();
    let may_be_notice = |row: &&DialogRow| matches!(row.shape, Shape::Notice(end) if last.starts_with(end));
    if options.is_none() && !table.dialogs.iter().any(|row| may_be_notice(&row)) {
        return None;
    }
    let whole = normalised(lines);
    let mut fitting = table.dialogs.iter().filter(|row| {
        let is_drawn = match (&row.shape, &options) {
            (Shape::Options(labels), Some(options)) => {
                labels.iter().all(|label| options.labels.iter().any(|option| option.starts_with(label)))
            }
            (Shape::Notice(_), None) => may_be_notice(row),
            _ => false,
        };
        is_drawn
            && row.needs.iter().all(|words| whole.contains(words))
            && !row.without.iter().any(|words| whole.contains(words))
    });
    match (fitting.next(), fitting.next(), options) {
        (Some(row), None, options) => Some(known_dialog(row, options, lines)),
        (_, _, Some(options)) => {
            Some(Situation::UnknownDialog { options: options.labels, highlighted: options.highlighted })
        }
        (_, _, None) => None,
    }
}

fn known_dialog(row: &'static DialogRow, options: Option<Options>, lines: &[&str]) -> Situation {
    let end = options.as_ref().map_or(lines.len(), |options| options.first_line);
    let text = lines.get(..end).unwrap_or_default();
    let from = |is_start: &dyn Fn(&str) -> bool| {
        let start = text.iter().rposition(|line| is_start(line.trim_start())).unwrap_or_default();
        text.get(start..).unwrap_or_default()
    };
    match &row.means {
        Means::Startup { .. } => {
            let highlighted = options.as_ref().map(|options| options.highlighted);
            let sign = options.as_ref().map(|options| options.sign);
            let options = options.map(|options| options.labels).unwrap_or_default();
            Situation::Dialog(SeenDialog { row, options, highlighted, sign })
        }
        Means::Permission { from: beginning } => {
            Situation::Permission { what: clipped(from(&|line| line.starts_with(beginning))) }
        }
        Means::Login => {
            let words = row.needs.first().copied().unwrap_or_default();
            Situation::Login { what: clipped(from(&|line| line.contains(words))) }
        }
        Means::Limited { says } => {
            let said = from(&|line| folded(line).contains(says));
            Situation::Limited { what: clipped(said.get(..1).unwrap_or_default()) }
        }
    }
}

/// Lines as one, without decoration, rules and boxes, clipped.
fn clipped(lines: &[&str]) -> String {
    let words = normalised(lines);
    let bare = words.trim_start_matches(|c: char| "●•◦⎿■✻✗✕·".contains(c) || c.is_whitespace());
    text::clipped(&text::one_line(bare), WHAT_CHARS).into_owned()
}

/// A screen on one line: rules and boxes gone, blanks and quotation marks folded.
fn normalised(lines: &[&str]) -> String {
    let bare: Vec<String> =
        lines.iter().map(|line| folded(unboxed(line))).filter(|line| !line.is_empty()).collect();
    bare.join(" ")
}

/// A line without the rule or the sides of a box.
fn unboxed(line: &str) -> &str {
    line.trim_matches(|c: char| "─━│┃╭╮╰╯╌".contains(c) || c.is_whitespace())
}

/// Blanks of all kinds as single spaces, curly quotation marks straight.
fn folded(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    for word in line.split_whitespace() {
        if !out.is_empty() {
            out.push(' ');
        }
        out.extend(word.chars().map(|c| match c {
            '‘' | '’' => '\'',
            '“' | '”' => '"',
            c => c,
        }));
    }
    out
}
