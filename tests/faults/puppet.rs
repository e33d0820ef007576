//! An agent that does what the test tells it, below its own pane: it calls hooks, draws, and is nobody else.

use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use crate::support::World;

/// Every command is answered within this, or the puppet hangs.
const LIMIT: Duration = Duration::from_secs(60);

/// Comes up by a marker on its screen, then reads commands from one FIFO and writes their exit codes into another.
const SCRIPT: &str = r#"#!/bin/sh
cd "$1" || exit 9
stty -echo 2>/dev/null
[ -e quiet ] || printf '\342\227\217 %s session 1 up\r\n\r\n\342\235\257 ' "$NETSKY_AGENT"
exec 3<>calls 4<>answers
while IFS= read -r command <&3; do
    eval "$command"
    echo $? >&4
done
"#;

pub struct Puppet {
    dir: PathBuf,
    /// Kept open: what is in a FIFO that nobody has open is gone.
    calls: File,
    answers: Receiver<i32>,
}

impl Puppet {
    /// Gets one ready; it lives once its profile is up.
    pub fn new(world: &World, name: &str) -> Self {
        let dir = world.root().join(format!("puppet-{name}"));
        fs::create_dir(&dir).unwrap();
        for fifo in ["calls", "answers"] {
            assert!(Command::new("mkfifo").arg(dir.join(fifo)).status().unwrap().success());
        }
        fs::write(dir.join("script"), SCRIPT).unwrap();
        let calls = OpenOptions::new().read(true).write(true).open(dir.join("calls")).unwrap();
        let (sender, answers) = mpsc::channel();
        // Opened for both, so that neither side waits for the other, and the reader ends with the test.
        let file = OpenOptions::new().read(true).write(true).open(dir.join("answers")).unwrap();
        std::thread::spawn(move || {
            for line in BufReader::new(file).lines() {
                let Some(code) = line.ok().and_then(|line| line.trim().parse().ok()) else { return };
                if sender.send(code).is_err() {
                    return;
                }
            }
        });
        Self { dir, calls, answers }
    }

    /// One that has no marker to show.
    pub fn quiet(world: &World, name: &str) -> Self {
        let puppet = Self::new(world, name);
        puppet.file("quiet", "");
        puppet
    }

    /// Its profile, as a table of config.toml: screens and hooks as those of the demo agent.
    pub fn profile(&self, name: &str) -> String {
        let script = self.dir.join("script");
        format!("[profile.{name}]\nbase = \"demo\"\ncommand = [\"sh\", {script:?}, {:?}]\n", self.dir)
    }

    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Has it do a line of shell, and gives its exit code.
    pub fn runs(&self, line: &str) -> i32 {
        self.begins(line);
        self.ends(LIMIT).unwrap_or_else(|| panic!("the puppet did not do within {LIMIT:?}: {line}"))
    }

    /// Has it begin.
    pub fn begins(&self, line: &str) {
        assert!(!line.contains('\n'), "one line at a time");
        (&self.calls).write_all(format!("{line}\n").as_bytes()).unwrap();
    }

    /// The exit code of what it began, if that ends within `limit`.
    pub fn ends(&self, limit: Duration) -> Option<i32> {
        self.answers.recv_timeout(limit).ok()
    }

    /// A file of its own.
    pub fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.dir.join(name);
        File::create(&path).unwrap().write_all(bytes.as_ref()).unwrap();
        path
    }
}
