//! The ways of calling netsky that are struck, and what must be so after each.

pub mod hooks;
pub mod inbox;
pub mod life;
pub mod messages;
pub mod restart;
pub mod settings;

use crate::errand::Errand;
use crate::stage::{Scenario, Victim, nothing_else};
use crate::support::World;

const UP: &[&str] = &["up", "1", "--agent", "demo"];

/// agent0 and agent1 run and wait.
const IN_A_PAIR: Scenario = Scenario {
    name: "",
    prepare: two_agents,
    errand: |_| Errand::default(),
    recover: UP,
    check: nothing_else,
    victim: Victim::Caller,
    uses: 25,
    every: 1,
};

fn two_agents(world: &mut World) {
    world.netsky(UP.iter().copied()).run().expect(0);
}

/// agent0 runs; agent1 is known and does not.
const ALONE: Scenario =
    Scenario { prepare: one_agent, recover: &["up", "0", "--agent", "demo"], ..IN_A_PAIR };

fn one_agent(world: &mut World) {
    world.configure("[constellation]\nclones = 1\nagent = \"demo\"\nroot_agent = \"demo\"\n");
    world.netsky(["up", "0"]).run().expect(0);
}

/// Everything that writes and is no restart.
pub fn verbs() -> Vec<Scenario> {
    [messages::ALL, inbox::ALL, settings::ALL, life::ALL, hooks::ALL].concat()
}

/// Those with points of their own where points have names.
pub fn portable() -> Vec<Scenario> {
    [
        restart::PORTABLE,
        messages::PORTABLE,
        inbox::PORTABLE,
        settings::PORTABLE,
        life::PORTABLE,
        hooks::PORTABLE,
    ]
    .concat()
}
