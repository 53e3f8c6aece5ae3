#![doc = include_str!("../README.md")]

mod certificate;
mod der;
mod error;
mod hash;
mod public_key;
mod random;
mod seal;
mod secret;

pub use certificate::Certificate;
pub use error::Error;
pub use hash::{Hash, Tag, equal, hmac, hmac_sha256, sha256, verify_hmac_sha256};
pub use public_key::{PublicKey, SignatureAlgorithm};
pub use random::{random_key, random_nonce};
pub use seal::{KEY_LENGTH, NONCE_LENGTH, OVERHEAD, Sealer};
pub use secret::Secret;
