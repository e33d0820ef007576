//! What a CLI tells a hook, read into one form (pure).
//!
//! The JSON comes from outside: anything that is missing or of another type is absent, never an error. Events and
//! fields as Claude Code 2.1 and Codex 0.169 send them.

use serde_json::Value;

use crate::text;

use super::profile::Hooks;

/// One call of a hook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The event by the CLI's name.
    pub event: String,
    /// The CLI's session id.
    pub session: Option<String>,
    /// What happened.
    pub kind: ReportKind,
}

/// What happened in the agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReportKind {
    /// A session or a context began.
    SessionStarted {
        /// Whether the model knows nothing of what was shown before (not so when a session is resumed).
        fresh_context: bool,
    },
    /// A turn begins.
    PromptSubmitted,
    /// A tool was used: the turn goes on.
    ToolUsed,
    /// The turn ended with an answer of the model.
    TurnEnded {
        /// The answer.
        said: Option<String>,
    },
    /// A person ended the turn before an answer.
    TurnInterrupted,
    /// The turn ended in an error.
    TurnFailed {
        /// What the CLI says of it.
        what: String,
        /// Whether it is the account's usage limit.
        limited: bool,
    },
    /// A person must answer.
    PersonAsked {
        /// What is asked.
        what: String,
    },
    /// The session ended.
    SessionEnded {
        /// The CLI's word.
        reason: String,
        /// Whether a person typed the end.
        by_person: bool,
    },
    /// Nothing netsky acts on.
    Other,
}

/// Reads one call. The CLI that calls tells what the same words mean.
pub fn read(hooks: Hooks, event: &str, json: &Value) -> Report {
    let session = string(json, "session_id").filter(|id| is_id(id));
    let name = text::clipped(&text::one_line(event), EVENT_CHARS).into_owned();
    Report { event: name, session, kind: kind(hooks, event, json) }
}

/// No event has a longer name.
const EVENT_CHARS: usize = 100;

/// What can be given back to a CLI as the id of its session; anything else is none.
fn is_id(id: &str) -> bool {
    (1..=200).contains(&id.len()) && id.chars().all(|c| c.is_ascii_graphic())
}

fn kind(hooks: Hooks, event: &str, json: &Value) -> ReportKind {
    match event {
        // What is resumed or forked knows what was said before.
        "SessionStart" => {
            let source = string(json, "source");
            ReportKind::SessionStarted {
                fresh_context: !matches!(source.as_deref(), Some("resume" | "fork")),
            }
        }
        "UserPromptSubmit" => ReportKind::PromptSubmitted,
        "PostToolUse" | "PostToolUseFailure" => ReportKind::ToolUsed,
        "Stop" => ReportKind::TurnEnded { said: string(json, "last_assistant_message") },
        "Interrupt" => ReportKind::TurnInterrupted,
        "StopFailure" => turn_failed(json),
        "PermissionRequest" => ReportKind::PersonAsked { what: asked(json) },
        "Notification" if string(json, "notification_type").as_deref() == Some("permission_prompt") => {
            ReportKind::PersonAsked {
                what: string(json, "message").unwrap_or_else(|| "a permission".to_owned()),
            }
        }
        "SessionEnd" => {
            let reason = string(json, "reason").unwrap_or_else(|| "other".to_owned());
            // Codex tells of an end only where a person typed it, and gives no reason; Claude Code's "other" is a signal.
            let by_person = match hooks {
                Hooks::CodexOverrides => true,
                _ => matches!(reason.as_str(), "prompt_input_exit" | "logout"),
            };
            ReportKind::SessionEnded { reason, by_person }
        }
        _ => ReportKind::Other,
    }
}

fn turn_failed(json: &Value) -> ReportKind {
    let error = string(json, "error").unwrap_or_else(|| "unknown".to_owned());
    let words =
        ["error_details", "last_assistant_message", "message"].iter().find_map(|field| string(json, field));
    let what = match words {
        Some(words) => format!("{error}: {words}"),
        None => error.clone(),
    };
    ReportKind::TurnFailed { limited: error == "rate_limit" || error == "billing_error", what }
}

/// `Bash: rm -r build`, from a tool's name and the field of its input that says most.
fn asked(json: &Value) -> String {
    let tool = string(json, "tool_name").unwrap_or_else(|| "a tool".to_owned());
    let input = json.get("tool_input");
    let said = ["command", "file_path", "path", "url", "description"]
        .iter()
        .find_map(|field| input.and_then(|input| spoken(input.get(field)?)));
    match said {
        Some(said) => format!("permission for {tool}: {said}"),
        None => format!("permission for {tool}"),
    }
}

