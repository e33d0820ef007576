//! A world of its own for each test: home, HOME, working directory, environment, tmux server.

pub mod agents;
pub mod tree;
pub mod world;

pub use world::World;
