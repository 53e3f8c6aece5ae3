//! The words of a search, written so that nothing in them is an operator of either database.

use crate::Kind;

/// What a search asks for, as a value for `MATCH` or `to_tsquery`.
#[derive(Debug)]
pub(super) struct Words(String);

/// Reads the words of a text; `None` when there is none, so nothing can be found.
///
/// A word is what stands between blanks. It may hold signs, at which the databases cut it into words that must follow
/// each other. One that ends with `*` stands for all words that begin so.
pub(super) fn words(kind: Kind, org: &str, text: &str) -> Option<Words> {
    let terms: Vec<String> = text
        .split_whitespace()
        .filter(|word| has_letters(word))
        .map(|word| {
            let (word, is_prefix) = match word.strip_suffix('*') {
                Some(beginning) => (beginning, true),
                None => (word, false),
            };
            match kind {
                Kind::Sqlite => {
                    format!("{}{}", fts5(word), if is_prefix { "*" } else { "" })
                }
                Kind::Postgres => {
                    format!("{}{}", tsquery(word), if is_prefix { ":*" } else { "" })
                }
            }
        })
        .collect();
    if terms.is_empty() {
        return None;
    }
    Some(Words(match kind {
        Kind::Sqlite => {
            // The organisation is a word, too; one without letters is told apart by its events alone.
            let own =
                if has_letters(org) { format!("org : {} AND ", fts5(org)) } else { String::new() };
            format!("{own}content_text : ({})", terms.join(" AND "))
        }
        Kind::Postgres => terms.join(" & "),
    }))
}

impl Words {
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

fn has_letters(text: &str) -> bool {
    text.chars().any(char::is_alphanumeric)
}

/// A string of FTS5: everything between the quotes is text.
fn fts5(text: &str) -> String {
    format!("\"{}\"", text.replace('\0', " ").replace('"', "\"\""))
}

/// A quoted word of a tsquery: everything between the quotes is text.
fn tsquery(text: &str) -> String {
    format!("'{}'", text.replace('\0', " ").replace('\\', "\\\\").replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn both(text: &str) -> [Option<String>; 2] {
        [Kind::Sqlite, Kind::Postgres].map(|kind| words(kind, "acme", text).map(|words| words.0))
    }

    #[test]
    fn operators_are_text() {
        let [sqlite, postgres] = both(r#"a"b OR c) it's\ d*"#);
        assert_eq!(
            sqlite.unwrap(),
            r#"org : "acme" AND content_text : ("a""b" AND "OR" AND "c)" AND "it's\" AND "d"*)"#
        );
        assert_eq!(postgres.unwrap(), r#"'a"b' & 'OR' & 'c)' & 'it''s\\' & 'd':*"#);
    }

    #[test]
    fn without_a_word_there_is_nothing_to_ask() {
        assert_eq!(both(" * \" -- \u{1f44d} "), [None, None]);
        assert_eq!(words(Kind::Sqlite, "-_", "x").unwrap().0, r#"content_text : ("x")"#);
    }
}
