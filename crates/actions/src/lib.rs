#![doc = include_str!("../README.md")]

mod action;
mod config;

mod emit_event;
mod log;
mod webhook;

mod actions;

#[cfg(test)]
mod samples;

pub use action::{Action, Call, Error, Problem};
pub use actions::Actions;
pub use emit_event::EmitEvent;
pub use log::Log;
pub use webhook::Webhook;
