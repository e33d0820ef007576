//! The commands /up and /down of the agent CLIs: files in the user's own directories, made only where there is none.
//!
//! No line of them is a marker: what netsky wrote can never prove an agent up.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use crate::agent::hook::spoken_name;
use crate::clock;
use crate::owner;
use crate::persist::{self, PersistError, Published};

use super::super::{Caller, CommandError, output};

/// One file that may be made.
#[derive(Debug)]
pub(super) struct Command {
    path: PathBuf,
    text: String,
}

/// The commands for those of `found` that know such files.
pub(super) fn commands(found: &[&str], caller: &Caller) -> Vec<Command> {
    let netsky =
        spoken_name(&caller.netsky, caller.environment.get(OsStr::new("PATH")).map(|path| path.as_os_str()));
    let dirs = found.iter().filter_map(|cli| directory(cli, caller));
    dirs.flat_map(|dir| {
        [("up.md", up(&netsky)), ("down.md", down(&netsky))]
            .map(|(name, text)| Command { path: dir.join(name), text })
    })
    .collect()
}

/// Where a CLI looks for commands of the user's own; `None`: it has none, or nothing says where its directory is.
fn directory(cli: &str, caller: &Caller) -> Option<PathBuf> {
    let (variable, own, below) = match cli {
        "claude" => ("CLAUDE_CONFIG_DIR", ".claude", "commands"),
        "codex" => ("CODEX_HOME", ".codex", "prompts"),
        _ => return None,
    };
    let home = caller.path_variable("HOME").map(|home| home.join(own));
    let dir = caller.path_variable(variable).map(Path::to_owned).or(home)?;
    dir.is_absolute().then(|| dir.join(below))
}

impl Command {
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Makes the file, or says that there is one.
    pub(super) fn install(&self) -> Result<(), CommandError> {
        let shown = self.path.display();
        let failed = |error| {
            CommandError::failed(format!("making {shown}")).because(error).hint("netsky init --no-commands")
        };
        let dir = persist::parent_of(&self.path);
        for place in [persist::parent_of(dir), dir] {
            let unusable = |source| {
                failed(PersistError { doing: "using the directory", path: place.to_owned(), source })
            };
            owner::place(place).map_err(unusable)?;
        }
        // No other command will ever look here for what a killed one left.
        persist::sweep_debris(dir, clock::utc_now()).map_err(failed)?;
        if std::fs::symlink_metadata(&self.path).is_err() {
            persist::make_dir(dir).map_err(failed)?;
            if persist::publish(&self.path, self.text.as_bytes()).map_err(failed)? == Published::New {
                output::talk(&format!("netsky: made {shown}"));
                return Ok(());
            }
        }
        output::talk(&format!("netsky: {shown} exists already and is left as it is"));
        Ok(())
    }
}

fn up(netsky: &str) -> String {
    format!(
        "---\n\
         description: Begin as an agent of netsky\n\
         ---\n\
         If netsky's briefing stands above and your startup turn has not ended yet, end it now and do no work: answer \
         with one last line that holds nothing but your name, the word session, your number and the word up, parted \
         by single spaces. The briefing says your name and your number.\n\n\
         Otherwise run `{netsky} inbox next` until it says that the inbox is empty, and act on what it prints.\n"
    )
}

fn down(netsky: &str) -> String {
    format!(
        "---\n\
         description: Write the hand-over for your successor and end\n\
         ---\n\
         Write down what your successor must know: what you were asked for, what is done and how that was proved, what \
         is open, what you would do next. Put it into a file and keep it with `{netsky} handoff write FILE` (`-` is \
         standard input); this replaces what you wrote before.\n\n\
         Then end your turn with one sentence that says what you wrote. Stop or restart nothing yourself.\n"
    )
}

#[cfg(test)]
mod tests {
    use super::super::super::scene::Scene;
    use super::*;
    use crate::agent::marker::{DEFAULT_CORE, Marker};

    #[test]
    fn no_line_of_them_is_a_marker() {
        let marker = Marker::new(DEFAULT_CORE).unwrap();
        let core = regex::Regex::new(DEFAULT_CORE).unwrap();
        for text in [up("netsky"), down("/opt/a b/netsky")] {
            assert_eq!(marker.find(&text), None);
            assert!(!core.is_match(&text), "{text}");
        }
    }

    #[test]
    fn each_cli_has_its_own_place_and_may_be_told_another() {
        let mut scene = Scene::new();
        let paths = |scene: &Scene| -> Vec<String> {
            let commands = commands(&["claude", "codex", "gemini"], &scene.caller);
            let below = |command: &Command| command.path.strip_prefix(scene.dir.path()).unwrap().to_owned();
            commands.iter().map(|command| below(command).display().to_string()).collect()
        };
        let expected = [
            "user/.claude/commands/up.md",
            "user/.claude/commands/down.md",
            "user/.codex/prompts/up.md",
            "user/.codex/prompts/down.md",
        ];
        assert_eq!(paths(&scene), expected);
        let other = scene.dir.path().join("other");
        scene.caller.environment.insert("CODEX_HOME".into(), other.into());
        assert_eq!(paths(&scene)[2], "other/prompts/up.md");
    }
}
