//! Reads the file and the environment and hands them to the resolver; writes the file back.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::resolve::{Variables, resolve};
use super::{Config, ConfigErrors, Problem, Source, document, value};
use crate::owner::{self, NotOurs};
use crate::persist::{self, PersistError};

/// A configuration is written by hand; one that is larger is something else.
const LARGEST_FILE: u64 = 1 << 20;

/// What a configuration is made of.
#[derive(Debug)]
pub struct Inputs<'a> {
    /// `config.toml` of the home; `NETSKY_CONFIG` names another.
    pub file: PathBuf,
    /// The caller's environment.
    pub environment: &'a BTreeMap<OsString, OsString>,
    /// What was typed.
    pub flags: Flags,
}

/// What was typed, as far as it is a setting.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Flags {
    /// `N`.
    pub clones: Option<u32>,
    /// `--agent TYPE`.
    pub agent: Option<String>,
}

/// A configuration that is right.
#[derive(Debug)]
pub struct Loaded {
    /// The settings.
    pub config: Config,
    /// The file that was read, or would have been.
    pub file: PathBuf,
    /// Whether there is one.
    pub file_exists: bool,
    /// Who chose the permissions and when, where the file says so beside them.
    pub permissions_chosen: Option<String>,
    pub(super) sources: BTreeMap<String, Source>,
}

impl Config {
    /// Reads all layers.
    ///
    /// # Errors
    /// Everything that is wrong, not only the first.
    pub fn load(inputs: &Inputs<'_>) -> Result<Loaded, ConfigErrors> {
        let home = inputs.environment.get(&OsString::from("HOME")).filter(|home| !home.is_empty());
        let home = home.map(Path::new).filter(|home| home.is_absolute());
        let mut problems = Vec::new();
        let (file, is_named) = locate(inputs, home, &mut problems);
        let text = match text_of(&file) {
            Ok(text) => text,
            Err(problem) => {
                problems.push(problem);
                None
            }
        };
        if text.is_none() && is_named && problems.is_empty() {
            problems.push(Problem::Missing { path: file.clone(), variable: "NETSKY_CONFIG" });
        }
        let entries = document::parse(text.as_deref().unwrap_or_default()).unwrap_or_else(|syntax| {
            let document::Syntax { line, message } = syntax;
            problems.push(Problem::Syntax { path: file.clone(), line, message });
            Vec::new()
        });
        let variables = variables(inputs, &mut problems);
        let (config, sources, found) = resolve(&file, &entries, home, &variables, &inputs.flags);
        // It may have commands run, so that it is looked at as this one was.
        if let Some(conf) = &config.tmux.conf
            && let Err(source) = owner::setting(conf)
            && NotOurs::behind(&source).is_some()
        {
            problems.push(Problem::Unreadable { path: conf.clone(), source });
        }
        // With a file that could not be read, what flags refer to cannot be judged.
        if problems.is_empty() {
            problems.extend(found);
        }
        if !problems.is_empty() {
            return Err(ConfigErrors { problems });
        }
        let permissions_chosen = match (&text, sources.get("constellation.permissions")) {
            (Some(text), Some(Source::File { line, .. })) => comment_of_line(text, *line),
            _ => None,
        };
        Ok(Loaded { config, file_exists: text.is_some(), file, permissions_chosen, sources })
    }
}

impl Loaded {
    /// Where a value came from, by its whole key.
    pub fn source_of(&self, key: &str) -> Source {
        self.sources.get(key).cloned().unwrap_or(Source::Default)
    }
}

/// Replaces the configuration file, durably. Where it is a link (into somebody's dotfiles), the file that the link
/// names is replaced and the link stays.
///
/// # Errors
/// The write failed; the old file is as it was.
pub fn save(file: &Path, text: &str) -> Result<(), PersistError> {
    let target = fs::canonicalize(file).unwrap_or_else(|_| file.to_owned());
    persist::replace(&target, text.as_bytes())
}

/// The file, and whether a variable names it.
fn locate(inputs: &Inputs<'_>, home: Option<&Path>, problems: &mut Vec<Problem>) -> (PathBuf, bool) {
    let Some(named) = variable(inputs, "NETSKY_CONFIG", problems) else {
        return (inputs.file.clone(), false);
    };
    let node = document::Node { line: 1, kind: document::Kind::Text(named) };
    match value::path(&node, home) {
        Ok(path) => (path, true),
        Err(wrong) => {
            problems.push(Problem::Invalid {
                key: "NETSKY_CONFIG".to_owned(),
                place: Source::Environment { variable: "NETSKY_CONFIG" },
                what: wrong.what,
                hint: wrong.hint,
            });
            (inputs.file.clone(), false)
        }
    }
}

fn variables(inputs: &Inputs<'_>, problems: &mut Vec<Problem>) -> Variables {
    Variables {
        tmux_socket: variable(inputs, "NETSKY_TMUX_SOCKET", problems),
        handoff_keep: variable(inputs, "NETSKY_HANDOFF_KEEP", problems),
        log: variable(inputs, "NETSKY_LOG", problems),
        no_color: inputs.environment.get(&OsString::from("NO_COLOR")).is_some_and(|value| !value.is_empty()),
    }
}

fn variable(inputs: &Inputs<'_>, name: &'static str, problems: &mut Vec<Problem>) -> Option<String> {
    let value = inputs.environment.get(&OsString::from(name)).filter(|value| !value.is_empty())?;
    if let Some(text) = value.to_str() {
        return Some(text.to_owned());
    }
    problems.push(Problem::Invalid {
        key: name.to_owned(),
        place: Source::Environment { variable: name },
        what: "it is not UTF-8".to_owned(),
        hint: None,
    });
    None
}

/// The text of the file; `None` where there is none.
fn text_of(path: &Path) -> Result<Option<String>, Problem> {
    let bytes = read_file(path).map_err(|source| Problem::Unreadable { path: path.to_owned(), source })?;
    let Some(bytes) = bytes else { return Ok(None) };
    String::from_utf8(bytes).map(Some).map_err(|error| {
        let (until, bytes) = (error.utf8_error().valid_up_to(), error.as_bytes());
        let line = 1 + bytes.iter().take(until).filter(|byte| **byte == b'\n').count();
        Problem::Syntax { path: path.to_owned(), line, message: "it is not UTF-8".to_owned() }
    })
}

/// What a regular file holds; `None` where there is none. Links of ours are followed: configuration often lives
/// elsewhere. It says what is run, so that it has to be ours or the administrator's alone.
fn read_file(path: &Path) -> io::Result<Option<Vec<u8>>> {
    owner::setting(path)?;
    match fs::metadata(path) {
        Ok(metadata) if !metadata.is_file() => {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
        }
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound && fs::symlink_metadata(path).is_err() => {
            return Ok(None);
        }
        Err(error) => return Err(error),
    }
    let mut bytes = Vec::new();
    let file = File::open(path)?;
    owner::opened_setting(&file)?;
    file.take(LARGEST_FILE + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LARGEST_FILE {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it is larger than 1 MiB"));
    }
    Ok(Some(bytes))
}

/// What stands behind `#` on a line whose value holds none.
fn comment_of_line(text: &str, line: usize) -> Option<String> {
    let (_, comment) = text.lines().nth(line.checked_sub(1)?)?.split_once('#')?;
    Some(crate::text::one_line(comment)).filter(|comment| !comment.is_empty())
}

#[cfg(test)]
mod tests;
