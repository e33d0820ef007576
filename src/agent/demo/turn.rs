//! One turn of the demo agent: prompt, thinking, reading of messages, answer, end.

use std::borrow::Cow;

use serde_json::{Value, json};

use super::answer::{Identity, read_message};
use super::dialog::{Choice, Dialog, PERMISSION_COMMAND, PROMPT_SIGN, Question};
use super::fault::Fault;
use super::mail::reading_command;
use super::{Demo, Effect, Ending, Phase, shown, words};

/// So many commands are run in one turn at most: 1 MiB in parts of 4,000 characters, and some more messages.
const MOST_READS: u32 = 500;

impl Demo {
    /// Begins a turn.
    pub(super) fn submit(&mut self, prompt: String) {
        self.phase = Phase::Submitting;
        self.reads_left = MOST_READS;
        self.show(vec![String::new(), format!("{PROMPT_SIGN} {}", shown(&prompt))]);
        self.hook("UserPromptSubmit", &json!({ "prompt": prompt }));
        // Known in later turns too: a turn that failed is no reason to forget who one is.
        self.context.push_str(&prompt);
        self.context.push('\n');
        self.prompt = prompt;
    }

    /// A hook has answered.
    pub(super) fn hook_said(&mut self, printed: &str) {
        match self.phase {
            Phase::Beginning => {
                self.hear(printed);
                match self.settings.prompt.take() {
                    Some(prompt) => self.submit(prompt),
                    None => self.rest(Vec::new()),
                }
            }
            Phase::Submitting => {
                self.hear(printed);
                self.think();
            }
            Phase::Permission => {
                let quirk = self.settings.quirk();
                let dialog = Dialog::new(Question::Permission, self.settings.default_no, quirk);
                self.phase = Phase::Asking { dialog };
                self.show(Vec::new());
            }
            Phase::Permitted => self.answer(),
            Phase::Ending => self.ended(),
            Phase::Clearing => self.begin("clear"),
            Phase::Leaving => self.effects.push(Effect::End(Ending::Done)),
            Phase::Asking { .. } | Phase::Thinking | Phase::Reading | Phase::Idle => {}
        }
    }

    /// What is printed into the context is known from now on.
    fn hear(&mut self, printed: &str) {
        let printed = &*context_of(printed);
        self.hooks_speak |= !printed.trim().is_empty();
        self.context.push_str(printed);
        self.context.push('\n');
        self.mail.take(printed);
        if let Some(command) = reading_command(printed, "run ") {
            self.to_read = Some(command.to_owned());
        }
    }

    fn think(&mut self) {
        self.phase = Phase::Thinking;
        self.show(Vec::new());
        let time =
            if self.is_first_turn { self.settings.first_thinking() } else { Some(self.settings.think) };
        self.effects.extend(time.map(Effect::Think));
    }

    /// The thinking is over: what goes wrong goes wrong now.
    pub(super) fn thought(&mut self) {
        if matches!(self.phase, Phase::Asking { .. }) {
            return self.stir();
        }
        if !matches!(self.phase, Phase::Thinking) {
            return;
        }
        let is_first = std::mem::replace(&mut self.is_first_turn, false);
        let plays = |fault| is_first && self.settings.plays(fault);
        if plays(Fault::Login) {
            self.fail("authentication_failed", words::LOGIN);
        } else if plays(Fault::Limit) {
            self.fail("rate_limit", words::LIMIT);
        } else if plays(Fault::Overloaded) {
            self.fail("server_error", words::OVERLOADED);
        } else if plays(Fault::Permission) {
            self.phase = Phase::Permission;
            let input = json!({"command": PERMISSION_COMMAND});
            self.hook("PermissionRequest", &json!({"tool_name": "Bash", "tool_input": input}));
        } else {
            self.read_or_answer();
        }
    }

    fn fail(&mut self, error: &str, said: &str) {
        self.phase = Phase::Ending;
        self.show(block(&[said.to_owned()]));
        self.hook("StopFailure", &json!({"error": error, "last_assistant_message": said}));
    }

    /// The person has answered the permission dialog.
    pub(super) fn permission_answered(&mut self, choice: Choice) {
        let said = match choice {
            Choice::Yes => "Bash was allowed; this demo runs nothing",
            Choice::No => "Bash was not allowed",
        };
        self.phase = Phase::Permitted;
        self.show(block(&[said.to_owned()]));
        self.hook(
            "PostToolUse",
            &json!({"tool_name": "Bash", "tool_input": {"command": PERMISSION_COMMAND}}),
        );
    }

