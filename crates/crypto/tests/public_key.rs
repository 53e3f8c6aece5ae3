//! Tags, public keys and certificates against published vectors and keys of OpenSSL, in `testdata/public_key.json`.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use omni_crypto::{Certificate, Error, Hash, PublicKey, SignatureAlgorithm, hmac};
use proptest::prelude::*;
use serde_json::Value;

fn data() -> Value {
    serde_json::from_str(include_str!("../testdata/public_key.json")).unwrap()
}

fn bytes(case: &Value, field: &str) -> Vec<u8> {
    hex::decode(case[field].as_str().unwrap()).unwrap()
}

fn algorithm(case: &Value) -> SignatureAlgorithm {
    match case["algorithm"].as_str().unwrap() {
        "ed25519" => SignatureAlgorithm::Ed25519,
        "ecdsaP256Sha256" => SignatureAlgorithm::EcdsaP256Sha256,
        "rsaSha1" => SignatureAlgorithm::RsaSha1,
        "rsaSha256" => SignatureAlgorithm::RsaSha256,
        other => panic!("{other}"),
    }
}

#[test]
fn published_tags_are_the_same_and_nothing_else_is() {
    for case in data()["hmac"].as_array().unwrap() {
        let (key, message, expected) =
            (bytes(case, "key"), bytes(case, "data"), bytes(case, "tag"));
        let hash = match case["hash"].as_str().unwrap() {
            "sha1" => Hash::Sha1,
            "sha256" => Hash::Sha256,
            _ => Hash::Sha512,
        };
        let name = case["name"].as_str().unwrap();
        let (head, tail) = message.split_at(message.len() / 3);
        let tag = hmac(hash, &key, &[head, tail]);
        assert_eq!(tag.as_bytes(), expected, "{name}");
        assert!(tag.is(&expected), "{name}");
        for length in 0..expected.len() {
            assert!(!tag.is(&expected[..length]), "{name}: {length} bytes");
        }
        assert!(!tag.is(&[&expected[..], &[0]].concat()), "{name}: one byte more");
    }
}

#[test]
fn published_signatures_verify_and_no_altered_one_does() {
    for case in data()["signatures"].as_array().unwrap() {
        let name = case["name"].as_str().unwrap();
        let (message, signature) = (bytes(case, "message"), bytes(case, "signature"));
        let key = PublicKey::from_bytes(algorithm(case), &bytes(case, "key")).unwrap();
        assert!(key.verify(&[&message], &signature), "{name}");
        let (head, tail) = message.split_at(message.len() / 2);
        assert!(key.verify(&[head, b"", tail], &signature), "{name}, in parts");
        assert!(!key.verify(&[&message, b"x"], &signature), "{name}, a byte more");
        for length in [0, 1, signature.len() / 2, signature.len() - 1] {
            assert!(!key.verify(&[&message], &signature[..length]), "{name}: {length} bytes");
        }
        for at in 0..signature.len() {
            let mut wrong = signature.clone();
            wrong[at] ^= 1;
            assert!(!key.verify(&[&message], &wrong), "{name}: byte {at}");
        }
    }
}

#[test]
fn a_key_is_read_in_every_form() {
    for case in data()["keys"].as_array().unwrap() {
        let (algorithm, name) = (algorithm(case), case["name"].as_str().unwrap());
        let raw = PublicKey::from_bytes(algorithm, &bytes(case, "raw")).unwrap();
        let spki = bytes(case, "spki");
        assert_eq!(PublicKey::from_bytes(algorithm, &spki).unwrap(), raw, "{name}");
        let pem = case["pem"].as_str().unwrap().as_bytes();
        assert_eq!(PublicKey::from_pem(algorithm, pem).unwrap(), raw, "{name}");
        for end in 0..spki.len() {
            let cut = PublicKey::from_bytes(algorithm, &spki[..end]);
            let as_long_as_a_raw_key = algorithm == SignatureAlgorithm::Ed25519 && end == 32;
            assert!(cut.is_err() || as_long_as_a_raw_key, "{name}: {end} bytes");
        }
        let longer = [&spki[..], &[0]].concat();
        assert!(PublicKey::from_bytes(algorithm, &longer).is_err(), "{name}: a byte more");
    }
}

#[test]
fn a_key_of_another_kind_or_size_is_refused() {
    let data = data();
    let all = [
        SignatureAlgorithm::Ed25519,
        SignatureAlgorithm::EcdsaP256Sha256,
        SignatureAlgorithm::RsaSha1,
        SignatureAlgorithm::RsaSha256,
    ];
    for case in data["keys"].as_array().unwrap() {
        let rsa = case["algorithm"].as_str().unwrap().starts_with("rsa");
        for other in all.into_iter().filter(|other| *other != algorithm(case)) {
            let also_rsa =
                matches!(other, SignatureAlgorithm::RsaSha1 | SignatureAlgorithm::RsaSha256);
            if rsa && also_rsa {
                continue;
            }
            let wrong = PublicKey::from_bytes(other, &bytes(case, "spki")).unwrap_err();
            assert!(matches!(wrong, Error::PublicKey(_)), "{other:?}");
        }
    }
    for case in data["refused"].as_array().unwrap() {
        let refused = PublicKey::from_bytes(algorithm(case), &bytes(case, "key"));
        assert!(refused.is_err(), "{}", case["name"]);
    }
}

#[test]
fn a_certificate_gives_its_key_and_its_times() {
    for case in data()["certificates"].as_array().unwrap() {
        let name = case["name"].as_str().unwrap();
        let expected = PublicKey::from_bytes(algorithm(case), &bytes(case, "key")).unwrap();
        for form in [case["pem"].as_str().unwrap().as_bytes().to_vec(), bytes(case, "der")] {
            let certificate = Certificate::read(algorithm(case), &form).unwrap();
            assert_eq!(certificate.key, expected, "{name}");
            assert_eq!(certificate.not_before, case["notBefore"].as_i64().unwrap(), "{name}");
            assert_eq!(certificate.not_after, case["notAfter"].as_i64().unwrap(), "{name}");
        }
        let der = bytes(case, "der");
        for end in 0..der.len() {
            assert!(
                Certificate::read(algorithm(case), &der[..end]).is_err(),
                "{name}: {end} bytes"
            );
        }
    }
}

proptest! {
    #[test]
    fn no_bytes_make_reading_panic(bytes: Vec<u8>) {
        for algorithm in [SignatureAlgorithm::Ed25519, SignatureAlgorithm::EcdsaP256Sha256, SignatureAlgorithm::RsaSha256] {
            let _ = PublicKey::from_bytes(algorithm, &bytes);
            let _ = PublicKey::from_pem(algorithm, &bytes);
            let _ = Certificate::read(algorithm, &bytes);
        }
    }

    #[test]
    fn no_altered_certificate_makes_reading_panic(at: usize, byte: u8) {
        let data = data();
        let case = &data["certificates"][0];
        let mut der = bytes(case, "der");
        let at = at % der.len();
        der[at] = byte;
        let _ = Certificate::read(algorithm(case), &der);
    }
}
