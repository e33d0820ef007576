//! The netsky command.

fn main() {}
