//! Runs every op on every backend, random programs, and the rules of the graph: the tests' common ground.

pub mod conformance;
pub mod fixtures;
pub mod gradcheck;
pub mod programs;
pub mod reference;
pub mod samples;
pub mod session;
pub mod values;
pub mod views;

pub use reference::Reference;
pub use session::Session;
