//! The demo agent inside netsky. Its words are pinned by its own tests.

use crate::agent::dialog::{DialogRow, Means, Permit, Shape, Wants};
use crate::agent::profile::{Hooks, Level, Levels};
use crate::agent::screen::{ComposerShape, Place, ScreenTable, Shows, Sign, Standing, Words};

use super::{BuiltIn, MIB, SAFE_PART_BYTES};

pub(super) static PROFILE: BuiltIn = BuiltIn {
    name: "demo",
    command: &["{netsky}", "demo-agent"],
    arguments: &[],
    levels: Levels { ask: Level::PLAIN, edits: Level::PLAIN, bypass: Level::PLAIN },
    trusted: &[],
    before_startup: &["--"],
    hooks: Hooks::BuiltIn,
    memory: 8 * MIB,
    screen: &SCREEN,
    part_bytes: SAFE_PART_BYTES,
};

static SCREEN: ScreenTable = ScreenTable {
    highlights: &['❯'],
    dialogs: &[
        startup(
            "trust-folder",
            &["demo agent: do you trust the files in"],
            &["Yes, I trust this folder", "No"],
        ),
        startup(
            "terms-of-service",
            &["demo agent: do you accept its terms of service?"],
            &["Yes, I accept", "No"],
        ),
        DialogRow {
            name: "permission",
            needs: &[PERMISSION],
            without: &[],
            shape: Shape::Options(&["Yes", "No"]),
            means: Means::Permission { from: PERMISSION },
        },
    ],
    composer: Some(ComposerShape { sign: "❯ ", standing: Standing::Last, placeholders: &[] }),
    echo: "❯ ",
    says: "",
    heads: &["●"],
    signs: &[
        Sign { place: Place::Anywhere, words: Words::Begins("✻ Thinking…"), shows: Shows::Busy },
        Sign { place: Place::Block, words: Words::Begins("● Not logged in"), shows: Shows::Login },
        Sign { place: Place::Block, words: Words::Begins("● usage limit reached"), shows: Shows::Limited },
        Sign { place: Place::Block, words: Words::Begins("● API Error: "), shows: Shows::Failed },
    ],
    composer_is_idle: true,
};

const PERMISSION: &str = "demo agent: may it run this command?";

/// It does nothing with anybody's files: no leave is needed.
const fn startup(
    name: &'static str,
    needs: &'static [&'static str],
    options: &'static [&'static str; 2],
) -> DialogRow {
    let means = Means::Startup { wants: Wants::Option(options[0]), permit: Permit::Always };
    DialogRow { name, needs, without: &[], shape: Shape::Options(options), means }
}
