//! `netsky demo-agent`: the effects of the demo agent. Keys come in, hooks and reading commands are run, frames go
//! out; every decision is `agent::demo`'s.

use std::collections::VecDeque;
use std::fs::OpenOptions;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::Duration;

use rustix::termios::{InputModes, LocalModes, OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};

use super::{Caller, CommandError, Exit, output};
use crate::agent::demo::fault::Fault;
use crate::agent::demo::keys::{Key, Keyboard};
use crate::agent::demo::screen::Screen;
use crate::agent::demo::{Demo, Effect, Ending, Event, Settings};
use crate::clock::Deadline;
use crate::id::Generation;
use crate::process::{self, Job, Outcome, Replacement};
use crate::text;

/// A small agent that needs no account: it reads its messages and does no work
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Ask for no trust in the work directory
    #[arg(long)]
    trusted: bool,
    /// Highlight "No" first in each dialog
    #[arg(long)]
    default_no: bool,
    /// How long each turn takes
    #[arg(long, value_name = "DURATION", default_value = "50ms", value_parser = text::parse_duration)]
    think: Duration,
    /// Call no hooks
    #[arg(long)]
    mute_hooks: bool,
    /// What goes wrong: exit, login, limit, hang, slow:SECONDS, trap, orphan … (a wrong one lists all)
    #[arg(long, value_name = "KIND")]
    fail: Vec<Fault>,
    /// Say this at the end of the startup turn, in place of the marker
    #[arg(long, value_name = "TEXT")]
    startup_marker: Vec<String>,
    /// Append every byte that is typed to this file
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
    /// The first thing asked
    #[arg(allow_hyphen_values = true)]
    prompt: Option<String>,
}

/// How long a hook may take, as in the real CLIs.
const HOOK_LIMIT: Duration = Duration::from_secs(5);

/// How long a command that reads the inbox may take.
const READ_LIMIT: Duration = Duration::from_secs(30);

/// An escape that nothing follows for so long is the Escape key.
const ESCAPE_WAIT: Duration = Duration::from_millis(25);

/// How long an orphan lives if nobody ends it, in seconds.
const ORPHAN_SECONDS: u32 = 600;

/// Plays the agent to its end.
///
/// # Errors
/// The terminal cannot be written, or the shell of `--fail shell` cannot be started.
pub(super) fn run(args: &Args, caller: &Caller) -> Result<Exit, CommandError> {
    let generation = caller.variable("NETSKY_GENERATION").map(str::to_owned);
    let mute = args.mute_hooks || caller.path_variable("NETSKY_HOME").is_none();
    let settings = Settings {
        dir: caller.dir.as_deref().map_or_else(|| "(gone)".to_owned(), |dir| dir.display().to_string()),
        prompt: args.prompt.clone().filter(|prompt| !prompt.trim().is_empty()),
        trusted: args.trusted,
        default_no: args.default_no,
        think: args.think,
        faults: args.fail.clone(),
        markers: args.startup_marker.clone(),
        seed: generation.unwrap_or_else(|| Generation::fresh().to_string()),
    };
    Stage::set(caller, mute, args.record.clone())?.play(Demo::new(settings))
}

/// The terminal and what is under way.
struct Stage<'a> {
    caller: &'a Caller,
    mute: bool,
    terminal: RawTerminal,
    input: Receiver<Vec<u8>>,
    keyboard: Keyboard,
    keys: VecDeque<Key>,
    screen: Screen,
    thinking: Option<Deadline>,
    ignores_signals: bool,
}

/// What an effect led to.
enum Next {
    Go,
    Answer(Event),
    End(Ending),
}

impl<'a> Stage<'a> {
    fn set(caller: &'a Caller, mute: bool, record: Option<PathBuf>) -> Result<Self, CommandError> {
        let terminal = RawTerminal::enter();
        output::data(PASTE_ON)?;
        Ok(Self {
            caller,
            mute,
            terminal,
            input: read_input(record)
                .map_err(|error| CommandError::failed("listening to the keys").because(error))?,
            keyboard: Keyboard::default(),
            keys: VecDeque::new(),
            screen: Screen::default(),
            thinking: None,
            ignores_signals: false,
        })
    }

