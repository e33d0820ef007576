use std::time::Duration;

use super::*;
use crate::config::{AgentOverrides, Color, LogLevel, Permissions, Socket, StartupHow};
use crate::name::AgentName;

const EVERYTHING: &str = r#"
[constellation]
clones = 4
agent = "codex"
root_agent = "claude"
workdir = "~/project"
permissions = "edits"    # chosen by me at 2026-11-20T19:00:00Z
trust = ["/srv/a", "~/b"]

[agent.agent2]
workdir = "/srv/a"
profile = "mybot"
role = "reviewer"

[tmux]
socket = "work"
size = "120x40"
read_timeout = "1s"
write_timeout = "2s"
spawn_timeout = "1m"
conf = "~/.tmux.conf"

[restart]
up_wait = "2m 30s"
prompt_wait = "20s"
stop_grace = "500ms"
start_parallel = 8
status_keep = 5

[handoff]
keep = 7
max_bytes = "64KiB"

[profile.mybot]
command = ["mybot", "--interactive"]
env = { MYBOT_MODE = "fast", EMPTY = "" }
startup = "netsky up"
how = "paste"
marker = 'session \d+'
memory = "300MiB"

[profile.careful]
base = "claude"
"#;

/// Loads `text` as the file, with these variables and flags.
fn load(text: &str, variables: &[(&str, &str)], flags: Flags) -> Result<Loaded, Vec<String>> {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("config.toml");
    persist::replace(&file, text.as_bytes()).unwrap();
    let mut environment: BTreeMap<OsString, OsString> =
        variables.iter().map(|(name, value)| (name.into(), value.into())).collect();
    environment.entry("HOME".into()).or_insert("/home/me".into());
    let shown = |problem: &Problem| {
        let hint = problem.hint().map(|hint| format!(" ({hint})")).unwrap_or_default();
        format!("{problem}{hint}").replace(&format!("{}/", dir.path().display()), "")
    };
    Config::load(&Inputs { file, environment: &environment, flags })
        .map_err(|errors| errors.problems.iter().map(shown).collect())
}

#[test]
fn every_key_of_the_file_is_read() {
    let loaded = load(EVERYTHING, &[], Flags::default()).unwrap();
    let config = &loaded.config;
    let own = AgentOverrides {
        workdir: Some("/srv/a".into()),
        profile: Some("mybot".into()),
        role: Some("reviewer".into()),
    };
    assert_eq!(config.constellation.clones, 4);
    assert_eq!(config.constellation.workdir, Some("/home/me/project".into()));
    assert_eq!(config.constellation.permissions, Permissions::Edits);
    assert_eq!(config.constellation.trust, [PathBuf::from("/srv/a"), PathBuf::from("/home/me/b")]);
    assert_eq!(config.constellation.agents.get(&AgentName::Numbered(2)), Some(&own));
    assert_eq!(
        [0, 1, 2].map(|n| config.profile_of(AgentName::Numbered(n)).to_owned()),
        ["claude", "codex", "mybot"]
    );
    assert_eq!((config.tmux.socket.clone(), config.tmux.size), (Socket::Name("work".into()), (120, 40)));
    assert_eq!(config.tmux.spawn_timeout, Duration::from_secs(60));
    assert_eq!((config.restart.up_wait, config.restart.status_keep), (Duration::from_secs(150), 5));
    assert_eq!((config.handoff.keep, config.handoff.max_bytes), (7, 65536));
    let mybot = &config.profiles["mybot"];
    assert_eq!((mybot.how, mybot.memory), (Some(StartupHow::Paste), Some(300 << 20)));
    assert_eq!(mybot.env["MYBOT_MODE"], "fast");
    assert_eq!(loaded.permissions_chosen.as_deref(), Some("chosen by me at 2026-11-20T19:00:00Z"));
}

#[test]
fn what_is_no_utf8_is_named_with_its_line() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("config.toml");
    persist::replace(&file, b"[tmux]\n\nsocket = \"\xff\"\n").unwrap();
    let problem = text_of(&file).unwrap_err();
    assert!(matches!(problem, Problem::Syntax { line: 3, .. }), "{problem}");
}

