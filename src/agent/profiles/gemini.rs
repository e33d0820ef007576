//! Gemini CLI, as seen in 0.61.0: by its screen alone.

use crate::agent::dialog::{DialogRow, Means, Permit, Shape, Wants};
use crate::agent::profile::{Hooks, Level, Levels};
use crate::agent::screen::{ComposerShape, Place, ScreenTable, Shows, Sign, Standing, Words};

use super::{BuiltIn, MIB, SAFE_PART_BYTES};

pub(super) static PROFILE: BuiltIn = BuiltIn {
    name: "gemini",
    command: &["gemini"],
    arguments: &[],
    levels: Levels {
        ask: Level::arguments(&["--approval-mode", "default"]),
        edits: Level::arguments(&["--approval-mode", "auto_edit"]),
        bypass: Level::arguments(&["--approval-mode", "yolo"]),
    },
    trusted: &["--skip-trust"],
    before_startup: &["-i"],
    hooks: Hooks::None,
    memory: 385 * MIB,
    screen: &SCREEN,
    part_bytes: SAFE_PART_BYTES,
};

static SCREEN: ScreenTable = ScreenTable {
    highlights: &['●'],
    dialogs: DIALOGS,
    composer: Some(ComposerShape {
        sign: " > ",
        standing: Standing::Over(&[" workspace"]),
        placeholders: &["Type your message or @path/to/file"],
    }),
    echo: " > ",
    says: "✦ ",
    heads: &[],
    // While it repeats a request it says no more than that it thinks.
    signs: &[Sign {
        place: Place::Anywhere,
        words: Words::Marked(SPINNER, "(esc to cancel"),
        shows: Shows::Busy,
    }],
    composer_is_idle: true,
};

const SPINNER: &str = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏";

const DIALOGS: &[DialogRow] = &[
    DialogRow {
        name: "trust-folder",
        needs: &["Do you trust the files in this folder?"],
        // The box stays above what comes after it.
        without: &["How would you like to authenticate for this project?"],
        shape: Shape::Options(&["Trust folder", "Don't trust"]),
        means: Means::Startup { wants: Wants::Option("Trust folder"), permit: Permit::TrustedFolder },
    },
    DialogRow {
        name: "sign-in",
        needs: &["How would you like to authenticate for this project?"],
        without: &[],
        shape: Shape::Options(&["Sign in with Google"]),
        means: Means::Login,
    },
];
