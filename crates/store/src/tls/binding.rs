//! Channel binding: ties a password to the server's certificate, so that nobody in between can pass it on.
//!
//! RFC 5929, `tls-server-end-point`: the hash of the certificate by the hash of its own signature, MD5 and SHA-1
//! replaced by SHA-256. What uses another hash (SHA-512, Ed25519) is not bound; the driver then logs in without.

use rustls::crypto::{hash::Hash, ring::cipher_suite};

/// The algorithms of a certificate's signature, as the content of their object identifiers.
const SHA_256: [&[u8]; 4] = [
    // ecdsa-with-SHA256, sha256WithRSAEncryption, sha1WithRSAEncryption, md5WithRSAEncryption.
    &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2],
    &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 11],
    &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 5],
    &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 4],
];
const SHA_384: [&[u8]; 2] = [
    // ecdsa-with-SHA384, sha384WithRSAEncryption.
    &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 3],
    &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 12],
];

const SEQUENCE: u8 = 0x30;
const OBJECT_IDENTIFIER: u8 = 0x06;

/// What a certificate (DER) contributes to the binding; `None` when it cannot be bound.
pub(super) fn hash(certificate: &[u8]) -> Option<Vec<u8>> {
    let algorithm = signature_algorithm(certificate)?;
    let suite = if SHA_256.contains(&algorithm) {
        cipher_suite::TLS13_AES_128_GCM_SHA256
    } else if SHA_384.contains(&algorithm) {
        cipher_suite::TLS13_AES_256_GCM_SHA384
    } else {
        return None;
    };
    let hash: &dyn Hash = suite.tls13()?.common.hash_provider;
    Some(hash.hash(certificate).as_ref().to_vec())
}

/// `Certificate ::= SEQUENCE { what is signed, signatureAlgorithm SEQUENCE { algorithm, .. }, signature }`.
fn signature_algorithm(certificate: &[u8]) -> Option<&[u8]> {
    let (certificate, _) = element(certificate, SEQUENCE)?;
    let (_, rest) = element(certificate, SEQUENCE)?;
    let (algorithm, _) = element(rest, SEQUENCE)?;
    element(algorithm, OBJECT_IDENTIFIER).map(|(identifier, _)| identifier)
}

/// The content of the first DER element, which must have this tag, and what follows it.
fn element(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&found, rest) = bytes.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let (length, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
        if length.len() > 4 {
            return None;
        }
        (length.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)), rest)
    };
    let parts = rest.split_at_checked(length)?;
    (found == tag).then_some(parts)
}

#[cfg(test)]
mod tests {
    use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519};

    use super::*;

    fn certificate(algorithm: &'static rcgen::SignatureAlgorithm) -> Vec<u8> {
        let key = KeyPair::generate_for(algorithm).unwrap();
        let params = rcgen::CertificateParams::new(["db".to_owned()]).unwrap();
        params.self_signed(&key).unwrap().der().to_vec()
    }

    #[test]
    fn the_hash_follows_the_signature() {
        let lengths = [&PKCS_ECDSA_P256_SHA256, &PKCS_ECDSA_P384_SHA384, &PKCS_ED25519]
            .map(|algorithm| hash(&certificate(algorithm)).map(|hash| hash.len()));
        assert_eq!(lengths, [Some(32), Some(48), None]);
    }

    #[test]
    fn what_is_no_certificate_is_not_bound() {
        let whole = certificate(&PKCS_ECDSA_P256_SHA256);
        for length in 0..whole.len() {
            assert_eq!(hash(&whole[..length]), None);
        }
        assert_eq!(hash(&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff, 0x30]), None);
    }
}
