//! Agents that end while their server is deaf to it, as one that is built with utempter is after it has seen that nobody
//! has a terminal open any more.
//!
//! Here it is held in that state for longer: every call in which it waits for a child is drawn out.

use std::time::Duration;

use crate::bot;
use crate::stand_in::write_program;
use crate::strace;
use crate::support::world::wait;
use crate::sweep::{Finding, Harm, Run, Tally};

const SOON: Duration = Duration::from_secs(20);

/// Who is to say how an agent ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Teller {
    /// `status`, later.
    Status,
    /// The `up` that waits for it.
    Up,
}

pub fn run(run: &Run) -> Tally {
    if let Some(obstacle) = strace::no_attaching() {
        return Tally::default()
            .note(format!("not tried, a server that is deaf to its children: {obstacle}"));
    }
    run.points(&[Teller::Status, Teller::Up], 2, 2, |teller| attempt(run, *teller))
}

fn attempt(run: &Run, teller: Teller) -> Vec<Finding> {
    let world = run.world();
    let end = world.work.join("end");
    let agent = world.work.join("agent");
    let script = format!("until [ -e {end:?} ]; do sleep 0.02; done; exec <&- >&- 2>&-; sleep 0.1; exit 7");
    write_program(&agent, &format!("#!/bin/sh\n{script}\n"));
    world.configure(&format!(
        "[constellation]\nclones = 0\nagent = \"brief\"\nroot_agent = \"brief\"\n{}\
         [profile.brief]\ncommand = [{agent:?}]\nmemory = \"1MiB\"\n",
        bot::patient()
    ));
    let up = match teller {
        Teller::Up => world.netsky(["up"]).start(),
        Teller::Status => world.netsky(["up", "--no-wait"]).start(),
    };
    let server = world.wait("agent0 is there", SOON, || {
        world.sessions().contains(&"agent0".to_owned()).then(|| world.server_pid()).flatten()
    });
    let drawn_out = ["-etrace=wait4".to_owned(), "-einject=wait4:delay_exit=300000".to_owned()];
    let mut strace = strace::attached(&world, server, &drawn_out);
    std::fs::write(&end, "").unwrap();
    let said = match teller {
        Teller::Up => String::from_utf8_lossy(&up.wait_with_output().unwrap().stderr).into_owned(),
        Teller::Status => {
            up.wait_with_output().unwrap();
            wait(Duration::from_secs(1), &mut || None::<()>);
            let error = || world.status()["agents"][0]["error"].to_string();
            wait(Duration::from_secs(5), &mut || Some(error()).filter(|error| error.contains("code 7")))
                .unwrap_or_else(error)
        }
    };
    strace.kill().unwrap();
    strace.wait().unwrap();
    if said.contains("its process ended with exit code 7") {
        return Vec::new();
    }
    vec![(Harm::Other, format!("{teller:?} does not say how an agent ended: {said}"))]
}
