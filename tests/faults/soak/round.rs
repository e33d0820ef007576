//! One round as the seed has it: who is taken down or up again, what is handed over and how, what goes wrong.

use super::dice::Dice;
use super::fault::{FAULTS, Fault, Scope};
use super::mail::{WAYS, Way};

/// From where a restart is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    Foreground,
    /// `--detach`.
    Detached,
    /// With the marks of agent0, which it ends.
    FromInside,
}

/// What the owner does before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wish {
    Nothing,
    Down(String),
    Up(String),
}

pub struct Round {
    pub number: usize,
    pub fault: Fault,
    pub manner: Manner,
    pub way: Way,
    /// Whom a message is sent to, and after which part of the restart.
    pub to: String,
    pub sent_at: f64,
    /// Bytes of the text beyond its first line.
    pub length: usize,
}

/// So many may be down at once.
const MOST_DOWN: usize = 2;

impl Wish {
    pub fn drawn(dice: &mut Dice, number: usize, agents: &[String], down: &[String]) -> Self {
        if !down.is_empty() && dice.once_in(4) {
            return Self::Up(dice.one_of(down));
        }
        let clones: Vec<String> =
            agents.iter().skip(1).filter(|agent| !down.contains(agent)).cloned().collect();
        // A short run takes somebody down too.
        match down.len() < MOST_DOWN && (number == 2 || dice.once_in(6)) {
            true => Self::Down(dice.one_of(&clones)),
            false => Self::Nothing,
        }
    }
}

impl Round {
    pub fn drawn(seed: u64, number: usize, mut dice: Dice, scope: &Scope<'_>) -> Self {
        // Dealt like cards: each fault comes once before one comes again.
        let (deal, card) = ((number - 1) / FAULTS.len(), (number - 1) % FAULTS.len());
        let fault = Dice::of(seed, "deal", deal).shuffled(&FAULTS)[card](&mut dice, scope);
        let manner = match (&fault, dice.number(0, 6)) {
            // These are about the process that was called.
            (Fault::SecondRestart { .. } | Fault::DiskError { .. }, _) => Manner::Foreground,
            (_, 0) => Manner::Detached,
            (_, 1) => Manner::FromInside,
            _ => Manner::Foreground,
        };
        Self {
            number,
            fault,
            manner,
            way: dice.one_of(&WAYS),
            to: dice.one_of(scope.agents),
            sent_at: dice.fraction(),
            length: if dice.once_in(10) { dice.number(8_000, 20_000) } else { 0 },
        }
    }
}
