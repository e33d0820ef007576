//! Claude Code, as seen in 2.1.197.

use crate::agent::dialog::{DialogRow, Means, Permit, Shape, Wants};
use crate::agent::profile::{Hooks, Level, Levels};
use crate::agent::screen::{ComposerShape, Place, ScreenTable, Shows, Sign, Standing, Words};

use super::{BuiltIn, MIB};

pub(super) static PROFILE: BuiltIn = BuiltIn {
    name: "claude",
    command: &["claude"],
    arguments: &[],
    levels: Levels {
        ask: Level::PLAIN,
        edits: Level::arguments(&["--permission-mode", "acceptEdits"]),
        bypass: Level::arguments(&["--dangerously-skip-permissions"]),
    },
    // Its one variable that skips the trust dialog is inherited by every claude an agent starts, wherever that is.
    trusted: &[],
    // Some of its options take any number of values.
    before_startup: &["--"],
    hooks: Hooks::ClaudeSettings,
    memory: 256 * MIB,
    screen: &SCREEN,
    // What a command prints reaches the model whole up to 30,000 bytes.
    part_bytes: 24_000,
};

static SCREEN: ScreenTable = ScreenTable {
    highlights: &['❯'],
    dialogs: DIALOGS,
    composer: Some(ComposerShape {
        // With a no-break space; dialogs and submitted prompts have a plain one.
        sign: "❯\u{a0}",
        standing: Standing::BetweenRules,
        placeholders: &["Press up to edit queued messages"],
    }),
    echo: "❯ ",
    says: "",
    heads: &["⎿"],
    signs: SIGNS,
    composer_is_idle: true,
};

/// The spinner's pictures; one of them stands still at a turn's end.
const SPINNER: &str = "·✢✳✶✻✽*";

const SIGNS: &[Sign] = &[
    sign(Place::Footer, Words::Holds("esc to interrupt"), Shows::Busy),
    sign(Place::Block, Words::Marked(SPINNER, "Retrying in "), Shows::Retrying),
    // The footer is empty while something is typed; the spinner is there all the same.
    sign(Place::Block, Words::Marked(SPINNER, "…"), Shows::Busy),
    sign(Place::Block, Words::Marked(SPINNER, " for "), Shows::Skip),
    sign(Place::Block, Words::Begins("⎿ Tip: "), Shows::Skip),
    sign(Place::Block, Words::Begins("⎿ Not logged in"), Shows::Login),
    sign(Place::Block, Words::Begins("● Please run /login"), Shows::Login),
    sign(Place::Block, Words::Begins("⎿ You've hit your "), Shows::Limited),
    sign(Place::Block, Words::Begins("⎿ Credit balance too low"), Shows::Limited),
    sign(Place::Block, Words::Begins("● API Error: Request rejected (429)"), Shows::Limited),
    sign(Place::Block, Words::Begins("● API Error: "), Shows::Failed),
    sign(Place::Block, Words::Begins("● There's an issue with the selected model"), Shows::Failed),
    sign(Place::Block, Words::Begins("⎿ Prompt is too long"), Shows::Failed),
    sign(Place::Block, Words::Begins("⎿ Context limit reached"), Shows::Failed),
    sign(Place::Block, Words::Begins("● Unknown command: "), Shows::Failed),
    sign(Place::Bare, Words::Begins("Unable to connect to Anthropic services"), Shows::Failed),
];

const fn sign(place: Place, words: Words, shows: Shows) -> Sign {
    Sign { place, words, shows }
}

const fn startup(
    name: &'static str,
    needs: &'static [&'static str],
    options: &'static [&'static str],
    wants: Wants,
    permit: Permit,
) -> DialogRow {
    let means = Means::Startup { wants, permit };
    DialogRow { name, needs, without: &[], shape: Shape::Options(options), means }
}

const ONCE: Wants = Wants::Person("start claude there once by hand and choose");

const DIALOGS: &[DialogRow] = &[
    startup(
        "theme",
        &["Choose the text style that looks best with your terminal"],
        &["Dark mode", "Light mode"],
        Wants::Highlighted,
        Permit::Always,
    ),
    DialogRow {
        name: "security-notes",
        needs: &["Security notes:", "Press Enter to continue"],
        without: &[],
        shape: Shape::Notice("Press Enter to continue"),
        means: Means::Startup { wants: Wants::Highlighted, permit: Permit::Always },
    },
    startup(
        "trust-folder",
        // Words near the options: a low pane does not show its beginning.
        &["be able to read, edit, and execute files here."],
        &["Yes, I trust this folder", "No, exit"],
        Wants::Option("Yes, I trust this folder"),
        Permit::TrustedFolder,
    ),
    startup(
        "mcp-server",
        &["New MCP server found in this project:"],
        &["Use this MCP server"],
        ONCE,
        Permit::Never,
    ),
    DialogRow {
        name: "mcp-servers",
        needs: &["new MCP servers found in this project", "Select any you wish to enable."],
        without: &[],
        shape: Shape::Notice("Space to select"),
        means: Means::Startup { wants: ONCE, permit: Permit::Never },
    },
    startup(
        "external-imports",
        &["Allow external CLAUDE.md file imports?"],
        &["Yes, allow external imports"],
        ONCE,
        Permit::Never,
    ),
    startup(
        "api-key",
        &["Detected a custom API key in your environment", "Do you want to use this API key?"],
        &["Yes", "No (recommended)"],
        Wants::Person("unset ANTHROPIC_API_KEY, or start claude once by hand and choose"),
        Permit::Never,
    ),
    startup(
        "bypass-warning",
        &["accept all responsibility for actions taken while running in Bypass Permissions mode"],
        &["No, exit", "Yes, I accept"],
        Wants::Option("Yes, I accept"),
        Permit::Bypass,
    ),
    // Its words from a description; this version did not show it.
    startup(
        "development-channels",
        &["WARNING: Loading development channels"],
        &["I am using this for local development"],
        Wants::Option("I am using this for local development"),
        Permit::DevelopmentChannels,
    ),
    DialogRow {
        name: "usage-limit",
        needs: &["What do you want to do?"],
        without: &[],
        shape: Shape::Options(&["Stop and wait for limit to reset"]),
        means: Means::Limited { says: "You've hit your " },
    },
    DialogRow {
        name: "permission",
        needs: &["Do you want to "],
        without: &["Do you want to use this API key?"],
        shape: Shape::Options(&["Yes", "No"]),
        means: Means::Permission { from: "────" },
    },
];
