//! The Anthropic Messages API, as far as Claude Code 2.1 uses it.
//!
//! It only translates: a request body to a conversation, an act to events or to one document.

use serde_json::{Value, json};

use crate::behaviour::{Behaviour, Refusal};
use crate::brain::Act;
use crate::conversation::{Conversation, Item, Shell, ShellForm};
use crate::journal::unique;
use crate::wire::{Event, pieces};

pub fn read(body: &Value) -> Conversation {
    let mut items: Vec<Item> = texts(body.get("system")).into_iter().map(Item::Given).collect();
    for message in body.get("messages").and_then(Value::as_array).into_iter().flatten() {
        let by_model = message.get("role").and_then(Value::as_str) == Some("assistant");
        match message.get("content") {
            Some(Value::Array(blocks)) => {
                items.extend(blocks.iter().filter_map(|block| item(block, by_model)))
            }
            Some(Value::String(text)) => items.push(spoken(text.clone(), by_model)),
            _ => {}
        }
    }
    let wants_json =
        body.pointer("/output_config/format/type").is_some() || body.get("output_format").is_some();
    Conversation { items, shell: shell(body), wants_json }
}

pub fn refusal(refusal: &Refusal) -> Value {
    json!({"type": "error", "error": {"type": refusal.kind(), "message": refusal.message()},
           "request_id": "req_loopback"})
}

pub fn whole(act: &Act, request: &Value, behaviour: &Behaviour) -> Value {
    let content = match act {
        Act::Say(text) => json!({"type": "text", "text": text}),
        Act::Run(command) => tool_use(arguments(command)),
    };
    message(json!([content]), Some(stop_reason(act)), request, behaviour)
}

pub fn events(act: &Act, request: &Value, behaviour: &Behaviour) -> Vec<Event> {
    let (start, deltas) = match act {
        Act::Say(text) => {
            let deltas = pieces(text, behaviour.chunks).into_iter();
            (
                json!({"type": "text", "text": ""}),
                deltas.map(|text| json!({"type": "text_delta", "text": text})).collect(),
            )
        }
        Act::Run(command) => {
            let input = arguments(command).to_string();
            (tool_use(json!({})), vec![json!({"type": "input_json_delta", "partial_json": input})])
        }
    };
    let mut events = vec![
        event("message_start", json!({"message": message(json!([]), None, request, behaviour)})),
        event("content_block_start", json!({"index": 0, "content_block": start})),
    ];
    events.extend(deltas.into_iter().map(|delta: Value| Event {
        paced: true,
        ..event("content_block_delta", json!({"index": 0, "delta": delta}))
    }));
    let ended = json!({"delta": {"stop_reason": stop_reason(act), "stop_sequence": null}, "usage": {"output_tokens": 20}});
    events.extend([
        event("content_block_stop", json!({"index": 0})),
        event("message_delta", ended),
        event("message_stop", json!({})),
    ]);
    events
}

fn item(block: &Value, by_model: bool) -> Option<Item> {
    match block.get("type").and_then(Value::as_str)? {
        "text" => Some(spoken(block.get("text")?.as_str()?.to_owned(), by_model)),
        "tool_use" => Some(Item::Called(
            block.pointer("/input/command").and_then(Value::as_str).unwrap_or_default().to_owned(),
        )),
        "tool_result" => Some(Item::Result(texts(block.get("content")).join("\n"))),
        _ => None,
    }
}

fn spoken(text: String, by_model: bool) -> Item {
    if by_model { Item::Said(text) } else { Item::Given(text) }
}

/// The texts of a field that is a string or a list of blocks.
fn texts(field: Option<&Value>) -> Vec<String> {
    match field {
        Some(Value::String(text)) => vec![text.clone()],
        Some(Value::Array(blocks)) => {
            blocks.iter().filter_map(|block| Some(block.get("text")?.as_str()?.to_owned())).collect()
        }
        _ => Vec::new(),
    }
}

fn shell(body: &Value) -> Option<Shell> {
    let tools = body.get("tools")?.as_array()?;
    let bash = tools.iter().any(|tool| tool.get("name").and_then(Value::as_str) == Some("Bash"));
    bash.then(|| Shell { name: "Bash".to_owned(), form: ShellForm::Command })
}

fn arguments(command: &str) -> Value {
    json!({"command": command, "description": "What the loopback model was told to run"})
}

fn tool_use(input: Value) -> Value {
    json!({"type": "tool_use", "id": format!("toolu_{:x}", unique()), "name": "Bash", "input": input})
}

fn message(content: Value, stop_reason: Option<&str>, request: &Value, behaviour: &Behaviour) -> Value {
    json!({"id": format!("msg_{:x}", unique()), "type": "message", "role": "assistant",
           "model": request.get("model"), "content": content, "stop_reason": stop_reason, "stop_sequence": null,
           "usage": {"input_tokens": behaviour.input_tokens, "output_tokens": 1,
                     "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0}})
}

fn stop_reason(act: &Act) -> &'static str {
    match act {
        Act::Say(_) => "end_turn",
        Act::Run(_) => "tool_use",
    }
}

fn event(name: &'static str, mut data: Value) -> Event {
    if let Some(fields) = data.as_object_mut() {
        fields.insert("type".to_owned(), name.into());
    }
    Event { name, data, paced: false }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_of_claude_code_is_read_in_order() {
        let body = json!({
            "system": [{"type": "text", "text": "You are Claude Code."}],
            "tools": [{"name": "Read"}, {"name": "Bash"}],
            "messages": [
                {"role": "user", "content": [{"type": "text", "text": "begin"}]},
                {"role": "system", "content": "SessionStart:startup hook success: You are agent0."},
                {"role": "assistant", "content": [{"type": "tool_use", "name": "Bash", "input": {"command": "ls"}}]},
                {"role": "user", "content": [{"type": "tool_result", "content": [{"type": "text", "text": "a"}]}]},
                {"role": "assistant", "content": "done"},
            ],
        });
        let given = |text: &str| Item::Given(text.to_owned());
        let expected = vec![
            given("You are Claude Code."),
            given("begin"),
            given("SessionStart:startup hook success: You are agent0."),
            Item::Called("ls".to_owned()),
            Item::Result("a".to_owned()),
            Item::Said("done".to_owned()),
        ];
        let read = read(&body);
        assert_eq!(read.items, expected);
        assert_eq!(read.shell, Some(Shell { name: "Bash".to_owned(), form: ShellForm::Command }));
    }

    #[test]
    fn a_title_request_has_no_shell_and_wants_json() {
        let read =
            read(&json!({"tools": [], "messages": [], "output_config": {"format": {"type": "json_schema"}}}));
        assert_eq!((read.shell, read.wants_json), (None, true));
    }
}
