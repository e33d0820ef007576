//! An agent that runs, in its pane, whatever a test tells it: so that hooks are called from where they are believed.

use std::fs;
use std::io::Write;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::strike::make_program;
use crate::support::World;
use crate::support::world::{self, Ran};

/// Makes agent0 such an agent. It is up by its marker, as no hook has spoken.
pub fn stage(world: &World) {
    let script = world.work.join("puppet");
    let orders = world.work.join("orders");
    // Open for writing too: who reads never sees an end, between which and the next opening an order could get lost.
    make_program(
        &script,
        &format!(
            "#!/bin/sh\necho 'agent0 session 1 up'\nexec 3<> {orders:?}\nwhile read -r order <&3; do eval \"$order\" 3<&-; done\n"
        ),
    );
    Command::new("mkfifo").arg(&orders).status().unwrap();
    world.configure(&format!(
        "[constellation]\nclones = 0\nagent = \"demo\"\nroot_agent = \"demo\"\n[profile.demo]\ncommand = [{script:?}]\n"
    ));
    world.netsky(["up"]).run().expect(0);
}

/// Has the agent run a command.
pub fn run(world: &World, command: &Command, stdin: &str) -> Ran {
    let begun = Instant::now();
    let [input, stdout, stderr, code] =
        ["input", "stdout", "stderr", "code"].map(|name| world.work.join(name));
    fs::write(&input, stdin).unwrap();
    fs::remove_file(&code).unwrap_or_default();
    let words: Vec<String> = std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|word| format!("'{}'", word.to_str().unwrap().replace('\'', r"'\''")))
        .collect();
    let order = format!(
        "{} < {input:?} > {stdout:?} 2> {stderr:?}; echo $? > {code:?}.new; mv {code:?}.new {code:?}\n",
        words.join(" ")
    );
    let mut orders = fs::OpenOptions::new().write(true).open(world.work.join("orders")).unwrap();
    orders.write_all(order.as_bytes()).unwrap();
    drop(orders);
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    let code = world::wait(Duration::from_secs(20), &mut || read(&code).trim().parse().ok())
        .unwrap_or_else(|| panic!("{words:?} did not end: {}", world.screen("agent0")));
    let bytes = [&stdout, &stderr].map(|path| fs::read(path).unwrap_or_default());
    Ran { code, stdout: read(&stdout), bytes, stderr: read(&stderr), took: begun.elapsed() }
}
