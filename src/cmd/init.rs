//! `netsky init`: the first configuration and the agent CLIs' own commands.
//!
//! Nothing that exists is ever overwritten. What nobody chose stays at its safe default.

mod question;
mod slash;

use std::ffi::OsStr;
use std::io::BufRead;
use std::path::{Path, PathBuf};

use crate::clock;
use crate::config::{BUILT_IN_PROFILES, Choices, Permissions, template};
use crate::name::Actor;
use crate::paths::Home;
use crate::persist::{self, Published};
use crate::process;

use super::setting::possible_home;
use super::{Caller, CommandError, Exit, output};
use question::Asker;

/// Write a commented config.toml, and the commands /up and /down for the agent CLIs that are installed
///
/// Asks on a terminal what must be chosen; without one it takes the safe defaults and says so. An existing file is
/// never overwritten.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The type of every agent: claude, codex, gemini, opencode or demo
    #[arg(long, value_name = "TYPE", value_parser = BUILT_IN_PROFILES)]
    agent: Option<String>,
    /// What agents may do without a person; bypass: everything
    #[arg(long, value_name = "LEVEL", value_parser = ["ask", "edits", "bypass"])]
    permissions: Option<String>,
    /// Ask nothing; what no option says gets its safe default
    #[arg(long)]
    yes: bool,
    /// Write no /up and /down
    #[arg(long)]
    no_commands: bool,
    /// Say what would be written and write nothing
    #[arg(long)]
    dry_run: bool,
}

pub(super) fn run(args: &Args, caller: &Caller) -> Result<Exit, CommandError> {
    let home = possible_home(caller)?;
    let file = caller.path_variable("NETSKY_CONFIG").map_or_else(|| home.config(), Path::to_owned);
    refuse_existing(&file)?;
    let found = installed(caller);
    let choices = choose(args, &found, &home, caller);
    let commands = if args.no_commands { Vec::new() } else { slash::commands(&found, caller) };
    if args.dry_run {
        return plan(&file, &choices, &commands).map(|()| Exit::Done);
    }
    caller.made_home()?;
    // The configuration comes last: while there is none this can be said again, so that a killed one is made whole.
    for command in &commands {
        command.install()?;
    }
    write(&file, &template(&choices))?;
    output::talk(&format!("netsky: made {}", file.display()));
    if !asks(args, caller) {
        output::talk("  nobody was asked: what no option says has its safe default");
    }
    say_choices(&choices, &found);
    output::talk(&format!("next: {}", next_step(&choices, &found)));
    Ok(Exit::Done)
}

fn refuse_existing(file: &Path) -> Result<(), CommandError> {
    let existing = || {
        CommandError::failed(format!("making {}", file.display()))
            .because("it exists already and is left as it is")
            .hint("netsky config show")
            .hint("netsky trust DIR")
    };
    if file.is_absolute() {
        return if std::fs::symlink_metadata(file).is_ok() { Err(existing()) } else { Ok(()) };
    }
    Err(CommandError::new(Exit::Configuration, "reading NETSKY_CONFIG").because("it is no absolute path"))
}

/// The agent CLIs on the caller's PATH; each is called as its profile is.
fn installed(caller: &Caller) -> Vec<&'static str> {
    let path = caller.environment.get(OsStr::new("PATH")).cloned().unwrap_or_default();
    let dir = caller.dir.as_deref().unwrap_or(Path::new("/"));
    let is_there = |name: &&str| process::find_program(OsStr::new(name), &path, dir).is_some();
    BUILT_IN_PROFILES.into_iter().filter(|name| *name != "demo").filter(is_there).collect()
}

/// Whether there is somebody who can be asked.
fn asks(args: &Args, caller: &Caller) -> bool {
    caller.stdin_is_terminal && caller.stderr_is_terminal && !args.yes
}

