//! One test's world. Dropping it ends everything that the test started, and nothing else.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use wait_timeout::ChildExt;

/// The binary under test.
pub const NETSKY: &str = env!("CARGO_BIN_EXE_netsky");

pub struct World {
    /// The netsky that is under test.
    pub program: PathBuf,
    dir: tempfile::TempDir,
    pub home: PathBuf,
    pub user: PathBuf,
    pub work: PathBuf,
    pub environment: BTreeMap<OsString, OsString>,
}

/// A command that has ended.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
    /// Both outputs, byte for byte.
    pub bytes: [Vec<u8>; 2],
    pub took: Duration,
}

#[must_use]
pub struct Call<'w> {
    world: &'w World,
    command: Command,
    stdin: Vec<u8>,
    limit: Duration,
}

impl World {
    pub fn new() -> Self {
        Self::with(Path::new(NETSKY))
    }

    /// A world with another build of netsky.
    pub fn with(program: &Path) -> Self {
        let dir = tempfile::Builder::new().prefix("nsk-").tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        let (home, user, work) = (root.join("h"), root.join("user"), root.join("work"));
        for path in [&user, &work] {
            fs::create_dir(path).unwrap();
        }
        let path = std::env::var_os("PATH").unwrap();
        let environment = [
            ("PATH", path),
            ("HOME", user.clone().into()),
            ("NETSKY_HOME", home.clone().into()),
            ("LANG", "C.UTF-8".into()),
            ("TERM", "xterm-256color".into()),
            ("SHELL", "/bin/sh".into()),
        ]
        .map(|(name, value)| (OsString::from(name), value));
        Self { program: program.to_owned(), dir, home, user, work, environment: environment.into() }
    }

    pub fn program(&self) -> &Path {
        &self.program
    }

    pub fn root(&self) -> &Path {
        self.dir.path()
    }

    pub fn set(&mut self, name: &str, value: impl Into<OsString>) {
        self.environment.insert(name.into(), value.into());
    }

    /// Writes `config.toml` into the home, which is made by netsky itself first.
    pub fn configure(&self, text: &str) {
        if !self.home.join("home.json").exists() {
            self.netsky(["init", "--yes", "--agent", "demo", "--no-commands"]).run().expect(0);
        }
        fs::write(self.home.join("config.toml"), text).unwrap();
    }

    pub fn netsky<S: Into<OsString>>(&self, arguments: impl IntoIterator<Item = S>) -> Call<'_> {
        let mut command = Command::new(self.program());
        command.args(arguments.into_iter().map(Into::into));
        self.call(command)
    }

    pub fn call(&self, mut command: Command) -> Call<'_> {
        command.env_clear().envs(&self.environment).current_dir(&self.work);
        Call { world: self, command, stdin: Vec::new(), limit: Duration::from_secs(120) }
    }

    pub fn socket(&self) -> PathBuf {
        self.home.join("run/tmux.sock")
    }

    pub fn tmux(&self, arguments: &[&str]) -> Ran {
        let mut command = Command::new("tmux");
        command.arg("-N").arg("-S").arg(self.socket()).args(arguments);
        self.call(command).run()
    }

    pub fn sessions(&self) -> Vec<String> {
        let ran = self.tmux(&["list-sessions", "-F", "#{session_name}"]);
        ran.stdout.lines().map(str::to_owned).collect()
    }

    pub fn server_pid(&self) -> Option<i32> {
        let ran = self.tmux(&["display-message", "-p", "#{pid}"]);
        ran.stdout.trim().parse().ok()
    }

    pub fn pane_pid(&self, agent: &str) -> i32 {
        self.tmux(&["list-panes", "-t", &format!("={agent}:"), "-F", "#{pane_pid}"])
            .stdout
            .trim()
            .parse()
            .unwrap()
    }

    pub fn screen(&self, agent: &str) -> String {
        self.tmux(&["capture-pane", "-p", "-J", "-t", &format!("={agent}:")]).stdout
    }

    pub fn status(&self) -> Value {
        let ran = self.netsky(["status", "--json"]).run();
        serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran:?}"))
    }

    pub fn state_of(&self, agent: &str) -> String {
        let status = self.status();
        let agents = status["agents"].as_array().unwrap();
        let found = agents.iter().find(|known| known["name"] == agent);
        found.map_or("absent".to_owned(), |found| found["state"].as_str().unwrap().to_owned())
    }

    /// The newest restart-status file.
    pub fn record(&self) -> Value {
        self.records().pop().expect("no restart-status file")
    }

    pub fn records(&self) -> Vec<Value> {
        let mut names: Vec<PathBuf> = files(&self.home.join("state/restart-status"));
        names.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
        names.iter().map(|path| serde_json::from_slice(&fs::read(path).unwrap()).unwrap()).collect()
    }

    /// Envelopes of agent0 by place: new, shown, taken.
    pub fn envelopes(&self) -> [Vec<String>; 3] {
        let inbox = self.home.join("inbox/agent0");
        [inbox.clone(), inbox.join("cur"), inbox.join("done")].map(|dir| {
            let files = files(&dir).into_iter().filter(|path| path.is_file());
            let names = files.map(|path| path.file_name().unwrap().to_str().unwrap().to_owned());
            // What a killed process was writing is no envelope yet.
            names.filter(|name| !name.starts_with(".tmp-")).collect()
        })
    }

    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.work.join(name);
        fs::write(&path, text).unwrap();
        path
    }

    /// Waits until `look` gives something; panics with `what` and the status otherwise.
    pub fn wait<T>(&self, what: &str, limit: Duration, mut look: impl FnMut() -> Option<T>) -> T {
        wait(limit, &mut look).unwrap_or_else(|| {
            let status = self.netsky(["status"]).run();
            panic!(
                "not within {limit:?}: {what}\n{}{}\n{}",
                status.stdout,
                status.stderr,
                self.screen("agent0")
            )
        })
    }
}

