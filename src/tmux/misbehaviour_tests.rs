//! Programs called tmux that do not behave like one: every call is bounded, in memory too, and ends in a named error.

use std::path::Path;
use std::time::Duration;

use super::test_server::{SHORT, assert_in_time, session, users_environment, write_program};
use super::{Answer, NoAnswer, Socket, Tmux};
use crate::clock;

fn fake(dir: &Path, script: &str) -> Tmux {
    let program = dir.join("tmux");
    write_program(&program, &format!("#!/bin/sh\n{script}\n"));
    Tmux::new(program, Socket::Path(dir.join("sock")), SHORT, dir.to_owned(), &users_environment())
}

/// What each kind of call says of a program, in one word.
fn check(script: &str, expected: [&str; 3]) {
    let dir = tempfile::tempdir().unwrap();
    let tmux = fake(dir.path(), script);
    let word = |answer: Answer<()>| match answer {
        Ok(()) => "answer",
        Err(NoAnswer::Unknown { .. }) => "unknown",
        Err(NoAnswer::Incomplete { .. }) => "incomplete",
        Err(NoAnswer::Refused { .. }) => "refused",
        Err(NoAnswer::TooOld { .. }) => "old",
        Err(NoAnswer::Program { .. }) => "program",
        Err(_) => "other",
    };
    let timed = |call: &dyn Fn(&Tmux) -> Answer<()>| {
        let start = clock::monotonic_now();
        let said = word(call(&tmux.afresh()));
        assert_in_time(start, SHORT.read);
        said
    };
    let said = [
        timed(&|tmux| tmux.version().map(|_| ())),
        timed(&|tmux| tmux.snapshot().map(|_| ())),
        timed(&|tmux| tmux.spawn(&[session(1, &["true"])]).map(|_| ())),
    ];
    assert_eq!(said, expected, "{script}");
}

#[test]
fn every_odd_program_gets_its_word_in_time() {
    check("echo 'tmux 3.3a'", ["answer", "incomplete", "incomplete"]);
    check("echo 'tmux 3.0a'", ["old", "incomplete", "incomplete"]);
    check("printf '\\033]0;x\\007\\000\\377 garbage\\n'", ["incomplete", "incomplete", "incomplete"]);
    check("printf 'half a li'", ["incomplete", "incomplete", "incomplete"]);
    check("exit 0", ["incomplete", "refused", "refused"]);
    check("exit 3", ["incomplete", "incomplete", "incomplete"]);
    check("echo 'no server running on /x' >&2; exit 1", ["incomplete", "refused", "refused"]);
    check("kill -9 $$", ["incomplete", "incomplete", "incomplete"]);
    check("exec sleep 30", ["unknown", "unknown", "unknown"]);
    check("trap '' TERM HUP INT; while :; do sleep 1; done", ["unknown", "unknown", "unknown"]);
    check("(sleep 5) & exit 3", ["incomplete", "incomplete", "incomplete"]);
    check("exec cat /dev/zero", ["unknown", "unknown", "unknown"]);
}

#[test]
fn a_gigabyte_of_output_is_not_kept() {
    let dir = tempfile::tempdir().unwrap();
    let tmux = fake(dir.path(), "exec head -c 200000000 /dev/zero");
    let tmux = Tmux { limits: super::test_server::LONG, ..tmux };
    let error = tmux.snapshot().unwrap_err();
    assert!(error.to_string().contains("longer than any answer"), "{error}");
}

#[test]
fn a_program_that_is_missing_or_no_program_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let tmux = fake(dir.path(), "");
    let missing = Tmux { program: dir.path().join("nosuch"), ..tmux.clone() };
    assert!(matches!(missing.version(), Err(NoAnswer::Program { .. })));
    write_program(&dir.path().join("tmux"), "\0\0\0");
    assert!(matches!(tmux.snapshot(), Err(NoAnswer::Program { .. })));
}

#[test]
fn an_unwritable_run_directory_stops_what_writes_and_not_what_reads() {
    let dir = tempfile::tempdir().unwrap();
    let tmux = fake(dir.path(), "exit 3");
    let tmux = Tmux { run_dir: dir.path().join("nosuch"), ..tmux };
    assert!(matches!(tmux.spawn(&[session(1, &["true"])]), Err(NoAnswer::Unwritable { .. })));
    assert!(matches!(tmux.snapshot(), Err(NoAnswer::Incomplete { .. })));
}

#[test]
fn a_socket_path_that_is_too_long_is_told_as_such() {
    let dir = tempfile::tempdir().unwrap();
    let server = super::test_server::TestServer::prepare(SHORT);
    let socket = dir.path().join("x".repeat(120));
    let tmux = Tmux { socket: Socket::Path(socket), limits: super::test_server::LONG, ..server.tmux.clone() };
    let error = tmux.snapshot().unwrap_err();
    assert!(error.is_refusal(super::RefusalKind::SocketPathTooLong), "{error}");
}

#[test]
fn an_argument_with_a_nul_is_refused_before_anything_is_sent() {
    let dir = tempfile::tempdir().unwrap();
    let tmux = fake(dir.path(), "exec sleep 30");
    let start = clock::monotonic_now();
    let error = tmux.spawn(&[session(1, &["a\0b"])]).unwrap_err();
    assert!(matches!(error, NoAnswer::Argument { .. }), "{error}");
    assert_in_time(start, Duration::ZERO);
}

#[test]
fn the_users_own_server_is_left_as_it_is() {
    use super::test_server::{LONG, TestServer};
    let users = TestServer::start_foreign();
    let listed = || {
        users.run(&[
            "list-panes",
            "-a",
            "-F",
            "#{session_id} #{session_name} #{pane_id} #{pane_pid} #{window_activity}",
        ])
    };
    let before = listed();
    // The caller sits in it: TMUX names its socket.
    let mut environment = users_environment();
    environment
        .insert("TMUX".into(), format!("{},{},0", users.socket().display(), users.process().pid).into());
    let ours = TestServer::prepare(LONG);
    let tmux = Tmux::new(
        ours.tmux.program.clone(),
        ours.tmux.socket.clone(),
        LONG,
        ours.dir().join("run"),
        &environment,
    );
    assert!(tmux.snapshot().unwrap_err().is_no_server());
    let started = tmux.start_server(&ours.settings()).unwrap();
    let made = tmux.spawn(&[session(0, &["sleep", "1000"]), session(1, &["sleep", "1000"])]).unwrap();
    let first = made[0].1.clone().unwrap();
    tmux.paste(first.pane, "x").unwrap();
    tmux.kill(&[first.session]).unwrap();
    assert!(tmux.end_server(started.process, super::When::Always).unwrap());
    assert_eq!(listed(), before);
}
