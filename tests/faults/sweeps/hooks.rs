//! Hooks that are missing, slow, killed, lied to, called by strangers or by the thousand: the agent is never held, and
//! its beacon is right or absent.

mod calls;
mod strangers;
mod troubles;

use std::fs;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::puppet::Puppet;
use crate::support::World;
use crate::sweep::{Finding, Flaw, Harm, Run, Sweep, Tally, no_obstacle};

pub const HOOKS: Sweep = Sweep {
    name: "hooks",
    promise: "a hook ends in time with exit code 0 whatever it is given and whoever calls it; what it notes of an agent is \
              right or absent, and only the agent's own is believed",
    flaw: Flaw { without: "belief", does: Harm::FalseSuccess },
    floor: 27,
    obstacle: no_obstacle,
    run,
};

/// What `netsky hook` allows itself, and what a busy machine adds.
const LIMIT: Duration = Duration::from_secs(2);
const MARGIN: Duration = Duration::from_millis(1500);

/// One thing that is tried, in a world of its own where an agent is up.
type Point = (&'static str, fn(&Agent));

fn run(run: &Run) -> Tally {
    let points = [strangers::POINTS, calls::POINTS, troubles::POINTS].concat();
    run.points(&points, 12, 4, |(name, attempt)| {
        let agent = Agent::up(run, name);
        attempt(&agent);
        agent.found.into_inner()
    })
}

/// An agent that calls its hooks when it is told to.
struct Agent {
    world: World,
    puppet: Puppet,
    name: &'static str,
    found: std::cell::RefCell<Vec<Finding>>,
}

impl Agent {
    /// Up, and idle by its hook's word.
    fn up(run: &Run, name: &'static str) -> Self {
        let world = run.world();
        let puppet = Puppet::new(&world, "hooks");
        let text = "[constellation]\nclones = 1\nagent = \"demo\"\nroot_agent = \"puppet\"\n";
        world.configure(&format!("{text}{}", puppet.profile("puppet")));
        world.netsky(["up"]).run().expect(0);
        let agent = Self { world, puppet, name, found: std::cell::RefCell::default() };
        agent.tells("Stop", br#"{"session_id":"s1","last_assistant_message":"agent0 session 1 up"}"#);
        agent
    }

    fn must(&self, holds: bool, harm: Harm, what: impl std::fmt::Display) {
        if !holds {
            self.found.borrow_mut().push((harm, format!("{}: {what}", self.name)));
        }
    }

    /// Has the agent call its hook with this report; gives what the hook prints.
    fn tells(&self, event: &str, report: &[u8]) -> String {
        self.puppet.file("report", report);
        self.calls(&format!("\"$NETSKY\" hook {event} <report >printed"));
        fs::read_to_string(self.puppet.dir().join("printed")).unwrap_or_default()
    }

    /// Has the agent do this line, in which `$NETSKY` is a hook's netsky: it must not take long, nor fail.
    fn calls(&self, line: &str) {
        let begun = Instant::now();
        let code = self.puppet.runs(&format!("NETSKY={:?}; {line}", self.world.program));
        let took = begun.elapsed();
        self.must(code == 0, Harm::Other, format!("exit {code} of {line}"));
        self.must(took < LIMIT + MARGIN, Harm::Other, format!("{took:?} for {line}"));
    }

    fn beacon(&self) -> Value {
        let bytes = fs::read(self.world.home.join("state/beacons/agent0.json")).unwrap_or_default();
        serde_json::from_slice(&bytes).unwrap_or(Value::Null)
    }

    /// The beacon is whole and of this event.
    fn must_note(&self, event: &str) {
        let beacon = self.beacon();
        self.must(beacon["event"] == event, Harm::Lost, format!("{event} is not noted: {beacon}"));
    }

    fn generation(&self) -> String {
        self.world.status()["agents"][0]["generation"].as_str().unwrap_or_default().to_owned()
    }

    fn log(&self) -> String {
        fs::read_to_string(self.world.home.join("log/events.jsonl")).unwrap_or_default()
    }
}
