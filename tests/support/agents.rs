//! The real Claude Code and Codex, each before a model on loopback that keeps every request.
//!
//! Where the CLIs are not installed a test is skipped by name; in CI that is a failure.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use super::World;
use super::world::{Call, NETSKY, files, wait};

const NOBODY: &str = "65534";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cli {
    Claude,
    Codex,
}

/// A world with one of the CLIs, its own model and its own HOME.
pub struct Cast {
    pub world: World,
    pub model: Model,
    pub cli: Cli,
    /// Where Codex keeps its own files: it refuses parts of its work below /tmp.
    _codex_home: tempfile::TempDir,
}

/// The loopback model. Ends when it is dropped.
pub struct Model {
    process: Child,
    dir: PathBuf,
    pub port: u16,
}

impl Cli {
    pub fn name(self) -> &'static str {
        match self {
            Self::Claude => "claude",
            Self::Codex => "codex",
        }
    }
}

/// Where the pinned CLIs are, or why the test `name` cannot run.
pub fn installed(name: &str) -> Option<PathBuf> {
    let found = std::env::var_os("NETSKY_TEST_AGENTS").map(|dir| Path::new(&dir).join("node_modules/.bin"));
    match found.filter(|bin| bin.join("claude").exists() && bin.join("codex").exists()) {
        Some(bin) => Some(bin),
        None => {
            skip(
                name,
                "Claude Code and Codex are not in $NETSKY_TEST_AGENTS (scripts/setup test puts them there)",
            );
            None
        }
    }
}

/// Says that a test does not run, and why. In CI it is a failure.
pub fn skip(name: &str, why: &str) {
    assert!(std::env::var_os("CI").is_none(), "{name} cannot run: {why}");
    eprintln!("skipped: {name}: {why}");
}

impl Model {
    fn start(dir: PathBuf) -> Self {
        fs::create_dir(&dir).unwrap();
        let port_file = dir.join("port");
        let examples = std::env::current_exe().unwrap();
        let program = examples.parent().unwrap().parent().unwrap().join("examples/loopback-model");
        let process = Command::new(&program)
            .arg("--port-file")
            .arg(&port_file)
            .arg("--log")
            .arg(dir.join("log"))
            .arg("--behaviour")
            .arg(dir.join("behaviour.json"))
            .env_clear()
            .stdin(Stdio::null())
            .stderr(fs::File::create(dir.join("stderr")).unwrap())
            .spawn()
            .unwrap_or_else(|error| panic!("starting {}: {error}", program.display()));
        let port = wait(Duration::from_secs(10), &mut || fs::read_to_string(&port_file).ok()?.parse().ok());
        Self { process, dir, port: port.expect("the loopback model does not listen") }
    }

    /// How it acts from the next request on.
    pub fn behave(&self, behaviour: Value) {
        let next = self.dir.join("behaviour.next");
        fs::write(&next, behaviour.to_string()).unwrap();
        fs::rename(&next, self.dir.join("behaviour.json")).unwrap();
    }

    /// The requests so far, oldest first.
    pub fn requests(&self) -> Vec<PathBuf> {
        let mut paths = files(&self.dir.join("log"));
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
        paths
    }

    /// The first request that holds these words.
    pub fn first_with(&self, words: &str) -> Option<PathBuf> {
        self.requests().into_iter().find(|path| fs::read_to_string(path).unwrap().contains(words))
    }
}

impl Drop for Model {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

impl Cast {
    /// A HOME in which the CLI was installed and nothing was ever asked.
    pub fn new(cli: Cli, bin: &Path) -> Self {
        let mut world = World::new();
        let model = Model::start(world.root().join("model"));
        let path = std::env::var_os("PATH").unwrap();
        let paths = std::iter::once(bin.to_owned()).chain(std::env::split_paths(&path));
        world.set("PATH", std::env::join_paths(paths).unwrap());
        let codex_home = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        match cli {
            Cli::Claude => {
                fs::write(
                    world.user.join(".claude.json"),
                    json!({"hasCompletedOnboarding": true}).to_string(),
                )
                .unwrap();
                world.set("ANTHROPIC_BASE_URL", format!("http://127.0.0.1:{}", model.port));
                world.set("ANTHROPIC_AUTH_TOKEN", "loopback");
                world.set("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1");
                world.set("DISABLE_AUTOUPDATER", "1");
            }
            Cli::Codex => {
                world.set("CODEX_HOME", codex_home.path());
                fs::write(codex_home.path().join("config.toml"), codex_config(model.port)).unwrap();
            }
        }
        Self { world, model, cli, _codex_home: codex_home }
    }

    /// Writes netsky's configuration: this CLI for all, at this permission level, in the trusted work directory.
    pub fn permit(&mut self, permissions: &str) {
        if permissions == "bypass" {
            // Claude Code refuses its bypass level to root, except in a sandbox (where a 529 is retried for minutes).
            self.world.set("IS_SANDBOX", "1");
        }
        let (work, cli) = (&self.world.work, self.cli.name());
        self.world.configure(&format!(
            "[constellation]\nagent = \"{cli}\"\nroot_agent = \"{cli}\"\nworkdir = {work:?}\n\
             permissions = \"{permissions}\"\ntrust = [{work:?}]\n"
        ));
    }

    /// Gives the whole world to another user, in whose name [`Cast::as_nobody`] calls netsky.
    pub fn give_away(&self) {
        let owner = format!("{NOBODY}:{NOBODY}");
        let given = Command::new("chown").args(["-R", &owner]).arg(self.world.root()).status().unwrap();
        assert!(given.success());
    }

    pub fn as_nobody(&self, arguments: &[&str]) -> Call<'_> {
        let mut command = Command::new("setpriv");
        command.args(["--reuid", NOBODY, "--regid", NOBODY, "--clear-groups", NETSKY]).args(arguments);
        self.world.call(command)
    }

    /// The CLI's settings that belong to the user.
    pub fn user_settings(&self) -> PathBuf {
        match self.cli {
            Cli::Claude => self.world.user.join(".claude/settings.json"),
            Cli::Codex => self._codex_home.path().join("config.toml"),
        }
    }
}

pub fn git(arguments: &[&str]) -> Command {
    let mut command = Command::new("git");
    command.args(arguments);
    command
}

/// Why netsky and the CLIs cannot be called in another user's name here.
pub fn no_other_user(bin: &Path) -> Option<String> {
    let can = |program: &Path| {
        let mut command = Command::new("setpriv");
        command.args(["--reuid", NOBODY, "--regid", NOBODY, "--clear-groups", "test", "-x"]).arg(program);
        command.stderr(Stdio::null()).status().is_ok_and(|status| status.success())
    };
    [Path::new(NETSKY), &bin.join("claude")].into_iter().find(|program| !can(program)).map(|program| {
        format!("another user cannot be made to run {} (root and setpriv are needed)", program.display())
    })
}

fn codex_config(port: u16) -> String {
    format!(
        "model = \"gpt-5.1\"\nmodel_provider = \"loop\"\n[model_providers.loop]\nname = \"loop\"\n\
         base_url = \"http://127.0.0.1:{port}/v1\"\nwire_api = \"responses\"\nrequest_max_retries = 0\n\
         stream_max_retries = 0\n"
    )
}
