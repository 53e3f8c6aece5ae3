//! The verifier against golden vectors, contradictory definitions and arbitrary requests.

mod basics;
mod definitions;
mod properties;
mod providers;
