//! Texts with `*` for any characters. It must stay true that asking takes time in proportion to the text, however many
//! stars there are.

use memchr::memmem;

/// The literal parts between the stars, in order; the first and the last are anchored and may be empty. `a*b` has two
/// parts, `*x*` has three.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Glob {
    pub(crate) parts: Box<[Box<str>]>,
}

impl Glob {
    /// Reads a text in which `\*` is a star and `\\` a backslash; the error is a sentence.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut chars = text.chars().peekable();
        let mut last = String::new();
        while let Some(char) = chars.next() {
            match char {
                '*' if chars.peek() == Some(&'*') => {
                    return Err(format!(
                        "`{text}` has two stars in a row: write one, or \\* for the character itself"
                    ));
                }
                '*' => parts.push(std::mem::take(&mut last)),
                '\\' => match chars.next() {
                    Some(char @ ('*' | '\\')) => last.push(char),
                    _ => {
                        return Err(format!(
                            "`{text}` has a backslash before something else than * and \\: write \\\\ for a backslash"
                        ));
                    }
                },
                char => last.push(char),
            }
        }
        parts.push(last);
        Ok(Self { parts: parts.into_iter().map(String::into_boxed_str).collect() })
    }

    /// Whether the whole text is of this form.
    pub(crate) fn holds(&self, text: &[u8]) -> bool {
        let (first, inner, last) = match &*self.parts {
            [] => return false,
            [only] => return text == only.as_bytes(),
            [first, inner @ .., last] => (first, inner, last),
        };
        let Some(text) = text.strip_prefix(first.as_bytes()) else { return false };
        let Some(mut text) = text.strip_suffix(last.as_bytes()) else { return false };
        // The leftmost place of each part leaves the most for those after it.
        for part in inner {
            let Some(at) = memmem::find(text, part.as_bytes()) else { return false };
            text = &text[at + part.len()..];
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parts(text: &str) -> Vec<String> {
        Glob::parse(text).unwrap().parts.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn stars_divide_and_escapes_do_not() {
        assert_eq!(parts("a*b"), ["a", "b"]);
        assert_eq!(parts("*x*"), ["", "x", ""]);
        assert_eq!(parts("plain"), ["plain"]);
        assert_eq!(parts(""), [""]);
        assert_eq!(parts("*"), ["", ""]);
        assert_eq!(parts(r"a\*b\\*c"), [r"a*b\", "c"]);
        assert_eq!(parts(r"\**"), ["*", ""]);
        for (text, what) in [
            ("a**b", "two stars"),
            (r"a\n", "backslash"),
            (r"a\", "backslash"),
            (r"\\\", "backslash"),
            (r"*\**\***", "two stars"),
        ] {
            assert!(Glob::parse(text).unwrap_err().contains(what), "{text}");
        }
    }

    #[test]
    fn the_ends_do_not_overlap() {
        let holds = |glob: &str, text: &str| Glob::parse(glob).unwrap().holds(text.as_bytes());
        assert!(holds("ab*ba", "abba") && !holds("ab*ba", "aba"));
        assert!(holds("a*b*c", "a-b-b-c") && !holds("a*b*c", "a-c"));
        assert!(holds("*aa*aa*", "aaaa") && !holds("*aa*aa*", "aaa"));
        assert!(holds("a*a", "aa") && !holds("a*a", "a"));
        assert!(holds("*", "") && holds("", "") && !holds("", "x"));
        assert!(holds("é*", "éa") && !holds("é*", "è"));
    }

    #[test]
    fn many_stars_do_not_multiply() {
        let glob = Glob::parse(&"*a".repeat(2_000)).unwrap();
        let text = format!("{}b", "a".repeat(1_000_000));
        for _ in 0..20 {
            assert!(!glob.holds(text.as_bytes()));
        }
    }

    /// The definition, in exponential time.
    fn slow(glob: &[char], text: &[char]) -> bool {
        match glob {
            [] => text.is_empty(),
            ['*', rest @ ..] => (0..=text.len()).any(|at| slow(rest, &text[at..])),
            [char, rest @ ..] => text.first() == Some(char) && slow(rest, &text[1..]),
        }
    }

    proptest! {
        #[test]
        fn it_is_what_trying_every_place_says(glob in "(\\*?[abé]){0,5}\\*?", text in "[abé]{0,8}") {
            let chars = |text: &str| text.chars().collect::<Vec<_>>();
            let expected = slow(&chars(&glob), &chars(&text));
            prop_assert_eq!(Glob::parse(&glob).unwrap().holds(text.as_bytes()), expected);
        }
    }
}
