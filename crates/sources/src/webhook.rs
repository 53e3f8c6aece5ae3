//! Webhooks: an HTTP request becomes an event, or is refused with one answer that tells no more than it must.
//!
//! The order of the checks is fixed: source, address, rate, expected headers, greeting without a signature, signature,
//! greeting with one, body, append. Nothing is made of a body before its sender is known to be genuine.

mod body;
mod certificates;
mod dedupe;
pub(crate) mod drafts;
mod handshake;
pub(crate) mod headers;
pub(crate) mod judge;
pub(crate) mod kept;
mod limits;
mod proxies;
mod quarantine;
mod receiver;
mod reply;
mod request;
mod scheme;
mod translate;

pub(crate) use self::{
    limits::Rate,
    quarantine::Sampler,
    request::RequestView,
    scheme::{Fault, Scheme, Spot},
};
pub use self::{
    receiver::{Admitted, Incoming, Receiver},
    reply::{Code, Reply},
};
