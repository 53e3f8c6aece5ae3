//! Addresses by network. It must stay true that a text is read as an address once, and costs one look-up for each length
//! of network.

use std::net::IpAddr;

use crate::{
    hash::Map,
    predicate::address::{self, Network},
};

/// Different networks, each with what it hits.
#[derive(Debug, Default)]
pub(crate) struct Networks {
    by_length: Box<[(u8, Map<IpAddr, u32>)]>,
}

impl Networks {
    pub(crate) fn build(networks: &[(Network, u32)]) -> Self {
        let mut by_length: Vec<(u8, Map<IpAddr, u32>)> = Vec::new();
        for (network, hit) in networks {
            let place = by_length.iter().position(|(bits, _)| *bits == network.bits);
            let place = place.unwrap_or_else(|| {
                by_length.push((network.bits, Map::default()));
                by_length.len() - 1
            });
            by_length[place].1.insert(network.address, *hit);
        }
        Self { by_length: by_length.into() }
    }

    /// Adds what a text hits.
    pub(crate) fn look_up(&self, text: &[u8], hits: &mut Vec<u32>) {
        if self.by_length.is_empty() {
            return;
        }
        let Some(address) = address::parse(text) else { return };
        for (bits, networks) in &self.by_length {
            if *bits <= address::width(address) {
                hits.extend(networks.get(&Network::new(address, *bits).address));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::{prelude::*, sample::select};

    use super::*;
    use crate::{
        fuel::Fuel,
        predicate::{Predicate, Scalar},
    };

    fn address() -> impl Strategy<Value = &'static str> {
        select(vec![
            "10.0.0.0",
            "10.0.0.1",
            "10.1.0.0",
            "::",
            "::1",
            "0:0::1",
            "::ffff:10.0.0.1",
            "x",
            "",
        ])
    }

    proptest! {
        #[test]
        fn it_hits_what_holds(
            networks in proptest::collection::vec((address(), 0..=128_u8), 0..20),
            value in address(),
        ) {
            let networks = networks.into_iter().filter_map(|(a, bits)| Some(Network::new(a.parse().ok()?, bits)));
            let mut different: Vec<Network> = Vec::new();
            for network in networks {
                if !different.contains(&network) {
                    different.push(network);
                }
            }
            let numbered: Vec<_> = different.into_iter().zip(0..).collect();
            let mut hits = Vec::new();
            Networks::build(&numbered).look_up(value.as_bytes(), &mut hits);
            let scalar = Scalar::Text(value.as_bytes());
            let holds = |n: Network| Predicate::Address(n).holds(scalar, &mut Fuel::new()).unwrap();
            let expected: BTreeSet<u32> = numbered.iter().filter(|(n, _)| holds(*n)).map(|(_, hit)| *hit).collect();
            prop_assert_eq!(hits.into_iter().collect::<BTreeSet<_>>(), expected);
        }
    }
}