#[test]
fn nothing_said_means_the_defaults() {
    let loaded = load("", &[], Flags::default()).unwrap();
    assert_eq!(loaded.config, Config::default());
    assert!(loaded.rows().iter().all(|row| row.source == Source::Default));
    assert_eq!(loaded.permissions_chosen, None);
}

#[test]
fn the_defaults_are_those_of_the_contract() {
    let shown: Vec<String> = load("", &[], Flags::default())
        .unwrap()
        .rows()
        .iter()
        .map(|row| format!("{} = {}", row.key, row.value_text()))
        .collect();
    assert_eq!(
        shown,
        [
            "constellation.clones = 2",
            "constellation.agent = \"claude\"",
            "constellation.root_agent = \"claude\"",
            "constellation.workdir = -",
            "constellation.permissions = \"ask\"",
            "constellation.trust = []",
            "tmux.socket = -",
            "tmux.size = \"200x50\"",
            "tmux.read_timeout = \"2s\"",
            "tmux.write_timeout = \"5s\"",
            "tmux.spawn_timeout = \"10s\"",
            "tmux.conf = -",
            "restart.up_wait = \"90s\"",
            "restart.prompt_wait = \"30s\"",
            "restart.stop_grace = \"5s\"",
            "restart.start_parallel = 0",
            "restart.status_keep = 20",
            "handoff.keep = 100",
            "handoff.max_bytes = \"1MiB\"",
            "log = \"info\"",
            "color = \"auto\"",
        ]
    );
}

#[test]
fn flags_beat_the_environment_and_that_beats_the_file() {
    let variables = [
        ("NETSKY_TMUX_SOCKET", "default"),
        ("NETSKY_HANDOFF_KEEP", "9"),
        ("NETSKY_LOG", "debug"),
        ("NO_COLOR", "1"),
    ];
    let flags = Flags { clones: Some(1), agent: Some("demo".into()) };
    let loaded = load(EVERYTHING, &variables, flags).unwrap();
    let config = &loaded.config;
    assert_eq!((config.tmux.socket.clone(), config.handoff.keep), (Socket::UserDefault, 9));
    assert_eq!((config.log, config.color), (LogLevel::Debug, Color::Never));
    assert_eq!(config.constellation.clones, 1);
    for agent in AgentName::constellation(3) {
        assert_eq!(config.profile_of(agent), "demo");
    }
    for (key, source) in [
        ("tmux.socket", "environment NETSKY_TMUX_SOCKET"),
        ("handoff.keep", "environment NETSKY_HANDOFF_KEEP"),
        ("color", "environment NO_COLOR"),
        ("constellation.clones", "flag N"),
        ("constellation.root_agent", "flag --agent"),
        ("agent.agent2.profile", "flag --agent"),
    ] {
        assert_eq!(loaded.source_of(key).to_string(), source, "{key}");
    }
    assert!(loaded.source_of("restart.up_wait").to_string().ends_with("config.toml:24"));
}

#[test]
fn empty_variables_count_as_unset() {
    let names = ["NETSKY_TMUX_SOCKET", "NETSKY_HANDOFF_KEEP", "NETSKY_LOG", "NO_COLOR", "NETSKY_CONFIG"];
    let loaded = load("", &names.map(|name| (name, "")), Flags::default()).unwrap();
    assert_eq!(loaded.config, Config::default());
}

#[test]
fn the_root_has_the_profile_of_all_where_nothing_else_is_said() {
    let loaded = load("[constellation]\nagent = \"codex\"", &[], Flags::default()).unwrap();
    assert_eq!(loaded.config.constellation.root_agent, "codex");
    assert_eq!(loaded.source_of("constellation.root_agent"), loaded.source_of("constellation.agent"));
}