/// What the options say, else the answers on a terminal, else the safe defaults.
fn choose(args: &Args, found: &[&'static str], home: &Home, caller: &Caller) -> Choices {
    let asks = asks(args, caller);
    let mut read = || if asks { read_line() } else { None };
    let mut say = |question: &str| {
        if asks {
            output::draw(question)
        }
    };
    let mut asker = Asker::new(&mut read, &mut say);
    let agent = args.agent.clone().or_else(|| asker.agent(found));
    let permissions = match args.permissions.as_deref() {
        Some("bypass") => Permissions::Bypass,
        Some("edits") => Permissions::Edits,
        Some(_) => Permissions::Ask,
        None => asker.permissions(),
    };
    let trust = caller.dir.as_ref().and_then(|dir| std::fs::canonicalize(dir).ok());
    let trust = trust.filter(|dir| asker.trust(dir)).into_iter().collect();
    Choices { permissions, by: chooser(home, caller), at: clock::utc_now(), agent, workdir: None, trust }
}

/// One line of the person's; `None` at the end of what they type.
fn read_line() -> Option<String> {
    let mut line = String::new();
    let length = std::io::stdin().lock().read_line(&mut line).unwrap_or(0);
    (length > 0).then_some(line)
}

/// Who is recorded beside the permissions.
fn chooser(home: &Home, caller: &Caller) -> String {
    let user = caller.variable("USER").or_else(|| caller.variable("LOGNAME"));
    match (caller.actor(home), user) {
        (Actor::Owner, Some(user)) => user.to_owned(),
        (Actor::Owner, None) => format!("uid {}", rustix::process::getuid().as_raw()),
        (actor, _) => actor.to_string(),
    }
}

fn plan(file: &Path, choices: &Choices, commands: &[slash::Command]) -> Result<(), CommandError> {
    let mut plan = format!("would make {}\n", file.display());
    for command in commands {
        plan.push_str(&format!("would make {}\n", command.path().display()));
    }
    output::text(&plan)?;
    output::text(&template(choices))
}

/// Makes the file; one that appeared meanwhile stays.
fn write(file: &Path, text: &str) -> Result<(), CommandError> {
    let made = persist::publish(file, text.as_bytes());
    match made.map_err(|error| CommandError::failed(format!("making {}", file.display())).because(error))? {
        Published::New => Ok(()),
        Published::Existed => refuse_existing(file),
    }
}

fn say_choices(choices: &Choices, found: &[&str]) {
    let agent = match &choices.agent {
        Some(agent) => format!("agents are {agent}"),
        None if found.is_empty() => {
            "no agent CLI was found on PATH, so the type of the agents is the default".to_owned()
        }
        None => "the type of the agents is the default".to_owned(),
    };
    let permissions = match choices.permissions {
        Permissions::Ask => "they ask a person for everything (permissions = \"ask\")",
        Permissions::Edits => "they edit files without asking (permissions = \"edits\")",
        Permissions::Bypass => "they do ANYTHING without asking (permissions = \"bypass\")",
    };
    output::talk(&format!("  {agent}; {permissions}"));
    match choices.trust.as_slice() {
        [] => output::talk("  no directory is trusted yet: netsky trust DIR"),
        dirs => dirs.iter().for_each(|dir: &PathBuf| output::talk(&format!("  trusts {}", dir.display()))),
    }
}

fn next_step(choices: &Choices, found: &[&str]) -> &'static str {
    if choices.agent.is_none() && found.is_empty() { "netsky up --agent demo" } else { "netsky up" }
}

#[cfg(test)]
mod tests {
    use super::super::scene::Scene;
    use super::super::setting::Settings;
    use super::*;
    use crate::config::{Flags, Loaded};

    const SILENT: Args =
        Args { agent: None, permissions: None, yes: false, no_commands: false, dry_run: false };

    fn with_programs(names: &[&str]) -> Scene {
        use std::os::unix::fs::PermissionsExt;
        let scene = Scene::new();
        for name in names {
            let file = scene.file(&format!("bin/{name}"), b"#!/bin/sh\n");
            std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o700)).unwrap();
        }
        scene
    }

    fn settings(scene: &Scene) -> Loaded {
        Settings::load(&scene.caller, scene.home.clone(), Flags::default()).unwrap().loaded
    }

    #[test]
    fn without_a_terminal_it_takes_the_safe_defaults() {
        let scene = with_programs(&["codex", "claude"]);
        run(&SILENT, &scene.caller).unwrap();
        let loaded = settings(&scene);
        let constellation = &loaded.config.constellation;
        assert_eq!((constellation.agent.as_str(), constellation.permissions), ("claude", Permissions::Ask));
        assert!(constellation.trust.is_empty());
        assert!(loaded.permissions_chosen.unwrap().starts_with("chosen by me at "));
    }

    #[test]
    fn what_exists_is_never_overwritten() {
        let scene = with_programs(&["claude"]);
        let own = scene.file("user/.claude/commands/up.md", b"mine");
        run(&SILENT, &scene.caller).unwrap();
        assert_eq!(std::fs::read(own).unwrap(), b"mine");
        assert!(scene.read("user/.claude/commands/down.md").contains("handoff write"));
        let before = scene.read("home/config.toml");
        assert_eq!(run(&SILENT, &scene.caller).unwrap_err().exit, Exit::Failed);
        assert_eq!(scene.read("home/config.toml"), before);
    }

    #[test]
    fn options_are_choices_and_a_dry_run_writes_nothing() {
        let scene = with_programs(&["codex"]);
        let args = Args { permissions: Some("bypass".into()), agent: Some("demo".into()), ..SILENT };
        run(&Args { dry_run: true, ..args }, &scene.caller).unwrap();
        assert!(!scene.home.config().exists() && !scene.dir.path().join("user").exists());
        let args = Args {
            permissions: Some("bypass".into()),
            agent: Some("demo".into()),
            no_commands: true,
            ..SILENT
        };
        run(&args, &scene.caller).unwrap();
        let config = settings(&scene).config;
        assert_eq!(config.constellation.permissions, Permissions::Bypass);
        assert_eq!(config.constellation.root_agent, "demo");
        assert!(!scene.dir.path().join("user").exists());
    }
}
