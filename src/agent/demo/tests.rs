//! The whole agent, event by event.

use super::*;

const PROMPT: &str =
    "netsky started this session. You are agent0; your number is 3. This is your startup turn.";

/// An agent on a stage of the test's own: hooks and commands answer what the test says.
struct Play {
    demo: Demo,
    said: Vec<String>,
    bottom: Vec<String>,
    hooks: Vec<(&'static str, Value)>,
    answers: VecDeque<(&'static str, String)>,
    runs: VecDeque<String>,
    ran: Vec<String>,
    others: Vec<Effect>,
}

fn settings(faults: &[Fault]) -> Settings {
    Settings {
        dir: "/work".into(),
        prompt: Some(PROMPT.into()),
        trusted: true,
        default_no: false,
        think: Duration::from_millis(50),
        faults: faults.to_vec(),
        markers: Vec::new(),
        seed: "seed".into(),
    }
}

impl Play {
    fn of(settings: Settings) -> Self {
        let (said, bottom, hooks) = (Vec::new(), Vec::new(), Vec::new());
        let (answers, runs, ran, others) = (VecDeque::new(), VecDeque::new(), Vec::new(), Vec::new());
        Self { demo: Demo::new(settings), said, bottom, hooks, answers, runs, ran, others }
    }

    fn with(faults: &[Fault]) -> Self {
        Self::of(settings(faults)).start()
    }

    /// The next call of this hook prints this.
    fn hook_says(mut self, event: &'static str, printed: &str) -> Self {
        self.answers.push_back((event, printed.into()));
        self
    }

    fn runs(mut self, printed: &[String]) -> Self {
        self.runs.extend(printed.iter().cloned());
        self
    }

    fn start(mut self) -> Self {
        self.feed(Event::Started);
        self
    }

    /// Carries everything out at once, thinking too.
    fn feed(&mut self, event: Event) {
        let mut events = VecDeque::from([event]);
        while let Some(event) = events.pop_front() {
            for effect in self.demo.handle(event) {
                match effect {
                    Effect::Show { said, bottom } => {
                        self.said.extend(said);
                        self.bottom = bottom;
                    }
                    Effect::Hook { event, input } => {
                        self.hooks.push((event, serde_json::from_str(&input).unwrap_or_default()));
                        let known = self.answers.iter().position(|(name, _)| *name == event);
                        let printed = known.and_then(|at| self.answers.remove(at)).unwrap_or_default().1;
                        events.push_back(Event::HookSaid(printed));
                    }
                    Effect::Run(command) => {
                        self.ran.push(command);
                        events.push_back(Event::Ran(self.runs.pop_front()));
                    }
                    Effect::Think(_) => events.push_back(Event::Thought),
                    other => self.others.push(other),
                }
            }
        }
    }

    fn type_in(&mut self, text: &str) {
        self.feed(Event::Pressed(Key::Text(text.into())));
        self.feed(Event::Pressed(Key::Enter));
    }

    fn hook_names(&self) -> Vec<&str> {
        self.hooks.iter().map(|(name, _)| *name).collect()
    }

    fn said(&self, line: &str) -> bool {
        self.said.iter().any(|said| said == line)
    }
}

const MARKER: &str = "● agent0 session 3 up";

#[test]
fn a_startup_turn_is_reported_and_ends_with_the_marker() {
    let play = Play::with(&[]);
    assert_eq!(play.hook_names(), ["SessionStart", "UserPromptSubmit", "Stop"]);
    assert_eq!(play.hooks[0].1["source"], "startup");
    assert_eq!(play.hooks[0].1["cwd"], "/work");
    assert_eq!(play.hooks[0].1["hook_event_name"], "SessionStart");
    assert_eq!(play.hooks[0].1["session_id"], settings::session_id("seed", 1));
    assert_eq!(play.hooks[1].1["prompt"], PROMPT);
    let message = play.hooks[2].1["last_assistant_message"].as_str().unwrap();
    assert_eq!(message.lines().last(), Some("agent0 session 3 up"));
    assert_eq!(play.said.last().map(String::as_str), Some(MARKER));
    assert_eq!(play.bottom, ["", "❯ "]);
}

#[test]
fn who_it_is_may_stand_in_the_context_alone() {
    let mut settings = settings(&[]);
    settings.prompt = Some("netsky up".into());
    let briefing = "# Briefing\nYou are agent2, your number is 9. Call `netsky inbox next` now and then.\n";
    let play = Play::of(settings).hook_says("SessionStart", briefing).start();
    assert!(play.said("● agent2 session 9 up"));
    assert!(play.ran.is_empty());
}

#[test]
fn the_context_may_come_as_json() {
    let mut settings = settings(&[]);
    settings.prompt = Some("netsky up".into());
    let answer = json!({"hookSpecificOutput": {"additionalContext": "You are agent2, your number is 9."}});
    let play = Play::of(settings).hook_says("UserPromptSubmit", &answer.to_string()).start();
    assert!(play.said("● agent2 session 9 up"));
}

#[test]
fn trust_is_asked_first_and_no_ends_it() {
    let untrusted = |default_no| Settings { trusted: false, default_no, ..settings(&[]) };
    let mut play = Play::of(untrusted(false)).start();
    assert!(play.hooks.is_empty());
    assert_eq!(play.bottom.first().map(String::as_str), Some("demo agent: do you trust the files in /work?"));
    play.feed(Event::Pressed(Key::Enter));
    assert!(play.said(MARKER));
    let mut play = Play::of(untrusted(true)).start();
    play.feed(Event::Pressed(Key::Enter));
    assert_eq!(play.others, [Effect::End(Ending::Refused)]);
    assert!(play.hooks.is_empty());
}

#[test]
fn without_a_prompt_it_waits_and_a_pasted_one_starts_it() {
    let mut play = Play::of(Settings { prompt: None, ..settings(&[]) }).start();
    assert_eq!((play.hook_names(), play.bottom.last().unwrap().as_str()), (vec!["SessionStart"], "❯ "));
    play.feed(Event::Pressed(Key::Text(PROMPT.into())));
    assert!(play.bottom.last().unwrap().starts_with("❯ netsky started"));
    play.feed(Event::Pressed(Key::Enter));
    assert!(play.said(MARKER));
    play.type_in("héllo");
    assert!(play.said("❯ héllo") && play.said("● ok: 5 characters"));
}

fn fence(id: &str, what: &str, text: &str) -> String {
    format!(
        "[netsky N BEGIN {what}message {id} from owner to agent0, sent T]\n{text}\n[netsky N END {what}message {id}]\n"
    )
}

#[test]
fn messages_in_the_context_and_announced_ones_are_read() {
    let announced = fence("01B", "head of ", "ab")
        + "This is only the head of message 01B: 4 bytes, sha256 x. Read all of it in 2 parts: run `n inbox next`. It \
           is kept in F.\n";
    let parts = [fence("01B", "part 1 of 2 of ", "ab"), fence("01B", "part 2 of 2 of ", "cd")];
    let mut play = Play::of(settings(&[]))
        .hook_says("SessionStart", &fence("01A", "", "first"))
        .hook_says("UserPromptSubmit", &announced)
        .runs(&parts)
        .runs(&["The inbox is empty.\n".into()])
        .start();
    assert!(play.said("● read message 01A from owner (5 bytes): first"), "{:?}", play.said);
    assert!(play.said("● read message 01B from owner (4 bytes): abcd"), "{:?}", play.said);
    assert_eq!(play.ran, ["n inbox next"; 3]);
    play.type_in("again");
    assert_eq!(play.said.iter().filter(|line| line.starts_with("● read")).count(), 2);
    assert_eq!(play.ran.len(), 3);
}

#[test]
fn where_hooks_are_mute_the_nudge_is_obeyed() {
    let mut play = Play::with(&[]).runs(&[fence("01A", "", "hi")]);
    play.type_in("a message waits: read it with `netsky inbox next` until");
    assert_eq!(play.ran.len(), 2);
    assert!(play.said("● read message 01A from owner (2 bytes): hi"));
}

#[test]
fn prompts_typed_into_a_turn_are_queued_and_shown() {
    let mut play = Play::with(&[Fault::Hang]);
    assert!(play.bottom.contains(&words::BUSY.to_owned()));
    play.type_in("later\nline");
    assert_eq!(play.bottom[3..], ["▸ queued: later line", "❯ "]);
    play.feed(Event::Pressed(Key::Text("half".into())));
    play.feed(Event::Pressed(Key::Escape));
    assert!(play.said("● Interrupted by you") && play.said("❯ later line"));
    assert_eq!(play.bottom, ["", "❯ half"]);
}

#[test]
fn clear_begins_a_new_session_and_exit_ends_it() {
    let mut play = Play::with(&[]);
    play.type_in("/clear");
    play.type_in("/exit");
    let names = &play.hook_names()[3..];
    assert_eq!(names, ["SessionEnd", "SessionStart", "SessionEnd"]);
    let field = |at: usize, name: &str| play.hooks[at].1[name].as_str().unwrap().to_owned();
    assert_eq!(
        [field(3, "reason"), field(4, "source"), field(5, "reason")],
        ["clear", "clear", "prompt_input_exit"]
    );
    assert_ne!(field(3, "session_id"), field(4, "session_id"));
    assert_eq!(play.others, [Effect::End(Ending::Done)]);
}

#[test]
fn keys_edit_the_composer() {
    let mut play = Play::with(&[]);
    for key in [Key::Text("aé".into()), Key::Backspace, Key::Backspace, Key::Backspace, Key::Text("b".into())]
    {
        play.feed(Event::Pressed(key));
    }
    assert_eq!(play.bottom.last().unwrap(), "❯ b");
    play.feed(Event::Pressed(Key::Clear));
    play.feed(Event::Pressed(Key::Enter));
    assert_eq!((play.bottom.last().unwrap().as_str(), play.hooks.len()), ("❯ ", 3));
}

/// The hooks that are called, whether the marker is said, and what else happens.
fn check(fault: Fault, hooks: &[&str], is_up: bool, others: &[Effect]) {
    let play = Play::with(&[fault]);
    assert_eq!(play.hook_names(), hooks, "{fault:?}");
    assert_eq!(play.said(MARKER), is_up, "{fault:?}");
    assert_eq!(play.others, others, "{fault:?}");
}

#[test]
fn faults_go_wrong_as_they_should() {
    let (turn, failed) =
        (["SessionStart", "UserPromptSubmit", "Stop"], ["SessionStart", "UserPromptSubmit", "StopFailure"]);
    check(Fault::Exit, &[], false, &[Effect::End(Ending::ToldToFail)]);
    check(Fault::ExitLater, &turn, true, &[Effect::End(Ending::ToldToFail)]);
    check(Fault::Shell, &turn, true, &[Effect::BecomeShell]);
    check(Fault::Login, &failed, false, &[]);
    check(Fault::Limit, &failed, false, &[]);
    check(Fault::Overloaded, &failed, false, &[]);
    check(Fault::Permission, &["SessionStart", "UserPromptSubmit", "PermissionRequest"], false, &[]);
    check(Fault::NoMarker, &turn, false, &[]);
    check(Fault::WrongNumber, &turn, false, &[]);
    check(Fault::ForgedMarker, &turn, false, &[]);
    check(Fault::NoStop, &turn[..2], true, &[]);
    check(Fault::Hang, &turn[..2], false, &[]);
    check(Fault::Slow(Duration::from_secs(9)), &turn, true, &[]);
    check(Fault::Trap, &turn, true, &[Effect::IgnoreSignals]);
    check(Fault::Orphan, &turn, true, &[Effect::LeaveOrphan]);
    check(Fault::TwoDialogs, &[], false, &[]);
    check(Fault::UnknownDialog, &[], false, &[]);
    check(Fault::DialogAfterUp, &turn, true, &[]);
    check(Fault::DialogWords, &turn, true, &[]);
}

#[test]
fn a_failed_turn_says_why_and_the_next_one_may_be_the_startup() {
    for (fault, error, said) in [
        (Fault::Login, "authentication_failed", words::LOGIN),
        (Fault::Limit, "rate_limit", words::LIMIT),
        (Fault::Overloaded, "server_error", words::OVERLOADED),
    ] {
        let mut play = Play::with(&[fault]);
        assert_eq!(play.hooks[2].1["error"], error);
        assert_eq!(play.hooks[2].1["last_assistant_message"], said);
        assert!(play.said(&format!("● {said}")));
        play.type_in("again");
        assert!(play.said(MARKER));
    }
}

#[test]
fn a_permission_stands_between_prompt_and_marker() {
    let mut play = Play::with(&[Fault::Permission]);
    assert_eq!(play.hooks[2].1["tool_input"]["command"], "rm -r build");
    assert!(play.bottom.contains(&"❯ 1. Yes".to_owned()));
    play.feed(Event::Pressed(Key::Enter));
    assert_eq!(play.hook_names()[3..], ["PostToolUse", "Stop"]);
    assert!(play.said(MARKER));
}

#[test]
fn no_forged_line_is_a_marker() {
    let marker = crate::agent::marker::Marker::new(crate::agent::marker::DEFAULT_CORE).unwrap();
    let play = Play::with(&[Fault::ForgedMarker]);
    assert!(play.said.iter().any(|line| line.contains("agent0 session 3 up")));
    assert_eq!(marker.find(&play.said.join("\n")), None);
    let up = Play::with(&[]);
    assert_eq!(marker.find(&up.said.join("\n")), Some("agent0 session 3 up"));
    assert_eq!(marker.find(&up.bottom.join("\n")), None);
}

#[test]
fn a_deaf_one_draws_no_key_and_a_slow_one_waits_before_it_draws() {
    let mut play = Play::with(&[Fault::Deaf]);
    play.type_in("hello");
    assert_eq!((play.bottom.last().unwrap().as_str(), play.hooks.len()), ("❯ ", 3));
    let mut play = Play::of(Settings { trusted: false, ..settings(&[Fault::SlowRedraw]) }).start();
    play.feed(Event::Pressed(Key::Down));
    assert_eq!(play.others, [Effect::Pause(SLOW_REDRAW)]);
}

#[test]
fn other_last_lines_may_be_said() {
    let markers = vec!["session 7".to_owned(), "❯ no".to_owned()];
    let play = Play::of(Settings { markers: markers.clone(), ..settings(&[]) }).start();
    assert_eq!(play.said[play.said.len() - 2..], markers);
}
