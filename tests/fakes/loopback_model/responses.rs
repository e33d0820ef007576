//! The OpenAI Responses API, as far as Codex uses it with `wire_api = "responses"`.
//!
//! It only translates. Which tool runs a shell command, and how it takes it, is read from the request: the name has
//! changed often.

use serde_json::{Value, json};

use crate::behaviour::{Behaviour, Refusal};
use crate::brain::Act;
use crate::conversation::{Conversation, Item, Shell, ShellForm};
use crate::journal::unique;
use crate::wire::{Event, pieces};

const SHELL_TOOLS: [&str; 5] = ["exec_command", "shell_command", "shell", "container.exec", "local_shell"];

pub fn read(body: &Value) -> Conversation {
    let mut items: Vec<Item> = text_of(body.get("instructions")).map(Item::Given).into_iter().collect();
    match body.get("input") {
        Some(Value::Array(inputs)) => items.extend(inputs.iter().filter_map(item)),
        input => items.extend(text_of(input).map(Item::Given)),
    }
    let wants_json = body.pointer("/text/format/type").and_then(Value::as_str) == Some("json_schema");
    Conversation { items, shell: shell(body), wants_json }
}

pub fn refusal(refusal: &Refusal) -> Value {
    json!({"error": {"type": refusal.kind(), "code": refusal.kind(), "message": refusal.message(), "param": null}})
}

pub fn events(act: &Act, conversation: &Conversation, behaviour: &Behaviour) -> Vec<Event> {
    let response = format!("resp_{:x}", unique());
    let (started, deltas, done) = match (act, &conversation.shell) {
        (Act::Run(command), Some(shell)) => {
            let call = call(command, shell, behaviour.escalate);
            (call.clone(), Vec::new(), call)
        }
        (Act::Say(text) | Act::Run(text), _) => {
            let id = format!("msg_{:x}", unique());
            (
                output_message(&id, "in_progress", &[]),
                deltas(&id, text, behaviour.chunks),
                output_message(&id, "completed", &[text]),
            )
        }
    };
    let tokens = behaviour.input_tokens;
    let usage = json!({"input_tokens": tokens, "input_tokens_details": {"cached_tokens": 0}, "output_tokens": 20,
                       "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": tokens + 20});
    let created = json!({"id": response, "object": "response", "status": "in_progress", "output": []});
    let completed = json!({"id": response, "object": "response", "status": "completed", "output": [done], "usage": usage});
    let mut all = vec![
        ("response.created", json!({"response": created})),
        ("response.output_item.added", json!({"output_index": 0, "item": started})),
    ];
    all.extend(deltas);
    all.push(("response.output_item.done", json!({"output_index": 0, "item": done})));
    all.push(("response.completed", json!({"response": completed})));
    all.into_iter().enumerate().map(|(number, (name, data))| event(name, data, number)).collect()
}

fn deltas(id: &str, text: &str, chunks: usize) -> Vec<(&'static str, Value)> {
    let at = |mut data: Value| {
        if let Some(fields) = data.as_object_mut() {
            fields.extend([
                ("item_id".to_owned(), id.into()),
                ("output_index".to_owned(), 0.into()),
                ("content_index".to_owned(), 0.into()),
            ]);
        }
        data
    };
    let mut events = vec![(
        "response.content_part.added",
        at(json!({"part": {"type": "output_text", "text": "", "annotations": []}})),
    )];
    let piece = |piece: String| ("response.output_text.delta", at(json!({"delta": piece})));
    events.extend(pieces(text, chunks).into_iter().map(piece));
    events.push(("response.output_text.done", at(json!({"text": text}))));
    events.push((
        "response.content_part.done",
        at(json!({"part": {"type": "output_text", "text": text, "annotations": []}})),
    ));
    events
}

fn output_message(id: &str, status: &str, texts: &[&String]) -> Value {
    let content: Vec<Value> =
        texts.iter().map(|text| json!({"type": "output_text", "text": text, "annotations": []})).collect();
    json!({"type": "message", "id": id, "status": status, "role": "assistant", "content": content})
}

fn call(command: &str, shell: &Shell, escalate: bool) -> Value {
    let mut arguments = match shell.form {
        ShellForm::Command => json!({"command": command}),
        ShellForm::Cmd => json!({"cmd": command}),
        ShellForm::Vector => json!({"command": ["bash", "-lc", command]}),
        ShellForm::LocalShell => {
            return json!({"type": "local_shell_call", "id": format!("lsh_{:x}", unique()),
                          "call_id": format!("call_{:x}", unique()), "status": "completed",
                          "action": {"type": "exec", "command": ["bash", "-lc", command], "env": {}}});
        }
    };
    if escalate && let Some(fields) = arguments.as_object_mut() {
        fields.insert("sandbox_permissions".to_owned(), "require_escalated".into());
        fields.insert("justification".to_owned(), "the loopback model was told to".into());
    }
    json!({"type": "function_call", "id": format!("fc_{:x}", unique()), "call_id": format!("call_{:x}", unique()),
           "status": "completed", "name": shell.name, "arguments": arguments.to_string()})
}

