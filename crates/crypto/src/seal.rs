//! Secrets at rest: AES-256-GCM under a key derived from the master key. The layout is in the README and
//! is stored in databases: a change of it needs a new version byte, and the old one must still open.

use std::fmt;

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};

use crate::{Error, Secret, hmac_sha256};

/// The length of a master key, in bytes.
pub const KEY_LENGTH: usize = 32;

/// The length of a nonce, in bytes.
pub const NONCE_LENGTH: usize = 12;

/// How much longer a sealed message is than its plain text, in bytes.
pub const OVERHEAD: usize = HEADER_LENGTH + NONCE_LENGTH + TAG_LENGTH;

const VERSION: u8 = 1;
const KEY_ID_LENGTH: usize = 8;
const HEADER_LENGTH: usize = 1 + KEY_ID_LENGTH;
const TAG_LENGTH: usize = 16;

/// What the master key is used for here; another use takes another label.
const KEY_LABEL: &[u8] = b"omni seal v1: key";
const KEY_ID_LABEL: &[u8] = b"omni seal v1: key id";

/// Seals and opens messages under one master key.
pub struct Sealer {
    key: LessSafeKey,
    header: [u8; HEADER_LENGTH],
}

impl Sealer {
    /// Makes a sealer from a master key of 32 random bytes.
    ///
    /// # Errors
    ///
    /// [`Error::KeyLength`] when the key has another length; a password is no key.
    pub fn new(master: &Secret) -> Result<Self, Error> {
        let master = master.expose();
        let wrong_length = Error::KeyLength(master.len());
        if master.len() != KEY_LENGTH {
            return Err(wrong_length);
        }
        let key = Secret::from(hmac_sha256(master, &[KEY_LABEL]).to_vec());
        let key = UnboundKey::new(&AES_256_GCM, key.expose()).map_err(|_| wrong_length)?;
        let id = hmac_sha256(master, &[KEY_ID_LABEL]);
        let mut header = [VERSION; HEADER_LENGTH];
        header[1..].copy_from_slice(&id[..KEY_ID_LENGTH]);
        Ok(Self { key: LessSafeKey::new(key), header })
    }

    /// Seals `plain` for the record named by `aad`; only the same `aad` opens it.
    ///
    /// `nonce` must never have been used with this key: take [`crate::random_nonce`]. A repeated one
    /// would give away both messages.
    #[expect(
        clippy::expect_used,
        reason = "fails only past 64 GiB, which does not fit where this is stored"
    )]
    pub fn seal(&self, plain: &[u8], aad: &[u8], nonce: [u8; NONCE_LENGTH]) -> Vec<u8> {
        let mut body = Vec::with_capacity(plain.len() + TAG_LENGTH);
        body.extend_from_slice(plain);
        let nonce_value = Nonce::assume_unique_for_key(nonce);
        self.key
            .seal_in_place_append_tag(nonce_value, self.bound(aad), &mut body)
            .expect("a message under 64 GiB can be sealed");
        [&self.header[..], &nonce[..], &body[..]].concat()
    }

    /// Opens a message that was sealed for the record named by `aad`.
    ///
    /// # Errors
    ///
    /// Each variant of [`Error`] but `KeyLength` and `NoRandom`; nothing of the plain text is returned
    /// unless all of it is authentic.
    pub fn open(&self, sealed: &[u8], aad: &[u8]) -> Result<Secret, Error> {
        match sealed.first() {
            Some(&VERSION) | None => {}
            Some(&other) => return Err(Error::Version(other)),
        }
        if sealed.len() < OVERHEAD {
            return Err(Error::Truncated(sealed.len()));
        }
        let (header, rest) = sealed.split_at(HEADER_LENGTH);
        // The id is no secret, so an ordinary comparison does.
        if header != self.header {
            return Err(Error::UnknownKey);
        }
        let (nonce, body) = rest.split_at(NONCE_LENGTH);
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| Error::Tampered)?;
        let mut plain = body.to_vec();
        let length = self
            .key
            .open_in_place(nonce, self.bound(aad), &mut plain)
            .map_err(|_| Error::Tampered)?
            .len();
        // What the tag leaves behind is ciphertext; the secret ends where the plain text does.
        plain.truncate(length);
        Ok(Secret::from(plain))
    }

    /// Binds the header to the caller's associated data. The header has a fixed length, so no two pairs
    /// give the same bytes.
    fn bound(&self, aad: &[u8]) -> Aad<Vec<u8>> {
        Aad::from([&self.header[..], aad].concat())
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealer([redacted])")
    }
}