#[test]
fn every_error_is_reported_with_its_line_and_a_hint() {
    let text = r#"[constellation]
clnoes = 3
clones = 1000
agent = "claud"
workdir = "project"
permissions = "all"
trust = [
  "/ok",
  "not/whole",
]
[restart]
up_wait = "0s"
stop_grace = 5
status_keep = 0
[tmux]
size = "20x5"
clones = 2
[agent.agent02]
role = "x"
[profile.mybot]
marker = "("
[profile.claude]
base = "codex"
env = { NETSKY_HOME = "/x", N = 1 }
[wether]
"#;
    let variables = [("NETSKY_HANDOFF_KEEP", "many"), ("NETSKY_LOG", "loud")];
    let errors = load(text, &variables, Flags::default()).unwrap_err();
    let starts = [
        "config.toml:2: unknown key constellation.clnoes (did you mean `clones`?)",
        "config.toml:3: constellation.clones: 1000 is more than 999 (a whole number from 0 to 999",
        "config.toml:4: constellation.agent: there is no profile \"claud\" (known: claude, codex, gemini, opencode, demo, mybot;",
        "config.toml:5: constellation.workdir: \"project\" is a relative path (",
        "config.toml:6: constellation.permissions: \"all\" is none of the choices (\"ask\", \"edits\" or \"bypass\")",
        "config.toml:9: constellation.trust: \"not/whole\" is a relative path (",
        "config.toml:12: restart.up_wait: \"0s\" leaves no time at all (",
        "config.toml:13: restart.stop_grace: expected a duration, found 5 (a duration with a unit",
        "config.toml:14: restart.status_keep: 0 is less than 1 (",
        "config.toml:16: tmux.size: 20 columns by 5 rows is out of range (",
        "config.toml:17: unknown key tmux.clones (did you mean `constellation.clones`?)",
        "config.toml:18: agent.agent02: \"agent02\" names no agent (agent0, agent1, … agent999, or agentinfinity) (",
        "config.toml:20: profile.mybot: a new profile needs a command (",
        "config.toml:21: profile.mybot.marker: \"(\" is no regular expression: unclosed group (",
        "config.toml:22: profile.claude: a built-in profile has no base (",
        "config.toml:24: profile.claude.env.NETSKY_HOME: netsky decides on this variable itself (",
        "config.toml:24: profile.claude.env.N: expected a string (put it in quotes)",
        "config.toml:25: unknown key wether",
        "environment NETSKY_HANDOFF_KEEP: handoff.keep: expected a whole number, found \"many\" (",
        "environment NETSKY_LOG: log: \"loud\" is none of the choices (error, warn, info or debug)",
    ];
    for (error, start) in errors.iter().zip(starts) {
        assert!(error.starts_with(start), "{error}\nexpected {start}");
    }
    assert_eq!(errors.len(), starts.len(), "{errors:#?}");
}

#[test]
fn a_profile_of_a_flag_that_does_not_exist_is_refused_once() {
    let flags = Flags { clones: None, agent: Some("nobody".into()) };
    let errors = load(EVERYTHING, &[], flags).unwrap_err();
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert!(errors[0].starts_with("flag --agent: constellation.agent: there is no profile \"nobody\""));
}

#[test]
fn a_table_that_is_none_is_refused() {
    let errors = load("tmux = 5\n[[restart]]\nup_wait = \"1s\"\n", &[], Flags::default()).unwrap_err();
    assert!(errors[0].starts_with("config.toml:1: tmux: expected a table, found a number"), "{errors:?}");
    assert!(errors[1].contains("restart: expected a table, found an array of tables"), "{errors:?}");
}

#[test]
fn what_is_no_toml_is_one_error_with_its_line() {
    let errors =
        load("[tmux]\nsize = \n", &[], Flags { agent: Some("mybot".into()), clones: None }).unwrap_err();
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert!(errors[0].starts_with("config.toml:2: "), "{errors:?}");
}

#[test]
fn a_missing_file_is_fine_unless_it_was_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("config.toml");
    let mut environment = BTreeMap::new();
    let load = |environment: &BTreeMap<OsString, OsString>| {
        Config::load(&Inputs { file: file.clone(), environment, flags: Flags::default() })
    };
    assert!(!load(&environment).unwrap().file_exists);
    environment.insert("NETSKY_CONFIG".into(), dir.path().join("other.toml").into());
    assert!(matches!(load(&environment).unwrap_err().problems[..], [Problem::Missing { .. }]));
    environment.insert("NETSKY_CONFIG".into(), "other.toml".into());
    assert!(matches!(load(&environment).unwrap_err().problems[..], [Problem::Invalid { .. }]));
    environment.insert("NETSKY_CONFIG".into(), dir.path().into());
    assert!(matches!(load(&environment).unwrap_err().problems[..], [Problem::Unreadable { .. }]));
}

