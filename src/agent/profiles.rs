//! The built-in profiles, one table a file.
//!
//! What a CLI is called with, what it asks and how its screens read are data here. In arguments, `{netsky}` stands
//! for the netsky that runs, `{home}` for its home, `{workdir}` for where the agent works; `{home:toml}` and
//! `{workdir:toml}` for the same as a TOML string.

mod claude;
mod codex;
mod demo;
mod gemini;
mod generic;
mod opencode;

use std::path::Path;

use super::profile::{Hooks, Levels};
use super::screen::ScreenTable;

/// A profile that exists without a line of configuration.
#[derive(Debug)]
pub(super) struct BuiltIn {
    pub(super) name: &'static str,
    pub(super) command: &'static [&'static str],
    pub(super) arguments: &'static [&'static str],
    pub(super) levels: Levels,
    pub(super) trusted: &'static [&'static str],
    pub(super) before_startup: &'static [&'static str],
    pub(super) hooks: Hooks,
    pub(super) memory: u64,
    pub(super) screen: &'static ScreenTable,
    pub(super) part_bytes: usize,
}

/// So much text reaches the model of every CLI whole, whatever its characters.
const SAFE_PART_BYTES: usize = 9_000;

const MIB: u64 = 1 << 20;

/// All of them.
pub(super) static ALL: [&BuiltIn; 5] =
    [&claude::PROFILE, &codex::PROFILE, &gemini::PROFILE, &opencode::PROFILE, &demo::PROFILE];

/// What a new profile without a base starts from.
pub(super) static GENERIC: &BuiltIn = &generic::PROFILE;

/// What placeholders stand for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Places<'a> {
    pub(super) home: &'a Path,
    pub(super) workdir: &'a Path,
}

/// An argument with its placeholders filled in.
pub(super) fn filled(template: &str, places: Places<'_>) -> String {
    let mut out = String::new();
    let mut rest = template;
    // One pass: a path may hold what looks like a placeholder.
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        let known = after.split_once('}').and_then(|(name, after)| Some((value(name, places)?, after)));
        match known {
            Some((value, after)) => {
                out.push_str(&value);
                rest = after;
            }
            None => {
                out.push('{');
                rest = after;
            }
        }
    }
    out + rest
}

fn value(name: &str, Places { home, workdir }: Places<'_>) -> Option<String> {
    let plain = |path: &Path| path.display().to_string();
    Some(match name {
        "home" => plain(home),
        "workdir" => plain(workdir),
        "home:toml" => super::attach::toml_string(&plain(home)),
        "workdir:toml" => super::attach::toml_string(&plain(workdir)),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_filled_in_once_and_quoted_for_their_place() {
        let places = Places { home: Path::new("/h {workdir}"), workdir: Path::new("/w \"q\"\n") };
        for (template, expected) in [
            ("plain", "plain"),
            ("{home}/x", "/h {workdir}/x"),
            ("projects={{workdir:toml}={a=1}}", "projects={\"/w \\\"q\\\"\\n\"={a=1}}"),
            ("{other} {", "{other} {"),
            ("{home:toml}{home}", "\"/h {workdir}\"/h {workdir}"),
        ] {
            let filled = filled(template, places);
            if template.contains("projects") {
                let document: toml_edit::DocumentMut = filled.parse().unwrap();
                assert!(document["projects"]["/w \"q\"\n"]["a"].is_integer());
            } else {
                assert_eq!(filled, expected);
            }
        }
    }

    #[test]
    fn the_configuration_knows_the_same_names() {
        assert_eq!(ALL.map(|built_in| built_in.name), crate::config::BUILT_IN_PROFILES);
    }

    #[test]
    fn names_of_dialogs_are_unique_in_meaning_and_rows_can_be_answered() {
        use crate::agent::dialog::{Means, Shape, Wants};
        for built_in in ALL {
            for row in built_in.screen.dialogs {
                assert!(!row.needs.is_empty(), "{}: {}", built_in.name, row.name);
                if let (Means::Startup { wants: Wants::Option(wanted), .. }, Shape::Options(labels)) =
                    (&row.means, &row.shape)
                {
                    assert!(labels.contains(wanted), "{}: {}", built_in.name, row.name);
                }
            }
        }
    }
}
