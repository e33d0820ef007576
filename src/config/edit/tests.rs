use super::*;

fn added(text: &str, dir: &str) -> String {
    add_trust(text, Path::new(dir)).unwrap()
}

#[test]
fn a_directory_is_added_the_way_the_others_are_written() {
    let check = |before: &str, after: &str| assert_eq!(added(before, "/new"), after, "{before}");
    check("", "[constellation]\ntrust = [\"/new\"]\n");
    check(
        "# mine\n[tmux]\nsize = \"90x30\" # wide\n",
        "# mine\n[tmux]\nsize = \"90x30\" # wide\n\n[constellation]\ntrust = [\"/new\"]\n",
    );
    check(
        "[constellation]\nclones = 3 # three\n\n[tmux]\n",
        "[constellation]\nclones = 3 # three\ntrust = [\"/new\"]\n\n[tmux]\n",
    );
    check("[constellation]\ntrust = [\"/a\"] # all\n", "[constellation]\ntrust = [\"/a\", \"/new\"] # all\n");
    check("[constellation]\ntrust = []\n", "[constellation]\ntrust = [\"/new\"]\n");
    check("constellation.trust = [\"/a\"]\n", "constellation.trust = [\"/a\", \"/new\"]\n");
    check(
        "[constellation]\ntrust = [\n  \"/a\", # first\n  \"/b\", # second\n]\n",
        "[constellation]\ntrust = [\n  \"/a\", # first\n  \"/b\", # second\n  \"/new\",\n]\n",
    );
    check(
        "[constellation]\ntrust = [\n  \"/a\"\n]\n",
        "[constellation]\ntrust = [\n  \"/a\",\n  \"/new\",\n]\n",
    );
    check(
        "[constellation]\ntrust = [\n  \"/a\" # only\n]\n",
        "[constellation]\ntrust = [\n  \"/a\", # only\n  \"/new\",\n]\n",
    );
}

#[test]
fn adding_twice_changes_nothing() {
    for before in
        ["", "[constellation]\ntrust = [\n  \"/a\",\n]\n", "[constellation]\ntrust = [\"/b/\"] # x\n"]
    {
        let once = added(before, "/b");
        assert_eq!(added(&once, "/b"), once);
        assert_eq!(added(&once, "/b/"), once);
    }
}

#[test]
fn what_cannot_be_edited_is_refused() {
    let check = |text: &str, dir: &str, expected: &str| {
        assert_eq!(add_trust(text, Path::new(dir)).unwrap_err().to_string(), expected);
    };
    check("", "here", "here is not an absolute path");
    check("constellation = 5\n", "/a", "constellation in the configuration is not a table");
    check(
        "[constellation]\ntrust = \"/a\"\n",
        "/b",
        "constellation.trust in the configuration is not a list",
    );
    assert!(matches!(add_trust("\n[x\n", Path::new("/a")), Err(EditError::Syntax { line: 2, .. })));
}
