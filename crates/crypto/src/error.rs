//! What can go wrong with keys, certificates and sealed messages. No variant carries a byte of any of them.

/// Why a key, a certificate or a sealed message was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The master key is not 32 bytes long.
    #[error("the master key has {0} bytes, but must have 32")]
    KeyLength(usize),
    /// The message is shorter than its header and tag: it was cut, or never sealed.
    #[error(
        "the sealed message has {0} bytes, fewer than the smallest one: it was cut or is no sealed message"
    )]
    Truncated(usize),
    /// The message begins with a version that this build does not know.
    #[error(
        "the sealed message has format version {0}, which this build cannot open: it may come from a newer one"
    )]
    Version(u8),
    /// The message was sealed under another master key.
    #[error(
        "the message was sealed under another master key: configure the key that was used when it was stored"
    )]
    UnknownKey,
    /// The message, its header or its associated data is not what was sealed.
    #[error("the sealed message does not verify: it was changed, or it belongs to another record")]
    Tampered,
    /// These bytes are no public key of the algorithm.
    #[error("this is no public key that can be used: {0}")]
    PublicKey(&'static str),
    /// These bytes are no certificate.
    #[error("this is no certificate that can be used: {0}")]
    Certificate(&'static str),
    /// The operating system gave no random bytes.
    #[error("the operating system gave no random bytes")]
    NoRandom,
}
