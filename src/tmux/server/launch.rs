//! The one call that starts a server, and the user's own file that it reads then.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use tmux_interface::{DisplayMessage, SourceFile, StartServer};

use crate::persist;
use crate::process::{self, Job};

use super::STARTING;
use super::ServerSettings;
use crate::tmux::answer::{self, Answer, NoAnswer, Refusal, RefusalKind};
use crate::tmux::batch::Batch;
use crate::tmux::client::{Tmux, end_of, nonce};
use crate::tmux::quote::unglobbed;
use crate::tmux::request::Request;
use crate::tmux::settings::{self, HOME_OPTION};
use crate::tmux::snapshot::{ServerFacts, read_server};

const CONF_FILE: &str = "tmux.conf";

impl Tmux {
    pub(super) fn launch(&self, settings: &ServerSettings) -> Answer<ServerFacts> {
        let conf = self.run_dir.join(CONF_FILE);
        let bytes = settings::conf(&settings.home, settings.size)
            .map_err(|source| NoAnswer::Argument { doing: STARTING.to_owned(), source })?;
        persist::write_volatile(&conf, &bytes).map_err(|error| NoAnswer::Unwritable {
            doing: STARTING.to_owned(),
            path: error.path,
            source: error.source,
        })?;
        let scope = scope_program(&settings.environment);
        let started = self.launch_with(scope.as_deref(), &conf, settings);
        match (scope, started) {
            // A user manager that does not make scopes (in a container, say): the server's own session has to do.
            (Some(_), Err(error))
                if !matches!(error, NoAnswer::Unknown { .. } | NoAnswer::ForeignServer { .. }) =>
            {
                match self.server_facts() {
                    Ok(facts) => Ok(facts),
                    Err(_) => self.launch_with(None, &conf, settings),
                }
            }
            (_, started) => started,
        }
    }

    fn launch_with(
        &self,
        scope: Option<&Path>,
        conf: &Path,
        settings: &ServerSettings,
    ) -> Answer<ServerFacts> {
        let nonce = nonce();
        let mut command: Vec<OsString> = Vec::new();
        if let Some(systemd_run) = scope {
            command.push(systemd_run.into());
            command.extend(["--user", "--scope", "--quiet", "--"].map(OsString::from));
        }
        command.push(self.program.clone().into_os_string());
        command.extend(self.server_arguments());
        command.extend([OsString::from("-f"), conf.as_os_str().to_owned()]);
        let facts = DisplayMessage::new()
            .print()
            .message(format!("#{{exit-empty}} #{{pid}}\t#{{version}}\t#{{start_time}}\t#{{{HOME_OPTION}}}"));
        for request in [
            Request::from(StartServer::new().build()),
            facts.build().into(),
            Request::milestone(&end_of(&nonce)),
        ] {
            if command.last().is_some_and(|word| word != conf) {
                command.push(";".into());
            }
            command.extend(request.words().iter().cloned());
        }
        let mut words = command.into_iter();
        let program = words.next().unwrap_or_default();
        let job = Job::new(program, self.limits.spawn)
            .args(words)
            .environment(&settings.environment)
            .dir(Path::new("/"));
        let said = self.hold(STARTING, self.limits.spawn, job, &nonce, answer::judge)?;
        // Without this setting the server would be gone with its first client: the file was not read.
        match said.stdout.strip_prefix(b"0 ").or(said.stdout.strip_prefix(b"off ")) {
            Some(rest) => read_server(STARTING, rest),
            None => Err(NoAnswer::Incomplete {
                doing: STARTING.to_owned(),
                said: format!("it did not take the settings in {}", conf.display()),
            }),
        }
    }

    /// What is wrong in the user's own file is told and does not stop the work; neither does one that hangs.
    pub(super) fn read_extra_conf(&self, settings: &ServerSettings) -> Vec<Refusal> {
        let Some(path) = &settings.extra_conf else { return Vec::new() };
        let source = Request::from(SourceFile::new().build()).arguments([unglobbed(path)]);
        let doing = format!("reading {}", path.display());
        match self.patient().carry_out(&doing, self.limits.write, &Batch::of([vec![source]])) {
            Ok(said) => {
                // Errors of parsing come as output.
                let printed = String::from_utf8_lossy(&said.stdout).into_owned();
                let parsing = printed.lines().filter(|line| line.contains(": ")).map(Refusal::read);
                said.complaints.into_iter().chain(parsing).collect()
            }
            Err(error) => vec![Refusal { kind: RefusalKind::Other, words: error.to_string() }],
        }
    }
}

/// `systemd-run`, where a user manager can be asked to make a scope.
fn scope_program(environment: &BTreeMap<OsString, OsString>) -> Option<PathBuf> {
    let get = |name: &str| environment.get(OsStr::new(name));
    let manager = Path::new(get("XDG_RUNTIME_DIR")?).join("systemd/private");
    if !manager.exists() {
        return None;
    }
    process::find_program(OsStr::new("systemd-run"), get("PATH")?, Path::new("/"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tmux::When;
    use crate::tmux::test_server::{self, TestServer};

    #[test]
    fn errors_in_the_users_file_are_told_and_stop_nothing() {
        let server = TestServer::prepare(test_server::LONG);
        let conf = server.dir().join("us*er[1].conf");
        persist::write_volatile(&conf, b"set -g status off\nset -g nosuch on\n").unwrap();
        let settings = ServerSettings { extra_conf: Some(conf.clone()), ..server.settings() };
        let started = server.start_now(&settings);
        assert_eq!(started.complaints.len(), 1, "{:?}", started.complaints);
        assert_eq!(server.run(&["display-message", "-p", "#{status}"]).trim(), "off");
        assert!(server.tmux.end_server(started.process, When::Always).unwrap());
        persist::write_volatile(&conf, b"frobnicate\n").unwrap();
        let started = server.start_now(&settings);
        assert!(
            started.complaints[0].words.contains("unknown command: frobnicate"),
            "{:?}",
            started.complaints
        );
    }

    #[test]
    fn the_server_and_its_panes_get_the_chosen_environment_alone() {
        let server = TestServer::start();
        let environ = std::fs::read(format!("/proc/{}/environ", server.process().pid)).unwrap();
        let names: Vec<_> = environ
            .split(|byte| *byte == 0)
            .filter_map(|entry| {
                String::from_utf8_lossy(entry).split_once('=').map(|(name, _)| name.to_owned())
            })
            .collect();
        let expected: Vec<_> =
            server.settings().environment.keys().map(|name| name.to_string_lossy().into_owned()).collect();
        assert!(names.iter().all(|name| expected.contains(name)), "{names:?}");
    }

    #[test]
    fn without_a_user_manager_no_scope_is_asked_for() {
        let dir = tempfile::tempdir().unwrap();
        let environment = |runtime: &Path| -> BTreeMap<OsString, OsString> {
            [("PATH".into(), dir.path().into()), ("XDG_RUNTIME_DIR".into(), runtime.into())].into()
        };
        assert_eq!(scope_program(&environment(dir.path())), None);
        assert_eq!(scope_program(&BTreeMap::new()), None);
    }
}