#[test]
fn odd_files_are_errors_and_no_panic() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("config.toml");
    let deep = format!("a = {}", "[".repeat(100_000));
    let huge = "#".repeat(2 << 20);
    let bytes: [&[u8]; 6] =
        [b"\xff\xfe", b"\0\0\0", b"[a]\n[a]\n", b"a = 1e999\n", deep.as_bytes(), huge.as_bytes()];
    for content in bytes {
        persist::replace(&file, content).unwrap();
        let inputs = Inputs { file: file.clone(), environment: &BTreeMap::new(), flags: Flags::default() };
        assert!(Config::load(&inputs).is_err(), "{:?}", content.get(..10));
    }
}

#[test]
fn saving_through_a_link_keeps_the_link() {
    let dir = tempfile::tempdir().unwrap();
    let (real, link) = (dir.path().join("dotfile.toml"), dir.path().join("config.toml"));
    persist::replace(&real, b"").unwrap();
    std::os::unix::fs::symlink(&real, &link).unwrap();
    save(&link, "[tmux]\n").unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(fs::read_to_string(&real).unwrap(), "[tmux]\n");
}

#[test]
fn what_an_agents_variables_hold_is_not_shown() {
    let loaded = load(EVERYTHING, &[], Flags::default()).unwrap();
    let shown = serde_json::to_string(&loaded.document()).unwrap();
    assert!(shown.contains("profile.mybot.env.MYBOT_MODE") && !shown.contains("fast"));
}

proptest::proptest! {
    #[test]
    fn a_known_key_with_any_text_is_read_or_refused_by_its_name(text in "\\PC{0,40}", which in 0usize..6) {
        let key = ["tmux.size", "tmux.socket", "restart.up_wait", "handoff.max_bytes", "constellation.workdir",
            "profile.claude.marker"][which];
        let written = format!("{key} = {}", toml_edit::Value::from(text));
        let entries = document::parse(&written).unwrap();
        let (_, sources, problems) =
            resolve(Path::new("/c"), &entries, None, &Variables::default(), &Flags::default());
        proptest::prop_assert_eq!(usize::from(sources.contains_key(key)) + problems.len(), 1);
    }
}

#[test]
fn a_byte_order_mark_and_dos_line_ends_are_read() {
    let loaded = load("\u{feff}[tmux]\r\nsize = \"90x30\"\r\n", &[], Flags::default()).unwrap();
    assert_eq!(loaded.config.tmux.size, (90, 30));
    let errors = load("[tmux]\r\n\r\nsise = 1\r\n", &[], Flags::default()).unwrap_err();
    assert_eq!(errors, ["config.toml:3: unknown key tmux.sise (did you mean `size`?)"]);
}

proptest::proptest! {
    #![proptest_config(crate::mutation::tries(96))]

    #[test]
    fn a_damaged_file_is_read_or_each_error_names_a_line_of_it(
        text in crate::mutation::texts(vec![EVERYTHING.into()]),
    ) {
        let lines = 1 + text.matches('\n').count();
        match document::parse(&text) {
            Err(syntax) => {
                proptest::prop_assert!((1..=lines).contains(&syntax.line));
                proptest::prop_assert!(!syntax.message.contains(|c: char| c.is_control()));
            }
            Ok(entries) => {
                let (config, sources, problems) =
                    resolve(Path::new("/c"), &entries, None, &Variables::default(), &Flags::default());
                proptest::prop_assert!(config.constellation.clones < 10_000);
                for said in problems.iter().map(ToString::to_string).chain(sources.values().map(ToString::to_string)) {
                    let line = said.strip_prefix("/c:").and_then(|rest| rest.split(':').next()?.parse::<usize>().ok());
                    proptest::prop_assert!(line.is_none_or(|line| (1..=lines).contains(&line)), "{said}");
                }
            }
        }
    }

    #[test]
    fn trust_is_added_to_a_damaged_file_once_or_refused(text in crate::mutation::texts(vec![EVERYTHING.into()])) {
        if let Ok(once) = crate::config::edit::add_trust(&text, Path::new("/srv/new")) {
            proptest::prop_assert_eq!(crate::config::edit::add_trust(&once, Path::new("/srv/new")), Ok(once.clone()));
            proptest::prop_assert!(document::parse(&once).is_ok());
        }
    }
}
