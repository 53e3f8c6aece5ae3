//! Texts with escapes of JSON in plain UTF-8.

/// Adds a text without its escapes to the end of `plain`. `None` when an escape is none of JSON or half a character.
pub(super) fn unescape(mut text: &[u8], plain: &mut Vec<u8>) -> Option<()> {
    while let Some(place) = text.iter().position(|&byte| byte == b'\\') {
        plain.extend_from_slice(&text[..place]);
        let (&letter, rest) = text[place + 1..].split_first()?;
        text = rest;
        plain.push(match letter {
            b'"' | b'\\' | b'/' => letter,
            b'b' => 8,
            b'f' => 12,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'u' => {
                let (character, rest) = unicode(text)?;
                text = rest;
                plain.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                continue;
            }
            _ => return None,
        });
    }
    plain.extend_from_slice(text);
    Some(())
}

/// The character whose four or twice four digits come first, and what comes behind them.
fn unicode(text: &[u8]) -> Option<(char, &[u8])> {
    let (high, text) = digits(text)?;
    if !(0xd800..0xdc00).contains(&high) {
        return Some((char::from_u32(high)?, text));
    }
    let (low, text) = digits(text.strip_prefix(b"\\u")?)?;
    let low = low.checked_sub(0xdc00).filter(|low| *low < 0x400)?;
    Some((char::from_u32(0x10000 + ((high - 0xd800) << 10) + low)?, text))
}

fn digits(text: &[u8]) -> Option<(u32, &[u8])> {
    let (digits, text) = text.split_first_chunk::<4>()?;
    let add = |sum: u32, &digit: &u8| Some(sum << 4 | char::from(digit).to_digit(16)?);
    Some((digits.iter().try_fold(0, add)?, text))
}