    fn play(mut self, mut demo: Demo) -> Result<Exit, CommandError> {
        let mut events = VecDeque::from([Event::Started]);
        loop {
            let next = events.pop_front().or_else(|| self.wait());
            let Some(event) = next else { return Ok(self.leave(Ending::Done)) };
            for effect in demo.handle(event) {
                match self.carry_out(effect)? {
                    Next::Go => {}
                    Next::Answer(event) => events.push_back(event),
                    Next::End(ending) => return Ok(self.leave(ending)),
                }
            }
        }
    }

    fn carry_out(&mut self, effect: Effect) -> Result<Next, CommandError> {
        match effect {
            Effect::Show { said, bottom } => self.show(&said, &bottom)?,
            Effect::Hook { event, input } => {
                return Ok(Next::Answer(Event::HookSaid(self.hook(event, input))));
            }
            Effect::Think(time) => self.thinking = Some(Deadline::after(time)),
            Effect::StopThinking => self.thinking = None,
            Effect::Run(command) => {
                let job = Job::new("sh", READ_LIMIT).args(["-c", command.as_str()]);
                return Ok(Next::Answer(Event::Ran(said_by(job))));
            }
            Effect::Pause(time) => {
                process::poll(time, Deadline::after(time), || None::<()>);
            }
            Effect::IgnoreSignals => self.ignores_signals = ignore_signals(),
            Effect::LeaveOrphan => {
                let script = format!("setsid -f sleep {ORPHAN_SECONDS} </dev/null >/dev/null 2>&1");
                if said_by(Job::new("sh", HOOK_LIMIT).args(["-c", script.as_str()])).is_none() {
                    return Err(CommandError::failed("leaving an orphan: setsid -f is missing"));
                }
            }
            Effect::BecomeShell => return Err(self.become_shell()),
            Effect::End(ending) => return Ok(Next::End(ending)),
        }
        Ok(Next::Go)
    }

    /// Nothing, if hooks are mute or this one failed: an agent goes on without.
    fn hook(&self, event: &str, input: String) -> String {
        if self.mute {
            return String::new();
        }
        said_by(Job::new(&self.caller.netsky, HOOK_LIMIT).args(["hook", event]).input(input))
            .unwrap_or_default()
    }

    fn show(&mut self, said: &[String], bottom: &[String]) -> Result<(), CommandError> {
        // While more keys wait, what stands below would be drawn again at once.
        if said.is_empty() && !self.keys.is_empty() {
            return Ok(());
        }
        let columns = tcgetwinsize(io::stdout()).map_or(0, |size| usize::from(size.ws_col));
        let frame = self.screen.frame(said, bottom, if columns == 0 { 80 } else { columns });
        match output::data(frame.as_bytes()) {
            // One that ignores hang-up lives on without its terminal.
            Err(_) if self.ignores_signals => Ok(()),
            written => written,
        }
    }

    /// The next event; `None`: nobody will ever press a key again.
    fn wait(&mut self) -> Option<Event> {
        loop {
            // What was typed before comes before.
            while let Ok(bytes) = self.input.try_recv() {
                self.keys.extend(self.keyboard.feed(&bytes));
            }
            if let Some(key) = self.keys.pop_front() {
                return Some(Event::Pressed(key));
            }
            if self.thinking.is_some_and(|deadline| deadline.is_past()) {
                self.thinking = None;
                return Some(Event::Thought);
            }
            let escape = self.keyboard.is_waiting().then_some(ESCAPE_WAIT);
            let thinking = self.thinking.map(|deadline| deadline.remaining());
            let received = match [escape, thinking].into_iter().flatten().min() {
                Some(limit) => self.input.recv_timeout(limit),
                None => self.input.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            match received {
                Ok(bytes) => self.keys.extend(self.keyboard.feed(&bytes)),
                Err(RecvTimeoutError::Timeout) if escape.is_some() => self.keys.extend(self.keyboard.rest()),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) if self.ignores_signals => std::thread::park(),
                Err(RecvTimeoutError::Disconnected) => return None,
            }
        }
    }

