//! Bytes that must not be seen. It must stay true that the only way to them is `expose`, that nothing
//! prints or serialises them, and that they are overwritten when dropped.

use std::fmt;

use zeroize::Zeroizing;

/// Secret bytes: a key, a password, a webhook secret.
///
/// Equality is decided in constant time. There is no `Display` and no `Serialize`, on purpose.
#[derive(Clone)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Shows the bytes; keep the borrow short and copy them nowhere.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        crate::equal(self.expose(), other.expose())
    }
}

impl Eq for Secret {}

impl From<Vec<u8>> for Secret {
    fn from(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        // Takes over the allocation: no copy stays behind.
        Self::from(text.into_bytes())
    }
}
