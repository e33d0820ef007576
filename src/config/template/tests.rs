use super::*;
use crate::config::document;
use crate::config::load::Flags;
use crate::config::resolve::{Variables, resolve};

fn choices() -> Choices {
    let at = DateTime::parse_from_rfc3339("2026-11-20T19:00:00Z").unwrap().with_timezone(&Utc);
    Choices {
        permissions: Permissions::Ask,
        by: "me".into(),
        at,
        agent: None,
        workdir: None,
        trust: Vec::new(),
    }
}

fn resolved(text: &str) -> Config {
    let entries = document::parse(text).unwrap();
    let (config, _, problems) =
        resolve(std::path::Path::new("/c"), &entries, None, &Variables::default(), &Flags::default());
    assert!(problems.is_empty(), "{problems:?}\n{text}");
    config
}

#[test]
fn the_template_loads_and_equals_the_defaults() {
    let text = template(&choices());
    assert_eq!(resolved(&text), Config::default());
    assert!(text.contains("permissions = \"ask\"  # chosen by me at 2026-11-20T19:00:00Z\n"));
}

#[test]
fn what_stands_in_its_comments_is_right_too() {
    let text = template(&choices());
    // Every commented setting and table put in force.
    let in_force: String = text
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(rest)
                if rest.starts_with('[') || rest.split_once(" = ").is_some_and(|(key, _)| is_key(key)) =>
            {
                rest
            }
            _ => line,
        })
        .map(|line| format!("{line}\n"))
        .collect();
    let config = resolved(&in_force);
    assert_eq!((&config.restart, &config.handoff), (&Config::default().restart, &Config::default().handoff));
    assert_eq!(config.tmux.size, (200, 50));
    assert!(config.profiles.contains_key("mybot") && config.constellation.agents.len() == 1);
}

fn is_key(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}

#[test]
fn choices_are_written_and_a_name_stays_in_its_comment() {
    let text = template(&Choices {
        permissions: Permissions::Bypass,
        by: "me\"\n[tmux]\u{1b}[31m".into(),
        agent: Some("demo".into()),
        workdir: Some("/home/me/a \"quoted\" dir".into()),
        trust: vec!["/srv/a".into(), "/srv/b".into()],
        ..choices()
    });
    let config = resolved(&text);
    let constellation = config.constellation;
    assert_eq!(constellation.permissions, Permissions::Bypass);
    assert_eq!((constellation.agent.as_str(), constellation.root_agent.as_str()), ("demo", "demo"));
    assert_eq!(constellation.workdir, Some("/home/me/a \"quoted\" dir".into()));
    assert_eq!(constellation.trust.len(), 2);
}
