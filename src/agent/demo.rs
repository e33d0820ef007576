//! The demo agent: a small agent CLI without model, account or network, and the faults that tests play with it.
//!
//! [`Demo`] is pure: events in, effects out, each effect that has an answer sends it back as the next event. It
//! believes what real agents believe: its startup question, what hooks print into its context, what is typed. Its
//! words are pinned by tests, because the demo profile reads its screens. It knows nothing of netsky's state.

pub mod answer;
pub mod dialog;
pub mod fault;
pub mod keys;
pub mod mail;
pub mod screen;
pub mod settings;
mod turn;
pub mod words;

use std::collections::VecDeque;
use std::time::Duration;

use serde_json::{Value, json};

use self::dialog::{Choice, Dialog, PROMPT_SIGN, Question};
use self::fault::Fault;
use self::keys::Key;
use self::mail::Mailbag;
pub use self::settings::Settings;
use crate::text;

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The process has started.
    Started,
    /// A key was pressed.
    Pressed(Key),
    /// The hook that was called has printed this; nothing if it failed or hooks are mute.
    HookSaid(String),
    /// The thinking that was begun is over.
    Thought,
    /// The command that was run has printed this; `None`: it failed or was late.
    Ran(Option<String>),
}

/// What is to be done, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Lines that stay, and what stands below them from now on.
    Show {
        /// Above.
        said: Vec<String>,
        /// Below; the cursor goes to its end.
        bottom: Vec<String>,
    },
    /// Call `netsky hook EVENT`; answered by [`Event::HookSaid`].
    Hook {
        /// The event.
        event: &'static str,
        /// What the hook reads on standard input.
        input: String,
    },
    /// [`Event::Thought`] so much later; replaces an earlier one.
    Think(Duration),
    /// No [`Event::Thought`] comes any more.
    StopThinking,
    /// Run it with `sh -c`; answered by [`Event::Ran`].
    Run(String),
    /// Do nothing at all for so long.
    Pause(Duration),
    /// Ignore hang-up and TERM from now on.
    IgnoreSignals,
    /// Leave a sleeping child in a session of its own.
    LeaveOrphan,
    /// Become a shell.
    BecomeShell,
    /// End.
    End(Ending),
}

/// How the agent ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Its person ended it.
    Done,
    /// Its person did not accept its terms.
    Refused,
    /// [`Fault::Exit`] and its kin.
    ToldToFail,
}

/// How late a dialog is drawn with [`Fault::SlowRedraw`].
const SLOW_REDRAW: Duration = Duration::from_millis(700);

/// So much of a typed text is shown.
const SHOWN_CHARS: usize = 400;

/// What the agent does.
#[derive(Debug)]
enum Phase {
    /// A dialog is up.
    Asking { dialog: Dialog },
    /// The hook of a session's start runs.
    Beginning,
    /// The hook of a prompt runs.
    Submitting,
    /// A turn is under way, and nobody knows how long yet.
    Thinking,
    /// A command that reads the inbox runs.
    Reading,
    /// A permission is asked for: the hook runs, then the dialog is up.
    Permission,
    /// The hook of a used tool runs.
    Permitted,
    /// The hook of the turn's end runs.
    Ending,
    /// The hook of a cleared session's end runs.
    Clearing,
    /// The hook of the session's end runs.
    Leaving,
    /// It waits for a prompt.
    Idle,
}

/// The agent.
#[derive(Debug)]
pub struct Demo {
    settings: Settings,
    phase: Phase,
    to_ask: VecDeque<Question>,
    sessions: u32,
    context: String,
    mail: Mailbag,
    prompt: String,
    is_first_turn: bool,
    has_answered_startup: bool,
    has_ended_startup: bool,
    hooks_speak: bool,
    to_read: Option<String>,
    reads_left: u32,
    composer: String,
    queue: VecDeque<String>,
    effects: Vec<Effect>,
}

