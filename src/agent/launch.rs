//! How an agent is launched: an order on disk, carried out inside the pane by `netsky launch`.
//!
//! tmux gets a short argument vector that names home, agent and generation; command, environment, directory and
//! umask stand in the order, readable by the owner alone, so no value of the environment is an argument of any
//! process. An order that was withdrawn, or is of another generation, is refused: what a frozen tmux server spawns late
//! ends at once.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::config::{Permissions, StartupHow};
use crate::id::Generation;
use crate::name::AgentName;
use crate::paths::Home;
use crate::persist::{self, Loaded, PersistError, StateFile};
use crate::process::Replacement;
use crate::state::environment::{self, Environment, OwnerSurroundings};

use super::profile::{Hooks, Profile};
use super::profiles::{self, Places};

/// An order cannot be carried out.
#[derive(Debug, thiserror::Error)]
pub enum LaunchRefusal {
    /// There is no order for this agent (any more).
    #[error("there is no launch order for {agent}")]
    NoOrder {
        /// The agent.
        agent: AgentName,
    },
    /// The order is for another spawn.
    #[error("the launch order of {agent} is for generation {ordered}, not {asked}")]
    OtherGeneration {
        /// The agent.
        agent: AgentName,
        /// What the order says.
        ordered: Generation,
        /// What the pane was made for.
        asked: Generation,
    },
    /// The order cannot be read.
    #[error("reading the launch order of {agent}")]
    Unreadable {
        /// The agent.
        agent: AgentName,
        /// The read that failed.
        source: PersistError,
    },
}

/// What an order is made of.
#[derive(Debug)]
pub struct LaunchOrder<'a> {
    /// The home.
    pub home: &'a Home,
    /// The agent.
    pub agent: AgentName,
    /// Its generation.
    pub generation: Generation,
    /// Its profile.
    pub profile: &'a Profile,
    /// What it may do without a person.
    pub permissions: Permissions,
    /// Where it works, without links: that is how Codex looks for it among what is trusted.
    pub workdir: &'a Path,
    /// Whether that is in `trust`.
    pub trusted: bool,
    /// The first thing asked.
    pub startup: &'a str,
    /// The owner's environment and umask.
    pub surroundings: &'a OwnerSurroundings,
    /// The netsky that hooks call.
    pub netsky: &'a Path,
}

#[derive(Debug, Serialize, Deserialize)]
struct OrderFile {
    version: u64,
    generation: Generation,
    command: Vec<String>,
    dir: PathBuf,
    umask: u32,
    variables: BTreeMap<String, String>,
    #[serde(default)]
    opaque: Vec<(String, String)>,
}
impl StateFile for OrderFile {}

/// Variables that tmux sets for its panes and that stay as tmux set them.
const OF_THE_PANE: [&str; 5] = ["TERM", "TERM_PROGRAM", "TERM_PROGRAM_VERSION", "TMUX", "TMUX_PANE"];

impl LaunchOrder<'_> {
    /// The whole command line of the agent.
    pub fn command(&self) -> Vec<String> {
        let profile = self.profile;
        let level = profile.levels.level(self.permissions);
        let trusted = if self.trusted { profile.trusted } else { &[] };
        let places = Places { home: self.home.root(), workdir: self.workdir };
        let templates = [profile.arguments, level.arguments, trusted].concat();
        let mut command = profile.command.clone();
        command.extend(templates.into_iter().map(|template| profiles::filled(template, places)));
        command.extend(self.hook_arguments());
        if profile.how == StartupHow::Argument {
            command.extend(profile.before_startup.iter().map(|word| (*word).to_owned()));
            command.push(self.startup.to_owned());
        }
        command
    }

    fn hook_arguments(&self) -> Vec<String> {
        match self.profile.hooks {
            Hooks::None | Hooks::BuiltIn => Vec::new(),
            Hooks::ClaudeSettings => {
                vec!["--settings".to_owned(), settings_path(self.home, self.agent).display().to_string()]
            }
            Hooks::CodexOverrides => super::attach::codex_arguments(self.netsky),
        }
    }

    /// The agent's environment: the owner's, the profile's, and netsky's marks.
    pub fn environment(&self) -> Environment {
        let mut all = environment::inheritable(&self.surroundings.environment);
        let level = self.profile.levels.level(self.permissions);
        all.extend(level.variables.iter().map(|(name, value)| (name.into(), value.into())));
        all.extend(self.profile.environment.iter().map(|(name, value)| (name.into(), value.into())));
        let mark = |name: &str, value: &dyn AsRef<OsStr>| (OsString::from(name), value.as_ref().to_owned());
        all.extend([
            mark("NETSKY_HOME", &self.home.root()),
            mark("NETSKY_AGENT", &self.agent.to_string()),
            mark("NETSKY_GENERATION", &self.generation.to_string()),
        ]);
        if let Some(number) = self.agent.number() {
            all.insert("AGENT_N".into(), number.to_string().into());
        }
        all
    }

    /// Writes the order, and the hook settings of a CLI that takes them from a file. Not synced: it lives as long as
    /// the spawn.
    pub fn write(&self) -> Result<(), PersistError> {
        if self.profile.hooks == Hooks::ClaudeSettings {
            let path = settings_path(self.home, self.agent);
            let settings = super::attach::claude_settings(self.netsky, self.permissions);
            persist::rewrite_volatile(&path, &persist::to_line(&settings, &path)?)?;
        }
        let (variables, opaque) = environment::encode(&self.environment());
        let order = OrderFile {
            version: OrderFile::VERSION,
            generation: self.generation,
            command: self.command(),
            dir: self.workdir.to_owned(),
            umask: self.surroundings.umask,
            variables,
            opaque,
        };
        let path = order_path(self.home, self.agent);
        persist::rewrite_volatile(&path, &persist::to_line(&order, &path)?)
    }
}

