//! The real Claude Code and Codex, end to end, against a model on loopback that keeps what it was sent.

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::agents::{Cast, Cli, git, installed, no_other_user, skip};
use crate::support::world::NETSKY;
use crate::support::world::Ran;

const SOON: Duration = Duration::from_secs(20);

/// What is blocked or limited is known so soon.
const AT_ONCE: Duration = Duration::from_secs(10);

fn cast(cli: Cli, name: &str) -> Option<Cast> {
    Some(Cast::new(cli, &installed(name)?))
}

fn phases(record: &Value) -> Vec<&str> {
    record["phases"].as_array().unwrap().iter().map(|entry| entry["phase"].as_str().unwrap()).collect()
}

/// A restart with this hand-over, which must succeed; all agents up by this proof.
fn restart(cast: &Cast, clones: usize, text: &str, proof: &str) -> Value {
    cast.model.behave(json!({}));
    let note = cast.world.write("note.md", text);
    let agent = cast.cli.name();
    let ran = cast
        .world
        .netsky(["restart", &clones.to_string(), "--agent", agent, "--handoff", note.to_str().unwrap()])
        .run();
    ran.expect(0);
    let record = cast.world.record();
    let all = ["preflight", "tearing-down", "spawned", "up-detected", "handoff-delivered", "complete"];
    assert_eq!(phases(&record), all);
    let agents = record["agents"].as_array().unwrap();
    assert_eq!(agents.len(), clones + 1);
    for agent in agents {
        assert_eq!((&agent["state"], &agent["ready_by"]), (&json!("up"), &json!(proof)), "{agent:#}");
    }
    record
}

/// Waits until so many hand-overs were taken, none of them before its nonce was in a request of the model.
fn taken(cast: &Cast, count: usize, nonce: &str, limit: Duration) {
    let world = &cast.world;
    let [_, _, done] = world.wait("the hand-over is taken", limit, || {
        let envelopes = world.envelopes();
        (envelopes[2].len() == count).then_some(envelopes)
    });
    let request = cast.model.first_with(nonce).unwrap_or_else(|| panic!("{nonce} was taken and never heard"));
    let newest = fs::metadata(world.home.join("inbox/agent0/done").join(done.last().unwrap())).unwrap();
    let heard = fs::metadata(request).unwrap();
    let moved = (newest.ctime(), newest.ctime_nsec());
    assert!(moved > (heard.mtime(), heard.mtime_nsec()), "{nonce} was taken before it was heard");
    assert_eq!(world.status()["last_restart"]["handoff"]["state"], "taken");
}

/// So many bytes in numbered lines, not all ASCII, with a nonce at the end.
fn long(bytes: usize, nonce: &str) -> (String, Vec<String>) {
    let lines: Vec<String> = (0..bytes / 64).map(|n| format!("L{n:05}: ä € 😀 ")).collect();
    let mut text: String = lines.iter().map(|line| format!("{line}{}\n", "·".repeat(22))).collect();
    text.truncate(text.floor_char_boundary(bytes - nonce.len() - 64));
    text.push_str(&format!("\n{nonce}"));
    let kept =
        text.lines().filter_map(|line| line.split_once(' ')).map(|(label, _)| label.to_owned()).collect();
    (text, kept)
}

fn long_ones(cast: &Cast, mut count: usize) {
    for bytes in [9_000, 50_000, 1 << 20] {
        let nonce = format!("nonce-at-the-end-{bytes}");
        let (text, labels) = long(bytes, &nonce);
        assert!(text.len() > bytes - 256 && text.len() <= bytes);
        restart(cast, 0, &text, "hook");
        count += 1;
        taken(cast, count, &nonce, Duration::from_secs(90));
        let request = fs::read_to_string(cast.model.first_with(&nonce).unwrap()).unwrap();
        let heard: HashSet<&str> = request.split('L').filter_map(|rest| rest.get(..6)).collect();
        let missing: Vec<&String> = labels.iter().filter(|label| !heard.contains(&label[1..])).collect();
        assert!(
            missing.is_empty(),
            "of {} lines {} are missing: {:?}",
            labels.len(),
            missing.len(),
            missing.first()
        );
    }
}

