//! A TOML text as entries that know their line. What a key means is not known here.

use toml_edit::{Document, InlineTable, Item, Table, TableLike, Value};

/// A key with its value.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entry {
    pub(super) key: String,
    /// The line of the key, from 1.
    pub(super) line: usize,
    pub(super) node: Node,
}

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Node {
    /// The line it starts on, from 1.
    pub(super) line: usize,
    pub(super) kind: Kind,
}

/// What a value is.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind {
    Text(String),
    Integer(i64),
    List(Vec<Node>),
    Table(Vec<Entry>),
    /// No setting is of this type; holds its name.
    Other(&'static str),
}

impl Kind {
    /// The type, for a message.
    pub(super) fn type_name(&self) -> &'static str {
        match self {
            Self::Text(_) => "a string",
            Self::Integer(_) => "a number",
            Self::List(_) => "a list",
            Self::Table(_) => "a table",
            Self::Other(name) => name,
        }
    }
}

/// The text is no TOML.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Syntax {
    pub(super) line: usize,
    pub(super) message: String,
}

/// Reads a TOML text.
pub(super) fn parse(text: &str) -> Result<Vec<Entry>, Syntax> {
    let document = Document::parse(text).map_err(|error| syntax(text, &error))?;
    Ok(Lines { text }.entries(document.as_table(), 1))
}

/// A parser's error with its line.
pub(super) fn syntax(text: &str, error: &toml_edit::TomlError) -> Syntax {
    let line = error.span().map_or(1, |span| Lines { text }.line_at(span.start));
    Syntax { line, message: crate::text::one_line(error.message()) }
}

struct Lines<'a> {
    text: &'a str,
}

impl Lines<'_> {
    fn line_at(&self, offset: usize) -> usize {
        1 + self.text.bytes().take(offset).filter(|byte| *byte == b'\n').count()
    }

    fn entries(&self, table: &dyn TableLike, above: usize) -> Vec<Entry> {
        let mut entries: Vec<Entry> = table
            .iter()
            .map(|(key, item)| {
                let span = table.key(key).and_then(toml_edit::Key::span).or_else(|| item.span());
                let line = span.map_or(above, |span| self.line_at(span.start));
                Entry { key: key.to_owned(), line, node: self.item(item, line) }
            })
            .collect();
        entries.sort_by_key(|entry| entry.line);
        entries
    }

    fn item(&self, item: &Item, above: usize) -> Node {
        match item {
            Item::Value(value) => self.value(value, above),
            Item::Table(table) => self.table(table, above),
            Item::ArrayOfTables(_) => Node { line: above, kind: Kind::Other("an array of tables") },
            Item::None => Node { line: above, kind: Kind::Other("nothing") },
        }
    }

    fn table(&self, table: &Table, above: usize) -> Node {
        Node { line: above, kind: Kind::Table(self.entries(table, above)) }
    }

    fn inline(&self, table: &InlineTable, line: usize) -> Kind {
        Kind::Table(self.entries(table, line))
    }

    fn value(&self, value: &Value, above: usize) -> Node {
        let line = value.span().map_or(above, |span| self.line_at(span.start));
        let kind = match value {
            Value::String(text) => Kind::Text(text.value().clone()),
            Value::Integer(number) => Kind::Integer(*number.value()),
            Value::Array(array) => Kind::List(array.iter().map(|value| self.value(value, line)).collect()),
            Value::InlineTable(table) => self.inline(table, line),
            Value::Float(_) => Kind::Other("a fraction"),
            Value::Boolean(_) => Kind::Other("true or false"),
            Value::Datetime(_) => Kind::Other("a date"),
        };
        Node { line, kind }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_know_their_lines() {
        let entries =
            parse("# a\n[one]\nx = 1\nlist = [\n  \"a\",\n  \"b\",\n]\n\n[two.three]\ny = \"z\"\n").unwrap();
        assert_eq!(
            entries.iter().map(|e| (e.key.as_str(), e.line)).collect::<Vec<_>>(),
            [("one", 2), ("two", 9)]
        );
        let Kind::Table(one) = &entries[0].node.kind else { panic!() };
        assert_eq!((one[0].line, one[1].line), (3, 4));
        let Kind::List(list) = &one[1].node.kind else { panic!() };
        assert_eq!(list.iter().map(|node| node.line).collect::<Vec<_>>(), [5, 6]);
    }

    #[test]
    fn what_is_no_toml_names_its_line() {
        for (text, line) in [("a = 1\nb = \n", 2), ("a = 1\n\na = 2\n", 3), ("[x\n", 1)] {
            assert_eq!(parse(text).unwrap_err().line, line, "{text:?}");
        }
    }
}