    /// Reads what was only announced, else answers. A prompt that names the command is obeyed where no hook has put
    /// the message itself into the context.
    fn read_or_answer(&mut self) {
        let is_obeyed = !self.hooks_speak && self.reads_left == MOST_READS;
        let named = if is_obeyed { reading_command(&self.prompt, "") } else { None };
        match self.to_read.take().or_else(|| named.map(str::to_owned)) {
            Some(command) if self.reads_left > 0 => {
                self.reads_left -= 1;
                self.phase = Phase::Reading;
                self.effects.push(Effect::Run(command.clone()));
                self.to_read = Some(command);
            }
            _ => self.answer(),
        }
    }

    /// A reading command has ended: on, until it prints nothing new.
    pub(super) fn ran(&mut self, printed: Option<&str>) {
        if self.mail.take(printed.unwrap_or_default()) { self.read_or_answer() } else { self.answer() }
    }

    fn answer(&mut self) {
        self.to_read = None;
        let prompt = &self.prompt;
        let identity = Identity::find(&[prompt, &self.context]).filter(|_| !self.has_answered_startup);
        let mut said = vec![match identity {
            Some(Identity { name, .. }) => {
                format!("Hello, I am {name}. I do no work, but I read my messages.")
            }
            None => format!("ok: {} characters", prompt.chars().count()),
        }];
        said.extend(self.mail.letters().iter().map(read_message));
        let mut lines = block(&said);
        if let Some(identity) = identity {
            self.has_answered_startup = true;
            let end = self.startup_end(identity);
            said.extend(end.iter().map(|line| unspoken(line).to_owned()));
            lines.extend(end);
        }
        self.phase = Phase::Ending;
        self.show(lines);
        if self.settings.plays(Fault::NoStop) {
            return self.ended();
        }
        self.hook("Stop", &json!({"last_assistant_message": said.join("\n")}));
    }

    /// The lines that end the startup turn, as they are on the screen.
    fn startup_end(&self, identity: Identity) -> Vec<String> {
        if self.settings.plays(Fault::NoMarker) {
            return Vec::new();
        }
        if self.settings.plays(Fault::ForgedMarker) {
            return words::forged(&identity.marker());
        }
        if !self.settings.markers.is_empty() {
            return self.settings.markers.clone();
        }
        let wrong = u64::from(self.settings.plays(Fault::WrongNumber));
        let marker = Identity { number: identity.number.saturating_add(wrong), ..identity }.marker();
        let mut end = spoken(&[marker]);
        if self.settings.plays(Fault::DialogWords) {
            end.extend(spoken(&["By the way, this is what I asked at first:".to_owned()]));
            end.extend(Dialog::new(Question::Trust, false, None).lines(&self.settings.dir));
        }
        end
    }

    /// The turn has ended.
    fn ended(&mut self) {
        let was_startup = self.has_answered_startup && !std::mem::replace(&mut self.has_ended_startup, true);
        let plays = |fault| was_startup && self.settings.plays(fault);
        self.phase = Phase::Idle;
        if plays(Fault::ExitLater) {
            self.show(vec![words::TOLD_TO_FAIL.to_owned()]);
            self.effects.push(Effect::End(Ending::ToldToFail));
        } else if plays(Fault::Shell) {
            self.show(Vec::new());
            self.effects.push(Effect::BecomeShell);
        } else if plays(Fault::DialogAfterUp) {
            self.ask(Question::Trust);
        } else {
            self.rest(Vec::new());
        }
    }

    /// A person has ended the turn; no hook hears of it, as in the real ones.
    pub(super) fn interrupt(&mut self) {
        self.is_first_turn = false;
        self.effects.push(Effect::StopThinking);
        self.rest(block(&[words::INTERRUPTED.to_owned()]));
    }
}

/// What a hook adds to the context: what it prints, or what its JSON says (the form that Claude Code and Codex know).
fn context_of(printed: &str) -> Cow<'_, str> {
    let json = printed.starts_with('{').then(|| serde_json::from_str::<Value>(printed).ok()).flatten();
    match json.as_ref().and_then(|json| json.pointer("/hookSpecificOutput/additionalContext")?.as_str()) {
        Some(context) => Cow::Owned(context.to_owned()),
        None => Cow::Borrowed(printed),
    }
}

/// Something that is said: like everything that stays it begins with an empty line.
fn block(lines: &[String]) -> Vec<String> {
    let mut block = vec![String::new()];
    block.extend(spoken(lines));
    block
}

/// Lines as they are said on the screen.
fn spoken(lines: &[String]) -> Vec<String> {
    lines.iter().map(|line| format!("{} {line}", words::SAYS)).collect()
}

/// The line without its decoration: a model's answer has none.
fn unspoken(line: &str) -> &str {
    line.strip_prefix(words::SAYS).map_or(line, str::trim_start)
}
