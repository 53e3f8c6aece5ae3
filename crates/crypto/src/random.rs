//! Random bytes from the operating system, for keys and nonces only: what a test must repeat takes
//! its chance as an argument.

use ring::rand::{SecureRandom, SystemRandom};

use crate::{Error, KEY_LENGTH, NONCE_LENGTH, Secret};

/// Makes a new key of 32 bytes.
///
/// # Errors
///
/// [`Error::NoRandom`] when the operating system has none to give.
pub fn random_key() -> Result<Secret, Error> {
    let mut key = vec![0; KEY_LENGTH];
    SystemRandom::new().fill(&mut key).map_err(|_| Error::NoRandom)?;
    Ok(Secret::from(key))
}

/// Makes a nonce of 12 bytes for [`crate::Sealer::seal`].
///
/// # Errors
///
/// [`Error::NoRandom`] when the operating system has none to give.
pub fn random_nonce() -> Result<[u8; NONCE_LENGTH], Error> {
    let mut nonce = [0; NONCE_LENGTH];
    SystemRandom::new().fill(&mut nonce).map_err(|_| Error::NoRandom)?;
    Ok(nonce)
}
