//! Digests, tags and comparison. It must stay true that every comparison here is in constant time and
//! looks at whole values.

use ring::{digest, hmac};

/// The key of [`equal`]: it need not be secret, because both sides are hashed here and neither tag is shown.
const EQUAL_KEY: [u8; 32] = *b"omni equal: any key does as well";

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
