//! `netsky trust DIR`.

use std::path::{Path, PathBuf};

use crate::clock;
use crate::config::{
    self, Choices, EditError, Flags, Loaded, Permissions, is_trusted, resolved_trust, template,
};
use crate::persist::{self, Published};

use super::setting::{self, Settings, possible_home};
use super::{Caller, CommandError, Exit, output};

/// Let netsky answer the trust dialog of agents in a directory
///
/// Adds the directory to `trust` in config.toml and keeps the comments there. What lies below it is trusted too.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The directory
    dir: PathBuf,
    /// Say what would be done and write nothing
    #[arg(long)]
    dry_run: bool,
}

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
enum Change {
    /// It is trusted already.
    None,
    /// The file gets one more entry.
    Edit {
        /// All of the new file.
        text: String,
    },
    /// There is no file yet.
    Create {
        /// All of it.
        text: String,
    },
}

pub(super) fn run(args: &Args, caller: &Caller) -> Result<Exit, CommandError> {
    let dir = resolved(&args.dir)?;
    let look = |home| -> Result<(PathBuf, Change), CommandError> {
        let settings = Settings::load(caller, home, Flags::default())?;
        Ok((settings.loaded.file.clone(), decide(&settings.loaded, &dir)?))
    };
    let (file, change) = look(possible_home(caller)?)?;
    let shown = dir.display();
    if change == Change::None {
        output::talk(&format!("netsky: {shown} is trusted already"));
        return Ok(Exit::Done);
    }
    let file = file.display();
    if args.dry_run {
        let planned = match change {
            Change::Create { .. } => format!("would make {file}, which trusts {shown}"),
            _ => format!("would add {shown} to {file}"),
        };
        output::text(&planned)?;
        return Ok(Exit::Done);
    }
    let home = caller.made_home()?;
    let failed = |error| CommandError::failed(format!("trusting {shown}")).because(error);
    // Two at once would each write what they had read. Looked at again: another may have come first.
    let _held = setting::take_config_lock(&home, &format!("trusting {shown}"))?;
    let (path, mut change) = look(home.clone())?;
    if let Change::Create { text } = &change {
        match persist::publish(&path, text.as_bytes()).map_err(failed)? {
            Published::New => {
                output::talk(&format!("netsky: made {file}, which trusts {shown}"));
                return Ok(Exit::Done);
            }
            // What was chosen at `init` meanwhile stays.
            Published::Existed => (_, change) = look(home)?,
        }
    }
    let done = match &change {
        Change::None => format!("{shown} is trusted already"),
        Change::Edit { text } => {
            config::save(&path, text).map_err(failed)?;
            format!("added {shown} to {file}")
        }
        Change::Create { .. } => {
            return Err(CommandError::failed(format!("making {file}"))
                .because("somebody else made it and took it away meanwhile"));
        }
    };
    output::talk(&format!("netsky: {done}"));
    Ok(Exit::Done)
}

/// The directory without links, as the agent CLIs know it too.
fn resolved(dir: &Path) -> Result<PathBuf, CommandError> {
    let doing = || CommandError::failed(format!("trusting {}", dir.display()));
    let whole = std::fs::canonicalize(dir).map_err(|error| doing().because(error))?;
    if whole.is_dir() { Ok(whole) } else { Err(doing().because("it is not a directory")) }
}

fn decide(loaded: &Loaded, dir: &Path) -> Result<Change, CommandError> {
    if is_trusted(dir, &resolved_trust(&loaded.config.constellation.trust)) {
        return Ok(Change::None);
    }
    let doing = || CommandError::failed(format!("trusting {}", dir.display()));
    let before = if loaded.file_exists {
        std::fs::read_to_string(&loaded.file).map_err(|error| doing().because(error))?
    } else {
        template(&untouched())
    };
    let edited = config::add_trust(&before, dir)
        .map_err(|error: EditError| doing().because(error).hint(format!("edit {}", loaded.file.display())))?;
    Ok(if loaded.file_exists { Change::Edit { text: edited } } else { Change::Create { text: edited } })
}

/// A configuration in which nobody has chosen anything.
fn untouched() -> Choices {
    Choices {
        permissions: Permissions::Ask,
        by: "default".to_owned(),
        at: clock::utc_now(),
        agent: None,
        workdir: None,
        trust: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::scene::Scene;
    use super::*;

    fn trust(scene: &Scene, dir: &Path, dry_run: bool) -> Result<Exit, CommandError> {
        run(&Args { dir: dir.to_owned(), dry_run }, &scene.caller)
    }

    fn trusted(scene: &Scene) -> Vec<PathBuf> {
        let settings = Settings::load(&scene.caller, scene.home.clone(), Flags::default()).unwrap();
        settings.loaded.config.constellation.trust
    }

    #[test]
    fn the_file_is_made_where_there_is_none_and_nothing_is_added_twice() {
        let scene = Scene::new();
        let root = std::fs::canonicalize(scene.dir.path()).unwrap();
        let (real, link) = (root.join("real"), root.join("link"));
        persist::make_dir(&real.join("below")).unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        trust(&scene, &link, true).unwrap();
        assert!(!scene.home.config().exists());
        trust(&scene, &link, false).unwrap();
        assert_eq!(trusted(&scene), std::slice::from_ref(&real));
        let before = scene.read("home/config.toml");
        trust(&scene, &real.join("below"), false).unwrap();
        assert_eq!(scene.read("home/config.toml"), before);
    }

    #[test]
    fn of_many_at_once_none_is_lost() {
        let scene = Scene::new();
        let root = std::fs::canonicalize(scene.dir.path()).unwrap();
        let dirs: Vec<PathBuf> = (0..8).map(|number| root.join(format!("trusted{number}"))).collect();
        dirs.iter().for_each(|dir| persist::make_dir(dir).unwrap());
        std::thread::scope(|scope| {
            for dir in &dirs {
                scope.spawn(|| trust(&scene, dir, false).unwrap());
            }
        });
        let mut all = trusted(&scene);
        all.sort();
        assert_eq!(all, dirs);
    }

    #[test]
    fn comments_stay_and_only_directories_are_trusted() {
        let scene = Scene::new();
        scene.configure("# mine\n[constellation]\nclones = 1 # few\n");
        trust(&scene, scene.dir.path(), false).unwrap();
        let text = scene.read("home/config.toml");
        assert!(text.contains("# mine\n") && text.contains("clones = 1 # few\n"), "{text}");
        assert_eq!(trusted(&scene).len(), 1);
        for bad in ["home/config.toml", "nowhere"] {
            assert_eq!(trust(&scene, &scene.dir.path().join(bad), false).unwrap_err().exit, Exit::Failed);
        }
    }

    #[test]
    fn a_configuration_with_an_error_is_not_edited() {
        let scene = Scene::new();
        scene.configure("[constellation]\nclonse = 1\n");
        let error = trust(&scene, scene.dir.path(), false).unwrap_err();
        assert_eq!(error.exit, Exit::Configuration);
        assert_eq!(scene.read("home/config.toml"), "[constellation]\nclonse = 1\n");
    }
}
