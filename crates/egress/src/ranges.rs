//! The tables of addresses that are not public: the special-purpose registries of both families
//! and single addresses that clouds give to their metadata services. Data only; the decision is
//! in [`crate::guard`].

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// Label of the loopback ranges, which have a switch of their own.
pub(crate) const LOOPBACK: &str = "loopback";
/// Label of single addresses that answer with credentials or control a machine.
pub(crate) const METADATA: &str = "cloud metadata";

const fn v4(ip: [u8; 4], prefix: u8) -> IpNet {
    let [a, b, c, d] = ip;
    IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix))
}

const fn v6(ip: u128, prefix: u8) -> IpNet {
    IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::from_bits(ip), prefix))
}

/// Closed ranges with the label that errors show. First match names the range.
pub(crate) const RANGES: &[(IpNet, &str)] = &[
    (v4([0, 0, 0, 0], 8), "this network"),
    (v4([10, 0, 0, 0], 8), "private"),
    (v4([100, 64, 0, 0], 10), "shared"),
    (v4([127, 0, 0, 0], 8), LOOPBACK),
    (v4([169, 254, 0, 0], 16), "link-local"),
    (v4([172, 16, 0, 0], 12), "private"),
    (v4([192, 0, 0, 0], 24), "protocol assignment"),
    (v4([192, 0, 2, 0], 24), "documentation"),
    (v4([192, 88, 99, 0], 24), "6to4 relay"),
    (v4([192, 168, 0, 0], 16), "private"),
    (v4([198, 18, 0, 0], 15), "benchmarking"),
    (v4([198, 51, 100, 0], 24), "documentation"),
    (v4([203, 0, 113, 0], 24), "documentation"),
    (v4([224, 0, 0, 0], 4), "multicast"),
    (v4([255, 255, 255, 255], 32), "broadcast"),
    (v4([240, 0, 0, 0], 4), "reserved"),
    (v6(0, 128), "unspecified"),
    (v6(1, 128), LOOPBACK),
    (v6(0, 96), "IPv4-compatible"),
    (v6(0xffff_0000_0000, 96), "IPv4-mapped"),
    (v6(0x0064_ff9b << 96, 96), "NAT64"),
    (v6(0x0064_ff9b_0001 << 80, 48), "NAT64"),
    (v6(0x0100 << 112, 64), "discard-only"),
    (v6(0x2001_0000 << 96, 32), "Teredo"),
    (v6(0x2001 << 112, 23), "protocol assignment"),
    (v6(0x2001_0db8 << 96, 32), "documentation"),
    (v6(0x2002 << 112, 16), "6to4"),
    (v6(0x3fff << 112, 20), "documentation"),
    (v6(0x5f00 << 112, 16), "segment routing"),
    (v6(0xfc00 << 112, 7), "unique local"),
    (v6(0xfe80 << 112, 10), "link-local"),
    (v6(0xfec0 << 112, 10), "site-local"),
    (v6(0xff00 << 112, 8), "multicast"),
];

/// Only this block holds public IPv6 addresses; what lies outside and has no row is closed too, so
/// that a range set aside tomorrow is closed today.
pub(crate) const GLOBAL_V6: IpNet = v6(0x2000 << 112, 3);

/// Single addresses of metadata and host services. The fourth and fifth show why a table of ranges
/// is not enough: one sits in a range that operators open for their mesh network, one is public.
pub(crate) const METADATA_ADDRESSES: &[IpAddr] = &[
    IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254)),
    IpAddr::V4(Ipv4Addr::new(169, 254, 170, 2)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x0254)),
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)),
];