    fn become_shell(&mut self) -> CommandError {
        self.terminal.restore();
        let replacement = Replacement {
            command: vec!["sh".into(), "-i".into()],
            environment: self.caller.environment.clone(),
            dir: self.caller.dir.clone().unwrap_or_else(|| "/".into()),
            umask: self.caller.umask,
        };
        CommandError::failed("becoming a shell").because(process::replace_self(&replacement))
    }

    fn leave(mut self, ending: Ending) -> Exit {
        self.terminal.restore();
        match ending {
            Ending::Done => Exit::Done,
            Ending::Refused => Exit::Failed,
            // Here it is the number alone that counts: 3, which no agent CLI has a meaning for.
            Ending::ToldToFail => Exit::Degraded,
        }
    }
}

/// What a job that ended well has printed.
fn said_by(job: Job) -> Option<String> {
    match job.run() {
        Ok(Outcome::Exited(output)) if output.code() == 0 => Some(output.stdout_text()),
        Ok(Outcome::Exited(_) | Outcome::Late(_)) | Err(_) => None,
    }
}

/// Keys are read on a thread of their own, so that what is typed during a hook waits here and nowhere else.
fn read_input(record: Option<PathBuf>) -> io::Result<Receiver<Vec<u8>>> {
    let (sender, receiver) = mpsc::channel();
    process::beside(move || {
        let mut stdin = io::stdin().lock();
        let mut chunk = [0u8; 4096];
        loop {
            match stdin.read(&mut chunk) {
                Ok(read @ 1..) => {
                    let typed = chunk.get(..read).unwrap_or_default();
                    if let Some(path) = &record {
                        note(path, typed);
                    }
                    if sender.send(typed.to_vec()).is_err() {
                        return;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(_) | Err(_) => return,
            }
        }
    })?;
    Ok(receiver)
}

/// For a test that asks what was typed; it says itself when something is missing.
fn note(path: &Path, typed: &[u8]) {
    let file = OpenOptions::new().append(true).create(true).open(path);
    file.and_then(|mut file| file.write_all(typed)).unwrap_or_default();
}

/// Listens for hang-up and TERM and never looks; whether that was possible. What was once listened for never gets its
/// default back, so the runtime may go.
fn ignore_signals() -> bool {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else {
        return false;
    };
    let _entered = runtime.enter();
    signal(SignalKind::hangup()).is_ok() && signal(SignalKind::terminate()).is_ok()
}

/// Pasted text comes in brackets.
const PASTE_ON: &[u8] = b"\x1b[?2004h";
const PASTE_OFF: &[u8] = b"\r\n\x1b[?2004l";

/// The terminal without echo, lines and signals from keys, as it was once dropped.
struct RawTerminal {
    before: Option<Termios>,
}

impl RawTerminal {
    /// Nothing happens where standard input is no terminal.
    fn enter() -> Self {
        let before = tcgetattr(io::stdin()).ok();
        if let Some(mut raw) = before.clone() {
            raw.local_modes -= LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG | LocalModes::IEXTEN;
            raw.input_modes -= InputModes::ICRNL | InputModes::INLCR | InputModes::IGNCR | InputModes::IXON;
            // Without it keys come line by line, which is worse but works.
            tcsetattr(io::stdin(), OptionalActions::Now, &raw).unwrap_or_default();
        }
        Self { before }
    }

    fn restore(&mut self) {
        if let Some(before) = self.before.take() {
            // The terminal may be gone, and then there is nothing to restore.
            output::data(PASTE_OFF).unwrap_or_default();
            tcsetattr(io::stdin(), OptionalActions::Now, &before).unwrap_or_default();
        }
    }
}

impl Drop for RawTerminal {
    fn drop(&mut self) {
        self.restore();
    }
}
