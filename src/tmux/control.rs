//! A lasting connection for looking, used while agents are waited for.
//!
//! Only what changes nothing is sent over it: tmux reads a control client's requests itself, so killing the client
//! does not take them back. It asks for no size and no output, but an attached client it is: tmux counts it.

mod blocks;

use std::collections::VecDeque;
use std::io;

use tmux_interface::commands::ClientFlags;
use tmux_interface::{AttachSession, DisplayMessage};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdin, ChildStdout};
use tokio::time::timeout_at;

use crate::clock::Deadline;
use crate::process::{self, JobError, start_conversation};

use super::answer::{Answer, NoAnswer, Refusal, RefusalKind};
use super::bond;
use super::client::{Tmux, nonce};
use super::pane::{Screen, capture_request, trimmed};
use super::request::Request;
use super::snapshot::{PaneRow, list_panes, read_panes};
use super::target::{PaneId, SessionId, SessionTarget};
use super::version::Version;
use blocks::{Block, Blocks, Piece};

/// What happens without being asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// A session was made or ended.
    SessionsChanged,
    /// A window was closed.
    WindowClosed,
    /// The connection is over: its session or the server ended.
    Exited,
}

/// A control client.
#[derive(Debug)]
pub struct Conversation {
    tmux: Tmux,
    stdin: ChildStdin,
    stdout: ChildStdout,
    /// Killed when dropped.
    _child: Child,
    blocks: Blocks,
    answers: VecDeque<Block>,
    events: VecDeque<Event>,
    /// Answers that are still to come to requests whose asker has gone.
    owed: usize,
    /// Whether it was attached, once tmux has said so.
    attached: Option<Result<(), Refusal>>,
    has_exited: bool,
    /// Whether the server keeps for ever what it captures for us: then screens are read by clients of their own.
    hoards_captures: bool,
    /// The server's second in which panes were last listed.
    listed_in: i64,
}

/// Screens with the server's second in which they were read.
#[derive(Debug)]
pub struct SecondedScreens {
    /// The second of the first of them.
    pub second: i64,
    /// The screens, in the order in which they were asked for.
    pub screens: Vec<(PaneId, Screen)>,
}

