//! Sockets: the intruder's in the place of netsky's, and netsky's where the intruder tries them.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::super::verbs::places::CONFIG;
use super::ground::{Ground, INTRUDER, refused, set_mode};
use super::{Place, Row, row};
use crate::support::tree;
use crate::support::world::signal;
use crate::sweep::{Finding, Harm};

/// How the intruder answers on his socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answers {
    LikeTmux,
    Never,
    Garbage,
}

const ANSWERS: [Answers; 3] = [Answers::LikeTmux, Answers::Never, Answers::Garbage];

pub fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for answers in ANSWERS {
        let offered = move |name: &str| format!("{name} whose listener answers {answers:?}");
        rows.push(row(offered("his socket in place of run/tmux.sock"), Place::Running, move |ground| {
            in_place(ground, answers, false)
        }));
        rows.push(row(
            offered("his link in place of run/tmux.sock to a socket"),
            Place::Running,
            move |ground| in_place(ground, answers, true),
        ));
        rows.push(row(offered("his socket where config.toml says it is"), Place::Bare, move |ground| {
            configured(ground, answers)
        }));
    }
    rows.push(row("his server by the name that config.toml says", Place::Bare, named));
    rows.push(row("he connects to netsky's own server", Place::Running, |ground| connects(ground)));
    rows.push(row("he tries the sockets of those who wait", Place::Running, |ground| reaches_wake(ground)));
    rows.push(row("his socket among those of who waits", Place::Running, |ground| waits(ground)));
    rows
}

/// Somebody who listens; gone when it is dropped.
struct Listener {
    path: PathBuf,
    server: Option<i32>,
    heard: Arc<AtomicUsize>,
}

impl Listener {
    fn at(path: &Path, answers: Answers, ground: &Ground) -> Self {
        let heard = Arc::new(AtomicUsize::new(0));
        let server = match answers {
            Answers::LikeTmux => {
                // Begun where the intruder may, and moved.
                let begun = ground.lair.join("s");
                let script = format!(
                    "env -u NETSKY_HOME tmux -S {0} -f /dev/null new-session -d -s agent0 'sleep 600' && chmod 777 {0}",
                    begun.display()
                );
                ground.his(&script).expect(0);
                let server = tree::servers(&begun).into_iter().next();
                fs::rename(&begun, path).unwrap();
                server
            }
            Answers::Never | Answers::Garbage => {
                let listener = UnixListener::bind(path).unwrap();
                set_mode(path, 0o777);
                ground.give(path, INTRUDER);
                let counter = Arc::clone(&heard);
                // It ends with the test: nobody connects once the name is gone.
                std::thread::spawn(move || listen(&listener, answers, &counter));
                None
            }
        };
        Self { path: path.to_owned(), server, heard }
    }

    fn findings(&self) -> Vec<Finding> {
        let heard = self.heard.load(Ordering::Relaxed);
        let spoken = (heard > 0).then(|| (Harm::Other, format!("{heard} connections to his socket")));
        let ended = self.server.filter(|server| !tree::is_alive(*server));
        spoken.into_iter().chain(ended.map(|_| (Harm::Other, "his server was ended".to_owned()))).collect()
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.server.iter().for_each(|server| signal(*server, "KILL"));
        fs::remove_file(&self.path).unwrap_or_default();
    }
}

fn listen(listener: &UnixListener, answers: Answers, heard: &AtomicUsize) {
    let mut held = Vec::new();
    for stream in listener.incoming() {
        let Ok(mut stream) = stream else { return };
        heard.fetch_add(1, Ordering::Relaxed);
        if answers == Answers::Garbage {
            drop(stream.read(&mut [0; 64]));
            drop(stream.write_all(&[b'x'; 4096]));
        }
        held.push(stream);
    }
}

const VERBS: &[&[&str]] = &[&["status"], &["restart", "0"], &["up", "0"], &["down"], &["logs", "agent0"]];

fn in_place(ground: &Ground, answers: Answers, by_link: bool) -> Vec<Finding> {
    let socket = ground.world.socket();
    let pid = ground.world.pane_pid("agent0");
    let aside = socket.with_file_name("aside");
    fs::rename(&socket, &aside).unwrap();
    let place = if by_link { ground.open.join("sock") } else { socket.clone() };
    let listener = Listener::at(&place, answers, ground);
    if by_link {
        std::os::unix::fs::symlink(&place, &socket).unwrap();
        ground.give(&socket, INTRUDER);
    }
    let mut found = offered(ground, &listener, &socket);
    drop(listener);
    if by_link {
        fs::remove_file(&socket).unwrap();
    }
    fs::rename(&aside, &socket).unwrap();
    if found.is_empty() {
        found.extend(ground.up_works());
        if ground.world.pane_pid("agent0") != pid {
            found.push((Harm::Other, "agent0 is another one".to_owned()));
        }
    }
    found
}

fn offered(ground: &Ground, listener: &Listener, socket: &Path) -> Vec<Finding> {
    let mut found = ground.refuses(VERBS, 78, socket);
    found.extend(listener.findings());
    found
}

