//! The decision whether an address may be reached. Pure: an address and a [`Config`] in, a
//! [`Verdict`] out. What must stay true: an address that carries another one inside (NAT64, 6to4,
//! Teredo, mapped, compatible) is reachable only if both are.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use ipnet::IpNet;

use crate::config::Config;
use crate::ranges::{GLOBAL_V6, LOOPBACK, METADATA, METADATA_ADDRESSES, RANGES};

/// Answer of the guard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The address may be dialled.
    Allowed,
    /// The address is closed; the text names the kind of range, such as `private`.
    Refused(&'static str),
}

/// Says whether `ip` may be reached under `config`.
///
/// The operator's `deny` wins over everything. Then the address and each IPv4 address that it
/// carries must pass on its own: opening an outer range does not open what hides in it.
pub fn verdict(ip: IpAddr, config: &Config) -> Verdict {
    let carried = carried(ip);
    let mut all = std::iter::once(ip).chain(carried.iter().copied().map(IpAddr::V4));
    if all.clone().any(|ip| config.deny.iter().any(|net| net.contains(&ip))) {
        return Verdict::Refused("denied");
    }
    if config.unguarded {
        return Verdict::Allowed;
    }
    all.find_map(|ip| closed(ip, config)).map_or(Verdict::Allowed, Verdict::Refused)
}

/// Says whether the socket address `peer` may be used: [`verdict`] on its address, and not one of
/// our own listeners.
///
/// `local` is our end of an open connection, if there is one. Both ends on one address means that
/// the peer is this machine, which is how a listener on every address is recognised.
pub fn socket_verdict(peer: SocketAddr, local: Option<IpAddr>, config: &Config) -> Verdict {
    let here = peer.ip().is_loopback() || peer.ip().is_unspecified() || local == Some(peer.ip());
    let ours = |listener: &SocketAddr| {
        listener.port() == peer.port()
            && (listener.ip() == peer.ip() || (listener.ip().is_unspecified() && here))
    };
    if config.listeners.iter().any(ours) {
        return Verdict::Refused("own listener");
    }
    verdict(peer.ip(), config)
}

/// The label of the rule that closes this one address, without looking inside it.
fn closed(ip: IpAddr, config: &Config) -> Option<&'static str> {
    if METADATA_ADDRESSES.contains(&ip) {
        return (!config.allow.contains(&IpNet::from(ip))).then_some(METADATA);
    }
    if config.allow.iter().any(|net| net.contains(&ip)) {
        return None;
    }
    let label = RANGES.iter().find(|(net, _)| net.contains(&ip)).map(|(_, label)| *label);
    match label {
        Some(LOOPBACK) if config.allow_loopback => None,
        Some(label) => Some(label),
        None if ip.is_ipv6() && !GLOBAL_V6.contains(&ip) => Some("reserved"),
        None => None,
    }
}

/// The IPv4 addresses that `ip` carries inside, in every reading that a translator could use.
fn carried(ip: IpAddr) -> Vec<Ipv4Addr> {
    let IpAddr::V6(ip) = ip else { return Vec::new() };
    let o = ip.octets();
    let last = Ipv4Addr::new(o[12], o[13], o[14], o[15]);
    match ip.segments() {
        // `::` and `::1` are no IPv4 addresses in disguise.
        [0, 0, 0, 0, 0, 0, _, _] if ip != Ipv6Addr::UNSPECIFIED && ip != Ipv6Addr::LOCALHOST => {
            vec![last]
        }
        [0, 0, 0, 0, 0, 0xffff, _, _] | [0x64, 0xff9b, 0, 0, 0, 0, _, _] => vec![last],
        [0x64, 0xff9b, 1, ..] => nat64_readings(o),
        [0x2002, ..] => vec![Ipv4Addr::new(o[2], o[3], o[4], o[5])],
        // Teredo: the server as it is, the client with its bits turned over.
        [0x2001, 0, ..] => {
            vec![Ipv4Addr::new(o[4], o[5], o[6], o[7]), Ipv4Addr::from_bits(!last.to_bits())]
        }
        _ => Vec::new(),
    }
}

/// The local NAT64 block has no fixed prefix length, and the length says where the IPv4 address
/// lies (RFC 6052, 2.2; octet 8 is always skipped). All four places are read. A reading in
/// `0.0.0.0/8` is the padding of another one.
fn nat64_readings(o: [u8; 16]) -> Vec<Ipv4Addr> {
    let readings = [
        [o[6], o[7], o[9], o[10]],
        [o[7], o[9], o[10], o[11]],
        [o[9], o[10], o[11], o[12]],
        [o[12], o[13], o[14], o[15]],
    ];
    readings.into_iter().filter(|v4| v4[0] != 0).map(Ipv4Addr::from).collect()
}

#[cfg(test)]
mod tests;
