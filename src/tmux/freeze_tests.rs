//! A server that is stopped: every call ends in time, says that it does not know, and what was sent is never done
//! later, but for the one group that was under way.

use std::time::Duration;

use super::test_server::{self, SHORT, TestServer, assert_in_time, eventually};
use super::{Answer, Key, NewSession, NoAnswer, PaneId, SessionId, Tmux, When};
use crate::clock;
use crate::process::ProcessId;

/// One call of each kind.
type Call = (&'static str, Box<dyn Fn(&Tmux) -> Answer<()>>);

fn calls(pane: PaneId, session: SessionId, process: ProcessId, dir: std::path::PathBuf) -> Vec<Call> {
    let calls: Vec<Call> = vec![
        ("snapshot", Box::new(|tmux| tmux.snapshot().map(|_| ()))),
        ("facts", Box::new(|tmux| tmux.server_facts().map(|_| ()))),
        ("capture", Box::new(move |tmux| tmux.capture(&[(pane, 0)]).map(|_| ()))),
        ("keep", Box::new(move |tmux| tmux.keep_screens(&[(pane, dir.join("kept"))], 100).map(|_| ()))),
        ("press", Box::new(move |tmux| tmux.press(pane, &[Key::Enter]))),
        ("paste", Box::new(move |tmux| tmux.paste(pane, "late text"))),
        ("kill", Box::new(move |tmux| tmux.kill(&[session]).map(|_| ()))),
        (
            "spawn",
            Box::new(|tmux| {
                let sessions: Vec<_> =
                    (50..90).map(|n| test_server::session(n, &["sleep", "1000"])).collect();
                tmux.spawn(&sessions).map(|_| ())
            }),
        ),
        ("end", Box::new(move |tmux| tmux.end_server(process, When::Always).map(|_| ()))),
    ];
    calls
}

#[test]
fn nothing_that_was_asked_of_a_frozen_server_is_done_when_it_thaws() {
    let server = TestServer::start_with_limits(SHORT);
    let received = server.dir().join("received");
    let script = "stty raw -echo; printf ready; exec cat >\"$0\"";
    let made = server.spawn(&[test_server::session(0, &["sh", "-c", script, received.to_str().unwrap()])]);
    eventually("the receiver", || {
        server.run(&["capture-pane", "-p", "-t", "=agent0:"]).contains("ready").then_some(())
    });
    server.freeze();
    for (name, call) in calls(made[0].pane, made[0].session, server.process(), server.dir().to_owned()) {
        let tmux = server.tmux.afresh();
        let start = clock::monotonic_now();
        let error = call(&tmux).unwrap_err();
        assert_in_time(start, SHORT.read);
        assert!(matches!(error, NoAnswer::Unknown { .. }), "{name}: {error}");
        let start = clock::monotonic_now();
        assert!(tmux.snapshot().unwrap_err().is_unknown(), "{name}");
        assert_in_time(start, Duration::ZERO);
    }
    server.thaw();
    // Whatever the server was to do late it does before it answers this.
    for _ in 0..3 {
        assert_eq!(server.session_names(), ["agent0"]);
    }
    assert_eq!(server.run(&["list-buffers"]), "");
    assert_eq!(std::fs::read(&received).unwrap(), b"");
    assert!(server.process().is_alive());
    let left = std::fs::read_dir(server.dir().join("run")).unwrap().filter_map(|entry| {
        entry.unwrap().file_name().into_string().ok().filter(|name| name.starts_with("batch-"))
    });
    assert_eq!(left.count(), 0);
}

#[test]
fn frozen_in_the_midst_of_a_batch_at_most_one_group_is_finished_late() {
    const COUNT: u32 = 160;
    const WANTED: u32 = 4;
    // A busy machine may be done with the batch, or not have begun it, when it is frozen: such a round shows nothing.
    const MOST_ROUNDS: u32 = 30;
    let mut caught = 0;
    for round in 0..MOST_ROUNDS {
        if caught == WANTED {
            break;
        }
        let server = TestServer::start_with_limits(SHORT);
        let sessions: Vec<NewSession> =
            (0..COUNT).map(|number| test_server::session(number, &["sleep", "1000"])).collect();
        let outcome = std::thread::scope(|scope| {
            let batch = scope.spawn(|| server.tmux.spawn(&sessions));
            let wanted = usize::try_from(round % 6).unwrap() * 20 + 5;
            let panes = || children_of(server.process().pid);
            // Beyond this the batch has won the race and nothing is shown by this round.
            let limit = clock::Deadline::after(SHORT.spawn);
            let reached =
                crate::process::poll(Duration::from_millis(1), limit, || (panes() >= wanted).then_some(()));
            server.freeze();
            let frozen_at = panes();
            let outcome = batch.join().unwrap();
            (outcome, reached.map(|()| frozen_at))
        });
        server.thaw();
        let made = server.session_names().len();
        if let (Err(NoAnswer::Unknown { .. }), Some(frozen_at)) = outcome {
            caught += 1;
            assert!(made <= frozen_at + 8, "frozen at {frozen_at}, {made} after the thaw");
            assert!(made.is_multiple_of(8), "{made} is no border of a group");
        }
    }
    assert!(caught >= WANTED, "only {caught} of {MOST_ROUNDS} batches were caught in their midst");
}

/// How many processes the server has started that live (panes, here).
fn children_of(pid: i32) -> usize {
    std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"))
        .map_or(0, |children| children.split_whitespace().count())
}
