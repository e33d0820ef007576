//! The arrows between modules point down only (ARCHITECTURE.md, "Who imports whom").

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Layers from the top; a module may use those of the layers below its own, and the named ones of its own layer.
const LAYERS: [&[&str]; 6] = [
    &["cmd"],
    &["constellation"],
    &["agent"],
    &["handoff", "tmux", "state"],
    &["status"],
    &[
        "clock",
        "config",
        "events",
        "exit",
        "failpoint",
        "id",
        "lock",
        "name",
        "owner",
        "paths",
        "persist",
        "process",
        "text",
    ],
];

fn layer_of(module: &str) -> usize {
    LAYERS.iter().position(|layer| layer.contains(&module)).unwrap_or_else(|| panic!("{module} has no layer"))
}

fn sources(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn module_of(path: &Path) -> String {
    let relative = path.strip_prefix(root()).unwrap();
    let first = relative.iter().next().unwrap().to_str().unwrap();
    first.strip_suffix(".rs").unwrap_or(first).to_owned()
}

/// The part of a file that is shipped: what follows `#[cfg(test)]` may use anything.
fn shipped(text: &str) -> &str {
    text.split("#[cfg(test)]").next().unwrap()
}

/// Which modules a text names by `crate::`.
fn used(text: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for rest in text.split("crate::").skip(1) {
        let group = rest.strip_prefix('{').map(|group| group.split('}').next().unwrap());
        for part in group.unwrap_or(rest).split(',') {
            let name: String =
                part.trim().chars().take_while(|c| c.is_ascii_lowercase() || *c == '_').collect();
            if !name.is_empty() && LAYERS.iter().any(|layer| layer.contains(&name.as_str())) {
                names.insert(name);
            }
            if group.is_none() {
                break;
            }
        }
    }
    names
}

#[test]
fn modules_use_only_those_below_them() {
    let mut arrows: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for path in sources(&root()) {
        let module = module_of(&path);
        // Tests may use anything.
        if module == "main" || module == "lib" || path.ends_with("tests.rs") {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        for name in used(shipped(&text)).into_iter().filter(|name| *name != module) {
            let (above, below) = (layer_of(&module), layer_of(&name));
            assert!(above <= below, "{} uses {name}, which is above it", path.display());
            arrows.entry(module.clone()).or_default().insert(name);
        }
    }
    assert!(arrows.len() > 10, "hardly any arrow was found: {arrows:?}");
    for (from, to) in &arrows {
        for name in to {
            let back = arrows.get(name).is_some_and(|back| back.contains(from));
            assert!(!back, "{from} and {name} use each other");
        }
    }
}

#[test]
fn pure_files_touch_nothing() {
    let pure = [
        "agent/attach.rs",
        "agent/dialog.rs",
        "agent/marker.rs",
        "agent/report.rs",
        "agent/screen.rs",
        "constellation/plan.rs",
        "constellation/trouble.rs",
        "constellation/watch.rs",
        "handoff/compose.rs",
        "handoff/parts.rs",
        "status/phase.rs",
        "status/record.rs",
        "status/render.rs",
        "status/retention.rs",
    ];
    for file in pure {
        let text = fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
        for effect in [
            "std::fs",
            "std::process",
            "std::env",
            "tokio",
            "utc_now",
            "monotonic_now",
            "persist::load",
            "persist::read",
        ] {
            assert!(!shipped(&text).contains(effect), "{file} is pure and names {effect}");
        }
    }
}

#[test]
fn only_cmd_prints() {
    for path in sources(&root()) {
        let text = fs::read_to_string(&path).unwrap();
        let prints = ["println!", "eprintln!", "print!(", "eprint!(", "io::stdout()", "io::stderr()"];
        if module_of(&path) != "cmd" {
            for call in prints {
                assert!(!shipped(&text).contains(call), "{} prints with {call}", path.display());
            }
        }
    }
}

#[test]
fn every_test_that_a_document_names_exists() {
    let project = Path::new(env!("CARGO_MANIFEST_DIR"));
    let code: String = sources(&root())
        .into_iter()
        .chain(sources(&project.join("tests")))
        .map(|path| fs::read_to_string(path).unwrap())
        .collect();
    let is_name = |word: &&str| {
        word.matches('_').count() >= 3
            && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
    };
    for document in ["ARCHITECTURE.md", "docs/reliability.md"] {
        let text = fs::read_to_string(project.join(document)).unwrap();
        let names: BTreeSet<&str> = text.split('`').filter(is_name).collect();
        assert!(names.len() > 20, "{document}: hardly any test is named: {names:?}");
        for name in names {
            assert!(code.contains(&format!("fn {name}(")), "{document}: there is no test {name}");
        }
    }
}

/// The sweeps that two documents speak of are those there are, and all of them have been run.
#[test]
fn every_sweep_is_in_the_table_of_the_last_run() {
    let project = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(project.join("docs/reliability.md")).unwrap();
    let code: String = sources(&project.join("tests/faults/sweeps"))
        .into_iter()
        .map(|path| fs::read_to_string(path).unwrap())
        .collect();
    let names: Vec<&str> = code
        .split("Sweep = Sweep {\n    name: \"")
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap())
        .collect();
    assert!(names.len() > 10, "hardly any sweep is there: {names:?}");
    let outcomes = |row: &str| -> Vec<u32> {
        let cells = row.split('|').map(str::trim).skip(3);
        cells.take(5).map(|cell| cell.parse().unwrap_or(u32::MAX)).collect()
    };
    for row in text.lines().filter(|row| names.iter().any(|name| row.starts_with(&format!("| {name} |")))) {
        assert_eq!(outcomes(row), [0; 5], "the table holds a promise that was broken: {row}");
    }
    for name in names {
        assert!(
            text.contains(&format!("\n| {name} |")),
            "{name} is not in the table: scripts/faults --short all"
        );
        assert!(text.contains(&format!("\n| {name}-without-")), "{name} was not run on a broken build");
    }
}

#[test]
fn nothing_of_the_failpoints_is_in_the_binary_that_ships() {
    let binary = fs::read(crate::support::world::NETSKY).unwrap();
    assert!(!binary.windows(9).any(|window| window == b"FAILPOINT"));
}
