//! Tags, digests and comparison, against the vectors in `testdata/hmac_sha256.json` and for any bytes.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use omni_crypto::{Secret, equal, hmac_sha256, sha256, verify_hmac_sha256};
use proptest::prelude::*;

/// The golden vectors as (name, key, data, tag).
fn vectors() -> Vec<[Vec<u8>; 4]> {
    let cases: Vec<serde_json::Value> =
        serde_json::from_str(include_str!("../testdata/hmac_sha256.json")).unwrap();
    let bytes =
        |case: &serde_json::Value, field: &str| hex::decode(case[field].as_str().unwrap()).unwrap();
    let name = |case: &serde_json::Value| case["name"].as_str().unwrap().as_bytes().to_vec();
    cases.iter().map(|c| [name(c), bytes(c, "key"), bytes(c, "data"), bytes(c, "tag")]).collect()
}

#[test]
fn golden_tags() {
    for [name, key, data, tag] in vectors() {
        let name = String::from_utf8_lossy(&name);
        assert_eq!(hmac_sha256(&key, &[&data]).as_slice(), tag, "{name}");
        assert!(verify_hmac_sha256(&key, &[&data], &tag), "{name}");
        let (head, tail) = data.split_at(data.len() / 2);
        assert!(verify_hmac_sha256(&key, &[head, b"", tail], &tag), "{name}, in parts");
    }
}

#[test]
fn only_the_full_tag_verifies() {
    for [name, key, data, tag] in vectors() {
        let name = String::from_utf8_lossy(&name);
        let in_parts: [&[&[u8]]; 2] = [&[&data], &[&data, b""]];
        for parts in in_parts {
            for length in 0..tag.len() {
                assert!(!verify_hmac_sha256(&key, parts, &tag[..length]), "{name}: {length} bytes");
            }
            let longer = [&tag[..], &[0]].concat();
            assert!(!verify_hmac_sha256(&key, parts, &longer), "{name}: one byte more");
            for bit in 0..tag.len() * 8 {
                let mut wrong = tag.clone();
                wrong[bit / 8] ^= 1 << (bit % 8);
                assert!(!verify_hmac_sha256(&key, parts, &wrong), "{name}: bit {bit}");
            }
        }
    }
}

#[test]
fn golden_digests() {
    let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!(hex::encode(sha256(&[])), empty);
    assert_eq!(hex::encode(sha256(&[b"a", b"", b"bc"])), abc);
}

#[test]
fn a_secret_does_not_print() {
    let secret = Secret::from(String::from("hunter2"));
    assert_eq!(format!("{secret:?} {:?}", Some(&secret)), "[redacted] Some([redacted])");
    assert_eq!(secret.expose(), b"hunter2");
    assert_eq!(secret, secret.clone());
    assert_ne!(secret, Secret::from(b"hunter".to_vec()));
}

proptest! {
    #[test]
    fn equal_is_equality(a: Vec<u8>, b: Vec<u8>) {
        prop_assert_eq!(equal(&a, &b), a == b);
        prop_assert!(equal(&a, &a.clone()));
    }

    #[test]
    fn parts_are_as_if_joined(key: Vec<u8>, parts: Vec<Vec<u8>>) {
        let slices: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
        let joined = parts.concat();
        prop_assert_eq!(hmac_sha256(&key, &slices), hmac_sha256(&key, &[&joined]));
        prop_assert_eq!(sha256(&slices), sha256(&[&joined]));
    }
}