fn item(input: &Value) -> Option<Item> {
    match input.get("type").and_then(Value::as_str).unwrap_or("message") {
        "message" => {
            let text = text_of(input.get("content"))?;
            let by_model = input.get("role").and_then(Value::as_str) == Some("assistant");
            Some(if by_model { Item::Said(text) } else { Item::Given(text) })
        }
        "function_call" => {
            let arguments = input.get("arguments").and_then(Value::as_str).unwrap_or_default();
            let arguments: Value = serde_json::from_str(arguments).unwrap_or_default();
            Some(Item::Called(command_of(&arguments)))
        }
        "local_shell_call" => Some(Item::Called(command_of(input.get("action")?))),
        "function_call_output" | "local_shell_call_output" => {
            Some(Item::Result(text_of(input.get("output")).unwrap_or_default()))
        }
        _ => None,
    }
}

/// The shell command of a call's arguments, in any of the forms; empty when there is none.
fn command_of(arguments: &Value) -> String {
    match arguments.get("cmd").or_else(|| arguments.get("command")) {
        Some(Value::String(command)) => command.clone(),
        Some(Value::Array(words)) => words.last().and_then(Value::as_str).unwrap_or_default().to_owned(),
        _ => String::new(),
    }
}

/// The text of a field that is a string or a list of parts.
fn text_of(field: Option<&Value>) -> Option<String> {
    match field? {
        Value::String(text) => Some(text.clone()),
        Value::Array(parts) => {
            let texts: Vec<&str> = parts.iter().filter_map(|part| part.get("text")?.as_str()).collect();
            Some(texts.join("\n"))
        }
        _ => None,
    }
}

fn shell(body: &Value) -> Option<Shell> {
    let tools = body.get("tools")?.as_array()?;
    SHELL_TOOLS.iter().find_map(|name| tools.iter().find_map(|tool| shell_named(name, tool)))
}

fn shell_named(name: &str, tool: &Value) -> Option<Shell> {
    let shell = |form| Some(Shell { name: name.to_owned(), form });
    if name == "local_shell" && tool.get("type")?.as_str()? == name {
        return shell(ShellForm::LocalShell);
    }
    if tool.get("name")?.as_str()? != name {
        return None;
    }
    let properties = tool.pointer("/parameters/properties")?;
    if properties.get("cmd").is_some() {
        return shell(ShellForm::Cmd);
    }
    match properties.pointer("/command/type")?.as_str()? {
        "array" => shell(ShellForm::Vector),
        _ => shell(ShellForm::Command),
    }
}

fn event(name: &'static str, mut data: Value, number: usize) -> Event {
    if let Some(fields) = data.as_object_mut() {
        fields.extend([("type".to_owned(), name.into()), ("sequence_number".to_owned(), number.into())]);
    }
    Event { name, data, paced: name == "response.output_text.delta" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(tool: Value, expected: Option<(&str, ShellForm)>) {
        let expected = expected.map(|(name, form)| Shell { name: name.to_owned(), form });
        assert_eq!(read(&json!({"tools": [{"type": "web_search"}, tool], "input": "begin"})).shell, expected);
    }

    #[test]
    fn the_shell_tool_is_found_under_each_of_its_names() {
        let function = |name: &str, properties: Value| json!({"type": "function", "name": name, "parameters": {"properties": properties}});
        let string = json!({"type": "string"});
        check(function("exec_command", json!({"cmd": string})), Some(("exec_command", ShellForm::Cmd)));
        check(
            function("shell_command", json!({"command": string})),
            Some(("shell_command", ShellForm::Command)),
        );
        check(function("shell", json!({"command": {"type": "array"}})), Some(("shell", ShellForm::Vector)));
        check(json!({"type": "local_shell"}), Some(("local_shell", ShellForm::LocalShell)));
        check(function("update_plan", json!({"plan": string})), None);
    }

    #[test]
    fn a_call_is_read_back_as_it_was_made() {
        for form in [ShellForm::Cmd, ShellForm::Command, ShellForm::Vector, ShellForm::LocalShell] {
            let made = call("ls -l", &Shell { name: "shell".to_owned(), form }, true);
            assert_eq!(item(&made), Some(Item::Called("ls -l".to_owned())));
        }
    }
}