/// While the model streams slowly the agent is busy in every look, and idle afterwards.
fn busy_then_idle(cast: &Cast) {
    let world = &cast.world;
    world.wait("idle before", SOON, || (world.state_of("agent0") == "idle").then_some(()));
    cast.model.behave(json!({"say": "slow words, one after the other, with a line\nor two, LAST", "chunks": 12, "delay_ms_per_chunk": 200}));
    world.netsky(["send", "agent0", "say something slowly"]).run().expect(0);
    world.wait("busy", SOON, || (world.state_of("agent0") == "busy").then_some(()));
    let mut looks = Vec::new();
    world.wait("idle again", SOON, || {
        let state = world.state_of("agent0");
        let is_over = world.screen("agent0").contains("LAST");
        if !is_over {
            looks.push(state.clone());
        }
        (state == "idle").then_some(())
    });
    assert!(looks.len() > 5 && looks.iter().all(|state| state == "busy"), "{looks:?}");
    cast.model.behave(json!({}));
}

/// The user's settings are as they were, but for what Codex itself writes at every start.
fn unchanged(cast: &Cast, before: Option<&String>) {
    let after = fs::read_to_string(cast.user_settings()).ok();
    match cast.cli {
        Cli::Claude => assert_eq!(after.as_ref(), before),
        Cli::Codex => {
            let after = after.unwrap();
            let own: String =
                after.split_inclusive('\n').take_while(|line| !line.starts_with("[tui")).collect();
            assert_eq!(own.trim_end(), before.unwrap().trim_end(), "{after}");
        }
    }
}

fn restarts(cli: Cli, dialogs: Value) {
    let Some(mut cast) = cast(cli, "restarts") else { return };
    cast.permit("bypass");
    let before = fs::read_to_string(cast.user_settings()).ok();
    // In a repository Codex asks for trust too.
    cast.world.call(git(&["init", "-q"])).run().expect(0);
    let record = restart(&cast, 2, "the nonce is kumquat-4711", "hook");
    for agent in record["agents"].as_array().unwrap() {
        assert!(agent["dialogs"] == dialogs || agent["dialogs"] == json!([]), "{agent:#}");
    }
    taken(&cast, 1, "the nonce is kumquat-4711", SOON);
    assert_eq!(record["agents"][0]["dialogs"], dialogs);
    unchanged(&cast, before.as_ref());
    busy_then_idle(&cast);
    long_ones(&cast, 2);
}

#[test]
fn three_claudes_come_up_by_hook_with_hand_overs_of_any_length() {
    restarts(Cli::Claude, json!(["trust-folder"]));
}

#[test]
fn three_codexes_come_up_by_hook_with_hand_overs_of_any_length() {
    restarts(Cli::Codex, json!([]));
}

fn without_hooks(cli: Cli, settings: &str) {
    let Some(mut cast) = cast(cli, "without_hooks") else { return };
    cast.permit("bypass");
    let path = cast.user_settings();
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let before = format!("{}{settings}", fs::read_to_string(&path).unwrap_or_default());
    fs::write(&path, &before).unwrap();
    restart(&cast, 1, "the nonce is physalis-17", "marker");
    taken(&cast, 1, "the nonce is physalis-17", SOON);
    unchanged(&cast, Some(&before));
    busy_then_idle(&cast);
}

