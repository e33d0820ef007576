//! Numbered options on a screen, and which of them is highlighted (pure).

/// A group of numbered options.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Options {
    /// Their words from the top.
    pub(super) labels: Vec<String>,
    /// The one that is highlighted.
    pub(super) highlighted: usize,
    /// What stands before it.
    pub(super) sign: char,
    /// The line of the first.
    pub(super) first_line: usize,
    /// The line of the last.
    pub(super) last_line: usize,
}

/// So many lines may stand between two options: a wrapped label, a description.
const LONGEST_OPTION: usize = 4;

struct OptionLine<'s> {
    number: usize,
    label: &'s str,
    /// By this sign.
    highlighted: Option<char>,
}

/// The last group of two or more options, numbered from 1, if exactly one is highlighted.
pub(super) fn last_group(lines: &[&str], signs: &[char]) -> Option<Options> {
    let mut group: Vec<(usize, OptionLine<'_>)> = Vec::new();
    let mut last_whole = None;
    for (index, line) in lines.iter().enumerate() {
        let Some(option) = option_line(line, signs) else { continue };
        let follows = group.last().is_some_and(|(before, last)| {
            option.number == last.number + 1 && index - before <= LONGEST_OPTION
        });
        if option.number == 1 {
            last_whole = options(&group).or(last_whole);
            group.clear();
        } else if !follows {
            continue;
        }
        group.push((index, option));
    }
    if group.len() > 1 { options(&group) } else { last_whole }
}

fn options(group: &[(usize, OptionLine<'_>)]) -> Option<Options> {
    let (first_line, last_line) = (group.first()?.0, group.last()?.0);
    let by_sign =
        |(index, (_, option)): (usize, &(usize, OptionLine<'_>))| Some((index, option.highlighted?));
    let mut highlights = group.iter().enumerate().filter_map(by_sign);
    let (Some((highlighted, sign)), None) = (highlights.next(), highlights.next()) else { return None };
    let labels: Vec<String> = group.iter().map(|(_, option)| super::folded(option.label)).collect();
    (labels.len() > 1).then_some(Options { labels, highlighted, sign, first_line, last_line })
}

/// `❯ 2. Yes, I accept`, also in a box.
fn option_line<'s>(line: &'s str, signs: &[char]) -> Option<OptionLine<'s>> {
    let bare = line.trim_matches(|c: char| c == '│' || c.is_whitespace());
    let (highlighted, rest) = match bare.strip_prefix(signs) {
        Some(rest) => (bare.chars().next(), rest.strip_prefix(' ')?.trim_start()),
        None => (None, bare),
    };
    let digits = rest.find(|c: char| !c.is_ascii_digit())?;
    let (number, rest) = rest.split_at_checked(digits)?;
    let label = rest.strip_prefix(['.', ')'])?.strip_prefix(' ')?.trim();
    Some(OptionLine {
        number: number.parse().ok().filter(|number| (1..100).contains(number))?,
        label,
        highlighted,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_counts_from_one_and_has_one_highlight() {
        for (screen, expected) in [
            ("❯ 1. Yes\n  2. No", Some((2, 0))),
            ("  1. Yes\n❯ 2. No", Some((2, 1))),
            ("│ ● 1. Yes   │\n│   2. No    │", Some((2, 0))),
            ("› 1. Yes and a label that\n     is wrapped\n  2. No\n\n  Enter", Some((2, 0))),
            ("❯ 1. Yes\n❯ 2. No", None),
            ("  1. Yes\n  2. No", None),
            ("❯ 1. Yes", None),
            ("❯ 2. Yes\n  3. No", None),
            ("❯ 1. Yes\n\n\n\n\n\n  2. No", None),
            ("❯ 1.Yes\n  2.No", None),
            ("❯1. Yes\n  2. No", None),
            ("❯ 1. a\n  2. b\n\n  1. c\n❯ 2. d\n  3. e", Some((3, 1))),
            ("❯ 1. a\n  2. b\n\n  1. alone", Some((2, 0))),
            ("", None),
        ] {
            let lines: Vec<&str> = screen.lines().collect();
            let seen =
                last_group(&lines, &['❯', '›', '●']).map(|group| (group.labels.len(), group.highlighted));
            assert_eq!(seen, expected, "{screen:?}");
        }
    }
}
