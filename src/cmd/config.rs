//! `netsky config show` and `netsky config check`.

use serde::Serialize;

use crate::config::{Config, ConfigErrors, Flags, Inputs, Problem, ShownValue, Source};
use crate::text;

use super::setting::{Settings, possible_home, words};
use super::{Caller, CommandError, Exit, output};

/// Show the resolved configuration, or everything that is wrong with it
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Print every setting with its value and where that came from
    Show {
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
    /// Print every error with its place; exit 78 if there is one
    Check {
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
}

pub(super) fn run(args: &Args, caller: &Caller) -> Result<Exit, CommandError> {
    match args.what {
        What::Show { json } => show(json, caller),
        What::Check { json } => check(json, caller),
    }
}

fn show(json: bool, caller: &Caller) -> Result<Exit, CommandError> {
    let settings = Settings::load(caller, possible_home(caller)?, Flags::default())?;
    if json {
        output::json(&settings.loaded.document())?;
        return Ok(Exit::Done);
    }
    if !settings.loaded.file_exists {
        let file = settings.loaded.file.display();
        output::talk(&format!("netsky: there is no {file}; `netsky init` writes one"));
    }
    output::text(&lines(&settings.loaded.rows()))?;
    Ok(Exit::Done)
}

/// A column wider than this is not waited for.
const WIDEST: usize = 60;

/// One line a setting: as it would stand in the file, then its source.
fn lines(rows: &[ShownValue]) -> String {
    let setting = |row: &ShownValue| format!("{} = {}", text::one_line(&row.key), row.value_text());
    let width = rows.iter().map(|row| setting(row).chars().count()).filter(|width| *width <= WIDEST).max();
    let width = width.unwrap_or(0);
    rows.iter()
        .map(|row| format!("{:<width$}  # {}\n", setting(row), text::one_line(&row.source.to_string())))
        .collect()
}

/// What `config check --json` prints.
#[derive(Debug, Serialize)]
struct CheckDocument {
    version: u64,
    problems: Vec<ProblemRow>,
}

#[derive(Debug, Serialize)]
struct ProblemRow {
    /// The whole key; `None`: the file as a whole.
    key: Option<String>,
    path: Option<String>,
    line: Option<usize>,
    message: String,
    hint: Option<String>,
}

fn check(json: bool, caller: &Caller) -> Result<Exit, CommandError> {
    let home = possible_home(caller)?;
    if !json {
        let settings = Settings::load(caller, home, Flags::default())?;
        let file = settings.loaded.file.display();
        output::talk(&match settings.loaded.file_exists {
            true => format!("netsky: {file} has no errors"),
            false => format!("netsky: there is no {file}; the defaults hold"),
        });
        return Ok(Exit::Done);
    }
    let inputs = Inputs { file: home.config(), environment: &caller.environment, flags: Flags::default() };
    let problems = Config::load(&inputs).err().map(problem_rows).unwrap_or_default();
    let exit = if problems.is_empty() { Exit::Done } else { Exit::Configuration };
    output::json(&CheckDocument { version: 1, problems })?;
    Ok(exit)
}

fn problem_rows(errors: ConfigErrors) -> Vec<ProblemRow> {
    errors.problems.iter().map(problem_row).collect()
}

fn problem_row(problem: &Problem) -> ProblemRow {
    let place = |place: &Source| match place {
        Source::File { path, line } => (Some(path.display().to_string()), Some(*line)),
        Source::Default | Source::Environment { .. } | Source::Flag { .. } => (None, None),
    };
    let (key, (path, line)) = match problem {
        Problem::Unreadable { path, .. } | Problem::Missing { path, .. } => {
            (None, (Some(path.display().to_string()), None))
        }
        Problem::Syntax { path, line, .. } => (None, (Some(path.display().to_string()), Some(*line))),
        Problem::UnknownKey { key, place: at, .. } | Problem::Invalid { key, place: at, .. } => {
            (Some(key.clone()), place(at))
        }
    };
    ProblemRow { key, path, line, message: words(problem), hint: problem.hint() }
}

#[cfg(test)]
mod tests {
    use super::super::scene::{Scene, assert_valid};
    use super::*;

    fn problems(scene: &Scene) -> Vec<ProblemRow> {
        let inputs = Inputs {
            file: scene.home.config(),
            environment: &scene.caller.environment,
            flags: Flags::default(),
        };
        Config::load(&inputs).err().map(problem_rows).unwrap_or_default()
    }

    #[test]
    fn each_problem_has_its_key_and_its_place() {
        let scene = Scene::new();
        assert!(problems(&scene).is_empty());
        scene.configure("[restart]\nup_wait = 90\nupwait = \"1s\"\n");
        let rows = problems(&scene);
        let seen: Vec<_> = rows.iter().map(|row| (row.key.as_deref().unwrap(), row.line.unwrap())).collect();
        assert_eq!(seen, [("restart.up_wait", 2), ("restart.upwait", 3)]);
        assert_valid("config-check", &CheckDocument { version: 1, problems: rows });
        scene.configure("[restart\n");
        let rows = problems(&scene);
        assert_eq!((rows.len(), rows[0].key.as_deref(), rows[0].line), (1, None, Some(1)));
        assert_valid("config-check", &CheckDocument { version: 1, problems: rows });
    }

    #[test]
    fn what_is_shown_is_what_its_schema_says_and_one_line_a_setting() {
        let scene = Scene::new();
        scene.configure("[constellation]\nclones = 7\n");
        let settings = Settings::load(&scene.caller, scene.home.clone(), Flags::default()).unwrap();
        assert_valid("config", &settings.loaded.document());
        let lines = lines(&settings.loaded.rows());
        let line = lines.lines().find(|line| line.starts_with("constellation.clones = 7 ")).unwrap();
        assert!(line.ends_with("config.toml:2"), "{line}");
        assert_eq!(lines.lines().count(), settings.loaded.rows().len());
    }
}