/// The argument vector that tmux is given for an agent: it is also the mark by which its pane is known.
pub fn pane_command(netsky: &Path, home: &Home, agent: AgentName, generation: Generation) -> Vec<OsString> {
    vec![
        netsky.into(),
        "launch".into(),
        home.root().into(),
        agent.to_string().into(),
        generation.to_string().into(),
    ]
}

/// What the pane is to become, from the order on disk and what tmux set for the pane.
pub fn read_order(
    home: &Home,
    agent: AgentName,
    generation: Generation,
    pane: &Environment,
) -> Result<Replacement, LaunchRefusal> {
    let order = match persist::load::<OrderFile>(&order_path(home, agent)) {
        Ok(Loaded::Present(order)) => order,
        Ok(Loaded::Absent | Loaded::MovedAside(_)) => return Err(LaunchRefusal::NoOrder { agent }),
        Err(source) => return Err(LaunchRefusal::Unreadable { agent, source }),
    };
    if order.generation != generation {
        return Err(LaunchRefusal::OtherGeneration { agent, ordered: order.generation, asked: generation });
    }
    let mut environment = environment::decode(order.variables, order.opaque);
    for name in OF_THE_PANE {
        if let Some(value) = pane.get(OsStr::new(name)) {
            environment.insert(name.into(), value.clone());
        }
    }
    let command = order.command.into_iter().map(OsString::from).collect();
    Ok(Replacement { command, environment, dir: order.dir, umask: order.umask })
}

/// Takes an order back: what is still spawned for it ends at once.
///
/// # Errors
/// It could not be removed.
pub fn withdraw(home: &Home, agent: AgentName) -> Result<(), PersistError> {
    persist::remove(&order_path(home, agent)).map(drop)
}

fn order_path(home: &Home, agent: AgentName) -> PathBuf {
    home.prompts().join(format!("{agent}.launch.json"))
}

fn settings_path(home: &Home, agent: AgentName) -> PathBuf {
    home.prompts().join(format!("{agent}.settings.json"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command_of(profile: &str, permissions: Permissions, trusted: bool) -> Vec<String> {
        let home = Home::locate(Some(Path::new("/home/me/.netsky")), None, None).unwrap();
        let netsky = Path::new("/opt/netsky");
        let profile = Profile::resolve(profile, &BTreeMap::new(), netsky).unwrap();
        let surroundings = OwnerSurroundings { environment: Environment::new(), umask: 0o022 };
        let order = LaunchOrder {
            home: &home,
            agent: AgentName::ROOT,
            generation: Generation::fresh(),
            profile: &profile,
            permissions,
            workdir: Path::new("/my \"w\""),
            trusted,
            startup: "-begin",
            surroundings: &surroundings,
            netsky,
        };
        order.command()
    }

    fn check(profile: &str, permissions: Permissions, trusted: bool, holds: &[&str], lacks: &[&str]) {
        let command = command_of(profile, permissions, trusted);
        for word in holds {
            assert!(command.iter().any(|given| given == word), "{word} is not in {command:?}");
        }
        for word in lacks {
            assert!(!command.iter().any(|given| given.contains(word)), "{word} is in {command:?}");
        }
        assert_eq!(command.last().map(String::as_str), Some("-begin"));
    }

    #[test]
    fn permission_levels_are_the_clis_own_terms() {
        use Permissions::{Ask, Bypass, Edits};
        let asks = "permissions.netsky={extends=\":read-only\",filesystem={\"/home/me/.netsky\"=\"write\"}}";
        let bypass = "--dangerously-bypass-approvals-and-sandbox";
        check(
            "codex",
            Ask,
            false,
            &["--no-daemon", "on-request", asks],
            &[bypass, "workspace-write", "projects"],
        );
        check(
            "codex",
            Edits,
            false,
            &["workspace-write", "/home/me/.netsky"],
            &[bypass, "default_permissions"],
        );
        check("codex", Bypass, false, &[bypass], &["on-request", "default_permissions"]);
        check("claude", Ask, true, &["--settings", "--"], &["permission", "dangerously"]);
        check("claude", Edits, false, &["--permission-mode", "acceptEdits"], &["dangerously"]);
        check("claude", Bypass, false, &["--dangerously-skip-permissions"], &["acceptEdits"]);
        check("demo", Bypass, true, &["/opt/netsky", "demo-agent"], &["dangerously"]);
    }

    #[test]
    fn only_a_trusted_directory_is_called_trusted() {
        let projects = r#"projects={"/my \"w\""={trust_level="trusted"}}"#;
        check("codex", Permissions::Ask, true, &[projects], &[]);
        check("codex", Permissions::Bypass, false, &[], &["projects", "trust_level"]);
        check("gemini", Permissions::Ask, true, &["--skip-trust", "-i"], &[]);
        check("gemini", Permissions::Ask, false, &["-i"], &["--skip-trust"]);
    }
}
