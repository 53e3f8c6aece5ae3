//! What the client may reach and how long it may take. The default is guarded: nothing but
//! public addresses, and short times.

use std::net::SocketAddr;
use std::time::Duration;

use ipnet::IpNet;

/// A peer that does not accept a connection in this time is down for our purpose.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Long enough for a slow receiver, short enough that one receiver cannot hold an action for ever.
const TIMEOUT: Duration = Duration::from_secs(15);
/// Replies are kept for people to read, so a page of text is enough.
const RESPONSE_MAX: usize = 64 * 1024;

/// Limits and openings of one [`Egress`](crate::Egress).
#[derive(Clone, Debug)]
pub struct Config {
    /// Opens `127.0.0.0/8` and `::1`, for development on one machine.
    pub allow_loopback: bool,
    /// Ranges that the operator opens although they are not public. An address of a cloud's
    /// metadata service opens only by an entry for that very address (`/32` or `/128`).
    pub allow: Vec<IpNet>,
    /// Ranges that stay closed whatever else is allowed.
    pub deny: Vec<IpNet>,
    /// Our own listeners and databases: closed whatever else is allowed. An unspecified address
    /// (`0.0.0.0:7400`) stands for every address of this machine.
    pub listeners: Vec<SocketAddr>,
    /// Time for name look-up, TCP and TLS together.
    pub connect_timeout: Duration,
    /// Time for the whole exchange, unless the request brings its own.
    pub timeout: Duration,
    /// How many bytes of a reply are kept; reading stops there.
    pub response_max: usize,
    /// Switches the address guard off; see [`Config::open`] for the one use of it.
    pub unguarded: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            allow_loopback: false,
            allow: Vec::new(),
            deny: Vec::new(),
            listeners: Vec::new(),
            connect_timeout: CONNECT_TIMEOUT,
            timeout: TIMEOUT,
            response_max: RESPONSE_MAX,
            unguarded: false,
        }
    }
}

impl Config {
    /// A configuration that may reach every address, private ones too.
    ///
    /// For a program that acts for the person who started it, such as the command line client:
    /// that person chose the address and could reach it anyway. Never for a URL that came from a
    /// tenant, a rule or an event. Times and sizes stay limited; `deny` and `listeners` still hold.
    pub fn open() -> Self {
        Self { unguarded: true, ..Self::default() }
    }
}
