//! Agents that come up when they are told to, and note when they did.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Nanoseconds of the wall clock.
pub(crate) fn now_ns() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos()
}

/// The command of agents that come up by their marker, `first` + place × `step` milliseconds after their start, in an
/// order that `turn` shifts.
pub(crate) fn command(how: &str, notes: &Path, netsky: &str, times: [u32; 4]) -> Vec<String> {
    let own = std::env::current_exe().unwrap();
    let mut words = vec![own.to_str().unwrap().to_owned(), "agent".to_owned(), how.to_owned()];
    words.push(notes.to_str().unwrap().to_owned());
    words.push(netsky.to_owned());
    words.extend(times.iter().map(u32::to_string));
    words
}

/// Is such an agent: `marker|hook NOTES NETSKY FIRST STEP TURN AGENTS`.
pub(crate) fn run(words: &[String]) -> ! {
    let [how, notes, netsky, first, step, turn, agents, ..] = words else { panic!("{words:?}") };
    let number = |word: &String| word.parse::<u32>().unwrap();
    let (first, step, turn, agents) = (number(first), number(step), number(turn), number(agents));
    let name = std::env::var("NETSKY_AGENT").unwrap();
    let own: u32 = std::env::var("AGENT_N").map_or(0, |number| number.parse().unwrap());
    // Thirteen is coprime to the numbers of agents we use: neighbours come up far from each other.
    let place = (own * 13 + turn) % agents;
    if how == "hook" {
        report(netsky, "SessionStart", r#"{"session_id":"s","source":"startup"}"#);
        report(netsky, "UserPromptSubmit", r#"{"session_id":"s","prompt":"begin"}"#);
    }
    std::thread::sleep(Duration::from_millis(u64::from(first + place * step)));
    let noted = now_ns();
    match how.as_str() {
        "marker" => {
            let mut stdout = std::io::stdout();
            stdout.write_all(b"session 1 up\n").unwrap();
            stdout.flush().unwrap();
        }
        _ => report(netsky, "Stop", r#"{"session_id":"s","last_assistant_message":"session 1 up"}"#),
    }
    fs::write(Path::new(notes).join(name), noted.to_string()).unwrap();
    loop {
        std::thread::park();
    }
}

fn report(netsky: &str, event: &str, json: &str) {
    let mut command = Command::new(netsky);
    command.args(["hook", event]).stdin(Stdio::piped()).stdout(Stdio::null());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(json.as_bytes()).unwrap();
    child.wait().unwrap();
}