fn spoken(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Array(words) => Some(words.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" "))
            .filter(|text| !text.is_empty()),
        _ => None,
    }
}

fn string(json: &Value, field: &str) -> Option<String> {
    json.get(field)?.as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn reports_of_both_clis_are_read() {
        let person = |what: &str| ReportKind::PersonAsked { what: what.into() };
        for (event, json, expected) in [
            (
                "SessionStart",
                json!({"source": "startup"}),
                ReportKind::SessionStarted { fresh_context: true },
            ),
            (
                "SessionStart",
                json!({"source": "resume"}),
                ReportKind::SessionStarted { fresh_context: false },
            ),
            (
                "Stop",
                json!({"last_assistant_message": "hi"}),
                ReportKind::TurnEnded { said: Some("hi".into()) },
            ),
            ("Stop", json!({"last_assistant_message": 7}), ReportKind::TurnEnded { said: None }),
            (
                "StopFailure",
                json!({"error": "rate_limit", "error_details": "429"}),
                ReportKind::TurnFailed { what: "rate_limit: 429".into(), limited: true },
            ),
            (
                "PermissionRequest",
                json!({"tool_name": "Bash", "tool_input": {"command": "ls"}}),
                person("permission for Bash: ls"),
            ),
            (
                "PermissionRequest",
                json!({"tool_name": "shell", "tool_input": {"command": ["ls", "-l"]}}),
                person("permission for shell: ls -l"),
            ),
            ("Notification", json!({"notification_type": "idle_prompt"}), ReportKind::Other),
            (
                "SessionEnd",
                json!({"reason": "prompt_input_exit"}),
                ReportKind::SessionEnded { reason: "prompt_input_exit".into(), by_person: true },
            ),
            (
                "SessionEnd",
                json!({"reason": "clear"}),
                ReportKind::SessionEnded { reason: "clear".into(), by_person: false },
            ),
            ("Later", json!(null), ReportKind::Other),
        ] {
            assert_eq!(read(Hooks::ClaudeSettings, event, &json).kind, expected, "{event} {json}");
        }
    }

    /// Every captured report; whoever adds one must say here how it reads.
    #[test]
    fn captured_reports_are_read() {
        let fresh = |fresh_context| ReportKind::SessionStarted { fresh_context };
        let said = |said: &str| ReportKind::TurnEnded { said: Some(said.into()) };
        let ready = "I have read everything.\n\nagent0 session 1 up";
        let failed = |what: &str, limited| ReportKind::TurnFailed { what: what.into(), limited };
        let asked = |what: &str| ReportKind::PersonAsked { what: what.into() };
        let end = |reason: &str, by_person| ReportKind::SessionEnded { reason: reason.into(), by_person };
        let mut expected: std::collections::BTreeMap<&str, ReportKind> = [
            ("claude-2.1.197/SessionStart-startup", fresh(true)),
            ("claude-2.1.197/SessionStart-clear", fresh(true)),
            ("claude-2.1.197/SessionStart-compact", fresh(true)),
            ("claude-2.1.197/SessionStart-resume", fresh(false)),
            ("claude-2.1.197/UserPromptSubmit", ReportKind::PromptSubmitted),
            ("claude-2.1.197/PostToolUse-bash", ReportKind::ToolUsed),
            ("claude-2.1.197/PreToolUse-bash", ReportKind::Other),
            ("claude-2.1.197/PreCompact-manual", ReportKind::Other),
            ("claude-2.1.197/PostCompact-manual", ReportKind::Other),
            ("claude-2.1.197/SubagentStop", ReportKind::Other),
            ("claude-2.1.197/Notification-idle_prompt", ReportKind::Other),
            ("claude-2.1.197/Notification-permission_prompt", asked("Claude needs your permission")),
            (
                "claude-2.1.197/PermissionRequest-bash",
                asked("permission for Bash: NETSKY_AGENT=agent0 netsky inbox next"),
            ),
            ("claude-2.1.197/Stop", said(ready)),
            ("claude-2.1.197/Stop-after-block", said(ready)),
            (
                "claude-2.1.197/StopFailure-authentication_failed",
                failed(
                    "authentication_failed: Please run /login · API Error: 401 the service says 401",
                    false,
                ),
            ),
            (
                "claude-2.1.197/StopFailure-billing_error",
                failed("billing_error: Credit balance is too low", true),
            ),
            (
                "claude-2.1.197/StopFailure-rate_limit",
                failed("rate_limit: API Error: Request rejected (429) · the service says 429", true),
            ),
            (
                "claude-2.1.197/StopFailure-unknown",
                failed("unknown: API Error: 400 the service says 400", false),
            ),
            ("claude-2.1.197/SessionEnd-clear", end("clear", false)),
            ("claude-2.1.197/SessionEnd-other", end("other", false)),
            ("claude-2.1.197/SessionEnd-prompt_input_exit", end("prompt_input_exit", true)),
            ("codex-0.169.0/SessionStart", fresh(true)),
            ("codex-0.169.0/SessionStart-compact", fresh(true)),
            ("codex-0.169.0/UserPromptSubmit", ReportKind::PromptSubmitted),
            ("codex-0.169.0/PreToolUse", ReportKind::Other),
            ("codex-0.169.0/PostToolUse", ReportKind::ToolUsed),
            ("codex-0.169.0/PreCompact", ReportKind::Other),
            ("codex-0.169.0/PostCompact", ReportKind::Other),
            (
                "codex-0.169.0/PermissionRequest",
                asked("permission for Bash: /usr/local/bin/netsky inbox next"),
            ),
            ("codex-0.169.0/Stop", said("agent0 session 3 up")),
            ("codex-0.169.0/Interrupt", ReportKind::TurnInterrupted),
            ("codex-0.169.0/SessionEnd", end("other", true)),
        ]
        .into();
        for cli in ["claude-2.1.197", "codex-0.169.0"] {
            let hooks = if cli.starts_with("codex") { Hooks::CodexOverrides } else { Hooks::ClaudeSettings };
            let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/hooks").join(cli);
            for file in std::fs::read_dir(dir).unwrap().map(Result::unwrap) {
                let name = format!("{cli}/{}", file.path().file_stem().unwrap().display());
                let json: Value = serde_json::from_slice(&std::fs::read(file.path()).unwrap()).unwrap();
                let report = read(hooks, json["hook_event_name"].as_str().unwrap(), &json);
                assert!(report.session.is_some(), "{name}");
                match expected.remove(name.as_str()) {
                    Some(kind) => assert_eq!(report.kind, kind, "{name}"),
                    // Their words are long: that they are failures is enough.
                    None => {
                        assert!(
                            matches!(report.kind, ReportKind::TurnFailed { limited: false, .. }),
                            "{name}"
                        );
                    }
                }
            }
        }
        assert!(expected.is_empty(), "there are no such reports: {:?}", expected.keys());
    }

    proptest::proptest! {
        #![proptest_config(crate::mutation::tries(256))]

        #[test]
        fn a_damaged_report_is_none_or_is_folded_into_a_beacon_that_reads_back(
            bytes in crate::mutation::mutants(crate::mutation::reports()),
            event in "SessionStart|UserPromptSubmit|PostToolUse|Stop|StopFailure|PermissionRequest|Notification|SessionEnd|\\PC{0,150}",
        ) {
            use crate::agent::beacon::{self, Activity, Beacon};
            let Ok(json) = serde_json::from_slice::<Value>(&bytes) else { return Ok(()) };
            let marker = crate::agent::marker::Marker::new(crate::agent::marker::DEFAULT_CORE).unwrap();
            let generation = crate::id::Generation::fresh();
            let now = chrono::DateTime::UNIX_EPOCH;
            for hooks in [Hooks::ClaudeSettings, Hooks::CodexOverrides] {
                let report = read(hooks, &event, &json);
                proptest::prop_assert!(report.event.chars().count() <= EVENT_CHARS);
                proptest::prop_assert!(report.session.as_deref().is_none_or(is_id));
                let beacon = beacon::fold(None, crate::name::AgentName::ROOT, generation, &report, &marker, now);
                let written = serde_json::to_vec(&beacon).unwrap();
                proptest::prop_assert!(written.len() <= 6 * bytes.len() + 2_000);
                if let Activity::AwaitsPerson { what } | Activity::Failed { what } | Activity::Limited { what }
                    | Activity::Ended { reason: what } = &beacon.activity
                {
                    proptest::prop_assert!(what.chars().count() <= 300 && !what.contains(char::is_control));
                }
                proptest::prop_assert_eq!(crate::persist::parse::<Beacon>(&written), Ok(beacon));
            }
        }
    }
}
