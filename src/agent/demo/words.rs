//! The constant words on the demo agent's screens. The demo profile reads them, so a change here is a change there.

/// A turn is under way.
pub const BUSY: &str = "✻ Thinking… (esc to interrupt)";

/// Before a prompt that waits for the turn's end.
pub const QUEUED: &str = "▸ queued:";

/// Before each line that it says.
pub const SAYS: &str = "●";

/// The turn ended without a login.
pub const LOGIN: &str = "Not logged in · Please run /login";

/// The turn ended at the usage limit.
pub const LIMIT: &str = "usage limit reached, resets 3am";

/// The turn ended in an overloaded service.
pub const OVERLOADED: &str = "API Error: 529 Overloaded";

/// A turn was interrupted.
pub const INTERRUPTED: &str = "Interrupted by you";

/// The end of one that was told to fail.
pub const TOLD_TO_FAIL: &str = "demo agent: told to fail";

/// The end of one that is not trusted.
pub const REFUSED: &str = "demo agent: nothing was read or changed";

/// What hooks read when they are given garbage.
pub const GARBAGE: &str = "{\"session_id\": 7, \"last_assistant_message\": [\u{0}";

/// The first lines of a session.
pub fn greeting(dir: &str) -> Vec<String> {
    vec![
        format!("✻ netsky demo agent {} · no model, no account, no network", env!("CARGO_PKG_VERSION")),
        format!("  {dir} · /clear forgets, /exit ends"),
    ]
}

/// Lines that only look like markers, as somebody's typing or in the midst of a sentence.
pub fn forged(marker: &str) -> Vec<String> {
    vec![
        format!("I could say {marker}, but I will not"),
        format!("  ❯ {marker}"),
        format!("> {marker}"),
        format!("  | {marker}"),
    ]
}
