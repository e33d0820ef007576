//! A profile: one agent CLI as data.
//!
//! Built-in profiles are tables in `profiles/`; a user's profile is new or overrides fields of a built-in one. No
//! code anywhere asks for a profile by name.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::config::{Permissions, ProfileOverrides, StartupHow};

use super::marker::{DEFAULT_CORE, Marker};
use super::profiles::{self, BuiltIn};
use super::screen::ScreenTable;

/// A profile cannot be made from the configuration.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// There is none of this name.
    #[error("there is no profile {name:?} (known: {})", known.join(", "))]
    Unknown {
        /// The name.
        name: String,
        /// Those that there are.
        known: Vec<String>,
    },
    /// A new profile does not say what to start.
    #[error("profile {name:?} has no command")]
    NoCommand {
        /// The profile.
        name: String,
    },
    /// Its marker is no regular expression.
    #[error("reading the marker of profile {name:?}")]
    Marker {
        /// The profile.
        name: String,
        /// What is wrong with it.
        source: Box<regex::Error>,
    },
    /// What it is asked first would prove it up.
    #[error(
        "the startup question of profile {name:?} has a line that is its marker, so that asking would prove it up"
    )]
    StartupIsMarker {
        /// The profile.
        name: String,
    },
}

/// One agent CLI. Placeholders in its arguments: see `profiles`.
#[derive(Debug, Clone)]
pub struct Profile {
    /// Its name in the configuration.
    pub name: String,
    /// Program and the owner's arguments; never empty.
    pub command: Vec<String>,
    /// What every agent of it gets after those.
    pub arguments: &'static [&'static str],
    /// What each permission level adds.
    pub levels: Levels,
    /// What a work directory in `trust` adds.
    pub trusted: &'static [&'static str],
    /// What stands before a startup question that is an argument.
    pub before_startup: &'static [&'static str],
    /// Variables it gets beside the owner's.
    pub environment: BTreeMap<String, String>,
    /// How netsky's hooks are attached.
    pub hooks: Hooks,
    /// The first thing asked; `None`: the sentence that the briefing module makes.
    pub startup: Option<String>,
    /// How the first thing is asked.
    pub how: StartupHow,
    /// What ends the startup turn.
    pub marker: Marker,
    /// Resident memory of one agent, for the preflight; bytes.
    pub memory: u64,
    /// How its screens read.
    pub screen: &'static ScreenTable,
    /// How many bytes of a command's output reach its model whole: the size of a part of a long message.
    pub part_bytes: usize,
}

/// What turns a permission level into the CLI's own terms.
#[derive(Debug, Clone, Copy)]
pub struct Levels {
    /// A person is asked for everything.
    pub ask: Level,
    /// Edits in the work directory need no person.
    pub edits: Level,
    /// Nothing needs a person.
    pub bypass: Level,
}

/// One permission level in a CLI's own terms.
#[derive(Debug, Clone, Copy)]
pub struct Level {
    /// Arguments, with placeholders.
    pub arguments: &'static [&'static str],
    /// Variables.
    pub variables: &'static [(&'static str, &'static str)],
}

impl Level {
    /// What the CLI does by itself.
    pub const PLAIN: Self = Self { arguments: &[], variables: &[] };

    /// A level by arguments.
    pub const fn arguments(arguments: &'static [&'static str]) -> Self {
        Self { arguments, variables: &[] }
    }

    /// A level by variables.
    pub const fn variables(variables: &'static [(&'static str, &'static str)]) -> Self {
        Self { arguments: &[], variables }
    }
}

impl Levels {
    /// One level.
    pub fn level(&self, permissions: Permissions) -> Level {
        match permissions {
            Permissions::Ask => self.ask,
            Permissions::Edits => self.edits,
            Permissions::Bypass => self.bypass,
        }
    }
}

/// How a CLI is told to call `netsky hook EVENT`, for this invocation alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Hooks {
    /// It has none: its screen is the proof.
    None,
    /// Claude Code: a settings file of netsky's own, named by `--settings`.
    ClaudeSettings,
    /// Codex: `-c hooks.EVENT=…` overrides.
    CodexOverrides,
    /// It calls the hook verb by itself (the demo agent).
    BuiltIn,
}

/// The names that need no configuration.
pub fn built_in_names() -> impl Iterator<Item = &'static str> {
    profiles::ALL.iter().map(|built_in| built_in.name)
}

impl Profile {
    /// The profile of this name: built in, overridden, or new. `netsky` is the binary that runs.
    ///
    /// # Errors
    /// There is none, or the configuration of a new one is incomplete.
    pub fn resolve(
        name: &str,
        overrides: &BTreeMap<String, ProfileOverrides>,
        netsky: &Path,
    ) -> Result<Self, ProfileError> {
        let built_in = |name: &str| profiles::ALL.into_iter().find(|built_in| built_in.name == name);
        let own = overrides.get(name);
        let unknown = |name: &str| {
            let mut known: Vec<String> = built_in_names().map(str::to_owned).collect();
            known.extend(overrides.keys().filter(|name| built_in(name).is_none()).cloned());
            ProfileError::Unknown { name: name.to_owned(), known }
        };
        let base = match (built_in(name), own) {
            (Some(base), _) => base,
            (None, None) => return Err(unknown(name)),
            (None, Some(ProfileOverrides { base: None, .. })) => profiles::GENERIC,
            (None, Some(ProfileOverrides { base: Some(base), .. })) => {
                built_in(base).ok_or_else(|| unknown(base))?
            }
        };
        let mut profile = Self::from(name, base, netsky)?;
        if let Some(own) = own {
            profile.change(own)?;
        }
        if profile.command.is_empty() {
            return Err(ProfileError::NoCommand { name: name.to_owned() });
        }
        if profile.startup.as_deref().is_some_and(|startup| profile.marker.find(startup).is_some()) {
            return Err(ProfileError::StartupIsMarker { name: name.to_owned() });
        }
        Ok(profile)
    }

