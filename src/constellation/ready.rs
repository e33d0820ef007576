//! Waiting until agents are up, all of them together: events first, looking where only looking helps.
//!
//! One loop turns its sources (a hook's wake-up, the next look, a finished key press, a signal) into steps of the
//! agents' [`Watch`]es and hands out one settled agent after the other. The slowest agent decides how long it takes,
//! not the sum. One control connection carries all looks; it only reads.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use tokio::net::UnixDatagram;
use tokio::sync::mpsc;
use tokio::time::sleep_until;

use crate::agent::beacon::{self, Beacon};
use crate::agent::dialog::{self, Key};
use crate::agent::profile::Profile;
use crate::agent::screen::{self, Reading, Situation};
use crate::agent::wake::Listener;
use crate::clock::{self, Instant};
use crate::events;
use crate::id::Generation;
use crate::name::AgentName;
use crate::paths::Home;
use crate::persist;
use crate::process::{self, Interrupts, JobError};
use crate::text;
use crate::tmux::{Answer, Conversation, Death, Looks, NoAnswer, PaneId, PaneRow, SessionId, Tmux};

use super::nudge::{self, Asked};
use super::watch::{Look, Outcome, PaneSight, Rules, Step, Watch};

/// A change of a screen that moves neither cursor nor history is seen after so long.
const SIGNLESS_CHANGE: Duration = Duration::from_millis(75);

/// How often all beacons are read, in case a wake-up was lost.
const BEACONS_EVERY: Duration = Duration::from_millis(250);

/// A pane that is dead but whose exit status tmux has not told is looked at again for so long.
const STATUS_WAIT: Duration = Duration::from_secs(2);

/// So many lines above the screen of a dead pane are read.
const LAST_WORDS: u32 = 200;

/// Lines of a screen that are kept to show why an agent is not up.
const SHOWN_LINES: usize = 12;

/// Waiting failed.
#[derive(Debug, thiserror::Error)]
pub enum WaitError {
    /// tmux did not answer.
    #[error("watching the agents come up")]
    Tmux {
        /// What came back.
        #[from]
        source: NoAnswer,
    },
    /// What is needed to wait cannot be had.
    #[error("getting ready to watch the agents")]
    System {
        /// What the system said.
        #[from]
        source: std::io::Error,
    },
}

/// An agent that is on its way up.
#[derive(Debug, Clone)]
pub struct Awaited {
    /// Which.
    pub name: AgentName,
    /// Its generation.
    pub generation: Generation,
    /// Its session.
    pub session: SessionId,
    /// Its pane.
    pub pane: PaneId,
    /// Its profile.
    pub profile: Profile,
    /// What it is judged by.
    pub rules: Rules,
    /// What is pasted once its composer is there, where it is not asked by argument.
    pub question: Option<String>,
    /// When it was spawned.
    pub since: Instant,
}

/// An agent whose way up has ended.
#[derive(Debug, Clone)]
pub struct Settled {
    /// Which.
    pub name: AgentName,
    /// How.
    pub outcome: Outcome,
    /// How long it took from its spawn.
    pub took: Duration,
    /// The dialogs that were answered.
    pub dialogs: Vec<String>,
    /// The last lines of its screen.
    pub screen: Vec<String>,
    /// The CLI's own session id, where a hook told it.
    pub cli_session: Option<String>,
}

/// What happened next.
#[derive(Debug)]
pub enum Event {
    /// An agent's way up has ended.
    Settled(Settled),
    /// An agent shows something new: its name and a word for it.
    Moved(AgentName, &'static str),
    /// The process was told to end by this signal.
    Signal(u8),
    /// All are settled.
    Over,
}

/// The agents on their way up.
#[derive(Debug)]
pub struct Rising {
    home: Home,
    tmux: Tmux,
    climbers: BTreeMap<AgentName, Climber>,
    looks: Looks,
    conversation: Option<Conversation>,
    /// Holds the name of the socket for as long as we wait.
    _listener: Listener,
    woken: UnixDatagram,
    pressed: (mpsc::UnboundedSender<Pressed>, mpsc::UnboundedReceiver<Pressed>),
    interrupts: Interrupts,
    events: VecDeque<Event>,
    next_look: Instant,
    next_beacons: Instant,
}

#[derive(Debug)]
struct Climber {
    awaited: Awaited,
    watch: Watch,
    row: Option<PaneRow>,
    dead_since: Option<Instant>,
    reading: Option<Reading>,
    screen: String,
    /// Since when its screen, which is not blank, shows nothing new.
    still_since: Option<Instant>,
    beacon: Option<Beacon>,
    is_typing: bool,
    was_broken_off: bool,
    word: &'static str,
}

#[derive(Debug)]
struct Pressed {
    name: AgentName,
    result: Result<Asked, NoAnswer>,
}

impl Rising {
    /// Gets ready to wait. Must run in a tokio runtime; made before the agents are spawned, so that no wake-up is
    /// missed.
    ///
    /// # Errors
    /// Sockets or signals cannot be had.
    pub fn new(home: &Home, tmux: &Tmux, interrupts: &Interrupts) -> Result<Self, WaitError> {
        let listener = Listener::bind(home)?;
        let woken = UnixDatagram::from_std(listener.socket().try_clone()?)?;
        let now = clock::monotonic_now();
        Ok(Self {
            home: home.clone(),
            tmux: tmux.clone(),
            climbers: BTreeMap::new(),
            looks: Looks::new(SIGNLESS_CHANGE),
            conversation: None,
            _listener: listener,
            woken,
            pressed: mpsc::unbounded_channel(),
            interrupts: interrupts.clone(),
            events: VecDeque::new(),
            next_look: now,
            next_beacons: now,
        })
    }

