//! Addresses and networks of both families. It must stay true that IPv4 addresses are not those that IPv6 maps them to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The longest text that is an address, in bytes.
const TEXT_MAX: usize = 45;

/// All addresses that share the first bits of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Network {
    /// The first of them.
    pub(crate) address: IpAddr,
    /// How many bits they share.
    pub(crate) bits: u8,
}

/// How many bits the addresses of this family have.
pub(crate) fn width(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

/// Reads an address; a text with a zone is none.
pub(crate) fn parse(text: &[u8]) -> Option<IpAddr> {
    // Most texts are none, and are told by their first character.
    let is_likely = text.len() <= TEXT_MAX
        && text.first().is_some_and(|byte| byte.is_ascii_hexdigit() || *byte == b':');
    if !is_likely {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

impl Network {
    /// The network of an address; bits beyond its width are as many as it has.
    pub(crate) fn new(address: IpAddr, bits: u8) -> Self {
        let bits = bits.min(width(address));
        Self { address: first(address, bits), bits }
    }

    /// Whether an address is of this network.
    pub(crate) fn contains(&self, address: IpAddr) -> bool {
        address.is_ipv4() == self.address.is_ipv4() && first(address, self.bits) == self.address
    }
}

/// The address with zeros after so many bits.
fn first(address: IpAddr, bits: u8) -> IpAddr {
    match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(bits)).unwrap_or(0);
            Ipv4Addr::from_bits(address.to_bits() & mask).into()
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(bits)).unwrap_or(0);
            Ipv6Addr::from_bits(address.to_bits() & mask).into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_have_the_addresses_that_share_their_bits() {
        let table = [
            ("10.0.0.7", 24, "10.0.0.255", true),
            ("10.0.0.7", 24, "10.0.1.0", false),
            ("10.0.0.0", 0, "255.1.2.3", true),
            ("10.0.0.0", 0, "::", false),
            ("10.0.0.1", 32, "10.0.0.1", true),
            ("10.0.0.1", 31, "10.0.0.0", true),
            ("10.0.0.1", 32, "::ffff:10.0.0.1", false),
            ("::ffff:10.0.0.0", 120, "10.0.0.1", false),
            ("2001:db8::", 33, "2001:db8:7fff::1", true),
            ("2001:db8::", 33, "2001:db8:8000::1", false),
            ("::1", 128, "0:0:0:0:0:0:0:1", true),
            ("::", 0, "ffff::", true),
        ];
        for (network, bits, address, inside) in table {
            let network = Network::new(network.parse().unwrap(), bits);
            assert_eq!(
                network.contains(parse(address.as_bytes()).unwrap()),
                inside,
                "{network:?} {address}"
            );
        }
    }

    #[test]
    fn what_only_looks_like_an_address_is_none() {
        for text in [
            "",
            "10.0.0",
            "10.0.0.256",
            "010.0.0.1",
            " ::1",
            "fe80::1%eth0",
            "1::2::3",
            "10.0.0.1/32",
            "x",
        ] {
            assert_eq!(parse(text.as_bytes()), None, "{text}");
        }
        assert_eq!(parse(b"\xff"), None);
    }
}
