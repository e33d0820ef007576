//! Edits of `config.toml` that keep its comments and its order. Text in, text out: nothing is read or written here.

use std::path::{Path, PathBuf};

use toml_edit::{Array, DocumentMut, Item, Table, Value};

use super::document;

/// The edit cannot be made.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum EditError {
    /// The file is no TOML.
    #[error("line {line} of the configuration: {message}")]
    Syntax {
        /// Where it stops to be TOML, from 1.
        line: usize,
        /// What the parser said.
        message: String,
    },
    /// What is there is not what the edit extends.
    #[error("{key} in the configuration is not {expected}")]
    Shape {
        /// The whole key.
        key: &'static str,
        /// What it should be.
        expected: &'static str,
    },
    /// Only whole paths are trusted.
    #[error("{} is not an absolute path", path.display())]
    Relative {
        /// As given.
        path: PathBuf,
    },
    /// TOML holds only UTF-8.
    #[error("the path {} is not UTF-8 and cannot be written into the configuration", path.display())]
    NotUtf8 {
        /// As given.
        path: PathBuf,
    },
}

/// The text with `dir` added to `constellation.trust`; the same text where it is listed already.
///
/// # Errors
/// The text is no TOML, `trust` is no list, or `dir` cannot be written into one.
pub fn add_trust(text: &str, dir: &Path) -> Result<String, EditError> {
    if !dir.is_absolute() {
        return Err(EditError::Relative { path: dir.to_owned() });
    }
    let entry = dir.to_str().ok_or_else(|| EditError::NotUtf8 { path: dir.to_owned() })?;
    let mut document: DocumentMut = text.parse().map_err(|error| {
        let document::Syntax { line, message } = document::syntax(text, &error);
        EditError::Syntax { line, message }
    })?;
    let mut fresh = Table::new();
    if document.iter().next().is_some() {
        fresh.decor_mut().set_prefix("\n");
    }
    let constellation = document
        .entry("constellation")
        .or_insert(Item::Table(fresh))
        .as_table_like_mut()
        .ok_or(EditError::Shape { key: "constellation", expected: "a table" })?;
    let trust = constellation
        .entry("trust")
        .or_insert(Item::Value(Value::Array(Array::new())))
        .as_array_mut()
        .ok_or(EditError::Shape { key: "constellation.trust", expected: "a list" })?;
    // As paths: a trailing slash makes no other directory.
    if trust.iter().filter_map(Value::as_str).any(|listed| Path::new(listed) == dir) {
        return Ok(text.to_owned());
    }
    push_in_style(trust, entry);
    Ok(document.to_string())
}

/// Adds an element the way the others are written: on a line of its own where they are, comments left where they
/// stand.
fn push_in_style(array: &mut Array, entry: &str) {
    let prefix = array.iter().last().and_then(|value| value.decor().prefix()?.as_str()).map(str::to_owned);
    let Some(indent) = prefix.as_deref().and_then(|prefix| Some(prefix.rsplit_once('\n')?.1.to_owned()))
    else {
        array.push(entry);
        return;
    };
    // What stands behind the last element (a comment, say) stays before the new one.
    let mut trailing = String::new();
    if let Some(last) = array.iter_mut().last() {
        trailing.push_str(last.decor().suffix().and_then(|suffix| suffix.as_str()).unwrap_or_default());
        last.decor_mut().set_suffix("");
    }
    trailing.push_str(array.trailing().as_str().unwrap_or_default());
    let (kept, end) = trailing.rsplit_once('\n').unwrap_or((trailing.as_str(), ""));
    let mut value = Value::from(entry);
    value.decor_mut().set_prefix(format!("{kept}\n{indent}"));
    let end = format!("\n{end}");
    array.push_formatted(value);
    array.set_trailing(end);
    array.set_trailing_comma(true);
}

#[cfg(test)]
mod tests;