/// Looks again every 20 ms.
pub fn wait<T>(limit: Duration, look: &mut dyn FnMut() -> Option<T>) -> Option<T> {
    let until = Instant::now() + limit;
    loop {
        if let Some(found) = look() {
            return Some(found);
        }
        if Instant::now() >= until {
            return None;
        }
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

pub fn files(dir: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(dir) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

impl Call<'_> {
    pub fn stdin(mut self, text: impl AsRef<[u8]>) -> Self {
        self.stdin = text.as_ref().to_vec();
        self
    }

    pub fn env(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.command.env(name, value.into());
        self
    }

    pub fn without(mut self, name: &str) -> Self {
        self.command.env_remove(name);
        self
    }

    /// After this it counts as hanging.
    #[allow(dead_code, reason = "used by one of the two targets that share this")]
    pub fn within(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Starts it and lets it run.
    pub fn start(mut self) -> Child {
        self.command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        self.command.spawn().unwrap()
    }

    pub fn run(mut self) -> Ran {
        let begun = Instant::now();
        self.command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = self.command.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let text = std::mem::take(&mut self.stdin);
        let feeder = std::thread::spawn(move || drop(stdin.write_all(&text)));
        let (stdout, stderr) = (drain(child.stdout.take()), drain(child.stderr.take()));
        let status = child.wait_timeout(self.limit).unwrap().unwrap_or_else(|| {
            child.kill().unwrap();
            child.wait().unwrap();
            panic!("{:?} was not done within {:?}\n{}", self.command, self.limit, self.world.screen("agent0"))
        });
        let took = begun.elapsed();
        feeder.join().unwrap();
        use std::os::unix::process::ExitStatusExt;
        let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap());
        let bytes = [stdout.join().unwrap(), stderr.join().unwrap()];
        let [stdout, stderr] = bytes.each_ref().map(|bytes| String::from_utf8_lossy(bytes).into_owned());
        Ran { code, stdout, stderr, bytes, took }
    }
}

fn drain(pipe: Option<impl std::io::Read + Send + 'static>) -> std::thread::JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        pipe.unwrap().read_to_end(&mut bytes).unwrap();
        bytes
    })
}

impl Ran {
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    #[track_caller]
    pub fn says(self, words: &str) -> Self {
        assert!(
            self.stderr.contains(words),
            "{words:?} is not in stderr:\n{}\nstdout:\n{}",
            self.stderr,
            self.stdout
        );
        self
    }

    #[track_caller]
    pub fn prints(self, words: &str) -> Self {
        assert!(
            self.stdout.contains(words),
            "{words:?} is not in stdout:\n{}\nstderr:\n{}",
            self.stdout,
            self.stderr
        );
        self
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes[0]).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

impl Drop for World {
    fn drop(&mut self) {
        for server in super::tree::servers(&self.socket()) {
            signal(server, "KILL");
            signal(server, "CONT");
        }
        super::tree::end_all_of(&self.home);
    }
}

pub fn signal(pid: i32, name: &str) {
    Command::new("kill")
        .args([&format!("-{name}"), &pid.to_string()])
        .stderr(Stdio::null())
        .status()
        .unwrap();
}
