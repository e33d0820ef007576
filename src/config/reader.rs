//! Takes values out of entries, remembers their sources and collects what is wrong.
//!
//! A key is known because somebody asked for it: there is no second list of keys that could disagree. What nobody
//! asked for is unknown, and the nearest key that somebody asked for is the hint.

use std::collections::BTreeMap;
use std::path::Path;

use super::document::{Entry, Kind, Node};
use super::value::{Read, Wrong};
use super::{Problem, Source};
use crate::text;

/// A table of the file, with the path of keys that leads to it.
pub(super) struct Section<'a> {
    path: String,
    entries: &'a [Entry],
}

impl<'a> Section<'a> {
    /// The whole file.
    pub(super) fn root(entries: &'a [Entry]) -> Self {
        Self { path: String::new(), entries }
    }

    /// The keys of the section, for one whose keys are free.
    pub(super) fn names(&self) -> impl Iterator<Item = &'a str> {
        self.entries.iter().map(|entry| entry.key.as_str())
    }

    /// The whole key of `key` in this section.
    pub(super) fn key(&self, key: &str) -> String {
        if self.path.is_empty() {
            text::one_line(key)
        } else {
            format!("{}.{}", self.path, text::one_line(key))
        }
    }
}

/// Collects values, sources and problems.
pub(super) struct Reader<'a> {
    file: &'a Path,
    sources: BTreeMap<String, Source>,
    problems: Vec<Problem>,
    known: Vec<String>,
    unknown: Vec<(String, usize)>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(file: &'a Path) -> Self {
        Self { file, sources: BTreeMap::new(), problems: Vec::new(), known: Vec::new(), unknown: Vec::new() }
    }

    /// The value of a key, where it is there and right.
    pub(super) fn value<T>(
        &mut self,
        section: &Section<'_>,
        key: &str,
        read: impl FnOnce(&Node) -> Read<T>,
    ) -> Option<T> {
        let whole = section.key(key);
        self.known.push(whole.clone());
        let entry = section.entries.iter().find(|entry| entry.key == key)?;
        let source = self.at(entry.line);
        self.accept(whole, source, read(&entry.node))
    }

    /// [`Reader::value`] into a place that holds the default.
    pub(super) fn set<T>(
        &mut self,
        section: &Section<'_>,
        key: &str,
        place: &mut T,
        read: impl FnOnce(&Node) -> Read<T>,
    ) {
        if let Some(value) = self.value(section, key, read) {
            *place = value;
        }
    }

    /// The table of a key; an empty one where there is none.
    pub(super) fn section<'s>(&mut self, above: &Section<'s>, key: &str) -> Section<'s> {
        let path = above.key(key);
        self.known.push(path.clone());
        let entries = match above.entries.iter().find(|entry| entry.key == key) {
            Some(Entry { node: Node { kind: Kind::Table(entries), .. }, .. }) => entries.as_slice(),
            None => &[],
            Some(entry) => {
                let what = format!("expected a table, found {}", entry.node.kind.type_name());
                let hint = format!("write [{path}] on a line of its own, its keys below");
                self.refuse(path.clone(), self.at(entry.line), what, Some(hint));
                &[]
            }
        };
        Section { path, entries }
    }

    /// The tables of a section whose keys are names, as in `[profile.mybot]`, with their lines.
    pub(super) fn named<'s>(&mut self, above: &Section<'s>) -> Vec<(&'s str, usize, Section<'s>)> {
        let entries = above.entries;
        entries
            .iter()
            .map(|entry| (entry.key.as_str(), entry.line, self.section(above, &entry.key)))
            .collect()
    }

    /// Whether a key is there, right or wrong.
    pub(super) fn has(&self, section: &Section<'_>, key: &str) -> bool {
        section.entries.iter().any(|entry| entry.key == key)
    }

    /// Whoever has read a section says so; what it did not ask for is unknown.
    pub(super) fn finish(&mut self, section: &Section<'_>) {
        for entry in section.entries {
            let whole = section.key(&entry.key);
            if !self.known.contains(&whole) {
                self.unknown.push((whole, entry.line));
            }
        }
    }

    /// Takes a value from another layer than the file.
    pub(super) fn accept<T>(&mut self, key: String, source: Source, read: Read<T>) -> Option<T> {
        match read {
            Ok(value) => {
                self.sources.insert(key, source);
                Some(value)
            }
            Err(Wrong { what, hint, line }) => {
                let place = match (source, line) {
                    (Source::File { .. }, Some(line)) => self.at(line),
                    (source, _) => source,
                };
                self.refuse(key, place, what, hint);
                None
            }
        }
    }

    /// Notes that a key's value is wrong.
    pub(super) fn refuse(&mut self, key: String, place: Source, what: String, hint: Option<String>) {
        self.problems.push(Problem::Invalid { key, place, what: text::one_line(&what), hint });
    }

    /// Where a key's value came from.
    pub(super) fn source(&self, key: &str) -> Source {
        self.sources.get(key).cloned().unwrap_or(Source::Default)
    }

    /// A line of the file.
    pub(super) fn at(&self, line: usize) -> Source {
        Source::File { path: self.file.to_owned(), line }
    }

    /// The sources and everything that is wrong, in the order of the file.
    pub(super) fn into_parts(mut self) -> (BTreeMap<String, Source>, Vec<Problem>) {
        for (key, line) in std::mem::take(&mut self.unknown) {
            let nearest = nearest(&key, &self.known);
            self.problems.push(Problem::UnknownKey { key, place: self.at(line), nearest });
        }
        self.problems.sort_by_key(|problem| match problem {
            Problem::Invalid { place: Source::File { line, .. }, .. }
            | Problem::UnknownKey { place: Source::File { line, .. }, .. } => *line,
            _ => usize::MAX,
        });
        (self.sources, self.problems)
    }
}

/// The known key that was probably meant: one of the same table that is spelt alike, else one of the same name in
/// another table.
fn nearest(key: &str, known: &[String]) -> Option<String> {
    let (table, name) = key.rsplit_once('.').unwrap_or(("", key));
    let split = |known: &'_ String| {
        let (table, name) = known.rsplit_once('.').unwrap_or(("", known));
        (table.to_owned(), name.to_owned())
    };
    let alike = known
        .iter()
        .map(split)
        .filter(|(beside, _)| beside == table)
        .map(|(_, candidate)| (strsim::damerau_levenshtein(name, &candidate), candidate))
        .filter(|(distance, candidate)| *distance <= 1.max(candidate.len().min(name.len()) / 3))
        .min();
    if let Some((_, candidate)) = alike {
        return Some(candidate);
    }
    known.iter().find(|known| split(known).1 == name).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_or_misplaced_key_finds_its_like() {
        let known: Vec<String> =
            ["constellation", "constellation.clones", "constellation.agent", "tmux", "tmux.size", "agent"]
                .map(str::to_owned)
                .to_vec();
        for (key, expected) in [
            ("constellation.clnoes", Some("clones")),
            ("constellation.clone", Some("clones")),
            ("constelation", Some("constellation")),
            ("clones", Some("constellation.clones")),
            ("constellation.size", Some("tmux.size")),
            ("tmux.weather", None),
            ("x", None),
        ] {
            assert_eq!(nearest(key, &known).as_deref(), expected, "{key}");
        }
    }
}
