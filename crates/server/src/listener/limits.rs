//! What a listener allows.

use std::time::Duration;

/// Longest head of an HTTP/1 request, in bytes, and the longest piece in which a body is read.
pub(super) const HEAD_MAX: usize = 64 * 1024;
/// Longest list of headers of an HTTP/2 request, in bytes.
pub(super) const HEADER_LIST_MAX: u32 = 16 * 1024;
/// Requests that may run at once on one HTTP/2 connection.
pub(super) const STREAMS_MAX: u32 = 128;
/// Streams that a client may reset before they were looked at; after that the connection is closed (CVE-2023-44487).
pub(super) const RESETS_WAITING_MAX: usize = 20;
/// Streams that we may reset because of errors of the client; after that the connection is closed (RUSTSEC-2024-0003).
pub(super) const RESETS_OF_OURS_MAX: usize = 128;
/// Bytes of one answer that wait for an HTTP/2 client to take them.
pub(super) const SEND_BUFFER_MAX: usize = 64 * 1024;
/// How often a client of HTTP/2 is asked whether it lives, and how long it may take to say so.
pub(super) const PING: Duration = Duration::from_secs(20);
/// How long a client may take nothing of an answer.
pub(super) const STALL_MAX: Duration = Duration::from_secs(30);
/// How long the rest of a refused request is read and thrown away, so that its sender sees the answer and not a reset.
pub(super) const LINGER_MAX: Duration = Duration::from_secs(2);
/// How much of it, in bytes.
pub(super) const LINGER_BYTES_MAX: usize = 4 * 1024 * 1024;

/// What can be set, for one listener.
#[derive(Clone, Debug)]
pub(crate) struct Limits {
    /// Connections at once.
    pub(crate) connections: usize,
    /// Connections at once from one IPv4 address or one IPv6 network of 64 bits.
    pub(crate) per_address: usize,
    /// From the connection to its first byte.
    pub(crate) first_byte: Duration,
    /// From the first byte of a request to the end of its headers.
    pub(crate) header: Duration,
    /// From the end of an answer to the next request.
    pub(crate) idle: Duration,
    /// After this a connection ends with the answer that it is at.
    pub(crate) age: Option<Duration>,
    /// Bytes of bodies that all requests together hold until they are answered.
    pub(crate) body_memory: usize,
}