impl Demo {
    /// An agent that has not started yet.
    pub fn new(settings: Settings) -> Self {
        let mut to_ask = VecDeque::new();
        if !settings.trusted {
            to_ask.push_back(Question::Trust);
        }
        if settings.plays(Fault::TwoDialogs) || settings.replaced_after().is_some() {
            to_ask.push_back(Question::Terms);
        }
        if settings.plays(Fault::UnknownDialog) {
            to_ask.push_back(Question::Colour);
        }
        Self {
            settings,
            phase: Phase::Beginning,
            to_ask,
            sessions: 0,
            context: String::new(),
            mail: Mailbag::default(),
            prompt: String::new(),
            is_first_turn: true,
            has_answered_startup: false,
            has_ended_startup: false,
            hooks_speak: false,
            to_read: None,
            reads_left: 0,
            composer: String::new(),
            queue: VecDeque::new(),
            effects: Vec::new(),
        }
    }

    /// What is to be done about an event.
    pub fn handle(&mut self, event: Event) -> Vec<Effect> {
        match event {
            Event::Started => self.start(),
            Event::Pressed(key) => self.press(key),
            Event::HookSaid(printed) => self.hook_said(&printed),
            Event::Thought => self.thought(),
            Event::Ran(printed) => self.ran(printed.as_deref()),
        }
        std::mem::take(&mut self.effects)
    }

    fn start(&mut self) {
        if self.settings.plays(Fault::Exit) {
            self.show(vec![words::TOLD_TO_FAIL.to_owned()]);
            return self.effects.push(Effect::End(Ending::ToldToFail));
        }
        if self.settings.plays(Fault::Trap) {
            self.effects.push(Effect::IgnoreSignals);
        }
        if self.settings.plays(Fault::Orphan) {
            self.effects.push(Effect::LeaveOrphan);
        }
        self.ask_or_begin();
    }

    /// The next dialog of the start, or the session.
    fn ask_or_begin(&mut self) {
        match self.to_ask.pop_front() {
            Some(question) => self.ask(question),
            None => self.begin("startup"),
        }
    }

    fn ask(&mut self, question: Question) {
        let replaced = self.settings.replaced_after();
        let is_second = question == Question::Terms && replaced.is_some();
        let dialog = Dialog::new(question, self.settings.default_no || is_second, self.settings.quirk());
        self.phase = Phase::Asking { dialog };
        self.show(Vec::new());
        self.effects.extend(replaced.filter(|_| question == Question::Trust).map(Effect::Think));
    }

    /// A dialog does something by itself.
    fn stir(&mut self) {
        let Phase::Asking { dialog } = &self.phase else { return };
        if dialog.question == Question::Trust && self.settings.replaced_after().is_some() {
            self.ask_or_begin();
        }
    }

    fn begin(&mut self, source: &str) {
        self.phase = Phase::Beginning;
        self.sessions += 1;
        self.context.clear();
        self.mail = Mailbag::default();
        self.to_read = None;
        self.show(words::greeting(&self.settings.dir));
        self.hook("SessionStart", &json!({ "source": source }));
    }

    fn press(&mut self, key: Key) {
        if let Phase::Asking { dialog } = &mut self.phase {
            let chosen = dialog.press(&key);
            let question = dialog.question;
            if self.settings.plays(Fault::SlowRedraw) {
                self.effects.push(Effect::Pause(SLOW_REDRAW));
            }
            return match chosen {
                Some(choice) => self.choose(question, choice),
                None => self.show(Vec::new()),
            };
        }
        if self.settings.plays(Fault::Deaf) && self.has_answered_startup {
            return;
        }
        match key {
            Key::Text(text) => {
                self.composer.push_str(&text);
                let was_pasted = text.chars().nth(1).is_some();
                if was_pasted
                    && self.settings.plays(Fault::DialogOnPaste)
                    && matches!(self.phase, Phase::Idle)
                {
                    self.settings.faults.retain(|fault| *fault != Fault::DialogOnPaste);
                    return self.ask(Question::Trust);
                }
            }
            Key::Backspace => drop(self.composer.pop()),
            Key::Clear => self.composer.clear(),
            Key::Enter => return self.enter(),
            Key::Escape if matches!(self.phase, Phase::Thinking) => return self.interrupt(),
            Key::Escape | Key::Up | Key::Down => {}
        }
        self.show(Vec::new());
    }