impl Conversation {
    /// Attaches to a session, quietly. Needs a tokio runtime with time and io.
    pub async fn attach(tmux: &Tmux, session: SessionId) -> Answer<Self> {
        const DOING: &str = "opening a connection to tmux";
        tmux.open(DOING)?;
        let mut child = start_conversation(command(tmux, session)).map_err(|error| NoAnswer::Program {
            doing: DOING.to_owned(),
            source: JobError { program: error.program, source: error.source },
        })?;
        let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(over(DOING));
        };
        let mut conversation = Self {
            tmux: tmux.clone(),
            stdin,
            stdout,
            _child: child,
            blocks: Blocks::default(),
            answers: VecDeque::new(),
            events: VecDeque::new(),
            owed: 0,
            attached: None,
            has_exited: false,
            hoards_captures: true,
            listed_in: 0,
        };
        let limit = tmux.limits.read;
        match timeout_at(Deadline::after(limit).at().into(), conversation.attached()).await {
            Ok(Some(Ok(()))) => {}
            Ok(Some(Err(refusal))) => return Err(NoAnswer::Refused { doing: DOING.to_owned(), refusal }),
            Ok(None) => return Err(over(DOING)),
            Err(_) => {
                tmux.shut(limit);
                return Err(NoAnswer::Unknown { doing: DOING.to_owned(), limit });
            }
        }
        conversation.check_server(DOING).await?;
        let version = DisplayMessage::new().print().message("#{version}").build().into();
        let answers = conversation.request(DOING, &[version]).await?;
        let said = answers.first().map(|block| String::from_utf8_lossy(&block.body).into_owned());
        let version: Option<Version> = said.and_then(|said| said.parse().ok());
        conversation.hoards_captures = version.is_none_or(|version| version.hoards_captures());
        Ok(conversation)
    }

    /// What tmux says of the attaching; `None`: the connection is over. A request that is typed meanwhile may be
    /// answered before it, attached or not, so that its answer proves nothing.
    async fn attached(&mut self) -> Option<Result<(), Refusal>> {
        while self.attached.is_none() && !self.has_exited {
            self.read().await;
        }
        self.attached.clone()
    }

    /// A session of that id may be another server's.
    async fn check_server(&mut self, doing: &str) -> Answer<()> {
        let nonce = nonce();
        let answers = self.request(doing, &[bond::question(&nonce)]).await?;
        match answers.first() {
            Some(block) if block.is_ok => self.tmux.bond.check_answer(doing, &block.body, &nonce),
            Some(block) => Err(NoAnswer::Refused { doing: doing.to_owned(), refusal: refusal(block) }),
            None => Err(over(doing)),
        }
    }

    /// Lists all panes.
    pub async fn list(&mut self) -> Answer<Vec<PaneRow>> {
        const DOING: &str = "listing the panes";
        let answers = self.request(DOING, &[list_panes()]).await?;
        match answers.first() {
            Some(block) if block.is_ok => {
                self.listed_in = block.second;
                let panes = read_panes(DOING, &block.body)?;
                self.tmux.have_reaped(&panes);
                Ok(panes)
            }
            Some(block) => Err(NoAnswer::Refused { doing: DOING.to_owned(), refusal: refusal(block) }),
            None => Err(over(DOING)),
        }
    }

    /// Reads screens, each with so many lines of what scrolled off above it, all in one go.
    pub async fn capture(&mut self, panes: &[(PaneId, u32)]) -> Answer<SecondedScreens> {
        const DOING: &str = "reading the screens";
        if self.hoards_captures {
            let (tmux, panes) = (self.tmux.clone(), panes.to_vec());
            let reading = process::beside(move || tmux.capture(&panes)).map_err(|source| {
                let source = JobError { program: "a thread".to_owned(), source };
                NoAnswer::Program { doing: DOING.to_owned(), source }
            })?;
            // Read after the list, so in its second or a later one.
            return Ok(SecondedScreens {
                second: self.listed_in,
                screens: reading.await.map_err(|_| over(DOING))??,
            });
        }
        let requests: Vec<_> = panes.iter().map(|(pane, above)| capture_request(*pane, *above)).collect();
        let answers = self.request(DOING, &requests).await?;
        let second = answers.iter().map(|block| block.second).min().unwrap_or_default();
        let screens = panes
            .iter()
            .zip(&answers)
            .map(|((pane, _), block)| match block.is_ok {
                true => (*pane, Ok(String::from_utf8_lossy(&trimmed(&block.body)).into_owned())),
                false => (*pane, Err(refusal(block))),
            })
            .collect();
        Ok(SecondedScreens { second, screens })
    }

    /// The next thing that happens; waits for it. May be dropped at any point.
    pub async fn event(&mut self) -> Event {
        loop {
            if let Some(event) = self.events.pop_front() {
                return event;
            }
            if self.has_exited {
                return Event::Exited;
            }
            self.read().await;
        }
    }

    /// Sends requests and takes their answers, in order, within the limit for reading.
    ///
    /// May be dropped at any point: answers to what was sent are then passed over by the next one.
    async fn request(&mut self, doing: &str, requests: &[Request]) -> Answer<Vec<Block>> {
        self.tmux.open(doing)?;
        let mut lines = Vec::new();
        for request in requests {
            let argument = |source| NoAnswer::Argument { doing: doing.to_owned(), source };
            lines.extend(request.source().map_err(argument)?);
        }
        let limit = self.tmux.limits.read;
        let deadline = Deadline::after(limit).at().into();
        match timeout_at(deadline, self.exchange(&lines, requests.len())).await {
            Ok(Some(answers)) => Ok(answers),
            Ok(None) => Err(over(doing)),
            Err(_) => {
                self.tmux.shut(limit);
                Err(NoAnswer::Unknown { doing: doing.to_owned(), limit })
            }
        }
    }

    /// `None`: the connection is over.
    async fn exchange(&mut self, lines: &[u8], count: usize) -> Option<Vec<Block>> {
        let before = self.owed;
        self.owed += count;
        self.stdin.write_all(lines).await.ok()?;
        while self.answers.len() < before + count {
            if self.has_exited {
                return None;
            }
            self.read().await;
        }
        self.owed = 0;
        Some(self.answers.drain(..).skip(before).collect())
    }

    /// Reads once.
    async fn read(&mut self) {
        let mut buffer = [0; 16 << 10];
        let count = match self.stdout.read(&mut buffer).await {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return,
            read => read.unwrap_or(0),
        };
        if count == 0 {
            self.exited();
        }
        for piece in self.blocks.feed(buffer.get(..count).unwrap_or_default()) {
            match piece {
                Piece::Block(block) if block.is_ours => self.answers.push_back(block),
                // The one command that is not typed is the attaching itself.
                Piece::Block(block) if block.is_ok => self.attached = Some(Ok(())),
                Piece::Block(block) => self.attached = Some(Err(refusal(&block))),
                Piece::SessionsChanged => self.remember(Event::SessionsChanged),
                Piece::WindowClosed => self.remember(Event::WindowClosed),
                Piece::Exit(_) => self.exited(),
            }
        }
    }

    /// One of a kind is enough: an event only says that it is time to look.
    fn remember(&mut self, event: Event) {
        if !self.events.contains(&event) {
            self.events.push_back(event);
        }
    }

    fn exited(&mut self) {
        self.has_exited = true;
        self.remember(Event::Exited);
    }
}

