//! Texts without regard to case. It must stay true that the questions here say what comparing with [`fold`] would say;
//! they only spare the copy.

/// A text in which case makes no difference: every character in its lower case form.
pub(crate) fn fold(text: &str) -> String {
    text.chars().flat_map(char::to_lowercase).collect()
}

/// Whether a text is this one when it is folded.
pub(crate) fn equals(folded: &str, text: &[u8]) -> bool {
    if text.is_ascii() {
        return text.len() == folded.len() && same(folded.as_bytes(), text);
    }
    let Ok(text) = std::str::from_utf8(text) else { return false };
    text.chars().flat_map(char::to_lowercase).eq(folded.chars())
}

/// Whether a text begins with this one when it is folded.
pub(crate) fn begins(folded: &str, text: &[u8]) -> bool {
    let start = &text[..folded.len().min(text.len())];
    if start.is_ascii() {
        return start.len() == folded.len() && same(folded.as_bytes(), start);
    }
    let Ok(text) = std::str::from_utf8(text) else { return false };
    let mut lower = text.chars().flat_map(char::to_lowercase);
    folded.chars().all(|char| lower.next() == Some(char))
}

/// Whether a text ends with this one when it is folded.
pub(crate) fn ends(folded: &str, text: &[u8]) -> bool {
    let end = &text[text.len() - folded.len().min(text.len())..];
    if end.is_ascii() {
        return end.len() == folded.len() && same(folded.as_bytes(), end);
    }
    let Ok(text) = std::str::from_utf8(text) else { return false };
    let mut lower = text.chars().rev().flat_map(|char| char.to_lowercase().rev());
    folded.chars().rev().all(|char| lower.next() == Some(char))
}

/// Whether ASCII of the same length is this one when it is folded.
fn same(folded: &[u8], text: &[u8]) -> bool {
    folded.iter().zip(text).all(|(folded, byte)| *folded == byte.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn case_makes_no_difference() {
        for (a, b) in
            [("Straße", "STRAßE"), ("ΣΊΣΥΦΟΣ", "σίσυφοσ"), ("\u{212A}", "k"), ("İx", "i\u{307}X")]
        {
            assert!(equals(&fold(a), b.as_bytes()), "{a} {b}");
        }
        assert!(!equals("a", b"ab") && !equals("ab", b"a") && !equals("a", "ä".as_bytes()));
        assert!(begins("i", "İx".as_bytes()), "the first of the two characters that it folds to");
        assert!(ends("\u{307}", "xİ".as_bytes()));
        assert!(!equals("a", b"\xff") && !begins("a", b"\xffa") && !ends("a", b"\xff\xfe"));
        assert!(
            begins("ab", b"ABc\xff") && ends("bc", b"\xffaBC"),
            "only what is compared is read"
        );
    }

    proptest! {
        #[test]
        fn the_answers_are_those_of_folding(part in "[aAkKé\u{212A}İi\u{307}]{0,3}", text in "[aAkKÉ\u{212A}İi\u{307}]{0,4}") {
            let (part, whole) = (fold(&part), fold(&text));
            prop_assert_eq!(equals(&part, text.as_bytes()), whole == part);
            prop_assert_eq!(begins(&part, text.as_bytes()), whole.starts_with(&part));
            prop_assert_eq!(ends(&part, text.as_bytes()), whole.ends_with(&part));
        }
    }
}
