//! Sealed messages: a stored one still opens, a changed one never does.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use omni_crypto::{Error, OVERHEAD, Sealer, Secret, random_key, random_nonce};
use proptest::prelude::*;

const AAD: &[u8] = b"default/source/github";
const PLAIN: &[u8] = b"webhook secret";

/// Sealed by format version 1 under the master key 00 01 … 1f, computed with another library: it must
/// open for ever.
const STORED: &str = include_str!("../testdata/sealed_v1.hex");

fn master() -> Secret {
    Secret::from((0..32).collect::<Vec<u8>>())
}

fn sealer() -> Sealer {
    Sealer::new(&master()).unwrap()
}

#[test]
fn the_stored_format_stays() {
    let stored = hex::decode(STORED.trim()).unwrap();
    assert_eq!(sealer().seal(PLAIN, AAD, [7; 12]), stored);
    assert_eq!(sealer().open(&stored, AAD).unwrap().expose(), PLAIN);
    assert_eq!(stored.len(), PLAIN.len() + OVERHEAD);
}

#[test]
fn every_changed_bit_is_noticed() {
    let sealed = sealer().seal(PLAIN, AAD, [1; 12]);
    for bit in 0..sealed.len() * 8 {
        let mut changed = sealed.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        let expected = match bit / 8 {
            0 => Error::Version(changed[0]),
            1..9 => Error::UnknownKey,
            _ => Error::Tampered,
        };
        assert_eq!(sealer().open(&changed, AAD), Err(expected), "bit {bit}");
    }
}

#[test]
fn every_cut_is_noticed() {
    let sealed = sealer().seal(PLAIN, AAD, [1; 12]);
    for length in 0..sealed.len() {
        let expected = if length < OVERHEAD { Error::Truncated(length) } else { Error::Tampered };
        assert_eq!(sealer().open(&sealed[..length], AAD), Err(expected));
    }
    let longer = [&sealed[..], &[0]].concat();
    assert_eq!(sealer().open(&longer, AAD), Err(Error::Tampered));
}

#[test]
fn another_record_or_key_does_not_open() {
    let sealed = sealer().seal(PLAIN, AAD, [1; 12]);
    for other in
        [&b""[..], b"default/source/gitlab", b"default/source/github ", b"other/source/github"]
    {
        assert_eq!(sealer().open(&sealed, other), Err(Error::Tampered));
    }
    let other_key = Sealer::new(&random_key().unwrap()).unwrap();
    assert_eq!(other_key.open(&sealed, AAD), Err(Error::UnknownKey));
}

#[test]
fn only_a_key_of_32_bytes_is_taken() {
    for length in [0, 16, 31, 33, 64] {
        let error = Sealer::new(&Secret::from(vec![1; length])).unwrap_err();
        assert_eq!(error, Error::KeyLength(length));
    }
    assert_eq!(format!("{:?}", sealer()), "Sealer([redacted])");
}

#[test]
fn random_bytes_differ() {
    assert_eq!(random_key().unwrap().expose().len(), 32);
    assert_ne!(random_key().unwrap(), random_key().unwrap());
    assert_ne!(random_nonce().unwrap(), random_nonce().unwrap());
}

proptest! {
    #[test]
    fn what_was_sealed_opens(plain: Vec<u8>, aad: Vec<u8>, nonce: [u8; 12]) {
        let sealed = sealer().seal(&plain, &aad, nonce);
        let opened = sealer().open(&sealed, &aad).unwrap();
        prop_assert_eq!(opened.expose(), &plain[..]);
    }

    #[test]
    fn garbage_does_not_open(garbage: Vec<u8>, aad: Vec<u8>) {
        prop_assert!(sealer().open(&garbage, &aad).is_err());
    }
}
