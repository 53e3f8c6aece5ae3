//! Webhooks: an HTTP request becomes an event, or is refused with one answer that tells no more than it must.
//!
//! The order of the checks is fixed: source, expected headers, signature, JSON, append. Nothing is parsed before its
//! sender is known to be genuine.

mod dedupe;
pub(crate) mod headers;
mod quarantine;
mod receiver;
mod reply;
mod scheme;
mod translate;

pub(crate) use self::{quarantine::Sampler, scheme::Scheme};
pub use self::{
    receiver::{Admitted, Incoming, Receiver},
    reply::{Code, Reply},
};
