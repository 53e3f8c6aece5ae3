//! The table of addresses, and what the openings do and do not open.

use proptest::prelude::*;

use super::*;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn allowing(nets: &[&str]) -> Config {
    let allow = nets.iter().map(|net| net.parse().unwrap()).collect();
    Config { allow, ..Config::default() }
}

#[test]
fn table_of_addresses() {
    let table = include_str!("../../testdata/addresses.txt");
    let mut rows = 0;
    for line in table.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (address, expected) = line.split_once(" = ").unwrap();
        let label = match verdict(ip(address), &Config::default()) {
            Verdict::Allowed => "allowed",
            Verdict::Refused(label) => label,
        };
        assert_eq!(label, expected, "{address}");
        rows += 1;
    }
    assert!(rows > 100, "the table was not read");
}

#[test]
fn each_range_is_in_the_table_of_tests() {
    let table = include_str!("../../testdata/addresses.txt");
    for (net, label) in RANGES {
        let inside = table.lines().filter_map(|line| line.split_once(" = ")).any(|(ip, said)| {
            ip.parse::<IpAddr>().is_ok_and(|ip| net.contains(&ip)) && said == *label
        });
        assert!(inside, "no row for {net} ({label})");
    }
}

#[test]
fn loopback_opens_by_its_switch_only() {
    let config = Config { allow_loopback: true, ..Config::default() };
    for address in ["127.0.0.1", "127.9.9.9", "::1"] {
        assert_eq!(verdict(ip(address), &config), Verdict::Allowed, "{address}");
    }
    for address in ["10.0.0.1", "0.0.0.0", "::", "::ffff:127.0.0.1", "169.254.169.254"] {
        assert_ne!(verdict(ip(address), &config), Verdict::Allowed, "{address}");
    }
}

#[test]
fn an_opened_range_opens_itself_and_no_more() {
    let config = allowing(&["10.1.0.0/16", "fd12::/16"]);
    assert_eq!(verdict(ip("10.1.2.3"), &config), Verdict::Allowed);
    assert_eq!(verdict(ip("fd12::1"), &config), Verdict::Allowed);
    assert_eq!(verdict(ip("10.2.0.1"), &config), Verdict::Refused("private"));
    assert_eq!(verdict(ip("::ffff:10.1.2.3"), &config), Verdict::Refused("IPv4-mapped"));
}

#[test]
fn metadata_opens_only_by_its_own_address() {
    let wide = allowing(&["100.64.0.0/10", "169.254.0.0/16", "fd00::/8"]);
    assert_eq!(verdict(ip("100.64.0.1"), &wide), Verdict::Allowed);
    for address in ["100.100.100.200", "169.254.169.254", "fd00:ec2::254", "168.63.129.16"] {
        assert_eq!(verdict(ip(address), &wide), Verdict::Refused("cloud metadata"), "{address}");
    }
    let exact = allowing(&["169.254.169.254/32"]);
    assert_eq!(verdict(ip("169.254.169.254"), &exact), Verdict::Allowed);
}

#[test]
fn deny_wins_and_sees_what_is_carried() {
    let deny = vec!["8.8.8.0/24".parse().unwrap()];
    let config = Config { deny, ..allowing(&["0.0.0.0/0", "::/0"]) };
    for address in ["8.8.8.8", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "2002:808:808::1"] {
        assert_eq!(verdict(ip(address), &config), Verdict::Refused("denied"), "{address}");
    }
    let open = Config { deny: config.deny, ..Config::open() };
    assert_eq!(verdict(ip("8.8.8.8"), &open), Verdict::Refused("denied"));
    assert_eq!(verdict(ip("127.0.0.1"), &open), Verdict::Allowed);
    assert_eq!(verdict(ip("169.254.169.254"), &open), Verdict::Allowed);
}

#[test]
fn local_nat64_is_read_with_every_prefix_length() {
    let config = allowing(&["64:ff9b:1::/48"]);
    for (address, expected) in [
        // 10.0.0.1 and 8.8.8.8 with prefixes of 48, 56, 64 and 96 bits.
        ("64:ff9b:1:a00:0:100::", Verdict::Refused("private")),
        ("64:ff9b:1:a:0:1::", Verdict::Refused("private")),
        ("64:ff9b:1:0:a:0:100:0", Verdict::Refused("private")),
        ("64:ff9b:1::a00:1", Verdict::Refused("private")),
        ("64:ff9b:1:808:8:800::", Verdict::Allowed),
        ("64:ff9b:1:8:8:808::", Verdict::Allowed),
        ("64:ff9b:1:0:8:808:800:0", Verdict::Allowed),
        ("64:ff9b:1::808:808", Verdict::Allowed),
    ] {
        assert_eq!(verdict(ip(address), &config), expected, "{address}");
    }
}

#[test]
fn own_listeners_stay_closed() {
    let listeners = vec!["0.0.0.0:7400".parse().unwrap(), "10.0.0.5:5432".parse().unwrap()];
    let config = Config { listeners, ..Config::open() };
    let said = |peer: &str, local: Option<&str>| {
        socket_verdict(peer.parse().unwrap(), local.map(ip), &config) == Verdict::Allowed
    };
    assert!(!said("127.0.0.1:7400", None));
    assert!(!said("[::1]:7400", None));
    assert!(!said("0.0.0.0:7400", None));
    assert!(!said("192.168.1.9:7400", Some("192.168.1.9")), "our own outer address");
    assert!(said("192.168.1.9:7400", Some("192.168.1.2")), "another machine");
    assert!(said("127.0.0.1:7401", None));
    assert!(!said("10.0.0.5:5432", None));
    assert!(said("10.0.0.5:443", None));
}

proptest! {
    /// However an IPv4 address is wrapped, the wrapping is never more open than the address.
    #[test]
    fn wrapping_opens_nothing(bits: u32) {
        let v4 = Ipv4Addr::from_bits(bits);
        let config = allowing(&["::/0"]);
        let low = u128::from(bits);
        let plain = verdict(IpAddr::V4(v4), &config);
        for wrapped in [
            low | 0xffff_0000_0000,
            low | (0x0064_ff9b << 96),
            low | (0x0064_ff9b_0001 << 80),
            (0x2002 << 112) | (low << 80) | 1,
            (0x2001 << 112) | (0x0808_0808 << 64) | u128::from(!bits),
            (0x2001 << 112) | (low << 64) | u128::from(!0x0808_0808_u32),
        ] {
            let wrapped = Ipv6Addr::from_bits(wrapped);
            let said = verdict(IpAddr::V6(wrapped), &config);
            // A zero first byte is padding in the local NAT64 block.
            if v4.octets()[0] != 0 {
                prop_assert_eq!(said, plain, "{} as {}", v4, wrapped);
            }
            let closed = verdict(IpAddr::V6(wrapped), &Config::default());
            prop_assert_ne!(closed, Verdict::Allowed, "{}", wrapped);
        }
    }
}
