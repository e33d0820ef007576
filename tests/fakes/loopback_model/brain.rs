//! What a netsky agent would do next. Pure: a conversation and a behaviour in, an answer out.
//!
//! Rules, first match wins: an error that the behaviour asks for; a short answer where no tool may be used; the
//! next part of a long netsky message, or the command that marks it taken; the behaviour's one tool call; the behaviour's text, or a sentence and the marker.

use crate::behaviour::{Behaviour, Pattern, Refusal};
use crate::conversation::{Conversation, Item};

#[derive(Debug, PartialEq, Eq)]
pub enum Reply {
    Refuse(Refusal),
    Answer(Act),
}

#[derive(Debug, PartialEq, Eq)]
pub enum Act {
    Run(String),
    Say(String),
}

pub fn decide(conversation: &Conversation, behaviour: &Behaviour) -> Reply {
    if let Some(refusal) = &behaviour.error {
        return Reply::Refuse(refusal.clone());
    }
    if conversation.shell.is_none() || is_aside(conversation, behaviour) {
        let text = if conversation.wants_json { r#"{"title":"Loopback"}"# } else { "Loopback" };
        return Reply::Answer(Act::Say(text.to_owned()));
    }
    let act = next_part(conversation, behaviour)
        .or_else(|| acknowledgement(conversation, behaviour))
        .or_else(|| asked_tool(conversation, behaviour))
        .unwrap_or_else(|| Act::Say(spoken(conversation, behaviour)));
    Reply::Answer(act)
}

/// The CLI asks for a summary or a title: all its tools stand in the request, but none may be used.
fn is_aside(conversation: &Conversation, behaviour: &Behaviour) -> bool {
    let mut latest = conversation.items.iter().rev().map_while(|item| match item {
        Item::Given(text) => Some(text),
        Item::Said(_) | Item::Called(_) | Item::Result(_) => None,
    });
    latest.any(|text| behaviour.aside.is_in(text))
}

/// The command that reads the rest of a long message: announced and not read yet, or read in part.
fn next_part(conversation: &Conversation, behaviour: &Behaviour) -> Option<Act> {
    // A CLI may put reminders of its own behind a tool's result.
    let more = last_result(conversation)
        .is_some_and(|text| behaviour.part.numbers_in(text).is_some_and(|(part, of)| part < of));
    if !more && !is_unread(conversation, behaviour) {
        return None;
    }
    behaviour.command.first_in(conversation.given()).map(|command| Act::Run(command.to_owned()))
}

/// Whether something was announced, or asked for and not given, since a command was last run.
fn is_unread(conversation: &Conversation, behaviour: &Behaviour) -> bool {
    let since = || {
        let fresh = conversation.items.iter().rev().take_while(|item| !is_call(item));
        fresh.filter_map(|item| match item {
            Item::Given(text) => Some(text),
            _ => None,
        })
    };
    let has = |pattern: &Pattern| since().any(|text| pattern.is_in(text));
    has(&behaviour.unread) || has(&behaviour.nudge) && !has(&behaviour.whole)
}

fn is_call(item: &Item) -> bool {
    matches!(item, Item::Called(command) if !command.is_empty())
}

/// What the last command printed, where nothing was said since.
fn last_result(conversation: &Conversation) -> Option<&str> {
    match conversation.items.iter().rev().find(|item| !matches!(item, Item::Given(_)))? {
        Item::Result(text) => Some(text),
        _ => None,
    }
}

/// What was read is to be marked taken by a command.
fn acknowledgement(conversation: &Conversation, behaviour: &Behaviour) -> Option<Act> {
    let command = behaviour.acknowledge.first_in(last_result(conversation).into_iter())?;
    Some(Act::Run(command.to_owned()))
}

fn asked_tool(conversation: &Conversation, behaviour: &Behaviour) -> Option<Act> {
    let command = behaviour.tool.as_ref()?;
    let wanted =
        behaviour.tool_if.as_ref().is_none_or(|mark| conversation.given().any(|text| text.contains(mark)));
    (wanted && !conversation.has_called(command)).then(|| Act::Run(command.clone()))
}

fn spoken(conversation: &Conversation, behaviour: &Behaviour) -> String {
    if let Some(text) = &behaviour.say {
        return text.clone();
    }
    let sentence = "The loopback model has read everything.";
    if behaviour.no_marker {
        return sentence.to_owned();
    }
    let agent = behaviour.agent.last_in(conversation.given()).unwrap_or("agent0").to_lowercase();
    let number = behaviour.number.last_in(conversation.given()).unwrap_or("1");
    format!("{sentence}\n\n{agent} session {number} up")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conversation::{Shell, ShellForm};

    fn given(text: &str) -> Item {
        Item::Given(text.to_owned())
    }

    fn called(command: &str) -> Item {
        Item::Called(command.to_owned())
    }

    fn result(text: &str) -> Item {
        Item::Result(text.to_owned())
    }

    fn run(command: &str) -> Reply {
        Reply::Answer(Act::Run(command.to_owned()))
    }

    fn say(text: &str) -> Reply {
        Reply::Answer(Act::Say(text.to_owned()))
    }

    #[track_caller]
    fn check(behaviour: &str, items: &[Item], expected: &Reply) {
        let shell = Some(Shell { name: "Bash".to_owned(), form: ShellForm::Command });
        let conversation = Conversation { items: items.to_vec(), shell, wants_json: false };
        let behaviour: Behaviour = serde_json::from_str(behaviour).unwrap();
        assert_eq!(decide(&conversation, &behaviour), *expected);
    }

    const ANNOUNCED: &str =
        "This is only the head of message M. Read all of it in 2 parts: run `/opt/netsky inbox next`.";

    #[test]
    fn the_marker_takes_agent_and_number_from_the_context() {
        let up = "The loopback model has read everything.\n\nagent3 session 7 up";
        check("{}", &[given("You are agent3. Your session number is 7."), given("begin")], &say(up));
        let default = "The loopback model has read everything.\n\nagent0 session 1 up";
        check("{}", &[given("begin")], &say(default));
        check(r#"{"no_marker":true}"#, &[given("begin")], &say("The loopback model has read everything."));
        check(r#"{"say":"No."}"#, &[given("begin")], &say("No."));
    }

    #[test]
    fn a_long_message_is_read_to_its_last_part() {
        let next = "/opt/netsky inbox next";
        let mut items = vec![given(ANNOUNCED)];
        check("{}", &items, &run(next));
        items.extend([called(next), result("part 1 of 2"), given("The CLI reminds the model of something.")]);
        check("{}", &items, &run(next));
        items.extend([called(next), result("part 2 of 2")]);
        check(r#"{"say":"read"}"#, &items, &say("read"));
        items.extend([Item::Said("read".to_owned()), given("anything else?")]);
        check(r#"{"say":"no"}"#, &items, &say("no"));
    }

    #[test]
    fn a_nudge_is_followed_only_where_the_message_was_not_given_and_what_asks_for_it_is_marked_taken() {
        let nudge = "a message waits in your inbox. If it does not stand above: `/opt/netsky inbox next`";
        let briefing = "You are agent0. `/opt/netsky inbox next` prints the oldest message.";
        check(r#"{"say":"up"}"#, &[given(briefing), given("begin")], &say("up"));
        let mut items = vec![given(briefing), Item::Said("up".to_owned()), given(nudge)];
        let told = [items.clone(), vec![given("[netsky N BEGIN message M from owner")]].concat();
        check(r#"{"say":"read"}"#, &told, &say("read"));
        check("{}", &items, &run("/opt/netsky inbox next"));
        items.extend([
            called("/opt/netsky inbox next"),
            result("END\nmark it taken: run `/opt/netsky inbox done M`."),
        ]);
        check("{}", &items, &run("/opt/netsky inbox done M"));
        items.extend([called("/opt/netsky inbox done M"), result("netsky: message M of agent0 is taken")]);
        check(r#"{"say":"read"}"#, &items, &say("read"));
    }

    #[test]
    fn a_tool_is_run_once_in_a_conversation_and_only_where_it_was_asked_for() {
        check(r#"{"tool":"ls"}"#, &[given("begin")], &run("ls"));
        check(r#"{"tool":"ls","say":"done"}"#, &[given("begin"), called("ls"), result("a")], &say("done"));
        check(r#"{"tool":"ls","tool_if":"look","say":"done"}"#, &[given("begin")], &say("done"));
        check(r#"{"tool":"ls","tool_if":"look"}"#, &[given("look around")], &run("ls"));
    }

    #[test]
    fn an_error_comes_before_everything() {
        check(r#"{"error":401,"tool":"ls"}"#, &[given(ANNOUNCED)], &Reply::Refuse(Refusal::Status(401)));
    }

    #[test]
    fn a_side_request_gets_a_short_answer() {
        let conversation = Conversation { items: vec![given(ANNOUNCED)], ..Conversation::default() };
        assert_eq!(decide(&conversation, &Behaviour::default()), say("Loopback"));
        check(
            "{}",
            &[given(ANNOUNCED), given("CRITICAL: Respond with TEXT ONLY. Do NOT call any tools.")],
            &say("Loopback"),
        );
    }
}
