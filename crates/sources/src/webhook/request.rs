//! A request as verification, greetings and translation see it.

use http::{HeaderMap, Method, Uri};

/// The parts of a request, borrowed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RequestView<'r> {
    pub(crate) method: &'r Method,
    /// As it came: path and query, seldom more.
    pub(crate) uri: &'r Uri,
    /// The whole URL as the sender knows it.
    pub(crate) url: &'r str,
    pub(crate) headers: &'r HeaderMap,
    pub(crate) body: &'r [u8],
}
