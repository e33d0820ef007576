//! What chance decides, from a seed alone. Each round has dice of its own, so that round 137 can be told from the seed
//! whatever came of the rounds before it.

use proptest::prelude::RngExt;
use proptest::test_runner::{RngAlgorithm, TestRng};

/// Where a run begins unless `NETSKY_FAULTS_SEED` says otherwise.
const SEED: u64 = 20_261_120;

/// The seed of this run.
pub fn seed() -> u64 {
    let asked = std::env::var("NETSKY_FAULTS_SEED").ok();
    asked.map_or(SEED, |text| text.parse().expect("NETSKY_FAULTS_SEED is a number"))
}

pub struct Dice(TestRng);

impl Dice {
    /// The dice of one purpose (a round, a shuffle) under a seed.
    pub fn of(seed: u64, purpose: &str, number: usize) -> Self {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        bytes[8..16].copy_from_slice(&(number as u64).to_le_bytes());
        for (byte, letter) in bytes[16..].iter_mut().zip(purpose.bytes()) {
            *byte = letter;
        }
        Self(TestRng::from_seed(RngAlgorithm::ChaCha, &bytes))
    }

    /// A number in `from..to`.
    pub fn number(&mut self, from: usize, to: usize) -> usize {
        self.0.random_range(from..to)
    }

    /// A number from 0 to 1.
    pub fn fraction(&mut self) -> f64 {
        self.0.random_range(0.0..1.0)
    }

    /// Once in so many throws.
    pub fn once_in(&mut self, throws: usize) -> bool {
        self.number(0, throws) == 0
    }

    pub fn one_of<T: Clone>(&mut self, choices: &[T]) -> T {
        choices[self.number(0, choices.len())].clone()
    }

    /// Some of them, at least one and at most `most`, each once.
    pub fn some_of<T: Clone>(&mut self, choices: &[T], most: usize) -> Vec<T> {
        let mut choices = self.shuffled(choices);
        choices.truncate(self.number(1, most.min(choices.len()) + 1));
        choices
    }

    pub fn shuffled<T: Clone>(&mut self, choices: &[T]) -> Vec<T> {
        let mut shuffled = choices.to_vec();
        for last in (1..shuffled.len()).rev() {
            shuffled.swap(last, self.number(0, last + 1));
        }
        shuffled
    }
}
