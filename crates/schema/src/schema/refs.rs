//! References within one document: `#`, `#/pointer`, `#anchor`.

use std::borrow::Cow;

/// One step of a JSON Pointer, escaped.
pub(crate) fn escape(name: &str) -> Cow<'_, str> {
    if name.contains(['~', '/']) {
        Cow::Owned(name.replace('~', "~0").replace('/', "~1"))
    } else {
        Cow::Borrowed(name)
    }
}

/// What stands behind the `#` of a reference, with `%20` and the like read; nothing where that is no text.
pub(super) fn fragment(reference: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(reference.len());
    let mut rest = reference.strip_prefix('#')?.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digit = |byte: u8| char::from(byte).to_digit(16);
            let value = digit(rest.next()?)? * 16 + digit(rest.next()?)?;
            bytes.push(u8::try_from(value).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fragment_is_read_with_its_escapes() {
        assert_eq!(fragment("#"), Some(String::new()));
        assert_eq!(fragment("#/$defs/a%20b~1c"), Some("/$defs/a b~1c".to_owned()));
        assert_eq!(fragment("#/%zz"), None);
        assert_eq!(fragment("#/%f"), None);
        assert_eq!(fragment("#/%ff"), None);
        assert_eq!(fragment("other.json#/a"), None);
    }

    #[test]
    fn a_step_of_a_pointer_is_escaped() {
        assert_eq!(escape("a/b~c"), "a~1b~0c");
    }
}
