//! From entries, environment and flags to settings: every key is named once, here.

use std::collections::BTreeMap;
use std::path::Path;

use super::document::{Entry, Kind, Node};
use super::reader::{Reader, Section};
use super::{
    AgentOverrides, BUILT_IN_PROFILES, Color, Config, Flags, Problem, ProfileOverrides, Source, value,
};
use crate::name::{AgentName, LAST_CLONE};

/// More files than this in one directory are a mistyped number.
const MOST_KEPT: u32 = 100_000;
/// A hand-over grows up to six-fold as JSON, and a state file of more than 16 MiB is refused.
const LARGEST_HANDOFF: u64 = 2 << 20;

/// What the environment says; empty values count as unset.
#[derive(Debug, Default)]
pub(super) struct Variables {
    pub(super) tmux_socket: Option<String>,
    pub(super) handoff_keep: Option<String>,
    pub(super) log: Option<String>,
    pub(super) no_color: bool,
}

/// Resolves all layers. The settings are to be used only where there is no problem.
pub(super) fn resolve(
    file: &Path,
    entries: &[Entry],
    home: Option<&Path>,
    variables: &Variables,
    flags: &Flags,
) -> (Config, BTreeMap<String, Source>, Vec<Problem>) {
    let mut reader = Reader::new(file);
    let mut config = Config::default();
    let root = Section::root(entries);
    read_constellation(&mut reader, &root, home, &mut config);
    read_agents(&mut reader, &root, home, &mut config);
    read_tmux(&mut reader, &root, home, &mut config);
    read_limits(&mut reader, &root, &mut config);
    read_profiles(&mut reader, &root, &mut config);
    reader.finish(&root);
    apply_variables(&mut reader, home, variables, &mut config);
    apply_flags(&mut reader, flags, &mut config);
    check_profile_names(&mut reader, &config);
    let (sources, problems) = reader.into_parts();
    (config, sources, problems)
}

fn read_constellation(reader: &mut Reader<'_>, root: &Section<'_>, home: Option<&Path>, config: &mut Config) {
    let section = reader.section(root, "constellation");
    let constellation = &mut config.constellation;
    reader.set(&section, "clones", &mut constellation.clones, |node| value::count(node, 0, LAST_CLONE));
    reader.set(&section, "agent", &mut constellation.agent, value::words);
    constellation.root_agent = match reader.value(&section, "root_agent", value::words) {
        Some(profile) => profile,
        None => {
            let source = reader.source(&section.key("agent"));
            reader
                .accept(section.key("root_agent"), source, Ok(constellation.agent.clone()))
                .unwrap_or_default()
        }
    };
    constellation.workdir = reader.value(&section, "workdir", |node| value::path(node, home));
    reader.set(&section, "permissions", &mut constellation.permissions, value::permissions);
    reader.set(&section, "trust", &mut constellation.trust, |node| {
        value::list(node, |node| value::path(node, home))
    });
    reader.finish(&section);
}

fn read_agents(reader: &mut Reader<'_>, root: &Section<'_>, home: Option<&Path>, config: &mut Config) {
    let agents = reader.section(root, "agent");
    for (name, line, section) in reader.named(&agents) {
        let overrides = AgentOverrides {
            workdir: reader.value(&section, "workdir", |node| value::path(node, home)),
            profile: reader.value(&section, "profile", value::words),
            role: reader.value(&section, "role", value::words),
        };
        reader.finish(&section);
        match name.parse::<AgentName>() {
            Ok(name) => {
                config.constellation.agents.insert(name, overrides);
            }
            Err(error) => {
                let hint = Some("write [agent.agent2] for the second clone".to_owned());
                reader.refuse(agents.key(name), reader.at(line), error.to_string(), hint);
            }
        }
    }
}

