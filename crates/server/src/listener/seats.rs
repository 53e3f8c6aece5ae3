//! How many connections there may be, together and from one address.
//!
//! A seat is given back by being dropped, whatever ends the connection.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::Cause;

/// The seats of one listener.
#[derive(Debug)]
pub(super) struct Seats {
    max: usize,
    per_address: usize,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// The right to one connection.
#[derive(Debug)]
pub(super) struct Seat {
    seats: Arc<Seats>,
    /// None for proxies, which speak for many.
    address: Option<IpAddr>,
}

impl Seats {
    pub(super) fn new(max: usize, per_address: usize) -> Self {
        Self { max, per_address, taken: Mutex::default() }
    }

    /// Takes a seat for a connection from this address, or says which cap is reached. The cap per address does not
    /// hold for a proxy.
    pub(super) fn take(self: &Arc<Self>, ip: IpAddr, is_proxy: bool) -> Result<Seat, Cause> {
        let address = (!is_proxy).then(|| network(ip));
        let mut taken = self.lock();
        if taken.all >= self.max {
            return Err(Cause::Cap);
        }
        if let Some(address) = address {
            let count = taken.by_address.entry(address).or_default();
            if *count >= self.per_address {
                return Err(Cause::Address);
            }
            *count += 1;
        }
        taken.all += 1;
        Ok(Seat { seats: self.clone(), address })
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.seats.lock();
        taken.all -= 1;
        let Some(address) = self.address else { return };
        if let Some(count) = taken.by_address.get_mut(&address) {
            *count -= 1;
            if *count == 0 {
                taken.by_address.remove(&address);
            }
        }
    }
}

/// What counts as one address: of IPv6 the network of 64 bits, because whoever has one address there has all of them.
fn network(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V4(ip) => ip.into(),
        IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() & !u128::from(u64::MAX)).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn one_address_cannot_take_all_seats() {
        let seats = Arc::new(Seats::new(5, 2));
        let one = seats.take(ip("192.0.2.1"), false).unwrap();
        let _two = seats.take(ip("::ffff:192.0.2.1"), false).unwrap();
        assert_eq!(seats.take(ip("192.0.2.1"), false).unwrap_err(), Cause::Address);
        let _other = seats.take(ip("192.0.2.2"), false).unwrap();
        drop(one);
        seats.take(ip("192.0.2.1"), false).unwrap();
    }

    #[test]
    fn a_network_of_ipv6_is_one_address() {
        let seats = Arc::new(Seats::new(5, 1));
        let _one = seats.take(ip("2001:db8:1:2::1"), false).unwrap();
        assert_eq!(seats.take(ip("2001:db8:1:2:ffff::9"), false).unwrap_err(), Cause::Address);
        seats.take(ip("2001:db8:1:3::1"), false).unwrap();
    }

    #[test]
    fn a_proxy_is_held_to_the_cap_of_all_only() {
        let seats = Arc::new(Seats::new(3, 1));
        let held: Vec<_> = (0..3).map(|_| seats.take(ip("10.0.0.1"), true).unwrap()).collect();
        assert_eq!(seats.take(ip("10.0.0.1"), true).unwrap_err(), Cause::Cap);
        assert_eq!(seats.take(ip("192.0.2.1"), false).unwrap_err(), Cause::Cap);
        drop(held);
        let last = seats.take(ip("192.0.2.1"), false).unwrap();
        drop(last);
        assert!(seats.lock().by_address.is_empty(), "nothing is kept of those who left");
    }
}
