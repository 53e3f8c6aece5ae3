//! The networks in which our proxies are: they may hold more connections than others, and what they say of the sender is
//! believed (`Receiver::behind`).

use std::{net::IpAddr, str::FromStr};

use ipnet::IpNet;

/// The networks.
#[derive(Clone, Debug, Default)]
pub(crate) struct Proxies(Vec<IpNet>);

impl FromStr for Proxies {
    type Err = String;

    /// Reads networks and addresses with commas between.
    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        let read = |part: &str| {
            let net = part.parse().or_else(|_| part.parse::<IpAddr>().map(IpNet::from));
            net.map_err(|_| format!("`{part}` is no address and no network such as 10.0.0.0/8"))
        };
        parts.map(read).collect::<Result<_, _>>().map(Self)
    }
}

impl Proxies {
    /// Whether the peer at this address is one of them.
    pub(super) fn trusts(&self, ip: IpAddr) -> bool {
        let ip = ip.to_canonical();
        self.0.iter().any(|net| net.contains(&ip))
    }

    /// The networks themselves.
    pub(crate) fn networks(self) -> Vec<IpNet> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_and_addresses_are_read() {
        let proxies: Proxies = "10.0.0.0/8, ::1 ,192.0.2.7".parse().unwrap();
        for ip in ["10.9.8.7", "::1", "192.0.2.7", "::ffff:10.1.1.1"] {
            assert!(proxies.trusts(ip.parse().unwrap()), "{ip}");
        }
        for ip in ["11.0.0.1", "::2", "192.0.2.8"] {
            assert!(!proxies.trusts(ip.parse().unwrap()), "{ip}");
        }
        assert!(!"".parse::<Proxies>().unwrap().trusts(IpAddr::from([127, 0, 0, 1])));
        for wrong in ["10.0.0.0/33", "proxy.example", "10.0.0"] {
            assert!(wrong.parse::<Proxies>().unwrap_err().contains(wrong));
        }
    }
}
