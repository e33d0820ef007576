//! A program that nothing is known of: its marker proves it up, its dialogs are for a person.

use crate::agent::profile::{Hooks, Level, Levels};
use crate::agent::screen::ScreenTable;

use super::{BuiltIn, MIB, SAFE_PART_BYTES};

pub(super) static PROFILE: BuiltIn = BuiltIn {
    name: "",
    command: &[],
    arguments: &[],
    levels: Levels { ask: Level::PLAIN, edits: Level::PLAIN, bypass: Level::PLAIN },
    trusted: &[],
    before_startup: &[],
    hooks: Hooks::None,
    memory: 64 * MIB,
    screen: &SCREEN,
    part_bytes: SAFE_PART_BYTES,
};

static SCREEN: ScreenTable = ScreenTable {
    highlights: &['❯', '›', '>', '●', '▶', '→'],
    dialogs: &[],
    composer: None,
    echo: "",
    says: "",
    heads: &[],
    signs: &[],
    composer_is_idle: false,
};
