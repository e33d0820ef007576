//! opencode, as seen in 1.18.33: by its screen alone. It showed no dialog.

use crate::agent::profile::{Hooks, Level, Levels};
use crate::agent::screen::{Place, ScreenTable, Shows, Sign, Words};

use super::{BuiltIn, MIB, SAFE_PART_BYTES};

pub(super) static PROFILE: BuiltIn = BuiltIn {
    name: "opencode",
    command: &["opencode"],
    arguments: &[],
    // Merged over the user's own settings; read in its source, not tried.
    levels: Levels {
        ask: Level::variables(&[("OPENCODE_PERMISSION", r#"{"edit":"ask","bash":"ask"}"#)]),
        edits: Level::variables(&[("OPENCODE_PERMISSION", r#"{"edit":"allow","bash":"ask"}"#)]),
        bypass: Level::variables(&[("OPENCODE_PERMISSION", r#"{"edit":"allow","bash":"allow"}"#)]),
    },
    trusted: &[],
    before_startup: &["--prompt"],
    hooks: Hooks::None,
    memory: 550 * MIB,
    screen: &SCREEN,
    part_bytes: SAFE_PART_BYTES,
};

static SCREEN: ScreenTable = ScreenTable {
    highlights: &['❯', '›', '>', '●'],
    dialogs: &[],
    // What has been typed stands in a box among other things.
    composer: None,
    // Its prompts stand in boxes; other columns stand beside its answers.
    echo: "",
    says: "",
    heads: &[],
    signs: &[
        Sign { place: Place::Anywhere, words: Words::Holds("■  esc interrupt"), shows: Shows::Busy },
        Sign { place: Place::Anywhere, words: Words::Holds("⬝  esc interrupt"), shows: Shows::Busy },
        // The lower edge of that box.
        Sign { place: Place::Anywhere, words: Words::Begins("╹▀"), shows: Shows::Ready },
    ],
    composer_is_idle: false,
};