fn read_tmux(reader: &mut Reader<'_>, root: &Section<'_>, home: Option<&Path>, config: &mut Config) {
    let section = reader.section(root, "tmux");
    let tmux = &mut config.tmux;
    reader.set(&section, "socket", &mut tmux.socket, |node| value::socket(node, home));
    reader.set(&section, "size", &mut tmux.size, value::screen_size);
    reader.set(&section, "read_timeout", &mut tmux.read_timeout, value::limit);
    reader.set(&section, "write_timeout", &mut tmux.write_timeout, value::limit);
    reader.set(&section, "spawn_timeout", &mut tmux.spawn_timeout, value::limit);
    tmux.conf = reader.value(&section, "conf", |node| value::path(node, home));
    reader.finish(&section);
}

fn read_limits(reader: &mut Reader<'_>, root: &Section<'_>, config: &mut Config) {
    let section = reader.section(root, "restart");
    let restart = &mut config.restart;
    reader.set(&section, "up_wait", &mut restart.up_wait, value::limit);
    reader.set(&section, "prompt_wait", &mut restart.prompt_wait, value::limit);
    reader.set(&section, "stop_grace", &mut restart.stop_grace, value::limit);
    reader
        .set(&section, "start_parallel", &mut restart.start_parallel, |n| value::count(n, 0, LAST_CLONE + 1));
    reader.set(&section, "status_keep", &mut restart.status_keep, kept);
    reader.finish(&section);
    let section = reader.section(root, "handoff");
    reader.set(&section, "keep", &mut config.handoff.keep, kept);
    reader.set(&section, "max_bytes", &mut config.handoff.max_bytes, |n| value::size(n, 1, LARGEST_HANDOFF));
    reader.finish(&section);
}

/// How many files stay: at least the newest.
fn kept(node: &Node) -> value::Read<usize> {
    value::count(node, 1, MOST_KEPT).map(|count| usize::try_from(count).unwrap_or(usize::MAX))
}

fn read_profiles(reader: &mut Reader<'_>, root: &Section<'_>, config: &mut Config) {
    let profiles = reader.section(root, "profile");
    for (name, line, section) in reader.named(&profiles) {
        let env = reader.section(&section, "env");
        let overrides = ProfileOverrides {
            base: reader.value(&section, "base", base),
            command: reader.value(&section, "command", value::command),
            env: read_env(reader, &env),
            startup: reader.value(&section, "startup", value::words),
            how: reader.value(&section, "how", value::how),
            marker: reader.value(&section, "marker", value::pattern),
            memory: reader.value(&section, "memory", |node| value::size(node, 1, 1 << 50)),
        };
        let is_built_in = BUILT_IN_PROFILES.contains(&name);
        let refusal = if !value::is_profile_name(name) {
            Some(("it is no name for a profile", "letters, digits, - and _, 32 at most"))
        } else if is_built_in && overrides.base.is_some() {
            Some(("a built-in profile has no base", "give the new profile a name of its own"))
        } else if !is_built_in && !["command", "base"].iter().any(|key| reader.has(&section, key)) {
            Some((
                "a new profile needs a command",
                "command = [\"mybot\", \"--interactive\"], or base = \"claude\"",
            ))
        } else {
            None
        };
        if let Some((what, hint)) = refusal {
            reader.refuse(profiles.key(name), reader.at(line), what.to_owned(), Some(hint.to_owned()));
        }
        reader.finish(&section);
        config.profiles.insert(name.to_owned(), overrides);
    }
}

fn base(node: &Node) -> value::Read<String> {
    let name = value::words(node)?;
    if BUILT_IN_PROFILES.contains(&name.as_str()) {
        return Ok(name);
    }
    let hint = format!("one of {}", BUILT_IN_PROFILES.join(", "));
    Err(value::wrong(format!("{name:?} is no built-in profile"), &hint))
}

/// Variables for the agent; those that netsky sets itself cannot be set here.
fn read_env(reader: &mut Reader<'_>, section: &Section<'_>) -> BTreeMap<String, String> {
    let mut env = BTreeMap::new();
    for name in section.names() {
        let read = |node: &Node| match &node.kind {
            _ if name.is_empty() || name.contains(['=', '\0']) => {
                Err(value::wrong("it is no name of a variable", "letters, digits and _"))
            }
            _ if name.starts_with("NETSKY_") || name == "AGENT_N" || name.starts_with("TMUX") => {
                Err(value::wrong("netsky decides on this variable itself", "leave it out"))
            }
            Kind::Text(text) if !text.contains('\0') => Ok(text.clone()),
            _ => Err(value::wrong("expected a string", "put it in quotes")),
        };
        if let Some(text) = reader.value(section, name, read) {
            env.insert(name.to_owned(), text);
        }
    }
    env
}