    fn from(name: &str, base: &BuiltIn, netsky: &Path) -> Result<Self, ProfileError> {
        let netsky = netsky.display().to_string();
        let marker = marker(name, DEFAULT_CORE)?;
        Ok(Self {
            name: name.to_owned(),
            command: base.command.iter().map(|word| word.replace("{netsky}", &netsky)).collect(),
            arguments: base.arguments,
            levels: base.levels,
            trusted: base.trusted,
            before_startup: base.before_startup,
            environment: BTreeMap::new(),
            hooks: base.hooks,
            startup: None,
            how: StartupHow::Argument,
            marker,
            memory: base.memory,
            screen: base.screen,
            part_bytes: base.part_bytes,
        })
    }

    fn change(&mut self, own: &ProfileOverrides) -> Result<(), ProfileError> {
        if let Some(command) = &own.command {
            self.command.clone_from(command);
        }
        self.environment.extend(own.env.clone());
        self.startup = own.startup.clone().or(self.startup.take());
        self.how = own.how.unwrap_or(self.how);
        self.memory = own.memory.unwrap_or(self.memory);
        if let Some(core) = &own.marker {
            self.marker = marker(&self.name, core)?;
        }
        Ok(())
    }

    /// Whether its command line asks for development channels, so that their warning may be answered.
    pub fn asks_for_development_channels(&self) -> bool {
        const FLAG: &str = "--dangerously-load-development-channels";
        self.command
            .iter()
            .any(|word| word == FLAG || word.strip_prefix(FLAG).is_some_and(|rest| rest.starts_with('=')))
    }
}

fn marker(name: &str, core: &str) -> Result<Marker, ProfileError> {
    Marker::new(core)
        .map_err(|source| ProfileError::Marker { name: name.to_owned(), source: Box::new(source) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(name: &str, overrides: &[(&str, ProfileOverrides)]) -> Result<Profile, ProfileError> {
        let overrides = overrides.iter().map(|(name, own)| ((*name).to_owned(), own.clone())).collect();
        Profile::resolve(name, &overrides, Path::new("/opt/netsky"))
    }

    fn command(words: &[&str]) -> ProfileOverrides {
        let command = words.iter().map(|word| (*word).to_owned()).collect();
        ProfileOverrides { command: Some(command), ..ProfileOverrides::default() }
    }

    #[test]
    fn every_built_in_profile_resolves() {
        for name in built_in_names() {
            assert!(!resolved(name, &[]).unwrap().command.is_empty(), "{name}");
        }
        assert_eq!(resolved("demo", &[]).unwrap().command, ["/opt/netsky", "demo-agent"]);
    }

    #[test]
    fn a_new_profile_is_its_base_or_generic_with_what_is_said_of_it() {
        let own = ProfileOverrides {
            base: Some("codex".into()),
            marker: Some("ready".into()),
            ..command(&["mycodex"])
        };
        let mine = resolved("mine", &[("mine", own)]).unwrap();
        assert_eq!(
            (mine.command, mine.hooks, mine.marker.core()),
            (vec!["mycodex".to_owned()], Hooks::CodexOverrides, "ready")
        );
        let bot = resolved("bot", &[("bot", command(&["bot", "-i"]))]).unwrap();
        assert_eq!((bot.command.len(), bot.hooks, bot.before_startup.len()), (2, Hooks::None, 0));
        let claude = resolved("claude", &[("claude", command(&["/x/claude"]))]).unwrap();
        assert_eq!((claude.command, claude.hooks), (vec!["/x/claude".to_owned()], Hooks::ClaudeSettings));
    }

    #[test]
    fn what_cannot_be_resolved_says_why() {
        let empty = ProfileOverrides::default();
        let of = |base: &str| ProfileOverrides { base: Some(base.into()), ..ProfileOverrides::default() };
        let bad = ProfileOverrides { marker: Some("(".into()), ..command(&["x"]) };
        let own = ProfileOverrides { startup: Some("say\nsession 1\n".into()), ..command(&["x"]) };
        for (name, overrides, expected) in [
            (
                "nosuch",
                vec![("mine", empty.clone())],
                "there is no profile \"nosuch\" (known: claude, codex, gemini, opencode, demo, mine)",
            ),
            ("mine", vec![("mine", empty)], "profile \"mine\" has no command"),
            (
                "mine",
                vec![("mine", of("other"))],
                "there is no profile \"other\" (known: claude, codex, gemini, opencode, demo, mine)",
            ),
            ("mine", vec![("mine", bad)], "reading the marker of profile \"mine\""),
            (
                "mine",
                vec![("mine", own)],
                "the startup question of profile \"mine\" has a line that is its marker, so that asking would prove it up",
            ),
        ] {
            assert_eq!(resolved(name, &overrides).unwrap_err().to_string(), expected);
        }
    }

    #[test]
    fn development_channels_are_asked_for_on_the_command_line_alone() {
        for (words, expected) in [
            (&["claude", "--dangerously-load-development-channels", "server:x"][..], true),
            (&["claude", "--dangerously-load-development-channels=x"], true),
            (&["claude", "--dangerously-load-development-channels-not"], false),
            (&["claude"], false),
        ] {
            let profile = resolved("claude", &[("claude", command(words))]).unwrap();
            assert_eq!(profile.asks_for_development_channels(), expected, "{words:?}");
        }
    }
}
