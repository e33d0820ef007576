//! Codex, as seen in 0.169.0.

use crate::agent::dialog::{DialogRow, Means, Permit, Shape, Wants};
use crate::agent::profile::{Hooks, Level, Levels};
use crate::agent::screen::{ComposerShape, Place, ScreenTable, Shows, Sign, Standing, Words};

use super::{BuiltIn, MIB, SAFE_PART_BYTES};

pub(super) static PROFILE: BuiltIn = BuiltIn {
    name: "codex",
    command: &["codex"],
    arguments: ARGUMENTS,
    levels: Levels {
        // Without -a, a directory that is not trusted refuses what should be asked. What is sandboxed must still be
        // able to write netsky's home, or the inbox cannot be read.
        ask: Level::arguments(&[
            "-a",
            "on-request",
            "-c",
            "default_permissions=\"netsky\"",
            "-c",
            "permissions.netsky={extends=\":read-only\",filesystem={{home:toml}=\"write\"}}",
        ]),
        edits: Level::arguments(&["-a", "on-request", "-s", "workspace-write", "--add-dir", "{home}"]),
        bypass: Level::arguments(&["--dangerously-bypass-approvals-and-sandbox"]),
    },
    // Matched by the path without links; only an inline table takes a path as its key.
    trusted: &["-c", "projects={{workdir:toml}={trust_level=\"trusted\"}}"],
    before_startup: &["--"],
    hooks: Hooks::CodexOverrides,
    memory: 150 * MIB,
    screen: &SCREEN,
    part_bytes: SAFE_PART_BYTES,
};

const ARGUMENTS: &[&str] = &[
    // Its shared server outlives the agent and calls hooks with the environment of the first.
    "--no-daemon",
    // Hooks that are not trusted yet are asked about. A user who has switched hooks off keeps that: the screen proves.
    "--dangerously-bypass-hook-trust",
    // The default answer of its update dialog is a global installation.
    "-c",
    "check_for_update_on_startup=false",
    // While an answer streams, its screen looks idle but for this line.
    "-c",
    "tui.status_line=[\"run-state\",\"model\"]",
    "-c",
    "tui.animations=false",
    "-c",
    "tui.show_tooltips=false",
    // A login shell resets PATH, and netsky may not be on it.
    "-c",
    "allow_login_shell=false",
    // Without it, models that its catalogue does not know get 10,000 bytes of a command's output.
    "-c",
    "tool_output_token_limit=12000",
];

static SCREEN: ScreenTable = ScreenTable {
    highlights: &['›', '>'],
    dialogs: DIALOGS,
    composer: Some(ComposerShape {
        sign: "› ",
        standing: Standing::Over(&[
            "  Ready",
            "  Working",
            "  Thinking",
            "  ? for shortcuts",
            "  ← for agents",
        ]),
        placeholders: &["Ask Codex to do anything"],
    }),
    echo: "› ",
    says: "",
    heads: &["Worked for "],
    signs: SIGNS,
    // Its composer is there before the trust dialog, and while an answer streams.
    composer_is_idle: false,
};

const SIGNS: &[Sign] = &[
    // From the status line that the arguments ask for.
    sign(Place::Footer, Words::Begins("Working"), Shows::Busy),
    sign(Place::Footer, Words::Begins("Thinking"), Shows::Busy),
    sign(Place::Footer, Words::Begins("Ready"), Shows::Ready),
    // Without animations the line has no bullet.
    sign(Place::Block, Words::Begins("Reconnecting"), Shows::Retrying),
    sign(Place::Block, Words::Marked("•◦", "Reconnecting"), Shows::Retrying),
    sign(Place::Block, Words::Begins("Working ("), Shows::Busy),
    sign(Place::Block, Words::Marked("•◦", "esc to interrupt)"), Shows::Busy),
    sign(Place::Block, Words::Marked("•◦", "Messages to be submitted after"), Shows::Skip),
    sign(Place::Block, Words::Marked("•◦", "Queued follow-up inputs"), Shows::Skip),
    sign(Place::Block, Words::Begins("Worked for "), Shows::Ready),
    sign(Place::Block, Words::Begins("■ Conversation interrupted"), Shows::Ready),
    sign(Place::Block, Words::Begins("■ You've hit your usage limit"), Shows::Limited),
    sign(Place::Block, Words::Begins("■ To use Codex with your ChatGPT plan"), Shows::Limited),
    sign(Place::Block, Words::Begins("■ Quota exceeded"), Shows::Limited),
    sign(Place::Block, Words::Begins("■ exceeded retry limit, last status: 429"), Shows::Limited),
    sign(Place::Block, Words::Begins("■ rate limit exceeded"), Shows::Limited),
    sign(Place::Block, Words::Begins("■ "), Shows::Failed),
];

const fn sign(place: Place, words: Words, shows: Shows) -> Sign {
    Sign { place, words, shows }
}

/// Trusting more than the work directory is nobody's leave.
const BEYOND: &str = "Trusting will apply to the repository root:";

const fn startup(
    name: &'static str,
    needs: &'static [&'static str],
    options: &'static [&'static str],
    wants: Wants,
    permit: Permit,
) -> DialogRow {
    let means = Means::Startup { wants, permit };
    DialogRow { name, needs, without: &[BEYOND], shape: Shape::Options(options), means }
}

const fn approval(question: &'static str, needs: &'static [&'static str]) -> DialogRow {
    let shape = Shape::Options(&["Yes, proceed", "No, and tell Codex"]);
    DialogRow { name: "permission", needs, without: &[], shape, means: Means::Permission { from: question } }
}

const DIALOGS: &[DialogRow] = &[
    startup(
        "trust-folder",
        &["Folder access", "Trust this folder? Codex can read, edit, and run files here"],
        &["Trust and continue"],
        Wants::Option("Trust and continue"),
        Permit::TrustedFolder,
    ),
    DialogRow {
        name: "trust-repository",
        needs: &["Folder access", BEYOND],
        without: &[],
        shape: Shape::Options(&["Trust and continue"]),
        means: Means::Startup {
            wants: Wants::Person("netsky trust this directory, or start codex there once by hand and choose"),
            permit: Permit::Never,
        },
    },
    // Older versions; its words from a description.
    startup(
        "trust-folder",
        &["Do you trust the contents of this directory?"],
        &["Yes, continue"],
        Wants::Option("Yes, continue"),
        Permit::TrustedFolder,
    ),
    startup(
        "update-offer",
        &["Update available", "Release notes:"],
        &["Update now", "Skip"],
        Wants::Option("Skip"),
        Permit::Always,
    ),
    startup(
        "hooks-review",
        &["Hooks need review"],
        &["Review hooks", "Trust all and continue"],
        Wants::Person("start codex once by hand and review its hooks"),
        Permit::Never,
    ),
    startup(
        "model-migration",
        &["Meet GPT-"],
        &["Try new model", "Use existing model"],
        Wants::Option("Use existing model"),
        Permit::Always,
    ),
    DialogRow {
        name: "sign-in",
        needs: &["Choose how you want to use Codex."],
        without: &[],
        shape: Shape::Options(&["Sign in with ChatGPT"]),
        means: Means::Login,
    },
    approval(RUN, &[RUN]),
    approval(EDIT, &[EDIT]),
];

const RUN: &str = "Would you like to run the following command?";
const EDIT: &str = "Would you like to make the following edits?";