fn apply_variables(reader: &mut Reader<'_>, home: Option<&Path>, variables: &Variables, config: &mut Config) {
    let text = |text: &str| Node { line: 1, kind: Kind::Text(text.to_owned()) };
    if let Some(socket) = &variables.tmux_socket {
        let source = Source::Environment { variable: "NETSKY_TMUX_SOCKET" };
        if let Some(socket) =
            reader.accept("tmux.socket".to_owned(), source, value::socket(&text(socket), home))
        {
            config.tmux.socket = socket;
        }
    }
    if let Some(keep) = &variables.handoff_keep {
        let source = Source::Environment { variable: "NETSKY_HANDOFF_KEEP" };
        let node = match keep.trim().parse() {
            Ok(number) => Node { line: 1, kind: Kind::Integer(number) },
            Err(_) => text(keep),
        };
        if let Some(keep) = reader.accept("handoff.keep".to_owned(), source, kept(&node)) {
            config.handoff.keep = keep;
        }
    }
    if let Some(level) = &variables.log {
        let source = Source::Environment { variable: "NETSKY_LOG" };
        if let Some(level) = reader.accept("log".to_owned(), source, value::log_level(&text(level))) {
            config.log = level;
        }
    }
    if variables.no_color {
        let source = Source::Environment { variable: "NO_COLOR" };
        config.color = reader.accept("color".to_owned(), source, Ok(Color::Never)).unwrap_or_default();
    }
}

fn apply_flags(reader: &mut Reader<'_>, flags: &Flags, config: &mut Config) {
    if let Some(clones) = flags.clones {
        let node = Node { line: 1, kind: Kind::Integer(clones.into()) };
        let read = value::count(&node, 0, LAST_CLONE);
        if let Some(clones) =
            reader.accept("constellation.clones".to_owned(), Source::Flag { name: "N" }, read)
        {
            config.constellation.clones = clones;
        }
    }
    let Some(profile) = &flags.agent else { return };
    // Who types a type means every agent of this call, also those that have one of their own.
    let constellation = &mut config.constellation;
    let mut keys = vec!["constellation.agent".to_owned(), "constellation.root_agent".to_owned()];
    constellation.agent.clone_from(profile);
    constellation.root_agent.clone_from(profile);
    for (name, own) in &mut constellation.agents {
        if let Some(own) = &mut own.profile {
            own.clone_from(profile);
            keys.push(format!("agent.{name}.profile"));
        }
    }
    for key in keys {
        reader.accept(key, Source::Flag { name: "--agent" }, Ok(()));
    }
}

/// Every profile that is used exists.
fn check_profile_names(reader: &mut Reader<'_>, config: &Config) {
    let constellation = &config.constellation;
    let mut used = vec![
        ("constellation.agent".to_owned(), &constellation.agent),
        ("constellation.root_agent".to_owned(), &constellation.root_agent),
    ];
    for (name, own) in &constellation.agents {
        used.extend(own.profile.as_ref().map(|profile| (format!("agent.{name}.profile"), profile)));
    }
    let known: Vec<&str> = config.profile_names().collect();
    let mut refused = Vec::new();
    for (key, profile) in used {
        let place = reader.source(&key);
        // A flag stands for many keys; one word that is wrong is one error.
        if known.contains(&profile.as_str()) || refused.contains(&(profile, place.clone())) {
            continue;
        }
        refused.push((profile, place.clone()));
        let what = format!("there is no profile {profile:?}");
        let known = known.join(", ");
        let hint = match value::is_profile_name(profile) {
            true => format!("known: {known}; or write [profile.{profile}] with a command"),
            // What can be no name is not quoted in something to type.
            false => format!("known: {known}"),
        };
        reader.refuse(key, place, what, Some(hint));
    }
}
