#![doc = include_str!("../README.md")]

mod error;
mod hash;
mod random;
mod seal;
mod secret;

pub use error::Error;
pub use hash::{equal, hmac_sha256, sha256, verify_hmac_sha256};
pub use random::{random_key, random_nonce};
pub use seal::{KEY_LENGTH, NONCE_LENGTH, OVERHEAD, Sealer};
pub use secret::Secret;
