//! Signatures that a public key verifies. It must stay true that a key is checked before it is kept, and that it only
//! verifies signatures of the algorithm it was made for.

use std::fmt;

use ring::signature::{self, UnparsedPublicKey, VerificationAlgorithm};
use rustls_pki_types::{SubjectPublicKeyInfoDer, pem::PemObject};

use crate::{
    Error,
    der::{BIT_STRING, INTEGER, OID, Reader, SEQUENCE},
};

const ED25519_OID: &[u8] = &[0x2b, 0x65, 0x70];
const EC_OID: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
const P256_OID: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
const RSA_OID: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
/// Begins a point of a curve that is not compressed.
const UNCOMPRESSED: u8 = 4;
const ED25519_LENGTH: usize = 32;
const P256_LENGTH: usize = 65;
/// Smallest and largest RSA modulus in bits: below, it can be factored; above, verifying costs too much.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

/// How a signature of a public key is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignatureAlgorithm {
    /// Ed25519 (RFC 8032).
    Ed25519,
    /// ECDSA on P-256 with SHA-256; the signature is ASN.1.
    EcdsaP256Sha256,
    /// RSA PKCS#1 1.5 with SHA-1, only for senders that still use it.
    RsaSha1,
    /// RSA PKCS#1 1.5 with SHA-256.
    RsaSha256,
}

impl SignatureAlgorithm {
    fn verifier(self) -> &'static dyn VerificationAlgorithm {
        match self {
            Self::Ed25519 => &signature::ED25519,
            Self::EcdsaP256Sha256 => &signature::ECDSA_P256_SHA256_ASN1,
            Self::RsaSha1 => &signature::RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY,
            Self::RsaSha256 => &signature::RSA_PKCS1_2048_8192_SHA256,
        }
    }
}

/// A public key for one algorithm.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey {
    algorithm: SignatureAlgorithm,
    /// As ring wants it: the raw key, the uncompressed point, or the RSA key of PKCS#1.
    key: Vec<u8>,
}

impl PublicKey {
    /// Takes a key as raw bytes (32 of Ed25519, 65 of a P-256 point, PKCS#1 of RSA) or as DER of a
    /// `SubjectPublicKeyInfo`.
    ///
    /// # Errors
    ///
    /// [`Error::PublicKey`] when it is no key of this algorithm, or an RSA key of less than 2048 or more than 8192 bits.
    pub fn from_bytes(algorithm: SignatureAlgorithm, bytes: &[u8]) -> Result<Self, Error> {
        // A raw key has a form of its own, so that it cannot be mistaken for DER.
        let key = if is_raw(algorithm, bytes) { bytes } else { inner(algorithm, bytes)? };
        if !is_raw(algorithm, key) {
            return Err(Error::PublicKey("it has another form or length"));
        }
        Ok(Self { algorithm, key: key.to_vec() })
    }

    /// Takes a key of PEM: `-----BEGIN PUBLIC KEY-----`.
    ///
    /// # Errors
    ///
    /// [`Error::PublicKey`] as for [`PublicKey::from_bytes`], and when it is no PEM.
    pub fn from_pem(algorithm: SignatureAlgorithm, pem: &[u8]) -> Result<Self, Error> {
        let der = SubjectPublicKeyInfoDer::from_pem_slice(pem)
            .map_err(|_| Error::PublicKey("it does not begin with -----BEGIN PUBLIC KEY-----"))?;
        Self::from_bytes(algorithm, &der)
    }

    /// Tells whether the signature of the parts in order, as if they were joined, is right.
    pub fn verify(&self, parts: &[&[u8]], signature: &[u8]) -> bool {
        let key = UnparsedPublicKey::new(self.algorithm.verifier(), &self.key);
        match parts {
            [message] => key.verify(message, signature).is_ok(),
            parts => key.verify(&parts.concat(), signature).is_ok(),
        }
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PublicKey").field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}

fn is_raw(algorithm: SignatureAlgorithm, bytes: &[u8]) -> bool {
    match algorithm {
        SignatureAlgorithm::Ed25519 => bytes.len() == ED25519_LENGTH,
        SignatureAlgorithm::EcdsaP256Sha256 => {
            bytes.len() == P256_LENGTH && bytes.first() == Some(&UNCOMPRESSED)
        }
        SignatureAlgorithm::RsaSha1 | SignatureAlgorithm::RsaSha256 => {
            rsa_bits(bytes).is_some_and(|bits| RSA_BITS.contains(&bits))
        }
    }
}

/// The bits of the modulus of a PKCS#1 public key.
fn rsa_bits(bytes: &[u8]) -> Option<usize> {
    let mut outer = Reader(bytes);
    let mut key = outer.inside(SEQUENCE)?;
    let modulus = key.value(INTEGER)?;
    key.value(INTEGER)?;
    if !outer.is_empty() || !key.is_empty() {
        return None;
    }
    let modulus = modulus.strip_prefix(&[0]).unwrap_or(modulus);
    let unused = modulus.first()?.leading_zeros() as usize;
    Some(modulus.len() * 8 - unused)
}

/// The key inside a `SubjectPublicKeyInfo` of this algorithm.
fn inner(algorithm: SignatureAlgorithm, bytes: &[u8]) -> Result<&[u8], Error> {
    let (expected, curve) = match algorithm {
        SignatureAlgorithm::Ed25519 => (ED25519_OID, None),
        SignatureAlgorithm::EcdsaP256Sha256 => (EC_OID, Some(P256_OID)),
        SignatureAlgorithm::RsaSha1 | SignatureAlgorithm::RsaSha256 => (RSA_OID, None),
    };
    let read = || {
        let mut outer = Reader(bytes);
        let mut info = outer.inside(SEQUENCE)?;
        let mut kind = info.inside(SEQUENCE)?;
        let oid = kind.value(OID)?;
        let curve = if curve.is_some() { Some(kind.value(OID)?) } else { None };
        let (&unused, key) = info.value(BIT_STRING)?.split_first()?;
        (unused == 0 && info.is_empty() && outer.is_empty()).then_some((oid, curve, key))
    };
    match read() {
        None => Err(Error::PublicKey("it has neither the length of a raw key nor is it DER")),
        Some((oid, found, key)) if oid == expected && found == curve => Ok(key),
        Some(_) => Err(Error::PublicKey("it is a key of another algorithm")),
    }
}