fn configured(ground: &Ground, answers: Answers) -> Vec<Finding> {
    let socket = ground.sticky.join("sock");
    ground.world.configure(&format!("{CONFIG}[tmux]\nsocket = {:?}\n", socket.display().to_string()));
    let listener = Listener::at(&socket, answers, ground);
    let mut found = offered(ground, &listener, &socket);
    drop(listener);
    if found.is_empty() {
        found.extend(ground.up_works());
        let ended = ground.world.netsky(["down"]).run();
        if ended.code != 0 {
            found.push((Harm::Other, format!("down: {ended:?}")));
        }
    }
    found
}

/// tmux looks at the directory of names itself.
fn named(ground: &mut Ground) -> Vec<Finding> {
    let sockets = ground.open.join(format!("tmux-{}", ground.who.uid()));
    ground.world.set("TMUX_TMPDIR", ground.open.clone());
    let ground = &*ground;
    ground.world.configure(&format!("{CONFIG}[tmux]\nsocket = \"name\"\n"));
    ground.his(&format!("mkdir -m 777 {}", sockets.display())).expect(0);
    let listener = Listener::at(&sockets.join("name"), Answers::LikeTmux, ground);
    let mut found = Vec::new();
    for verb in VERBS {
        let ran = ground.world.netsky(verb.iter().copied()).run();
        found.extend(refused(&ran, 78, &sockets, &format!("{verb:?}")));
    }
    found.extend(listener.findings());
    found
}

fn connects(ground: &Ground) -> Vec<Finding> {
    let socket = ground.world.socket();
    let pid = ground.world.pane_pid("agent0");
    let mut found = Vec::new();
    let mut tries = |when: &str| {
        for words in ["list-sessions", "kill-server", "send-keys -t agent0 x", "set -g @netsky_home /x"] {
            // A client that is turned away ends with 0 all the same.
            let ran =
                ground.his(&format!("tmux -N -S {} {words} \\; display-message -p done", socket.display()));
            if !ran.stdout.is_empty() {
                found.push((Harm::Other, format!("{when}, he can {words}: {ran:?}")));
            }
        }
    };
    tries("as netsky makes it");
    // From 3.3 on tmux itself asks who connects.
    if asks_who_connects() {
        let dirs = [ground.world.home.clone(), ground.world.home.join("run")];
        dirs.iter().for_each(|dir| set_mode(dir, 0o755));
        let was = fs::metadata(&socket).unwrap().permissions().mode();
        set_mode(&socket, 0o777);
        tries("with all modes open");
        set_mode(&socket, was);
        dirs.iter().for_each(|dir| set_mode(dir, 0o700));
    }
    if ground.world.pane_pid("agent0") != pid {
        found.push((Harm::Other, "agent0 is another one".to_owned()));
    }
    found.extend(ground.up_works());
    found
}

fn asks_who_connects() -> bool {
    let ran = Command::new("tmux").arg("-V").output().unwrap();
    !String::from_utf8_lossy(&ran.stdout).contains(" 3.2")
}

fn reaches_wake(ground: &Ground) -> Vec<Finding> {
    let wake = ground.world.home.join("run/wake");
    let socket = wake.join("01ARZ3NDEKTSV4RRFFQ69G5FAV");
    let listener = UnixDatagram::bind(&socket).unwrap();
    ground.give(&socket, ground.who.uid());
    let mut found = Vec::new();
    for words in ["ls", "test -w", "test -e", "stat"] {
        if ground.his(&format!("{words} {} 2>/dev/null", socket.display())).code == 0 {
            found.push((Harm::Other, format!("he can {words} a socket of who waits")));
        }
    }
    drop(listener);
    fs::remove_file(&socket).unwrap();
    found
}

/// What netsky wakes are its own: neither his socket nor what he has linked there hears of it.
fn waits(ground: &Ground) -> Vec<Finding> {
    let wake = ground.world.home.join("run/wake");
    let [his, link] =
        ["01ARZ3NDEKTSV4RRFFQ69G5FAV", "01ARZ3NDEKTSV4RRFFQ69G5FAW"].map(|name| wake.join(name));
    let target = ground.private.join("notify");
    let listeners = [UnixDatagram::bind(&his).unwrap(), UnixDatagram::bind(&target).unwrap()];
    ground.give(&his, INTRUDER);
    ground.give(&target, ground.who.uid());
    std::os::unix::fs::symlink(&target, &link).unwrap();
    ground.give(&link, INTRUDER);
    let ran = ground.world.netsky(["restart", "0"]).run();
    let mut found = Vec::new();
    if ran.code != 0 {
        found.push((Harm::Other, format!("restart: {} {}", ran.code, ran.stderr)));
    }
    for listener in &listeners {
        listener.set_nonblocking(true).unwrap();
        if let Ok(length) = listener.recv(&mut [0; 64]) {
            found.push((Harm::Other, format!("{length} bytes came to another's socket")));
        }
    }
    [his, link, target].iter().for_each(|path| fs::remove_file(path).unwrap());
    found
}
