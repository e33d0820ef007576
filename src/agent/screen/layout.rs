//! Where the composer stands on a screen, and what stands above and below it (pure).
//!
//! What is above the composer is transcript: an agent can have written anything there.

use super::folded;
use super::table::{ComposerShape, Standing};

/// A screen divided at its composer.
#[derive(Debug)]
pub(super) struct Layout<'a, 's> {
    /// The transcript, or everything where no composer is seen.
    pub(super) above: &'a [&'s str],
    /// What has been typed; `None`: no composer is seen.
    pub(super) typed: Option<String>,
    /// The lines below what has been typed.
    pub(super) below: &'a [&'s str],
}

impl<'a, 's> Layout<'a, 's> {
    /// Divides a screen.
    pub(super) fn of(lines: &'a [&'s str], shape: Option<&ComposerShape>) -> Self {
        let whole = Self { above: lines, typed: None, below: &[] };
        shape.and_then(|shape| Self::divided(lines, shape)).unwrap_or(whole)
    }

    fn divided(lines: &'a [&'s str], shape: &ComposerShape) -> Option<Self> {
        let first = first_line(lines, shape)?;
        let after = lines.get(first + 1..)?;
        let ends = |line: &&str| {
            if shape.standing == Standing::BetweenRules { is_rule(line) } else { line.trim().is_empty() }
        };
        let height = after.iter().position(ends).unwrap_or(after.len());
        let (continued, below) = after.split_at_checked(height)?;
        let stands = match shape.standing {
            Standing::BetweenRules => !below.is_empty(),
            Standing::Last => below.iter().all(|line| line.trim().is_empty()),
            Standing::Over(footers) => below.iter().any(|line| begins_with_any(line, footers)),
        };
        if !stands {
            return None;
        }
        let mut typed = vec![lines.get(first)?.get(shape.sign.len()..).unwrap_or_default()];
        typed.extend(continued);
        let rules = usize::from(shape.standing == Standing::BetweenRules);
        Some(Self { above: lines.get(..first - rules)?, typed: Some(folded(&typed.join(" "))), below })
    }
}

fn first_line(lines: &[&str], shape: &ComposerShape) -> Option<usize> {
    // An empty composer may have lost the blank after its sign.
    let begins = |line: &str| line.starts_with(shape.sign) || line == shape.sign.trim_end();
    let mut found = lines.iter().enumerate().rev().filter(|(_, line)| begins(line)).map(|(index, _)| index);
    match shape.standing {
        Standing::BetweenRules => found.find(|index| {
            index.checked_sub(1).and_then(|above| lines.get(above)).is_some_and(|line| is_rule(line))
        }),
        Standing::Last | Standing::Over(_) => found.next(),
    }
}

/// Whether a line is nothing but a rule; a name may stand in it.
pub(super) fn is_rule(line: &str) -> bool {
    line.starts_with("────")
}

fn begins_with_any(line: &str, beginnings: &[&str]) -> bool {
    beginnings.iter().any(|beginning| line.starts_with(beginning))
}

/// The blocks of the last turn, from the bottom up to what was asked: each begins in the first column below a blank
/// line, or with one of `heads`, and ends before a blank line.
pub(super) fn blocks<'a, 's>(above: &'a [&'s str], heads: &[&str], echo: &str) -> Vec<&'a [&'s str]> {
    let is_blank = |index: usize| above.get(index).is_none_or(|line| line.trim().is_empty());
    let is_head = |index: usize, line: &str| {
        let is_first = index == 0 || is_blank(index - 1);
        (is_first && !line.starts_with(char::is_whitespace)) || begins_with_any(line.trim_start(), heads)
    };
    let mut blocks = Vec::new();
    let mut end = above.len();
    for (index, line) in above.iter().enumerate().rev().filter(|(_, line)| !line.trim().is_empty()) {
        if !is_head(index, line) {
            continue;
        }
        let block = above.get(index..end).unwrap_or_default();
        let height = block.iter().position(|line| line.trim().is_empty()).unwrap_or(block.len());
        if line.starts_with(echo) {
            break;
        }
        blocks.push(block.get(..height).unwrap_or_default());
        end = index;
    }
    blocks
}