#[expect(clippy::disallowed_methods, reason = "a command is described here; src/process starts it")]
fn command(tmux: &Tmux, session: SessionId) -> std::process::Command {
    let flags = ClientFlags {
        no_output: Some(true),
        ignore_size: Some(true),
        read_only: Some(true),
        ..Default::default()
    };
    let target = SessionTarget::Id(session).to_string();
    let attach = Request::from(AttachSession::new().flags(flags).target_session(target).build());
    let mut command = std::process::Command::new(&tmux.program);
    command
        .args(tmux.arguments())
        .arg("-C")
        .args(attach.words())
        .env_clear()
        .envs(tmux.environment())
        .current_dir("/");
    command
}

fn refusal(block: &Block) -> Refusal {
    Refusal::read(&String::from_utf8_lossy(&block.body))
}

fn over(doing: &str) -> NoAnswer {
    let words = "the connection to the server is over".to_owned();
    NoAnswer::Refused { doing: doing.to_owned(), refusal: Refusal { kind: RefusalKind::ServerExited, words } }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tmux::keys::Key;
    use crate::tmux::test_server::{self, TestServer, eventually};

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
    }

    #[test]
    fn panes_are_listed_and_read_over_one_connection() {
        let server = TestServer::start();
        let script = "printf '%%end 1 2 1\\nhello\\n'; exec sleep 1000";
        let made = server.spawn(&[
            test_server::session(0, &["sh", "-c", script]),
            test_server::session(1, &["sleep", "1000"]),
        ]);
        runtime().block_on(async {
            let mut conversation = Conversation::attach(&server.tmux, made[1].session).await.unwrap();
            let missing: PaneId = "%99".parse().unwrap();
            for hoards in [true, false] {
                conversation.hoards_captures = hoards;
                loop {
                    let rows = conversation.list().await.unwrap();
                    assert_eq!(rows.len(), 2);
                    let seen = conversation
                        .capture(&[(made[0].pane, 0), (missing, 0), (made[1].pane, 0)])
                        .await
                        .unwrap();
                    assert_eq!(seen.screens[1].1.as_ref().unwrap_err().kind, RefusalKind::NoPane);
                    let first = seen.screens[0].1.as_ref().unwrap();
                    if first.contains("hello") {
                        assert!(first.starts_with("%end 1 2 1\nhello\n"), "{first:?}");
                        assert!(seen.second >= rows[0].window_activity);
                        break;
                    }
                }
            }
            let people = server.tmux.snapshot().unwrap().people;
            assert!(people.is_empty(), "{people:?}");
        });
    }

    #[test]
    fn keys_are_pressed_beside_one_who_may_only_look() {
        let server = TestServer::start();
        let script =
            "stty raw -echo; printf 'Yes, I do'; head -c 1; printf one; head -c 3; printf two; exec cat";
        let made = server.spawn(&[test_server::session(0, &["sh", "-c", script])]);
        let pane = made[0].pane;
        let shown = |words: &str| {
            eventually(words, || {
                let screens = server.tmux.capture(&[(pane, 0)]).unwrap();
                screens[0].1.as_ref().unwrap().contains(words).then_some(())
            });
        };
        runtime().block_on(async {
            let _looks = Conversation::attach(&server.tmux, made[0].session).await.unwrap();
            shown("Yes, I do");
            server.tmux.press(pane, &[Key::Digit(1)]).unwrap();
            shown("one");
            server.tmux.press_while(pane, "Yes. I do", Key::Up).unwrap();
            shown("two");
        });
    }

    #[test]
    fn screens_that_are_read_again_and_again_do_not_fill_the_server() {
        let server = TestServer::start();
        let script = "seq -s, 4000 | head -c 9000; exec sleep 1000";
        let made = server.spawn(&[test_server::session(0, &["sh", "-c", script])]);
        let resident = || crate::process::resident_memory(server.process().pid);
        runtime().block_on(async {
            let mut conversation = Conversation::attach(&server.tmux, made[0].session).await.unwrap();
            let panes = [(made[0].pane, 0); 10];
            conversation.capture(&panes).await.unwrap();
            let before = resident();
            for _ in 0..100 {
                conversation.capture(&panes).await.unwrap();
            }
            // Nine megabytes were read.
            let more = resident().saturating_sub(before);
            assert!(more < 2 << 20, "{more} bytes more than {before}");
        });
    }

    #[test]
    fn a_request_that_was_dropped_does_not_shift_the_answers_of_the_next() {
        let server = TestServer::start();
        let made = server.spawn(&[test_server::session(0, &["sleep", "1000"])]);
        runtime().block_on(async {
            let mut conversation = Conversation::attach(&server.tmux, made[0].session).await.unwrap();
            for _ in 0..20 {
                tokio::select! {
                    biased;
                    rows = conversation.list() => assert_eq!(rows.unwrap().len(), 1),
                    () = tokio::task::yield_now() => {}
                }
                let panes = [made[0].pane; 3];
                assert_eq!(
                    conversation.capture(&panes.map(|pane| (pane, 0))).await.unwrap().screens.len(),
                    3
                );
                assert_eq!(conversation.list().await.unwrap().len(), 1);
            }
        });
    }

    #[test]
    fn the_end_of_a_session_is_heard_and_the_end_of_ones_own_is_the_end() {
        let server = TestServer::start();
        let made = server.spawn(&[
            test_server::session(0, &["sleep", "1000"]),
            test_server::session(1, &["sleep", "1000"]),
        ]);
        runtime().block_on(async {
            let mut conversation = Conversation::attach(&server.tmux, made[0].session).await.unwrap();
            server.tmux.kill(&[made[1].session]).unwrap();
            let first = conversation.event().await;
            assert!(matches!(first, Event::SessionsChanged | Event::WindowClosed), "{first:?}");
            server.tmux.kill(&[made[0].session]).unwrap();
            while conversation.event().await != Event::Exited {}
            let error = conversation.list().await.unwrap_err();
            assert!(error.is_refusal(RefusalKind::ServerExited), "{error}");
            for _ in 0..10 {
                let gone = Conversation::attach(&server.tmux, made[0].session).await.unwrap_err();
                assert!(gone.is_refusal(RefusalKind::NoSession), "{gone}");
            }
        });
    }

    #[test]
    fn a_frozen_server_is_unknown_in_time_and_asked_no_more() {
        let server = TestServer::start_with_limits(test_server::SHORT);
        let made = server.spawn(&[test_server::session(0, &["sleep", "1000"])]);
        runtime().block_on(async {
            let mut conversation = Conversation::attach(&server.tmux, made[0].session).await.unwrap();
            server.freeze();
            let start = crate::clock::monotonic_now();
            let error = conversation.list().await.unwrap_err();
            assert!(matches!(error, NoAnswer::Unknown { .. }), "{error}");
            test_server::assert_in_time(start, test_server::SHORT.read);
            let start = crate::clock::monotonic_now();
            assert!(server.tmux.snapshot().unwrap_err().is_unknown());
            test_server::assert_in_time(start, std::time::Duration::ZERO);
            server.thaw();
        });
    }
}
