//! The configuration: defaults, then `config.toml`, then the environment, then flags.
//!
//! Each value knows its source. All errors are collected, each with its key, its place and a hint; a configuration
//! that has one is never used in part. No setting is guessed at: a value without a unit, a relative path or an unknown
//! key is an error. What the built-in profiles hold is not known here, only their names.

mod document;
mod edit;
mod error;
mod load;
mod profile;
mod reader;
mod resolve;
mod settings;
mod shown;
mod source;
mod template;
mod trust;
mod value;

pub use edit::{EditError, add_trust};
pub use error::{ConfigErrors, Problem};
pub use load::{Flags, Inputs, Loaded, save};
pub use profile::{BUILT_IN_PROFILES, ProfileName, ProfileOverrides, StartupHow};
pub use settings::{
    AgentOverrides, Color, Config, Constellation, Handoff, LogLevel, Permissions, Restart, Socket, Tmux,
};
pub use shown::{ConfigDocument, ShownValue};
pub use source::Source;
pub use template::{Choices, template};
pub use trust::{is_trusted, resolved_trust};
