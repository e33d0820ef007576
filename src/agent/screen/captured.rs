//! Every screen in `tests/screens` reads as the list beside it says.
//!
//! `CLI-VERSION/NAME.txt` was captured from that version (`capture-pane -p -J`; blanks at line ends cut, paths
//! replaced); `CLI-made/` holds screens made by hand. `expected.tsv`: name, marker or `-`, situation.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::{Composer, Reading, ScreenTable, Situation, read};
use crate::agent::dialog::{self, Allowances, DialogAnswer, DialogRow, Key, Means, Shape, Wants};
use crate::agent::marker::{DEFAULT_CORE, Marker};
use crate::agent::profiles;
use crate::mutation;

fn shown(situation: &Situation) -> String {
    match situation {
        Situation::Dialog(seen) => {
            let chosen =
                seen.highlighted.and_then(|index| seen.options.get(index)).map_or("-", String::as_str);
            format!("dialog {}: {chosen}", seen.row.name)
        }
        Situation::UnknownDialog { options, highlighted } => {
            format!("unknown dialog: {}", options[*highlighted])
        }
        Situation::Permission { what } => format!("permission: {what}"),
        Situation::Login { what } => format!("login: {what}"),
        Situation::Failed { what } => format!("failed: {what}"),
        Situation::Limited { what } => format!("limited: {what}"),
        Situation::Retrying { what } => format!("retrying: {what}"),
        Situation::Busy => "busy".to_owned(),
        Situation::Idle { composer: Composer::Empty } => "idle, empty".to_owned(),
        Situation::Idle { composer: Composer::Holds { .. } } => "idle, holds".to_owned(),
        Situation::Idle { composer: Composer::Unknown } => "idle, unknown".to_owned(),
        Situation::Unclear => "unclear".to_owned(),
    }
}

fn table(dir: &str) -> &'static ScreenTable {
    let cli = dir.split_once('-').unwrap().0;
    let known = profiles::ALL.into_iter().find(|built_in| built_in.name == cli);
    known.unwrap_or(profiles::GENERIC).screen
}

#[test]
fn every_captured_screen_reads_as_listed() {
    let marker = Marker::new(DEFAULT_CORE).unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/screens");
    let mut wrong = Vec::new();
    let mut count = 0;
    for dir in fs::read_dir(root).unwrap().map(Result::unwrap) {
        let name = dir.file_name().into_string().unwrap();
        let list = fs::read_to_string(dir.path().join("expected.tsv")).unwrap();
        let mut expected: BTreeMap<&str, &str> =
            list.lines().map(|line| line.split_once('\t').unwrap()).collect();
        for file in fs::read_dir(dir.path()).unwrap().map(Result::unwrap) {
            let file_name = file.file_name().into_string().unwrap();
            let Some(stem) = file_name.strip_suffix(".txt") else { continue };
            let reading = read(table(&name), &marker, &fs::read_to_string(file.path()).unwrap());
            let line = format!("{}\t{}", reading.marker.as_deref().unwrap_or("-"), shown(&reading.situation));
            if expected.remove(stem) != Some(line.as_str()) {
                wrong.push(format!("{name}/{stem}\t{line}"));
            }
            count += 1;
        }
        wrong.extend(expected.into_keys().map(|stem| format!("{name}/{stem}: no such screen")));
    }
    wrong.sort();
    assert!(wrong.is_empty(), "{count} screens, these read otherwise:\n{}", wrong.join("\n"));
}

proptest::proptest! {
    #[test]
    fn every_text_has_a_reading(text in "(\\PC|[\n❯›>●│─ \u{a0}1-3.]){0,300}", columns in 1usize..80) {
        let marker = Marker::new(DEFAULT_CORE).unwrap();
        for built_in in profiles::ALL.into_iter().chain([profiles::GENERIC]) {
            read(built_in.screen, &marker, &text);
            let rule = "─".repeat(columns.max(4));
            read(built_in.screen, &marker, &format!("{text}\n{rule}\n❯\u{a0}{text}\n{rule}\n"));
        }
    }
}

/// Who may do everything: what gets no key here gets none anywhere.
fn all_allowed() -> Allowances {
    Allowances { workdir: "/w".into(), trusted: true, bypass: true, development_channels: true }
}

/// What is shown of a screen is short, on one line, and speaks to no terminal.
fn is_shown_safely(words: &str) -> bool {
    words.chars().count() <= super::WHAT_CHARS && !words.contains(|c: char| c.is_control())
}

proptest::proptest! {
    #![proptest_config(mutation::tries(96))]

    #[test]
    fn a_damaged_screen_has_a_reading_whose_words_are_short_and_harmless(text in mutation::texts(mutation::screens())) {
        let marker = Marker::new(DEFAULT_CORE).unwrap();
        for built_in in profiles::ALL.into_iter().chain([profiles::GENERIC]) {
            let Reading { marker: found, situation } = read(built_in.screen, &marker, &text);
            proptest::prop_assert!(found.is_none_or(|line| is_shown_safely(&line)));
            match situation {
                Situation::Permission { what } | Situation::Login { what } | Situation::Failed { what }
                | Situation::Limited { what } | Situation::Retrying { what } => {
                    proptest::prop_assert!(is_shown_safely(&what), "{what:?}");
                }
                Situation::UnknownDialog { options, highlighted } => {
                    proptest::prop_assert!(options.len() > 1 && highlighted < options.len());
                }
                Situation::Idle { composer: Composer::Holds { typed } } => {
                    proptest::prop_assert!(!typed.is_empty() && typed.len() <= text.len());
                }
                _ => {}
            }
        }
    }

    #[test]
    fn a_key_is_pressed_only_where_one_row_alone_fits_a_damaged_screen(text in mutation::texts(mutation::screens())) {
        let marker = Marker::new(DEFAULT_CORE).unwrap();
        for built_in in profiles::ALL.into_iter().chain([profiles::GENERIC]) {
            let table = built_in.screen;
            let Situation::Dialog(seen) = read(table, &marker, &text).situation else { continue };
            let lines: Vec<&str> = text.lines().collect();
            let whole = super::normalised(&lines);
            let fits = |row: &&DialogRow| {
                let is_drawn = match row.shape {
                    Shape::Options(labels) => labels.iter().all(|label| {
                        seen.options.iter().any(|option| option.starts_with(label))
                    }),
                    Shape::Notice(_) => seen.options.is_empty(),
                };
                is_drawn
                    && row.needs.iter().all(|words| whole.contains(words))
                    && !row.without.iter().any(|words| whole.contains(words))
            };
            let fitting: Vec<&str> = table.dialogs.iter().filter(fits).map(|row| row.name).collect();
            proptest::prop_assert!(fitting.contains(&seen.row.name));
            if matches!(seen.row.shape, Shape::Options(_)) {
                proptest::prop_assert_eq!(&fitting, &[seen.row.name]);
            }
            let DialogAnswer::Press { keys } = dialog::answer(&seen, &all_allowed()) else { continue };
            // An Enter is alone, and confirms what is wanted.
            if keys.contains(&Key::Enter) {
                proptest::prop_assert_eq!(keys.len(), 1);
                if let Means::Startup { wants: Wants::Option(label), .. } = &seen.row.means {
                    let chosen = &seen.options[seen.highlighted.unwrap_or_default()];
                    proptest::prop_assert!(chosen.starts_with(label), "{chosen:?} for {label:?}");
                }
            } else {
                proptest::prop_assert!(keys.len() < seen.options.len());
            }
        }
    }
}