    fn choose(&mut self, question: Question, choice: Choice) {
        match (question, choice) {
            (Question::Permission, choice) => self.permission_answered(choice),
            (_, Choice::No) => {
                self.show(vec![words::REFUSED.to_owned()]);
                self.effects.push(Effect::End(Ending::Refused));
            }
            (_, Choice::Yes) if self.sessions == 0 => {
                self.effects.push(Effect::StopThinking);
                self.ask_or_begin();
            }
            (_, Choice::Yes) => self.rest(Vec::new()),
        }
    }

    fn enter(&mut self) {
        let typed = std::mem::take(&mut self.composer);
        match (typed.trim(), &self.phase) {
            ("", _) => {}
            ("/exit", Phase::Idle) => {
                self.phase = Phase::Leaving;
                self.show(vec![String::new(), format!("{PROMPT_SIGN} /exit")]);
                return self.hook("SessionEnd", &json!({"reason": "prompt_input_exit"}));
            }
            ("/clear", Phase::Idle) => {
                self.phase = Phase::Clearing;
                self.show(vec![String::new(), format!("{PROMPT_SIGN} /clear"), String::new()]);
                return self.hook("SessionEnd", &json!({"reason": "clear"}));
            }
            (_, Phase::Idle) => return self.submit(typed),
            _ => self.queue.push_back(typed),
        }
        self.show(Vec::new());
    }

    /// Waits for a prompt, or takes the next one that was queued.
    fn rest(&mut self, said: Vec<String>) {
        self.phase = Phase::Idle;
        self.show(said);
        if let Some(next) = self.queue.pop_front() {
            // Through the composer, so that a queued `/exit` is one too; what is half typed stays typed.
            let half_typed = std::mem::replace(&mut self.composer, next);
            self.enter();
            self.composer.push_str(&half_typed);
        }
    }

    fn hook(&mut self, event: &'static str, fields: &Value) {
        let mut input = json!({
            "session_id": settings::session_id(&self.settings.seed, self.sessions),
            "cwd": self.settings.dir,
            "hook_event_name": event,
        });
        if let (Some(all), Some(fields)) = (input.as_object_mut(), fields.as_object()) {
            all.extend(fields.clone());
        }
        let garbage = self.settings.plays(Fault::GarbageHooks);
        let input = if garbage { words::GARBAGE.to_owned() } else { input.to_string() };
        self.effects.push(Effect::Hook { event, input });
    }

    fn show(&mut self, said: Vec<String>) {
        let bottom = self.bottom();
        self.effects.push(Effect::Show { said, bottom });
    }

    /// What stands below everything that was said.
    fn bottom(&self) -> Vec<String> {
        if let Phase::Asking { dialog } = &self.phase {
            return dialog.lines(&self.settings.dir);
        }
        let mut lines = vec![String::new()];
        if !matches!(self.phase, Phase::Idle | Phase::Beginning | Phase::Leaving | Phase::Clearing) {
            lines.extend([words::BUSY.to_owned(), String::new()]);
        }
        lines.extend(self.queue.iter().map(|queued| format!("{} {}", words::QUEUED, shown(queued))));
        lines.push(format!("{PROMPT_SIGN} {}", shown_end(&self.composer)));
        lines
    }
}

/// A text on one line, so that none of it begins a line of its own.
fn shown(typed: &str) -> String {
    text::clipped(&text::one_line(typed), SHOWN_CHARS).into_owned()
}

/// What is being typed, with the blanks at its end.
fn shown_end(typed: &str) -> String {
    // From the end, because this is drawn at each key and what is typed may be long.
    let end: Vec<char> = typed.chars().rev().take(SHOWN_CHARS).collect();
    end.iter().rev().collect::<String>().replace('\n', " ")
}

#[cfg(test)]
mod tests;