#[test]
fn a_claude_whose_user_switched_hooks_off_comes_up_by_its_marker() {
    without_hooks(Cli::Claude, r#"{"disableAllHooks": true}"#);
}

#[test]
fn a_codex_whose_user_switched_hooks_off_comes_up_by_its_marker() {
    without_hooks(Cli::Codex, "[features]\nhooks = false\n");
}

/// A restart that ends blocked at once, with these words in the error and in the record.
#[track_caller]
fn blocked(cast: &Cast, ran: Ran, state: &str, words: &str) {
    let ran = ran.expect(4).says(words);
    assert!(ran.took < AT_ONCE, "{words}: {:?}", ran.took);
    let record = cast.world.record();
    assert_eq!((&record["phase"], &record["exit_code"]), (&json!("errored"), &json!(4)));
    assert_eq!(record["agents"][0]["state"], state, "{record:#}");
    let error = record["error"].to_string();
    assert!(error.contains(words), "{words:?} is not in {error}");
    assert_eq!(cast.world.state_of("agent0"), state, "as status sees it: {words}");
}

fn attempt(cast: &Cast, behaviour: Value) -> Ran {
    cast.model.behave(behaviour);
    cast.world.netsky(["restart", "0"]).run()
}

/// The model reads a long hand-over through its shell although every other command is asked about.
fn read_in_parts(cast: &Cast) {
    restart(cast, 0, &long(20_000, "nonce-of-parts").0, "hook");
    taken(cast, 1, "nonce-of-parts", SOON);
}

/// What Anthropic's servers add for a subscription that is used up.
fn used_up_headers() -> Value {
    let reset = (chrono::Utc::now().timestamp() + 7200).to_string();
    json!({
        "retry-after": "7200",
        "anthropic-ratelimit-unified-status": "rejected",
        "anthropic-ratelimit-unified-reset": reset,
        "anthropic-ratelimit-unified-representative-claim": "five_hour",
        "anthropic-ratelimit-unified-5h-utilization": "1.0",
        "anthropic-ratelimit-unified-5h-reset": reset,
    })
}

#[test]
fn what_keeps_claude_from_coming_up_is_said_at_once() {
    let Some(mut cast) = cast(Cli::Claude, "what_keeps_claude_from_coming_up") else { return };
    cast.permit("ask");
    read_in_parts(&cast);
    let asks = attempt(&cast, json!({"tool": "touch made-by-the-model"}));
    blocked(&cast, asks, "blocked", "touch made-by-the-model");
    let limited = attempt(&cast, json!({"error": 429}));
    blocked(&cast, limited, "limited", "Request rejected (429)");
    let overloaded = attempt(&cast, json!({"error": 529}));
    blocked(&cast, overloaded, "blocked", "529 Overloaded");
    let wrong = attempt(&cast, json!({"error": {"status": 400, "message": "no such thing"}}));
    blocked(&cast, wrong, "blocked", "no such thing");
    let mute = attempt(&cast, json!({"no_marker": true}));
    blocked(&cast, mute, "blocked", "without the marker");
    cast.world.environment.remove(std::ffi::OsStr::new("ANTHROPIC_AUTH_TOKEN"));
    cast.world.set("CLAUDE_CODE_OAUTH_TOKEN", "loopback");
    let used_up =
        attempt(&cast, json!({"error": {"status": 429, "message": "used up", "headers": used_up_headers()}}));
    blocked(&cast, used_up, "limited", "hit your session limit");
    cast.world.environment.remove(std::ffi::OsStr::new("CLAUDE_CODE_OAUTH_TOKEN"));
    let stranger = attempt(&cast, json!({}));
    blocked(&cast, stranger, "blocked", "Not logged in");
}

#[test]
fn what_keeps_codex_from_coming_up_is_said_at_once() {
    let Some(mut cast) = cast(Cli::Codex, "what_keeps_codex_from_coming_up") else { return };
    cast.permit("ask");
    read_in_parts(&cast);
    let asks = attempt(&cast, json!({"tool": "touch made-by-the-model", "escalate": true}));
    blocked(&cast, asks, "blocked", "touch made-by-the-model");
    let stranger = attempt(&cast, json!({"error": 401}));
    blocked(&cast, stranger, "blocked", "401 Unauthorized");
    let limited = attempt(&cast, json!({"error": 429}));
    blocked(&cast, limited, "limited", "429 Too Many Requests");
    let used_up = attempt(&cast, json!({"error": {"status": 429, "type": "usage_limit_reached"}}));
    blocked(&cast, used_up, "limited", "hit your usage limit");
    let overloaded = attempt(&cast, json!({"error": 529}));
    blocked(&cast, overloaded, "blocked", "529");
    let wrong = attempt(&cast, json!({"error": {"status": 400, "message": "no such thing"}}));
    blocked(&cast, wrong, "blocked", "no such thing");
    let cut = attempt(&cast, json!({"cut": true}));
    blocked(&cast, cut, "blocked", "stream disconnected");
    let mute = attempt(&cast, json!({"no_marker": true}));
    blocked(&cast, mute, "blocked", "without the marker");
    fs::write(cast.user_settings(), "").unwrap();
    let stranger = attempt(&cast, json!({}));
    blocked(&cast, stranger, "blocked", "Choose how you want to use Codex");
}

/// agent0's own model restarts the constellation through its shell.
fn restarts_itself(cli: Cli) {
    let Some(mut cast) = cast(cli, "restarts_itself") else { return };
    cast.permit("bypass");
    let world = &cast.world;
    world.netsky(["up", "1"]).run().expect(0);
    let before = world.pane_pid("agent0");
    let command = format!(
        "date +%s%3N >begun; echo 'the nonce is medlar-'$((20 + 3)) | {NETSKY} restart --handoff - >id 2>said; echo $? >code; date +%s%3N >ended"
    );
    cast.model.behave(json!({"tool": command, "tool_if": "restart yourself now, please"}));
    world.netsky(["send", "agent0", "restart yourself now, please"]).run().expect(0);
    let record = world.wait("the restart is over", Duration::from_secs(40), || {
        world.records().pop().filter(|record| !record["exit_code"].is_null())
    });
    let kept = |name: &str| fs::read_to_string(world.work.join(name)).unwrap().trim().to_owned();
    assert_eq!(
        (kept("code").as_str(), &record["exit_code"]),
        ("0", &json!(0)),
        "{} {record:#}",
        kept("said")
    );
    assert_eq!((&record["id"], &record["actor"]), (&json!(kept("id")), &json!("agent0")));
    let took = kept("ended").parse::<u64>().unwrap() - kept("begun").parse::<u64>().unwrap();
    assert!(took < 1000, "the command took {took} ms");
    assert_eq!(record["agents"].as_array().unwrap().len(), 2);
    assert_ne!(world.pane_pid("agent0"), before);
    // Its own order was taken with its turn, and the hand-over by the next one.
    taken(&cast, 2, "the nonce is medlar-23", SOON);
    assert_eq!(world.records().len(), 1);
    assert!(!Path::new("/proc").join(before.to_string()).exists());
}

#[test]
fn claude_restarts_its_own_constellation_through_its_shell() {
    restarts_itself(Cli::Claude);
}

#[test]
fn codex_restarts_its_own_constellation_through_its_shell() {
    restarts_itself(Cli::Codex);
}

#[test]
fn a_claude_that_never_ran_is_led_through_its_dialogs_but_trusts_nothing_unasked() {
    let Some(mut cast) = cast(Cli::Claude, "a_claude_that_never_ran") else { return };
    cast.permit("bypass");
    let world = &cast.world;
    fs::remove_file(world.user.join(".claude.json")).unwrap();
    let config = fs::read_to_string(world.home.join("config.toml")).unwrap();
    let without_trust: String =
        config.split_inclusive('\n').filter(|line| !line.starts_with("trust")).collect();
    fs::write(world.home.join("config.toml"), without_trust).unwrap();
    let ran = world.netsky(["restart", "0"]).run();
    blocked(&cast, ran, "blocked", "trust");
    assert_eq!(world.record()["agents"][0]["dialogs"], json!(["theme", "security-notes"]));
    let claude = fs::read_to_string(world.user.join(".claude.json")).unwrap();
    assert!(!claude.contains(r#""hasTrustDialogAccepted": true"#), "{claude}");
    world.netsky(["trust", world.work.to_str().unwrap()]).run().expect(0);
    let record = restart(&cast, 0, "the nonce is loquat-5", "hook");
    assert_eq!(record["agents"][0]["dialogs"], json!(["trust-folder"]));
    taken(&cast, 1, "the nonce is loquat-5", SOON);
}

#[test]
fn a_codex_in_a_repository_is_not_trusted_unasked() {
    let Some(mut cast) = cast(Cli::Codex, "a_codex_in_a_repository") else { return };
    cast.permit("bypass");
    let world = &cast.world;
    world.call(git(&["init", "-q"])).run().expect(0);
    let config = fs::read_to_string(world.home.join("config.toml")).unwrap();
    let without_trust: String =
        config.split_inclusive('\n').filter(|line| !line.starts_with("trust")).collect();
    fs::write(world.home.join("config.toml"), without_trust).unwrap();
    let ran = world.netsky(["restart", "0"]).run();
    blocked(&cast, ran, "blocked", "trust");
    assert!(!fs::read_to_string(cast.user_settings()).unwrap().contains("trust_level"));
}

#[test]
fn claude_bypasses_its_permissions_for_a_user_who_is_not_root() {
    let name = "claude_bypasses_its_permissions_for_a_user_who_is_not_root";
    let Some(bin) = installed(name) else { return };
    if let Some(why) = no_other_user(&bin) {
        return skip(name, &why);
    }
    let mut cast = Cast::new(Cli::Claude, &bin);
    cast.permit("bypass");
    cast.world.environment.remove(std::ffi::OsStr::new("IS_SANDBOX"));
    let note = cast.world.write("note.md", "the nonce is sorb-99");
    cast.give_away();
    cast.as_nobody(&["restart", "1", "--handoff", note.to_str().unwrap()]).run().expect(0);
    let record = cast.world.record();
    assert_eq!(record["phase"], "complete");
    for agent in record["agents"].as_array().unwrap() {
        assert_eq!(agent["ready_by"], "hook", "{agent:#}");
    }
    cast.world.wait("taken", SOON, || (cast.world.envelopes()[2].len() == 1).then_some(()));
    assert!(cast.model.first_with("the nonce is sorb-99").is_some());
    cast.as_nobody(&["down"]).run().expect(0);
}
