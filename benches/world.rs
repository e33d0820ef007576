//! A home, a server and agents for one measurement. Dropping it ends everything in it.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// The binary that is measured.
pub(crate) const NETSKY: &str = env!("CARGO_BIN_EXE_netsky");

pub(crate) struct World {
    dir: tempfile::TempDir,
    pub(crate) home: PathBuf,
    pub(crate) work: PathBuf,
    environment: BTreeMap<&'static str, String>,
}

impl World {
    pub(crate) fn new() -> Self {
        let mut builder = tempfile::Builder::new();
        // The script that runs us gives a directory that it clears, whatever becomes of us.
        let dir = match std::env::var_os("NETSKY_BENCH_DIR") {
            Some(parent) => builder.prefix("w").tempdir_in(parent),
            None => builder.prefix("nsb-").tempdir(),
        };
        let dir = dir.unwrap();
        let root = dir.path().canonicalize().unwrap();
        let (home, work) = (root.join("h"), root.join("w"));
        fs::create_dir(&work).unwrap();
        let text = |path: &Path| path.to_str().unwrap().to_owned();
        let environment = BTreeMap::from([
            ("PATH", std::env::var("PATH").unwrap()),
            ("HOME", text(&work)),
            ("NETSKY_HOME", text(&home)),
            ("LANG", "C.UTF-8".to_owned()),
            ("TERM", "xterm-256color".to_owned()),
            ("SHELL", "/bin/sh".to_owned()),
        ]);
        Self { dir, home, work, environment }
    }

    /// Agents that are up at once, on both sides of a comparison.
    pub(crate) fn instant_agent(&self) -> Vec<String> {
        let path = self.work.join("agent");
        fs::write(&path, "#!/bin/sh\nprintf 'session 1 up\\n'\nexec sleep 100000\n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        vec![path.to_str().unwrap().to_owned()]
    }

    /// Every agent is this command. A profile's name that is built in brings that profile's hooks.
    pub(crate) fn configure(&self, profile: &str, command: &[String]) {
        if !self.home.join("home.json").exists() {
            self.run(&["init", "--yes", "--agent", "demo", "--no-commands"]);
        }
        let text = format!(
            "[constellation]\nagent = \"{profile}\"\nroot_agent = \"{profile}\"\n\
             [profile.{profile}]\ncommand = {command:?}\nstartup = \"begin\"\nmemory = \"1MiB\"\n"
        );
        fs::write(self.home.join("config.toml"), text).unwrap();
    }

    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env_clear().envs(&self.environment).current_dir(&self.work).stdin(Stdio::null());
        command
    }

    pub(crate) fn netsky(&self, arguments: &[&str]) -> Command {
        let mut command = self.command(NETSKY);
        command.args(arguments);
        command
    }

    /// Runs netsky to its end, which must be a good one; the time it took.
    pub(crate) fn run(&self, arguments: &[&str]) -> Duration {
        timed(&mut self.netsky(arguments), &self.work.join("stderr"))
    }

    /// Starts netsky and lets it run.
    pub(crate) fn start(&self, arguments: &[&str]) -> Child {
        self.netsky(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    /// The names of the restart-status files, oldest first.
    pub(crate) fn records(&self) -> Vec<PathBuf> {
        let Ok(entries) = fs::read_dir(self.home.join("state/restart-status")) else { return Vec::new() };
        let mut paths: Vec<PathBuf> = entries
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
            .collect();
        paths.sort();
        paths
    }

    pub(crate) fn json(&self, path: &str) -> Value {
        serde_json::from_slice(&fs::read(self.home.join(path)).unwrap()).unwrap()
    }

    pub(crate) fn server_pid(&self) -> Option<i32> {
        let socket = self.home.join("run/tmux.sock");
        let output =
            self.command("tmux").arg("-NS").arg(socket).args(["display-message", "-p", "#{pid}"]).output();
        String::from_utf8_lossy(&output.ok()?.stdout).trim().parse().ok()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        for socket in [self.home.join("run/tmux.sock"), self.work.join("plain.sock")] {
            let mut kill = self.command("tmux");
            kill.arg("-NS").arg(socket).arg("kill-server").stderr(Stdio::null());
            drop(kill.status());
        }
        // Sessions die with their server; the directory may go when nothing writes into it any more.
        let until = Instant::now() + Duration::from_secs(5);
        while fs::remove_dir_all(self.dir.path()).is_err() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// Runs a command to its good end, timed from before its start until it was waited for.
pub(crate) fn timed(command: &mut Command, stderr: &Path) -> Duration {
    let file = fs::File::create(stderr).unwrap();
    command.stdout(Stdio::null()).stderr(file);
    let begun = Instant::now();
    let status = command.status().unwrap();
    let took = begun.elapsed();
    assert!(status.success(), "{command:?}: {status}\n{}", fs::read_to_string(stderr).unwrap_or_default());
    took
}