    /// Awaits these agents too.
    pub fn await_also(&mut self, agents: impl IntoIterator<Item = Awaited>) {
        for awaited in agents {
            let watch = Watch::new(awaited.rules.clone(), awaited.since);
            let climber = Climber {
                awaited,
                watch,
                row: None,
                dead_since: None,
                reading: None,
                screen: String::new(),
                still_since: None,
                beacon: None,
                is_typing: false,
                was_broken_off: false,
                word: "starting",
            };
            self.climbers.insert(climber.awaited.name, climber);
        }
        // What hooks reported before we knew whom to wait for is read at once.
        self.next_beacons = clock::monotonic_now();
    }

    /// How many are still on their way.
    pub fn awaited(&self) -> usize {
        self.climbers.len()
    }

    /// Waits for what happens next.
    ///
    /// # Errors
    /// tmux did not answer.
    pub async fn next(&mut self) -> Result<Event, WaitError> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Ok(event);
            }
            if let Some(signal) = self.interrupts.pending() {
                return Ok(Event::Signal(signal));
            }
            if self.climbers.is_empty() {
                return Ok(Event::Over);
            }
            match self.source().await {
                Source::Woken(hint) => self.read_beacons(hint)?,
                Source::Look => self.look().await?,
                Source::Pressed(pressed) => self.settle_press(pressed)?,
            }
        }
    }

    async fn source(&mut self) -> Source {
        let due = self.next_look.min(self.next_beacons);
        let mut hint = [0u8; 64];
        tokio::select! {
            biased;
            Some(pressed) = self.pressed.1.recv() => Source::Pressed(pressed),
            received = self.woken.recv(&mut hint) => {
                let text = received.ok().and_then(|length| hint.get(..length)).map(String::from_utf8_lossy);
                Source::Woken(text.and_then(|text| text.parse().ok()))
            }
            () = sleep_until(due.into()) => Source::Look,
        }
    }

    /// Reads the beacon of the one who woke us, or all.
    fn read_beacons(&mut self, hint: Option<AgentName>) -> Result<(), WaitError> {
        let names: Vec<AgentName> = match hint {
            Some(name) => vec![name],
            None => self.climbers.keys().copied().collect(),
        };
        for name in names {
            let Some(climber) = self.climbers.get_mut(&name) else { continue };
            // One that cannot be read now is read again soon; the screen counts meanwhile.
            if let Ok(Some(beacon)) = beacon::load(&self.home, name)
                && beacon.generation == climber.awaited.generation
            {
                climber.beacon = Some(beacon);
            }
            self.step(name);
        }
        Ok(())
    }

    async fn look(&mut self) -> Result<(), WaitError> {
        let now = clock::monotonic_now();
        if now >= self.next_beacons {
            self.next_beacons = now + BEACONS_EVERY;
            self.read_beacons(None)?;
        }
        if now < self.next_look || self.climbers.is_empty() {
            return Ok(());
        }
        self.look_at_panes().await?;
        let names: Vec<AgentName> = self.climbers.keys().copied().collect();
        for name in names {
            self.step(name);
        }
        self.next_look = clock::monotonic_now() + Looks::every(self.climbers.len());
        Ok(())
    }

    async fn look_at_panes(&mut self) -> Result<(), WaitError> {
        let Some(conversation) = self.attached().await? else { return Ok(()) };
        let listed = match conversation.list().await {
            Ok(listed) => listed,
            // Its session ended; another one is attached to at the next look.
            Err(NoAnswer::Refused { .. }) => {
                self.conversation = None;
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        };
        self.see_panes(listed);
        let awaited: Vec<PaneRow> =
            self.climbers.values().filter_map(|climber| climber.row.clone()).collect();
        self.look_at_screens(&awaited).await
    }

    async fn look_at_screens(&mut self, awaited: &[PaneRow]) -> Result<(), WaitError> {
        let is_dead = |pane: &PaneId| awaited.iter().any(|row| row.pane == *pane && row.dead.is_some());
        let due: Vec<(PaneId, u32)> = self
            .looks
            .due(awaited, clock::monotonic_now())
            // The last words of a dead pane have scrolled off.
            .map(|pane| (pane, if is_dead(&pane) { LAST_WORDS } else { 0 }))
            .collect();
        let (false, Some(conversation)) = (due.is_empty(), self.conversation.as_mut()) else { return Ok(()) };
        let captured = match conversation.capture(&due).await {
            Ok(captured) => captured,
            Err(NoAnswer::Refused { .. }) => {
                self.conversation = None;
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        };
        let now = clock::monotonic_now();
        for (pane, screen) in captured.screens {
            // One that is gone shows in the next list.
            let (Ok(text), Some(row)) = (screen, awaited.iter().find(|row| row.pane == pane)) else {
                continue;
            };
            self.looks.remember(row, captured.second, now);
            self.read_screen(pane, &text);
        }
        Ok(())
    }

    /// The conversation, begun anew where its session has gone; `None` when no awaited session is left.
    async fn attached(&mut self) -> Result<Option<&mut Conversation>, WaitError> {
        if self.conversation.is_none() {
            let sessions: Vec<SessionId> =
                self.climbers.values().map(|climber| climber.awaited.session).collect();
            for session in sessions {
                match Conversation::attach(&self.tmux, session).await {
                    Ok(conversation) => {
                        self.conversation = Some(conversation);
                        break;
                    }
                    Err(NoAnswer::Refused { .. }) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            if self.conversation.is_none() {
                self.look_from_outside().await?;
            }
        }
        Ok(self.conversation.as_mut())
    }

    /// No session of those awaited can be attached to: they are gone, unless it was the server that was not found.
    async fn look_from_outside(&mut self) -> Result<(), WaitError> {
        let tmux = self.tmux.clone();
        match process::beside(move || tmux.snapshot())?.await.map_err(std::io::Error::other)? {
            Ok(snapshot) => self.see_panes(snapshot.panes),
            Err(NoAnswer::Refused { .. }) => self.see_panes(Vec::new()),
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    fn see_panes(&mut self, panes: Vec<PaneRow>) {
        let rows: BTreeMap<PaneId, PaneRow> = panes.into_iter().map(|row| (row.pane, row)).collect();
        let now = clock::monotonic_now();
        for climber in self.climbers.values_mut() {
            climber.row = rows.get(&climber.awaited.pane).cloned();
            let is_dead = climber.row.as_ref().is_none_or(|row| row.dead.is_some());
            climber.dead_since = is_dead.then(|| climber.dead_since.unwrap_or(now));
        }
    }

    fn read_screen(&mut self, pane: PaneId, captured: &str) {
        let Some(climber) = self.climbers.values_mut().find(|climber| climber.awaited.pane == pane) else {
            return;
        };
        let profile = &climber.awaited.profile;
        climber.reading = Some(screen::read(profile.screen, &profile.marker, captured));
        if climber.screen != captured {
            captured.clone_into(&mut climber.screen);
            climber.still_since = (!captured.trim().is_empty()).then(clock::monotonic_now);
        }
    }

    fn step(&mut self, name: AgentName) {
        let Some(climber) = self.climbers.get_mut(&name) else { return };
        if climber.is_typing {
            return;
        }
        let now = clock::monotonic_now();
        let how = climber.death(now);
        let pane = match (&how, climber.dead_since) {
            (Some(how), _) => PaneSight::Dead(how),
            (None, Some(_)) => PaneSight::Unseen,
            (None, None) => PaneSight::Alive,
        };
        let still = climber.still_since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since));
        let (screen, beacon) = (climber.reading.as_ref(), climber.beacon.as_ref());
        let look = Look { now, pane, screen, still, beacon };
        let step = climber.watch.step(&look);
        let word = climber.state_word();
        if word != climber.word {
            climber.word = word;
            self.events.push_back(Event::Moved(name, word));
        }
        match step {
            Step::Wait => {}
            Step::Press { keys, .. } => self.press(name, keys),
            Step::AskStartup => self.ask(name),
            Step::Settled(outcome) => self.settle(name, outcome),
        }
    }

    fn settle(&mut self, name: AgentName, outcome: Outcome) {
        let Some(climber) = self.climbers.remove(&name) else { return };
        if matches!(outcome, Outcome::Exited { .. }) && !climber.screen.is_empty() {
            let path = self.home.screen(name, climber.awaited.generation);
            if let Err(error) = persist::write_volatile(&path, climber.screen.as_bytes()) {
                events::Event::new("screens-lost").with("agent", name).with("why", error).log(&self.home);
            }
        }
        self.events.push_back(Event::Settled(Settled {
            name,
            outcome,
            took: clock::monotonic_now().saturating_duration_since(climber.watch.since()),
            dialogs: climber.watch.dialogs().iter().map(|dialog| (*dialog).to_owned()).collect(),
            screen: text::last_lines(&climber.screen, SHOWN_LINES),
            cli_session: climber.beacon.and_then(|beacon| beacon.cli_session),
        }));
    }

    /// Keys are written by a client of their own, beside the loop.
    fn press(&mut self, name: AgentName, keys: Vec<Key>) {
        let Some(climber) = self.climbers.get_mut(&name) else { return };
        climber.is_typing = true;
        let (tmux, pane) = (self.tmux.clone(), climber.awaited.pane);
        let row = climber.highlighted_line().filter(|_| keys == [Key::Enter]);
        let keys: Vec<crate::tmux::Key> = keys.into_iter().map(nudge::key).collect();
        self.write_beside(name, move || {
            let pressed = match row {
                Some(row) => tmux.press_while(pane, &row, crate::tmux::Key::Enter),
                None => tmux.press(pane, &keys),
            };
            pressed.map(|()| Asked::Confirmed)
        });
    }

    fn ask(&mut self, name: AgentName) {
        let Some(climber) = self.climbers.get_mut(&name) else { return };
        let Some(question) = climber.awaited.question.clone() else { return };
        climber.is_typing = true;
        let (tmux, pane) = (self.tmux.clone(), climber.awaited.pane);
        let (profile, was_broken_off) = (climber.awaited.profile.clone(), climber.was_broken_off);
        self.write_beside(name, move || nudge::ask(&tmux, pane, &profile, &question, was_broken_off));
    }

    fn write_beside(&self, name: AgentName, write: impl FnOnce() -> Answer<Asked> + Send + 'static) {
        let sender = self.pressed.0.clone();
        let begun = process::beside(move || sender.send(Pressed { name, result: write() }).ok());
        if let Err(source) = begun {
            let source = JobError { program: "a thread".to_owned(), source };
            let result = Err(NoAnswer::Program { doing: format!("typing to {name}"), source });
            // It is we who receive it.
            self.pressed.0.send(Pressed { name, result }).unwrap_or_default();
        }
    }

    fn settle_press(&mut self, Pressed { name, result }: Pressed) -> Result<(), WaitError> {
        if let Some(climber) = self.climbers.get_mut(&name) {
            climber.is_typing = false;
            // What was read before the keys is no answer to them.
            climber.reading = None;
            self.looks.forget(climber.awaited.pane);
            if matches!(result, Ok(Asked::BrokenOff)) {
                climber.was_broken_off = true;
                climber.watch.ask_again();
            }
        }
        match result {
            // A pane that is gone shows at the next look.
            Ok(_) | Err(NoAnswer::Refused { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

impl Climber {
    /// How its process ended; `None`: it runs, or tmux has not told yet how it ended.
    fn death(&self, now: Instant) -> Option<String> {
        let since = self.dead_since?;
        match self.row.as_ref() {
            None => Some("its session is gone".to_owned()),
            Some(row) => match row.dead? {
                Death::Exited(code) => Some(format!("its process ended with exit code {code}")),
                Death::Signalled(signal) => Some(format!("its process was ended by signal {signal}")),
                Death::Unexplained if now.saturating_duration_since(since) >= STATUS_WAIT => {
                    Some("its process ended".to_owned())
                }
                Death::Unexplained => None,
            },
        }
    }

    /// Of the dialog that was seen, what must still stand there when it is confirmed.
    fn highlighted_line(&self) -> Option<String> {
        match &self.reading.as_ref()?.situation {
            Situation::Dialog(seen) => dialog::highlighted_line(seen),
            _ => None,
        }
    }

    fn state_word(&self) -> &'static str {
        use crate::agent::beacon::Activity;
        match (
            self.beacon.as_ref().map(|beacon| &beacon.activity),
            self.reading.as_ref().map(|r| &r.situation),
        ) {
            (_, Some(Situation::Dialog(_) | Situation::UnknownDialog { .. })) => "dialog",
            (_, Some(Situation::Retrying { .. })) => "retrying",
            (Some(Activity::Busy), _) | (None, Some(Situation::Busy)) => "busy",
            (Some(Activity::AwaitsPerson { .. }), _) => "blocked",
            _ => "starting",
        }
    }
}

enum Source {
    Woken(Option<AgentName>),
    Look,
    Pressed(Pressed),
}
