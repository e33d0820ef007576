//! How `netsky hook EVENT` is attached to a CLI for one invocation (pure).
//!
//! The user's own settings files are never touched: Claude Code takes a settings file of netsky's, Codex overrides
//! on its command line.

use std::path::Path;

use serde_json::{Value, json};

use crate::config::Permissions;

use super::profile::Hooks;

/// Seconds after which a CLI gives up on a hook; the hook itself gives up after 2.
const HOOK_TIMEOUT: u32 = 5;

/// The events netsky listens to in Claude Code.
const CLAUDE_EVENTS: [&str; 8] = [
    "SessionStart",
    "UserPromptSubmit",
    "PostToolUse",
    "PermissionRequest",
    "Notification",
    "Stop",
    "StopFailure",
    "SessionEnd",
];

/// The events netsky listens to in Codex: it knows no failure of a turn and no notification.
const CODEX_EVENTS: [&str; 7] = [
    "SessionStart",
    "UserPromptSubmit",
    "PostToolUse",
    "PermissionRequest",
    "Stop",
    "Interrupt",
    "SessionEnd",
];

/// netsky's own verbs that an agent may call without a person: they only touch its inbox and its hand-over.
const ALLOWED_VERBS: [&str; 4] = ["inbox", "handoff write", "send", "status"];

/// The settings file for Claude Code's `--settings`.
pub fn claude_settings(netsky: &Path, permissions: Permissions) -> Value {
    let hooks: serde_json::Map<String, Value> = CLAUDE_EVENTS
        .iter()
        .map(|event| {
            let hook =
                json!({"type": "command", "command": hook_command(netsky, event), "timeout": HOOK_TIMEOUT});
            ((*event).to_owned(), json!([{"hooks": [hook]}]))
        })
        .collect();
    let mut settings = serde_json::Map::new();
    settings.insert("hooks".to_owned(), hooks.into());
    settings.insert("permissions".to_owned(), json!({"allow": allow_rules(netsky)}));
    if permissions == Permissions::Bypass {
        // Avoids the warning whose default is "No, exit"; answering it by key would edit the user's settings.
        settings.insert("skipDangerousModePermissionPrompt".to_owned(), json!(true));
    }
    settings.into()
}

fn allow_rules(netsky: &Path) -> Vec<String> {
    let full = netsky.display().to_string();
    ["netsky", full.as_str()]
        .iter()
        .flat_map(|program| ALLOWED_VERBS.iter().map(move |verb| format!("Bash({program} {verb}:*)")))
        .collect()
}

/// The overrides for Codex. What it must also be told so that they run stands in its profile's arguments.
pub fn codex_arguments(netsky: &Path) -> Vec<String> {
    let override_for = |event: &&str| {
        let command = toml_string(&hook_command(netsky, event));
        let handler = format!("{{type=\"command\",command={command},timeout={HOOK_TIMEOUT}}}");
        ["-c".to_owned(), format!("hooks.{event}=[{{hooks=[{handler}]}}]")]
    };
    CODEX_EVENTS.iter().flat_map(override_for).collect()
}

/// What a hook must print so that `text` stands in the model's context; nothing for events that put nothing there.
pub fn context_answer(hooks: Hooks, event: &str, text: &str) -> String {
    if text.is_empty() || !matches!(event, "SessionStart" | "UserPromptSubmit") {
        return String::new();
    }
    match hooks {
        Hooks::None => String::new(),
        Hooks::BuiltIn => text.to_owned(),
        // Codex takes a plain text that begins like JSON for JSON, and drops it; Claude Code reads this form too.
        Hooks::ClaudeSettings | Hooks::CodexOverrides => {
            json!({"hookSpecificOutput": {"hookEventName": event, "additionalContext": text}}).to_string()
        }
    }
}

/// `'/path/to/netsky' hook EVENT`, as a shell reads it.
fn hook_command(netsky: &Path, event: &str) -> String {
    format!("{} hook {event}", shell_word(&netsky.display().to_string()))
}

/// One word for a POSIX shell.
pub fn shell_word(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:@".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

/// A TOML basic string, on one line, so that it can be a key too. JSON escapes all that TOML wants escaped but DEL.
pub(super) fn toml_string(text: &str) -> String {
    Value::from(text).to_string().replace('\u{7f}', "\\u007F")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_with_quotes_stays_one_word_for_the_shell() {
        for (text, expected) in [
            ("/usr/bin/netsky", "/usr/bin/netsky"),
            ("/a b/n", "'/a b/n'"),
            ("it's", r"'it'\''s'"),
            ("$(x)", "'$(x)'"),
        ] {
            assert_eq!(shell_word(text), expected);
        }
    }

    #[test]
    fn codex_overrides_are_toml() {
        let netsky = "/a \"b\"\n\u{7f}/it's";
        let arguments = codex_arguments(Path::new(netsky));
        assert_eq!(arguments.len(), 2 * CODEX_EVENTS.len());
        for (pair, event) in arguments.chunks_exact(2).zip(CODEX_EVENTS) {
            let document: toml_edit::DocumentMut = pair[1].parse().unwrap();
            let command = document["hooks"][event][0]["hooks"][0]["command"].as_str().unwrap();
            assert_eq!(command, format!("{} hook {event}", shell_word(netsky)));
        }
    }

    #[test]
    fn a_text_reaches_the_model_however_it_begins() {
        let text = "[1] {\"a\": \"\u{e9}\n\"}";
        for (hooks, event, expected) in [
            (Hooks::BuiltIn, "SessionStart", Some(text)),
            (Hooks::None, "SessionStart", None),
            (Hooks::CodexOverrides, "Stop", None),
            (Hooks::ClaudeSettings, "SessionEnd", None),
        ] {
            assert_eq!(context_answer(hooks, event, text), expected.unwrap_or_default(), "{hooks:?} {event}");
        }
        for event in ["SessionStart", "UserPromptSubmit"] {
            for hooks in [Hooks::CodexOverrides, Hooks::ClaudeSettings] {
                let answer: Value = serde_json::from_str(&context_answer(hooks, event, text)).unwrap();
                assert_eq!(answer["hookSpecificOutput"]["additionalContext"], text);
                assert_eq!(answer["hookSpecificOutput"]["hookEventName"], event);
                assert_eq!(context_answer(hooks, event, ""), "");
            }
        }
    }

    #[test]
    fn netskys_own_verbs_need_no_person_by_name_and_by_path() {
        let settings = claude_settings(Path::new("/opt/netsky"), Permissions::Ask);
        let allowed: Vec<&str> =
            settings["permissions"]["allow"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        for rule in ["Bash(netsky inbox:*)", "Bash(/opt/netsky inbox:*)", "Bash(netsky handoff write:*)"] {
            assert!(allowed.contains(&rule), "{allowed:?}");
        }
        assert!(
            !allowed
                .iter()
                .any(|rule| rule.contains("down") || rule.contains("restart") || rule.contains("netsky:*"))
        );
    }

    #[test]
    fn only_bypass_skips_the_bypass_warning() {
        let netsky = Path::new("/bin/netsky");
        assert!(claude_settings(netsky, Permissions::Ask).get("skipDangerousModePermissionPrompt").is_none());
        assert_eq!(claude_settings(netsky, Permissions::Bypass)["skipDangerousModePermissionPrompt"], true);
    }
}
