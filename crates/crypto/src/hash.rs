//! Digests, tags and comparison. It must stay true that every comparison here is in constant time and
//! looks at whole values.

use ring::{digest, hmac};

/// The key of [`equal`]: it need not be secret, because both sides are hashed here and neither tag is shown.
const EQUAL_KEY: [u8; 32] = *b"omni equal: any key does as well";

/// The hash of an [`hmac()`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hash {
    /// SHA-1, only for senders that still use it; as an HMAC it is not broken.
    Sha1,
    /// SHA-256.
    Sha256,
    /// SHA-512.
    Sha512,
}

/// A tag of [`hmac()`]. Compare it with [`Tag::is`] and not in another way: `==` would tell where a guess is wrong.
#[derive(Clone, Copy)]
pub struct Tag(hmac::Tag);

impl Tag {
    /// Tells whether these bytes are this tag, the whole of it, in constant time.
    pub fn is(&self, bytes: &[u8]) -> bool {
        equal(self.0.as_ref(), bytes)
    }

    /// Its bytes, to send them along.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_ref()
    }
}

/// Returns the HMAC tag of the parts in order, as if they were joined.
pub fn hmac(hash: Hash, key: &[u8], parts: &[&[u8]]) -> Tag {
    let algorithm = match hash {
        Hash::Sha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
        Hash::Sha256 => hmac::HMAC_SHA256,
        Hash::Sha512 => hmac::HMAC_SHA512,
    };
    let mut context = hmac::Context::with_key(&hmac::Key::new(algorithm, key));
    for part in parts {
        context.update(part);
    }
    Tag(context.sign())
}

/// Returns the HMAC-SHA256 tag of the parts in order, as if they were joined.
pub fn hmac_sha256(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, key));
    for part in parts {
        context.update(part);
    }
    array(context.sign().as_ref())
}

/// Tells whether `tag` is the HMAC-SHA256 tag of the parts in order.
///
/// Takes the same time wherever a wrong tag differs. A tag that is not exactly 32 bytes long is wrong,
/// even if it is a prefix of the right one.
pub fn verify_hmac_sha256(key: &[u8], parts: &[&[u8]], tag: &[u8]) -> bool {
    if let [message] = parts {
        let key = hmac::Key::new(hmac::HMAC_SHA256, key);
        return hmac::verify(&key, message, tag).is_ok();
    }
    equal(&hmac_sha256(key, parts), tag)
}

/// Returns the SHA-256 digest of the parts in order, as if they were joined.
pub fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let mut context = digest::Context::new(&digest::SHA256);
    for part in parts {
        context.update(part);
    }
    array(context.finish().as_ref())
}

/// Tells whether two byte strings are equal; the time depends on their lengths, not on their contents.
///
/// Compares the tags of both under one key, which the library does in constant time: it offers no
/// comparison of plain bytes.
pub fn equal(a: &[u8], b: &[u8]) -> bool {
    let key = hmac::Key::new(hmac::HMAC_SHA256, &EQUAL_KEY);
    let tag = hmac::sign(&key, a);
    hmac::verify(&key, b, tag.as_ref()).is_ok()
}

/// Copies a digest into an array; SHA-256 always gives 32 bytes.
fn array(bytes: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(bytes);
    out
}
